"""A page: one captured item with its raw bytes, what is read from it, and how each part of it ended."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

Headers = tuple[tuple[str, str], ...]
"""Header names and values, in the order sent, duplicates kept; latin-1 decoded."""


class Reason(StrEnum):
    """Why a part, a page or an item was not examined: the only words in which that is ever said."""

    TEXT_FREE = "text-free"
    DUPLICATE = "duplicate"
    UNSUPPORTED = "type-not-supported"
    ENCRYPTED = "encrypted"
    TOO_BIG = "too-big"
    BOMB = "bomb"
    CRASH = "crash"
    TIMEOUT = "timeout"
    MALFORMED = "malformed"
    GONE = "gone"
    BLOCKED = "blocked"
    ROBOTS = "robots"
    RATE_LIMITED = "rate-limited"
    LOGIN = "login-needed"
    CHANGED = "layout-changed"
    FORBIDDEN_ADDRESS = "forbidden-address"
    NETWORK = "network"
    SERVER = "server-error"
    LIMIT = "cap-reached"
    LEFT_ALONE = "left-alone"
    GAP = "stream-gap"
    INTERNAL = "internal-error"
    CAPTCHA = "captcha"
    CHALLENGE = "challenge"
    SESSION = "session-ended"
    ACCESS = "no-access"
    EARLY = "too-early"
    QUERY = "query-names-a-record"
    MISCONFIGURED = "misconfigured"
    PAUSED = "paused"
    STOPPED = "stopped"
    OVERRUN = "overrun"
    NOT_RUN = "not-run"


@dataclass(frozen=True, slots=True)
class Exchange:
    """One HTTP request and its response, as they were on the wire. Its repr shows no content."""

    url: str = field(repr=False)
    method: str
    request_headers: Headers = field(repr=False)
    status: int
    response_headers: Headers = field(repr=False)
    body: bytes = field(repr=False)
    """The payload as received: after transfer coding, before content coding (gzip stays gzip)."""
    started_at: datetime
    finished_at: datetime
    role: str
    """`item`, `redirect`, `listing`, `image` or `attachment`."""
    peer: str | None = None
    """The address that answered, if known."""


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a page that waits to be decoded. Its repr shows no content."""

    provenance: str = field(repr=False)
    """Where it stood: `body`, `title`, `author`, `image 2`, `attachment list.xlsx`."""
    media_type: str
    """As declared, without parameters, lower case; empty if unknown."""
    data: bytes = field(repr=False)
    """Content-decoded bytes."""
    name: str = field(default="", repr=False)
    """The file's name if it had one; never used as a path."""
    charset: str | None = None
    """As declared, if declared."""


@dataclass(frozen=True, slots=True)
class Page:
    """One captured item: a paste, post, comment, file or web page. Its repr shows no content."""

    page_id: str
    """32 hex digits, random, given by the fetcher."""
    site: str
    """Name of the site in config.yaml; `check` for what a person asked for."""
    item_id: str = field(repr=False)
    """The site's own id of the item."""
    url: str = field(repr=False)
    """Permalink for people."""
    fetched_at: datetime
    parts: tuple[Part, ...]
    """What is to be decoded and matched."""
    exchanges: tuple[Exchange, ...]
    """What was on the wire, for the evidence."""
    why: str
    """Why it was fetched, in fixed words: `listed`, `linked from <page_id>`, `checked by hand`."""
    published_at: datetime | None = None
    thread_id: str | None = field(default=None, repr=False)
    author: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of text found in a page. Its repr shows no content."""

    text: str = field(repr=False)
    provenance: str = field(repr=False)
    """`body`, `title`, `image 2 (OCR)`, `attachment a.zip/b.pdf page 2`."""
    ocr: bool = False
    """Read from pixels: characters may be confused, cells glued; borders of words mean nothing."""


@dataclass(frozen=True, slots=True)
class PartOutcome:
    """How one part ended; numbers and fixed words only."""

    part: int
    """Index into `Page.parts`."""
    state: str
    """`read`, `skipped` or `quarantined`."""
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class Decoded:
    """What the decoders made of a page: `outcomes` has at least one entry for each part."""

    passages: tuple[Passage, ...]
    outcomes: tuple[PartOutcome, ...]
