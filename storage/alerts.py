"""Alerts, their sightings, and who moved them when."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Connection, Row, func, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from model.alert import Alert, Severity, Sighting, Status, Subject
from model.errors import StorageError
from model.match import Verdict
from storage.database import Database
from storage.statements import batches, insert_new
from storage.tables import alerts, sightings, status_changes

NOT_CLOSED = (Status.OPEN.value, Status.ACKNOWLEDGED.value)
CLOSED = (Status.CONFIRMED, Status.FALSE_ALARM)
SYSTEM = "spillwatch"
LOCKS = 0x53505741 << 8


class AlertUpdate(Protocol):
    """What a page changes about an open alert; `alerts.triage.Update` is one."""

    @property
    def alert_id(self) -> str:
        """The alert."""

    @property
    def sighting(self) -> Sighting | None:
        """The new sighting; None for alerts about sites and the system."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds from now on."""

    @property
    def score(self) -> float:
        """The score from now on."""

    @property
    def severity(self) -> Severity:
        """The severity from now on."""

    @property
    def verdict(self) -> Verdict | None:
        """The verdict from now on."""

    @property
    def last_seen(self) -> datetime:
        """When it was last seen."""


@dataclass(frozen=True, slots=True)
class StatusChange:
    """One step of an alert through triage."""

    at: datetime
    by: str
    status: Status


class AlertStore:
    """Alerts at rest. One open alert per record, one open alert per site or system, one sighting per page."""

    def __init__(self, database: Database) -> None:
        """Use the database."""
        self._database = database

    def open_for(self, tx: Connection, handles: Sequence[bytes]) -> Mapping[bytes, Alert]:
        """Return handle → its alert that is not closed, for those records that have one.

        Until the caller's transaction ends, nobody else can raise an alert about these records.
        """
        wanted = sorted(set(handles))
        _alone(tx, {handle[0] for handle in wanted if handle})
        found: dict[bytes, Alert] = {}
        for some in batches(wanted):
            rows = tx.execute(select(alerts).where(alerts.c.handle.in_(some), alerts.c.status.in_(NOT_CLOSED))).all()
            found.update((bytes(row.handle), alert) for row, alert in zip(rows, _alerts(tx, rows), strict=True))
        return found

    def open_problem(self, tx: Connection, subject: Subject, site: str) -> Alert | None:
        """Return the alert about the site or the system that is not closed; others wait as in `open_for`."""
        _alone(tx, {256})
        rows = tx.execute(
            select(alerts).where(
                alerts.c.subject == subject.value, alerts.c.site == site, alerts.c.status.in_(NOT_CLOSED)
            )
        ).all()
        return next(iter(_alerts(tx, rows)), None)

    def raise_alert(self, tx: Connection, alert: Alert) -> None:
        """Store a new alert with its sightings, inside the caller's transaction.

        Raises StorageError when the record, site or system has an open alert: ask `open_for` first, in the same
        transaction.
        """
        row = {
            "alert_id": alert.alert_id,
            "subject": alert.subject.value,
            "verdict": alert.verdict.value if alert.verdict else None,
            "severity": alert.severity.value,
            "status": alert.status.value,
            "handle": alert.handle,
            "site": alert.site,
            "kinds": " ".join(alert.kinds),
            "score": alert.score,
            "incident": alert.incident,
            "first_seen": alert.first_seen,
            "last_seen": alert.last_seen,
        }
        try:
            tx.execute(insert(alerts).values(**row))
        except IntegrityError:
            raise StorageError(f"there is an open alert already where {alert.alert_id} was to be raised") from None
        for sighting in alert.sightings:
            _see(tx, alert.alert_id, sighting)
        _moved(tx, alert.alert_id, alert.status, SYSTEM, alert.first_seen)

    def update(self, tx: Connection, change: AlertUpdate) -> bool:
        """Add a sighting and write the fields over the old ones; False, and nothing, for a page sighted before."""
        if change.sighting is not None and not _see(tx, change.alert_id, change.sighting):
            return False
        self._write(
            tx,
            change.alert_id,
            kinds=" ".join(change.kinds),
            score=change.score,
            severity=change.severity.value,
            verdict=change.verdict.value if change.verdict else None,
            last_seen=change.last_seen,
        )
        return True

    def sight(
        self,
        tx: Connection,
        alert_id: str,
        sighting: Sighting,
        *,
        kinds: Sequence[str],
        score: float,
        severity: Severity,
        verdict: Verdict | None,
    ) -> bool:
        """The same as `update`, spelt out; the alert was last seen when this page was."""
        if not _see(tx, alert_id, sighting):
            return False
        latest = tx.execute(
            select(alerts.c.last_seen).where(alerts.c.alert_id == alert_id).with_for_update()
        ).scalar_one()
        self._write(
            tx,
            alert_id,
            kinds=" ".join(kinds),
            score=score,
            severity=severity.value,
            verdict=verdict.value if verdict else None,
            last_seen=max(latest, sighting.seen_at),
        )
        return True

    def get(self, alert_id: str) -> Alert:
        """Return one alert. Raises StorageError when there is none of this id."""
        with self._database.reading() as tx:
            rows = tx.execute(select(alerts).where(alerts.c.alert_id == alert_id)).all()
            if not rows:
                raise _unknown()
            return _alerts(tx, rows)[0]

    def list(self, status: Status | None = None, limit: int = 1000) -> list[Alert]:
        """Return alerts, last seen first, all or those of one status."""
        wanted = select(alerts).order_by(alerts.c.last_seen.desc(), alerts.c.alert_id).limit(limit)
        if status is not None:
            wanted = wanted.where(alerts.c.status == status.value)
        with self._database.reading() as tx:
            return _alerts(tx, tx.execute(wanted).all())

    def count(self) -> int:
        """Return how many alerts there are, closed ones included."""
        with self._database.reading() as tx:
            return tx.execute(select(func.count()).select_from(alerts)).scalar_one()

    def acknowledge(self, alert_id: str, by: str, at: datetime) -> None:
        """Note that somebody has taken the alert on. Raises StorageError when it is unknown or closed."""
        self._move(alert_id, Status.ACKNOWLEDGED, by, at)

    def close(self, alert_id: str, status: Status, by: str, at: datetime) -> None:
        """Close the alert as confirmed or as a false alarm. Raises StorageError when it is unknown or closed."""
        if status not in CLOSED:
            raise ValueError("an alert is closed as confirmed or as a false alarm")
        self._move(alert_id, status, by, at)

    def recover(self, tx: Connection, alert_id: str, at: datetime) -> None:
        """Close, inside the caller's transaction, the alert about a site that works again."""
        tx.execute(update(alerts).where(alerts.c.alert_id == alert_id).values(status=Status.RECOVERED.value))
        _moved(tx, alert_id, Status.RECOVERED, SYSTEM, at)

    def history(self, alert_id: str) -> "Sequence[StatusChange]":
        """Return who moved the alert, when, to which status; oldest first."""
        columns = (status_changes.c.changed_at, status_changes.c.changed_by, status_changes.c.status)
        with self._database.reading() as tx:
            rows = tx.execute(
                select(*columns).where(status_changes.c.alert_id == alert_id).order_by(status_changes.c.change_id)
            )
            return [StatusChange(at, by, Status(status)) for at, by, status in rows]

    def _move(self, alert_id: str, status: Status, by: str, at: datetime) -> None:
        with self._database.transaction() as tx:
            place = alerts.c.alert_id == alert_id
            before = tx.scalar(select(alerts.c.status).where(place).with_for_update())
            if before is None:
                raise _unknown()
            if before not in NOT_CLOSED:
                raise StorageError(f"the alert {alert_id} is closed as {before}: a new sighting raises a new one")
            tx.execute(update(alerts).where(place).values(status=status.value))
            _moved(tx, alert_id, status, by, at)

    @staticmethod
    def _write(tx: Connection, alert_id: str, **values: Any) -> None:
        if tx.execute(update(alerts).where(alerts.c.alert_id == alert_id).values(**values)).rowcount != 1:
            raise _unknown()


