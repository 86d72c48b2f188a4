"""One crawl in this process: a site scanned, or one address fetched for a person.

A Twisted reactor cannot be started twice, so each of these is called once per process: give a scan a child process of
its own. Both block until the crawl is over and hand every page to the sink before they return.
"""

import importlib
import logging
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import scrapy
import structlog
from scrapy.crawler import AsyncCrawlerProcess

from crawler import description
from crawler.attachments import MAX_ATTACHMENTS
from crawler.capture import attachment_part, linked_capture, web_page_capture
from crawler.fetcher import Fetcher
from crawler.generic import GenericSpider
from crawler.health import FetchFailed
from crawler.interface import NetworkSettings, Sink, SiteSettings
from crawler.links import RESOLVERS, find, resolve
from crawler.safety import forget_proxies, scrapy_settings
from crawler.scan import MAX_LINKS, Scan, linked_page
from crawler.spider import SiteSpider
from model.errors import ConfigError
from model.page import Page, Reason
from model.scan import ScanReport

ASKED = "ignore: asked for by a person"
CHECK_SECONDS = 150.0
"""A person waits: after this a check asks for nothing more, and tells what it has."""
LOGGERS = ("scrapy", "twisted", "asyncio", "protego", "parsel", "feedparser", "py.warnings")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came of one address that a person asked for."""

    page: Page | None
    """The page with its images, or None."""
    reason: Reason | None
    """Why there is no page."""
    linked: tuple[Page, ...] = ()
    """Pages on known paste sites that the page links to."""
    failed: Mapping[Reason, int] = field(default_factory=dict)
    """Images and linked pages that could not be fetched, by reason."""


def run(site: SiteSettings, network: NetworkSettings, sink: Sink, due_at: datetime) -> ScanReport:
    """Scan a site once and return what was covered; pages go to the sink as soon as each is complete.

    A failing site does not raise: it is told in the report. Raises ConfigError if the site's description cannot be
    used, and whatever the sink raises: nothing is skipped then, the next scan repeats.
    """
    spider = spider_for(site, network)
    if site.robots.startswith("ignore"):
        log.info("robots_ignored", site=site.name, why=site.robots.partition(":")[2].strip())

    async def story(crawler: Any) -> ScanReport:
        return await Scan(site, network, sink, spider, Fetcher(crawler)).run(due_at)

    report: ScanReport = _crawl(site, network, story)
    log.info(
        "scan_finished",
        site=site.name,
        listed=report.listed,
        fetched=report.fetched,
        known=report.known,
        failed=sum(report.failed.values()),
        state=report.state.value,
    )
    return report


def fetch(url: str, network: NetworkSettings, sink: Sink | None = None, *, robots: str = ASKED) -> Fetched:
    """Fetch one address with its images and, if the settings say so, the pastes it links to, under the law of scans.

    Each page also goes to `sink.keep`, if a sink is given, with site `check` and its page id as item id.
    """
    site = SiteSettings(name="check", use="", every=0.0, robots=robots, delay=0.2)
    network = replace(network, max_scan_time=min(network.max_scan_time, CHECK_SECONDS))

    async def story(crawler: Any) -> Fetched:
        return await _fetch(Fetcher(crawler), url, network)

    fetched: Fetched = _crawl(site, network, story)
    if sink is not None:
        for page in (*fetched.linked, *([fetched.page] if fetched.page else [])):
            sink.keep(page)
    return fetched


def spider_for(site: SiteSettings, network: NetworkSettings) -> SiteSpider:
    """Return the spider of a site: a description, or a file of code; raises ConfigError if it cannot be used."""
    if site.robots != "obey" and not (site.robots.startswith("ignore:") and site.robots[7:].strip()):
        raise ConfigError(f"sites.{site.name}.robots must be `obey`, or `ignore: <why this is permitted>`")
    described = description.load(site.use, network.descriptions)
    if described is not None:
        return GenericSpider(site, described)
    return _spider_of_code(site, network)


def _spider_of_code(site: SiteSettings, network: NetworkSettings) -> SiteSpider:
    """Return the spider of `crawler/spiders/<use>.py`."""
    known = description.names(network.descriptions)
    if not site.use.isidentifier():
        raise ConfigError(f"sites.{site.name}.use: no description {site.use!r}; known: {', '.join(known)}")
    try:
        module = importlib.import_module(f"crawler.spiders.{site.use}")
    except ModuleNotFoundError as error:
        text = (
            f"sites.{site.name}.use: neither a description nor a spider {site.use!r}; descriptions: {', '.join(known)}"
        )
        raise ConfigError(text) from error
    found: list[type[SiteSpider]] = [
        entry
        for entry in vars(module).values()
        if isinstance(entry, type) and issubclass(entry, SiteSpider) and entry.__module__ == module.__name__
    ]
    spider = found[0]
    unknown = sorted(set(site.options) - spider.options)
    if unknown:
        raise ConfigError(
            f"sites.{site.name}: unknown option {unknown[0]!r}; known: {', '.join(sorted(spider.options))}"
        )
    return spider(site)


class _Host(scrapy.Spider):
    """Scrapy's spider: runs our story inside its engine, which the story then asks for downloads."""

    name = "spillwatch"

    async def start(self) -> AsyncIterator[Any]:
        """Run the story; there are no requests of our own to schedule."""
        self.outcome: Any = None
        self.error: Exception | None = None
        story: Callable[[Any], Awaitable[Any]] = self.story  # type: ignore[attr-defined]  # given by crawl()
        try:
            self.outcome = await story(self.crawler)
        except Exception as error:  # noqa: BLE001 - carried out of the reactor and raised by _crawl
            self.error = error
        nothing: tuple[Any, ...] = ()
        for request in nothing:
            yield request


