"""The outbox: messages written with their alert in one transaction, and delivered until accepted."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select, update

from storage.database import Database
from storage.statements import insert_new
from storage.tables import outbox

FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(hours=1)
HELD = timedelta(minutes=5)
"""How long a message handed out is nobody else's."""


@dataclass(frozen=True, slots=True)
class Message:
    """One notice for one channel, handed out for delivery."""

    message_id: int
    incident: str
    channel: str
    notice: str = field(repr=False)
    """The notice as JSON."""
    attempts: int
    """Failed attempts so far."""


@dataclass(frozen=True, slots=True)
class PendingMessage:
    """A message that no channel has accepted yet."""

    message_id: int
    incident: str
    channel: str
    added_at: datetime
    due_at: datetime
    attempts: int
    last_failure: str | None


class Outbox:
    """Messages on their way. Delivered at least once; repeats carry the same incident."""

    def __init__(self, database: Database) -> None:
        """Use the database."""
        self._database = database

    def add(self, tx: Connection, incident: str, channel: str, notice: str, due_at: datetime) -> bool:
        """Add a notice (JSON) inside the caller's transaction; False when this incident has one for the channel."""
        row = {"incident": incident, "channel": channel, "notice": notice, "added_at": due_at, "due_at": due_at}
        return insert_new(tx, outbox, {**row, "attempts": 0})

    def due(self, now: datetime, limit: int = 20) -> list[Message]:
        """Hand out messages that are due, oldest first; each is nobody else's for five minutes."""
        with self._database.transaction() as tx:
            rows = tx.execute(
                select(outbox)
                .where(outbox.c.accepted_at.is_(None), outbox.c.due_at <= now)
                .order_by(outbox.c.due_at, outbox.c.message_id)
                .limit(limit)
                .with_for_update(skip_locked=True)
            ).all()
            ids = [row.message_id for row in rows]
            tx.execute(update(outbox).where(outbox.c.message_id.in_(ids)).values(due_at=now + HELD))
        return [Message(row.message_id, row.incident, row.channel, row.notice, row.attempts) for row in rows]

    def accepted(self, message_id: int, at: datetime) -> None:
        """Note that the channel accepted the message: it is never sent again."""
        with self._database.transaction() as tx:
            tx.execute(
                update(outbox)
                .where(outbox.c.message_id == message_id, outbox.c.accepted_at.is_(None))
                .values(accepted_at=at, last_failure=None)
            )

    def failed(self, message_id: int, at: datetime, reason: str) -> datetime:
        """Note a failure in a fixed word and return when it is tried again: 30 s, doubling, at most 1 h; for ever."""
        with self._database.transaction() as tx:
            attempts = tx.execute(
                select(outbox.c.attempts).where(outbox.c.message_id == message_id).with_for_update()
            ).scalar_one()
            again: datetime = at + min(FIRST_PAUSE * 2 ** min(attempts, 10), LONGEST_PAUSE)
            tx.execute(
                update(outbox)
                .where(outbox.c.message_id == message_id, outbox.c.accepted_at.is_(None))
                .values(attempts=attempts + 1, due_at=again, last_failure=reason)
            )
        return again

    def pending(self) -> list[PendingMessage]:
        """Return what no channel has accepted yet, oldest first."""
        columns = [outbox.c[name] for name in PendingMessage.__dataclass_fields__]
        with self._database.reading() as tx:
            rows = tx.execute(select(*columns).where(outbox.c.accepted_at.is_(None)).order_by(outbox.c.message_id))
            return [PendingMessage(*row) for row in rows]

    def next_due(self) -> datetime | None:
        """Return when the next message is due, or None when nothing waits."""
        with self._database.reading() as tx:
            found: datetime | None = tx.scalar(select(func.min(outbox.c.due_at)).where(outbox.c.accepted_at.is_(None)))
            return found
