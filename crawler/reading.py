"""A fetched list, as its description says: entries → items, and where the list goes on."""

import json
import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any
from urllib.parse import urljoin

import feedparser
from parsel import Selector

from crawler.attachments import absolute, attachments_of
from crawler.charset import text_of
from crawler.cursors import rank
from crawler.description import Description, ListRules, Pager
from crawler.expressions import Unlike, moment, search, value, values
from crawler.fetcher import Answer
from crawler.health import FetchFailed
from crawler.spider import Item, Listing
from crawler.templates import fill, parameter, with_parameter
from model.page import Part, Reason


def read_list(
    description: Description,
    rules: ListRules,
    answer: Answer,
    names: Mapping[str, str],
    asked: str,
    *,
    prefix: str = "",
    place: str = "",
) -> Listing:
    """Return the items of one page of a list and where it goes on.

    `asked` is the address of this page and `place` what its pager's parameter said. Raises FetchFailed if the site
    refuses, or if the answer looks unlike described.
    """
    refuse(description, answer)
    reader = {"json": _read_json, "feed": _read_feed, "html": _read_html, "text": _read_text}[description.kind]
    try:
        entries, document = reader(description, rules, answer)
    except Unlike:
        raise FetchFailed(Reason.CHANGED, "the list has not the shape that the description says") from None
    read = _feed_item if isinstance(entries, _Feed) else _item

    def item_of(entry: Any) -> Item | None:
        """Return an entry as an item; one of another shape is as unreadable as one without an id."""
        try:
            return read(rules, entry, answer, names, prefix, fetch_link=description.fetch_link)
        except Unlike:
            return None

    items = [item_of(entry) for entry in entries]
    readable = tuple(item for item in items if item is not None)
    if entries and not readable:
        raise FetchFailed(Reason.CHANGED, "no entry of the list has an id any more")
    return Listing(
        items=readable,
        answer=answer,
        next=_next(rules, answer, document, readable, asked, place),
        unreadable=len(items) - len(readable),
        token=value(rules.cursor.source, document) if rules.cursor.source else None,
        wait=float(value(description.wait, document) or 0) if description.wait else 0.0,
    )


def refuse(description: Description, answer: Answer) -> None:
    """Raise FetchFailed if one of the description's own failure rules fits the answer."""
    for rule in description.fail:
        if rule.status is not None and rule.status != answer.status:
            continue
        if rule.pattern and not re.search(rule.pattern, text_of(answer, description.encoding)[:100_000]):
            continue
        if rule.url and not re.search(rule.url, answer.url):
            continue
        if rule.json and not _holds(rule.json, answer):
            continue
        raise FetchFailed(rule.means, pause=rule.pause)


def text_part(provenance: str, text: str, media_type: str = "text/plain") -> Part:
    """Return text out of a list as a part."""
    return Part(provenance=provenance, media_type=media_type, data=text.encode("utf-8", "replace"), charset="utf-8")


def json_of(answer: Answer, encoding: str = "auto") -> Any:
    """Return the body as JSON; raises FetchFailed if it is none."""
    try:
        return json.loads(text_of(answer, encoding))
    except (ValueError, RecursionError):
        raise FetchFailed(Reason.CHANGED, "the answer is not JSON") from None


def _holds(expression: str, answer: Answer) -> bool:
    """Tell whether a JMESPath expression is true of an answer; one that is no JSON says nothing."""
    try:
        return bool(search(expression, json.loads(answer.body)))
    except ValueError:
        return False


class _Feed(list[Any]):
    """The entries of a feed, which name their own fields."""


def _read_json(description: Description, rules: ListRules, answer: Answer) -> tuple[list[Any], Any]:
    """Return the entries of a JSON list; the path must lead to a list, be it empty."""
    data = json_of(answer, description.encoding)
    found = search(rules.items, data)
    missing = description.require and search(description.require, data) is None
    if not isinstance(found, list) or missing:
        raise FetchFailed(Reason.CHANGED, "the list is not where the description says")
    return found, data


def _read_html(description: Description, rules: ListRules, answer: Answer) -> tuple[list[Any], Selector]:
    """Return the entries of an HTML list; an empty one must show what `require` names."""
    document = Selector(text=text_of(answer, description.encoding) or " ", type="html")
    found = document.xpath(rules.items[6:]) if rules.items.startswith("xpath:") else document.css(rules.items)
    if not (document.css(description.require) if description.require else found):
        raise FetchFailed(Reason.CHANGED, "nothing on the page looks like the list of the description")
    return list(found), document


def _read_text(description: Description, rules: ListRules, answer: Answer) -> tuple[list[Any], str]:
    """Return the entries of a text list: what the regular expression finds."""
    text = text_of(answer, description.encoding)
    found: list[Any] = [match.group() for match in re.finditer(rules.items.removeprefix("re:"), text)]
    if not (re.search(description.require, text) if description.require else found):
        raise FetchFailed(Reason.CHANGED, "nothing in the text looks like the list of the description")
    return found, text


