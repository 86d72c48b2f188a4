"""Every identifier kind against the tables beside it."""

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from stdnum.cn import ric

from matchers.canonical import canonical
from matchers.kinds import by_code, kinds, resident_id
from matchers.kinds.kind import Kind, Reading, read, read_any
from matchers.lookalikes import DIGITS
from tests.matchers.bench import Bench
from tests.matchers.surveys import survey

CASES = [(name, value, text, True) for name, kind in kinds().items() for value, text in kind.SHOULD_MATCH]
CASES += [(name, value, text, False) for name, kind in kinds().items() for value, text in kind.SHOULD_NOT]


def _on_page(kind: Kind, text: str) -> set[tuple[str, str]]:
    """Return what is seen in a text, and what the kind finds in it by itself; names are seen beside a date."""
    seen = survey(text + " 1985-03-14" if kind.__name__.endswith("person_name") else text).seen
    found = {(name, each.text(index)) for name, each in seen.items() for index in range(len(each))}
    found |= {("visit_day", value) for name, value in found if name == "birth_date"}
    return found | {(each.field, each.value) for each in getattr(kind, "find", lambda _: ())(canonical(text))}


def _terms(kind: Kind, value: str) -> list[tuple[str, str]]:
    """Return the terms of a cell, those of its first value first."""
    return [term[:2] for canonical_value in read(kind, value).values for term in kind.terms(canonical_value)]


@pytest.mark.parametrize(("name", "value", "text", "expected"), CASES)
def test_tables(name: str, value: str, text: str, expected: bool) -> None:
    """A value is found in the texts that its kind lists, and whole in none of those that it must not be found in."""
    kind = kinds()[name]
    if kind.GRAMS:
        bench = Bench.of({"text": (name, value), "mail": ("email", "someone.unrelated@example.com")})
        assert bool(bench.shingles(text)) is expected
        return
    if name == "keyword":
        assert bool(Bench.of({"phrase": (name, value)}).found(text)) is expected
        return
    terms = _terms(kind, value)
    found = _on_page(kind, text)
    assert found & set(terms) if expected else terms[0] not in found


PLAIN = {name: kind.plain for name, kind in kinds().items() if hasattr(kind, "plain")}
SHAPES = (
    "1[0-9]{10}", r"\+?1?[-. ]?\(?[0-9]{3}\)?[-. ][0-9]{3}[-. ][0-9]{4}", r"\+44[- ]?7[0-9]{3}[- ]?[0-9]{6}",
    "(18|19|20)[0-9]{2}-?[01][0-9]-?[0-3][0-9]", "99990[0-9](19|20)[0-9]{2}[01][0-9][0-3][0-9][0-9]{3}[0-9Xx]",
    "[A-Za-z]{0,4}-?[0-9]{4,14}", "[0-9]{3}([- ])[0-9]{2,3}[- ][0-9]{4}", r"[0-9]{2,6}|(1|0){6,9}",
    r"[A-Za-z0-9._+-]{1,8}@([A-Za-z0-9-]{1,6}\.){0,3}[a-z]{2,3}", "[何云舒單欧阳无名又曾用不详未知]{2,4}",
    "([A-Za-z]{2,6}|not|mac|mrs|nee|Alias) ([A-Za-z]{2,6}|known|given|II)",
    "[云雀市拒绝提供]{3,5}[0-9]{0,3}", "[0-9]{1,3} [a-z]{2,5}", "[咳痰三天，。 1a]{10,40}",
)  # fmt: skip


VALUES = sorted({value for kind in kinds().values() for value, _ in (*kind.SHOULD_MATCH, *kind.SHOULD_NOT)})
CELLS = st.one_of(st.sampled_from(VALUES), *(st.from_regex(shape, fullmatch=True) for shape in SHAPES))


