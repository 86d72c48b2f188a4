"""Common Crawl: which documents of a domain of your own its newest crawl holds, read out of its archive files.

`collinfo.json` names the indexes, newest first; an index answers one capture in JSON a line, in pages
(`showNumPages`), 404 for a domain without any; a capture is a gzip member of a WARC file, asked for by its range
(https://index.commoncrawl.org, https://commoncrawl.org/get-started).
"""

import json
import re
from collections.abc import AsyncIterator
from io import BytesIO
from typing import Any, ClassVar
from urllib.parse import urlencode

from warcio.archiveiterator import ArchiveIterator
from warcio.exceptions import ArchiveLoadFailed

from crawler.archives import DOCUMENTS, Place, captured_at, document_name, domains
from crawler.fetcher import Answer, Fetcher
from crawler.health import FetchFailed
from crawler.interface import SiteSettings, Validators
from crawler.profile import Profile, Tested
from crawler.reading import json_of, short_id
from crawler.spider import Capture, Item, Listing, SiteSpider, Stream
from model.page import Part, Reason

MAX_RECORD = 20_000_000
"""Bytes of one document, unpacked."""
LONGEST_RANGE = 20_000_000


class CommonCrawl(SiteSpider):
    """Documents of your own domains in the newest crawl."""

    options: ClassVar[frozenset[str]] = frozenset({"root", "data", "domain", "types", "pages"})
    profile = Profile(
        about="Common Crawl: which documents of your own domains its newest crawl holds (code)",
        mode="watch list",
        limits="One request in a second; the index is shared by everybody and often says 503. A scan reads `pages` "
        "pages of the index (1), and the next one goes on there. Documents are cut by the crawl at a few megabytes.",
        terms="Research use is welcome, hurry is not. Name domains of your own: what is public there is your duty.",
        every=3600.0,
        delay=1.0,
        tested=Tested("recording", "2026-11-24"),
    )

    def __init__(self, site: SiteSettings) -> None:
        """Take `domain` (one or several), and optionally `types` (a regular expression), `pages`, `root`, `data`."""
        super().__init__(site)
        self.root = str(site.options.get("root", "https://index.commoncrawl.org")).rstrip("/")
        self.data = str(site.options.get("data", "https://data.commoncrawl.org")).rstrip("/")
        self.domains = domains(site.name, site.options)
        self.types = re.compile(str(site.options.get("types", DOCUMENTS)))
        self.pages = int(site.options.get("pages", 1))
        self.asked = 0
        """Pages of the index read of the stream at hand."""
        self.total = 0
        """Pages that the index has of the stream at hand."""

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
        """Return one page of the newest index; nothing, if it was read to its end."""
        here = Place.read(cursor if place == stream.start else place)
        if place == stream.start:
            answer = await fetcher.get(f"{self.root}/collinfo.json", "listing")
            newest = _newest(answer)
            if here.list != newest:
                here = Place(list=newest)
            if here.done:
                return Listing(items=(), answer=answer, token=here.text())
            self.total = await self._count(fetcher, here.list, stream.start)
            if not self.total:
                return Listing(items=(), answer=answer, token=Place(list=here.list, done=True).text())
        number = int(here.next or 0)
        answer = await self._asked(fetcher, self._index_url(here.list, stream.start, page=str(number)))
        entries = [] if answer.status == 404 else _entries(answer)
        items = [self._item(entry) for entry in entries]
        readable = tuple(item for item in items if item is not None)
        if entries and not readable:
            raise FetchFailed(Reason.CHANGED, "no line of the index is a capture")
        self.asked += 1
        more = number + 1 < self.total
        after = Place(list=here.list, next=str(number + 1)) if more else Place(list=here.list, done=True)
        return Listing(
            items=tuple(item for item in readable if self._is_wanted(item)),
            answer=answer,
            next=after.text() if more and self.asked < self.pages else None,
            unreadable=len(items) - len(readable),
            token=after.text(),
        )

    async def capture(self, fetcher: Fetcher, item: Item, listing: Listing) -> Capture:
        """Return the document out of its archive file."""
        first, length = item.fields["offset"], item.fields["length"]
        if length > LONGEST_RANGE:
            raise FetchFailed(Reason.TOO_BIG, "a record of the archive")
        wish = {"Range": f"bytes={first}-{first + length - 1}"}
        answer = await fetcher.get(f"{self.data}/{item.fields['file']}", "item", headers=wish)
        if answer.status != 206:
            raise FetchFailed(Reason.CHANGED, "the archive does not answer with a range")
        return Capture((_document(answer, item.fields["name"]),), answer.exchanges)

    async def _count(self, fetcher: Fetcher, index: str, domain: str) -> int:
        """Return how many pages an index has of a domain."""
        answer = await self._asked(fetcher, self._index_url(index, domain, showNumPages="true"))
        told = json_of(answer)
        if answer.status == 404:
            return 0
        pages = told.get("pages") if isinstance(told, dict) else None
        if not isinstance(pages, int):
            raise FetchFailed(Reason.CHANGED, "the index does not say how many pages it has")
        return pages

    async def _asked(self, fetcher: Fetcher, url: str) -> Answer:
        """Return an answer of the index; that it has no capture is one too."""
        try:
            return await fetcher.get(url, "listing")
        except FetchFailed as failure:
            if failure.refusal is not None and b"No Captures found" in failure.refusal.body[:1000]:
                return failure.refusal
            raise

    def _index_url(self, index: str, domain: str, **wish: str) -> str:
        wish = {"url": f"*.{domain}", "output": "json", "filter": "=status:200", "pageSize": "1", **wish}
        return f"{self.root}/{index}-index?{urlencode(wish)}"

    def _is_wanted(self, item: Item) -> bool:
        """Tell whether a capture is a document; the index does not always filter as it is asked to."""
        return item.fields["status"] == "200" and self.types.fullmatch(item.fields["type"]) is not None

    def _item(self, entry: dict[str, Any]) -> Item | None:
        """Return one line of the index as an item, or None if it is no capture."""
        try:
            key, digest, url, file = (str(entry[name]) for name in ("urlkey", "digest", "url", "filename"))
            fields = {"offset": int(entry["offset"]), "length": int(entry["length"])}
        except (KeyError, ValueError, TypeError):
            return None
        kind = str(entry.get("mime-detected") or entry.get("mime") or "")
        return Item(
            item_id=short_id(f"{digest} {key}"),
            url=url,
            published_at=captured_at(str(entry.get("timestamp", ""))),
            fields={
                **fields,
                "file": file,
                "type": kind,
                "status": str(entry.get("status", "")),
                "name": document_name(url),
            },
        )


