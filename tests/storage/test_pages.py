import secrets
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import func, select

from crawler.interface import Sink, Validators
from model.errors import StorageError, Superseded
from model.match import Verdict
from model.page import PartOutcome, Reason
from model.scan import Gap, GapReason
from storage.database import Database
from storage.pages import MOST_ATTEMPTS, PageCounts, PageStore
from storage.sealing import unseal
from storage.tables import pages as page_table
from storage.tables import part_counts, spool
from tests.storage.conftest import NOON, HandClock, page

READ = PartOutcome(0, "read")


def finish(pages, database, leased, verdict=Verdict.NOTHING, outcomes=(READ,)):
    """End a page as examined, in a transaction of its own."""
    with database.transaction() as tx:
        pages.finish(tx, leased, verdict, outcomes)


def quarantine(pages, database, leased, reason=Reason.ENCRYPTED, outcomes=()):
    """End a page as quarantined, in a transaction of its own."""
    with database.transaction() as tx:
        pages.quarantine(tx, leased, reason, outcomes)


def spooled(database):
    """Return the ids of the pages whose payload is still there."""
    with database.reading() as tx:
        return set(tx.scalars(select(spool.c.page_id)))


def test_a_kept_page_is_seen_and_waits(pages, keys):
    """Keeping a page remembers its item and puts it, sealed, into the queue."""
    sink: Sink = pages
    one = page()
    assert sink.is_new(one.site, one.item_id)
    sink.keep(one)
    assert not sink.is_new(one.site, one.item_id)
    assert sink.is_new("another-site", one.item_id)
    assert pages.counts() == PageCounts(1, 0, 0, 0)
    (leased,) = pages.lease("me", 60, 10)
    assert (leased.page_id, leased.site, leased.token, leased.attempts) == (one.page_id, one.site, 1, 1)
    assert leased.fetched_at == one.fetched_at
    assert unseal(leased.sealed, keys.private) == one


def test_keeping_twice_is_harmless(pages):
    """The same page again changes nothing; another capture of the same item is kept as well."""
    one = page()
    pages.keep(one)
    pages.keep(one)
    assert pages.counts() == PageCounts(1, 0, 0, 0)
    pages.keep(page(one.item_id))
    assert pages.counts() == PageCounts(2, 0, 0, 0)


def test_without_a_public_key_nothing_is_kept(database):
    """A page is never stored unsealed; the message says what is missing."""
    with pytest.raises(StorageError, match="linkage key"):
        PageStore(database, b"s" * 32).keep(page())


def test_an_item_given_up_is_not_new(pages, clock):
    """What will never be fetched is not asked for again, and its reason is in the coverage."""
    pages.give_up("bazaar", "gone-1", Reason.GONE)
    pages.give_up("bazaar", "gone-1", Reason.ROBOTS)
    assert not pages.is_new("bazaar", "gone-1")
    (covered,) = pages.coverage(clock.now)
    assert covered.given_up == {Reason.GONE: 1}


def test_cursors_and_validators_come_back(pages):
    """Each list of each site has its own, the last one saved counts."""
    assert pages.cursor("a", "list") is None
    assert pages.validators("a", "list") == Validators()
    pages.save_cursor("a", "list", "one")
    pages.save_validators("a", "list", Validators('W/"1"', None))
    pages.save_cursor("a", "list", "二")
    assert pages.cursor("a", "list") == "二"
    assert pages.validators("a", "list") == Validators('W/"1"', None)
    assert pages.cursor("a", "other") is None
    assert pages.cursor("b", "list") is None


def test_what_sites_say_is_not_readable_in_the_database(tmp_path, keys):
    """Item ids, addresses, list names, cursors and validators can carry names: none stands in any file."""
    database = Database.open(f"sqlite:///{tmp_path}/s.db")
    pages = PageStore(database, b"s" * 32, public_key=keys.public)
    pages.keep(page("CANARY-item", text="CANARY-text"))
    pages.give_up("bazaar", "CANARY-gone", Reason.GONE)
    pages.save_cursor("bazaar", "CANARY-list", "CANARY-cursor")
    pages.save_validators("bazaar", "CANARY-list", Validators("CANARY-etag", "CANARY-date"))
    files = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert {"s.db", "s.db-wal"} <= set(files)
    assert any(b"bazaar" in content for content in files.values())
    assert not any(b"CANARY" in content for content in files.values())
    database.close()


def test_an_examined_page_is_deleted(pages, database):
    """The payload goes with the verdict; nothing is left to lease."""
    one = page()
    pages.keep(one)
    (leased,) = pages.lease("me", 60, 10)
    finish(pages, database, leased)
    assert pages.counts() == PageCounts(0, 0, 1, 0)
    assert spooled(database) == set()
    assert pages.lease("me", 60, 10) == []


