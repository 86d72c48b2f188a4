"""Matches → alerts and sightings, and the one message about them.

Everything here is a pure function: time, randomness and the alerts that are still open come in as arguments, so
that the caller can store the outcome and the message in one transaction. `docs/alerts.md` has the tables.
"""

import hashlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from alerts.interface import Notice, NoticeLine
from alerts.notice import MOST_FOLLOWED, MOST_LINES
from model.alert import Alert, Severity, Sighting, Status, Subject
from model.match import Match, Verdict

MANY_RECORDS = 10
"""Records on one page from which it counts as a dump: each alert is one step graver."""

CLINICAL = frozenset({"note"})
"""Kinds that say what somebody suffers from."""

ORDER = (Severity.LOW, Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL)

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


@dataclass(frozen=True, slots=True)
class Update:
    """What an open alert looks like after this page: the caller writes these fields over the old ones."""

    alert_id: str
    sighting: Sighting | None
    """The new sighting; None for alerts about sites and the system."""
    kinds: tuple[str, ...]
    score: float
    severity: Severity
    verdict: Verdict | None
    last_seen: datetime


@dataclass(frozen=True, slots=True)
class Triage:
    """What one page (or one failure) changes, and the message about it."""

    new: tuple[Alert, ...]
    """Alerts to be stored, each with its first sighting."""
    sightings: tuple[Update, ...]
    """Open alerts that this page adds to."""
    notice: Notice | None
    """The message: all new alerts and those that rose; None where people know already."""


def new_alert_id() -> str:
    """Return `SW-` and eight random characters of Crockford base 32 (40 bits; no I, L, O, U to misread)."""
    return "SW-" + "".join(secrets.choice(CROCKFORD) for _ in range(8))


def severity_of(match: Match, records_on_page: int, *, many: int = MANY_RECORDS) -> Severity:
    """Return how fast someone must look, by the table of docs/alerts.md.

    `records_on_page` counts the different records found on the page; from `many` on, each is one step graver.
    """
    clinical = any(element.role == "passage" or CLINICAL & set(element.kinds) for element in match.elements)
    identified = [e for e in match.elements if e.role in ("primary", "conjunction") and not CLINICAL & set(e.kinds)]
    legible = any(element.form == "exact" for element in identified)
    if match.verdict is Verdict.LEAK:
        if clinical and identified:
            base = Severity.CRITICAL
        elif clinical or legible:
            base = Severity.HIGH
        else:
            base = Severity.MEDIUM
    elif clinical or any(element.role == "primary" for element in match.elements):
        base = Severity.MEDIUM
    else:
        base = Severity.LOW
    return _raised(base) if records_on_page >= many else base


def triage(
    *,
    page_id: str,
    site: str,
    seen_at: datetime,
    published_at: datetime | None,
    matches: Sequence[Match],
    open_alerts: Mapping[bytes, Alert],
    evidence: str,
    new_id: Callable[[], str] = new_alert_id,
    site_class: str = "",
) -> Triage:
    """Return what the matches of one page change.

    `open_alerts` maps the handle of a record to its alert that is not closed (open or acknowledged): another page
    about that record becomes a sighting of it. `evidence` is the snapshot's folder, relative to the evidence root.
    Calling again for a page that is already a sighting changes nothing.
    """
    merged = _one_per_record(matches)
    incident = incident_of("page", page_id)
    sighting = Sighting(page_id, site, seen_at, published_at, evidence)
    new: list[Alert] = []
    updates: list[Update] = []
    risen: list[Alert] = []
    for match in merged:
        severity = severity_of(match, len(merged))
        known = open_alerts.get(match.handle)
        if known is None:
            new.append(_alert_about_record(match, severity, incident, sighting, new_id()))
        elif all(seen.page_id != page_id for seen in known.sightings):
            update = _another_sighting(known, match, severity, sighting)
            updates.append(update)
            if _is_graver(update, known):
                risen.append(known)
    by_id = {update.alert_id: update for update in updates}
    lines = [_line(alert) for alert in new] + [_risen_line(alert, by_id[alert.alert_id]) for alert in risen]
    notice = _notice(
        incident if new else _incident_of_rise([by_id[alert.alert_id] for alert in risen]),
        Subject.RECORD,
        site,
        seen_at,
        lines,
        site_class,
        tuple(sorted({alert.incident for alert in risen})),
    )
    return Triage(tuple(new), tuple(updates), notice)


