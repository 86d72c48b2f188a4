"""Scans claimed, running and finished, and how each site stands."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from model.page import Reason
from model.scan import FIELDS, Measures, ScanReport, SiteState
from storage.database import Database
from storage.moments import Clock, utc_now
from storage.statements import insert_new
from storage.tables import scan_failures, scans, site_health


@dataclass(frozen=True, slots=True)
class SiteHealth:
    """How a site stands."""

    site: str
    state: SiteState
    since: datetime
    last_success: datetime | None
    """When a scan last ended with the site working."""
    next_try: datetime | None
    reason: Reason | None
    told: tuple[str, ...] = ()
    """State and reason words that people were told since the site last worked."""
    told_at: datetime | None = None
    """When people last got a message about how it stands."""


class ScanStore:
    """Scans and the health of sites."""

    def __init__(self, database: Database, clock: Clock = utc_now) -> None:
        """Use the database and the clock."""
        self._database = database
        self._clock = clock

    def claim(self, site: str, due_at: datetime, owner: str = "", every: float | None = None) -> bool:
        """Claim the scan of a site that is due at this time; False when somebody did: one tick runs once.

        `every` is after how many seconds the next one is due: by it a scan that nobody ran is missed.
        """
        with self._database.transaction() as tx:
            return insert_new(tx, scans, _row(site, due_at, owner, self._clock()) | {"every": every})

    def start(self, site: str, due_at: datetime) -> int:
        """Note that the scan, claimed before or not, began; return its number."""
        with self._database.transaction() as tx:
            insert_new(tx, scans, _row(site, due_at, "", self._clock()))
            place = (scans.c.site == site, scans.c.due_at == due_at)
            tx.execute(update(scans).where(*place, scans.c.status == "running").values(started_at=self._clock()))
            return int(tx.execute(select(scans.c.scan_id).where(*place)).scalar_one())

    def abandon(self, site: str, due_at: datetime, reason: Reason) -> ScanReport:
        """Close the scan as failed although it reported nothing; what it counted while it lived stays."""
        with self._database.transaction() as tx:
            insert_new(tx, scans, _row(site, due_at, "", self._clock()))
            place = (scans.c.site == site, scans.c.due_at == due_at)
            tx.execute(update(scans).where(*place).values(**_died(self._clock(), reason)))
            return _report(tx, tx.execute(select(scans).where(*place)).one())

    def finish(self, report: ScanReport) -> None:
        """Store the report of a scan, claimed before or not; a second report of the same scan replaces the first."""
        with self._database.transaction() as tx:
            insert_new(tx, scans, _row(report.site, report.due_at, "", report.started_at))
            place = (scans.c.site == report.site, scans.c.due_at == report.due_at)
            tx.execute(
                update(scans)
                .where(*place)
                .values(
                    status="finished",
                    started_at=report.started_at,
                    finished_at=report.finished_at,
                    listed=report.listed,
                    fetched=report.fetched,
                    known=report.known,
                    site_state=report.state.value,
                    reason=report.reason.value if report.reason else None,
                    paused_until=report.paused_until,
                    **_measured(report.measures),
                )
            )
            scan_id = tx.execute(select(scans.c.scan_id).where(*place)).scalar_one()
            tx.execute(delete(scan_failures).where(scan_failures.c.scan_id == scan_id))
            failures = [
                {"scan_id": scan_id, "reason": reason.value, "items": number}
                for reason, number in report.failed.items()
                if number
            ]
            if failures:
                tx.execute(insert(scan_failures), failures)

    def report(self, site: str, due_at: datetime) -> ScanReport | None:
        """Return the report of one scan, or None while there is none."""
        with self._database.reading() as tx:
            row = tx.execute(
                select(scans).where(scans.c.site == site, scans.c.due_at == due_at, scans.c.finished_at.is_not(None))
            ).one_or_none()
            return None if row is None else _report(tx, row)

    def last(self, site: str) -> ScanReport | None:
        """Return the report of the scan that ended last."""
        with self._database.reading() as tx:
            row = tx.execute(
                select(scans)
                .where(scans.c.site == site, scans.c.finished_at.is_not(None))
                .order_by(scans.c.finished_at.desc(), scans.c.scan_id.desc())
                .limit(1)
            ).one_or_none()
            return None if row is None else _report(tx, row)

    def first(self, site: str) -> datetime | None:
        """Return when the first scan of the site was claimed, or None."""
        with self._database.reading() as tx:
            found: datetime | None = tx.scalar(select(func.min(scans.c.claimed_at)).where(scans.c.site == site))
            return found

    def items_since(self, site: str, since: datetime) -> int:
        """Return how many new items the scans that ended since then fetched."""
        with self._database.reading() as tx:
            return int(
                tx.execute(
                    select(func.coalesce(func.sum(scans.c.fetched), 0)).where(
                        scans.c.site == site, scans.c.finished_at >= since
                    )
                ).scalar_one()
            )

    def past(self, site: str, since: datetime) -> list[ScanReport]:
        """Return the reports of the scans that ended since then, the earliest first, without what failed in them."""
        with self._database.reading() as tx:
            rows = tx.execute(
                select(scans)
                .where(scans.c.site == site, scans.c.finished_at >= since, scans.c.status == "finished")
                .order_by(scans.c.finished_at, scans.c.scan_id)
            )
            return [_report(None, row) for row in rows]

    def close_running(self, site: str) -> int:
        """Close the running scans of a site as failed by a crash; return how many. Call it when none can be alive."""
        with self._database.transaction() as tx:
            return tx.execute(
                update(scans)
                .where(scans.c.status == "running", scans.c.site == site)
                .values(**_died(self._clock(), Reason.CRASH))
            ).rowcount

    def close_orphans(self, living: Collection[str] = ()) -> int:
        """Close running scans whose owner is not among the living, as failed by a crash; return how many.

        Whoever calls this must hold the daemon's lease: without living owners every running scan is an orphan.
        """
        with self._database.transaction() as tx:
            return tx.execute(
                update(scans)
                .where(scans.c.status == "running", scans.c.owner.not_in(list(living)))
                .values(**_died(self._clock(), Reason.CRASH))
            ).rowcount

    def state(self, site: str) -> SiteHealth | None:
        """Return how the site stands, or None before its first scan."""
        with self._database.reading() as tx:
            return self.state_within(tx, site)

    @staticmethod
    def state_within(tx: Connection, site: str) -> SiteHealth | None:
        """The same in the caller's transaction."""
        row = tx.execute(select(site_health).where(site_health.c.site == site)).one_or_none()
        if row is None:
            return None
        reason, told = Reason(row.reason) if row.reason else None, tuple((row.told or "").split())
        state = SiteState(row.state)
        return SiteHealth(row.site, state, row.since, row.last_success, row.next_try, reason, told, row.told_at)

    def set_state(
        self, site: str, state: SiteState, reason: Reason | None, at: datetime, next_try: datetime | None = None
    ) -> bool:
        """Note how the site stands; True when that is a change (a site never seen before counts as working)."""
        with self._database.transaction() as tx:
            return self.set_state_within(tx, site, state, reason, at, next_try)

    @staticmethod
    def set_state_within(
        tx: Connection,
        site: str,
        state: SiteState,
        reason: Reason | None,
        at: datetime,
        next_try: datetime | None = None,
    ) -> bool:
        """The same in the caller's transaction. A site that is merely slow has worked."""
        insert_new(tx, site_health, {"site": site, "state": SiteState.WORKING.value, "since": at})
        place = site_health.c.site == site
        known = tx.execute(select(site_health).where(place).with_for_update()).one()
        changed = bool(known.state != state.value)
        tx.execute(
            update(site_health)
            .where(place)
            .values(
                state=state.value,
                since=at if changed else known.since,
                last_success=at if state in (SiteState.WORKING, SiteState.SLOW) else known.last_success,
                next_try=next_try,
                reason=reason.value if reason else None,
            )
        )
        return changed

    @staticmethod
    def set_told(tx: Connection, site: str, words: Collection[str], at: datetime | None) -> None:
        """Note, in the caller's transaction, what people were told of how the site stands, and when last."""
        place = site_health.c.site == site
        tx.execute(update(site_health).where(place).values(told=" ".join(sorted(words)), told_at=at))


