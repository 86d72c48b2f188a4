"""What a site is to a scan: streams of lists, and how an item of a list becomes a page.

A spider of code subclasses `SiteSpider` in one file of `crawler/spiders/`; described sites share
`crawler/generic.py`. Order, cursors, duplicates, images, links and failures are the scan's (`crawler/scan.py`).
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, ClassVar

from crawler.fetcher import Answer, Fetcher
from crawler.interface import SiteSettings, Validators
from crawler.profile import Profile
from model.page import Exchange, Part, Reason


@dataclass(frozen=True, slots=True)
class Item:
    """One entry of a list. Its repr shows no content."""

    item_id: str = field(repr=False)
    """The site's own id, unique within the site."""
    url: str = field(repr=False)
    """Permalink for people."""
    parts: tuple[Part, ...] = field(default=(), repr=False)
    """What the list itself gave of it."""
    attachments: tuple[str, ...] = field(default=(), repr=False)
    """URLs of pictures and files that belong to it."""
    published_at: datetime | None = None
    author: str | None = field(default=None, repr=False)
    thread_id: str | None = field(default=None, repr=False)
    fields: dict[str, Any] = field(default_factory=dict, repr=False)
    """What the spider needs to capture it."""


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of a list."""

    items: tuple[Item, ...]
    """Newest first, as sites give them."""
    answer: Answer
    next: str | None = None
    """Where the list goes on, in the spider's own terms; None at its end."""
    unreadable: int = 0
    """Entries without an id: counted as failed, never dropped."""
    token: str | None = field(default=None, repr=False)
    """The site's own word for where the next scan goes on."""
    wait: float = 0.0
    """Seconds for which the answer asks to be left alone."""


@dataclass(frozen=True, slots=True)
class Stream:
    """One list of a site, with a cursor of its own."""

    name: str
    """Stable over scans; for the database."""
    cursor: str = "seen"
    """`seen` (marks of the newest items), `id` (largest), `time` (latest publication) or `token` (the site's word)."""
    overlap: float = 300.0
    """For `time`: seconds before the cursor that are read again; lists are sorted by update or filled late."""
    keep: str = "first"
    """For `token`: whether the `first` or the `last` page of a scan has the token to save."""
    backfill: int = 1
    """Pages read the first time; later scans read until they meet what is known."""
    conditional: bool = True
    """Whether to ask only for what changed."""
    start: str = ""
    """Where it begins, in the spider's own terms."""


@dataclass(frozen=True, slots=True)
class Capture:
    """What an item turned out to be: the parts and exchanges of its page."""

    parts: tuple[Part, ...]
    exchanges: tuple[Exchange, ...]
    attachments: tuple[str, ...] = field(default=(), repr=False)
    published_at: datetime | None = None
    """When the list did not say."""
    author: str | None = field(default=None, repr=False)
    """When the list did not say."""
    failures: tuple[Reason, ...] = ()
    """Why something that belongs to it is missing: counted, never silent."""


class SiteSpider(ABC):
    """How one kind of site is read."""

    options: ClassVar[frozenset[str]] = frozenset()
    """Options of config.yaml that it knows."""
    profile: Profile
    """What an operator should know of it."""
    cookies: bool = False
    """Whether cookies are kept for the length of a scan."""
    cost: float = 0.0
    """Money that one listed item costs."""
    budget: float = 0.0
    """Money that a month may cost, if items cost any."""
    attachment_headers: Mapping[str, str] = MappingProxyType({})
    """Sent with the requests for pictures and files of an item: some hosts give none without a Referer."""

    def __init__(self, site: SiteSettings) -> None:
        self.site = site

    @abstractmethod
    def streams(self, fetcher: Fetcher) -> AsyncIterator[Stream]:
        """Yield the lists to read."""

    @abstractmethod
    async def listing(
        self, fetcher: Fetcher, stream: Stream, place: str, cursor: str | None, validators: Validators | None
    ) -> Listing:
        """Return one page of a list; `place` is the stream's start or the `next` of the page before."""

    async def capture(self, fetcher: Fetcher, item: Item, listing: Listing) -> Capture:
        """Return what the item is; by default what the list gave, with the list as evidence."""
        return Capture(parts=item.parts, exchanges=listing.answer.exchanges, attachments=item.attachments)
