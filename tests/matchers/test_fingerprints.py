"""What is stored of a record, and that it can be taken out again without hurting others."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matchers.conjunctions import MARKED
from matchers.fingerprints import Enroller
from matchers.kernel import Kernel
from matchers.keys import LinkageKey
from matchers.kinds import kinds
from matchers.postings import SEALED_BYTES
from model.errors import ConfigError, KeyUnusable
from model.record import LinkageColumn, LinkageSchema, Record
from tests.matchers.bench import Bench, MemoryStore
from tests.people import CANARY, HE_YUNSHU, HE_YUNZHANG, SCHEMA

PEOPLE = [person.record(row) for row, person in enumerate((CANARY, HE_YUNSHU, HE_YUNZHANG), 1)]
SMALL = LinkageSchema("ref", {"name": LinkageColumn("person_name"), "phone": LinkageColumn("phone")})


def _sharing(count: int, phones: int) -> list[Record]:
    """Return records that share few telephone numbers."""
    draw = random.Random(7)
    names = ["".join(draw.choice(part) for part in ("王李张刘", "一二三四五六七八", "东南西北")) for _ in range(count)]
    return [
        Record(f"R-{row}", row, {"name": name, "phone": f"1540000{draw.randrange(phones):04d}"})
        for row, name in enumerate(names, 1)
    ]


def test_stored_bytes_hold_no_value() -> None:
    """No canonical value, in any of the usual encodings, is a part of what is stored."""
    bench = Bench.enrol(SCHEMA, PEOPLE)
    stored = b"".join(
        b"".join((f.handle, f.ref_tag, f.content_tag, f.sealed_ref, f.sealed_details, f.sealed_tokens))
        for f in bench.store.records.values()
    ) + b"".join(name + sealed for name, sealed in bench.store.labels.items())
    for record in PEOPLE:
        for column, value in record.values.items():
            kind = SCHEMA.columns[column].kind
            texts = [record.ref, value, kinds()[kind].canonicalise(value) if kind in kinds() else value]
            for text in texts:
                for encoding in ("utf-8", "utf-16-le", "gb18030"):
                    assert text.encode(encoding)[:12] not in stored


def test_postings_look_alike() -> None:
    """All labels differ, although people share values; all payloads have one size."""
    bench = Bench.enrol(SMALL, _sharing(60, 5))
    assert {len(sealed) for sealed in bench.store.labels.values()} == {SEALED_BYTES}
    assert len(set(bench.store.labels.values())) == len(bench.store.labels)


@given(st.randoms(use_true_random=False))
@settings(max_examples=5, deadline=None)
def test_same_key_same_labels_other_key_nothing_in_common(draw: random.Random) -> None:
    """Labels follow from key and values alone: the same again, or none with another key."""
    record = Record("R-1", 1, {"name": "何云舒", "phone": f"154{draw.randrange(10**8):08d}"})
    key = LinkageKey.generate()
    keys = (key, key, LinkageKey.generate())
    one, same, other = (set(Bench.enrol(SMALL, [record], each).store.labels) for each in keys)
    assert one == same
    assert not one & other


def test_two_records_with_one_telephone_share_no_label() -> None:
    """A shared value takes two links of one chain."""
    bench = Bench.enrol(SMALL, [Record("R-1", 1, {"phone": "15400000001"}), Record("R-2", 2, {"phone": "15400000001"})])
    assert len(bench.store.labels) == 2
    assert set(bench.found("15400000001")) == {"R-1", "R-2"}


def test_batches_continue_the_chains() -> None:
    """A second batch takes the links after those of the first."""
    bench = Bench.enrol(SMALL, _sharing(30, 3))
    made, problems = bench.enroller.fingerprint([Record("R-new", 1, {"phone": "15400000001"})], bench.store)
    bench.store.add(made)
    assert not problems
    assert "R-new" in bench.found("15400000001")


@pytest.mark.parametrize(
    ("column", "value"), [("phone", "12"), ("birth_date", "1987-13-45"), ("email", "nobody"), ("extra", "x")]
)
def test_a_bad_row_is_named_without_its_value(column: str, value: str) -> None:
    """The row is left out whole, row and column are named, the value is not; the other rows are kept."""
    bad = Record("R-9", 42, {**HE_YUNZHANG.values, column: value})
    bench = Bench.enrol(SCHEMA, [PEOPLE[0], bad])
    (problem,) = bench.problems
    assert (problem.row, problem.column) == (42, column)
    assert value not in problem.problem.split()
    assert [bench.ref(handle) for handle in bench.store.records] == [CANARY.ref]


def test_content_tag_follows_the_canonical_values() -> None:
    """Formatting does not change it; a value does; a bad value does not raise."""
    enroller = Enroller(LinkageKey.generate(), SMALL)
    tag = enroller.content_tag(Record("R-1", 1, {"name": "何云舒", "phone": "+86 154 0220 0417"}))
    assert tag == enroller.content_tag(Record("R-1", 5, {"phone": "15402200417", "name": "何 雲舒"}))
    assert tag != enroller.content_tag(Record("R-1", 1, {"name": "何云舒", "phone": "15402200418"}))
    assert tag != enroller.content_tag(Record("R-1", 1, {"name": "何云舒", "phone": "?"}))


def test_the_reference_is_sealed_and_found_by_its_tag() -> None:
    """The reference opens with the key only; its tag is the same each time."""
    bench = Bench.enrol(SCHEMA, PEOPLE)
    fingerprint = next(iter(bench.store.records.values()))
    assert bench.enroller.reference(fingerprint.sealed_ref) == CANARY.ref
    assert fingerprint.ref_tag == bench.enroller.ref_tag(CANARY.ref)
    with pytest.raises(KeyUnusable):
        Enroller(LinkageKey.generate(), SCHEMA).reference(fingerprint.sealed_ref)


def test_erasing_a_third_loses_nobody_and_leaves_no_ghost() -> None:
    """Records that share numbers: the erased are gone, every survivor is still found, no link is left over."""
    records = _sharing(90, 6)
    bench = Bench.enrol(SMALL, records)
    gone = list(bench.store.records)[::3]
    gone_refs = {bench.ref(handle) for handle in gone}
    pairs = [(handle, bench.store.records[handle].sealed_tokens) for handle in gone]
    for erasure in bench.enroller.erasures(pairs, bench.store):
        bench.store.apply(erasure)
    left = sum(len(list(bench.enroller._ys(each.sealed_tokens))) for each in bench.store.records.values())
    assert len(bench.store.labels) == left
    for record in records:
        found = bench.found(f"{record.values['name']} {record.values['phone']}")
        assert (record.ref in found) == (record.ref not in gone_refs)
        assert not gone_refs & set(found)


def test_the_filter_is_rebuilt_from_what_is_stored() -> None:
    """The sealed tokens give one tag for each posting, and those of the marks."""
    bench = Bench.enrol(SCHEMA, PEOPLE)
    tags = np.concatenate([bench.enroller.filter_tags(each.sealed_tokens) for each in bench.store.records.values()])
    values = ["phone:11", "number:2:8", *sorted(MARKED)]
    marks = Kernel(bench.key.kernel_key()).tags_of("shape", values)
    counts = {value: int((tags == mark).sum()) for value, mark in zip(values, marks, strict=True)}
    assert all(
        counts[value] for value in ("pinyin", "address_part", "phone:11", "number:2:8", "resident_id", "name_han")
    )
    assert len(tags) - sum(counts.values()) == len(bench.store.labels)


@pytest.mark.parametrize(
    "column",
    [LinkageColumn("shoe_size"), LinkageColumn("phone", "secret"), LinkageColumn("person_name", "primary")],
)
def test_a_schema_that_cannot_be_is_refused(column: LinkageColumn) -> None:
    """An unknown kind, an unknown role, or a name as primary element is a configuration error."""
    with pytest.raises(ConfigError, match="column 'x'"):
        Enroller(LinkageKey.generate(), LinkageSchema("ref", {"x": column}))


def test_an_unchanged_store_is_only_read() -> None:
    """Fingerprinting writes nothing itself."""
    store = MemoryStore()
    Enroller(LinkageKey.generate(), SCHEMA).fingerprint(PEOPLE, store)
    assert not store.labels
