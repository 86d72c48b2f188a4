"""The spider of all described sites: list → items → raw."""

import json
import os
import re
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urljoin, urlsplit, urlunsplit

import feedparser
from parsel import Selector

from crawler.attachments import absolute, attachments_of
from crawler.capture import web_page_capture
from crawler.charset import text_of
from crawler.cursors import OVERLAP, rank
from crawler.description import Description, Pager, resolve_options
from crawler.expressions import moment, search, value, values
from crawler.fetcher import Answer, Fetcher
from crawler.health import FetchFailed
from crawler.interface import SiteSettings, Validators
from crawler.spider import Capture, Item, Listing, SiteSpider, Stream
from model.errors import ConfigError
from model.page import Exchange, Part, Reason


class GenericSpider(SiteSpider):
    """Reads a site as its description says."""

    def __init__(self, site: SiteSettings, description: Description) -> None:
        """Resolve options; raises ConfigError if one is unknown or missing."""
        super().__init__(site)
        self.description = description
        self.settings = resolve_options(description, site)
        root = self.settings.get("root") or ""
        self.roots = tuple(str(entry).rstrip("/") for entry in (root if isinstance(root, list) else [root]))

    async def streams(self, fetcher: Fetcher) -> AsyncIterator[Stream]:
        """Yield one list per instance."""
        for root in self.roots:
            yield Stream(
                name=f"list {urlsplit(root).netloc}".strip(),
                cursor=self.description.cursor,
                backfill=self.description.backfill,
                conditional=self.description.conditional and "{cursor" not in self.description.list_url,
                start=root,
            )

    async def listing(
        self, fetcher: Fetcher, stream: Stream, place: str, cursor: str | None, validators: Validators | None
    ) -> Listing:
        """Fetch and read one page of the list."""
        first = place == stream.start
        url, body = (
            (self._list_url(stream.start, cursor), self._body(stream.start, cursor, "")) if first else (place, b"")
        )
        if not first and self.description.method == "POST":
            url, body = self._list_url(stream.start, cursor), self._body(stream.start, cursor, place)
        headers, secret = self._headers()
        if body:
            headers["Content-Type"] = "application/json"
        answer = await fetcher.get(
            url, "listing", method=self.description.method, headers=headers, secret_headers=secret, body=body,
            validators=validators,
        )  # fmt: skip
        if answer.unchanged:
            return Listing(items=(), answer=answer)
        return read_list(self.description, answer, self._names(stream.start), url, prefix=self._prefix(stream.start))

    async def capture(self, fetcher: Fetcher, item: Item, listing: Listing) -> Capture:
        """Return what the list gave of the item, and its raw content if it lies elsewhere."""
        raw, parts = self.description.raw, list(item.parts)
        if raw is None and not self.description.fetch_link:
            return Capture(tuple(parts), listing.answer.exchanges, item.attachments)
        # The list is no evidence of what lies elsewhere, and shows the neighbours.
        exchanges, attachments = list[Exchange](), list(item.attachments)
        for url in item.fields["raw_urls"]:
            headers, secret = self._headers() if _same_host(url, listing.answer.url) else ({}, ())
            answer = await fetcher.get(url, "item", headers=headers, secret_headers=secret)
            self._refuse(answer)
            captured = self._raw(answer, item.fields.get("name") or "")
            parts[:0] = captured.parts
            exchanges.extend(answer.exchanges)
            attachments.extend(captured.attachments)
        return Capture(tuple(parts), tuple(exchanges), tuple(attachments))

    def _raw(self, answer: Answer, name: str) -> Capture:
        """Return the parts of one raw answer: bytes as received, never decoded by a guess."""
        raw = self.description.raw
        if raw is None or raw.type == "html":
            return web_page_capture(answer)
        parts = [answer.part("body", name)]
        if raw.type == "json" and raw.text:
            parts = [*(text_part("body", text) for text in values(raw.text, _json(answer, "auto"))), *parts]
        return Capture(parts=tuple(parts), exchanges=answer.exchanges)

    def _refuse(self, answer: Answer) -> None:
        """Raise if the site refuses in its own words."""
        refuse(self.description, answer)

    def _names(self, root: str) -> dict[str, str]:
        """Return what `{name}` stands for in the description's templates."""
        return {key: str(option) for key, option in self.settings.items() if option is not None} | {"root": root}

    def _prefix(self, root: str) -> str:
        """Return what keeps the ids of several instances apart."""
        return f"{urlsplit(root).netloc}/" if len(self.roots) > 1 else ""

    def _list_url(self, root: str, cursor: str | None) -> str:
        return list_url(self.description.list_url, self._names(root), self._cursor(cursor))

    def _cursor(self, cursor: str | None) -> str | None:
        """Return the cursor as an address may carry it."""
        if cursor is None or self.description.cursor == "seen":
            return None
        return (datetime.fromisoformat(cursor) - OVERLAP).isoformat() if self.description.cursor == "time" else cursor

    def _body(self, root: str, cursor: str | None, token: str) -> bytes:
        """Return the JSON body of a POST list, without the entries that have nothing to say yet."""
        if self.description.body is None:
            return b""
        names = self._names(root) | {"cursor": self._cursor(cursor) or ""}
        body = {
            key: fill(entry, names) if isinstance(entry, str) else entry for key, entry in self.description.body.items()
        }
        body = {key: entry for key, entry in body.items() if entry != ""}
        if token:
            body[self.description.pager.param] = token
        return json.dumps(body, ensure_ascii=False).encode()

    def _headers(self) -> tuple[dict[str, str], tuple[str, ...]]:
        """Return the description's headers; those that carry a secret by reference are named as secret."""
        names, secret = dict(self._names("")), []
        for key, option in names.items():
            names[key] = revealed(option, self.site.name)
        headers = {key: fill(template, names) for key, template in self.description.headers.items()}
        for key, template in self.description.headers.items():
            if any(self._names("").get(name, "") != names.get(name) for name in re.findall(r"\{(\w+)\}", template)):
                secret.append(key)
        return headers, tuple(secret)


