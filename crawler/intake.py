"""What comes of a site, however it is read: items become pages, what they link to is kept, and all is counted.

What an item links to is kept before its page, and a page before the cursor that passes it: so a crash repeats, and
never skips.
"""

import uuid
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime

import structlog

from crawler.capture import Whole, with_attachments
from crawler.fetcher import Fetcher
from crawler.following import Follower, Step, not_followed
from crawler.health import Action, consequence
from crawler.interface import NetworkSettings, Sink, SiteSettings
from crawler.links import Table
from crawler.resolvers.interface import Link
from crawler.spider import Capture, Item
from crawler.yields import Yields
from model.page import Page, Part, Reason
from model.scan import ScanReport, SiteState

log = structlog.get_logger(__name__)


class Intake:
    """Makes pages of a site's items, hands them to the sink, and counts what became of everything that was seen."""

    def __init__(
        self,
        site: SiteSettings,
        network: NetworkSettings,
        sink: Sink,
        fetcher: Fetcher,
        attachment_headers: Mapping[str, str] | None = None,
    ) -> None:
        self.site = site
        self.network = network
        self.sink = sink
        self.fetcher = fetcher
        self.attachment_headers = attachment_headers
        self.follower = self._new_follower(network.max_pages // 2)
        self.listed = 0
        self.fetched = 0
        self.known = 0
        self.failed: Counter[Reason] = Counter()
        self.trouble: Reason | None = None
        """Why the site itself could not be read, in whole or in part."""
        self.yields = Yields()

    def _new_follower(self, most: int) -> Follower:
        """Return what follows so many links and no more."""
        return Follower(self.fetcher, Table(self.network), most=most, images=self.site.images)

    async def _keep(self, item: Item, captured: Capture, fetched_at: datetime) -> None:
        """Hand the item's page to the sink, after everything that belongs to it."""
        page = await self._page(item, captured, fetched_at)
        self.sink.keep(page)
        self.fetched += 1
        self.yields.took(item, page.parts, page.exchanges)

    async def _page(self, item: Item, captured: Capture, fetched_at: datetime) -> Page:
        """Fetch the item's attachments, keep what it links to, and return its page."""
        page_id = uuid.uuid4().hex
        whole = await with_attachments(
            self.fetcher, captured, images=self.site.images, headers=self.attachment_headers
        )
        whole.failed.update(captured.failures)
        self._count_failed(whole)
        if self.network.follow_links:
            whole.parts.extend(await self._follow(page_id, captured))
        return Page(
            page_id=page_id,
            site=self.site.name,
            item_id=item.item_id,
            url=item.url,
            fetched_at=fetched_at,
            parts=tuple(whole.parts),
            exchanges=tuple(whole.exchanges),
            why="listed",
            published_at=item.published_at or captured.published_at,
            thread_id=item.thread_id,
            author=item.author or captured.author,
        )

    async def _follow(self, page_id: str, captured: Capture) -> tuple[Part, ...]:
        """Keep what an item links to, once and no further; return what tells people of links not followed."""
        missed: list[Step] = []
        site = self.site.name
        async for step in self.follower.follow(
            captured.parts, captured.attachments, lambda item_id: self.sink.is_new(site, item_id)
        ):
            if step.whole is not None:
                self._count_failed(step.whole)
                self.sink.keep(linked_page(step.link, step.whole, site, step.item_id, page_id))
            elif step.reason is not None:
                missed.append(step)
                self.failed[step.reason] += 1
                if step.asked and consequence(step.reason).settles:
                    self.sink.give_up(site, step.item_id, step.reason)
            self.listed += step.whole is not None or step.known or step.reason is not None
            self.fetched += step.whole is not None
            self.known += step.known
            for shortener in step.aside:
                self.sink.give_up(site, shortener, Reason.DUPLICATE)
        return not_followed(missed, captured.parts)

    def _count_failed(self, whole: Whole) -> None:
        """Count what belongs to a page and did not come: the page is kept all the same."""
        self.listed += whole.failed.total()
        self.failed.update(whole.failed)

    def _log_fault(self, error: Exception) -> None:
        """Say where our own code failed, without what it was reading."""
        place = error.__traceback__
        while place is not None and place.tb_next is not None:
            place = place.tb_next
        line = f"{place.tb_frame.f_code.co_name}:{place.tb_lineno}" if place is not None else ""
        log.error("spider_failed", site=self.site.name, error=type(error).__name__, place=line)

    def _report(self, due_at: datetime, started_at: datetime, paused_until: datetime | None = None) -> ScanReport:
        """Return what was covered so far."""
        state, reason = self._state()
        return ScanReport(
            site=self.site.name,
            due_at=due_at,
            started_at=started_at,
            finished_at=datetime.now(UTC),
            listed=self.listed,
            fetched=self.fetched,
            known=self.known,
            failed={kind: count for kind, count in self.failed.items() if count},
            state=state,
            reason=reason,
            measures=self.yields.measures(),
            paused_until=paused_until,
        )

    def _state(self) -> tuple[SiteState, Reason | None]:
        """Return how the site stands after this scan."""
        if self.failed[Reason.INTERNAL]:
            return SiteState.FAILING, Reason.INTERNAL
        reason = self.trouble
        if reason is None and not self.fetched:
            reason = next((each for each, count in self.failed.most_common() if count and self._speaks(each)), None)
        if reason is None:
            return SiteState.WORKING, None
        return consequence(reason).state, reason


    def _speaks(self, reason: Reason) -> bool:
        """Tell whether items that failed so say something of the site, when nothing else was fetched.

        A list whose new items are all gone, or all too big, is a list that works, and so is one of which a single entry
        among known ones cannot be read; what was left to do is no failure.
        """
        means = consequence(reason)
        return not (means.settles or means.action is Action.GO_ON or (reason is Reason.CHANGED and self.known))


def linked_page(link: Link, whole: Whole, site: str, item_id: str, from_page: str) -> Page:
    """Return the page of a paste that another page links to."""
    return Page(
        page_id=uuid.uuid4().hex,
        site=site,
        item_id=item_id,
        url=link.url,
        fetched_at=datetime.now(UTC),
        parts=tuple(whole.parts),
        exchanges=tuple(whole.exchanges),
        why=f"linked from {from_page}",
    )
