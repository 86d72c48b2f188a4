"""The Wayback Machine: which documents of a domain of your own it has captured, each version once.

The CDX server lists captures (`/cdx/search/cdx`, plain text, one capture a line, `showResumeKey` after an empty line;
https://github.com/internetarchive/wayback/tree/master/wayback-cdx-server); `/web/{time}id_/{url}` gives one as it was
captured. The key that resumes a list comes escaped and is escaped once more when it is sent.
"""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import ClassVar
from urllib.parse import urlencode

from crawler.archives import DOCUMENTS, Place, captured_at, document_name, domains
from crawler.fetcher import Answer, Fetcher
from crawler.health import FetchFailed
from crawler.interface import SiteSettings, Validators
from crawler.profile import Profile, Tested
from crawler.reading import short_id
from crawler.spider import Capture, Item, Listing, SiteSpider, Stream
from model.page import Reason

LATE = timedelta(days=60)
"""How late a capture may come into the list."""
STAMP = "%Y%m%d%H%M%S"
COLUMNS = 7
"""urlkey, timestamp, original, mimetype, statuscode, digest, length."""


class Wayback(SiteSpider):
    """Captures of documents of your own domains."""

    options: ClassVar[frozenset[str]] = frozenset({"root", "domain", "types", "limit", "pages"})
    profile = Profile(
        about="the Wayback Machine: which documents of your own domains it has captured, each version once (code)",
        mode="watch list",
        limits="24 requests in a minute for lists, 480 for captures; who goes on after a 429 is shut out for an hour. "
        "A scan reads `pages` lists (1) of `limit` captures (100), and the next one goes on there.",
        terms="Research use is welcome, hurry is not. Name domains of your own: what is public there is your duty.",
        every=3600.0,
        delay=2.5,
        tested=Tested("recording", "2026-11-24"),
    )

    def __init__(self, site: SiteSettings) -> None:
        """Take `domain` (one or several), and optionally `types` (a regular expression), `limit`, `pages`, `root`."""
        super().__init__(site)
        self.root = str(site.options.get("root", "https://web.archive.org")).rstrip("/")
        self.domains = domains(site.name, site.options)
        self.types = str(site.options.get("types", DOCUMENTS))
        self.limit = int(site.options.get("limit", 100))
        self.pages = int(site.options.get("pages", 1))
        self.asked = 0
        """Lists read of the stream at hand."""

    async def streams(self, fetcher: Fetcher) -> AsyncIterator[Stream]:
        """Yield one list per domain."""
        for domain in self.domains:
            self.asked = 0
            yield Stream(
                f"captures {domain}", cursor="token", keep="last", backfill=self.pages, conditional=False, start=domain
            )

    async def listing(
        self, fetcher: Fetcher, stream: Stream, place: str, cursor: str | None, validators: Validators | None
    ) -> Listing:
        """Return one page of a domain's captures."""
        here = Place.read(cursor if place == stream.start else place)
        if not here.next:
            here = Place(list=here.list, began=fetcher.now().strftime(STAMP))
        answer = await fetcher.get(self._list_url(stream.start, here), "listing")
        lines, resume = _parted(answer)
        rows = [line.split(" ") for line in lines]
        items = [self._item(row) for row in rows]
        readable = tuple(item for item in items if item is not None)
        if rows and not readable:
            raise FetchFailed(Reason.CHANGED, "no line of the list is a capture")
        self.asked += 1
        after = Place(list=here.list, next=resume, began=here.began) if resume else _finished(here)
        return Listing(
            items=readable,
            answer=answer,
            next=after.text() if resume and self.asked < self.pages else None,
            unreadable=len(items) - len(readable),
            token=after.text(),
        )

    async def capture(self, fetcher: Fetcher, item: Item, listing: Listing) -> Capture:
        """Return the document as it was captured."""
        answer = await fetcher.get(item.fields["raw_url"], "item")
        return Capture((answer.part("body", item.fields["name"]),), answer.exchanges)

    def _item(self, row: list[str]) -> Item | None:
        """Return one line of the list as an item: the same document captured again is the same item."""
        when = captured_at(row[1]) if len(row) == COLUMNS else None
        if when is None:
            return None
        key, stamp, original, _, _, digest, _ = row
        return Item(
            item_id=short_id(f"{digest} {key}"),
            url=f"{self.root}/web/{stamp}/{original}",
            published_at=when,
            fields={"raw_url": f"{self.root}/web/{stamp}id_/{original}", "name": document_name(original)},
        )

    def _list_url(self, domain: str, here: Place) -> str:
        wish = [
            ("url", domain),
            ("matchType", "domain"),
            ("filter", "statuscode:200"),
            ("filter", f"mimetype:{self.types}"),
            ("collapse", "digest"),
            ("limit", str(self.limit)),
            ("showResumeKey", "true"),
            *([("from", here.list)] if here.list else []),
            *([("resumeKey", here.next)] if here.next else []),
        ]
        return f"{self.root}/cdx/search/cdx?{urlencode(wish)}"


def _parted(answer: Answer) -> tuple[list[str], str]:
    """Return the lines of a list, and the key behind the empty line, if the list goes on."""
    text = answer.body.decode("utf-8", "replace")
    if "AdministrativeAccessControlException" in text[:1000]:
        raise FetchFailed(Reason.BLOCKED, "the archive does not show this domain")
    listed, _, resume = text.replace("\r\n", "\n").partition("\n\n")
    return [line for line in listed.split("\n") if line.strip()], resume.strip()


def _finished(here: Place) -> Place:
    """Return where the next reading begins: a while before this one did, for what comes late."""
    began = captured_at(here.began)
    since = (began - LATE).strftime(STAMP) if began is not None else here.list
    return Place(list=since)
