"""The law of messages: what a notice may hold, and its JSON for the outbox.

A notice has no field for crawled or enrolled text. `require_lawful` proves it for one notice, by a strict pattern for
every field, before anything is composed from it.
"""

import json
import re
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

from alerts.interface import Notice, NoticeLine
from model.alert import Severity, Subject
from model.errors import DeliveryError
from model.match import Verdict

Word = TypeVar("Word", bound=StrEnum)

SITE = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
WORD = re.compile(r"[a-z][a-z0-9_-]{0,39}")
INCIDENT = re.compile(r"[0-9a-f]{32}")
ALERT_ID = re.compile(r"SW-[0-9A-HJKMNP-TV-Z]{8}")
MOST_KINDS = 64
MOST_FOLLOWED = 10
MOST_LINES = 50
"""Alerts told one by one in a message; the rest is a number."""

VERSION = 1
NOTICE_KEYS = frozenset(
    {"version", "incident", "subject", "severity", "site", "site_class", "first_seen", "lines", "total", "follows"}
)
LINE_KEYS = frozenset({"alert_id", "severity", "verdict", "kinds", "score", "sightings", "risen"})


def require_lawful(notice: Notice) -> None:
    """Return if every field of the notice is a reference, a fixed word, a number or a time.

    Raises `DeliveryError`, which names the field and never its value.
    """
    _require(_fits(INCIDENT, notice.incident), "incident")
    _require(_is_a(Subject, notice.subject), "subject")
    _require(_is_a(Severity, notice.severity), "severity")
    _require(_fits(SITE, notice.site) or (notice.site == "" and notice.subject is Subject.SYSTEM), "site")
    _require(notice.site_class == "" or _fits(SITE, notice.site_class), "site_class")
    _require(_is_time(notice.first_seen), "first_seen")
    _require(_is_a(tuple, notice.lines) and 1 <= len(notice.lines) <= MOST_LINES, "lines")
    _require(_is_count(notice.total) and notice.total >= len(notice.lines), "total")
    _require(_all_fit(INCIDENT, notice.follows, MOST_FOLLOWED), "follows")
    for line in notice.lines:
        _require_lawful_line(line)


def notice_to_json(notice: Notice) -> str:
    """Return the notice as canonical JSON (sorted keys, ASCII), for the outbox.

    Raises `DeliveryError` if the notice breaks the law of messages.
    """
    require_lawful(notice)
    lines = [
        {
            "alert_id": line.alert_id,
            "severity": line.severity.value,
            "verdict": line.verdict.value if line.verdict else None,
            "kinds": list(line.kinds),
            "score": line.score,
            "sightings": line.sightings,
            "risen": line.risen,
        }
        for line in notice.lines
    ]
    told = {
        "version": VERSION,
        "incident": notice.incident,
        "subject": notice.subject.value,
        "severity": notice.severity.value,
        "site": notice.site,
        "site_class": notice.site_class,
        "first_seen": notice.first_seen.isoformat(),
        "lines": lines,
        "total": notice.total,
        "follows": list(notice.follows),
    }
    return json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def notice_from_json(text: str) -> Notice:
    """Return the notice that `notice_to_json` wrote; unknown, missing or misshapen fields are refused.

    Raises `DeliveryError`, which names the field and never its value.
    """
    try:
        told = json.loads(text)
    except ValueError as err:
        raise _unlawful("the whole row") from err
    _require_keys(told, NOTICE_KEYS, "the whole row")
    _require(told["version"] == VERSION, "version")
    _require(isinstance(told["lines"], list), "lines")
    _require(isinstance(told["follows"], list), "follows")
    notice = Notice(
        incident=told["incident"],
        subject=_word(Subject, told["subject"], "subject"),
        severity=_word(Severity, told["severity"], "severity"),
        site=told["site"],
        first_seen=_time(told["first_seen"]),
        lines=tuple(_line(line) for line in told["lines"]),
        total=told["total"],
        site_class=told["site_class"],
        follows=tuple(told["follows"]),
    )
    require_lawful(notice)
    return notice


def _line(told: Any) -> NoticeLine:
    _require_keys(told, LINE_KEYS, "lines")
    _require(isinstance(told["kinds"], list), "kinds")
    return NoticeLine(
        alert_id=told["alert_id"],
        severity=_word(Severity, told["severity"], "severity"),
        verdict=None if told["verdict"] is None else _word(Verdict, told["verdict"], "verdict"),
        kinds=tuple(told["kinds"]),
        score=told["score"],
        sightings=told["sightings"],
        risen=told["risen"],
    )


def _require_lawful_line(line: NoticeLine) -> None:
    _require(_is_a(NoticeLine, line), "lines")
    _require(_fits(ALERT_ID, line.alert_id), "alert_id")
    _require(_is_a(Severity, line.severity), "severity")
    _require(line.verdict is None or _is_a(Verdict, line.verdict), "verdict")
    _require(_all_fit(WORD, line.kinds, MOST_KINDS), "kinds")
    _require(_is_share(line.score), "score")
    _require(_is_count(line.sightings), "sightings")
    _require(_is_a(bool, line.risen), "risen")


def _fits(pattern: re.Pattern[str], text: object) -> bool:
    return isinstance(text, str) and pattern.fullmatch(text) is not None


def _all_fit(pattern: re.Pattern[str], words: object, most: int) -> bool:
    return isinstance(words, tuple) and len(words) <= most and all(_fits(pattern, word) for word in words)


def _is_a(kind: type, thing: object) -> bool:
    return isinstance(thing, kind)


def _is_share(number: object) -> bool:
    return isinstance(number, int | float) and not isinstance(number, bool) and 0.0 <= number <= 1.0


def _is_time(moment: object) -> bool:
    return isinstance(moment, datetime) and moment.utcoffset() is not None and moment.year >= 1970


def _is_count(number: object) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and 0 <= number <= 10**12


def _time(text: object) -> datetime:
    try:
        return datetime.fromisoformat(text if isinstance(text, str) else "")
    except ValueError as err:
        raise _unlawful("first_seen") from err


def _word(kind: type[Word], text: Any, field: str) -> Word:
    try:
        return kind(text)
    except ValueError as err:
        raise _unlawful(field) from err


def _require_keys(told: object, keys: frozenset[str], field: str) -> None:
    _require(isinstance(told, dict) and set(told) == keys, field)


def _require(holds: object, field: str) -> None:
    if not holds:
        raise _unlawful(field)


def _unlawful(field: str) -> DeliveryError:
    return DeliveryError(
        f"not sent: {field} of the notice is not a reference, a fixed word, a number or a time; "
        "report this as a fault of Spillwatch (the alert itself is stored and can be shown)"
    )
