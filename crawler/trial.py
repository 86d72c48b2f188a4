"""One page of a site's first list, to see what a description makes of it: nothing is kept, no link is followed."""

import dataclasses
from collections import Counter
from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar

import structlog
from parsel import Selector

from crawler.fetcher import Fetcher
from crawler.generic import GenericSpider
from crawler.health import FetchFailed
from crawler.interface import NetworkSettings, SiteSettings
from crawler.runner import crawl, spider_for
from crawler.spider import Capture, Item, SiteSpider, Stream
from model.errors import ConfigError
from model.page import Part, Reason

SHOWN = 60
"""Characters of an item's text that are shown."""
FIELDS = ("time", "author", "title", "text", "files", "thread", "link")
"""What is looked for; `text` is `html`, too."""
USUAL = ("time", "author", "text")
"""What an item of any site should have."""
Result = TypeVar("Result")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Seen:
    """One item as it was recognised. Its repr shows no content."""

    item_id: str = field(repr=False)
    url: str = field(repr=False)
    at: datetime | None
    author: str | None = field(repr=False)
    parts: int
    attachments: int
    text: str = field(repr=False)
    """Its beginning."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of one page of a list."""

    items: tuple[Seen, ...] = ()
    listed: int = 0
    """Entries on the page; more than were looked at, if there are many."""
    failed: Mapping[Reason, int] = field(default_factory=dict)
    """Entries that could not be read, by reason."""
    missing: Mapping[str, str] = field(default_factory=dict)
    """Field that no item has → its rule in the description; empty if there is none."""
    reason: Reason | None = None
    """Why the list could not be read."""
    why: str = ""
    """The same in words, without content."""
    cost: float = 0.0
    """Money that the entries cost."""


def look(site: SiteSettings, network: NetworkSettings, most: int) -> Trial:
    """Fetch one page of the site's first list, and of its first `most` items what lies elsewhere.

    Raises ConfigError if the site's description or options cannot be used. Call it once per process, as the scans.
    """
    spider = spider_for(site, network)

    async def story(fetcher: Fetcher) -> Trial:
        try:
            return await _look(spider, fetcher, most)
        except FetchFailed as failure:
            return Trial(reason=failure.reason, why="" if str(failure) == failure.reason.value else str(failure))

    quiet = replace(network, follow_links=False)
    trial: Trial = crawl(site, quiet, story, spider)
    return trial


async def _look(spider: SiteSpider, fetcher: Fetcher, most: int) -> Trial:
    stream = await _own_faults_told(anext(spider.streams(fetcher)))
    listing = await _own_faults_told(spider.listing(fetcher, stream, stream.start, None, None))
    seen: list[Seen] = []
    found: set[str] = set()
    failed: Counter[Reason] = Counter({Reason.CHANGED: listing.unreadable} if listing.unreadable else {})
    for item in listing.items[:most]:
        try:
            captured = await _own_faults_told(spider.capture(fetcher, item, listing))
        except FetchFailed as failure:
            failed[failure.reason] += 1
            continue
        seen.append(_seen(item, captured))
        found |= _fields_of(item, captured, listing.answer.url)
    listed = len(listing.items) + listing.unreadable
    missing = _missing(spider, stream, seen, found)
    return Trial(tuple(seen), listed, failed, missing, cost=listed * spider.cost)


async def _own_faults_told(step: Awaitable[Result]) -> Result:
    """Return what a step of the spider gives; what the spider itself gets wrong is told without content."""
    try:
        return await step
    except (FetchFailed, ConfigError):
        raise
    except Exception as error:
        log.exception("spider_failed", error=type(error).__name__)
        raise FetchFailed(Reason.INTERNAL, f"the spider failed ({type(error).__name__})") from error


def _fields_of(item: Item, captured: Capture, listed_at: str) -> set[str]:
    """Return which of the known fields an item has."""
    has = {
        "time": item.published_at or captured.published_at,
        "author": item.author or captured.author,
        "title": _has(captured, "title"),
        "text": _has(captured, "body"),
        "files": captured.attachments or item.attachments,
        "thread": item.thread_id,
        "link": item.url != listed_at,
    }
    return {name for name, value in has.items() if value}


def _missing(spider: SiteSpider, stream: Stream, seen: list[Seen], found: set[str]) -> dict[str, str]:
    """Return the fields that were described, or that any site should have, and that no item has."""
    if not seen:
        return {}
    rules: dict[str, str] = {}
    if isinstance(spider, GenericSpider):
        described = spider.plans[stream.name].rules
        for told in (dataclasses.asdict(described.raw) if described.raw else {}, described.fields):
            rules |= {name: str(told[name]) for name in FIELDS if told.get(name)}
            rules |= {"text": str(told["html"])} if told.get("html") else {}
    return {name: rules.get(name, "") for name in FIELDS if name not in found and (name in rules or name in USUAL)}


def _seen(item: Item, captured: Capture) -> Seen:
    return Seen(
        item_id=item.item_id,
        url=item.url,
        at=item.published_at or captured.published_at,
        author=item.author or captured.author,
        parts=len(captured.parts),
        attachments=len(captured.attachments),
        text=_beginning(captured.parts),
    )


def _has(captured: Capture, provenance: str) -> bool:
    return any(part.provenance == provenance and part.data.strip() for part in captured.parts)


def _beginning(parts: Iterable[Part]) -> str:
    """Return the first characters of an item: of its body, or else of its title."""
    texts = {part.provenance: part for part in reversed(tuple(parts))}
    part = texts.get("body") or texts.get("title")
    if part is None:
        return ""
    if part.media_type and not part.media_type.startswith(("text/", "application/json")):
        return f"({part.media_type}, {len(part.data)} bytes)"
    text = part.data[:20_000].decode(part.charset or "utf-8", "replace")
    if part.media_type == "text/html":
        text = Selector(text=text or " ", type="html").xpath("string(.)").get("")
    return " ".join(text.split())[:SHOWN]