_JSON_FEED = ListRules(
    items="items",
    fields={
        "id": "id || url",
        "version": "join('\n', [@][?date_modified && date_modified != date_published]"
                   ".[title || '', content_html || '', content_text || ''][])|digest",
        "title": "title", "author": "(authors[0] || author).name", "time": "date_published",
        "html": "content_html", "text": "join('\n', [content_text || '', summary || ''])",
        "link": "url || external_url", "files": "[image, banner_image, attachments[].url][][]|[?@]", "record": "@",
    },
)  # fmt: skip
"""JSON Feed 1.1, https://www.jsonfeed.org/version/1.1/."""


def _read_feed(description: Description, rules: ListRules, answer: Answer) -> tuple[list[Any], Any]:
    """Return the entries of an RSS, Atom or JSON feed. Sanitising is off: what it would drop may be the leak."""
    if answer.body.lstrip()[:1] == b"{":
        data = json_of(answer)
        if not isinstance(data, dict) or "jsonfeed.org" not in str(data.get("version")):
            raise FetchFailed(Reason.CHANGED, "the answer is not a feed")
        return _Feed(data.get("items") or []), data
    if re.search(rb"<!ENTITY", answer.body[:20_000]):
        raise FetchFailed(Reason.BOMB, "a feed that declares entities")
    kept = {"content-type": answer.header("content-type") or "application/xml"}
    data = feedparser.parse(answer.body, response_headers=kept, sanitize_html=False, resolve_relative_uris=False)
    if not data.version:
        raise FetchFailed(Reason.CHANGED, "the answer is not a feed")
    return _Feed(data.entries), data


def _feed_item(
    rules: ListRules, entry: Any, answer: Answer, names: Mapping[str, str], prefix: str, *, fetch_link: bool
) -> Item | None:
    """Return one entry of a feed as an item; one that was edited is a new one, told by its content.

    Times of update alone do not tell: many feeds stamp every entry whenever they are built.
    """
    if not isinstance(entry, feedparser.FeedParserDict):
        return _item(_JSON_FEED, entry, answer, names, prefix, fetch_link=fetch_link)
    own = urljoin(answer.url, entry.get("link") or "")
    link = own if entry.get("link") and own.startswith("http") else ""
    item_id = entry.get("id") or entry.get("link")
    if "id" in rules.fields and item_id:
        item_id = value(rules.fields["id"], item_id)
    if "link" in rules.fields:
        link = value(rules.fields["link"], link) or link
    if not item_id:
        return None
    title, author = entry.get("title", ""), entry.get("author", "")
    bodies = _feed_bodies(entry, answer.url)
    published, updated = dict.get(entry, "published"), dict.get(entry, "updated")
    edited = published and updated and moment(published) != moment(updated)
    content = "\0".join([title, *(body for body, _, _ in bodies)])
    return Item(
        item_id=prefix + short_id(item_id) + (f"@{sha256(content.encode()).hexdigest()[:16]}" if edited else ""),
        url=link or answer.url,
        parts=(
            *(text_part("body", body, kind) for body, kind, _ in bodies),
            *_named(("title", title), ("author", author)),
        ),
        attachments=_feed_attachments(entry, bodies, answer.url),
        published_at=moment(published or updated),
        author=author or None,
        fields={"raw_urls": (link,) if fetch_link and link else (), "raw": rules.raw},
    )


def _feed_bodies(entry: Any, url: str) -> list[tuple[str, str, str]]:
    """Return text, media type and base of each body of an entry; relative links in it start from the base."""
    told = [*entry.get("content", ()), entry.get("summary_detail") or {}]
    bodies: dict[str, tuple[str, str, str]] = {}
    for body in told:
        text, kind = body.get("value", ""), body.get("type", "text/html")
        base = urljoin(url, body.get("base") or "")
        if text:
            bodies.setdefault(text, (text, "text/plain" if kind == "text/plain" else "text/html", base))
    return list(bodies.values())


def _feed_attachments(entry: Any, bodies: list[tuple[str, str, str]], url: str) -> tuple[str, ...]:
    """Return what an entry encloses, and the pictures and files in its bodies."""
    base = (entry.get("title_detail") or {}).get("base") or url
    files = [enclosure.get("href", "") for enclosure in entry.get("enclosures", ())]
    files += [media.get("url", "") for media in entry.get("media_content", ())]
    files += [media.get("url", "") for media in entry.get("media_thumbnail", ())]
    found = list(absolute([file for file in files if file], urljoin(url, base)))
    for body, kind, inside in bodies:
        found += _attachments([], [body] if kind != "text/plain" else [], inside)
    return tuple(dict.fromkeys(found))


