"""The coverage statement: what became of everything that was scheduled since a time. Counts and fixed words only.

The two sides are counted apart. What was scheduled is what scans say they listed, one more for each scan that died or
still runs, one for each scan that was due and that nobody ran, and the pages that belong to no scan. What became of it
is counted from the pages themselves, and from what scans say they knew or could not fetch. A page that was lost, or a
scan whose own sum is wrong, shows as a difference.

A scan belongs to the time in which it was claimed, and its pages to the scan.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from typing import Any

from sqlalchemy import Connection, Row, and_, func, or_, select

from model.page import Reason
from model.scan import Gap, GapReason
from storage.tables import facts, items, pages, part_counts, scan_failures, scans, stream_gaps

ACCOUNTS_BEGIN = "accounts-begin"
"""Fact: since when pages know their scan, in a database that is older than that."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """What became of one site's items: scheduled = known + examined + waiting + quarantined + failed + in progress."""

    site: str
    scheduled: int
    """Items listed, links and attachments that could not be fetched included; lists that could not be read; and one
    for each scan that died, still runs, or was not run."""
    known: int
    """Seen before, or unchanged."""
    kept: int
    """Pages: examined, waiting or quarantined."""
    waiting: int
    """Queued or leased."""
    examined: int
    quarantined: Mapping[Reason, int]
    failed: Mapping[Reason, int]
    in_progress: int
    """Of scans that still run."""
    scans: int
    """Scans that were run."""
    given_up: Mapping[Reason, int]
    """Items that were never fetched, remembered as such in this time: they are among the failed."""
    read: int
    """Parts of these pages that were read."""
    skipped: Mapping[Reason, int]
    """Parts skipped, by reason."""
    unread: Mapping[Reason, int]
    """Parts quarantined, by reason."""
    gaps: tuple[Gap, ...] = ()
    """Stretches of the stream that were not read as they came, noted in this time."""

    @property
    def accounted(self) -> int:
        """Return of how many items it is known what became of them."""
        return self.known + self.kept + sum(self.failed.values()) + self.in_progress

    @property
    def difference(self) -> int:
        """Return how many items nobody can account for; below zero, how many are accounted for twice."""
        return self.scheduled - self.accounted


def coverage_since(
    tx: Connection, since: datetime, now: datetime, schedule: Mapping[str, float] | None = None
) -> list[Coverage]:
    """Return the coverage of each site that is configured or of which something happened since then; sorted by site."""
    since = max(since, _accounts_begin(tx) or since)
    runs = _runs(tx, since)
    failures = _failures(tx, since)
    states, loose = _page_states(tx, since)
    parts = _part_states(tx, since)
    given_up = _given_up(tx, since)
    gaps = _gaps(tx, since)
    found = []
    for site in sorted({*runs, *states, *given_up, *gaps, *(schedule or {})}):
        account = _Account()
        for run in runs[site]:
            account.add(run, failures[run.scan_id], since)
        account.miss(runs[site], since, now, goes_on=site in (schedule or {}))
        by_state, of_parts = states[site], parts[site]
        quarantined = {Reason(reason): number for (state, reason), number in by_state.items() if state == "quarantined"}
        found.append(
            Coverage(
                site=site,
                scheduled=account.scheduled + loose[site],
                known=account.known,
                kept=sum(by_state.values()),
                waiting=by_state.get(("waiting", ""), 0),
                examined=by_state.get(("examined", ""), 0),
                quarantined=quarantined,
                failed={reason: number for reason, number in sorted(account.failed.items()) if number},
                in_progress=account.in_progress,
                scans=account.scans,
                given_up=given_up[site],
                read=sum(number for (state, _), number in of_parts.items() if state == "read"),
                skipped=_reasons(of_parts, "skipped"),
                unread=_reasons(of_parts, "quarantined"),
                gaps=tuple(gaps[site]),
            )
        )
    return found


class _Account:
    """What the scans of one site say."""

    def __init__(self) -> None:
        self.scheduled = self.known = self.in_progress = self.scans = 0
        self.failed: defaultdict[Reason, int] = defaultdict(int)

    def add(self, run: Row[Any], failures: Mapping[Reason, int], since: datetime) -> None:
        """Add one scan; what a dead or running one had listed and not finished is failed, or in progress."""
        if run.claimed_at < since:
            return  # here only to tell which scans were missed after it
        self.scans += 1
        self.known += run.known
        for reason, number in failures.items():
            self.failed[reason] += number
        self.scheduled += run.listed
        if run.status == "finished":
            return
        self.scheduled += 1
        left = 1 + run.listed - run.known - run.fetched - sum(failures.values())
        if run.status == "failed":
            self.failed[Reason(run.reason)] += left
        else:
            self.in_progress += left

    def miss(self, runs: Iterable[Row[Any]], since: datetime, now: datetime, *, goes_on: bool) -> None:
        """Add the scans that were due and that nobody ran, because one before them still ran or for want of a daemon.

        A tick has the time until the next one to be claimed.
        """
        earlier = None
        ends = [*sorted(runs, key=lambda run: run.due_at), None]
        for run in ends:
            if earlier is not None and earlier.every and (run is not None or goes_on):
                every = earlier.every
                first = max(_tick(earlier.due_at, every) + 1, ceil(since.timestamp() / every))
                last = _tick(run.due_at if run is not None else now, every) - 1
                busy_until = _tick(earlier.finished_at or now, every)
                missed, overrun = max(0, last - first + 1), max(0, min(last, busy_until) - first + 1)
                self.scheduled += missed
                self.failed[Reason.OVERRUN] += overrun
                self.failed[Reason.NOT_RUN] += missed - overrun
            earlier = run


