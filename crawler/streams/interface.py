"""What a stream is to the worker that reads it: happenings in order, each with the cursor that passes it.

A protocol is one file here with one subclass of `Firehose`. Storing, cursors, reconnecting, gaps and back-pressure
are the worker's (`crawler/streams/runner.py`), the law of fetching is the wire's (`crawler/streams/wire.py`).
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from crawler.interface import SiteSettings
from crawler.profile import Profile
from crawler.spider import Item
from crawler.streams.wire import Wire
from model.errors import ConfigError
from model.page import Exchange, Reason
from model.scan import GapReason


@dataclass(frozen=True, slots=True)
class Arrived:
    """An item came. Its repr shows no content."""

    item: Item
    exchanges: tuple[Exchange, ...] = field(repr=False)
    cursor: str | None = field(repr=False)
    """Where to go on once this is stored; None leaves the cursor where it is."""
    size: int = 1000
    """About how many bytes it holds in memory."""


@dataclass(frozen=True, slots=True)
class Passed:
    """Something came that holds nothing to read, or nothing that can be read."""

    cursor: str | None = field(repr=False)
    unreadable: Reason | None = None
    """Why it could not be read; counted as failed."""
    size: int = 100


@dataclass(frozen=True, slots=True)
class Missed:
    """A stretch of the stream was not sent to us."""

    since: datetime | None
    until: datetime
    reason: GapReason
    filled: bool = False
    """Whether the protocol has fetched all of it by other means, as items before this."""
    size: int = 0


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """From here on the stream brings what happens now."""

    size: int = 0


Happening = Arrived | Passed | Missed | CaughtUp


class Firehose(ABC):
    """How one kind of stream is read."""

    options: ClassVar[frozenset[str]] = frozenset()
    """Options of config.yaml that it knows, beside `images` and `spool`."""
    profile: Profile
    """What an operator should know of it."""

    def __init__(self, site: SiteSettings) -> None:
        self.site = site
        unknown = sorted(set(site.options) - self.options - COMMON)
        if unknown:
            known = ", ".join(sorted(self.options | COMMON))
            raise ConfigError(f"sites.{site.name}: unknown option {unknown[0]!r}; known: {known}")

    @property
    def images(self) -> bool:
        """Whether the pictures of posts are fetched (`images: true`).

        Off by default: each is a request to a server that wants to be asked politely, one at a time, and the
        pictures of a whole network come faster than that. Meant for streams of one server or one community.
        """
        return bool(self.site.options.get("images", False))

    @abstractmethod
    def streams(self) -> tuple[str, ...]:
        """Return the names of the streams, each with a cursor of its own; they are read at the same time."""

    @abstractmethod
    def follow(self, wire: Wire, stream: str, cursor: str | None) -> AsyncGenerator[Happening, None]:
        """Connect once and yield what comes until the connection ends; raises FetchFailed if it ends badly."""


COMMON = frozenset({"images", "spool"})
