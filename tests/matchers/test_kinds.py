"""Every identifier kind against the tables beside it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matchers.canonical import canonical
from matchers.kinds import by_code, kinds
from matchers.kinds.kind import Kind
from matchers.numerals import as_digits
from tests.matchers.bench import Bench

CASES = [(name, value, text, True) for name, kind in kinds().items() for value, text in kind.SHOULD_MATCH]
CASES += [(name, value, text, False) for name, kind in kinds().items() for value, text in kind.SHOULD_NOT]


def _found(kind: Kind, value: str, text: str) -> bool:
    """Return whether the page yields a term of the value: the whole one if the value is searched alone."""
    wanted = {(term.field, term.value) for term in kind.terms(kind.canonicalise(value))}
    folded = canonical(text)
    found = [found for each in kinds().values() for found in each.candidates(folded, False)]
    return any((each.field, each.value) in wanted for each in found)


@pytest.mark.parametrize(("name", "value", "text", "expected"), CASES)
def test_tables(name: str, value: str, text: str, expected: bool) -> None:
    """A value is found in the texts that its kind lists, and whole in none of those that it must not be found in."""
    kind = kinds()[name]
    if kind.GRAMS:
        bench = Bench.of({"text": (name, value), "mail": ("email", "someone.unrelated@example.com")})
        assert bool(bench.shingles(text)) is expected
    elif expected:
        assert _found(kind, value, text)
    else:
        first = kind.terms(kind.canonicalise(value))[0]
        folded = canonical(text)
        assert not any((each.field, each.value) == first[:2] for each in kind.candidates(folded, False))


def test_codes_are_distinct() -> None:
    """No two kinds share the code that postings carry."""
    assert len(by_code()) == len(kinds())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("resident_id", "1234"),
        ("resident_id", "999901198013011234"),
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


@given(st.text(max_size=60))
def test_candidates_stay_inside_the_text(text: str) -> None:
    """Whatever the text, every candidate's span lies inside it and is not empty."""
    folded = canonical(text)
    for kind in kinds().values():
        for found in kind.candidates(folded, ocr=True):
            assert 0 <= found.start < found.end <= len(folded)


@given(st.text(alphabet="0123456789oOlI一二三四五六七八九零壹贰叁 -abcxyz|&", max_size=80))
def test_the_second_reading_keeps_places(text: str) -> None:
    """Reading numerals as digits never moves a character."""
    folded = canonical(text)
    second = as_digits(folded)
    assert second is None or len(second) == len(folded)