def test_a_lease_is_nobody_elses_until_it_runs_out(pages, database, clock):
    """A leased page is not handed out twice; when the lease runs out it is, with a higher token."""
    pages.keep(page())
    (first,) = pages.lease("one", 60, 10)
    assert pages.counts() == PageCounts(0, 1, 0, 0)
    assert pages.lease("two", 60, 10) == []
    clock.wait(30)
    pages.renew(first, 60)
    clock.wait(45)
    assert pages.lease("two", 60, 10) == []
    clock.wait(15)
    assert pages.counts() == PageCounts(1, 0, 0, 0)
    (second,) = pages.lease("two", 60, 10)
    assert second.token > first.token
    for late in (
        lambda: finish(pages, database, first),
        lambda: quarantine(pages, database, first),
        lambda: pages.renew(first, 60),
        lambda: pages.release(first),
    ):
        with pytest.raises(Superseded):
            late()
    assert pages.counts() == PageCounts(0, 1, 0, 0)
    finish(pages, database, second)
    with pytest.raises(Superseded):
        finish(pages, database, second)


def test_a_superseded_end_undoes_the_callers_work(pages, database, clock):
    """Whatever the late examiner wrote in the same transaction does not happen."""
    pages.keep(page())
    (first,) = pages.lease("one", 60, 10)
    clock.wait(61)
    pages.lease("two", 60, 10)
    other = page("item-2")
    row = {"page_id": other.page_id, "site": "x", "fetched_at": NOON, "kept_at": NOON, "state": "examined"}

    def write_and_end():
        with database.transaction() as tx:
            tx.execute(page_table.insert().values(**row, token=0, attempts=0))
            pages.finish(tx, first, Verdict.LEAK)

    with pytest.raises(Superseded):
        write_and_end()
    assert pages.counts() == PageCounts(0, 1, 0, 0)


def test_the_longest_waiting_come_first(pages, clock):
    """Pages are leased in the order they were kept, as many as asked for."""
    kept = []
    for number in range(5):
        one = page(f"item-{number}")
        pages.keep(one)
        kept.append(one.page_id)
        clock.wait(1)
    assert [one.page_id for one in pages.lease("me", 60, 2)] == kept[:2]
    assert [one.page_id for one in pages.lease("me", 60, 2, page_ids=[kept[4], kept[0]])] == [kept[4]]
    assert [one.page_id for one in pages.lease("me", 60, 9)] == kept[2:4]


def test_a_page_that_kills_its_examiner_is_quarantined(pages, clock, database):
    """After three leases without an end the page is set aside as a crash, and those behind it come through."""
    killer = page("killer")
    pages.keep(killer)
    clock.wait(1)
    for _ in range(MOST_ATTEMPTS):
        assert [one.page_id for one in pages.lease("me", 60, 1)] == [killer.page_id]
        clock.wait(61)
    harmless = page("harmless")
    pages.keep(harmless)
    assert [one.page_id for one in pages.lease("me", 60, 1)] == [harmless.page_id]
    (aside,) = pages.quarantined()
    assert (aside.page_id, aside.reason, aside.attempts) == (killer.page_id, Reason.CRASH, MOST_ATTEMPTS)
    assert spooled(database) == {killer.page_id, harmless.page_id}


def test_a_page_given_back_is_not_counted_as_an_attempt(pages):
    """An examiner that is stopped gives its pages back; that is no crash."""
    pages.keep(page())
    for _ in range(MOST_ATTEMPTS + 2):
        (leased,) = pages.lease("me", 60, 1)
        assert leased.attempts == 1
        pages.release(leased)
    assert pages.counts() == PageCounts(1, 0, 0, 0)


def test_a_quarantined_page_can_be_tried_again(pages, database, keys):
    """It keeps its payload and reason, is not leased, and after requeue starts afresh."""
    one = page()
    pages.keep(one)
    (leased,) = pages.lease("me", 60, 1)
    quarantine(pages, database, leased, Reason.ENCRYPTED, [PartOutcome(0, "quarantined", Reason.ENCRYPTED)])
    assert pages.counts() == PageCounts(0, 0, 0, 1)
    assert pages.lease("me", 60, 1) == []
    (aside,) = pages.quarantined()
    assert (aside.page_id, aside.site, aside.reason) == (one.page_id, one.site, Reason.ENCRYPTED)
    assert pages.requeue([one.page_id, "unknown"]) == 1
    assert pages.requeue([one.page_id]) == 0
    (again,) = pages.lease("me", 60, 1)
    assert again.attempts == 1
    assert again.token > leased.token
    assert unseal(again.sealed, keys.private) == one
    finish(pages, database, again)
    with database.reading() as tx:
        assert tx.execute(select(part_counts.c.state, part_counts.c.parts)).all() == [("read", 1)]


