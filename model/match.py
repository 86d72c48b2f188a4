"""A match: a page against a record, told in kinds, forms and spans, never in values."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What a page turned out to be."""

    LEAK = "leak"
    SUSPICIOUS = "suspicious"
    NOTHING = "nothing found"
    UNREADABLE = "could not read"


@dataclass(frozen=True, slots=True)
class Element:
    """One agreement between page and record."""

    kinds: tuple[str, ...]
    """One kind for a primary element or a passage, several for a conjunction."""
    role: str
    """`primary`, `conjunction`, `supporting` or `passage`."""
    form: str
    """`exact`, `masked`, `typo` or `excerpt`."""
    similarity: float
    """0 … 1; 1 for exact."""
    passage: int
    """Index of the passage it was found in."""
    start: int
    """First character of the span in the passage's text."""
    end: int
    """One past the last character."""
    joined: bool = False
    """All or part of it stood in another post of the same thread or author: the span then is that of the other half, or
    of what else this page shows of the record."""


@dataclass(frozen=True, slots=True)
class Match:
    """A page against one record."""

    handle: bytes
    """The record's handle, 16 bytes."""
    verdict: Verdict
    """LEAK or SUSPICIOUS."""
    score: float
    """0 … 1, higher = rarer combination."""
    elements: tuple[Element, ...]

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds found, sorted, each once."""
        return tuple(sorted({kind for element in self.elements for kind in element.kinds}))