def read_list(
    description: Description, answer: Answer, names: Mapping[str, str], asked: str, *, prefix: str = ""
) -> Listing:
    """Return the items of one list page and where the list goes on; raises FetchFailed if it looks unlike described."""
    refuse(description, answer)
    reader = {"json": _read_json, "feed": _read_feed, "html": _read_html, "text": _read_text}[description.kind]
    entries, document = reader(description, answer)
    items, unreadable = [], 0
    for entry in entries:
        item = (
            _feed_item(entry, answer)
            if description.kind == "feed"
            else _item(description, entry, answer, names, prefix)
        )
        if item is None:
            unreadable += 1
        else:
            items.append(item)
    if entries and not items:
        raise FetchFailed(Reason.CHANGED, "no entry of the list has an id any more")
    return Listing(
        items=tuple(items),
        answer=answer,
        next=_next(description, answer, document, items, asked),
        unreadable=unreadable,
    )


def refuse(description: Description, answer: Answer) -> None:
    """Raise FetchFailed if one of the description's own failure rules fits the answer."""
    for rule in description.fail:
        if rule.status is not None and rule.status != answer.status:
            continue
        if rule.pattern and not re.search(rule.pattern.encode(), answer.body[:100_000]):
            continue
        if rule.json:
            try:
                if not search(rule.json, json.loads(answer.body)):
                    continue
            except ValueError:
                continue
        raise FetchFailed(rule.means, pause=rule.pause)


def list_url(template: str, names: Mapping[str, str], cursor: str | None) -> str:
    """Fill an address; query parameters that wait for a cursor are left out until there is one."""
    scheme, netloc, path, query, _ = urlsplit(template.replace("{root}", names.get("root", "")))
    pairs = []
    for key, entry in parse_qsl(query, keep_blank_values=True):
        if "{cursor" in entry + key and cursor is None:
            # Several conditions may share one parameter; only a parameter of nothing but the cursor goes away.
            continue
        moments = {"cursor": cursor or "", "cursor|epoch": _epoch(cursor)}
        pairs.append((fill(key, {**names, **moments}), fill(entry, {**names, **moments})))
    return urlunsplit((scheme, netloc, fill(path, names, quoted=True), urlencode(pairs), ""))


def fill(template: str, names: Mapping[str, str], *, quoted: bool = False) -> str:
    """Replace `{name}` by what it stands for; a name nobody knows is an error of the description."""

    def replace(match: re.Match[str]) -> str:
        if match.group(1) not in names:
            raise ConfigError(f"a description uses {{{match.group(1)}}}, which is neither a field nor an option")
        text = names[match.group(1)]
        return quote(text, safe="/:@") if quoted else text

    return re.sub(r"\{([\w|]+)\}", replace, template)