def _crawl(site: SiteSettings, network: NetworkSettings, story: Callable[[Any], Awaitable[Any]]) -> Any:
    """Run a story in Scrapy, silently, and return its outcome or raise its error."""
    forget_proxies()
    process = AsyncCrawlerProcess(scrapy_settings(network, site))
    silence()
    crawler = process.create_crawler(_Host)
    process.crawl(crawler, story=story)
    spider: list[Any] = []
    crawler.signals.connect(_remember_in(spider), signal=scrapy.signals.spider_closed, weak=False)
    process.start(install_signal_handlers=False)
    if not spider:
        raise RuntimeError("the crawl ended before it began; see the settings in crawler/safety.py")
    if spider[0].error is not None:
        raise spider[0].error
    return spider[0].outcome


def _remember_in(box: list[Any]) -> Callable[..., None]:
    def remember(spider: Any) -> None:
        box.append(spider)

    return remember


def silence() -> None:
    """Keep the libraries' own logs from being written: they quote addresses and bodies."""
    for name in LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers = [logging.NullHandler()]
        logger.propagate = False
        logger.setLevel(logging.CRITICAL + 1)


async def _fetch(fetcher: Fetcher, url: str, network: NetworkSettings) -> Fetched:
    """Return one page, its pictures and the pastes it links to."""
    failed: dict[Reason, int] = {}
    page_id = uuid.uuid4().hex
    try:
        own = resolve(url, _table(network))
        captured = await linked_capture(fetcher, own) if own else web_page_capture(await fetcher.get(url))
    except FetchFailed as failure:
        return Fetched(page=None, reason=failure.reason)
    parts, exchanges = list(captured.parts), list(captured.exchanges)
    for number, address in enumerate(captured.attachments[:MAX_ATTACHMENTS], 1):
        try:
            answer = await fetcher.get(address, "attachment")
        except FetchFailed as failure:
            failed[failure.reason] = failed.get(failure.reason, 0) + 1
        else:
            parts.append(attachment_part(answer, number))
            exchanges.extend(answer.exchanges)
    surplus = len(captured.attachments) - MAX_ATTACHMENTS
    if surplus > 0:
        failed[Reason.LIMIT] = surplus
    page = Page(page_id, "check", page_id, url, datetime.now(UTC), tuple(parts), tuple(exchanges), "checked by hand")
    linked = await _linked(fetcher, page, network, failed) if network.follow_links else ()
    return Fetched(page=page, reason=None, linked=linked, failed=failed)


async def _linked(
    fetcher: Fetcher, page: Page, network: NetworkSettings, failed: dict[Reason, int]
) -> tuple[Page, ...]:
    """Return the pastes that a checked page links to."""
    pages = []
    for link in find(page.parts, network.link_hosts)[:MAX_LINKS]:
        if page.url in {link.url, link.content_url}:
            continue
        try:
            captured = await linked_capture(fetcher, link)
        except FetchFailed as failure:
            failed[failure.reason] = failed.get(failure.reason, 0) + 1
            continue
        found = linked_page(link, captured, "check", "", page.page_id)
        pages.append(replace(found, item_id=found.page_id))
    return tuple(pages)


def _table(network: NetworkSettings) -> dict[str, Any]:
    """Return which host is read by which resolver."""
    table = {host: resolver for resolver in RESOLVERS for host in resolver.hosts}
    table.update({host: resolver for resolver in RESOLVERS for host in network.link_hosts.get(resolver.name, ())})
    return table
