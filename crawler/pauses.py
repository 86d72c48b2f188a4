"""How long a site is left alone: remembered over scans, growing while it goes on refusing, forgotten when it works.

Each list of a site has a pause of its own, since lists may lie on different servers; while all of them are paused, so
is the site. Pauses rest beside the cursors. A change of the site's entry in config.yaml (a new cookie, another address)
lifts them: a person has done something.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Protocol

from crawler.health import FetchFailed, consequence
from crawler.interface import SiteSettings
from model.page import Reason

STREAM = "paused-until"
"""The list of each site under which its pause is remembered."""


class Memory(Protocol):
    """Where pauses rest: the part of a `crawler.interface.Sink` that keeps cursors."""

    def cursor(self, site: str, stream: str) -> str | None:
        """Return what was saved."""
        ...

    def save_cursor(self, site: str, stream: str, cursor: str) -> None:
        """Save it."""
        ...


@dataclass(frozen=True, slots=True)
class Pause:
    """A site that is left alone, or was lately and has not worked since."""

    until: datetime
    reason: Reason
    times: int
    """How often in a row it was paused for this reason."""


def present(site: SiteSettings, memory: Memory, now: datetime, place: str = "") -> Pause | None:
    """Return the pause that is in force, or None if the list `place` (the whole site, without) may be asked."""
    pause = _last(site, memory, place)
    return pause if pause is not None and pause.until > now else None


def begin(site: SiteSettings, memory: Memory, failure: FetchFailed, now: datetime, place: str = "") -> Pause | None:
    """Remember that the list is to be left alone after this failure, and return until when; None if it need not be."""
    last = _last(site, memory, place)
    times = 1 + (last.times if last is not None and last.reason is failure.reason else 0)
    seconds = consequence(failure.reason).pause_after(times, failure.pause)
    if seconds <= 0:
        return None
    pause = Pause(now + timedelta(seconds=seconds), failure.reason, times)
    keep(site, memory, pause, place)
    return pause


def keep(site: SiteSettings, memory: Memory, pause: Pause, place: str = "") -> None:
    """Remember a pause of one list, or of the whole site."""
    told = asdict(pause) | {"until": pause.until.isoformat(), "entry": _entry(site)}
    memory.save_cursor(site.name, _stream(place), json.dumps(told))


def end(site: SiteSettings, memory: Memory, place: str = "") -> None:
    """Forget the pause of a list that works."""
    if memory.cursor(site.name, _stream(place)):
        memory.save_cursor(site.name, _stream(place), "")


def _stream(place: str) -> str:
    return f"{STREAM} {place}".strip()


def _last(site: SiteSettings, memory: Memory, place: str) -> Pause | None:
    saved = memory.cursor(site.name, _stream(place))
    if not saved:
        return None
    if not saved.startswith("{"):
        return Pause(datetime.fromisoformat(saved), Reason.RATE_LIMITED, 1)  # as earlier versions remembered it
    told = json.loads(saved)
    if told["entry"] != _entry(site):
        return None
    return Pause(datetime.fromisoformat(told["until"]).astimezone(UTC), Reason(told["reason"]), int(told["times"]))


def _entry(site: SiteSettings) -> str:
    """Return a digest of the site's entry, except of what says how often it is scanned."""
    entry: Mapping[str, object] = {"use": site.use, "robots": site.robots, "options": site.options}
    return sha256(json.dumps(entry, sort_keys=True, default=str).encode()).hexdigest()[:16]