def text_part(provenance: str, text: str, media_type: str = "text/plain") -> Part:
    """Return text out of a list as a part."""
    return Part(provenance=provenance, media_type=media_type, data=text.encode("utf-8", "replace"), charset="utf-8")


def _read_json(description: Description, answer: Answer) -> tuple[list[Any], Any]:
    """Return the entries of a JSON list; the path must lead to a list, be it empty."""
    data = _json(answer, description.encoding)
    found = search(description.items, data)
    missing = description.require and search(description.require, data) is None
    if not isinstance(found, list) or missing:
        raise FetchFailed(Reason.CHANGED, "the list is not where the description says")
    return found, data


def _json(answer: Answer, encoding: str) -> Any:
    try:
        return json.loads(text_of(answer, encoding))
    except (ValueError, RecursionError):
        raise FetchFailed(Reason.CHANGED, "the answer is not JSON") from None


def _read_html(description: Description, answer: Answer) -> tuple[list[Any], Selector]:
    """Return the entries of an HTML list; an empty one must show what `require` names."""
    document = Selector(text=text_of(answer, description.encoding) or " ", type="html")
    found = (
        document.xpath(description.items[6:])
        if description.items.startswith("xpath:")
        else document.css(description.items)
    )
    if not (document.css(description.require) if description.require else found):
        raise FetchFailed(Reason.CHANGED, "nothing on the page looks like the list of the description")
    return list(found), document


def _read_text(description: Description, answer: Answer) -> tuple[list[Any], str]:
    """Return the entries of a text list: what the regular expression finds."""
    text = text_of(answer, description.encoding)
    found: list[Any] = [match.group() for match in re.finditer(description.items.removeprefix("re:"), text)]
    if not (re.search(description.require, text) if description.require else found):
        raise FetchFailed(Reason.CHANGED, "nothing in the text looks like the list of the description")
    return found, text


def _read_feed(description: Description, answer: Answer) -> tuple[list[Any], Any]:
    """Return the entries of an RSS or Atom feed. Sanitising is off: what it would drop may be the leak."""
    if re.search(rb"<!ENTITY", answer.body[:20_000]):
        raise FetchFailed(Reason.BOMB, "a feed that declares entities")
    kept = {"content-type": answer.header("content-type") or "application/xml"}
    data = feedparser.parse(answer.body, response_headers=kept, sanitize_html=False, resolve_relative_uris=False)
    if not data.version:
        raise FetchFailed(Reason.CHANGED, "the answer is not a feed")
    return list(data.entries), data


def _feed_item(entry: Any, answer: Answer) -> Item | None:
    """Return one entry of a feed as an item."""
    link = urljoin(answer.url, entry.get("link") or "") if entry.get("link") else answer.url
    item_id = entry.get("id") or entry.get("link")
    if not item_id:
        return None
    bodies = [(body.get("value", ""), body.get("type", "text/html")) for body in entry.get("content", ())]
    summary = entry.get("summary", "")
    if summary and all(summary != body for body, _ in bodies):
        bodies.append((summary, entry.get("summary_detail", {}).get("type", "text/html")))
    parts = [
        text_part("body", body, "text/plain" if kind == "text/plain" else "text/html") for body, kind in bodies if body
    ]
    title, author = entry.get("title", ""), entry.get("author", "")
    files = [enclosure.get("href", "") for enclosure in entry.get("enclosures", ())]
    files += [media.get("url", "") for media in entry.get("media_content", ())]
    html = [body for body, kind in bodies if body and kind != "text/plain"]
    when = entry.get("published") or entry.get("updated")
    return Item(
        item_id=_short(item_id),
        url=link,
        parts=(*parts, *_named(("title", title), ("author", author))),
        attachments=_attachments(files, html, link),
        published_at=moment(when),
        author=author or None,
        fields={"raw_urls": (link,)},
    )


