"""One scan of one site, from its lists to kept pages: the story that every spider shares.

The order is the promise. An item is kept as soon as it is whole; what it links to is kept before it; a cursor and
validators are saved only when every item of the list was kept or given up. So a crash repeats, and never skips.
"""

from datetime import UTC, datetime

import structlog

from crawler import pauses
from crawler.budget import Budget
from crawler.cursors import Progress
from crawler.fetcher import Fetcher
from crawler.health import FetchFailed, consequence
from crawler.intake import Intake
from crawler.interface import NetworkSettings, Sink, SiteSettings, Validators
from crawler.pauses import Pause
from crawler.spider import Capture, Item, Listing, SiteSpider, Stream
from model.errors import ConfigError
from model.page import Reason
from model.scan import ScanReport

log = structlog.get_logger(__name__)


class Scan(Intake):
    """Reads a site once and counts what became of everything it saw."""

    def __init__(
        self, site: SiteSettings, network: NetworkSettings, sink: Sink, spider: SiteSpider, fetcher: Fetcher
    ) -> None:
        super().__init__(site, network, sink, fetcher, spider.attachment_headers)
        self.spider = spider
        self.budget = Budget(site.name, sink, spider.cost, spider.budget, fetcher.now)
        self.halted: Reason | None = None
        """Why nothing more is asked for from the present list; lists may lie on different servers."""
        self.place = ""
        """The present list."""
        self.lists = 0
        self.pauses: dict[str, Pause] = {}
        """Lists that are left alone; the whole site is "" here."""

    async def run(self, due_at: datetime) -> ScanReport:
        """Read all lists of the site and report."""
        started_at = datetime.now(UTC)
        if not self._is_paused(started_at):
            await self._read_all()
        return self._report(due_at, started_at, self._paused_until())

    async def _read_all(self) -> None:
        """Read stream after stream; one that fails does not stop the others unless the site wants to be left alone."""
        streams = self.spider.streams(self.fetcher)
        while True:
            try:
                stream = await anext(streams)
            except StopAsyncIteration:
                return
            except FetchFailed as failure:
                self._list_failed(failure)
                return
            self.lists += 1
            self.place, self.halted = stream.name, None
            if not self._is_paused(datetime.now(UTC)):
                await self._read(stream)
            if self.trouble is Reason.LIMIT:
                return

    async def _read(self, stream: Stream) -> None:
        """Read one list from the newest item to what is known, then remember how far it was read."""
        saved = self.sink.cursor(self.site.name, stream.name)
        validators = self.sink.validators(self.site.name, stream.name) if stream.conditional else None
        progress = Progress(stream, saved)
        fresh: Validators | None = None
        place: str | None = stream.start
        settled = True
        pages = 0
        while place is not None:
            try:
                listing = await self._listing(stream, place, saved, validators if pages == 0 else None)
            except FetchFailed as failure:
                self._list_failed(failure)
                return
            if listing.answer.unchanged:
                self.listed += 1
                self.known += 1
                self.yields.unchanged += 1
                pauses.end(self.site, self.sink, self.place)
                return
            self.yields.timed(listing.answer.exchanges)
            pages += 1
            if listing.wait > 0:
                self.fetcher.pause(listing.answer.url, listing.wait)
            fresh = fresh or listing.answer.validators
            settled = await self._take_all(listing) and settled
            if self.halted:
                return
            progress.saw(listing)
            if progress.reached:
                break
            if saved is None and pages >= stream.backfill and listing.next is not None:
                log.info("first_scan_stopped", site=self.site.name, pages=pages)
                break
            place = listing.next
        pauses.end(self.site, self.sink, self.place)
        if settled:
            self._remember(stream, progress, fresh)

    async def _listing(self, stream: Stream, place: str, saved: str | None, validators: Validators | None) -> Listing:
        """Return one page of a list, paid for; what the spider itself gets wrong is an internal error of this list."""
        self.budget.set_aside()
        try:
            listing = await self.spider.listing(self.fetcher, stream, place, saved, validators)
        except FetchFailed as failure:
            self.budget.settle_failure(failure)
            raise
        except ConfigError:
            raise
        except Exception as error:
            self._log_fault(error)
            raise FetchFailed(Reason.INTERNAL) from error
        self.budget.settle(len(listing.items) + listing.unreadable)
        return listing

    def _remember(self, stream: Stream, progress: Progress, fresh: Validators | None) -> None:
        """Save how far the list was read; every item before was kept or given up."""
        cursor = progress.cursor()
        if cursor is not None:
            self.sink.save_cursor(self.site.name, stream.name, cursor)
        if stream.conditional and fresh is not None and fresh != Validators():
            self.sink.save_validators(self.site.name, stream.name, fresh)

    async def _take_all(self, listing: Listing) -> bool:
        """Take every item of a list page; tell whether all are settled: kept, known or given up."""
        self.listed += listing.unreadable
        self.failed[Reason.CHANGED] += listing.unreadable
        settled = True
        for item in listing.items:
            settled = await self._take(item, listing) and settled
        return settled

    async def _take(self, item: Item, listing: Listing) -> bool:
        """Keep one item, with its pictures and what it links to; tell whether it is settled."""
        self.listed += 1
        if not self.sink.is_new(self.site.name, item.item_id):
            self.known += 1
            return True
        if self.halted:
            self.failed[self.halted] += 1
            return False
        try:
            captured = await self._capture(item, listing)
        except FetchFailed as failure:
            self.failed[failure.reason] += 1
            if consequence(failure.reason).anywhere or failure.pause > 0:
                self._note_pause(failure)
            if not consequence(failure.reason).settles:
                return False
            self.sink.give_up(self.site.name, item.item_id, failure.reason)
            return True
        await self._keep(item, captured, listing.answer.fetched_at)
        return True

    async def _capture(self, item: Item, listing: Listing) -> Capture:
        """Return what the item is; a fault of the spider is told as an internal error of this item alone."""
        try:
            return await self.spider.capture(self.fetcher, item, listing)
        except (FetchFailed, ConfigError):
            raise
        except Exception as error:
            self._log_fault(error)
            raise FetchFailed(Reason.INTERNAL) from error

    def _list_failed(self, failure: FetchFailed) -> None:
        """Count a list that could not be read, and remember why."""
        self.listed += 1
        self.failed[failure.reason] += 1
        self.trouble = self.trouble or failure.reason
        self._note_pause(failure)
        log.warning("list_failed", site=self.site.name, reason=failure.reason.value)

    def _note_pause(self, failure: FetchFailed) -> None:
        """Remember over scans that the list is to be left alone, if the failure means that."""
        begun = pauses.begin(self.site, self.sink, failure, datetime.now(UTC), self.place)
        if begun is not None:
            self.pauses[self.place] = begun
            self.halted = self.halted or failure.reason
            self.trouble = self.trouble or failure.reason

    def _is_paused(self, now: datetime) -> bool:
        """Tell whether the list, or the whole site, is to be left alone until later than now: nothing is asked then."""
        pause = pauses.present(self.site, self.sink, now, self.place)
        if pause is None:
            return False
        self.pauses[self.place] = pause
        self.listed += 1
        self.failed[Reason.PAUSED] += 1
        self.trouble = self.trouble or pause.reason
        return True

    def _paused_until(self) -> datetime | None:
        """Return until when all of the site is left alone, and remember it, so that no scan need be begun before."""
        if len(self.pauses) < max(self.lists, 1):
            return None
        first = min(self.pauses.values(), key=lambda pause: pause.until)
        pauses.keep(self.site, self.sink, first)
        return first.until