def _item(
    rules: ListRules, entry: Any, answer: Answer, names: Mapping[str, str], prefix: str, *, fetch_link: bool
) -> Item | None:
    """Return one entry as an item, or None if it has no id."""
    fields, now = rules.fields, answer.fetched_at
    found = {
        name: value(expression, entry, now=now) for name, expression in fields.items() if name not in {"html", "files"}
    }
    if not found.get("id"):
        return None
    base = answer.url
    html = values(fields["html"], entry, as_html=True) if "html" in fields else []
    files = values(fields["files"], entry) if "files" in fields else []
    known = {**names, **{name: text or "" for name, text in found.items()}}
    link = urljoin(base, fill(rules.permalink, known) if rules.permalink else found.get("link") or base)
    raw_urls: tuple[str, ...] = (link,) if fetch_link else ()
    if rules.raw is not None and rules.raw.each:
        raw_urls, files = absolute(files, base), []
    elif rules.raw is not None and rules.raw.url and (not rules.raw.when or _is_so(rules.raw.when, entry)):
        raw_urls = (urljoin(base, fill(rules.raw.url, known)),)
    record = [_record(entry)] if "record" in fields else []
    named = [(name, found.get(name)) for name in ("text", "title", "author")]
    return Item(
        item_id=prefix + short_id(found["id"] or "") + (f"@{found['version']}" if found.get("version") else ""),
        url=link,
        parts=(
            *(text_part("body", body, "text/html") for body in html),
            *_named(*(("body" if name == "text" else name, text) for name, text in named)),
            *record,
        ),
        attachments=_attachments(files, html, base),
        published_at=moment(found.get("time")),
        author=found.get("author"),
        thread_id=found.get("thread"),
        fields={
            "raw_urls": raw_urls,
            "raw": rules.raw,
            "name": found.get("name"),
            "id": found.get("order") or found["id"],
        },
    )


def _is_so(expression: str, entry: Any) -> bool:
    """Tell whether a condition holds for an entry: it has a value, and one that is not false or empty."""
    if isinstance(entry, (Selector, str)):
        return value(expression, entry) is not None
    return bool(search(expression, entry))


def _record(entry: Any) -> Part:
    """Return the whole entry as a part."""
    if isinstance(entry, Selector):
        return text_part("record", str(entry.get()), "text/html")
    return text_part("record", json.dumps(entry, ensure_ascii=False), "application/json")


def _named(*texts: tuple[str, str | None]) -> tuple[Part, ...]:
    return tuple(text_part(provenance, text) for provenance, text in texts if text)


def _attachments(files: list[str], html: list[str], base: str) -> tuple[str, ...]:
    """Return what is attached by name and what stands in the HTML."""
    inside = [url for body in html for url in attachments_of(Selector(text=body, type="html"), base)]
    return absolute([*files, *inside], base)


def short_id(item_id: str) -> str:
    """Return an id of bounded length."""
    return item_id if len(item_id) <= 200 else "sha256:" + sha256(item_id.encode()).hexdigest()


def _next(
    rules: ListRules, answer: Answer, document: Any, items: tuple[Item, ...], asked: str, place: str
) -> str | None:
    """Return where the list goes on, or None at its end."""
    pager = rules.page
    if pager.kind == "none" or (pager.more and not search(pager.more, document)):
        return None
    if not items and not (pager.kind == "before_id" and pager.step > 1):
        return None
    if pager.kind == "link_header":
        found = re.search(r"<([^>]{1,2000})>\s*;[^,]*\brel=\"?next\b", answer.header("link"))
        return urljoin(answer.url, found.group(1)) if found else None
    if pager.kind == "next":
        link = value(pager.css, document)
        return urljoin(answer.url, link) if link else None
    here = parameter(asked, pager.param) or place
    token = _token(rules, document, items, here)
    if token is None or _is_last(pager, here, token):
        return None
    further = token if rules.method == "POST" else with_parameter(asked, pager.param, token)
    return further if further not in {asked, place} else None


def _is_last(pager: Pager, here: str, token: str) -> bool:
    """Tell whether the page after this one is more than a scan reads; pages have numbers, or offsets of equal steps."""
    if not pager.most:
        return False
    first = int(here) if here.isdigit() else pager.start
    return int(token) - pager.start >= pager.most * max(int(token) - first, 1)


def _token(rules: ListRules, document: Any, items: tuple[Item, ...], current: str) -> str | None:
    """Return what the pager's parameter must say for the next page; `current` is what it said for this one."""
    pager = rules.page
    if pager.kind in {"page", "offset"}:
        step = len(items) if pager.kind == "offset" and pager.step == 1 else pager.step
        return str((int(current) if current.isdigit() else pager.start) + step)
    if pager.kind == "token":
        return value(pager.source, document)
    ids = sorted((str(item.fields["id"]) for item in items), key=rank)
    if pager.kind == "before_id" and pager.step > 1:
        return _below(ids, current, pager.step)
    return ids[-1] if (pager.source or {"after_id": "max"}.get(pager.kind)) == "max" else ids[0]


def _below(ids: list[str], current: str, step: int) -> str | None:
    """Return the id before which the next page lies: a page that went no lower than asked may hide what it spans."""
    lowest = int(ids[0] if ids else current or 0)
    below = lowest if not current or lowest < int(current) else int(current) - step
    return str(below) if below > 0 else None