def _item(description: Description, entry: Any, answer: Answer, names: Mapping[str, str], prefix: str) -> Item | None:
    """Return one entry as an item, or None if it has no id."""
    found = {
        name: value(expression, entry)
        for name, expression in description.fields.items()
        if name not in {"html", "files"}
    }
    if not found.get("id"):
        return None
    base = answer.url
    html = values(description.fields["html"], entry, as_html=True) if "html" in description.fields else []
    files = values(description.fields["files"], entry) if "files" in description.fields else []
    known = {**names, **{name: text for name, text in found.items() if text}}
    link = urljoin(base, fill(description.link, known) if description.link else found.get("link") or base)
    raw = description.raw
    raw_urls: tuple[str, ...] = (link,) if description.fetch_link else ()
    if raw is not None and raw.each:
        raw_urls, files = absolute(files, base), []
    elif raw is not None and raw.url:
        raw_urls = (urljoin(base, fill(raw.url, known)),)
    texts = [("body", text) for text in [found.get("text")] if text]
    record = [text_part("record", _source(entry), "application/json")] if "record" in description.fields else []
    return Item(
        item_id=prefix + _short(found["id"] or ""),
        url=link,
        parts=(
            *(text_part("body", body, "text/html") for body in html),
            *_named(*texts, ("title", found.get("title")), ("author", found.get("author"))),
            *record,
        ),
        attachments=_attachments(files, html, base),
        published_at=moment(found.get("time")),
        author=found.get("author"),
        thread_id=found.get("thread"),
        fields={"raw_urls": raw_urls, "name": found.get("name"), "id": found["id"]},
    )


def _source(entry: Any) -> str:
    return json.dumps(entry, ensure_ascii=False) if not isinstance(entry, Selector) else entry.get()


def _named(*texts: tuple[str, str | None]) -> tuple[Part, ...]:
    return tuple(text_part(provenance, text) for provenance, text in texts if text)


def _attachments(files: list[str], html: list[str], base: str) -> tuple[str, ...]:
    """Return what is attached by name and what stands in the HTML."""
    inside = [url for body in html for url in attachments_of(Selector(text=body, type="html"), base)]
    return absolute([*files, *inside], base)


def _short(item_id: str) -> str:
    """Return an id of bounded length."""
    from hashlib import sha256

    return item_id if len(item_id) <= 200 else "sha256:" + sha256(item_id.encode()).hexdigest()


def _next(description: Description, answer: Answer, document: Any, items: list[Item], asked: str) -> str | None:
    """Return where the list goes on, or None at its end."""
    pager = description.pager
    if pager.kind == "none" or not items:
        return None
    if pager.more and not search(pager.more, document):
        return None
    if pager.kind == "link_header":
        found = re.search(r"<([^>]{1,2000})>\s*;[^,]*\brel=\"?next\b", answer.header("link"))
        return urljoin(answer.url, found.group(1)) if found else None
    if pager.kind == "next":
        link = value(pager.css, document)
        return urljoin(answer.url, link) if link else None
    token = _token(pager, document, items, asked)
    if token is None:
        return None
    return token if description.method == "POST" else with_parameter(asked, pager.param, token)


def _token(pager: Pager, document: Any, items: list[Item], asked: str) -> str | None:
    """Return what the pager's parameter must say for the next page."""
    if pager.kind in {"page", "offset"}:
        current = dict(parse_qsl(urlsplit(asked).query)).get(pager.param)
        step = pager.step if pager.kind == "page" else (pager.step if pager.step > 1 else len(items))
        return str((int(current) if current and current.isdigit() else pager.start) + step)
    if pager.kind == "token":
        return value(pager.source, document)
    ids = sorted((str(item.fields.get("id", item.item_id)) for item in items), key=rank)
    return ids[-1] if pager.source == "max" else ids[0]


def with_parameter(url: str, name: str, text: str) -> str:
    """Return an address with one query parameter set."""
    scheme, netloc, path, query, _ = urlsplit(url)
    pairs = [(key, entry) for key, entry in parse_qsl(query, keep_blank_values=True) if key != name]
    return urlunsplit((scheme, netloc, path, urlencode([*pairs, (name, text)]), ""))


def _epoch(cursor: str | None) -> str:
    when = moment(cursor)
    return str(int(when.timestamp())) if when is not None else ""


def _same_host(url: str, other: str) -> bool:
    return urlsplit(url).netloc == urlsplit(other).netloc


def revealed(option: str, site: str) -> str:
    """Return a secret that is given by reference: `env:NAME` or `file:PATH`."""
    scheme, _, name = option.partition(":")
    if scheme == "env":
        if name not in os.environ:
            raise ConfigError(f"sites.{site}: the environment variable of an option is not set: {name}")
        return os.environ[name]
    return Path(name).read_text(encoding="utf-8").strip() if scheme == "file" else option
