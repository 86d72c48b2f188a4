"""Leases: at most one holder of a name, with an epoch that rises, so that a late writer is noticed.

Used for: one daemon per database, one enrolment at a time.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection, select, update

from model.errors import Superseded
from storage.database import Database
from storage.moments import Clock, utc_now
from storage.statements import insert_new
from storage.tables import leases


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to act under a name until it expires or somebody with a higher epoch holds it."""

    name: str
    owner: str
    epoch: int
    expires_at: datetime


class Leases:
    """Leases by name."""

    def __init__(self, database: Database, clock: Clock = utc_now) -> None:
        """Use the database and the clock."""
        self._database = database
        self._clock = clock

    def acquire(self, name: str, owner: str, seconds: float, *, displacing: str | None = None) -> Lease | None:
        """Take the lease, or return None while somebody holds it.

        `displacing` names an owner that the caller knows to be dead: his lease is taken at once.
        """
        now = self._clock()
        with self._database.transaction() as tx:
            until = now + timedelta(seconds=seconds)
            if insert_new(tx, leases, {"name": name, "owner": owner, "epoch": 1, "expires_at": until}):
                return Lease(name, owner, 1, until)
            held = tx.execute(select(leases).where(leases.c.name == name).with_for_update()).one()
            if held.expires_at > now and held.owner != displacing:
                return None
            row = {"owner": owner, "epoch": held.epoch + 1, "expires_at": until}
            tx.execute(update(leases).where(leases.c.name == name).values(**row))
            return Lease(name, owner, held.epoch + 1, until)

    def holder(self, name: str) -> Lease | None:
        """Return the lease that is in force, or None."""
        with self._database.reading() as tx:
            row = tx.execute(select(leases).where(leases.c.name == name)).one_or_none()
        if row is None or row.expires_at <= self._clock():
            return None
        return Lease(row.name, row.owner, row.epoch, row.expires_at)

    def renew(self, lease: Lease, seconds: float) -> Lease:
        """Return the lease with a later end. Raises Superseded when somebody else took it."""
        until = self._clock() + timedelta(seconds=seconds)
        with self._database.transaction() as tx:
            self.check(tx, lease)
            tx.execute(update(leases).where(leases.c.name == lease.name).values(expires_at=until))
        return replace(lease, expires_at=until)

    def release(self, lease: Lease) -> None:
        """Give the lease back; nothing happens when somebody else took it."""
        with self._database.transaction() as tx:
            tx.execute(
                update(leases)
                .where(leases.c.name == lease.name, leases.c.epoch == lease.epoch)
                .values(expires_at=self._clock())
            )

    def check(self, tx: Connection, lease: Lease) -> None:
        """Make sure, inside the caller's transaction, that nobody took the lease. Raises Superseded."""
        epoch = tx.scalar(select(leases.c.epoch).where(leases.c.name == lease.name).with_for_update())
        if epoch != lease.epoch:
            raise Superseded(f"another process took over as {lease.name}: this one stops")
