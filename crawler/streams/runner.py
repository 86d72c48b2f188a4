"""The worker of a stream: reads for ever (or until caught up), stores in batches, reconnects, and reports each minute.

The order is the promise, as in `crawler/scan.py`: pages are stored in one transaction with the cursor that passes
them, and a gap is noted before any cursor passes it. So a crash repeats, and never skips. When too many pages wait to
be examined, nothing more is read: the kernel's buffers fill, and the server has to wait.
"""

import asyncio
import importlib
import random
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import structlog

from crawler.health import FetchFailed, consequence
from crawler.intake import Intake
from crawler.interface import NetworkSettings, Sink, SiteSettings
from crawler.runner import silence
from crawler.safety import forget_proxies
from crawler.spider import Capture
from crawler.streams.basin import Basin
from crawler.streams.interface import Arrived, CaughtUp, Firehose, Happening, Missed, Passed
from crawler.streams.wire import Wire
from model.errors import ConfigError
from model.page import Page, Reason
from model.scan import Gap, ScanReport

MOST_WAITING = 20_000
"""Pages that may wait to be examined before reading stops; `spool:` of a site says otherwise."""
REPORT_SECONDS = 60.0
LINKS = 30
"""Links followed in the time of one report; more are counted, and told with their posts: a stream does not wait."""
STEADY = 30.0
"""Seconds after which a connection counts as one that held."""
LONGEST_PAUSE = 120.0
REFUSED_PAUSE = 900.0
QUIET = 5.0
"""Seconds without anything new after which a bounded reading counts as caught up."""
REFUSALS = frozenset({Reason.BLOCKED, Reason.LOGIN, Reason.ROBOTS, Reason.FORBIDDEN_ADDRESS, Reason.GONE})

log = structlog.get_logger(__name__)


def firehose_for(site: SiteSettings) -> Firehose:
    """Return how a site's stream is read; raises ConfigError if its options cannot be used."""
    module = importlib.import_module(f"crawler.streams.{site.use}")
    found: list[type[Firehose]] = [
        entry
        for entry in vars(module).values()
        if isinstance(entry, type) and issubclass(entry, Firehose) and entry.__module__ == module.__name__
    ]
    if not found:
        raise ConfigError(f"sites.{site.name}.use: {site.use!r} is not a stream")
    return found[0](site)


def watch(
    site: SiteSettings,
    network: NetworkSettings,
    sink: Sink,
    stopping: threading.Event,
    told: Callable[[ScanReport], datetime],
    due_at: datetime,
) -> None:
    """Read a stream until told to stop; `told` gets a report for each minute, and one in the end.

    `due_at` names the first of them; `told` returns the name of the next. While it runs, nothing is stored.

    Raises ConfigError if the site cannot be used, and whatever the sink raises: nothing is skipped then.
    """
    _prepare()
    asyncio.run(StreamScan(site, network, sink, firehose_for(site), stopping).watch(told, due_at))


def read(
    site: SiteSettings,
    network: NetworkSettings,
    sink: Sink,
    stopping: threading.Event,
    due_at: datetime,
    seconds: float,
) -> ScanReport:
    """Read a stream until it brings what happens now, or for so many seconds; the first time for all of these."""
    _prepare()
    return asyncio.run(StreamScan(site, network, sink, firehose_for(site), stopping).read(due_at, seconds))


def _prepare() -> None:
    forget_proxies()
    silence()


