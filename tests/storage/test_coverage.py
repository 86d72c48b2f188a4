"""The coverage statement balances after any sequence of scans, crashes, examinations and quarantines, and can fail."""

import tempfile
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sqlalchemy import delete, select, update

from model.match import Verdict
from model.page import Reason
from model.scan import ScanReport
from storage import tables
from storage.database import Database
from storage.pages import PageStore
from storage.scanning import ScanningPages
from storage.scans import ScanStore
from tests.storage.conftest import NOON, HandClock, page

SALT = b"s" * 32
EVERY = 600.0
SETTLING = (Reason.GONE, Reason.TOO_BIG)
SITES = st.sampled_from(["bazaar", "forum"])
SMALL = st.integers(0, 3)


@dataclass
class Running:
    """A scan as its process counts it."""

    site: str
    due_at: datetime
    started_at: datetime
    sink: ScanningPages
    listed: int = 0
    fetched: int = 0
    known: int = 0
    failed: Counter = field(default_factory=Counter)


class Accounts(RuleBasedStateMachine):
    """Any order of ticks, missed ticks, items, crashes, examinations and checks by hand, beside a plain count."""

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.database = Database.open(f"sqlite:///{self.folder.name}/accounts.db")
        self.clock = HandClock()
        self.clock.now = datetime.fromtimestamp(NOON.timestamp() // EVERY * EVERY, UTC)
        self.scans = ScanStore(self.database, self.clock)
        self.pages = PageStore(self.database, SALT, public_key=bytes(range(32)), clock=self.clock)
        self.begun = self.clock.now
        self.running = {}
        self.number = 0
        self.scheduled, self.known, self.kept = Counter(), Counter(), Counter()
        self.ended, self.failed = Counter(), Counter()

    def teardown(self):
        """Close the database."""
        self.database.close()
        self.folder.cleanup()

    def page(self, site):
        """Make the page of the item of this number; its id rises, so that a failure is repeated alike."""
        return replace(page(f"item-{self.number}", site=site), page_id=f"{self.number:032x}")

    @rule(site=SITES)
    def begin(self, site):
        """The tick that is due is run, unless the site is being scanned, or it was run already."""
        due_at = datetime.fromtimestamp(self.clock.now.timestamp() // EVERY * EVERY, UTC)
        if site in self.running or not self.scans.claim(site, due_at, every=EVERY):
            return
        sink = ScanningPages(
            self.database, SALT, self.scans.start(site, due_at), public_key=bytes(range(32)), clock=self.clock
        )
        self.running[site] = Running(site, due_at, self.clock.now, sink)

    @precondition(lambda self: self.running)
    @rule(data=st.data(), new=SMALL, old=SMALL, gone=SMALL, broken=SMALL)
    def read(self, data, new, old, gone, broken):
        """A scan goes on: items that are new, known, gone for good, or broken this time."""
        scan = self.running[data.draw(st.sampled_from(sorted(self.running)))]
        for what in data.draw(st.permutations(["new"] * new + ["old"] * old + ["gone"] * gone + ["broken"] * broken)):
            self.number += 1
            scan.listed += 1
            item = f"item-{self.number}"
            if what == "old":
                self.pages.give_up(scan.site, item, Reason.GONE)
            assert scan.sink.is_new(scan.site, item) is (what != "old")
            if what == "old":
                scan.known += 1
            elif what == "new":
                scan.sink.keep(self.page(scan.site))
                scan.fetched += 1
                self.kept[scan.site] += 1
            else:
                reason = data.draw(st.sampled_from(SETTLING)) if what == "gone" else Reason.SERVER
                scan.failed[reason] += 1
                if what == "gone":
                    scan.sink.give_up(scan.site, item, reason)

    @precondition(lambda self: self.running)
    @rule(data=st.data(), lists=SMALL)
    def finish(self, data, lists):
        """A scan ends with a report; some of its lists could not be read."""
        scan = self.running.pop(data.draw(st.sampled_from(sorted(self.running))))
        scan.failed[Reason.CHANGED] += lists
        scan.listed += lists
        self.scans.finish(
            ScanReport(
                scan.site, scan.due_at, scan.started_at, self.clock.now, scan.listed, scan.fetched, scan.known,
                dict(scan.failed),
            )
        )  # fmt: skip
        self.scheduled[scan.site] += scan.listed
        self.known[scan.site] += scan.known
        self.failed.update({(scan.site, reason): number for reason, number in scan.failed.items()})

    @precondition(lambda self: self.running)
    @rule(data=st.data(), how=st.sampled_from(["child", "daemon"]))
    def crash(self, data, how):
        """The process of a scan dies, or the daemon with all of them: what was kept is kept, the rest is a crash."""
        if how == "daemon":
            self.scans.close_orphans()
            self.running.clear()
        else:
            scan = self.running.pop(data.draw(st.sampled_from(sorted(self.running))))
            self.scans.abandon(scan.site, scan.due_at, Reason.CRASH)

    @rule(data=st.data(), limit=st.integers(1, 4))
    def examine(self, data, limit):
        """The examiner ends some pages, and dies over others."""
        for leased in self.pages.lease("me", 60, limit):
            end = data.draw(st.sampled_from(["finish", "quarantine", "die"]))
            if end == "die":
                continue
            with self.database.transaction() as tx:
                if end == "finish":
                    self.pages.finish(tx, leased, Verdict.NOTHING)
                    self.ended[leased.site] += 1
                else:
                    self.pages.quarantine(tx, leased, Reason.MALFORMED)

    @rule()
    def retry(self):
        """Quarantined pages are queued again."""
        self.pages.requeue([each.page_id for each in self.pages.quarantined()])

    @rule()
    def check(self):
        """A person checks something by hand: a page without a scan."""
        self.number += 1
        self.pages.keep(self.page("check"))
        self.kept["check"] += 1

    @rule(seconds=st.sampled_from([1, 61, 599, 600, 1300, 4000]))
    def wait(self, seconds):
        """Time passes, perhaps over several ticks that nobody runs."""
        self.clock.wait(seconds)

    @invariant()
    def it_balances(self):
        """Nothing is lost, nothing counted twice, and the statement agrees with the plain count."""
        for covered in self.pages.coverage(self.begun, dict.fromkeys(["bazaar", "forum"], EVERY)):
            assert covered.difference == 0, covered
            assert min(covered.in_progress, *covered.failed.values(), 0) >= 0
            assert covered.kept == self.kept[covered.site]
            assert covered.examined == self.ended[covered.site]
            assert covered.known >= self.known[covered.site]
            for reason in (Reason.SERVER, Reason.CHANGED):
                assert covered.failed.get(reason, 0) == self.failed[covered.site, reason]
            assert bool(covered.in_progress) is (covered.site in self.running)


Accounts.TestCase.settings = settings(
    max_examples=25,
    stateful_step_count=25,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # shrinking takes longer than a test may
    suppress_health_check=list(HealthCheck),
)
TestAccounts = Accounts.TestCase


def one_scan(database, pages, scans_, items, report=None):
    """Run a scan that keeps so many items; without a report it is left running."""
    due_at = NOON
    scans_.claim("forum", due_at, every=EVERY)
    sink = ScanningPages(
        database, SALT, scans_.start("forum", due_at), public_key=pages._public_key, clock=pages._clock
    )
    for number in range(items):
        sink.is_new("forum", f"item-{number}")
        sink.keep(page(f"item-{number}", site="forum"))
    if report is not None:
        scans_.finish(report)


@pytest.fixture
def scan_store(database, clock):
    """Give the scans of the database."""
    return ScanStore(database, clock)


def finished(**changes):
    """Make the report of a scan that fetched three items."""
    numbers = {"listed": 3, "fetched": 3, "known": 0, "failed": {}} | changes
    return ScanReport("forum", NOON, NOON, NOON + timedelta(seconds=5), **numbers)


def test_a_lost_page_does_not_balance(pages, database, scan_store):
    """A page that a scan fetched and that is nowhere shows as a difference of one."""
    one_scan(database, pages, scan_store, 3, finished())
    (covered,) = pages.coverage(NOON)
    assert (covered.scheduled, covered.kept, covered.difference) == (3, 3, 0)
    with database.transaction() as tx:
        lost = tx.scalars(select(tables.pages.c.page_id)).first()
        tx.execute(delete(tables.spool).where(tables.spool.c.page_id == lost))
        tx.execute(delete(tables.pages).where(tables.pages.c.page_id == lost))
    (covered,) = pages.coverage(NOON)
    assert covered.difference == 1


def test_a_scan_that_counts_wrong_does_not_balance(pages, database, scan_store):
    """An item that a scan listed and then says nothing of is not accounted for."""
    one_scan(database, pages, scan_store, 3, finished(listed=5, failed={Reason.GONE: 1}))
    (covered,) = pages.coverage(NOON)
    assert covered.difference == 1


def test_what_a_dead_scan_kept_is_counted(pages, database, scan_store):
    """Its pages are waiting, and one scan failed; nothing is asked of its memory."""
    one_scan(database, pages, scan_store, 2)
    (covered,) = pages.coverage(NOON)
    assert (covered.scheduled, covered.waiting, covered.in_progress, covered.difference) == (3, 2, 1, 0)
    scan_store.abandon("forum", NOON, Reason.TIMEOUT)
    (covered,) = pages.coverage(NOON)
    assert (covered.scheduled, covered.waiting, covered.failed) == (3, 2, {Reason.TIMEOUT: 1})


def test_scans_that_nobody_ran_are_told_apart(pages, database, scan_store, clock):
    """While a scan still ran: overrun. After that: not run. The tick whose time is not over is neither."""
    one_scan(database, pages, scan_store, 0, finished(listed=0, fetched=0))
    with database.transaction() as tx:
        tx.execute(update(tables.scans).values(finished_at=NOON + timedelta(seconds=2.5 * EVERY)))
    clock.wait(6.5 * EVERY)
    schedule = {"forum": EVERY}
    (covered,) = pages.coverage(NOON, schedule)
    assert covered.failed == {Reason.OVERRUN: 2, Reason.NOT_RUN: 3}
    assert (covered.scheduled, covered.difference) == (5, 0)
    (removed,) = pages.coverage(NOON, {})
    assert removed.failed == {}
    clock.wait(EVERY)
    (later,) = pages.coverage(NOON + timedelta(seconds=5 * EVERY), schedule)
    assert later.failed == {Reason.NOT_RUN: 2}
    scan_store.claim("forum", clock.now, every=EVERY)
    (covered,) = pages.coverage(NOON, schedule)
    assert covered.failed == {Reason.OVERRUN: 2, Reason.NOT_RUN: 4}
    assert covered.in_progress == 1


def test_a_site_that_was_never_scanned_is_listed(pages):
    """A configured site of which nothing is known is not left out."""
    (covered,) = pages.coverage(NOON, {"forum": EVERY})
    assert (covered.site, covered.scheduled, covered.scans) == ("forum", 0, 0)
