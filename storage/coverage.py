"""The coverage statement: what became of every page kept since a time. Counts and fixed words only."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from model.page import Reason
from model.scan import Gap, GapReason
from storage.tables import items, pages, part_counts, stream_gaps


@dataclass(frozen=True, slots=True)
class Coverage:
    """What became of one site's pages: kept = waiting + examined + quarantined."""

    site: str
    kept: int
    waiting: int
    """Queued or leased."""
    examined: int
    quarantined: Mapping[Reason, int]
    given_up: Mapping[Reason, int]
    """Items that were never fetched, remembered as such in this time."""
    read: int
    """Parts of these pages that were read."""
    skipped: Mapping[Reason, int]
    """Parts skipped, by reason."""
    unread: Mapping[Reason, int]
    """Parts quarantined, by reason."""
    gaps: tuple[Gap, ...] = ()
    """Stretches of the stream that were not read as they came, noted in this time."""


def coverage_since(tx: Connection, since: datetime) -> list[Coverage]:
    """Return the coverage of each site with a page kept, or an item given up, since then; sorted by site."""
    states = _page_states(tx, since)
    parts = _part_states(tx, since)
    given_up = _given_up(tx, since)
    gaps = _gaps(tx, since)
    found = []
    for site in sorted({*states, *given_up, *gaps}):
        by_state = states[site]
        quarantined = {Reason(reason): number for (state, reason), number in by_state.items() if state == "quarantined"}
        of_parts = parts[site]
        found.append(
            Coverage(
                site=site,
                kept=sum(by_state.values()),
                waiting=by_state.get(("waiting", ""), 0),
                examined=by_state.get(("examined", ""), 0),
                quarantined=quarantined,
                given_up=given_up[site],
                read=sum(number for (state, _), number in of_parts.items() if state == "read"),
                skipped=_reasons(of_parts, "skipped"),
                unread=_reasons(of_parts, "quarantined"),
                gaps=tuple(gaps[site]),
            )
        )
    return found


States = Mapping[str, dict[tuple[str, str], int]]


def _page_states(tx: Connection, since: datetime) -> States:
    rows = tx.execute(
        select(pages.c.site, pages.c.state, pages.c.reason, func.count())
        .where(pages.c.kept_at >= since)
        .group_by(pages.c.site, pages.c.state, pages.c.reason)
    )
    found: defaultdict[str, dict[tuple[str, str], int]] = defaultdict(dict)
    for site, state, reason, number in rows:
        found[site][state, reason or ""] = int(number)
    return found


def _part_states(tx: Connection, since: datetime) -> States:
    rows = tx.execute(
        select(pages.c.site, part_counts.c.state, part_counts.c.reason, func.sum(part_counts.c.parts))
        .join(pages, pages.c.page_id == part_counts.c.page_id)
        .where(pages.c.kept_at >= since)
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
