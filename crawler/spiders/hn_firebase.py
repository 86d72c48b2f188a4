"""Hacker News: every new story and comment, and what changed of older ones.

Open API: /v0/maxitem.json, /v0/item/{id}.json, /v0/updates.json. https://github.com/HackerNews/API. Ids count up, so
the walk goes up from the last one that was read. An item may be `null` for seconds after its id was given: the walk
stops before it and goes on from there with the next scan.
"""

import json
from collections.abc import AsyncIterator, Mapping
from hashlib import sha256
from typing import Any, ClassVar

from crawler.expressions import moment
from crawler.fetcher import Answer, Fetcher
from crawler.health import FetchFailed
from crawler.interface import SiteSettings, Validators
from crawler.profile import Profile, Tested
from crawler.reading import json_of, text_part
from crawler.spider import Capture, Item, Listing, SiteSpider, Stream
from model.page import Reason

STEP = 50
"""Items of one page of the walk: what a crash repeats at most is a scan, what it loses is nothing."""
AT_MOST = 10 * STEP
"""Items of one scan; after a long rest, the next scans go on."""
LATE = 100
"""An item that is still null so many ids behind the newest one will never come."""


class HnFirebase(SiteSpider):
    """New and changed items of Hacker News."""

    options: ClassVar[frozenset[str]] = frozenset({"root", "backfill", "updates"})
    profile = Profile(
        about="Hacker News, every new story and comment, and edited ones",
        limits="none, says its documentation; one request for each item, about ten items in a minute",
        terms="Free to use.",
        every=60.0,
        tested=Tested("recording", "2026-11-24"),
    )

    def __init__(self, site: SiteSettings) -> None:
        """Take `backfill` (items that the first scan reads) and `updates` (whether changed items are read too)."""
        super().__init__(site)
        self.root = str(site.options.get("root") or "https://hacker-news.firebaseio.com").rstrip("/")
        self.backfill = int(site.options.get("backfill", 50))
        self.updates = bool(site.options.get("updates", True))

    async def streams(self, fetcher: Fetcher) -> AsyncIterator[Stream]:
        """Yield the walk, then the list of what changed."""
        yield Stream(name="items", cursor="id", backfill=AT_MOST, conditional=False)
        if self.updates:
            yield Stream(name="updates", cursor="seen", start="updates")

    async def listing(
        self, fetcher: Fetcher, stream: Stream, place: str, cursor: str | None, validators: Validators | None
    ) -> Listing:
        """Return the items of one step of the walk, or those that changed."""
        if stream.name == "updates":
            return await self._changed(fetcher, validators)
        newest = await fetcher.get(f"{self.root}/v0/maxitem.json", "listing")
        top = json_of(newest)
        if type(top) is not int:
            raise FetchFailed(Reason.CHANGED, "the answer is not the number of the newest item")
        begin = int(cursor) + 1 if cursor else max(top - self.backfill + 1, 1)
        first = int(place) if place else begin
        last = min(first + STEP - 1, top)
        items = list[Item]()
        for number in range(first, last + 1):
            answer, entry = await self._item(fetcher, number)
            if entry is None and number > top - LATE:
                return Listing(items=tuple(items), answer=newest)
            items.append(self._read(str(number), entry, answer))
        further = last < top and last < begin + AT_MOST - 1
        return Listing(items=tuple(items), answer=newest, next=str(last + 1) if further else None)

    async def capture(self, fetcher: Fetcher, item: Item, listing: Listing) -> Capture:
        """Return what was read of the item, with its own answer as evidence."""
        if item.fields["gone"]:
            raise FetchFailed(Reason.GONE)
        return Capture(parts=item.parts, exchanges=item.fields["answer"].exchanges)

    async def _changed(self, fetcher: Fetcher, validators: Validators | None) -> Listing:
        """Return the items that changed lately; one whose words are the same has the same id as before."""
        answer = await fetcher.get(f"{self.root}/v0/updates.json", "listing", validators=validators)
        if answer.unchanged:
            return Listing(items=(), answer=answer)
        data = json_of(answer)
        if not isinstance(data, dict) or not isinstance(data.get("items"), list):
            raise FetchFailed(Reason.CHANGED, "the answer is not a list of changed items")
        items = []
        for number in data["items"]:
            own, entry = await self._item(fetcher, number)
            if entry is not None:
                items.append(self._read(str(number), entry, own))
        return Listing(items=tuple(items), answer=answer)

    async def _item(self, fetcher: Fetcher, number: int) -> tuple[Answer, dict[str, Any] | None]:
        """Return one item, which may be null."""
        answer = await fetcher.get(f"{self.root}/v0/item/{number}.json", "item")
        entry = json_of(answer)
        if entry is not None and not (isinstance(entry, dict) and "id" in entry):
            raise FetchFailed(Reason.CHANGED, "the answer is not an item")
        return answer, entry

    def _read(self, number: str, entry: Mapping[str, Any] | None, answer: Answer) -> Item:
        """Return an item; a deleted one, or one that never came, is gone."""
        told = entry or {"deleted": True}
        words = [str(told.get(key) or "") for key in ("title", "text", "url")]
        version = "gone" if told.get("deleted") else sha256("\0".join(words).encode()).hexdigest()[:12]
        title, text, url = words
        named = [("body", url, "text/plain"), ("title", title, "text/html"), ("author", told.get("by"), "text/plain")]
        return Item(
            item_id=f"{number}@{version}",
            url=f"https://news.ycombinator.com/item?id={number}",
            parts=(
                *([text_part("body", text, "text/html")] if text else []),
                *(text_part(part, str(known), media_type) for part, known, media_type in named if known),
                text_part("record", json.dumps(told, ensure_ascii=False), "application/json"),
            ),
            published_at=moment(str(told.get("time", ""))),
            author=told.get("by"),
            thread_id=str(told.get("parent") or number),
            fields={"id": number, "answer": answer, "gone": version == "gone"},
        )
