"""Web pages: everything a browser shows and everything it does not, from the tree that browsers agree on.

Extractors of "main content" lose two thirds of what leaks. This walk keeps visible text (blocks on lines of their own,
inline pieces joined, the cells of a table row on one line), and apart from it titles, attributes, comments, scripts,
templates and frames given in place.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape
from urllib.parse import unquote_to_bytes

from selectolax.lexbor import LexborHTMLParser, LexborNode

from decoders.encoded import base64_bytes
from decoders.interface import Found
from decoders.text import looks_like_text, readings
from decoders.unescape import unescape_script
from model.page import Part, Passage

INLINE = frozenset(
    [
        "a",
        "abbr",
        "acronym",
        "b",
        "bdi",
        "bdo",
        "big",
        "cite",
        "code",
        "data",
        "del",
        "dfn",
        "em",
        "font",
        "i",
        "img",
        "ins",
        "kbd",
        "label",
        "mark",
        "nobr",
        "output",
        "q",
        "rp",
        "rt",
        "ruby",
        "s",
        "samp",
        "small",
        "span",
        "strike",
        "strong",
        "sub",
        "sup",
        "time",
        "tt",
        "u",
        "var",
        "wbr",
        "svg",
        "text",
        "tspan",
    ]
)
"""Elements that do not break a line: what they hold belongs to the word around them."""
CELLS = frozenset(("td", "th"))
SCRIPTS = frozenset(("script", "style"))
JSON_TYPES = ("application/json", "application/ld+json", "application/activity+json")
KEEP_SPACES = frozenset(("pre", "textarea", "listing", "plaintext", "xmp"))
PLAIN_ATTRIBUTES = frozenset(
    [
        "class",
        "style",
        "rel",
        "type",
        "width",
        "height",
        "colspan",
        "rowspan",
        "d",
        "viewbox",
        "fill",
        "stroke",
        "srcset",
        "sizes",
        "integrity",
        "nonce",
        "crossorigin",
        "target",
        "lang",
        "dir",
        "role",
        "tabindex",
        "xmlns",
        "method",
        "enctype",
        "charset",
        "media",
        "loading",
        "decoding",
        "async",
        "defer",
        "align",
        "valign",
        "border",
        "cellpadding",
        "cellspacing",
        "transform",
        "points",
        "x",
        "y",
    ]
)
"""Attributes that say how a page looks, never what it says."""
ADDRESSES = frozenset(
    ["href", "src", "action", "cite", "poster", "data", "formaction", "longdesc", "xlink:href", "data-src", "data-href"]
)
TAG = re.compile(
    rb"<(?:!doctype|html|head|body|div|p|span|br|a|table|tr|td|script|style|meta|title|ul|ol|li|img|h[1-6]|form|pre"
    rb"|b|i|font|article|section|\?xml)[\s/>]",
    re.IGNORECASE,
)
META_CHARSET = re.compile(
    rb"""<meta[^>]{0,200}charset\s*=\s*["']?\s*([\w.:-]{2,40})|encoding=["']([\w.:-]{2,40})""", re.IGNORECASE
)
NESTABLE = re.compile(r"<(/?)(?!(?:p|li|td|th|tr|dt|dd|option|br|img|input|meta|link|hr|wbr|source)\b)[a-zA-Z]")
DEEPEST = 4_000
"""Open elements above which the tree builder, quadratic in depth, would be too slow: 200,000 take it 150 s."""
ANY_TAG = re.compile(r"<(/?)([a-zA-Z][^\s/>]*)([^>]*)>")
FRAMES = 4
"""Levels of templates and frames inside one another."""
DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+)[^,]{0,100},", re.IGNORECASE)
JOINT = "\x00"
"""Marks, while walking, where one inline element ends and the next begins."""
GLUED = re.compile(r"[0-9A-Za-z]\x00+[0-9A-Za-z]")
GAPS = re.compile(" {2,}")
SPACES = re.compile(r"[ \t\r\n\f\x00]+")
ADDRESS_LIKE = re.compile(r"@|\d{4}")


