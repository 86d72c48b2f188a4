"""Hostile pages come to an end, and hide nothing: what comes after noise is found, or the page says it was cut."""

import pytest

from benchmarks.hostile import CASES, LEAK, NOTE, engine, page
from matchers.engine import Engine
from model.page import Passage


@pytest.fixture(scope="module")
def hostile() -> Engine:
    """Enrol the people of the benchmark."""
    return engine()


@pytest.mark.parametrize("case", CASES)
def test_a_hostile_page_hides_nothing(hostile: Engine, case: str) -> None:
    """The leak at the end of a megabyte is found there, unless the page says that it was capped."""
    text = page(case, 10**6)
    examination = hostile.examine([Passage(text, "body")])
    places = {(each.start, each.end) for match in examination.matches for each in match.elements}
    at_the_end = any(start >= len(text) - len(LEAK) for start, _ in places)
    assert at_the_end or examination.capped


@pytest.mark.parametrize("case", ["1 and blanks", "one shingle of a note", "surnames and dates"])
def test_a_hostile_page_does_not_harm_its_neighbours(hostile: Engine, case: str) -> None:
    """Pages of the same batch are examined as if they were alone."""
    noise = [Passage(CASES[case](50_000), "body")]
    quiet = [[Passage(LEAK, "body")], [Passage("今天天气不错", "body")], [Passage("听说" + NOTE[:40], "body")]]
    together = hostile.examine_many([quiet[0], noise, *quiet[1:]])
    assert [together[0], *together[2:]] == [hostile.examine(each) for each in quiet]
    assert not together[0].capped


def test_repetition_of_one_value_costs_no_other_its_place(hostile: Engine) -> None:
    """A number over and over is one value: what comes after it is looked up as well, and the page says it was cut."""
    examination = hostile.examine([Passage("15490817263\n" * 21_000 + "thistle.ember92@example.org", "body")])
    assert examination.capped
    assert len(examination.matches) == 2