class StreamScan(Intake):
    """Reads what a site sends by itself, and counts what became of it."""

    def __init__(
        self, site: SiteSettings, network: NetworkSettings, sink: Sink, firehose: Firehose, stopping: threading.Event
    ) -> None:
        wire = Wire(site, network)
        super().__init__(site, network, sink, wire)
        self.wire = wire
        self.firehose = firehose
        self.stopping = stopping
        self.most = int(site.options.get("spool", MOST_WAITING))
        self.bounded = False
        self.follower = self._new_follower(LINKS)
        self._storing = asyncio.Lock()
        """Held while pages are stored, and while what was stored is told: so each page is told of once."""
        self.down: dict[str, tuple[Reason, float]] = {}
        """Why a stream is not connected at present, and since when (loop time)."""
        self.held = 0.0
        """Seconds in which nothing was read because too much waits."""

    async def watch(self, told: Callable[[ScanReport], datetime], due_at: datetime) -> None:
        """Read until told to stop."""
        self._due_at = due_at
        reporting = asyncio.create_task(self._report_regularly(told))
        try:
            await self._read_streams(None)
        finally:
            reporting.cancel()
        told(self._take_report(self._due_at))

    async def read(self, due_at: datetime, seconds: float) -> ScanReport:
        """Read until caught up, or until the time is over."""
        self.bounded = True
        self._started_at = datetime.now(UTC)
        await self._read_streams(seconds)
        return self._take_report(due_at)

    async def _read_streams(self, seconds: float | None) -> None:
        """Read all streams of the site at the same time."""
        async with self.wire:
            basins = {stream: Basin() for stream in self.firehose.streams()}
            readers = [asyncio.create_task(self._read_on(stream, basin)) for stream, basin in basins.items()]
            watching = asyncio.create_task(self._end_readers(readers, seconds))
            try:
                async with asyncio.TaskGroup() as group:
                    for stream, basin in basins.items():
                        group.create_task(self._store_all(stream, basin))
            except ExceptionGroup as errors:
                raise errors.exceptions[0] from None
            finally:
                watching.cancel()
                for reader in readers:
                    reader.cancel()
                await asyncio.gather(*readers, return_exceptions=True)

    async def _end_readers(self, readers: Sequence["asyncio.Task[None]"], seconds: float | None) -> None:
        """End the connections when told to stop, or when the time is over; what has come is stored all the same."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds if seconds is not None else None
        # An event of the thread that handles signals: asyncio cannot wait for it.
        while not self.stopping.is_set() and (until is None or loop.time() < until):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        self.bounded = True
        for reader in readers:
            reader.cancel()

    async def _read_on(self, stream: str, basin: Basin) -> None:
        """Connect, and connect again, each time where storage says that we stand."""
        loop = asyncio.get_running_loop()
        tries = 0
        try:
            while True:
                # What has come and is not stored yet would be asked for again.
                await basin.settled()
                cursor = await asyncio.to_thread(self.sink.cursor, self.site.name, stream)
                began = loop.time()
                failure = await self._follow_once(stream, basin, cursor)
                if self.bounded:
                    return
                tries = 0 if loop.time() - began > STEADY else tries + 1
                pause = self._pause(failure, tries)
                log.warning(
                    "stream_interrupted",
                    site=self.site.name,
                    reason=failure.reason.value if failure else "closed",
                    pause=round(pause, 1),
                )
                await asyncio.sleep(pause)
        finally:
            basin.close()

    async def _follow_once(self, stream: str, basin: Basin, cursor: str | None) -> FetchFailed | None:
        """Read one connection to its end; return how it failed, if it did."""
        happenings = self.firehose.follow(self.wire, stream, cursor)
        to_the_tip = self.bounded and cursor is not None
        something = False
        try:
            while True:
                try:
                    async with asyncio.timeout(QUIET if to_the_tip else None):
                        happening = await anext(happenings)
                except StopAsyncIteration:
                    return None if something else self._note_down(stream, FetchFailed(Reason.NETWORK))
                something = True
                self.down.pop(stream, None)
                if isinstance(happening, CaughtUp):
                    if to_the_tip:
                        return None
                    continue
                await basin.put(happening)
        except TimeoutError:
            return None
        except FetchFailed as failure:
            return self._note_down(stream, failure)
        except Exception as error:  # noqa: BLE001 - the seam: a protocol's fault must not end the other streams
            self._log_fault(error)
            return self._note_down(stream, FetchFailed(Reason.INTERNAL))
        finally:
            await happenings.aclose()

    def _note_down(self, stream: str, failure: FetchFailed) -> FetchFailed:
        """Remember since when a stream is not connected, and why."""
        since = self.down.get(stream, (failure.reason, asyncio.get_running_loop().time()))[1]
        self.down[stream] = failure.reason, since
        return failure

    def _trouble(self) -> Reason | None:
        """Return what the site suffers from; a connection that comes back at once is none."""
        now = asyncio.get_running_loop().time()
        lasting = [reason for reason, since in self.down.values() if self.bounded or now - since >= STEADY]
        return next(iter(lasting), Reason.LIMIT if self.held else None)

    async def _store_all(self, stream: str, basin: Basin) -> None:
        """Store what comes, in batches, until nothing more comes."""
        while (happenings := await basin.take()) is not None:
            if not await self._has_room(stream):
                return
            async with self._storing:
                await self._store(stream, happenings)

    async def _store(self, stream: str, happenings: Sequence[Happening]) -> None:
        """Store a batch: gaps first, then pages together with the cursor that passes them."""
        pages: list[Page] = []
        cursor: str | None = None
        unreadable: Counter[Reason] = Counter()
        for happening in happenings:
            if isinstance(happening, Missed):
                await self._note_gap(happening)
                continue
            if isinstance(happening, Arrived):
                pages.append(await self._page_of(happening))
            elif isinstance(happening, Passed) and happening.unreadable is not None:
                unreadable[happening.unreadable] += 1
            cursor = getattr(happening, "cursor", None) or cursor
        new = await asyncio.to_thread(self.sink.keep_many, self.site.name, pages, stream, cursor)
        self.listed += len(pages) + unreadable.total()
        self.fetched += new
        self.known += len(pages) - new
        self.failed.update(unreadable)

    async def _page_of(self, arrived: Arrived) -> Page:
        """Return an item's page, with its pictures if they are wanted, and after the pastes that it links to."""
        item = arrived.item
        wanted = item.attachments if self.firehose.images and self.sink.is_new(self.site.name, item.item_id) else ()
        captured = Capture(item.parts, arrived.exchanges, wanted)
        return await self._page(item, captured, arrived.exchanges[-1].finished_at)

    async def _note_gap(self, missed: Missed) -> None:
        gap = Gap(self.site.name, missed.since, missed.until, missed.reason, missed.filled)
        await asyncio.to_thread(self.sink.note_gap, gap)
        log.warning("stream_gap", site=self.site.name, reason=missed.reason.value, filled=missed.filled)
        if not missed.filled:
            self.listed += 1
            self.failed[Reason.GAP] += 1
            self.trouble = Reason.GAP

    async def _has_room(self, stream: str) -> bool:
        """Wait while too many pages wait to be examined; False when told to stop meanwhile."""
        most, loop = self.most, asyncio.get_running_loop()
        began = loop.time()
        while await asyncio.to_thread(self.sink.waiting, most) >= most:
            if most == self.most:
                log.warning("stream_held", site=self.site.name, waiting=most)
                most = max(1, self.most // 2)
            if self.stopping.is_set() or self.bounded:
                return False
            await asyncio.sleep(0.5)
            self.held += 0.5
        if most != self.most:
            log.info("stream_released", site=self.site.name, seconds=round(loop.time() - began, 1))
        return True

    async def _report_regularly(self, told: Callable[[ScanReport], datetime]) -> None:
        self._started_at = datetime.now(UTC)
        while True:
            await asyncio.sleep(REPORT_SECONDS)
            async with self._storing:
                self._due_at = await asyncio.to_thread(told, self._take_report(self._due_at))

    def _take_report(self, due_at: datetime) -> ScanReport:
        """Return what was covered since the last report, and begin to count anew."""
        self.trouble = self.trouble or self._trouble()
        if self.trouble is not None and not self.failed[self.trouble] and self.trouble is not Reason.LIMIT:
            self.listed += 1
            self.failed[self.trouble] += 1
        report = self._report(due_at, self._started_at)
        self.listed = self.fetched = self.known = 0
        self.failed.clear()
        self.trouble = None
        self.follower = self._new_follower(LINKS)
        self.held = 0.0
        self._started_at = report.finished_at
        return report

    @staticmethod
    def _pause(failure: FetchFailed | None, tries: int) -> float:
        """Return the seconds to leave the server alone: longer each time, and much longer where it refuses us."""
        if failure is not None and failure.pause:
            return failure.pause
        if failure is not None and failure.reason in REFUSALS and consequence(failure.reason).state != "working":
            return REFUSED_PAUSE
        return min(LONGEST_PAUSE, 2.0 ** min(tries, 10) / 2) * random.uniform(0.8, 1.2)  # noqa: S311 - jitter
