"""Pages on their way from the fetcher to the examiner: kept sealed, leased, and ended exactly once.

A page is in one of four states: queued, leased, examined, quarantined. Only `state` is stored; a leased page is a
waiting one whose lease has not run out. The sealed payload rests in a table of its own and goes when the page is
examined; what stays is the site, the times and the outcome.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Any

from sqlalchemy import Connection, Row, and_, case, delete, func, insert, or_, select, tuple_, update

from model.errors import StorageError, Superseded
from model.match import Verdict
from model.page import Page, PartOutcome, Reason
from model.scan import Gap
from storage.coverage import Coverage, coverage_since
from storage.database import Database
from storage.facts import FactStore
from storage.items import ItemMemory
from storage.moments import Clock, utc_now
from storage.sealing import reseal, seal
from storage.statements import batches, insert_all_new, insert_new
from storage.tables import items, pages, part_counts, spool, stream_gaps

MOST_ATTEMPTS = 3
"""Leases of one page without an end; the next one finds it quarantined."""

BY_HAND = "check"
"""Site name of what a person asked for: left to that person's own process for a while."""

LEFT_TO_THE_PERSON = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class LeasedPage:
    """A page that one examiner holds until its lease runs out."""

    page_id: str
    site: str
    sealed: bytes = field(repr=False)
    """Opened with `storage.sealing.unseal`."""
    token: int
    """Rises with every lease of the page; whoever ends the page must hold the current one."""
    attempts: int
    """1 for the first lease."""
    fetched_at: datetime


@dataclass(frozen=True, slots=True)
class QuarantinedPage:
    """A page that could not be examined and is kept, sealed, until it can."""

    page_id: str
    site: str
    reason: Reason
    fetched_at: datetime
    quarantined_at: datetime
    attempts: int


@dataclass(frozen=True, slots=True)
class PageCounts:
    """How many pages are in which state; each page is in one."""

    queued: int
    leased: int
    examined: int
    quarantined: int


