"""What the matchers need from others, and what they promise."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from model.match import Match

if TYPE_CHECKING:  # whoever reads a configuration imports this, and seldom computes
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class MatchingSettings:
    """`matching:` in config.yaml."""

    leak: float = 0.9
    """Score from which a match is a leak."""
    suspicious: float = 0.6
    """Score from which a match is suspicious."""
    window: int = 400
    """Characters within which weak elements are combined."""
    join_days: int = 7
    """Days for which posts of one thread or author are joined; 0: never."""


@dataclass(frozen=True, slots=True)
class Examination:
    """What the examination of one page came to."""

    matches: tuple[Match, ...]
    """Leaks and suspicions, the surest first."""
    capped: bool
    """True if a cap was reached, so that part of the page was not compared: the page must be reported as such."""


class PostingStore(Protocol):
    """Where postings and records rest; `storage.records` is one."""

    def postings(self, labels: Sequence[bytes]) -> Mapping[bytes, bytes]:
        """Return label → sealed payload for those labels that exist."""
        ...

    def details(self, handles: Sequence[bytes]) -> Mapping[bytes, bytes]:
        """Return handle → sealed details for those records that exist."""
        ...


class Evaluator(Protocol):
    """Computes y = HMAC-SHA256(K_f, length ‖ canonical value): the only step that needs the field keys.

    It stands behind this one method so that it can move to another host or an HSM with budgets.
    """

    def evaluate(self, field: str, values: Sequence[bytes]) -> list[bytes]:
        """Return one 32-byte y per canonical value of the field, in order."""
        ...


class TagFilter(Protocol):
    """Approximate set of the 64-bit filter tags of everything enrolled: no false negatives."""

    def survivors(self, tags: "NDArray[np.uint64]") -> "NDArray[np.intp]":
        """Return the indices of the tags that may be enrolled."""
        ...