def _died(now: datetime, reason: Reason) -> dict[str, Any]:
    state = SiteState.WORKING if reason is Reason.STOPPED else SiteState.FAILING
    return {"status": "failed", "finished_at": now, "site_state": state.value, "reason": reason.value}


def _measured(measures: Measures) -> dict[str, Any]:
    empty = {f"without_{name}": measures.empty.get(name, 0) for name in FIELDS}
    return {"taken": measures.taken, "unchanged": measures.unchanged, "pace": measures.pace, **empty}


def _row(site: str, due_at: datetime, owner: str, now: datetime) -> dict[str, Any]:
    counts = {"listed": 0, "fetched": 0, "known": 0}
    return {"site": site, "due_at": due_at, "owner": owner, "status": "running", "claimed_at": now, **counts}


def _report(tx: Connection | None, row: Row[Any]) -> ScanReport:
    failures = select(scan_failures.c.reason, scan_failures.c["items"]).where(scan_failures.c.scan_id == row.scan_id)
    failed = tx.execute(failures).all() if tx is not None else []
    empty = {name: number for name in FIELDS if (number := getattr(row, f"without_{name}"))}
    return ScanReport(
        site=row.site,
        due_at=row.due_at,
        started_at=row.started_at or row.claimed_at,
        finished_at=row.finished_at,
        listed=row.listed,
        fetched=row.fetched,
        known=row.known,
        failed={Reason(reason): number for reason, number in failed},
        state=SiteState(row.site_state),
        reason=Reason(row.reason) if row.reason else None,
        measures=Measures(row.taken, empty, row.unchanged, row.pace),
        paused_until=row.paused_until,
    )
