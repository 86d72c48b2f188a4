"""Sitemaps: the pages that a site itself lists for search engines, read when they are new or changed.

`Sitemap:` lines of robots.txt name them, else /sitemap.xml is tried; an index leads to further ones; they are XML,
packed or not, or a plain list of addresses (https://www.sitemaps.org/protocol.html). Dates in them are often wrong, so
that a page counts as known by its address and date together, whatever the date says.
"""

import re
import zlib
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, ClassVar
from urllib.parse import urljoin, urlsplit

import structlog
from lxml.etree import XMLSyntaxError  # type: ignore[import-untyped]
from scrapy.utils.sitemap import Sitemap as Entries
from scrapy.utils.sitemap import sitemap_urls_from_robots

from crawler.capture import web_page_capture
from crawler.expressions import moment
from crawler.fetcher import Answer, Fetcher
from crawler.health import FetchFailed
from crawler.interface import SiteSettings, Validators
from crawler.profile import Profile, Tested
from crawler.reading import short_id
from crawler.spider import Capture, Item, Listing, SiteSpider, Stream
from model.errors import ConfigError
from model.page import Reason

MOST = 500
"""Sitemaps that are read of one site."""
LARGEST = 50_000_000
"""Bytes of one sitemap, unpacked, as the protocol has it."""

log = structlog.get_logger(__name__)


class Sitemap(SiteSpider):
    """New and changed pages of one site, with their pictures and files."""

    options: ClassVar[frozenset[str]] = frozenset({"root", "sitemap", "only", "limit"})
    profile = Profile(
        about="the pages, pictures and files that a site lists in its sitemaps, new and changed ones (code)",
        mode="watch list",
        limits="At most `limit` new pages in a scan (200), newest first; what is left is counted as cap-reached and "
        "read by the next scans. Images that a sitemap lists apart from pages are not read.",
        terms="Sitemaps are made for programs; robots.txt of the site is obeyed for each page.",
        every=600.0,
        tested=Tested("recording", "2026-11-24"),
    )

    def __init__(self, site: SiteSettings) -> None:
        """Take `root`, and optionally `sitemap` (one or several), `only` (a regular expression) and `limit`."""
        super().__init__(site)
        if not site.options.get("root"):
            raise ConfigError(f"sites.{site.name}: 'sitemap' needs the option 'root', the address of the site")
        self.root = str(site.options["root"]).rstrip("/")
        named = site.options.get("sitemap") or []
        self.waiting = [str(url) for url in (named if isinstance(named, list) else [named])]
        self.only = re.compile(str(site.options.get("only", "")))
        self.limit = int(site.options.get("limit", 200))
        self.taken = 0
        """New pages of this scan."""

    async def streams(self, fetcher: Fetcher) -> AsyncIterator[Stream]:
        """Yield each sitemap; an index, once read, adds those that it names."""
        self.waiting = self.waiting or await self._named_by_robots(fetcher)
        seen: set[str] = set()
        while self.waiting:
            url = self.waiting.pop(0)
            if url in seen:
                continue
            if len(seen) == MOST:
                raise FetchFailed(Reason.LIMIT, f"the site has more than {MOST} sitemaps")
            seen.add(url)
            yield Stream(f"sitemap {url}", start=url)

    async def listing(
        self, fetcher: Fetcher, stream: Stream, place: str, cursor: str | None, validators: Validators | None
    ) -> Listing:
        """Return the pages of one sitemap, newest first; an index has none of its own."""
        answer = await fetcher.get(stream.start, "listing", validators=validators)
        if answer.unchanged:
            return Listing(items=(), answer=answer)
        kind, entries = _read(answer)
        if kind == "sitemapindex":
            self.waiting += [urljoin(answer.url, entry["loc"]) for entry in entries if entry.get("loc")]
            # Without validators it is asked for whole again: the sitemaps below may change while the index does not.
            return Listing(items=(), answer=replace(answer, headers=()))
        items = [self._item(answer.url, entry) for entry in entries]
        known = [item for item in items if item is not None]
        if entries and not known:
            raise FetchFailed(Reason.CHANGED, "no entry of the sitemap has an address")
        wanted = [item for item in known if self._is_here(item.url) and self.only.search(item.url)]
        if len(wanted) < len(known):
            log.info("sitemap_entries_left", site=self.site.name, count=len(known) - len(wanted))
        wanted.sort(key=lambda item: item.published_at.timestamp() if item.published_at else 0.0, reverse=True)
        return Listing(items=tuple(wanted), answer=answer, unreadable=len(items) - len(known))

    async def capture(self, fetcher: Fetcher, item: Item, listing: Listing) -> Capture:
        """Return the page, with its pictures and files, as long as the scan may take more."""
        self.taken += 1
        if self.taken > self.limit:
            raise FetchFailed(Reason.LIMIT, "the scan has taken its number of new pages")
        return web_page_capture(await fetcher.get(item.url))

    async def _named_by_robots(self, fetcher: Fetcher) -> list[str]:
        """Return the sitemaps that robots.txt names, or the usual one."""
        usual = [f"{self.root}/sitemap.xml"]
        try:
            answer = await fetcher.get(f"{self.root}/robots.txt", "listing")
        except FetchFailed as failure:
            if failure.reason is not Reason.GONE:
                raise
            return usual
        return list(sitemap_urls_from_robots(answer.body, answer.url)) or usual

    def _item(self, base: str, entry: dict[str, Any]) -> Item | None:
        """Return one entry as an item, or None if it has no address."""
        url = urljoin(base, str(entry.get("loc") or ""))
        if not entry.get("loc") or not url.startswith(("http://", "https://")):
            return None
        changed = str(entry.get("lastmod") or "")
        return Item(item_id=short_id(f"{url}@{changed}" if changed else url), url=url, published_at=moment(changed))

    def _is_here(self, url: str) -> bool:
        """Tell whether a page lies on the site itself: a sitemap may not send us elsewhere."""
        return _host(url) == _host(self.root)


def _read(answer: Answer) -> tuple[str, list[dict[str, Any]]]:
    """Return what a sitemap is, `urlset` or `sitemapindex`, and its entries."""
    data = _unpacked(answer.body)
    if data.lstrip()[:1] != b"<":
        lines = data.decode("utf-8", "replace").split()
        if lines and all(line.startswith(("http://", "https://")) for line in lines):
            return "urlset", [{"loc": line} for line in lines]
        raise FetchFailed(Reason.CHANGED, "the answer is not a sitemap")
    if re.search(rb"<!ENTITY", data[:20_000]):
        raise FetchFailed(Reason.BOMB, "a sitemap that declares entities")
    try:
        entries = Entries(data)
        found = list(entries)
    except (XMLSyntaxError, StopIteration):
        raise FetchFailed(Reason.CHANGED, "the answer is not a sitemap") from None
    if entries.type not in {"urlset", "sitemapindex"}:
        raise FetchFailed(Reason.CHANGED, "the answer is not a sitemap")
    return entries.type, found


def _unpacked(data: bytes) -> bytes:
    """Return a sitemap as text; a packed one is unpacked up to the limit of the protocol."""
    if data[:2] != b"\x1f\x8b":
        return data
    unpacker = zlib.decompressobj(wbits=31)
    try:
        text = unpacker.decompress(data, LARGEST)
    except zlib.error:
        raise FetchFailed(Reason.MALFORMED, "the sitemap cannot be unpacked") from None
    if unpacker.unconsumed_tail:
        raise FetchFailed(Reason.BOMB, "a sitemap larger than sitemaps may be")
    return text


def _host(url: str) -> str:
    return (urlsplit(url).hostname or "").removeprefix("www.")
