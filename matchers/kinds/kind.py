"""What an identifier kind is: a module with these names. And the two things it makes: terms and findings."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol


class Term(NamedTuple):
    """One searchable form of a record's value."""

    field: str
    """Name space: the page side must find it under the same name (`phone`, `phone_tail` …)."""
    value: str
    """Canonical value in that name space."""
    weight: float
    """Rarity in bits: minus the binary logarithm of the chance that another person has the same."""


class Found(NamedTuple):
    """One candidate on a page; `start` and `end` index the folded text."""

    field: str
    value: str
    start: int
    end: int
    form: str = "exact"
    """`exact`, `masked` or `typo`."""


class Grams(NamedTuple):
    """How a kind with running text is cut into shingles; sizes in compact characters (letters, digits, Han)."""

    field: str
    size: int
    """Characters of one shingle."""
    window: int
    """Winnowing window: of so many neighbours one is kept, so a verbatim run of `window + size - 1` is always hit.

    The same for every text: only so do texts that share a phrase keep the same shingles of it, and templates show.
    """
    han: bool
    """True: mostly Han characters; False: none."""
    digit: bool
    """True: at least one digit and four letters, as streets and house numbers have."""
    weight: float
    """Bits of one shingle, counted at most twice; text is weighed by comparison."""


class Kind(Protocol):
    """A module in `matchers/kinds/`."""

    CODE: int
    """Number that postings carry; never reused."""
    ROLE: str
    """`primary` or `supporting`, when the linkage schema says `auto`."""
    GRAMS: Sequence[Grams]
    """How running text is cut; empty for values."""
    SHOULD_MATCH: Sequence[tuple[str, str]]
    """Value in the record, text on a page: the text must yield a term of the value."""
    SHOULD_NOT: Sequence[tuple[str, str]]
    """Value in the record, text on a page: the text must yield none of the value's own terms."""

    @staticmethod
    def canonicalise(value: str) -> str:
        """Return the canonical form; raises `ValueError` with a message that does not hold the value."""
        ...

    @staticmethod
    def terms(canonical: str) -> tuple[Term, ...]:
        """Return the value itself (first, if it is searchable alone) and its partial forms for conjunctions."""
        ...

    @staticmethod
    def candidates(text: str, ocr: bool) -> Iterator[Found]:
        """Yield what may be values of this kind in folded text."""
        ...
