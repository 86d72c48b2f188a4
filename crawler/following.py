"""Links of an item followed, once and no further; what is not followed is told with its reason."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

import structlog

from crawler.capture import Whole, link_wants, with_attachments
from crawler.fetcher import Answer, Fetcher, Wants
from crawler.health import FetchFailed
from crawler.links import MAX_LINKS, MAX_LINKS_OF_HOST, Table, item_id
from crawler.resolvers.interface import Link
from crawler.resolvers.privatebin import passwords_in
from crawler.spider import Capture
from model.page import Part, Reason

NOT_FOLLOWED = "links not followed"
"""Provenance of the part that tells of them."""

DEAD = (Reason.TIMEOUT, Reason.NETWORK, Reason.RATE_LIMITED, Reason.BLOCKED)
"""Failures that are a host's rather than a link's."""
MAX_FAILURES = 2
"""Of one such kind, after which a host is left alone for the rest of the scan."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Step:
    """What became of one link. Its repr shows no content."""

    link: Link
    item_id: str
    """For `Sink.is_new` and `Sink.give_up`."""
    whole: Whole | None = field(default=None, repr=False)
    """What it led to."""
    reason: Reason | None = None
    """Why it led to nothing; None too if it is known from before, or leads to no place in the table."""
    asked: bool = False
    """Whether a server was asked for it: only then can its answer settle it for good."""
    known: bool = False
    aside: tuple[str, ...] = ()
    """Item ids of shorteners that led here, or nowhere: they need not be asked again."""


@dataclass(frozen=True, slots=True)
class _Opener:
    """One link's way to the network."""

    fetcher: Fetcher
    wants: Wants

    async def get(self, url: str, role: str = "item", *, headers: Mapping[str, str] | None = None) -> Answer:
        """Return the answer, or raise FetchFailed."""
        return await self.fetcher.get(url, role, headers=headers, wants=self.wants)


class Follower:
    """Follows the links of items for one scan or check."""

    def __init__(
        self, fetcher: Fetcher, table: Table, *, most: int, images: bool = True, by_hand: bool = False
    ) -> None:
        """Follow at most so many links in all, so that what a site lists is not crowded out by what it links to.

        With `by_hand` a person asks, and robots.txt, which speaks to crawlers, binds as little as the page's own.
        """
        self.left = most
        self.fetcher = fetcher
        self.table = table
        self.images = images
        self.by_hand = by_hand
        self._told: set[str] = set()
        self._failures: Counter[tuple[str, Reason]] = Counter()

    async def follow(
        self, parts: Sequence[Part], without: Iterable[str], is_new: Callable[[str], bool]
    ) -> AsyncIterator[Step]:
        """Yield what became of each link in the parts; `without` are addresses that are fetched already."""
        hosts: Counter[str] = Counter()
        seen: set[str] = set()
        for found in self.table.find(parts, without):
            link, aside = found, tuple[str, ...]()
            if link.resolver.refusal is None:
                host = urlsplit(link.content_url).netloc
                if not is_new(item_id(link)):
                    yield Step(link, item_id(link), known=True)
                    continue
                if hosts.total() >= MAX_LINKS or hosts[host] >= MAX_LINKS_OF_HOST or self.left <= 0:
                    yield Step(link, item_id(link), reason=Reason.LIMIT)
                    continue
                hosts[host] += 1
                self.left -= 1
            if link.resolver.shortens:
                aside = (item_id(link),)
                step = await self._lead_on(link)
                if step.reason is not None or step.link is link:
                    yield step
                    continue
                link = step.link
                if link.resolver.refusal is None and not is_new(item_id(link)):
                    yield Step(link, item_id(link), known=True, aside=aside)
                    continue
            if item_id(link) in seen:
                continue
            step = replace(await self.open(link, parts), aside=aside)
            if step.whole is not None:
                seen.add(item_id(link))
            yield step

    async def open(self, link: Link, post: Sequence[Part]) -> Step:
        """Return what one link leads to."""
        if link.resolver.refusal is not None:
            return Step(link, item_id(link), reason=link.resolver.refusal.reason)
        host = urlsplit(link.content_url).netloc
        for reason in DEAD:
            if self._failures[host, reason] >= MAX_FAILURES:
                return Step(link, item_id(link), reason=reason)
        try:
            captured = await self.capture(link, post)
        except FetchFailed as failure:
            self._failures[host, failure.reason] += 1
            return Step(link, item_id(link), reason=failure.reason, asked=True)
        whole = await with_attachments(
            self.fetcher, captured, images=self.images, obey_robots=lambda url: self._obeys(link, url)
        )
        deeper = [
            Step(further, item_id(further), reason=Reason.LIMIT)
            for further in self.table.find(captured.parts, captured.attachments)
            if urlsplit(further.url).netloc != urlsplit(link.url).netloc
        ]
        whole.failed.update([Reason.LIMIT] * len(deeper))
        whole.parts.extend(not_followed(deeper, captured.parts))
        return Step(link, item_id(link), whole, asked=True)

    async def capture(self, link: Link, post: Sequence[Part]) -> Capture:
        """Return the content behind a link, without its pictures and files; raises FetchFailed."""
        opener = _Opener(self.fetcher, self._wants(link))
        if link.resolver.read is not None:
            return await link.resolver.read(opener, link, post)
        answer = await opener.get(link.content_url)
        return Capture(parts=(answer.part("body"),), exchanges=answer.exchanges)

    async def _lead_on(self, link: Link) -> Step:
        """Return where a shortener leads: the same link if nowhere that the table knows."""
        try:
            target = self.table.resolve(await self.fetcher.target(link.content_url, self._wants(link)))
        except FetchFailed as failure:
            return Step(link, item_id(link), reason=failure.reason, asked=True)
        if target is None:
            return Step(link, item_id(link), aside=(item_id(link),))
        if target.resolver.shortens:
            return Step(link, item_id(link), reason=Reason.LIMIT, asked=True)
        return Step(target, item_id(target))

    def _obeys(self, link: Link, url: str) -> bool | None:
        """Tell whether robots.txt binds a request: the decision is about the link's own hosts alone."""
        if self.by_hand:
            return None
        own = {urlsplit(link.url).netloc, urlsplit(link.content_url).netloc}
        return urlsplit(url).netloc not in own or self.table.obeys_robots(link.resolver)

    def _wants(self, link: Link) -> Wants:
        obeys = self._obeys(link, link.content_url)
        if obeys is False and link.resolver.name not in self._told:
            self._told.add(link.resolver.name)
            why = link.resolver.robots.partition(":")[2].strip()
            log.info("link_robots_ignored", resolver=link.resolver.name, why=why)
        return link_wants(images=self.images, obey_robots=obeys)


def not_followed(steps: Iterable[Step], post: Sequence[Part]) -> tuple[Part, ...]:
    """Return a part that tells people which links were not followed and why, or nothing.

    It rests sealed with its page, and stands in the evidence if the page matches. Whoever opens such a share by hand
    needs what looks like a code in the same post; it is told with it.
    """
    lines = [_line(step) for step in steps if step.whole is None and step.reason is not None]
    if not lines:
        return ()
    codes = passwords_in(post)
    text = "\n".join([f"{len(lines)} not followed", *lines, *([f"codes: {' '.join(codes)}"] if codes else [])])
    return (Part(NOT_FOLLOWED, "text/plain", text.encode("utf-8", "replace"), charset="utf-8"),)


def _line(step: Step) -> str:
    refusal = step.link.resolver.refusal
    return f"{step.reason}: {step.link.url} ({step.link.resolver.name}{f': {refusal.why}' if refusal else ''})"
