"""What a kind of linked place is to the crawler, and what it is given to open one link."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from crawler.fetcher import Answer
from crawler.spider import Capture
from model.page import Part, Reason

OBEY = "obey"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why links of a kind are never opened."""

    reason: Reason
    why: str
    """In words, for people."""


@dataclass(frozen=True, slots=True)
class Resolver:
    """How one kind of linked place is read; a row of the table."""

    name: str
    hosts: tuple[str, ...]
    """`host` or `host:port`; `.host` stands for every host below it. More come from `network.link_hosts`."""
    path: str = ""
    """A regular expression that the whole path must fit; the group `id` is what the place calls the item."""
    query: str = ""
    """The same for the query, where the place needs one."""
    fragment: str = ""
    """The same for the fragment, where the place needs one."""
    content: str = ""
    """Path or URL of the content, with `{id}`; empty: the address itself."""
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    """Host → where its content lies, if not there."""
    read: "Reader | None" = None
    """What reads it, if a GET of the content is not all."""
    refusal: Refusal | None = None
    """Why it is not opened; it is reported instead."""
    robots: str = OBEY
    """`obey`, or `ignore: <why a single linked item may be fetched although robots.txt forbids crawling>`."""
    anywhere: bool = False
    """Whether its addresses are unmistakable on any public host."""
    meant_only: bool = False
    """Whether only links meant for readers count: pictures and files are also part of what a page is made of."""
    shortens: bool = False
    """Whether its addresses only lead to others."""
    tested: str = "from memory"
    """Against what it was tested: `real server`, `sample`, `documented`, `from memory`."""


@dataclass(frozen=True, slots=True)
class Link:
    """A link that the table knows. Its repr shows no content."""

    resolver: Resolver
    url: str = field(repr=False)
    """As a person would open it, with its fragment."""
    content_url: str = field(repr=False)
    """What is asked for; never a fragment."""
    root: str = field(repr=False)
    """Scheme and host that hold the content."""
    id: str = field(repr=False)
    fragment: str = field(default="", repr=False)


class Opener(Protocol):
    """One link's way to the network: the scan's law, the resolver's decision on robots, what is left of the caps."""

    async def get(self, url: str, role: str = "item", *, headers: Mapping[str, str] | None = None) -> Answer:
        """Return the answer, or raise FetchFailed with the reason."""
        ...


Reader = Callable[[Opener, Link, Sequence[Part]], Awaitable[Capture]]
"""Opens a link; the parts are those of the post that holds it."""
