"""What a site that is paid by the item may cost in a month, and what it cost so far: a cap that holds over scans.

Money is counted before it is spent. Each page of a list is set aside at the size of the largest page so far, and the
sum is saved, before the page is asked for; what it really cost replaces that once the answer is there. So a crash
between the two counts too much, never too little. What a month of UTC leaves over is not carried into the next.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import structlog

from crawler.health import FetchFailed
from crawler.interface import Sink
from model.page import Reason

SPENT = "spent"
"""The stream under which the sum is kept."""
UNKNOWN_PAGE = 100
"""Items set aside for the first page of all, which is of unknown size."""
FREE = frozenset({Reason.RATE_LIMITED, Reason.ROBOTS, Reason.FORBIDDEN_ADDRESS, Reason.LIMIT})
"""Failures in which no item was given, besides refusals."""

log = structlog.get_logger(__name__)


class Budget:
    """The money of one site in one month."""

    def __init__(self, site: str, sink: Sink, cost: float, most: float, now: Callable[[], datetime]) -> None:
        """Take what an item costs and what a month may cost, in the site's own currency; a cost of 0 has no budget."""
        self.site = site
        self.sink = sink
        self.cost = Decimal(str(cost))
        self.most = Decimal(str(most))
        self.now = now
        self._spent = Decimal(0)
        """Without what is set aside."""
        self._largest = 0
        self._month = ""

    def set_aside(self) -> None:
        """Set the next page aside; raises FetchFailed with `cap-reached` if the budget does not reach for it."""
        if not self.cost:
            return
        self._recall()
        left = self.most - self._spent
        if left < self.cost * max(self._largest, 1):
            log.warning("budget_used_up", site=self.site, month=self._month, spent=str(self._spent), of=str(self.most))
            raise FetchFailed(Reason.LIMIT, "the budget of this month is used up")
        self._save(self._spent + min(left, self.cost * (self._largest or UNKNOWN_PAGE)))

    def settle(self, items: int) -> None:
        """Replace what was set aside by what the page cost: so many items."""
        if not self.cost:
            return
        self._largest = max(self._largest, items)
        self._spent += self.cost * items
        self._save(self._spent)

    def settle_failure(self, failure: FetchFailed) -> None:
        """Give back what was set aside if the site gave nothing; if that is unsure, it counts as spent."""
        if failure.refusal is not None or failure.reason in FREE:
            self.settle(0)

    def _recall(self) -> None:
        """Read what was spent in this month."""
        self._month = self.now().astimezone(UTC).strftime("%Y-%m")
        kept = json.loads(self.sink.cursor(self.site, SPENT) or "{}")
        self._largest = int(kept.get("largest", 0))
        self._spent = Decimal(kept["spent"]) if kept.get("month") == self._month else Decimal(0)

    def _save(self, spent: Decimal) -> None:
        kept = {"month": self._month, "spent": str(spent), "largest": self._largest}
        self.sink.save_cursor(self.site, SPENT, json.dumps(kept))
