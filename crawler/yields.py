"""What a scan got out of its lists, counted so that the next ones can be compared with it."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from statistics import median

from crawler.spider import Item
from model.page import Exchange, Part
from model.scan import FIELDS, Measures

ASIDE = ("title", "author")
"""Parts that are not what an item says."""


class Yields:
    """Counts over one scan."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.unchanged = 0
        self._taken = 0
        self._empty: Counter[str] = Counter()
        self._seconds: dict[datetime, float] = {}

    def took(self, item: Item, parts: Sequence[Part], exchanges: Sequence[Exchange]) -> None:
        """Count one item of a list that was fetched."""
        self._taken += 1
        said = any(part.data.strip() for part in parts if part.provenance not in ASIDE)
        for name, there in zip(FIELDS, (said, item.author, item.published_at), strict=True):
            self._empty[name] += not there
        self.timed(exchanges)

    def timed(self, exchanges: Sequence[Exchange]) -> None:
        """Count how long requests took; the same exchange only once."""
        for each in exchanges:
            self._seconds[each.started_at] = (each.finished_at - each.started_at).total_seconds()

    def measures(self) -> Measures:
        """Return what was counted."""
        pace = median(self._seconds.values()) if self._seconds else None
        return Measures(self._taken, {name: n for name, n in self._empty.items() if n}, self.unchanged, pace)
