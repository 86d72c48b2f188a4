"""STANDING: how a site stands after a scan, judged by its own past, and what people are told of it.

A scan that failed says so itself. One that succeeded may still tell of trouble: fewer new items than this site usually
has, entries without the text or the author that they always had, scans that do not end in time.

People get at most one message a day about how a site stands. Meanwhile the one open alert about it follows in silence,
so that nothing is hidden and nothing floods. An alert about a site that works again is closed as recovered, a day after
it was told at the earliest: a site that comes and goes stays one alert.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from statistics import median

import structlog

from alerts import triage
from app.report import write
from app.stores import Stores
from crawler.interface import SiteSettings
from model.alert import Alert, Severity, Subject
from model.page import Reason
from model.scan import FIELDS, ScanReport, SiteState
from storage.database import Transaction
from storage.scans import SiteHealth

PAST = timedelta(days=28)
DAY = timedelta(days=1)
FEW = 0.2
"""Share of the median below which a run or day has fallen silent."""
LEAST = 5
"""Items in the median from which a share of it says anything, and items by which the yield of fields is judged."""
ENOUGH_PAST = 7
"""Runs or days of the past from which there is a median."""
ALWAYS = 20
"""Runs that all had entries, after which a list without any has changed."""
EMPTIED = 0.6
"""How much more often than before a field must be empty."""
SLOWER, LEAST_DELAY = 4.0, 2.0
"""Times the median, and seconds more than it, from which requests are slow."""
LONG = timedelta(hours=6)
"""Between the scans of a site: from here on runs are compared, below it days, since nights are quiet."""
AGAIN = "working-again"
"""Word of an alert whose site works again, as long as it is not closed."""
STANDING_WORDS = frozenset((*SiteState, *Reason))
SEVERITIES: Mapping[SiteState, Severity] = {SiteState.SLOW: Severity.LOW}

log = structlog.get_logger(__name__)


def judge(report: ScanReport, site: SiteSettings, past: Sequence[ScanReport]) -> tuple[SiteState, Reason | None]:
    """Return how the site stands after this scan; `past` has its earlier ones of four weeks, the earliest first."""
    if report.state is not SiteState.WORKING:
        return report.state, report.reason
    good = [each for each in past if each.state is SiteState.WORKING and each.due_at != report.due_at]
    if _emptied_list(report, good) or _emptied_fields(report, good):
        return SiteState.CHANGED, Reason.CHANGED
    if _has_few(report, good, timedelta(seconds=site.every)):
        return SiteState.SILENT, None
    if _overruns([*good, report], site.every):
        return SiteState.SLOW, Reason.OVERRUN
    return (SiteState.SLOW if _slow(report, good) else SiteState.WORKING), None


def usual_items(past: Sequence[ScanReport]) -> float | None:
    """Return how many new items a scan of the site has in the median, or None while too few were run."""
    fetched = [each.fetched for each in past if each.state is SiteState.WORKING]
    return median(fetched) if len(fetched) >= ENOUGH_PAST else None


def after_scan(report: ScanReport, site: SiteSettings, stores: Stores, channels: Sequence[str], now: datetime) -> None:
    """Move the site's state after a scan, and tell people of it."""
    if report.reason is Reason.STOPPED:
        return  # we ended the scan ourselves: it says nothing of the site
    state, reason = judge(report, site, stores.scans.past(site.name, now - PAST))
    if state in (SiteState.WORKING, SiteState.SLOW) and falls_short(site, stores, now):
        state, reason = SiteState.SILENT, None
    note(site, state, reason, stores, channels, now, next_try=next_try(report, site, now))


def look_for_silence(site: SiteSettings, stores: Stores, channels: Sequence[str], now: datetime) -> None:
    """Move the state of a site that gave fewer new items than expected for too long, whether or not it is scanned."""
    health = stores.scans.state(site.name)
    if (health is None or health.state in (SiteState.WORKING, SiteState.SLOW)) and falls_short(site, stores, now):
        then = health.next_try if health else None
        note(site, SiteState.SILENT, None, stores, channels, now, next_try=then)


def falls_short(site: SiteSettings, stores: Stores, now: datetime) -> bool:
    """Tell whether the site gave fewer new items than `expect:` says, and was watched long enough for that."""
    if site.expect is None:
        return False
    since = now - timedelta(seconds=site.expect.within)
    first = stores.scans.first(site.name)
    return first is not None and first <= since and stores.scans.items_since(site.name, since) < site.expect.items


def next_try(report: ScanReport, site: SiteSettings, now: datetime) -> datetime | None:
    """Return when the site is asked again: at the next tick, or when its pause is over; None for what sends itself."""
    if site.every <= 0:
        return report.paused_until
    present = now.timestamp()
    tick = datetime.fromtimestamp(present - present % site.every + site.every, now.tzinfo)
    return max(tick, report.paused_until or tick)


def note(
    site: SiteSettings,
    state: SiteState,
    reason: Reason | None,
    stores: Stores,
    channels: Sequence[str],
    now: datetime,
    *,
    next_try: datetime | None = None,
) -> None:
    """Write how the site stands and what becomes of the alert about it, in one transaction."""
    with stores.database.transaction() as tx:
        before = stores.scans.state_within(tx, site.name)
        changed = stores.scans.set_state_within(tx, site.name, state, reason, now, next_try)
        alert = stores.alerts.open_problem(tx, Subject.SITE, site.name)
        if state is SiteState.WORKING:
            _recover(tx, stores, site, before, alert, now)
        else:
            words = {state.value, *([reason.value] if reason else [])}
            _tell(tx, stores, channels, site, words, before, alert, now, SEVERITIES.get(state, _severity(reason)))
    if changed:
        log.warning("site changed its state", site=site.name, state=state, reason=reason)


