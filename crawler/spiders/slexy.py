"""slexy.org: recent public pastes, each by way of its page, which alone has the token of the raw text.

`/recent` lists `/view/{id}`; the page of a paste links to `/raw/{id}{token}` and says when it was made
(`Timestamp: <b>2026-11-20 10:00:00 +0000</b>`). 429 comes with Retry-After. No API is documented.
"""

import re
from collections.abc import AsyncIterator
from typing import ClassVar
from urllib.parse import urljoin

from crawler.charset import text_of
from crawler.expressions import moment, value
from crawler.fetcher import Fetcher
from crawler.health import FetchFailed
from crawler.interface import SiteSettings, Validators
from crawler.profile import Profile, Tested
from crawler.spider import Capture, Item, Listing, SiteSpider, Stream
from model.page import Reason

_LISTED = re.compile(r'<a[^>]{0,200}\bhref="/view/(\w{4,20})"')
_MADE = r"re:Timestamp:\s*<b>([^<]{10,40})</b>|date:%Y-%m-%d %H:%M:%S %z"


class Slexy(SiteSpider):
    """New public pastes."""

    options: ClassVar[frozenset[str]] = frozenset({"root"})
    profile = Profile(
        about="slexy.org, recent public pastes (code)",
        limits="Says how much it bears in RateLimit headers and answers 429; two requests for each paste. Seen last in "
        "2021.",
        terms="The site says that it does not like scraping.",
        off="the site does not like being read by programs; ask its owner for leave.",
        every=300.0,
        delay=10.0,
        tested=Tested("recording", "2026-11-24"),
    )

    def __init__(self, site: SiteSettings) -> None:
        """Take `root`, if it is not https://slexy.org."""
        super().__init__(site)
        self.root = str(site.options.get("root", "https://slexy.org")).rstrip("/")

    async def streams(self, fetcher: Fetcher) -> AsyncIterator[Stream]:
        """Yield the one list there is."""
        yield Stream("recent")

    async def listing(
        self, fetcher: Fetcher, stream: Stream, place: str, cursor: str | None, validators: Validators | None
    ) -> Listing:
        """Return the recent pastes."""
        answer = await fetcher.get(f"{self.root}/recent", "listing", validators=validators)
        if answer.unchanged:
            return Listing(items=(), answer=answer)
        found = dict.fromkeys(_LISTED.findall(text_of(answer)))
        if not found:
            raise FetchFailed(Reason.CHANGED, "nothing on the page looks like a list of pastes")
        return Listing(items=tuple(Item(item_id=key, url=f"{self.root}/view/{key}") for key in found), answer=answer)

    async def capture(self, fetcher: Fetcher, item: Item, listing: Listing) -> Capture:
        """Return the raw text of a paste, and its page with title, author and comments."""
        page = await fetcher.get(item.url)
        text = text_of(page)
        link = re.search(rf'href="(/raw/{re.escape(item.item_id)}[^"<>\s]{{0,200}})"', text)
        if link is None:
            raise FetchFailed(Reason.CHANGED, "the page of a paste has no link to its raw text")
        raw = await fetcher.get(urljoin(page.url, link[1]))
        return Capture(
            parts=(raw.part("body"), page.part("body")),
            exchanges=(*raw.exchanges, *page.exchanges),
            published_at=moment(value(_MADE, text)),
        )
