"""Links that lead on: which of the addresses in a post the table knows, and what the table is, for people."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import quote, urlsplit

from crawler.addresses import Address, addresses
from crawler.interface import NetworkSettings
from crawler.resolvers.interface import OBEY, Link, Resolver
from crawler.resolvers.table import RESOLVERS
from model.errors import ConfigError
from model.page import Part

MAX_LINKS = 10
"""Links followed from one item."""
MAX_LINKS_OF_HOST = 5
"""Of these, links to one host."""


@dataclass(frozen=True, slots=True)
class Row:
    """One resolver as people are told of it."""

    name: str
    hosts: tuple[str, ...]
    opened: str
    """`yes`, or why its links are only reported."""
    robots: str
    tested: str


class Table:
    """The resolvers by host, with the operator's own instances and decisions."""

    def __init__(self, network: NetworkSettings) -> None:
        """Raise ConfigError if `network.link_hosts` names a resolver that there is not."""
        self._exact: dict[str, list[Resolver]] = {}
        self._below: dict[str, list[Resolver]] = {}
        self._obey = network.link_robots == OBEY
        if network.link_robots not in {OBEY, "resolver"}:
            raise ConfigError("network.link_robots must be `resolver` (each decides, see docs/sites.md) or `obey`")
        names = {resolver.name for resolver in RESOLVERS}
        for name in network.link_hosts:
            if name not in names:
                raise ConfigError(f"network.link_hosts: no resolver {name!r}; known: {', '.join(sorted(names))}")
        self._anywhere = [resolver for resolver in RESOLVERS if resolver.anywhere and network.link_anywhere]
        for resolver in RESOLVERS:
            for host in (*resolver.hosts, *_own(resolver, network.link_hosts)):
                where = self._below if host.startswith(".") else self._exact
                where.setdefault(_plain(host.removeprefix(".")), []).append(resolver)

    def find(self, parts: Iterable[Part], without: Iterable[str] = ()) -> tuple[Link, ...]:
        """Return the links in text and HTML parts that the table knows, in order, each once.

        `without` are addresses that are fetched already, as pictures and files of the item.
        """
        fetched = {address.partition("#")[0] for address in without}
        found: dict[tuple[str, str], Link] = {}
        for address in addresses(parts):
            link = self._known(address)
            if link is not None and link.content_url not in fetched:
                found.setdefault((link.content_url, link.fragment), link)
        return tuple(found.values())

    def resolve(self, url: str) -> Link | None:
        """Return the link that an address is, or None if the table does not know it."""
        return self._known(Address(url))

    def obeys_robots(self, resolver: Resolver) -> bool:
        """Tell whether links of this kind are only followed where robots.txt lets crawlers in."""
        return self._obey or resolver.robots == OBEY

    def _known(self, address: Address) -> Link | None:
        try:
            parts = urlsplit(address.url)
            host, port = _plain(parts.hostname or ""), parts.port
        except ValueError:
            return None
        place = f"{host}:{port}" if port and port != {"http": 80, "https": 443}.get(parts.scheme, 443) else host
        candidates = list(self._exact.get(place, ()))
        labels = host.split(".")
        for start in range(1, len(labels) - 1):
            candidates += self._below.get(".".join(labels[start:]), ())
        if not address.naked:
            # At a known place only its own resolvers say what is an item; a fragment with a key is one wherever it is.
            candidates += [resolver for resolver in self._anywhere if resolver.fragment or not candidates]
        scheme = parts.scheme or ("http" if ":" in place else "https")
        for resolver in candidates:
            if address.meant or not resolver.meant_only:
                link = _fit(resolver, scheme, host, place, parts.path or "/", parts.query, parts.fragment)
                if link is not None:
                    return link
        return None


def item_id(link: Link) -> str:
    """Return an id for `Sink.is_new`: the same paste linked twice is fetched once."""
    return "link:" + sha256(link.content_url.encode()).hexdigest()[:40]


def table() -> tuple[Row, ...]:
    """Return all resolvers, for `spillwatch sites` and docs/sites.md."""
    return tuple(
        Row(
            resolver.name,
            (*resolver.hosts, *(["any host"] if resolver.anywhere else [])),
            "yes" if resolver.refusal is None else f"no: {resolver.refusal.why} ({resolver.refusal.reason})",
            resolver.robots,
            resolver.tested,
        )
        for resolver in RESOLVERS
    )


def _own(resolver: Resolver, hosts: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    """Return the operator's instances of a kind; those of a family are named once, by its plain name."""
    family = resolver.name.partition(" ")[0]
    return tuple(dict.fromkeys((*hosts.get(resolver.name, ()), *hosts.get(family, ()))))


def _fit(resolver: Resolver, scheme: str, host: str, place: str, path: str, query: str, fragment: str) -> Link | None:
    """Return the link if every part of an address fits."""
    found = re.fullmatch(resolver.path, path)
    asked = re.fullmatch(resolver.query, query) if resolver.query else None
    if found is None or (resolver.query and asked is None):
        return None
    if resolver.fragment and re.fullmatch(resolver.fragment, fragment) is None:
        return None
    groups = {**found.groupdict(), **(asked.groupdict() if asked else {})}
    home = f"{scheme}://{place}"
    root = resolver.elsewhere.get(host, home)
    whole = path + (f"?{query}" if query else "")
    content = resolver.content.format(**groups) if resolver.content else whole
    return Link(
        resolver=resolver,
        url=home + whole + (f"#{fragment}" if fragment else ""),
        content_url=quote(root + content, safe="/:@?&=%+,;!$'()*[]~-._"),
        root=root,
        id=str(groups.get("id") or ""),
        fragment=fragment,
    )


def _plain(host: str) -> str:
    """Return a host as hosts are compared: lower case, international names in their ASCII form."""
    host = host.lower().rstrip(".")
    if host.isascii():
        return host
    name, colon, port = host.partition(":")
    try:
        return name.encode("idna").decode("ascii") + colon + port
    except UnicodeError:
        return ""
