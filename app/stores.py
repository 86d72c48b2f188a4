"""The stores that a process needs, opened together; none of them knows a key.

Nothing here imports what matches or crawls: a process that does neither starts in a third of the time.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from app.config import Config
from storage.alerts import AlertStore
from storage.database import Database
from storage.facts import FactStore
from storage.leases import Leases
from storage.outbox import Outbox
from storage.pages import PageStore
from storage.queries import QueryVerdicts
from storage.records import RecordStore
from storage.scanning import ScanningPages
from storage.scans import ScanStore
from storage.traces import TraceStore


@dataclass(frozen=True, slots=True)
class Stores:
    """One database, one door per noun."""

    database: Database
    facts: FactStore
    records: RecordStore
    pages: PageStore
    scans: ScanStore
    alerts: AlertStore
    outbox: Outbox
    leases: Leases
    traces: TraceStore
    queries: QueryVerdicts

    def scanning(self, site: str, due_at: datetime) -> ScanningPages:
        """Begin the scan and return the pages as it sees them: what it keeps is counted as its own."""
        return ScanningPages(self.database, self.facts.salt(), self.scans.start(site, due_at))

    @classmethod
    def of(cls, database: Database) -> "Stores":
        """Open every store over the database."""
        facts = FactStore(database)
        return cls(
            database,
            facts,
            RecordStore(database),
            PageStore(database, facts.salt()),
            ScanStore(database),
            AlertStore(database),
            Outbox(database),
            Leases(database),
            TraceStore(database),
            QueryVerdicts(database),
        )


@contextmanager
def open_stores(config: Config) -> Iterator[Stores]:
    """Open the database of the configuration, migrated; no key is needed or read."""
    database = Database.open(config.storage.url)
    try:
        yield Stores.of(database)
    finally:
        database.close()