class PageStore(ItemMemory):
    """The spool and what is known about its pages. Implements `crawler.interface.Sink`."""

    def __init__(
        self, database: Database, salt: bytes, *, public_key: bytes | None = None, clock: Clock = utc_now
    ) -> None:
        """Use the database, the installation salt, and the public key (by default the one among the facts)."""
        super().__init__(database, salt, clock)
        self._public_key = public_key

    scan_id: int | None = None
    """Number of the scan that keeps pages here; see `storage.scanning`."""

    def keep(self, page: Page) -> None:
        """Store the page, sealed, and remember its item as seen, in one transaction.

        Keeping a page id again changes nothing. Raises StorageError when there is no public key to seal to yet.
        """
        sealed = seal(page, self._recipient())
        now = self._clock()
        row = {"page_id": page.page_id, "site": page.site, "fetched_at": page.fetched_at, "kept_at": now}
        with self._database.transaction() as tx:
            if insert_new(tx, pages, {**row, "state": "waiting", "token": 0, "attempts": 0, "scan_id": self.scan_id}):
                tx.execute(insert(spool).values(page_id=page.page_id, sealed=sealed))
                self._kept(tx)
            self._remember(tx, page.site, page.item_id, now, None)

    def keep_many(self, site: str, kept: Sequence[Page], stream: str = "", cursor: str | None = None) -> int:
        """Store those pages whose items are new, sealed, and the cursor that passes them, in one transaction.

        Return how many were new. Raises StorageError when there is no public key to seal to yet.
        """
        by_item = {page.item_id: page for page in kept}
        with self._database.reading() as tx:
            unseen = self._unseen(tx, site, by_item)
        recipient = self._recipient() if unseen else b""
        # Sealed before the transaction: nobody else should wait for arithmetic.
        sealed = {item_id: seal(by_item[item_id], recipient) for item_id in unseen}
        now = self._clock()
        with self._database.transaction() as tx:
            fresh = self._unseen(tx, site, sealed)
            new = [by_item[item_id] for item_id in fresh]
            insert_all_new(tx, items, [
                {"site": site, "item_digest": digest, "reason": None, "seen_at": now} for digest in fresh.values()
            ])  # fmt: skip
            insert_all_new(tx, pages, [
                {"page_id": page.page_id, "site": page.site, "fetched_at": page.fetched_at, "kept_at": now,
                 "state": "waiting", "token": 0, "attempts": 0, "scan_id": self.scan_id} for page in new
            ])  # fmt: skip
            self._kept_many(tx, len(kept), len(new))
            insert_all_new(tx, spool, [{"page_id": page.page_id, "sealed": sealed[page.item_id]} for page in new])
            if cursor is not None:
                self._save_within(tx, site, stream, "cursor", cursor.encode())
        return len(new)

    def _kept_many(self, tx: Connection, seen: int, new: int) -> None:
        """Called with each batch of a stream: so many were seen, so many of them kept, in its transaction."""

    def note_gap(self, gap: Gap) -> None:
        """Remember a stretch of a stream that was not read as it came."""
        row = {"site": gap.site, "since": gap.since, "until": gap.until, "reason": gap.reason.value}
        with self._database.transaction() as tx:
            tx.execute(insert(stream_gaps).values(**row, filled=gap.filled, noted_at=self._clock()))

    def waiting(self, most: int) -> int:
        """Return how many pages wait to be examined, counted up to `most`."""
        some = select(pages.c.page_id).where(pages.c.state == "waiting").limit(most).subquery()
        with self._database.reading() as tx:
            return tx.execute(select(func.count()).select_from(some)).scalar_one()

    def lease(
        self,
        owner: str,
        seconds: float,
        limit: int,
        *,
        page_ids: Sequence[str] | None = None,
        tell: Callable[[Connection, str], None] | None = None,
        most_bytes: int | None = None,
    ) -> list[LeasedPage]:
        """Lease up to `limit` waiting pages, the longest waiting first; with `page_ids` only among these.

        With `most_bytes` no more are leased than hold so much together, and at least one.
        Leases that ran out are taken over. A page leased three times without an end is quarantined as a crash
        instead, and `tell` gets its site, in the same transaction. Pages checked by hand are left to the person's
        process for ten minutes unless named.
        """
        now = self._clock()
        with self._database.transaction() as tx:
            rows = tx.execute(
                select(pages, spool.c.sealed)
                .join(spool, spool.c.page_id == pages.c.page_id)
                .where(_free(now), _meant(page_ids, now))
                .order_by(pages.c.kept_at, pages.c.page_id)
                .limit(limit)
                .with_for_update(skip_locked=True, of=pages)
            ).all()
            rows = _within(rows, most_bytes)
            tired = [row for row in rows if row.attempts >= MOST_ATTEMPTS]
            for row in tired:
                _end(tx, row.page_id, "quarantined", now, reason=Reason.CRASH)
                if tell is not None:
                    tell(tx, row.site)
            taken = [row for row in rows if row.attempts < MOST_ATTEMPTS]
            tx.execute(
                update(pages)
                .where(pages.c.page_id.in_([row.page_id for row in taken]))
                .values(
                    owner=owner,
                    lease_until=now + timedelta(seconds=seconds),
                    token=pages.c.token + 1,
                    attempts=pages.c.attempts + 1,
                )
            )
        if tired and not taken:
            return self.lease(owner, seconds, limit, page_ids=page_ids, tell=tell, most_bytes=most_bytes)
        return [_leased(row) for row in taken]

    def renew(self, leased: LeasedPage, seconds: float) -> None:
        """Hold the page longer. Raises Superseded when another examiner took it over."""
        with self._database.transaction() as tx:
            self._change(tx, leased, lease_until=self._clock() + timedelta(seconds=seconds))

    def release(self, leased: LeasedPage) -> None:
        """Give the page back unexamined; this lease does not count as an attempt. Raises Superseded."""
        with self._database.transaction() as tx:
            self._change(tx, leased, lease_until=None, owner=None, attempts=pages.c.attempts - 1)

    def holders(self) -> list[str]:
        """Return who holds leases that have not run out."""
        with self._database.reading() as tx:
            held = (pages.c.state == "waiting", pages.c.lease_until > self._clock())
            return sorted(tx.scalars(select(pages.c.owner).where(*held).distinct()))

    def free(self, owner: str) -> int:
        """Give back every page of an owner who is known to be dead; return how many.

        Those that he had leased for the first time may have been examined together, so each may have killed him. Others
        are examined one by one in the order leased: only the first may have, for the rest it counts as no attempt.
        """
        held = (pages.c.owner == owner, pages.c.state == "waiting")
        with self._database.transaction() as tx:
            found = tx.scalars(
                select(pages.c.page_id).where(*held).order_by(pages.c.kept_at, pages.c.page_id).with_for_update()
            ).all()
            tx.execute(update(pages).where(*held).values(owner=None, lease_until=None))
            for some in batches(found[1:]):
                again = (pages.c.page_id.in_(some), pages.c.attempts > 1)
                tx.execute(update(pages).where(*again).values(attempts=pages.c.attempts - 1))
        return len(found)

    def finish(
        self, tx: Connection, leased: LeasedPage, verdict: Verdict, outcomes: Iterable[PartOutcome] = ()
    ) -> None:
        """End the page as examined, inside the caller's transaction: the payload goes, the counts stay.

        Raises Superseded when another examiner took it over: then the caller's transaction must not happen.
        """
        self._change(
            tx, leased, state="examined", verdict=verdict.value, ended_at=self._clock(), owner=None, lease_until=None
        )
        tx.execute(delete(spool).where(spool.c.page_id == leased.page_id))
        _count_parts(tx, leased.page_id, outcomes)

    def finish_many(
        self, tx: Connection, ended: Sequence[tuple[LeasedPage, Iterable[PartOutcome]]], verdict: Verdict
    ) -> None:
        """End pages as examined with the same verdict, as `finish` does; Superseded if one of them was taken over."""
        row = {"state": "examined", "verdict": verdict.value, "ended_at": self._clock()}
        for some in batches(ended):
            held = tuple_(pages.c.page_id, pages.c.token).in_([(leased.page_id, leased.token) for leased, _ in some])
            current = (held, pages.c.state == "waiting", pages.c.lease_until.is_not(None))
            changed = tx.execute(update(pages).where(*current).values(**row, owner=None, lease_until=None)).rowcount
            if changed != len(some):
                raise Superseded("another examiner took a page over: this one must not end it")
            tx.execute(delete(spool).where(spool.c.page_id.in_([leased.page_id for leased, _ in some])))
        rows = [row for leased, outcomes in ended for row in _part_rows(leased.page_id, outcomes)]
        if rows:
            tx.execute(insert(part_counts), rows)

    def quarantine(
        self, tx: Connection, leased: LeasedPage, reason: Reason, outcomes: Iterable[PartOutcome] = ()
    ) -> None:
        """End the page as quarantined, inside the caller's transaction; the payload stays for another try.

        Raises Superseded when another examiner took it over.
        """
        self._change(tx, leased, owner=None)
        _end(tx, leased.page_id, "quarantined", self._clock(), reason=reason)
        _count_parts(tx, leased.page_id, outcomes)

    def requeue(self, page_ids: Sequence[str]) -> int:
        """Put quarantined pages back into the queue; return how many were."""
        with self._database.transaction() as tx:
            moved = 0
            for some in batches(page_ids):
                wanted = select(pages.c.page_id).where(pages.c.page_id.in_(some), pages.c.state == "quarantined")
                found = tx.scalars(wanted.with_for_update()).all()
                tx.execute(delete(part_counts).where(part_counts.c.page_id.in_(found)))
                tx.execute(
                    update(pages)
                    .where(pages.c.page_id.in_(found))
                    .values(state="waiting", reason=None, ended_at=None, attempts=0, owner=None, lease_until=None)
                )
                moved += len(found)
            return moved

    def reseal(self, private_key: bytes, public_key: bytes) -> int:
        """Seal to the public key every page of the spool that the private key opens; return how many.

        Pages sealed to another key are left as they are. Each page is a transaction of its own.
        """
        moved = 0
        with self._database.reading() as tx:
            waiting = tx.scalars(select(spool.c.page_id).order_by(spool.c.page_id)).all()
        for page_id in waiting:
            with self._database.transaction() as tx:
                sealed = tx.scalar(select(spool.c.sealed).where(spool.c.page_id == page_id).with_for_update())
                try:
                    anew = None if sealed is None else reseal(bytes(sealed), private_key, public_key)
                except StorageError:
                    anew = None
                if anew is not None:
                    tx.execute(update(spool).where(spool.c.page_id == page_id).values(sealed=anew))
                    moved += 1
        return moved

    def quarantined(self) -> list[QuarantinedPage]:
        """Return the quarantined pages, oldest first."""
        columns = (pages.c.page_id, pages.c.site, pages.c.reason, pages.c.fetched_at, pages.c.ended_at)
        with self._database.reading() as tx:
            rows = tx.execute(
                select(*columns, pages.c.attempts)
                .where(pages.c.state == "quarantined")
                .order_by(pages.c.ended_at, pages.c.page_id)
            ).all()
        return [
            QuarantinedPage(row.page_id, row.site, Reason(row.reason), row.fetched_at, row.ended_at, row.attempts)
            for row in rows
        ]

    def counts(self) -> PageCounts:
        """Return how many pages are queued, leased, examined and quarantined."""
        state = case(
            (and_(pages.c.state == "waiting", pages.c.lease_until > self._clock()), "leased"), else_=pages.c.state
        )
        with self._database.reading() as tx:
            found = {row[0]: row[1] for row in tx.execute(select(state, func.count()).group_by(state))}
        return PageCounts(*(found.get(name, 0) for name in ("waiting", "leased", "examined", "quarantined")))

    def coverage(self, since: datetime, schedule: Mapping[str, float] | None = None) -> list[Coverage]:
        """Return per site what became of everything scheduled since then; it balances, see `storage.coverage`.

        `schedule` has the sites that are configured, and after how many seconds each is scanned again.
        """
        with self._database.reading() as tx:
            return coverage_since(tx, since, self._clock(), schedule or {})

    def _kept(self, tx: Connection) -> None:
        """Called with each new page, in its transaction."""

    def _recipient(self) -> bytes:
        # Asked for with every page: a key that was rotated away meanwhile must get no more of them.
        recipient = self._public_key or FactStore(self._database).public_key()
        if recipient is None:
            raise StorageError(
                "pages cannot be kept before a linkage key was used once: run `spillwatch enrol`, or any examination"
            )
        return recipient

    @staticmethod
    def _change(tx: Connection, leased: LeasedPage, **values: Any) -> None:
        current = (
            pages.c.page_id == leased.page_id,
            pages.c.token == leased.token,
            pages.c.state == "waiting",
            pages.c.lease_until.is_not(None),
        )
        if tx.execute(update(pages).where(*current).values(**values)).rowcount != 1:
            raise Superseded("another examiner took the page over: this one must not end it")


