"""A scan: one run over a site, and the statement of what it covered."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from model.page import Reason


class SiteState(StrEnum):
    """How a site stands, with since-when in the database."""

    WORKING = "working"
    SLOW = "slow"
    BLOCKED = "blocked"
    LOGIN = "needs-login"
    CHANGED = "changed"
    SILENT = "silent"
    FAILING = "failing"


FIELDS = ("text", "author", "time")
"""What an item usually has; how often it is missing tells a change of layout."""


@dataclass(frozen=True, slots=True)
class Measures:
    """What a scan is compared by with the earlier ones of its site."""

    taken: int = 0
    """New items of the lists themselves, without what they link to."""
    empty: Mapping[str, int] = field(default_factory=dict)
    """Of these, how many had none of a field (one of `FIELDS`)."""
    unchanged: int = 0
    """Lists that the server said have not changed."""
    pace: float | None = None
    """Seconds that a request took in the median, the wait for its turn included."""


@dataclass(frozen=True, slots=True)
class ScanReport:
    """What one scan did: listed = fetched + known + failed."""

    site: str
    due_at: datetime
    started_at: datetime
    finished_at: datetime
    listed: int = 0
    """Items on the lists read, links followed included."""
    fetched: int = 0
    """Pages handed to storage."""
    known: int = 0
    """Items seen before, or lists that the server said have not changed."""
    failed: Mapping[Reason, int] = field(default_factory=dict)
    """Items that could not be fetched, by reason."""
    state: SiteState = SiteState.WORKING
    reason: Reason | None = None
    """Why the state is not WORKING."""
    measures: Measures = field(default_factory=Measures)
    paused_until: datetime | None = None
    """The site is to be left alone until then."""


class GapReason(StrEnum):
    """Why a stretch of a stream was not read as it came."""

    TOO_SLOW = "consumer-too-slow"
    """The server ended the connection because we did not keep up."""
    TOO_OLD = "cursor-too-old"
    """The server no longer has what follows our cursor, and says so."""
    CLAMPED = "look-back-exceeded"
    """The server began later than at our cursor."""
    NO_REPLAY = "no-replay"
    """The server repeats nothing of what it sent while we were not connected."""
    LOST = "history-lost"
    """The server no longer has what it had sent us before."""
    TOO_BIG = "too-big-to-replay"
    """A change of which the server sends no more than that there was one."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch of a stream that was not read as it came."""

    site: str
    since: datetime | None
    """Time of the last that was read before; None if the stream does not tell."""
    until: datetime
    """Time of the first that was read after it."""
    reason: GapReason
    filled: bool
    """Whether all of it was fetched by other means."""


@dataclass(frozen=True, slots=True)
class Validators:
    """What makes a GET conditional (RFC 9110 §13)."""

    etag: str | None = None
    last_modified: str | None = None