def _alone(tx: Connection, buckets: set[int]) -> None:
    # SQLite has one writer anyway. PostgreSQL's unique index would end the loser's whole transaction: queue instead.
    if tx.dialect.name == "postgresql":
        for bucket in sorted(buckets):
            tx.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCKS + bucket})


def _see(tx: Connection, alert_id: str, sighting: Sighting) -> bool:
    row = {
        "alert_id": alert_id,
        "page_id": sighting.page_id,
        "site": sighting.site,
        "seen_at": sighting.seen_at,
        "published_at": sighting.published_at,
        "evidence": sighting.evidence,
    }
    return insert_new(tx, sightings, row)


def _moved(tx: Connection, alert_id: str, status: Status, by: str, at: datetime) -> None:
    row = {"alert_id": alert_id, "changed_at": at, "changed_by": by, "status": status.value}
    tx.execute(insert(status_changes).values(**row))


def _alerts(tx: Connection, rows: Sequence[Row[Any]]) -> "list[Alert]":
    seen: dict[str, list[Sighting]] = {row.alert_id: [] for row in rows}
    for some in batches(sorted(seen)):
        for row in tx.execute(
            select(sightings)
            .where(sightings.c.alert_id.in_(some))
            .order_by(sightings.c.alert_id, sightings.c.seen_at, sightings.c.page_id)
        ):
            seen[row.alert_id].append(Sighting(row.page_id, row.site, row.seen_at, row.published_at, row.evidence))
    return [_alert(row, seen[row.alert_id]) for row in rows]


def _alert(row: Row[Any], seen: Sequence[Sighting]) -> Alert:
    return Alert(
        alert_id=row.alert_id,
        subject=Subject(row.subject),
        verdict=Verdict(row.verdict) if row.verdict else None,
        severity=Severity(row.severity),
        status=Status(row.status),
        handle=bytes(row.handle) if row.handle is not None else None,
        site=row.site,
        kinds=tuple(row.kinds.split()),
        score=row.score,
        incident=row.incident,
        first_seen=row.first_seen,
        last_seen=row.last_seen,
        sightings=tuple(seen),
    )


def _unknown() -> StorageError:
    return StorageError("there is no alert of this id: list them with `spillwatch alerts`")
