"""How far a list was read, and when to stop reading it."""

import json
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from crawler.spider import Item, Listing, Stream

MARKS = 20
"""How many of the newest items are remembered as marks."""
ENOUGH = 3
"""How many marks must be met: one may be pinned, another moved."""


class Progress:
    """Follows one list from its newest item and knows when the part read by earlier scans begins.

    `reached` never asks what is known, only what a *finished* earlier scan saw: a scan that died half-way has kept
    the newest items, and stopping there would skip the ones below.
    """

    def __init__(self, stream: Stream, saved: str | None) -> None:
        """Take the list and what was saved of it."""
        kind = stream.cursor
        self.stream = stream
        self.kind = kind
        self.saved = saved
        self.met = 0
        self.reached = False
        self.marks: list[str] = []
        self.best: str | None = saved
        self.old = frozenset(json.loads(saved)) if saved is not None and kind == "seen" else frozenset()

    def saw(self, listing: Listing) -> None:
        """Take one page of the list."""
        if self.kind == "token":
            self._saw_token(listing)
            return
        for item in listing.items:
            if self.kind == "seen":
                self._saw_mark(item)
            else:
                self._saw_value(item)

    def cursor(self) -> str | None:
        """Return what to save once everything that was seen is settled."""
        if self.kind != "seen":
            return self.best
        if not self.marks:
            return self.saved
        return json.dumps(self.marks)

    def _saw_mark(self, item: Item) -> None:
        mark = sha256(item.item_id.encode()).hexdigest()[:16]
        if len(self.marks) < MARKS:
            self.marks.append(mark)
        if mark in self.old:
            self.met += 1
            self.reached = self.met >= min(ENOUGH, len(self.old))

    def _saw_token(self, listing: Listing) -> None:
        """Keep the token of the first page, or of the last: the site's own word for where to go on."""
        if listing.token and (self.stream.keep == "last" or self.best == self.saved):
            self.best = listing.token

    def _saw_value(self, item: Item) -> None:
        value = item_time(item) if self.kind == "time" else str(item.fields.get("id", item.item_id))
        if value is None:
            return
        if self.saved is not None and rank(value) <= rank(self._floor(self.saved)):
            self.reached = True
        if self.best is None or rank(value) > rank(self.best):
            self.best = value

    def _floor(self, saved: str) -> str:
        """Return the value at which reading stops."""
        if self.kind != "time":
            return saved
        return (datetime.fromisoformat(saved) - timedelta(seconds=self.stream.overlap)).isoformat()


def item_time(item: Item) -> str | None:
    """Return when an item was published, as text that sorts by time."""
    return item.published_at.astimezone(UTC).isoformat(timespec="seconds") if item.published_at is not None else None


def rank(value: str) -> tuple[int, str]:
    """Return what ids are compared by: numbers by size however long, other ids as text."""
    return (len(value.lstrip("0")), value.lstrip("0")) if value.isdigit() else (0, value)