def problem(
    subject: Subject,
    site: str,
    reasons: Sequence[str],
    *,
    seen_at: datetime,
    open_alert: Alert | None = None,
    severity: Severity | None = None,
    new_id: Callable[[], str] = new_alert_id,
    site_class: str = "",
) -> Triage:
    """Return the alert about a site (`Subject.SITE`) or the system (`Subject.SYSTEM`; `site` empty).

    `reasons` are words of `model.page.Reason`, `model.scan.SiteState` or docs/alerts.md. While `open_alert` about
    the same subject is not closed, the same trouble only moves its `last_seen`; a new reason word or a graver
    severity is told.
    """
    grave = severity or (Severity.HIGH if subject is Subject.SYSTEM else Severity.MEDIUM)
    words = tuple(sorted(set(reasons)))
    if open_alert is None:
        alert_id = new_id()
        incident = incident_of("problem", alert_id)
        alert = Alert(alert_id, subject, None, grave, Status.OPEN, None, site, words, 0.0, incident, seen_at, seen_at)
        return Triage((alert,), (), _notice(incident, subject, site, seen_at, [_line(alert)], site_class))
    kinds = tuple(sorted({*open_alert.kinds, *words}))
    update = Update(open_alert.alert_id, None, kinds, 0.0, _graver(open_alert.severity, grave), None, seen_at)
    told = [_risen_line(open_alert, update)] if _is_graver(update, open_alert) or kinds != open_alert.kinds else []
    incident = _incident_of_rise([update])
    return Triage((), (update,), _notice(incident, subject, site, seen_at, told, site_class, (open_alert.incident,)))


def incident_of(what: str, *parts: str) -> str:
    """Return the incident, 32 hex digits, the same for the same parts (SHA-256, truncated)."""
    return hashlib.sha256("\0".join(("spillwatch incident", what, *parts)).encode()).hexdigest()[:32]


def _one_per_record(matches: Sequence[Match]) -> list[Match]:
    """Join matches about the same record: the gravest verdict, the highest score, all elements."""
    joined: dict[bytes, Match] = {}
    for match in matches:
        before = joined.get(match.handle)
        if before is None:
            joined[match.handle] = match
            continue
        verdict = Verdict.LEAK if Verdict.LEAK in (before.verdict, match.verdict) else before.verdict
        joined[match.handle] = Match(
            match.handle, verdict, max(before.score, match.score), before.elements + match.elements
        )
    return list(joined.values())


def _alert_about_record(match: Match, severity: Severity, incident: str, seen: Sighting, alert_id: str) -> Alert:
    return Alert(
        alert_id,
        Subject.RECORD,
        match.verdict,
        severity,
        Status.OPEN,
        match.handle,
        seen.site,
        match.kinds,
        match.score,
        incident,
        seen.seen_at,
        seen.seen_at,
        (seen,),
    )


def _another_sighting(known: Alert, match: Match, severity: Severity, seen: Sighting) -> Update:
    return Update(
        known.alert_id,
        seen,
        tuple(sorted({*known.kinds, *match.kinds})),
        max(known.score, match.score),
        _graver(known.severity, severity),
        Verdict.LEAK if Verdict.LEAK in (known.verdict, match.verdict) else known.verdict,
        max(known.last_seen, seen.seen_at),
    )


def _is_graver(update: Update, known: Alert) -> bool:
    return update.severity is not known.severity or update.verdict is not known.verdict


def _graver(one: Severity, other: Severity) -> Severity:
    return max(one, other, key=ORDER.index)


def _raised(severity: Severity) -> Severity:
    return ORDER[min(ORDER.index(severity) + 1, len(ORDER) - 1)]


def _incident_of_rise(updates: Sequence[Update]) -> str:
    """Name the message after what rose and how far, so that a repeat has the same Message-ID."""
    told = sorted(
        f"{update.alert_id} {update.severity} {update.verdict} {' '.join(update.kinds) if not update.sighting else ''}"
        for update in updates
    )
    return incident_of("rise", *told)


def _line(alert: Alert) -> NoticeLine:
    return NoticeLine(alert.alert_id, alert.severity, alert.verdict, alert.kinds, alert.score, len(alert.sightings))


def _risen_line(known: Alert, update: Update) -> NoticeLine:
    seen = len(known.sightings) + (update.sighting is not None)
    return NoticeLine(known.alert_id, update.severity, update.verdict, update.kinds, update.score, seen, risen=True)


def _notice(
    incident: str,
    subject: Subject,
    site: str,
    first_seen: datetime,
    lines: Sequence[NoticeLine],
    site_class: str,
    follows: tuple[str, ...] = (),
) -> Notice | None:
    """Put the gravest first and count the rest; no lines, no message."""
    if not lines:
        return None
    ordered = sorted(lines, key=lambda line: (-ORDER.index(line.severity), -line.score, line.alert_id))
    return Notice(
        incident,
        subject,
        ordered[0].severity,
        site,
        first_seen,
        tuple(ordered[:MOST_LINES]),
        len(ordered),
        site_class,
        follows[:MOST_FOLLOWED],
    )