@settings(max_examples=300, deadline=None)
@given(CELLS)
def test_the_short_way_reads_what_the_long_way_does(value: str) -> None:
    """Where a kind knows the shape of a cell, it gives just what splitting, checking and canonicalising give."""
    for name, plain in PLAIN.items():
        known = plain(value)
        assert known is None or Reading((known,), 0) == read_any(kinds()[name], value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("phone", "15402200417"), ("phone", "(415) 555-0121"), ("phone", "+1 415-555-0121"),
        ("phone", "+44 7700 900123"), ("birth_date", "1985-03-14"), ("birth_date", "19850314"),
        ("visit_day", "2024-02-28"), ("resident_id", "999901198001011238"), ("national_id", "987-65-4320"),
        ("mrn", "MR20417733"), ("email", "he.yunshu@example.com"), ("person_name", "何云舒"),
        ("person_name", "Odette Inchbald"), ("address", "青榆市梧桐巷27号"),
        ("note", "五天前淋雨后发热，最高三十九点一度，咳铁锈色痰。"),
    ],
)  # fmt: skip
def test_usual_shapes_are_read_the_short_way(name: str, value: str) -> None:
    """What most cells look like does not take the long way."""
    assert PLAIN[name](value) is not None


def test_check_characters_are_those_of_the_standard() -> None:
    """The sum worked out here and the library's are one."""
    for number in range(99990119800101000, 99990119800101999):
        assert resident_id.check_character(str(number)) == str(ric.calc_check_digit(f"{number}0")).lower()


def test_codes_are_distinct() -> None:
    """No two kinds share the code that postings carry."""
    assert len(by_code()) == len(kinds())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("resident_id", "1234"),
        ("us_ssn", "98765432"),
        ("uk_nhs", "99947659"),
        ("hk_id", "99123456"),
        ("macao_id", "199912"),
        ("taiwan_id", "123456789"),
        ("bank_card", "400000000000"),
        ("passport", "PASSPORT"),
        ("licence_plate", "ABCDEF"),
        ("keyword", "abc"),
        ("age", "forty"),
        ("visit_day", "45365"),
        ("birth_date", "45365"),
        ("phone", "12"),
        ("email", "somebody at home"),
        ("birth_date", "1987-13-45"),
        ("mrn", "none"),
        ("person_name", "?"),
    ],
)
def test_a_bad_value_is_refused_without_being_named(name: str, value: str) -> None:
    """What cannot be a value of the kind raises ValueError, and the message does not repeat it."""
    with pytest.raises(ValueError, match=r"not a") as caught:
        kinds()[name].canonicalise(value)
    assert value not in str(caught.value)


IDEMPOTENT = sorted(set(kinds()) - {"birth_date", "visit_day", "department", "resident_id", "national_id"})


@pytest.mark.parametrize("name", IDEMPOTENT)
def test_a_canonical_value_of_the_tables_is_its_own_canonical_form(name: str) -> None:
    """What was made canonical once does not change again."""
    kind = kinds()[name]
    for value, _ in kind.SHOULD_MATCH:
        for once in read(kind, value).values:
            assert kind.canonicalise(once) == once


@given(st.text(max_size=40), st.sampled_from(IDEMPOTENT))
@settings(deadline=None, max_examples=400)
def test_a_canonical_value_is_its_own_canonical_form(text: str, name: str) -> None:
    """Whatever a cell holds: it is refused, or its values do not change when they are made canonical again.

    In free text a look-alike of a digit counts as one only right beside a digit, on pages as in notes; what is
    canonical has nothing between characters any more.
    """
    kind = kinds()[name]
    assume(not kind.GRAMS or not DIGITS.keys() & set(text))
    try:
        reading = read(kind, text)
    except ValueError:
        return
    for once in reading.values:
        assert kind.canonicalise(once) == once
        assert all(term.weight >= 0 and term.value for term in kind.terms(once))


@given(st.from_regex(r"\A[0-9]{17}\Z"), st.sampled_from("0123456789x"))
def test_a_resident_id_is_enrolled_whatever_its_check_character(digits: str, last: str) -> None:
    """Eighteen characters are never refused, and at most one of eleven check characters is right."""
    kind = kinds()["resident_id"]
    (value,) = read(kind, digits[:6] + "19850314" + digits[14:] + last).values
    assert kind.terms(value)[0].field == "resident_id"


@given(st.text(max_size=60))
@settings(deadline=None)
def test_findings_stay_inside_the_text(text: str) -> None:
    """Whatever the text, every finding's span lies inside it and is not empty."""
    folded = canonical(text)
    for kind in kinds().values():
        for found in getattr(kind, "find", lambda _: ())(folded):
            assert 0 <= found.start < found.end <= len(folded)