def _severity(reason: Reason | None) -> Severity:
    return Severity.HIGH if reason is Reason.QUERY else Severity.MEDIUM


def _tell(
    tx: Transaction,
    stores: Stores,
    channels: Sequence[str],
    site: SiteSettings,
    words: set[str],
    before: SiteHealth | None,
    alert: Alert | None,
    now: datetime,
    severity: Severity,
) -> None:
    """Raise or renew the alert; a message goes out for what was not told yet, unless one did within a day."""
    told, told_at = (set(before.told), before.told_at) if before else (set[str](), None)
    new = words - told
    if alert is None and not new:
        return  # people were told, and closed the alert although the trouble lasts
    speaks = bool(new) and (told_at is None or now - told_at >= DAY)
    known = alert and dataclasses.replace(alert, kinds=tuple(kind for kind in alert.kinds if kind != AGAIN))
    if known is not None and speaks:
        known = dataclasses.replace(known, kinds=tuple(kind for kind in known.kinds if kind not in words))
    raised = triage.problem(
        Subject.SITE, site.name, sorted(words), seen_at=now, open_alert=known, severity=severity, site_class=site.use
    )
    if raised.notice is not None and alert is not None:
        again = triage.incident_of("problem again", alert.alert_id, now.isoformat())
        raised = dataclasses.replace(raised, notice=dataclasses.replace(raised.notice, incident=again))
    if not speaks:
        raised = dataclasses.replace(raised, notice=None)
    write(tx, stores, channels, raised, now)
    if speaks:
        stores.scans.set_told(tx, site.name, told | words, now)


def _recover(
    tx: Transaction, stores: Stores, site: SiteSettings, before: SiteHealth | None, alert: Alert | None, now: datetime
) -> None:
    """Close the alert about a site that works, or mark it; what it says of pages that were not read stays."""
    if before is None:
        return
    if before.told:
        stores.scans.set_told(tx, site.name, (), before.told_at)
    if alert is None or STANDING_WORDS.isdisjoint(alert.kinds):
        return
    others = tuple(kind for kind in alert.kinds if kind not in STANDING_WORDS and kind != AGAIN)
    if before.told_at is not None and now - before.told_at < DAY:
        _rewrite(tx, stores, alert, (*alert.kinds, AGAIN), now)
    elif others:
        _rewrite(tx, stores, alert, others, now)
    else:
        stores.alerts.recover(tx, alert.alert_id, now)


def _rewrite(tx: Transaction, stores: Stores, alert: Alert, kinds: Sequence[str], now: datetime) -> None:
    words = tuple(sorted(set(kinds)))
    if words != alert.kinds:
        update = triage.Update(alert.alert_id, None, words, 0.0, alert.severity, None, now)
        stores.alerts.update(tx, update)


def _emptied_list(report: ScanReport, good: Sequence[ScanReport]) -> bool:
    """A list that always had entries has none."""
    always = len(good) >= ALWAYS and all(each.listed for each in good)
    return always and not report.listed


def _emptied_fields(report: ScanReport, good: Sequence[ScanReport]) -> bool:
    """A field that items had is missing from most of the latest ones."""
    latest, taken = [report], report.measures.taken
    earlier = list(good)
    while earlier and taken < LEAST:
        latest.append(earlier.pop())
        taken += latest[-1].measures.taken
    if not report.measures.taken or taken < LEAST or sum(each.measures.taken for each in earlier) < ALWAYS:
        return False
    return any(_share(latest, name) - _share(earlier, name) >= EMPTIED for name in FIELDS)


def _share(reports: Sequence[ScanReport], name: str) -> float:
    taken = sum(each.measures.taken for each in reports)
    return sum(each.measures.empty.get(name, 0) for each in reports) / taken


def _has_few(report: ScanReport, good: Sequence[ScanReport], every: timedelta) -> bool:
    """The run, or the day where there are many runs, has far fewer new items than the median one."""
    if every >= LONG:  # streams, which have no scans, are judged by the day
        amounts = [each.fetched for each in good]
        present = report.fetched
    else:
        days: dict[int, int] = {}
        for each in [*good, report]:
            ago = (report.finished_at - each.finished_at) // DAY
            days[ago] = days.get(ago, 0) + each.fetched
        present = days.pop(0)
        amounts = list(days.values())
    if len(amounts) < ENOUGH_PAST:
        return False
    usual = median(amounts)
    return usual >= LEAST and present < FEW * usual


def _overruns(reports: Sequence[ScanReport], every: float) -> bool:
    """Two of the last three scans took longer than until the next one was due."""
    long = [(each.finished_at - each.started_at).total_seconds() > every for each in reports[-3:]]
    return every > 0 and sum(long) >= 2


def _slow(report: ScanReport, good: Sequence[ScanReport]) -> bool:
    """Requests of the last two scans that made any took far longer than in the median."""
    paces = [each.measures.pace for each in good if each.measures.pace is not None]
    if report.measures.pace is None or len(paces) < ENOUGH_PAST + 1:
        return False
    usual = median(paces[:-1])
    return all(pace > SLOWER * usual and pace - usual > LEAST_DELAY for pace in (report.measures.pace, paces[-1]))
