"""The stores that a process needs, opened together; none of them knows a key."""

from dataclasses import dataclass

from storage.alerts import AlertStore
from storage.database import Database
from storage.facts import FactStore
from storage.leases import Leases
from storage.outbox import Outbox
from storage.pages import PageStore
from storage.records import RecordStore
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
        )
