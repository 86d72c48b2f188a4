"""What an identifier kind is: a module with these names. And what it makes: readings, terms and findings."""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, cast

from matchers.canonical import canonical

UNKNOWN_HAN = "无|不详|未知|没有|暂无|未提供|未填写?|拒绝提供"
_UNKNOWN = re.compile(UNKNOWN_HAN + r"|n/?a|none|null|nil|unknown|unk|not known|not given|declined|(\d)\1{5,}|[\W_]*")
"""What files hold where nothing is known: words, one digit over and over, signs alone."""


class Term(NamedTuple):
    """One searchable form of a record's value."""

    field: str
    """Name space: the page side must find it under the same name (`phone`, `phone_tail` …)."""
    value: str
    """Canonical value in that name space."""
    weight: float
    """Rarity in bits: minus the binary logarithm of the chance that another person has the same."""
    alias: bool = False
    """A further spelling of a name: searched with few partners only, since each partner is one more posting."""


class Reading(NamedTuple):
    """What a cell of the enrolment file holds."""

    values: tuple[str, ...]
    """Canonical values, each once; none if the cell only says that nothing is known."""
    slips: int
    """Values that their own check calls mistyped, and parts of the cell that are no value of the kind."""


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
    """A module in `matchers/kinds/`.

    Four more functions may stand in one. `plain(value) -> str | None`: the canonical form of a cell that holds one
    value in a usual shape and without a slip, just what the other functions would give; None for any other cell.
    `split(value) -> list[str]`: the values of a cell that holds several.
    `slip(canonical) -> bool`: whether the value's own check says that it was mistyped; it is enrolled as it stands,
    because a leak would show the same slip. `find(text) -> Iterator[Found]`: what may be values of the kind in
    folded text, where a page is not searched for it by the tokens of letters and digits alone.
    """

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
        """Return the canonical form, empty for a placeholder of an unknown value.

        Raises `ValueError` with a message that does not hold the value.
        """
        ...

    @staticmethod
    def terms(canonical: str) -> tuple[Term, ...]:
        """Return the value itself (first, if it is searchable alone) and its partial forms for conjunctions."""
        ...


def read(kind: Kind, value: str) -> Reading:
    """Return what a cell holds, nothing where it says so; raises `ValueError` if no part can be a value of the kind."""
    plain = cast("Callable[[str], str | None] | None", getattr(kind, "plain", None))
    if plain is not None and (one := plain(value)) is not None:
        return Reading((one,), 0)
    return read_any(kind, value)


def read_any(kind: Kind, value: str) -> Reading:
    """Return what `read` does, without the short way that most values take."""
    if _UNKNOWN.fullmatch(canonical(value).strip()):
        return Reading((), 0)
    split = cast("Callable[[str], list[str]] | None", getattr(kind, "split", None))
    slip = cast("Callable[[str], bool] | None", getattr(kind, "slip", None))
    values: dict[str, None] = {}
    wrong: list[ValueError] = []
    parts = split(value) if split is not None else [value]
    for part in parts or [value]:
        try:
            values[kind.canonicalise(part)] = None
        except ValueError as error:
            wrong.append(error)
    if wrong and not values:
        raise wrong[0]
    values.pop("", None)
    return Reading(tuple(values), len(wrong) + sum(slip is not None and slip(each) for each in values))


def compact(text: str) -> str:
    """Return the letters, digits and Han characters of folded text."""
    return "".join(filter(str.isalnum, text))


def number_terms(canonical: str, bits: float) -> tuple[Term, ...]:
    """Return the terms of a number of letters and digits: itself, its last four; if it is long, what masks leave."""
    whole = Term("number", canonical, bits)
    tail = Term("id_tail", canonical[-4:], 12.0)
    if len(canonical) < 7:
        return whole, tail
    made = (whole, Term("number_tail", canonical[-5:], 14.0), tail)
    return (*made, Term("id_area", canonical[:6], 14.0)) if canonical[:6].isdigit() and len(canonical) >= 9 else made
