import threading
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from model.alert import Alert, Severity, Sighting, Status, Subject
from model.errors import StorageError
from model.match import Verdict
from storage.alerts import AlertStore, AlertUpdate, StatusChange
from tests.storage.conftest import NOON

HANDLE = b"h" * 16
SEEN = Sighting("p" * 32, "bazaar", NOON, NOON - timedelta(hours=1), "2026/03/p")
LEAK = Alert(
    "SW-00000001", Subject.RECORD, Verdict.SUSPICIOUS, Severity.MEDIUM, Status.OPEN, HANDLE, "bazaar",
    ("person_name", "phone"), 0.75, "a" * 32, NOON, NOON, (SEEN,),
)  # fmt: skip
PROBLEM = replace(
    LEAK, alert_id="SW-00000002", subject=Subject.SITE, verdict=None, handle=None, kinds=("blocked",), sightings=()
)


@dataclass(frozen=True)
class Update:
    """An update as triage makes it."""

    alert_id: str
    sighting: Sighting | None
    kinds: tuple[str, ...]
    score: float
    severity: Severity
    verdict: Verdict | None
    last_seen: object


LATER = NOON + timedelta(hours=2)
GRAVER: AlertUpdate = Update(  # type: ignore[assignment]
    LEAK.alert_id, replace(SEEN, page_id="q" * 32, seen_at=LATER), ("email", "phone"), 0.95, Severity.HIGH,
    Verdict.LEAK, LATER,
)  # fmt: skip


@pytest.fixture
def alerts(database):
    """Give an alert store."""
    return AlertStore(database)


def raised(alerts, database, *new):
    """Raise alerts in a transaction of their own."""
    with database.transaction() as tx:
        for alert in new:
            alerts.raise_alert(tx, alert)


def test_an_alert_comes_back_as_it_was_raised(alerts, database):
    """Every field and sighting is stored, for records and for problems."""
    raised(alerts, database, LEAK, PROBLEM)
    assert alerts.get(LEAK.alert_id) == LEAK
    assert alerts.get(PROBLEM.alert_id) == PROBLEM
    assert alerts.count() == 2
    with pytest.raises(StorageError, match="spillwatch alerts"):
        alerts.get("SW-99999999")


def test_the_open_alert_of_a_record_is_found(alerts, database):
    """Open and acknowledged alerts are found by handle, closed ones are not."""
    raised(alerts, database, LEAK)
    for move, found in (
        (None, True),
        (lambda: alerts.acknowledge(LEAK.alert_id, "wang", NOON), True),
        (lambda: alerts.close(LEAK.alert_id, Status.FALSE_ALARM, "wang", NOON), False),
    ):
        if move:
            move()
        with database.transaction() as tx:
            assert list(alerts.open_for(tx, [HANDLE, b"x" * 16, HANDLE])) == ([HANDLE] if found else [])


@pytest.mark.parametrize(
    "second",
    [
        replace(LEAK, alert_id="SW-00000009", sightings=()),
        replace(PROBLEM, alert_id="SW-00000009", kinds=("silent",)),
    ],
)
def test_one_open_alert_per_record_and_per_site(alerts, database, second):
    """A second open alert about the same is refused, until the first is closed."""
    first = LEAK if second.handle else PROBLEM
    raised(alerts, database, first)
    with pytest.raises(StorageError, match="open alert already"):
        raised(alerts, database, second)
    alerts.close(first.alert_id, Status.CONFIRMED, "wang", NOON)
    raised(alerts, database, second)
    assert alerts.count() == 2


def test_an_update_adds_a_sighting_once(alerts, database):
    """A page is one sighting; told again, nothing changes, not even the fields."""
    raised(alerts, database, LEAK)
    with database.transaction() as tx:
        assert alerts.update(tx, GRAVER)
    grown = alerts.get(LEAK.alert_id)
    assert (grown.kinds, grown.score, grown.severity, grown.verdict) == (
        ("email", "phone"), 0.95, Severity.HIGH, Verdict.LEAK,
    )  # fmt: skip
    assert grown.last_seen == LATER
    assert [seen.page_id for seen in grown.sightings] == ["p" * 32, "q" * 32]
    with database.transaction() as tx:
        assert not alerts.update(tx, replace(GRAVER, score=0.1))
    assert alerts.get(LEAK.alert_id) == grown