def _free(now: datetime) -> Any:
    return and_(pages.c.state == "waiting", or_(pages.c.lease_until.is_(None), pages.c.lease_until <= now))


def _meant(page_ids: Sequence[str] | None, now: datetime) -> Any:
    if page_ids is not None:
        return pages.c.page_id.in_(page_ids)
    return or_(pages.c.site != BY_HAND, pages.c.kept_at <= now - LEFT_TO_THE_PERSON)


def _within(rows: Sequence[Row[Any]], most_bytes: int | None) -> Sequence[Row[Any]]:
    """Return the first of the rows, as many as hold no more than so many bytes together, and at least one."""
    if most_bytes is None:
        return rows
    sums = accumulate(len(row.sealed) for row in rows)
    return rows[: max(1, sum(held <= most_bytes for held in sums))]


def _leased(row: Row[Any]) -> LeasedPage:
    return LeasedPage(row.page_id, row.site, bytes(row.sealed), row.token + 1, row.attempts + 1, row.fetched_at)


def _end(tx: Connection, page_id: str, state: str, now: datetime, reason: Reason) -> None:
    tx.execute(
        update(pages)
        .where(pages.c.page_id == page_id)
        .values(state=state, reason=reason.value, ended_at=now, owner=None, lease_until=None)
    )


def _count_parts(tx: Connection, page_id: str, outcomes: Iterable[PartOutcome]) -> None:
    rows = _part_rows(page_id, outcomes)
    if rows:
        tx.execute(insert(part_counts), rows)


def _part_rows(page_id: str, outcomes: Iterable[PartOutcome]) -> list[dict[str, Any]]:
    counted = Counter((outcome.state, outcome.reason.value if outcome.reason else "") for outcome in outcomes)
    return [
        {"page_id": page_id, "state": state, "reason": reason, "parts": number}
        for (state, reason), number in counted.items()
    ]