def _tick(moment: datetime, every: float) -> int:
    return int(moment.timestamp() // every)


States = Mapping[str, dict[tuple[str, str], int]]


def _accounts_begin(tx: Connection) -> datetime | None:
    told = tx.scalar(select(facts.c.value).where(facts.c.name == ACCOUNTS_BEGIN))
    return None if told is None else datetime.fromisoformat(bytes(told).decode("ascii"))


def _runs(tx: Connection, since: datetime) -> Mapping[str, list[Row[Any]]]:
    """Return the scans claimed since then, and of each site the last one before."""
    last = select(func.max(scans.c.scan_id)).where(scans.c.claimed_at < since).group_by(scans.c.site)
    rows = tx.execute(select(scans).where(or_(scans.c.claimed_at >= since, scans.c.scan_id.in_(last))))
    found: defaultdict[str, list[Row[Any]]] = defaultdict(list)
    for row in rows:
        found[row.site].append(row)
    return found


def _failures(tx: Connection, since: datetime) -> Mapping[int, dict[Reason, int]]:
    rows = tx.execute(
        select(scan_failures).join(scans, scans.c.scan_id == scan_failures.c.scan_id).where(scans.c.claimed_at >= since)
    )
    found: defaultdict[int, dict[Reason, int]] = defaultdict(dict)
    for scan_id, reason, number in rows:
        found[scan_id][Reason(reason)] = int(number)
    return found


def _within(since: datetime) -> tuple[Any, Any]:
    """Return what joins pages to their scans, and the condition that a page counts."""
    joined = pages.outerjoin(scans, and_(scans.c.scan_id == pages.c.scan_id))
    return joined, and_(pages.c.kept_at >= since, or_(pages.c.scan_id.is_(None), scans.c.claimed_at >= since))


def _page_states(tx: Connection, since: datetime) -> tuple[States, Mapping[str, int]]:
    """Return the pages by state, and how many belong to no scan."""
    joined, counts = _within(since)
    loose = pages.c.scan_id.is_(None)
    rows = tx.execute(
        select(pages.c.site, pages.c.state, pages.c.reason, loose, func.count())
        .select_from(joined)
        .where(counts)
        .group_by(pages.c.site, pages.c.state, pages.c.reason, loose)
    )
    found: defaultdict[str, dict[tuple[str, str], int]] = defaultdict(lambda: defaultdict(int))
    without: defaultdict[str, int] = defaultdict(int)
    for site, state, reason, alone, number in rows:
        found[site][state, reason or ""] += int(number)
        without[site] += int(number) if alone else 0
    return found, without


def _part_states(tx: Connection, since: datetime) -> States:
    joined, counts = _within(since)
    rows = tx.execute(
        select(pages.c.site, part_counts.c.state, part_counts.c.reason, func.sum(part_counts.c.parts))
        .select_from(joined.join(part_counts, part_counts.c.page_id == pages.c.page_id))
        .where(counts)
        .group_by(pages.c.site, part_counts.c.state, part_counts.c.reason)
    )
    found: defaultdict[str, dict[tuple[str, str], int]] = defaultdict(dict)
    for site, state, reason, number in rows:
        found[site][state, reason] = int(number)
    return found


def _given_up(tx: Connection, since: datetime) -> Mapping[str, dict[Reason, int]]:
    rows = tx.execute(
        select(items.c.site, items.c.reason, func.count())
        .where(items.c.reason.is_not(None), items.c.seen_at >= since)
        .group_by(items.c.site, items.c.reason)
    )
    found: defaultdict[str, dict[Reason, int]] = defaultdict(dict)
    for site, reason, number in rows:
        found[site][Reason(reason)] = int(number)
    return found


def _gaps(tx: Connection, since: datetime) -> Mapping[str, list[Gap]]:
    noted = (stream_gaps.c.noted_at >= since,)
    found: defaultdict[str, list[Gap]] = defaultdict(list)
    for row in tx.execute(select(stream_gaps).where(*noted).order_by(stream_gaps.c.gap_id)):
        found[row.site].append(Gap(row.site, row.since, row.until, GapReason(row.reason), bool(row.filled)))
    return found


def _reasons(parts: Mapping[tuple[str, str], int], wanted: str) -> dict[Reason, int]:
    return {Reason(reason): number for (state, reason), number in parts.items() if state == wanted and reason}