def test_sight_is_update_spelt_out(alerts, database):
    """The last sighting moves forward only."""
    raised(alerts, database, LEAK)
    fields = {"kinds": ("phone",), "score": 0.8, "severity": Severity.HIGH, "verdict": Verdict.LEAK}
    with database.transaction() as tx:
        assert alerts.sight(tx, LEAK.alert_id, replace(SEEN, page_id="r", seen_at=NOON - timedelta(days=1)), **fields)
        assert not alerts.sight(tx, LEAK.alert_id, SEEN, **fields)
    assert alerts.get(LEAK.alert_id).last_seen == NOON
    assert alerts.get(LEAK.alert_id).score == 0.8


def test_an_open_problem_is_found_and_grows(alerts, database):
    """A site's problem is found by subject and site, and takes new reason words without a sighting."""
    raised(alerts, database, PROBLEM)
    with database.transaction() as tx:
        assert alerts.open_problem(tx, Subject.SYSTEM, "bazaar") is None
        assert alerts.open_problem(tx, Subject.SITE, "forum") is None
        assert alerts.open_problem(tx, Subject.SITE, "bazaar") == PROBLEM
        update = replace(GRAVER, alert_id=PROBLEM.alert_id, sighting=None, kinds=("blocked", "silent"), verdict=None)
        assert alerts.update(tx, update)
    assert alerts.get(PROBLEM.alert_id).kinds == ("blocked", "silent")


def test_every_move_is_remembered(alerts, database):
    """Who moved the alert, when and to what; a closed alert does not move any more."""
    raised(alerts, database, LEAK)
    alerts.acknowledge(LEAK.alert_id, "wang", LATER)
    alerts.close(LEAK.alert_id, Status.CONFIRMED, "li", LATER + timedelta(hours=1))
    assert alerts.history(LEAK.alert_id) == [
        StatusChange(NOON, "spillwatch", Status.OPEN),
        StatusChange(LATER, "wang", Status.ACKNOWLEDGED),
        StatusChange(LATER + timedelta(hours=1), "li", Status.CONFIRMED),
    ]
    assert alerts.get(LEAK.alert_id).status is Status.CONFIRMED
    with pytest.raises(StorageError, match="closed as confirmed"):
        alerts.acknowledge(LEAK.alert_id, "wang", LATER)
    with pytest.raises(StorageError, match="no alert"):
        alerts.acknowledge("SW-99999999", "wang", LATER)
    with pytest.raises(ValueError, match="closed as"):
        alerts.close(LEAK.alert_id, Status.OPEN, "wang", LATER)


def test_alerts_are_listed_latest_first(alerts, database):
    """All, or those of one status, no more than asked for."""
    some = [
        replace(LEAK, alert_id=f"SW-0000001{n}", handle=bytes([n]) * 16, last_seen=NOON + timedelta(hours=n))
        for n in range(4)
    ]
    raised(alerts, database, *some)
    alerts.acknowledge(some[1].alert_id, "wang", NOON)
    assert [alert.alert_id for alert in alerts.list()] == [alert.alert_id for alert in reversed(some)]
    assert [alert.alert_id for alert in alerts.list(limit=2)] == [some[3].alert_id, some[2].alert_id]
    assert [alert.alert_id for alert in alerts.list(Status.ACKNOWLEDGED)] == [some[1].alert_id]


def test_two_examiners_raise_one_alert(alerts, database):
    """Examiners that find the same record at the same time: one raises, the others sight; nobody fails."""
    outcomes, start = [], threading.Barrier(6)

    def examine(number):
        start.wait()
        with database.transaction() as tx:
            known = alerts.open_for(tx, [HANDLE]).get(HANDLE)
            seen = replace(SEEN, page_id=f"page-{number}")
            if known is None:
                alerts.raise_alert(tx, replace(LEAK, alert_id=f"SW-0000000{number}", sightings=(seen,)))
            else:
                alerts.update(tx, replace(GRAVER, alert_id=known.alert_id, sighting=seen))
            outcomes.append("raised" if known is None else "sighted")

    threads = [threading.Thread(target=examine, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["raised"] + ["sighted"] * 5
    (alert,) = alerts.list()
    assert len(alert.sightings) == 6
