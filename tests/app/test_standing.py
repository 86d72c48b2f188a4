"""How a site stands, judged by its past; what people are told, and how often."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from app import standing
from app.stores import Stores
from crawler.interface import Expectation, SiteSettings
from model.alert import Severity, Status, Subject
from model.page import Reason
from model.scan import Measures, ScanReport, SiteState
from storage.database import Database
from storage.scans import ScanStore

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SITE = SiteSettings("forum", "discourse", 3600.0)
DAILY = replace(SITE, every=86_400.0)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def scan(at: datetime, **changes) -> ScanReport:
    """Make the report of an ordinary scan that ended then."""
    ordinary = {
        "listed": 20, "fetched": 10, "known": 10,
        "measures": Measures(10, {"author": 1}, 0, 2.0),
    } | changes  # fmt: skip
    return ScanReport("forum", at, at - timedelta(seconds=30), at, **ordinary)


def past(step: timedelta, number: int = 24 * 10, **changes) -> list[ScanReport]:
    """Make so many ordinary scans before noon."""
    return [scan(NOON - step * back, **changes) for back in range(number, 0, -1)]


EMPTY = {"listed": 0, "fetched": 0, "known": 0, "measures": Measures()}


@pytest.mark.parametrize(
    ("site", "before", "now", "state"),
    [
        (SITE, past(HOUR), {}, SiteState.WORKING),
        (SITE, [], {"listed": 0, "fetched": 0}, SiteState.WORKING),
        (SITE, past(HOUR), {"state": SiteState.BLOCKED, "reason": Reason.CAPTCHA}, SiteState.BLOCKED),
        # a list without entries
        (SITE, past(HOUR), EMPTY, SiteState.CHANGED),
        (SITE, past(HOUR), {**EMPTY, "listed": 1, "known": 1}, SiteState.WORKING),
        (SITE, [*past(HOUR, 30), scan(NOON - HOUR / 2, **EMPTY)], EMPTY, SiteState.WORKING),
        # fields
        (SITE, past(HOUR), {"measures": Measures(10, {"text": 9})}, SiteState.CHANGED),
        (SITE, past(HOUR), {"measures": Measures(10, {"author": 4})}, SiteState.WORKING),
        (SITE, past(HOUR), {"measures": Measures(2, {"time": 2})}, SiteState.WORKING),
        (SITE, past(HOUR, measures=Measures(10, {"time": 10})), {"measures": Measures(10, {"time": 10})},
         SiteState.WORKING),
        # runs, where there are few a day
        (DAILY, past(DAY, 10), {"fetched": 1, "known": 19}, SiteState.SILENT),
        (DAILY, past(DAY, 10), {"fetched": 2, "known": 18}, SiteState.WORKING),
        (DAILY, past(DAY, 5), {"fetched": 0, "known": 20}, SiteState.WORKING),
        (DAILY, past(DAY, 10, fetched=3), {"fetched": 0, "known": 20}, SiteState.WORKING),
        # days, where there are many runs: one quiet hour is nothing
        (SITE, past(HOUR), {"fetched": 0, "known": 20}, SiteState.WORKING),
        (SITE, [*past(HOUR)[:-23], *past(HOUR, 23, fetched=1)], {"fetched": 0, "known": 20}, SiteState.SILENT),
        # slow
        (SITE, past(HOUR), {"started_at": NOON - 2 * HOUR}, SiteState.WORKING),
        (SITE, [*past(HOUR), replace(scan(NOON - HOUR / 2), started_at=NOON - 3 * HOUR)],
         {"started_at": NOON - 2 * HOUR}, SiteState.SLOW),
        (SITE, [*past(HOUR), scan(NOON - HOUR / 2, measures=Measures(10, {}, 0, 30.0))],
         {"measures": Measures(10, {}, 0, 30.0)}, SiteState.SLOW),
        (SITE, past(HOUR), {"measures": Measures(10, {}, 0, 30.0)}, SiteState.WORKING),
    ],
)  # fmt: skip
def test_a_scan_is_judged_by_the_past_of_its_site(site, before, now, state):
    """Too little new, no entries, empty fields, slowness; and what looks like it and is not."""
    started = now.pop("started_at", None) if "started_at" in now else None
    report = scan(NOON, **now)
    assert standing.judge(replace(report, started_at=started or report.started_at), site, before)[0] is state


@pytest.fixture
def stores(private_path) -> Iterator[Stores]:
    """Give the stores of an empty database."""
    database = Database.open(f"sqlite:///{private_path}/spillwatch.db")
    yield Stores.of(database)
    database.close()


class Watched:
    """A site that stands as a test says, hour by hour."""

    def __init__(self, stores: Stores) -> None:
        self.stores = stores

    def stands(self, hour: float, state: SiteState, reason: Reason | None = None) -> int:
        """Let it stand so at that hour; return how many messages were written since the beginning."""
        standing.note(SITE, state, reason, self.stores, ["spool"], NOON + hour * HOUR)
        return len(self.stores.outbox.pending())

    @property
    def open(self) -> list[tuple[str, ...]]:
        """The kinds of the alerts that are not closed."""
        return [alert.kinds for alert in self.stores.alerts.list() if alert.status is Status.OPEN]


WORKING, BLOCKED, LOGIN = SiteState.WORKING, SiteState.BLOCKED, SiteState.LOGIN


def test_a_change_is_told_once_and_a_recovery_closes(stores):
    """One message while the trouble lasts, however long; a day after it was told, a site that works is recovered."""
    forum = Watched(stores)
    assert forum.stands(0, WORKING) == 0
    assert forum.stands(1, BLOCKED, Reason.CAPTCHA) == 1
    assert [forum.stands(hour, BLOCKED, Reason.CAPTCHA) for hour in (2, 30, 60)] == [1, 1, 1]
    assert forum.open == [("blocked", "captcha")]
    assert forum.stands(61, WORKING) == 1
    (alert,) = stores.alerts.list()
    assert alert.status is Status.RECOVERED
    assert [step.status for step in stores.alerts.history(alert.alert_id)] == [Status.OPEN, Status.RECOVERED]
    assert forum.stands(62, BLOCKED, Reason.CAPTCHA) == 2
    assert len(stores.alerts.list()) == 2


def test_a_site_that_comes_and_goes_is_one_alert_and_one_message_a_day(stores):
    """Whatever it does, hour by hour for three days: at most one message a day, one open alert, and the last word."""
    forum = Watched(stores)
    steps = [(BLOCKED, Reason.BLOCKED), (WORKING, None), (LOGIN, Reason.LOGIN), (WORKING, None)]
    sent = [forum.stands(hour, *steps[hour % 4]) for hour in range(72)]
    days = [sent[23], sent[47] - sent[23], sent[71] - sent[47]]
    assert days == [1, 1, 1]
    assert len(forum.open) == 1
    forum.stands(71.5, LOGIN, Reason.LOGIN)
    assert set(forum.open[0]) >= {"needs-login", "login-needed"}
    assert "working-again" not in forum.open[0]


def test_what_was_held_back_is_told_the_next_day(stores):
    """A second trouble within the day shows in the open alert at once, and is told when the day is over."""
    forum = Watched(stores)
    assert forum.stands(0, SiteState.SLOW) == 1
    assert forum.stands(2, BLOCKED, Reason.BLOCKED) == 1
    assert "blocked" in forum.open[0]
    assert forum.stands(23, BLOCKED, Reason.BLOCKED) == 1
    assert forum.stands(25, BLOCKED, Reason.BLOCKED) == 2
    assert forum.stands(50, BLOCKED, Reason.BLOCKED) == 2
    assert stores.alerts.list()[0].severity is Severity.MEDIUM


def test_an_alert_that_a_person_closed_does_not_come_back_for_the_same(stores):
    """The officer knows; another trouble is another alert, the same one after a recovery too."""
    forum = Watched(stores)
    forum.stands(0, BLOCKED, Reason.BLOCKED)
    stores.alerts.close(stores.alerts.list()[0].alert_id, Status.CONFIRMED, "officer", NOON)
    assert forum.stands(30, BLOCKED, Reason.BLOCKED) == 1
    assert forum.open == []
    assert forum.stands(31, LOGIN, Reason.LOGIN) == 2
    stores.alerts.close(stores.alerts.list(Status.OPEN)[0].alert_id, Status.CONFIRMED, "officer", NOON)
    forum.stands(60, WORKING)
    assert forum.stands(61, BLOCKED, Reason.BLOCKED) == 3


def test_a_recovery_leaves_what_was_not_read(stores):
    """An alert that also tells of unread pages is not closed by a site that works; only the rest of it goes."""
    forum = Watched(stores)
    forum.stands(0, BLOCKED, Reason.BLOCKED)
    with stores.database.transaction() as tx:
        from app.report import report_within

        report_within(tx, stores, [], Subject.SITE, "forum", ["unread-encrypted"], NOON)
    forum.stands(30, WORKING)
    assert forum.open == [("unread-encrypted",)]


def test_a_stopped_scan_says_nothing_of_the_site(stores):
    """A daemon that is told to stop ends its scans: no state moves, nobody is told."""
    standing.after_scan(scan(NOON, state=WORKING, reason=Reason.STOPPED), SITE, stores, ["spool"], NOON)
    assert stores.scans.state("forum") is None
    stores.scans.claim("forum", NOON)
    assert stores.scans.abandon("forum", NOON, Reason.STOPPED).state is WORKING


def test_fewer_than_expected_stays_silent_until_there_is_more(stores):
    """Scans that succeed do not end it, new items do; the state keeps its since-when; one message."""
    site = replace(SITE, expect=Expectation(1, 1.5 * HOUR.total_seconds()))
    stores = replace(stores, scans=ScanStore(stores.database, lambda: NOON - DAY))
    stores.scans.claim("forum", NOON - DAY)
    for hour, fetched, state, since in ((0, 0, "silent", 0), (1, 0, "silent", 0), (2, 1, "working", 2)):
        at = NOON + hour * HOUR
        report = scan(at, fetched=fetched, known=20 - fetched)
        stores.scans.finish(report)
        standing.after_scan(report, site, stores, ["spool"], at)
        standing.look_for_silence(site, stores, ["spool"], at)
        health = stores.scans.state("forum")
        assert (health.state, health.since) == (state, NOON + since * HOUR)
        assert health.next_try == at + HOUR
        assert len(stores.outbox.pending()) == 1
