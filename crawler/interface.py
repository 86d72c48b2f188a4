"""What the crawler needs from others, and what a site is to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from model.page import Page, Reason
from model.scan import Gap
from model.scan import Validators as Validators  # noqa: PLC0414  (re-exported: a site speaks of it)


@dataclass(frozen=True, slots=True)
class Expectation:
    """`expect:` of a site: fewer new items than this within the time is itself an alert."""

    items: int = 1
    """New items."""
    within: float = 86_400.0
    """Seconds."""


@dataclass(frozen=True, slots=True)
class SiteSettings:
    """One entry under `sites:` in config.yaml."""

    name: str
    """The key it stands under."""
    use: str
    """The description in `crawler/sites/` (or the operator's folder), or what `crawler/spiders/` or `streams/` has."""
    every: float
    """Seconds between scans; 0 for a stream, which is read as it comes."""
    robots: str = "obey"
    """`obey`, or `ignore: <why this is permitted>`: an explicit, logged choice."""
    terms: str = ""
    """`accepted` for a site that is off by default: the operator read its note and may use it."""
    expect: Expectation | None = None
    delay: float = 2.0
    """Seconds between two requests to one host."""
    via: str = "direct"
    """`direct`, or `tor`: everything of this site through `network.tor`, text only."""
    images: bool = True
    """Fetch pictures and files of items; false: text only, as is fit over Tor."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Whatever else the description or spider names: `root`, `community`, `url` …"""


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """`network:` in config.yaml: the one law for spiders and checks by hand."""

    contact: str = ""
    """A URL or mail address that goes into the User-Agent, so that a site can complain to a person."""
    allow: tuple[str, ...] = ()
    """`host:port` that may be fetched although private, loopback or on another port than 80 and 443."""
    timeout: float = 30.0
    """Seconds for one response."""
    max_bytes: int = 20_000_000
    """Largest response body, decoded."""
    max_pages: int = 2_000
    """Largest number of requests in one scan."""
    max_pages_per_host: int = 1_000
    """Largest number of requests to one host in one scan."""
    max_scan_bytes: int = 500_000_000
    """Most bytes that one scan receives in all."""
    max_scan_time: float = 2_700.0
    """Seconds after which a scan asks for nothing more."""
    tor: str = ""
    """`address:port` of a SOCKS5 proxy of Tor; without it no onion host is fetched."""
    follow_links: bool = True
    """Follow links from posts to known paste sites, once."""
    link_hosts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Resolver of `crawler/resolvers/table.py` → further hosts (`host` or `host:port`) that it reads."""
    link_robots: str = "resolver"
    """Whether robots.txt binds a single linked item: `resolver` (each decides, with a reason) or `obey` (always)."""
    link_anywhere: bool = True
    """Follow links that are unmistakable on any public host: PrivateBin with its key, files of an allow-listed type."""
    descriptions: Path | None = None
    """A folder with site descriptions of the operator's own."""


class Sink(Protocol):
    """Where pages go. Each method is one transaction; when it returns, a crash loses nothing of it."""

    def is_new(self, site: str, item_id: str) -> bool:
        """Tell whether this item was neither kept nor given up before."""
        ...

    def keep(self, page: Page) -> None:
        """Store the page, sealed, and remember its item as seen, together."""
        ...

    def give_up(self, site: str, item_id: str, reason: Reason) -> None:
        """Remember an item that will never be fetched (gone, forbidden), so that it is not asked for again."""
        ...

    def cursor(self, site: str, stream: str) -> str | None:
        """Return the cursor saved for one list of the site."""
        ...

    def save_cursor(self, site: str, stream: str, cursor: str) -> None:
        """Save the cursor; called only after all pages before it were kept or given up."""
        ...

    def keep_many(self, site: str, kept: Sequence[Page], stream: str = "", cursor: str | None = None) -> int:
        """Store those pages of a stream whose items are new, and the cursor that passes them; return how many."""
        ...

    def note_gap(self, gap: Gap) -> None:
        """Remember a stretch of a stream that was not read as it came."""
        ...

    def waiting(self, most: int) -> int:
        """Return how many pages wait to be examined, counted up to `most`."""
        ...

    def validators(self, site: str, stream: str) -> Validators:
        """Return what the server last gave for this list."""
        ...

    def save_validators(self, site: str, stream: str, validators: Validators) -> None:
        """Save them; called only when all items of that list were kept or given up."""
        ...
