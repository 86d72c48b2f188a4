"""Yuque books (语雀 知识库): every document of the books that the operator names, again when it was edited.

`GET {root}/{user}/{book}` is a page whose script holds `window.appData`, and in it the number of the book;
`GET /api/docs?book_id=` lists its documents, `GET /api/docs/{slug}?book_id=` gives one as HTML. There is no
documentation of these; their shape is that which open readers parse (2025). In the HTML, everything that is not text
is a `<card value="data:…">` with JSON in it.
"""

import html
import json
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any, ClassVar
from urllib.parse import quote, unquote, urlsplit

from parsel import Selector

from crawler.attachments import absolute, attachments_of
from crawler.charset import text_of
from crawler.expressions import moment
from crawler.fetcher import Answer, Fetcher
from crawler.health import FetchFailed
from crawler.interface import SiteSettings, Validators
from crawler.profile import Profile, Tested
from crawler.reading import json_of, text_part
from crawler.spider import Capture, Item, Listing, SiteSpider, Stream
from model.errors import ConfigError
from model.page import Reason

_APP_DATA = re.compile(r"window\.appData\s*=\s*JSON\.parse\(decodeURIComponent\(\"([^\"]+)\"\)\)")
_CARD = re.compile(r"<card\b[^>]*>(?:\s*</card>)?", re.IGNORECASE)
FILES = frozenset({"image", "board", "file", "localdoc", "flowchart2", "mindmap", "puml", "diagram", "math"})
"""Cards whose address is a picture or a file of the document."""


class Yuque(SiteSpider):
    """Public documents of named books."""

    options: ClassVar[frozenset[str]] = frozenset({"root", "books"})
    profile = Profile(
        about="Yuque (语雀), the documents of the public books that you name, with pictures and files (code)",
        mode="watch list",
        limits="one request in 3 s (from memory: about 100 in an hour without login)",
        terms="Public books only; Yuque's terms forbid bulk copying (from memory).",
        every=3600.0,
        delay=3.0,
        tested=Tested("recording", "2026-11-24"),
    )

    def __init__(self, site: SiteSettings) -> None:
        """Take `books` (each `user/book`), and `root` if it is not www.yuque.com."""
        super().__init__(site)
        named = site.options.get("books")
        self.books = [str(book).strip("/") for book in (named if isinstance(named, list) else [named] if named else [])]
        if not self.books or not all(re.fullmatch(r"[\w.-]+/[\w.-]+", book) for book in self.books):
            raise ConfigError(f"sites.{site.name}: 'yuque' needs the option 'books', each as user/book")
        self.root = str(site.options.get("root", "https://www.yuque.com")).rstrip("/")

    async def streams(self, fetcher: Fetcher) -> AsyncIterator[Stream]:
        """Yield a list for each book."""
        for book in self.books:
            yield Stream(name=f"docs {book}", start=book, conditional=False)

    async def listing(
        self, fetcher: Fetcher, stream: Stream, place: str, cursor: str | None, validators: Validators | None
    ) -> Listing:
        """Return all documents of a book, newest first."""
        page = await fetcher.get(f"{self.root}/{stream.start}", "listing")
        number = _book_of(page)
        answer = await fetcher.get(f"{self.root}/api/docs?book_id={number}", "listing")
        docs = _field(answer, "data", list)
        newest_first = sorted(docs, key=lambda doc: str(_edited(doc)), reverse=True)
        items = [self._item(stream.start, number, doc) for doc in newest_first]
        readable = tuple(item for item in items if item is not None)
        if docs and not readable:
            raise FetchFailed(Reason.CHANGED, "no document of the book has a slug any more")
        return Listing(items=readable, answer=answer, unreadable=len(items) - len(readable))

    async def capture(self, fetcher: Fetcher, item: Item, listing: Listing) -> Capture:
        """Return one document: its text with the cards written out, its title, its files, and all of it as JSON."""
        slug, book = quote(item.fields["id"]), item.fields["book"]
        answer = await fetcher.get(f"{self.root}/api/docs/{slug}?book_id={book}&include_contributors=true")
        doc = _field(answer, "data", dict)
        content = next((doc[key] for key in ("content", "body_html", "body") if isinstance(doc.get(key), str)), "")
        written, files = written_out(content)
        names = [entry.get("name") for entry in doc.get("contributors") or [] if isinstance(entry, dict)]
        author = ", ".join(name for name in names if isinstance(name, str)) or None
        told = (("body", doc.get("description")), ("title", doc.get("title")), ("author", author))
        return Capture(
            parts=(
                text_part("body", written, "text/html"),
                *(text_part(part, text) for part, text in told if isinstance(text, str) and text),
                answer.part("body"),
            ),
            exchanges=answer.exchanges,
            attachments=absolute([*files, *attachments_of(Selector(text=written or " "), item.url)], item.url),
            author=author,
        )

    def _item(self, book: str, number: int, doc: Any) -> Item | None:
        """Return one document of the list; an edit makes a new item."""
        slug = doc.get("slug") if isinstance(doc, dict) else None
        if not isinstance(slug, str) or not slug:
            return None
        return Item(
            item_id=f"{number}/{slug}" + (f"@{edited}" if (edited := _edited(doc)) else ""),
            url=f"{self.root}/{book}/{slug}",
            published_at=moment(str(doc.get("published_at") or doc.get("created_at") or "")),
            thread_id=str(number),
            fields={"id": slug, "book": number},
        )