def test_requeue_leaves_examined_pages_alone(pages, database):
    """Only quarantined pages move; the counts of an examined one stay."""
    one = page()
    pages.keep(one)
    finish(pages, database, *pages.lease("me", 60, 1))
    assert pages.requeue([one.page_id]) == 0
    (covered,) = pages.coverage(NOON)
    assert covered.read == 1


def test_what_a_person_checks_is_left_to_them_for_a_while(pages, clock):
    """The daemon's examiner does not snatch a page checked by hand, but takes it when the person's process died."""
    asked = page(site="check")
    pages.keep(asked)
    assert pages.lease("daemon", 60, 5) == []
    clock.wait(601)
    assert [one.page_id for one in pages.lease("daemon", 60, 5)] == [asked.page_id]
    asked = page(site="check")
    pages.keep(asked)
    assert [one.page_id for one in pages.lease("person", 60, 5, page_ids=[asked.page_id])] == [asked.page_id]


def test_the_coverage_balances(pages, database, clock):
    """Per site: kept = waiting + examined + quarantined, parts by outcome, and nothing from before the time."""
    pages.keep(page("old"))
    clock.wait(3600)
    since = clock.now
    for number in range(6):
        pages.keep(page(f"new-{number}", site="forum"))
    leased = pages.lease("me", 60, 10)[1:]
    skipped, broken = PartOutcome(1, "skipped", Reason.TEXT_FREE), PartOutcome(2, "quarantined", Reason.TIMEOUT)
    finish(pages, database, leased[0], outcomes=[READ, READ, skipped])
    finish(pages, database, leased[1], Verdict.LEAK, outcomes=[READ, broken])
    quarantine(pages, database, leased[2], Reason.CRASH, [broken])
    pages.give_up("forum", "gone", Reason.GONE)
    (covered,) = pages.coverage(since)
    assert (covered.site, covered.kept, covered.waiting, covered.examined) == ("forum", 6, 3, 2)
    assert covered.quarantined == {Reason.CRASH: 1}
    assert covered.kept == covered.waiting + covered.examined + sum(covered.quarantined.values())
    assert (covered.read, covered.skipped, covered.unread) == (3, {Reason.TEXT_FREE: 1}, {Reason.TIMEOUT: 2})
    assert covered.given_up == {Reason.GONE: 1}
    assert [one.site for one in pages.coverage(since - timedelta(hours=2))] == ["bazaar", "forum"]


class PageLife(RuleBasedStateMachine):
    """Any order of keeping, leasing, ending, waiting and trying again."""

    def __init__(self) -> None:
        super().__init__()
        self.database: Database | None = None

    @initialize()
    def begin(self):
        """Open a database."""
        folder = PageLife.folders.mktemp("life")  # type: ignore[attr-defined]
        self.database = Database.open(f"sqlite:///{folder}/s.db")
        self.clock = HandClock()
        public = PageLife.keys.public  # type: ignore[attr-defined]
        self.pages = PageStore(self.database, b"s" * 32, public_key=public, clock=self.clock)
        self.kept: set[str] = set()
        self.held: list = []

    @rule()
    def keep(self):
        """Keep a new page."""
        one = page(secrets.token_hex(4))
        self.pages.keep(one)
        self.kept.add(one.page_id)

    @rule(limit=st.integers(1, 3))
    def lease(self, limit):
        """Lease some pages."""
        self.held += self.pages.lease("me", 60, limit)

    @rule(seconds=st.sampled_from([1, 61]))
    def wait(self, seconds):
        """Let time pass."""
        self.clock.wait(seconds)

    @rule(which=st.integers(0, 9), how=st.sampled_from(["finish", "quarantine", "release", "renew"]))
    def end(self, which, how):
        """End some lease, current or not; only the newest of its page may."""
        if not self.held:
            return
        leased = self.held[which % len(self.held)]
        newest = max(other.token for other in self.held if other.page_id == leased.page_id)
        try:
            if how == "finish":
                finish(self.pages, self.database, leased)
            elif how == "quarantine":
                quarantine(self.pages, self.database, leased)
            elif how == "release":
                self.pages.release(leased)
            else:
                self.pages.renew(leased, 60)
        except Superseded:
            return
        assert leased.token == newest

    @rule()
    def try_again(self):
        """Requeue everything quarantined."""
        self.pages.requeue([one.page_id for one in self.pages.quarantined()])

    @invariant()
    def every_page_is_in_exactly_one_state(self):
        """The promise."""
        if self.database is None:
            return
        counts = self.pages.counts()
        assert counts.queued + counts.leased + counts.examined + counts.quarantined == len(self.kept)
        with self.database.reading() as tx:
            rows = dict(tx.execute(select(page_table.c.page_id, page_table.c.state)).all())
        assert set(rows) == self.kept
        assert spooled(self.database) == {page_id for page_id, state in rows.items() if state != "examined"}

    def teardown(self):
        """Close the database."""
        if self.database is not None:
            self.database.close()


