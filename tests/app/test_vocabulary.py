"""Messages have a word in each language for whatever the line can say."""

import pytest

from alerts.words import KINDS, LANGUAGES
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
    assert said - set(KINDS[language]) == set()