class HtmlDecoder:
    """Reads HTML and XML."""

    def accepts(self, part: Part) -> bool:
        """Take what has tags in its front, or is declared as a page."""
        head = part.data[:65_536].replace(b"\x00", b"")
        declared = "html" in part.media_type or "xml" in part.media_type
        return (TAG.search(head) is not None or (declared and b"<" in head)) and looks_like_text(part.data)

    def decode(self, part: Part) -> Iterator[Found]:
        """Give visible text first, then what is not visible, then parts found in data URLs and scripts."""
        declared = META_CHARSET.search(part.data[:4_096])
        charset = part.charset or (next(filter(None, declared.groups())).decode("ascii") if declared else None)
        for source in readings(part.data, charset):
            yield from walk(source, part.provenance).found()
            if "html" not in part.media_type and "xml" not in part.media_type:
                # Text in which a few tags stand: what a browser would take for a tag may be an address in brackets.
                yield Passage(source, f"{part.provenance} source")


def visible_text(source: str) -> str:
    """Return the visible text of a fragment of HTML, as in the strings of a JSON answer."""
    return walk(source, "").visible()


def walk(source: str, provenance: str, level: int = 0) -> "Walk":
    """Walk a page given as text and return what was collected."""
    result = Walk(provenance, level)
    if too_deep(source):
        result.strip(source)
    else:
        root = LexborHTMLParser(source).root
        if root is not None:
            result.visit(root)
    return result


def too_deep(source: str) -> bool:
    """Tell whether more elements are open at once than any honest page has."""
    if source.count("<") <= DEEPEST:
        return False
    depth = 0
    for found in NESTABLE.finditer(source):
        depth = max(depth - 1, 0) if found.group(1) else depth + 1
        if depth > DEEPEST:
            return True
    return False


