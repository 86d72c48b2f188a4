"""Messages have a word in each language for whatever the line can say."""

import pytest

from alerts.advice import ADVICE, advice
from alerts.words import KINDS, LANGUAGES
from app.standing import AGAIN
from crawler.health import CONSEQUENCES
from matchers.kinds import kinds
from model.page import Reason
from model.scan import SiteState

SYSTEM = ("examiner-died", "enrolment-outdated", "job-failed", "internal-error", "stream-gap", "stream-died")
UNREAD = (
    Reason.ENCRYPTED,
    Reason.TOO_BIG,
    Reason.BOMB,
    Reason.CRASH,
    Reason.TIMEOUT,
    Reason.MALFORMED,
    Reason.UNSUPPORTED,
    Reason.LIMIT,
    Reason.INTERNAL,
)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_kind_state_and_fault_has_a_word(language):
    """A person never reads a file name of the program."""
    said = {*kinds(), *SYSTEM, *(f"unread-{reason}" for reason in UNREAD)}
    said |= {state.value for state in SiteState} - {SiteState.WORKING.value}
    said |= {reason.value for reason in CONSEQUENCES} | {AGAIN}
    assert said - set(KINDS[language]) == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_failure_that_needs_a_person_says_what_to_do(language):
    """Every row of the failure table that moves a site's state for the worse has its advice, in each language."""
    silent = {Reason.MALFORMED, Reason.UNSUPPORTED, Reason.TOO_BIG, Reason.BOMB}
    moves = {reason.value for reason, row in CONSEQUENCES.items() if row.state is not SiteState.WORKING}
    assert moves - silent - set(ADVICE[language]) == set()
    assert set(ADVICE["en"]) == set(ADVICE["zh"])
    assert advice(["silent", "silent", "nothing"], language) == (ADVICE[language]["silent"],)
