"""What holds for every value of every kind: one canonical form whatever the disguise, nothing under another key."""

import random
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.demo import make_patients as invented
from matchers.canonical import canonical
from matchers.keys import LinkageKey
from matchers.kinds import kinds
from matchers.kinds.resident_id import check_character
from model.record import LinkageColumn, LinkageSchema, Record
from tests.matchers.bench import Bench
from tests.people import PEOPLE

COLUMNS = {"name": "person_name", "national_id": "national_id"}
VALUES: dict[str, tuple[str, ...]] = {
    name: tuple(
        dict.fromkeys(
            [value for value, _ in kind.SHOULD_MATCH]
            + [
                person.values[column]
                for person in PEOPLE
                for column in person.values
                if COLUMNS.get(column, column) == name
            ]
        )
    )
    for name, kind in kinds().items()
}
"""Kind → values of it: those of its table, and the invented people's."""


def _single(name: str, value: str) -> bool:
    """Tell whether the value is one, and not a cell of the export that holds several."""
    try:
        return bool(kinds()[name].canonicalise(value))
    except ValueError:
        return False


EVERY = [(name, value) for name, values in VALUES.items() for value in values if _single(name, value)]
NOTHING = "\u200b\u200d\u2060\ufeff\u00ad\u202e\u200f\u034f\ufe0f"
"""Characters that show nothing."""
LOOKALIKES = str.maketrans("aeopcxyi", "аеорсхуі")
AMBIGUOUS = "aeopcxyiABEKMHOPCTXYI"
DISGUISES = {
    "full width": lambda text, chance: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text),
    "zero width": lambda text, chance: "".join(c + chance.choice(NOTHING) * chance.randint(0, 2) for c in text),
    "homoglyph": lambda text, chance: "".join(
        # Behind a letter that is Latin for certain: a word of lookalikes alone may as well be Russian.
        c.translate(LOOKALIKES) if before.isascii() and before.isalpha() and before not in AMBIGUOUS else c
        for before, c in zip(" " + text, text, strict=False)
    ),
    "mathematical letters": lambda text, chance: "".join(
        chr(0x1D5D4 + ord(c) - 65) if "A" <= c <= "Z" else chr(0x1D5EE + ord(c) - 97) if "a" <= c <= "z" else c
        for c in text
    ),
    "combining marks": lambda text, chance: "".join(
        c + "\u0336" * (c.isalnum() and chance.random() < 0.5) for c in text
    ),
    "decomposed": lambda text, chance: unicodedata.normalize("NFD", text),
    "spacing around": lambda text, chance: f"\u3000 {text}\t\u00a0",
}
SPACED = ("resident_id", "phone")
"""Kinds whose values are commonly written in groups; where a number has borders of its own, a dash may mean more."""


def test_every_kind_has_values_here() -> None:
    """No kind is left out of these properties."""
    assert sorted(VALUES) == sorted(kinds())
    assert {name for name, _ in EVERY} == set(kinds())


@pytest.mark.parametrize(("name", "value"), EVERY)
def test_the_canonical_form_of_a_kind_is_a_fixed_point(name: str, value: str) -> None:
    """A canonical value is its own canonical form, and is folded text."""
    kind = kinds()[name]
    once = kind.canonicalise(value)
    # The canonical resident ID leaves out its check character: what is written has it again.
    whole = name in ("resident_id", "national_id") and len(once) == 17
    assert kind.canonicalise(once + check_character(once) if whole else once) == once
    assert canonical(once) == once


@pytest.mark.parametrize("disguise", DISGUISES)
@given(st.sampled_from(EVERY), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_disguises_of_a_value_meet_in_one_form(disguise: str, case: tuple[str, str], chance: random.Random) -> None:
    """Full width, invisible characters, lookalikes, marks: the canonical form and the terms are those of the value."""
    name, value = case
    kind = kinds()[name]
    disguised = DISGUISES[disguise](value, chance)
    assert kind.canonicalise(disguised) == kind.canonicalise(value)
    assert kind.terms(kind.canonicalise(disguised)) == kind.terms(kind.canonicalise(value))


@given(
    st.sampled_from([(name, value) for name, value in EVERY if name in SPACED and value.isalnum()]),
    st.randoms(use_true_random=False),
)
@settings(max_examples=100, deadline=None)
def test_grouping_is_no_part_of_a_number(case: tuple[str, str], chance: random.Random) -> None:
    """Blanks, dashes and dots between the digits change nothing."""
    name, value = case
    kind = kinds()[name]
    grouped = "".join(c + chance.choice(["", "", " ", "-", "\u2013", "\u3000"]) for c in value[:-1]) + value[-1]
    assert kind.canonicalise(grouped) == kind.canonicalise(value)


@given(st.integers(0, 2**32), st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
@settings(max_examples=8, deadline=None)
def test_under_another_key_or_epoch_nothing_is_in_common(seed: int, one: bytes, other: bytes) -> None:
    """Labels, tags and sealed parts of one record made twice share nothing; under the key the first opens."""
    if len(set(one)) < 8 or len(set(other)) < 8 or one == other:
        return
    chance = random.Random(seed)
    row = invented.complete_chinese(chance, invented.Identifiers(chance), {"name": invented.chinese_name(chance)})
    columns = {name: LinkageColumn(COLUMNS.get(name, name)) for name in row if name in VALUES or name in COLUMNS}
    columns["name"] = LinkageColumn("person_name")
    schema = LinkageSchema("record_number", columns)
    record = Record(row["record_number"], 1, {name: row[name] for name in columns if row[name]})
    seen: list[set[bytes]] = []
    for key in (LinkageKey(one), LinkageKey(other)):
        bench = Bench.enrol(schema, [record], key)
        (made,) = bench.store.records.values()
        assert bench.ref(made.handle) == record.ref
        tags = bench.enroller.filter_tags(made.sealed_tokens).tolist()
        parts = {made.ref_tag, made.content_tag, made.sealed_ref, made.sealed_details, made.sealed_tokens}
        parts |= {*bench.store.labels, *bench.store.labels.values()}
        seen.append(parts | {int(tag).to_bytes(8, "big") for tag in tags})
    assert len(seen[0]) > 20
    assert not seen[0] & seen[1]