@dataclass(slots=True)
class Walk:
    """What is collected on one walk through a page."""

    provenance: str
    level: int = 0
    text: list[str] = field(default_factory=list)
    titles: list[str] = field(default_factory=list)
    attributes: list[str] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    scripts: list[str] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    inner: list["Walk"] = field(default_factory=list)
    cells: int = 0
    pre: int = 0
    aside: int = 0

    def found(self) -> Iterator[Found]:
        """Give what was collected as passages and parts, visible text first."""
        yield Passage(self.visible(), self.provenance)
        yield Passage(self._split_lines(), f"{self.provenance} (inline elements apart)")
        for name in ("titles", "attributes", "comments", "scripts"):
            yield Passage("\n".join(getattr(self, name)), f"{self.provenance} {name}")
        for inner in self.inner:
            yield from inner.found()
        yield from self.parts

    def visible(self) -> str:
        """Return the visible text: one block, or one row of a table, per line."""
        lines = (GAPS.sub(" ", line).strip(" \t|") for line in "".join(self.text).replace(JOINT, "").split("\n"))
        return "\n".join(line for line in lines if line)

    def visit(self, root: LexborNode) -> None:
        """Collect from a tree, without recursion: pages may be nested deeper than Python's stack."""
        waiting: list[LexborNode | str] = [root]
        while waiting:
            node = waiting.pop()
            if isinstance(node, str):
                self._close(node)
                continue
            tag = node.tag or ""
            if tag == "-text":
                self._read_text(node.text_content or "")
                continue
            if tag == "-comment":
                self._read_comment(node.comment_content or "")
                continue
            self._read_attributes(node, tag)
            if tag in SCRIPTS:
                self._read_script(node)
            elif tag == "title":
                self.titles.append(node.text())
            elif tag == "template":
                self._read_inner((node.html or "").partition(">")[2], "template")
            else:
                self._open(tag)
                waiting.append(tag)
                first = len(waiting)
                child = node.first_child
                while child is not None:
                    waiting.append(child)
                    child = child.next
                waiting[first:] = waiting[: first - 1 : -1]

    def strip(self, source: str) -> None:
        """Collect from a page too deep for a tree: text between tags, and the tags' own text."""
        end = 0
        for tag in ANY_TAG.finditer(source):
            self._read_text(unescape(source[end : tag.start()]))
            end = tag.end()
            name = tag.group(2).lower()
            if name not in INLINE:
                self.text.append("\n")
            if tag.group(3).strip(" /"):
                self.attributes.append(unescape(tag.group(3).strip(" /")))
        self._read_text(unescape(source[end:]))

    def _read_text(self, text: str) -> None:
        if self.aside:
            self.attributes.append(text)
        elif self.pre:
            self.text.append(text.replace(JOINT, ""))
        else:
            self.text.append(SPACES.sub(" ", text))

    def _read_comment(self, comment: str) -> None:
        """Keep a comment; one that holds tags is walked like the page it once was."""
        if "<" in comment and ">" in comment:
            self._read_inner(comment, "comment")
        elif comment.strip():
            self.comments.append(comment.strip())

    def _read_script(self, node: LexborNode) -> None:
        """Keep the whole script with its escapes undone, so that its strings stand there as they will be shown."""
        code = node.text() or ""
        kind = (node.attributes.get("type") or "").lower()
        if kind.startswith(JSON_TYPES):
            self.parts.append(Part(f"{self.provenance} data", "application/json", code.encode("utf-8", "replace")))
        elif "template" in kind or kind == "text/html":
            self._read_inner(code, "template")
        elif code.strip():
            self.scripts.append(unescape_script(code))

    def _read_inner(self, source: str, name: str) -> None:
        """Walk a page inside the page."""
        if self.level < FRAMES:
            self.inner.append(walk(source, f"{self.provenance} {name}", self.level + 1))
        else:
            self.comments.append(source)

    def _read_attributes(self, node: LexborNode, tag: str) -> None:
        if ADDRESS_LIKE.search(tag):
            self.attributes.append(tag)
        for name, value in node.attributes.items():
            if ADDRESS_LIKE.search(name):
                self.attributes.append(name)
            if not value or name in PLAIN_ATTRIBUTES:
                continue
            data_url = DATA_URL.match(value)
            if name == "srcdoc":
                self._read_inner(value, "frame")
            elif data_url:
                self._read_data_url(value, data_url)
            elif "%" in value and name in ADDRESSES:
                self.attributes.append(readings(unquote_to_bytes(value))[0])
            else:
                self.attributes.append(value)

    def _read_data_url(self, value: str, found: re.Match[str]) -> None:
        payload = unquote_to_bytes(value[found.end() :])
        if found.group(0).lower().endswith(";base64,"):
            payload = base64_bytes(payload.decode("latin-1"))
        number = len(self.parts) + 1
        self.parts.append(Part(f"{self.provenance} data URL {number}", found.group(1).lower(), payload))

    def _open(self, tag: str) -> None:
        if tag in ("rt", "rp"):
            # The reading aid stands between the characters of a name: kept, but not in between.
            self.aside += 1
        elif tag in INLINE:
            self.text.append(JOINT)
        elif tag in CELLS:
            self.cells += 1
        else:
            self._break(tag)
        self.pre += tag in KEEP_SPACES

    def _close(self, tag: str) -> None:
        self.pre -= tag in KEEP_SPACES
        if tag in ("rt", "rp"):
            self.aside -= 1
        elif tag in INLINE:
            self.text.append(JOINT)
        elif tag in CELLS:
            self.cells -= 1
            self.text.append(" | ")
        elif tag != "br":
            self._break(tag)

    def _break(self, tag: str) -> None:
        """End a line; inside a cell only a row ends it, so that a record split over cells stays one row."""
        self.text.append(" " if self.cells and tag not in ("tr", "table") else "\n")

    def _split_lines(self) -> str:
        """Return the lines in which joining inline elements glued letters or digits, with a space there instead."""
        lines = "".join(self.text).split("\n")
        return "\n".join(SPACES.sub(" ", line) for line in lines if GLUED.search(line))
