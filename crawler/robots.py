"""robots.txt, obeyed as RFC 9309 says, and as its `Crawl-delay` wishes.

Fetched once per host and scan through the same engine, so under the same law, delays and limits as any page. A
robots.txt that is not there (4xx) forbids nothing; one that cannot be had (5xx, timeout, network, too big) forbids
everything (RFC 9309 §2.3.1.4).
"""

import asyncio
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import structlog
from scrapy import Request
from scrapy.http import Response
from scrapy.http.request import NO_CALLBACK
from scrapy.robotstxt import ProtegoRobotParser

from crawler.failures import failure_of
from crawler.health import FetchFailed
from crawler.pace import MAX_WAIT, CapReached, Pace
from crawler.safety import plain
from model.page import Reason

AGENT = "Spillwatch"
MAX_BYTES = 1_048_576
"""Largest robots.txt that is read; RFC 9309 §2.5 asks for half of it at least."""
LONGEST_DELAY = 86_400.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Rules:
    """What one host permits."""

    parser: Any = None
    """None: everything is permitted."""
    unreachable: Reason | None = None
    """Why robots.txt could not be had: nothing is permitted then."""


class RobotsMiddleware:
    """Refuses what robots.txt refuses, and says so."""

    def __init__(self, crawler: Any) -> None:
        self.crawler = crawler
        self.pace: Pace = crawler.get_extension(Pace)
        self.rules: dict[str, asyncio.Task[Rules]] = {}
        self.told: set[str] = set()

    @classmethod
    def from_crawler(cls, crawler: Any) -> "RobotsMiddleware":
        """Build for one scan."""
        return cls(crawler)

    async def process_request(self, request: Request) -> None:
        """Let a request pass, or raise FetchFailed."""
        if request.meta.get("dont_obey_robotstxt"):
            return
        place = urlsplit(request.url).netloc.lower()
        rules = await self._of(place, request.url)
        if rules.unreachable is not None:
            self._tell(place, "robots_unreachable", reason=rules.unreachable.value)
            raise FetchFailed(rules.unreachable, "robots.txt cannot be fetched, which forbids everything (RFC 9309)")
        if rules.parser is not None and not rules.parser.allowed(request.url, AGENT):
            self._tell(place, "robots_forbid")
            raise FetchFailed(Reason.ROBOTS, "robots.txt forbids it")

    async def _of(self, place: str, url: str) -> Rules:
        """Return the rules of a host, fetched once however many ask."""
        if place not in self.rules:
            self.rules[place] = asyncio.ensure_future(self._fetch(place, url))
        try:
            return await asyncio.shield(self.rules[place])
        except FetchFailed:
            # A cap or a wish to be left alone says nothing about the rules: another time may.
            self.rules.pop(place, None)
            raise

    async def _fetch(self, place: str, url: str) -> Rules:
        """Fetch and read robots.txt; raise FetchFailed if this host is not to be asked now."""
        request = Request(
            f"{urlsplit(url).scheme}://{place}/robots.txt",
            meta={"dont_obey_robotstxt": True, "download_maxsize": MAX_BYTES, "role": "robots"},
            callback=NO_CALLBACK,
            dont_filter=True,
        )
        try:
            response: Response = await self.crawler.engine.download_async(request)
        except Exception as error:
            failure = failure_of(error)
            if failure is None:
                raise
            if isinstance(failure, CapReached) or failure.pause > 0:
                raise failure from None
            return Rules(unreachable=failure.reason)
        return self._read(response, plain(urlsplit(url).hostname or ""))

    def _read(self, response: Response, host: str) -> Rules:
        """Return what an answer to the request for robots.txt means."""
        if response.status == 429:
            raise FetchFailed(Reason.RATE_LIMITED, "asked for robots.txt too often", pause=self.pace.left(host) or 60.0)
        if response.status >= 500:
            return Rules(unreachable=Reason.SERVER)
        if response.status >= 400:
            return Rules()
        if response.status >= 300:
            return Rules(unreachable=Reason.MALFORMED)
        parser = ProtegoRobotParser.from_crawler(self.crawler, response.body)
        delay = min(parser.crawl_delay(AGENT) or 0.0, LONGEST_DELAY)
        if delay > 0:
            self.pace.keep_apart(host, delay)
            if delay > MAX_WAIT:
                self.pace.forget_last(host)
        return Rules(parser)

    def _tell(self, place: str, event: str, **fields: Any) -> None:
        """Log once per host that its robots.txt stands in the way."""
        if place not in self.told:
            self.told.add(place)
            log.warning(event, host=place, **fields)