def test_no_order_of_events_loses_a_page(tmp_path_factory, keys):
    """Whatever happens in whatever order, each kept page is in one state and has its payload until examined."""
    from hypothesis.stateful import run_state_machine_as_test

    PageLife.folders, PageLife.keys = tmp_path_factory, keys
    run_state_machine_as_test(
        PageLife,
        settings=settings(
            max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


def test_payload_rows_count(pages, database):
    """The spool holds one row per page not examined."""
    for number in range(3):
        pages.keep(page(f"i-{number}"))
    with database.reading() as tx:
        assert tx.execute(select(func.count()).select_from(spool)).scalar_one() == 3


def test_what_a_dead_examiner_held_is_given_back(pages, clock):
    """Its pages are free at once, others keep theirs. The first time all count an attempt; then only the first does."""
    for number in range(3):
        pages.keep(page(f"item-{number}"))
        clock.wait(1)
    held = pages.lease("dead", 60, 2)
    pages.lease("alive", 60, 1)
    assert sorted(pages.holders()) == ["alive", "dead"]
    assert pages.free("dead") == 2
    assert pages.holders() == ["alive"]
    again = pages.lease("next", 60, 9)
    assert [one.page_id for one in again] == [one.page_id for one in held]
    assert [one.attempts for one in again] == [2, 2], "any of them may have killed him"
    with pytest.raises(Superseded):
        pages.renew(held[0], 60)
    assert pages.free("next") == 2
    assert [one.attempts for one in pages.lease("last", 60, 9)] == [3, 2]


def test_a_lease_takes_no_more_than_it_may_hold(pages):
    """Large pages come alone, small ones together."""
    for size in (100, 100, 100, 200_000, 100):
        pages.keep(page(f"item-{size}-{secrets.token_hex(4)}", text=secrets.token_hex(size)))
    sizes = [len(pages.lease("one", 60, 9, most_bytes=100_000)) for _ in range(3)]
    assert sum(sizes) == 5
    assert 1 in sizes[:3]
    assert max(sizes) <= 4


def test_many_pages_end_at_one_stroke_or_none_does(pages, database, clock):
    """All are examined and their payload gone; if one was taken over meanwhile, none is ended."""
    for number in range(4):
        pages.keep(page(f"item-{number}"))
    leased = pages.lease("one", 60, 3)
    outcomes = [PartOutcome(0, "read"), PartOutcome(1, "skipped", Reason.TEXT_FREE)]
    with database.transaction() as tx:
        pages.finish_many(tx, [(each, outcomes) for each in leased], Verdict.NOTHING)
    assert pages.counts().examined == 3
    (told,) = pages.coverage(clock.now)
    assert (told.read, dict(told.skipped)) == (3, {Reason.TEXT_FREE: 3})
    pages.keep(page("item-5"))
    late = pages.lease("slow", 60, 2)
    clock.wait(61)
    pages.lease("quick", 60, 1)
    with pytest.raises(Superseded), database.transaction() as tx:
        pages.finish_many(tx, [(each, ()) for each in late], Verdict.NOTHING)
    assert pages.counts().examined == 3


def test_pages_of_a_stream_are_kept_with_their_cursor_or_not_at_all(pages, monkeypatch):
    """New items once, whatever was kept before or stands twice in the batch; a crash leaves neither page nor cursor."""
    known = page("known")
    pages.keep(known)
    batch = [page("known"), page("new"), page("new"), page("other")]
    assert pages.keep_many("bazaar", batch, "stream", "7") == 2
    assert pages.counts().queued == 3
    assert pages.cursor("bazaar", "stream") == "7"
    assert not pages.is_new("bazaar", "new")
    monkeypatch.setattr(PageStore, "_save_within", lambda *ignored: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        pages.keep_many("bazaar", [page("later")], "stream", "8")
    assert pages.counts().queued == 3
    assert pages.is_new("bazaar", "later")


def test_waiting_pages_are_counted_up_to_a_number(pages):
    """Enough to know whether there is room."""
    for number in range(5):
        pages.keep(page(f"item-{number}"))
    assert [pages.waiting(most) for most in (1, 3, 9)] == [1, 3, 5]


def test_gaps_stand_in_the_coverage(pages, clock):
    """A stretch that was missed is told with its site, even where no page was kept."""
    gaps = [Gap("stream", NOON, NOON, GapReason.CLAMPED, False), Gap("stream", None, NOON, GapReason.NO_REPLAY, True)]
    for gap in gaps:
        pages.note_gap(gap)
    (told,) = pages.coverage(NOON)
    assert (told.site, told.kept, told.gaps) == ("stream", 0, tuple(gaps))
    clock.wait(10)
    assert pages.coverage(clock.now) == []
