"""What is remembered of posts for some days: sealed traces, filed under tags that name nobody."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, and_, delete, func, or_, select, text

from storage.database import Database
from storage.moments import Clock, utc_now
from storage.statements import batches, put_all
from storage.tables import traces


class Kept(NamedTuple):
    """One sealed trace and where it stands."""

    tag: bytes
    """Of the thread, 16 bytes."""
    post: bytes
    """Of the post within the thread, 16 bytes."""
    sealed: bytes


class TraceStore:
    """The latest traces of each thread. Knows no key: tags come from whoever has it."""

    def __init__(self, database: Database, clock: Clock = utc_now) -> None:
        """Use the database."""
        self._database = database
        self._clock = clock

    def recall(self, tags: Sequence[bytes], days: float) -> list[Kept]:
        """Return the traces under any of the tags that are not older than so many days, oldest first."""
        rows: list[Row[Any, Any, Any, Any]] = []
        with self._database.reading() as tx:
            for some in batches(tags):
                rows += tx.execute(
                    select(traces.c.thread_tag, traces.c.post_tag, traces.c.sealed, traces.c.seen_at).where(
                        traces.c.thread_tag.in_(some), traces.c.seen_at > self._since(days)
                    )
                ).all()
        rows.sort(key=lambda row: (row.seen_at, bytes(row.post_tag)))
        return [Kept(bytes(row.thread_tag), bytes(row.post_tag), bytes(row.sealed)) for row in rows]

    def remember(self, tx: Connection, site: str, kept: Sequence[Kept], most: int) -> None:
        """Keep traces, inside the caller's transaction; a post that was remembered before is overwritten.

        Of each thread only the latest `most` stay.
        """
        now = self._clock()
        put_all(tx, traces, ("thread_tag", "post_tag"), [
            {"thread_tag": each.tag, "post_tag": each.post, "site": site, "seen_at": now, "sealed": each.sealed}
            for each in kept
        ])  # fmt: skip
        for some in batches(list(dict.fromkeys(each.tag for each in kept))):
            grown = (
                select(traces.c.thread_tag)
                .where(traces.c.thread_tag.in_(some))
                .group_by(traces.c.thread_tag)
                .having(func.count() > most)
            )
            for tag in tx.scalars(grown).all():
                _forget_older(tx, bytes(tag), most)

    def posts(self, tx: Connection, tags: Collection[bytes], days: float) -> set[bytes]:
        """Return the posts that `recall` would give, and let nobody add to these before the transaction ends."""
        if tx.dialect.name == "postgresql":
            for tag in sorted(tags):
                lock = {"key": int.from_bytes(tag[:8], "big", signed=True)}
                tx.execute(text("SELECT pg_advisory_xact_lock(:key)"), lock)
        found: set[bytes] = set()
        for some in batches(list(tags)):
            there = (traces.c.thread_tag.in_(some), traces.c.seen_at > self._since(days))
            found |= {bytes(post) for post in tx.scalars(select(traces.c.post_tag).where(*there))}
        return found

    def drop(self, tx: Connection, kept: Sequence[Kept]) -> None:
        """Delete traces, inside the caller's transaction."""
        for some in batches(kept, 100):
            places = [and_(traces.c.thread_tag == each.tag, traces.c.post_tag == each.post) for each in some]
            tx.execute(delete(traces).where(or_(*places)))

    def forget(self, days: float) -> int:
        """Delete every trace older than so many days; return how many."""
        with self._database.transaction() as tx:
            return int(tx.execute(delete(traces).where(traces.c.seen_at <= self._since(days))).rowcount)

    def count(self) -> int:
        """Return how many traces there are."""
        with self._database.reading() as tx:
            return tx.execute(select(func.count()).select_from(traces)).scalar_one()

    def _since(self, days: float) -> datetime:
        return self._clock() - timedelta(days=days)


def _forget_older(tx: Connection, tag: bytes, most: int) -> None:
    """Delete all traces of a thread but the latest."""
    latest = (
        select(traces.c.post_tag)
        .where(traces.c.thread_tag == tag)
        .order_by(traces.c.seen_at.desc(), traces.c.post_tag)
        .limit(most)
    )
    tx.execute(delete(traces).where(traces.c.thread_tag == tag, traces.c.post_tag.not_in(latest)))
