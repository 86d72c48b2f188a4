import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from model.page import Reason
from model.scan import ScanReport, SiteState
from storage.scans import ScanStore
from tests.storage.conftest import NOON

REPORT = ScanReport(
    site="forum",
    due_at=NOON,
    started_at=NOON + timedelta(seconds=1),
    finished_at=NOON + timedelta(seconds=9),
    listed=10,
    fetched=6,
    known=1,
    failed={Reason.GONE: 2, Reason.ROBOTS: 1},
)


@pytest.fixture
def scans(database, clock):
    """Give a scan store on the test's clock."""
    return ScanStore(database, clock)


def test_a_tick_runs_once(scans):
    """Of all who claim the same site and time one gets it; another time is another tick."""
    got, start = [], threading.Barrier(6)

    def claim():
        start.wait()
        got.append(scans.claim("forum", NOON))

    threads = [threading.Thread(target=claim) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == [False] * 5 + [True]
    assert scans.claim("forum", NOON + timedelta(hours=1))
    assert scans.claim("bazaar", NOON)


def test_a_report_comes_back(scans):
    """While the scan runs there is none; afterwards it is as it was given, failures by reason included."""
    scans.claim("forum", NOON, "me")
    scans.start("forum", NOON)
    assert scans.report("forum", NOON) is None
    assert scans.last("forum") is None
    scans.finish(REPORT)
    assert scans.report("forum", NOON) == scans.last("forum") == REPORT
    blocked = replace(REPORT, state=SiteState.BLOCKED, reason=Reason.BLOCKED, failed={Reason.BLOCKED: 1})
    scans.finish(blocked)
    assert scans.last("forum") == blocked


def test_a_scan_nobody_claimed_can_be_reported(scans):
    """A scan asked for by hand is stored too, and the latest to end is the last."""
    later = replace(REPORT, due_at=NOON + timedelta(hours=1), finished_at=NOON + timedelta(hours=1), failed={})
    scans.finish(later)
    scans.finish(REPORT)
    assert scans.last("forum") == later


def test_new_items_are_counted_since_a_time(scans, clock):
    """Fetched items of scans that ended since then; and since when the site is watched at all."""
    assert scans.first("forum") is None
    assert scans.items_since("forum", NOON) == 0
    scans.claim("forum", NOON)
    scans.finish(REPORT)
    clock.wait(3600)
    scans.claim("forum", clock.now)
    scans.finish(replace(REPORT, due_at=clock.now, finished_at=clock.now, fetched=4))
    assert scans.items_since("forum", NOON) == 10
    assert scans.items_since("forum", NOON + timedelta(minutes=5)) == 4
    assert scans.items_since("bazaar", NOON) == 0
    assert scans.first("forum") == NOON


def test_scans_of_a_dead_process_are_closed(scans, clock):
    """They end as failed by a crash; the living and the finished are left alone."""
    scans.claim("forum", NOON, "dead")
    scans.claim("bazaar", NOON, "alive")
    scans.finish(replace(REPORT, site="paste"))
    clock.wait(5)
    assert scans.close_orphans({"alive"}) == 1
    crashed = scans.last("forum")
    assert (crashed.state, crashed.reason, crashed.finished_at) == (SiteState.FAILING, Reason.CRASH, clock.now)
    assert scans.last("bazaar") is None
    assert scans.last("paste") == replace(REPORT, site="paste")
    assert scans.close_orphans() == 1
    assert scans.close_orphans() == 0


def test_a_change_of_state_is_told_once(scans):
    """A site begins as working; since-when moves with the state, the last success with each success."""
    hour = timedelta(hours=1)
    assert scans.state("forum") is None
    steps = [
        (SiteState.WORKING, None, False, 0, 0),
        (SiteState.BLOCKED, Reason.BLOCKED, True, 1, 0),
        (SiteState.BLOCKED, Reason.RATE_LIMITED, False, 1, 0),
        (SiteState.SILENT, None, True, 3, 0),
        (SiteState.WORKING, None, True, 4, 4),
        (SiteState.WORKING, None, False, 4, 5),
    ]
    for number, (state, reason, changed, since, success) in enumerate(steps):
        assert scans.set_state("forum", state, reason, NOON + number * hour, NOON + hour * 9) is changed
        health = scans.state("forum")
        assert (health.state, health.reason) == (state, reason)
        assert (health.since, health.last_success) == (NOON + since * hour, NOON + success * hour)
        assert health.next_try == NOON + hour * 9


def test_a_site_that_never_worked_is_a_change(scans):
    """The first news of a site may be bad."""
    assert scans.set_state("forum", SiteState.LOGIN, Reason.LOGIN, NOON)
    assert scans.state("forum").last_success is None
