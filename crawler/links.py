"""Links that lead on: one table of resolvers from the address of a paste to where its content lies."""

import html
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from urllib.parse import urlsplit

from model.page import Part


@dataclass(frozen=True, slots=True)
class Resolver:
    """How one kind of paste site is read."""

    name: str
    hosts: tuple[str, ...]
    """`host` or `host:port`; more come from `network.link_hosts`."""
    path: str
    """A regular expression for the path of a paste; its first group is the id."""
    content: str
    """Path or URL of the content, with `{id}`."""
    page_too: bool = False
    """Whether the page itself is fetched first, because it may hold several files, linked as `files` says."""
    files: str = ""
    """A regular expression for links to files on that page."""


@dataclass(frozen=True, slots=True)
class Link:
    """A link that leads to a paste. Its repr shows no content."""

    resolver: Resolver
    url: str = field(repr=False)
    """As a person would open it."""
    content_url: str = field(repr=False)

    @property
    def item_id(self) -> str:
        """An id for `Sink.is_new`: the same paste linked twice is fetched once."""
        return "link:" + sha256(self.content_url.encode()).hexdigest()[:40]


_RESERVED = r"(?!(?:about|api|static|login|register|raw|download|favicon\.ico|robots\.txt|new|help|faq)\b)"

RESOLVERS: tuple[Resolver, ...] = (
    Resolver("pinnwand", ("bpa.st",), r"^/(?:show/|raw/)?" + _RESERVED + r"([A-Z0-9]{2,64})/?$", "/raw/{id}",
             page_too=True, files=r'href="(/raw/[A-Z0-9]{2,64})"'),
    Resolver("bepasty", (), r"^/([A-Za-z0-9]{8})(?:/|/\+[a-z]+)?$", "/{id}/+download"),
    Resolver("haste", ("hastebin.com", "hastebin.skyra.pw"),
             r"^/(?:raw/|share/)?" + _RESERVED + r"([A-Za-z0-9]{6,16})(?:\.\w{1,8})?$", "/raw/{id}"),
    Resolver("pastebin", ("pastebin.com",), r"^/(?:raw/)?([A-Za-z0-9]{8})$", "/raw/{id}"),
    Resolver("dpaste", ("dpaste.org", "dpaste.com"),
             r"^/" + _RESERVED + r"([A-Za-z0-9]{4,12})(?:\.txt)?/?$", "/{id}.txt"),
    Resolver("rentry", ("rentry.co", "rentry.org"), r"^/(?:raw/)?" + _RESERVED + r"([A-Za-z0-9_-]{2,64})/?$", "/{id}"),
    Resolver("telegraph", ("telegra.ph", "graph.org"), r"^/([^/?#]{3,256})$", "/{id}"),
    Resolver("0x0", ("0x0.st",), r"^/((?:s/[\w-]{1,64}/)?[\w-]{2,16}\.\w{1,8})$", "/{id}"),
    Resolver("gist", ("gist.github.com",),
             r"^/((?:[A-Za-z0-9-]{1,39}/)?[0-9a-f]{20,40})/?$", "https://gist.githubusercontent.com/{id}/raw"),
    Resolver("paste.debian", ("paste.debian.net",), r"^/(?:hidden/)?([0-9a-f]{5,16})/?$", "/plain/{id}"),
    Resolver("opengist", (), r"^/([\w.-]+/[0-9a-f]{32}|[\w.-]+/[\w.-]+)/?$", "/{id}/raw/HEAD"),
    Resolver("microbin", (), r"^/(?:upload|p|raw)/([\w-]{2,64})$", "/raw/{id}"),
    Resolver("stikked", (), r"^/view/(?:raw/)?([0-9a-f]{8})$", "/view/raw/{id}"),
)  # fmt: skip
"""A resolver without hosts waits for instances named under `network.link_hosts`."""

_URL = re.compile(rb"https?://[A-Za-z0-9\-._~:/?#\[\]@!$&()*+,;=%]{4,2000}")


def find(parts: Iterable[Part], more_hosts: Mapping[str, Iterable[str]]) -> tuple[Link, ...]:
    """Return the links to known paste sites in text and HTML parts, in order, each once."""
    table = {host.lower(): resolver for resolver in RESOLVERS for host in resolver.hosts}
    for resolver in RESOLVERS:
        table.update({host.lower(): resolver for host in more_hosts.get(resolver.name, ())})
    found: dict[str, Link] = {}
    for url in _urls(parts):
        link = resolve(url, table)
        if link is not None:
            found.setdefault(link.content_url, link)
    return tuple(found.values())


def resolve(url: str, table: Mapping[str, Resolver]) -> Link | None:
    """Return where the content of a paste lies, or None if the table does not know the address."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    resolver = table.get(parts.netloc.lower())
    found = re.match(resolver.path, parts.path) if resolver is not None else None
    if resolver is None or found is None:
        return None
    content = resolver.content.format(id=found.group(1))
    root = f"{parts.scheme}://{parts.netloc}"
    return Link(resolver, root + parts.path, content if content.startswith("http") else root + content)


def _urls(parts: Iterable[Part]) -> Iterator[str]:
    """Yield every address written in the parts that are text; addresses are ASCII in any charset that matters."""
    for part in parts:
        if part.media_type.startswith("text/") or part.media_type in {"", "application/json", "application/xhtml+xml"}:
            for match in _URL.finditer(part.data[:2_000_000]):
                yield html.unescape(match.group().decode("ascii")).rstrip(".,;:!?)]")