def _newest(answer: Answer) -> str:
    """Return the name of the newest index."""
    found = json_of(answer)
    name = found[0].get("id") if isinstance(found, list) and found and isinstance(found[0], dict) else None
    if not isinstance(name, str) or not re.fullmatch(r"[\w-]{4,60}", name):
        raise FetchFailed(Reason.CHANGED, "the list of indexes is not as it was")
    return name


def _entries(answer: Answer) -> list[dict[str, Any]]:
    """Return the lines of an index page; one that is no JSON object is an entry without anything."""
    found = []
    for line in answer.body.splitlines():
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            entry = {}
        found.append(entry if isinstance(entry, dict) else {})
    return found


def _document(answer: Answer, name: str) -> Part:
    """Return the payload of the one response record that an answer is, unpacked up to a limit."""
    try:
        record = next(iter(ArchiveIterator(BytesIO(answer.body))))
        if record.rec_type != "response" or record.http_headers is None:
            raise FetchFailed(Reason.CHANGED, "the record is not a response")
        body = record.content_stream().read(MAX_RECORD + 1)
    except (ArchiveLoadFailed, StopIteration, EOFError, OSError, ValueError) as error:
        raise FetchFailed(Reason.MALFORMED, f"the record cannot be read ({type(error).__name__})") from None
    if len(body) > MAX_RECORD:
        raise FetchFailed(Reason.TOO_BIG, "a record of the archive, unpacked")
    kind, _, rest = (record.http_headers.get_header("Content-Type") or "").partition(";")
    charset = re.search(r"charset\s*=\s*[\"']?([\w.:-]{1,40})", rest, re.IGNORECASE)
    return Part("body", kind.strip().lower(), body, name=name, charset=charset[1].lower() if charset else None)
