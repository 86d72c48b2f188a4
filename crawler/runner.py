"""One crawl in this process: a site scanned, or one address fetched for a person.

A Twisted reactor cannot be started twice, so each of these is called once per process: give a scan a child process of
its own. Both block until the crawl is over and hand every page to the sink before they return.
"""

import logging
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import scrapy
import structlog
from scrapy.crawler import AsyncCrawlerProcess

from crawler import catalogue, description
from crawler.capture import web_page_capture, with_attachments
from crawler.fetcher import Fetcher
from crawler.following import Follower, Step, not_followed
from crawler.generic import GenericSpider
from crawler.health import FetchFailed
from crawler.intake import linked_page
from crawler.interface import NetworkSettings, Sink, SiteSettings
from crawler.links import Table
from crawler.profile import Profile
from crawler.safety import forget_proxies, scrapy_settings
from crawler.scan import Scan
from crawler.spider import Capture, SiteSpider
from model.errors import ConfigError
from model.page import Page, Part, Reason
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

    async def story(fetcher: Fetcher) -> ScanReport:
        return await Scan(site, network, sink, spider, fetcher).run(due_at)

    report: ScanReport = crawl(site, network, story, spider)
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

    async def story(fetcher: Fetcher) -> Fetched:
        return await _fetch(fetcher, url, network)

    fetched: Fetched = crawl(site, network, story)
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
        _obey(site, described.profile)
        return GenericSpider(site, described)
    kind = catalogue.spider_of_code(site.use)
    if kind is None:
        raise ConfigError(f"sites.{site.name}.use: {catalogue.unknown(site.use, network.descriptions)}")
    _obey(site, kind.profile)
    unknown = sorted(set(site.options) - kind.options)
    if unknown:
        known = ", ".join(sorted(kind.options))
        raise ConfigError(f"sites.{site.name}: unknown option {unknown[0]!r}; known: {known}")
    return kind(site)


def _obey(site: SiteSettings, profile: Profile) -> None:
    """Refuse a site whose terms were not accepted, or that would be asked more often than it wants."""
    if profile.off and site.terms != "accepted":
        raise ConfigError(
            f"sites.{site.name}: {site.use!r} is off by default: {profile.off} "
            "If you may read it, write `terms: accepted` under the site"
        )
    if site.every < profile.every:
        raise ConfigError(f"sites.{site.name}.every: {site.use!r} wants at least {profile.every:g}s between scans")


class _Host(scrapy.Spider):
    """Scrapy's spider: runs our story inside its engine, which the story then asks for downloads."""

    name = "spillwatch"

    async def start(self) -> AsyncIterator[Any]:
        """Run the story; there are no requests of our own to schedule."""
        self.outcome: Any = None
        self.error: Exception | None = None
        story: Callable[[Fetcher], Awaitable[Any]] = self.story  # type: ignore[attr-defined]  # given by crawl()
        fetcher = Fetcher(self.crawler)
        fetcher.cookies = self.cookies  # type: ignore[attr-defined]
        try:
            self.outcome = await story(fetcher)
        except Exception as error:  # noqa: BLE001 - carried out of the reactor and raised by crawl
            self.error = error
        nothing: tuple[Any, ...] = ()
        for request in nothing:
            yield request


def crawl(
    site: SiteSettings,
    network: NetworkSettings,
    story: Callable[[Fetcher], Awaitable[Any]],
    spider: SiteSpider | None = None,
) -> Any:
    """Run a story in Scrapy, silently, and return its outcome or raise its error.

    The spider, if there is one, says what the site wants: a longest of delays, cookies.
    """
    if spider is not None:
        site = replace(site, delay=max(site.delay, spider.profile.delay))
    forget_proxies()
    process = AsyncCrawlerProcess(scrapy_settings(network, site))
    silence()
    crawler = process.create_crawler(_Host)
    process.crawl(crawler, story=story, cookies=spider is not None and spider.cookies)
    host: list[Any] = []
    crawler.signals.connect(_remember_in(host), signal=scrapy.signals.spider_closed, weak=False)
    process.start(install_signal_handlers=False)
    if not host:
        raise RuntimeError("the crawl ended before it began; see the settings in crawler/safety.py")
    if host[0].error is not None:
        raise host[0].error
    return host[0].outcome


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
    """Return one page, its pictures and what it links to."""
    follower = Follower(fetcher, Table(network), most=network.max_pages // 2, by_hand=True)
    try:
        captured = await _asked_for(fetcher, follower, url)
    except FetchFailed as failure:
        return Fetched(page=None, reason=failure.reason)
    page_id = uuid.uuid4().hex
    whole = await with_attachments(fetcher, captured)
    failed = whole.failed
    linked: list[Page] = []
    if network.follow_links:
        linked, told = await _linked(follower, captured, url, page_id, failed)
        whole.parts.extend(told)
    parts, exchanges = tuple(whole.parts), tuple(whole.exchanges)
    page = Page(page_id, "check", page_id, url, datetime.now(UTC), parts, exchanges, "checked by hand")
    return Fetched(page=page, reason=None, linked=tuple(linked), failed=dict(+failed))


async def _asked_for(fetcher: Fetcher, follower: Follower, url: str) -> Capture:
    """Return what an address leads to: as the table says, or the web page or file there."""
    own = follower.table.resolve(url)
    refusal = own.resolver.refusal if own is not None else None
    if refusal is not None and refusal.reason in {Reason.LEFT_ALONE, Reason.ENCRYPTED}:
        raise FetchFailed(refusal.reason, refusal.why)
    if own is None or refusal is not None or own.resolver.shortens or own.content_url == url:
        return web_page_capture(await fetcher.get(url))
    return await follower.capture(own, ())


async def _linked(
    follower: Follower, captured: Capture, url: str, page_id: str, failed: Counter[Reason]
) -> tuple[list[Page], tuple[Part, ...]]:
    """Return what a checked page links to, and what tells of links not followed, which are counted, too."""
    pages: list[Page] = []
    missed: list[Step] = []
    own = follower.table.resolve(url)
    without = (*captured.attachments, url, *([own.content_url] if own else []))
    async for step in follower.follow(captured.parts, without, lambda _: True):
        if step.whole is not None:
            failed.update(step.whole.failed)
            found = linked_page(step.link, step.whole, "check", "", page_id)
            pages.append(replace(found, item_id=found.page_id))
        elif step.reason is not None:
            missed.append(step)
            failed[step.reason] += 1
    return pages, not_followed(missed, captured.parts)
