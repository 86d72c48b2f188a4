"""When each host may be asked again, and how much one scan may ask for at all.

One `Pace` belongs to one scan. What a server wishes is noted before the next request to its host can leave, whichever
list, link, redirect or robots.txt that request is for.
"""

import asyncio
import random
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from scrapy.exceptions import StopDownload

from crawler import rates
from crawler.health import FetchFailed
from model.page import Headers, Reason

MAX_WAIT = 60.0
"""Seconds that a scan waits for one host; a longer wish ends the scan and is kept by the next ones."""
JITTER = 0.25
"""Part of a delay that is added at random; a delay that a host asked for is never cut short."""


class CapReached(FetchFailed):
    """One of the caps of a scan is reached; the next scan goes on from there."""

    def __init__(self, key: str) -> None:
        """Take the key in config.yaml that set the cap."""
        super().__init__(Reason.LIMIT, f"{key} is reached")


class Stopped(StopDownload):
    """A download that is broken off in the middle; carries what it failed with."""

    def __init__(self, failure: FetchFailed) -> None:
        """Take the failure that the caller is told."""
        super().__init__(fail=True)
        self.failure = failure


class Pace:
    """The hosts of one scan: their delays, their wishes, and what is left of the caps. An extension of Scrapy."""

    def __init__(self, *, max_requests: int, max_per_host: int, max_bytes: int, max_seconds: float) -> None:
        self.max_requests = max_requests
        self.max_per_host = max_per_host
        self.max_bytes = max_bytes
        self.ends_at = time.monotonic() + max_seconds
        self.requests: Counter[str] = Counter()
        self.bytes = 0
        """Received so far, as on the wire: `crawler/handler.py` counts, and breaks off what goes beyond the cap."""
        self.delays: dict[str, float] = {}
        """Host → seconds between two requests, where more than the site's own delay is due."""
        self.free_at: dict[str, float] = {}
        """Host → monotonic time before which it is left alone."""
        self.last_at: dict[str, float] = {}
        self.locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    @classmethod
    def from_crawler(cls, crawler: Any) -> "Pace":
        """Build from the settings."""
        settings = crawler.settings
        return cls(
            max_requests=settings.getint("SPILLWATCH_MAX_REQUESTS"),
            max_per_host=settings.getint("SPILLWATCH_MAX_PER_HOST"),
            max_bytes=settings.getint("SPILLWATCH_MAX_BYTES"),
            max_seconds=settings.getfloat("SPILLWATCH_MAX_SECONDS"),
        )

    def spend(self, host: str) -> None:
        """Count one request; raise CapReached if the scan may make no more of them."""
        if self.requests.total() >= self.max_requests:
            raise CapReached("network.max_pages")
        if self.requests[host] >= self.max_per_host:
            raise CapReached("network.max_pages_per_host")
        if self.bytes >= self.max_bytes:
            raise CapReached("network.max_scan_bytes")
        if time.monotonic() >= self.ends_at:
            raise CapReached("network.max_scan_time")
        self.requests[host] += 1

    def pause(self, host: str, seconds: float) -> None:
        """Leave a host alone for so long from now."""
        until = time.monotonic() + min(seconds, rates.LONGEST)
        self.free_at[host] = max(self.free_at.get(host, 0.0), until)

    def keep_apart(self, host: str, seconds: float) -> None:
        """Let at least so many seconds lie between two requests to a host."""
        if seconds > self.delays.get(host, 0.0):
            self.delays[host] = seconds

    def left(self, host: str) -> float:
        """Return the seconds for which a host still wants to be left alone."""
        return max(self.free_at.get(host, 0.0) - time.monotonic(), 0.0)

    def answered(self, host: str, status: int, headers: Headers) -> None:
        """Note what an answer says about the next request."""
        seconds = rates.wait(status, headers)
        if seconds > 0:
            self.pause(host, seconds)

    @asynccontextmanager
    async def turn(self, host: str) -> AsyncIterator[None]:
        """Enter when the host may be asked, and alone; raise FetchFailed if that is too far away to wait for.

        Scrapy's own limit of one request per host does not hold without a delay: it counts a request only when its task
        first runs, and starts every task that waits.
        """
        async with self.locks[host]:
            while (seconds := self._due_in(host)) > 0:
                if seconds > MAX_WAIT:
                    raise FetchFailed(Reason.RATE_LIMITED, "the host wants to be left alone", pause=seconds)
                await asyncio.sleep(seconds)
            self.last_at[host] = time.monotonic()
            yield

    def forget_last(self, host: str) -> None:
        """Let the next request go without the host's delay: what was just fetched was only its robots.txt."""
        self.last_at.pop(host, None)

    def _due_in(self, host: str) -> float:
        last = self.last_at.get(host)
        delay = self.delays.get(host, 0.0)
        apart = 0.0 if last is None or not delay else last + self._with_jitter(host, last, delay) - time.monotonic()
        return max(self.left(host), apart)

    @staticmethod
    def _with_jitter(host: str, last: float, delay: float) -> float:
        """Return the delay with the jitter of this turn, the same however often it is asked for."""
        return delay * (1 + JITTER * random.Random(f"{host} {last}").random())  # noqa: S311 - not a secret
