"""Web addresses written in posts and pages, as people write them: broken up, defanged, escaped, without a scheme."""

import html
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from parsel import Selector

from crawler.charset import text_in
from model.page import Part

MOST_BYTES = 2_000_000
"""Of one part that are searched."""
MOST_ADDRESSES = 2_000
"""Of one part that are looked at."""

_HTML = frozenset({"text/html", "application/xhtml+xml"})
_STRUCTURED = frozenset({"application/json", "application/ld+json", "application/activity+json"})

_INVISIBLE = dict.fromkeys([0x00AD, 0x061C, 0x180E, *range(0x200B, 0x2010), *range(0x202A, 0x202F), 0x2060, 0xFEFF])
_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F) if chr(code - 0xFEE0).isalnum()} | {
    ord(wide): narrow for wide, narrow in zip("．：／＃＝＆－＿％～", ".:/#=&-_%~", strict=True)
}
"""Full-width letters, digits and the marks of addresses; `，` `。` `？` `）` end an address instead."""
_SIGNS = str.maketrans({**_INVISIBLE, **_FULL_WIDTH})

_DEFANGED = (
    (re.compile(r"\[\.\]|\(\.\)|\{\.\}|【\.】|【。】|\s?[\[(](?:dot|点)[\])]\s?", re.IGNORECASE), "."),
    (re.compile(r"\[:\]|\(:\)"), ":"),
    (re.compile(r"\[:?//\]|\[/\]{2}"), lambda found: "://" if ":" in found[0] else "//"),
    (re.compile(r"\bh(?:xx|XX|\*\*|tt|TT|__)p(s?)\s?:\s?//", re.IGNORECASE), r"http\1://"),
)
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]{0,15})?[^<>]*>")
_SPLITTING = frozenset(["b", "big", "em", "font", "i", "mark", "s", "small", "span", "strong", "u", "wbr"])
"""Tags that stand in the middle of an address without ending it."""
_ASIDE = frozenset(["script", "style"])
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})|\\(/)")

_REST = r"[A-Za-z0-9\-._~:/?#\[\]@!$&()*+,;=%]"
_ADDRESS = re.compile(rf"https?://[\w.\-]{{1,253}}(?::\d{{1,5}})?(?:[/?#]{_REST}{{0,2000}})?", re.IGNORECASE)
_NAKED = re.compile(
    rf"(?<![\w@./:-])((?:[a-z0-9-]{{1,63}}(?:\s?[.。]\s?)){{1,4}}[a-z]{{2,12}}|(?:\d{{1,3}}\.){{3}}\d{{1,3}})(:\d{{1,5}})?"
    rf"(/{_REST}{{1,2000}})",
    re.IGNORECASE | re.ASCII,
)
"""`example.org/path` and `example . org/path`: means something only where the host is one that we know."""


@dataclass(frozen=True, slots=True)
class Address:
    """An address found in a part. Its repr shows no content."""

    url: str = field(repr=False)
    """Absolute, with its fragment; the host as written."""
    meant: bool = True
    """Written for a reader: in the text, or the target of a link; False for what stands in the source only."""
    naked: bool = False
    """Written without a scheme: an address only if the host is a known one."""


def addresses(parts: Iterable[Part]) -> Iterator[Address]:
    """Yield the addresses in the parts that are text, those meant for readers first, in order, with repeats."""
    for part in parts:
        if part.media_type.startswith("text/") or part.media_type in {"", *_HTML, *_STRUCTURED}:
            data = part.data[:MOST_BYTES]
            # Most posts hold no address at all, and a stream brings a thousand posts in a second.
            if b"/" in data or b"\xef\xbc\x8f" in data or part.charset not in {"utf-8", None}:
                yield from _of_text(text_in(data, part.charset), part.media_type)


def _of_text(text: str, media_type: str) -> Iterator[Address]:
    if media_type in _HTML:
        for link in _targets(text):
            yield Address(link)
        yield from _written(_shown(text))
        yield from _written(text, meant=False)
    else:
        yield from _written(text, meant=media_type not in _STRUCTURED)


def _targets(text: str) -> Iterator[str]:
    """Yield the absolute targets of the links of a page."""
    for link in Selector(text=text or " ", type="html").xpath("//a/@href").getall()[:MOST_ADDRESSES]:
        target = link.strip().translate(dict.fromkeys(_INVISIBLE))
        if target.startswith("//"):
            target = "https:" + target
        if target[:8].lower().startswith(("http://", "https://")):
            yield target


def _shown(text: str) -> str:
    """Return what a reader of a page sees, roughly: its text without tags, in one pass whatever the page is."""
    pieces, position, aside = [], 0, ""
    for tag in _TAG.finditer(text):
        name = (tag[2] or "").lower()
        if not aside:
            pieces.append(text[position : tag.start()])
            pieces.append("" if name in _SPLITTING else " ")
            aside = name if name in _ASIDE and not tag[1] else ""
        elif tag[1] and name == aside:
            aside = ""
        position = tag.end()
    return "".join((*pieces, "" if aside else text[position:]))


def _written(text: str, *, meant: bool = True) -> Iterator[Address]:
    """Yield the addresses in running text."""
    text = plain(text)
    found = 0
    for match in _ADDRESS.finditer(text):
        found += 1
        yield Address(_trimmed(match[0]), meant)
        if found >= MOST_ADDRESSES:
            return
    for match in _NAKED.finditer(text):
        found += 1
        host = re.sub(r"\s?[.。]\s?", ".", match[1])
        yield Address(f"//{host.lower()}{match[2] or ''}{_trimmed(match[3])}", meant, naked=True)
        if found >= MOST_ADDRESSES:
            return


def plain(text: str) -> str:
    """Return text with escapes undone, invisible characters gone and defanged addresses as they were."""
    if "\\" in text:
        text = _ESCAPED.sub(lambda found: found[2] or chr(int(found[1], 16)), text)
    if "&" in text:
        text = html.unescape(html.unescape(text))
    text = text.translate(_SIGNS)
    for pattern, meaning in _DEFANGED:
        text = pattern.sub(meaning, text)
    return text


def _trimmed(address: str) -> str:
    """Return an address without the punctuation of the sentence around it."""
    while address:
        last = address[-1]
        unpaired = last in ")]" and address.count(last) > address.count("(" if last == ")" else "[")
        if last not in ".,;:!?*&~(" and last != "[" and not unpaired:
            break
        address = address[:-1]
    return address