def written_out(content: str) -> tuple[str, list[str]]:
    """Return a document's HTML with its cards as text, and the addresses of pictures and files that they show."""
    files: list[str] = []

    def replace(match: re.Match[str]) -> str:
        card = Selector(text=match.group(), type="html").css("card")
        kind, value = card.attrib.get("name", ""), _value(card.attrib.get("value", ""))
        if kind in FILES and isinstance(value, dict):
            files.extend(text for key in ("src", "url") if isinstance(text := value.get(key), str))
        if kind == "table" and isinstance(value, dict) and isinstance(value.get("html"), str):
            table, inner = written_out(value["html"])
            files.extend(inner)
            return table
        return f"<pre>{html.escape(chr(10).join(_texts(value)))}</pre>"

    return _CARD.sub(replace, content), files


def _value(attribute: str) -> Any:
    """Return what a card's attribute holds: JSON, percent-encoded behind `data:`; a text if it is none."""
    text = unquote(attribute.partition("data:")[2].removeprefix("undefined"))
    try:
        return json.loads(text or "null")
    except (ValueError, RecursionError):
        return text


def _texts(node: Any) -> Iterator[str]:
    """Yield every text in a tree."""
    if isinstance(node, str) and node.strip():
        yield node
    elif isinstance(node, dict):
        for entry in node.values():
            yield from _texts(entry)
    elif isinstance(node, list):
        for entry in node:
            yield from _texts(entry)


def _book_of(page: Answer) -> int:
    """Return the number of the book on whose page we are."""
    if "/login" in urlsplit(page.url).path:
        raise FetchFailed(Reason.LOGIN, "the book is not public")
    found = _APP_DATA.search(text_of(page))
    try:
        data = json.loads(unquote(found.group(1))) if found else {}
        return int(data["book"]["id"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise FetchFailed(Reason.CHANGED, "the page of the book has no window.appData with its number") from None


def _field(answer: Answer, key: str, kind: type) -> Any:
    """Return a field of an answer in JSON that must be there."""
    data = json_of(answer)
    found = data.get(key) if isinstance(data, dict) else None
    if not isinstance(found, kind):
        raise FetchFailed(Reason.CHANGED, f"the answer has no {key!r}")
    return found


def _edited(doc: Any) -> str | None:
    """Return when a document was last edited, as Yuque says it."""
    keys = ("content_updated_at", "published_at", "updated_at")
    found = [doc.get(key) for key in keys] if isinstance(doc, dict) else []
    return next((text for text in found if isinstance(text, str) and text), None)
