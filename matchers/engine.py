"""Passages → matches: finds on a page the records that were enrolled, without any of their values."""

from collections.abc import Sequence
from dataclasses import dataclass

from matchers.interface import Evaluator, MatchingSettings, PostingStore, TagFilter
from matchers.kernel import Kernel
from model.match import Match
from model.page import Passage


@dataclass(frozen=True, slots=True)
class Examination:
    """What the examination of one page came to."""

    matches: tuple[Match, ...]
    """Leaks and suspicions, the surest first."""
    capped: bool
    """True if a cap was reached, so that part of the page was not compared: the page must be reported as such."""


class Engine:
    """Examines pages. Holds the evaluator and the kernel, hence the key; has no network."""

    def __init__(
        self,
        evaluator: Evaluator,
        kernel: Kernel,
        tag_filter: TagFilter,
        store: PostingStore,
        settings: MatchingSettings,
    ) -> None:
        """Take the parts; nothing is read yet."""

    def examine(self, passages: Sequence[Passage]) -> list[Match]:
        """Return the matches of one page, the surest first."""
        return list(self.examine_many([passages])[0].matches)

    def examine_many(self, pages: Sequence[Sequence[Passage]]) -> list[Examination]:
        """Return the examination of each page, in order; one vector pass over all of them."""
        raise NotImplementedError
