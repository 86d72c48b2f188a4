from datetime import timedelta

import pytest

from storage.outbox import Outbox
from tests.storage.conftest import NOON


@pytest.fixture
def outbox(database):
    """Give an outbox."""
    return Outbox(database)


def add(outbox, database, incident, channel="email"):
    """Add a notice in a transaction of its own."""
    with database.transaction() as tx:
        return outbox.add(tx, incident, channel, '{"n": 1}', NOON)


def test_a_message_is_added_once_per_incident_and_channel(outbox, database):
    """A repeat of the same incident adds nothing."""
    assert add(outbox, database, "i1")
    assert not add(outbox, database, "i1")
    assert add(outbox, database, "i1", "spool")
    assert [(one.incident, one.channel) for one in outbox.pending()] == [("i1", "email"), ("i1", "spool")]


def test_a_message_shares_the_fate_of_its_transaction(outbox, database):
    """When the alert is not stored, neither is its message."""

    def add_and_fail():
        with database.transaction() as tx:
            outbox.add(tx, "i1", "email", "{}", NOON)
            raise KeyError

    with pytest.raises(KeyError):
        add_and_fail()
    assert outbox.pending() == []


def test_a_message_handed_out_is_nobody_elses_for_a_while(outbox, database):
    """It comes back when whoever took it never reported."""
    add(outbox, database, "i1")
    assert outbox.due(NOON - timedelta(seconds=1)) == []
    (message,) = outbox.due(NOON)
    assert (message.incident, message.channel, message.notice, message.attempts) == ("i1", "email", '{"n": 1}', 0)
    assert outbox.due(NOON + timedelta(minutes=4)) == []
    assert [one.message_id for one in outbox.due(NOON + timedelta(minutes=5))] == [message.message_id]


def test_an_accepted_message_is_done(outbox, database):
    """It is never due again, even if a failure is reported late."""
    add(outbox, database, "i1")
    (message,) = outbox.due(NOON)
    outbox.accepted(message.message_id, NOON)
    outbox.failed(message.message_id, NOON, "timeout")
    assert outbox.pending() == []
    assert outbox.next_due() is None
    assert outbox.due(NOON + timedelta(days=9)) == []


def test_a_failing_message_is_tried_for_ever_at_growing_distance(outbox, database):
    """30 s, doubling, at most an hour; never given up."""
    add(outbox, database, "i1")
    now, pauses = NOON, []
    for attempt in range(40):
        (message,) = outbox.due(now)
        assert message.attempts == attempt
        again = outbox.failed(message.message_id, now, "refused")
        assert outbox.next_due() == again
        assert outbox.due(again - timedelta(seconds=1)) == []
        pauses.append((again - now).total_seconds())
        now = again
    assert pauses[:8] == [30, 60, 120, 240, 480, 960, 1920, 3600]
    assert set(pauses[8:]) == {3600}
    (waiting,) = outbox.pending()
    assert (waiting.attempts, waiting.last_failure, waiting.added_at) == (40, "refused", NOON)


def test_messages_come_oldest_first_and_in_portions(outbox, database):
    """No more than asked for at once."""
    for number in range(5):
        add(outbox, database, f"i{number}")
    assert [one.incident for one in outbox.due(NOON, 3)] == ["i0", "i1", "i2"]
    assert [one.incident for one in outbox.due(NOON, 3)] == ["i3", "i4"]
