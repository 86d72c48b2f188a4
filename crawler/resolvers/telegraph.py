"""telegra.ph: an article as a tree of nodes, told by its API."""

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urljoin, urlsplit

from crawler.health import FetchFailed
from crawler.resolvers.files import text_part, tree_of
from crawler.resolvers.interface import Link, Opener
from crawler.spider import Capture
from model.page import Part, Reason

BLOCKS = frozenset(
    ["aside", "blockquote", "br", "figcaption", "figure", "h3", "h4", "hr", "li", "ol", "p", "pre", "ul"]
)
DEEPEST = 100
MOST_NODES = 100_000


async def read(opener: Opener, link: Link, post: Sequence[Part]) -> Capture:
    """Return title, author and running text as parts, and the addresses of the pictures."""
    answer = await opener.get(link.content_url, headers={"Accept": "application/json"})
    told = tree_of(answer)
    if told.get("ok") is not True:
        raise FetchFailed(Reason.GONE if told.get("error") == "PAGE_NOT_FOUND" else Reason.CHANGED)
    page = told.get("result")
    if not isinstance(page, dict) or not isinstance(page.get("content"), list):
        raise FetchFailed(Reason.CHANGED, "the article has no content any more")
    text, pictures = unfold(page["content"])
    parts = [text_part("body", text)]
    parts += [
        text_part(provenance, told_text)
        for provenance, told_text in (("title", page.get("title")), ("author", page.get("author_name")))
        if isinstance(told_text, str) and told_text.strip()
    ]
    split = urlsplit(link.url)
    home = f"{split.scheme}://{split.netloc}/"
    return Capture(tuple(parts), answer.exchanges, tuple(dict.fromkeys(urljoin(home, src) for src in pictures)))


def unfold(nodes: list[Any]) -> tuple[str, list[str]]:
    """Return the running text of a node tree, targets of links behind their words, and its pictures."""
    pieces: list[str] = []
    pictures: list[str] = []
    for number, (text, picture) in enumerate(_walk(nodes, 0)):
        if number > MOST_NODES:
            raise FetchFailed(Reason.BOMB, "an article of endless nodes")
        pieces.append(text)
        if picture:
            pictures.append(picture)
    return "".join(pieces), pictures


def _walk(nodes: list[Any], depth: int) -> Iterator[tuple[str, str]]:
    """Yield pieces of text, and pictures, in order."""
    if depth > DEEPEST:
        raise FetchFailed(Reason.BOMB, "an article of endless depth")
    for node in nodes:
        if isinstance(node, str):
            yield node, ""
        elif isinstance(node, dict):
            told = node.get("attrs")
            attributes = told if isinstance(told, dict) else {}
            block = node.get("tag") in BLOCKS
            yield "\n" if block else "", ""
            children = node.get("children")
            yield from _walk(children if isinstance(children, list) else [], depth + 1)
            source, target = attributes.get("src"), attributes.get("href")
            if isinstance(source, str) and node.get("tag") == "img":
                yield "", source
            if isinstance(target, str):
                yield f" ({target}) ", ""
            yield "\n" if block else "", ""
