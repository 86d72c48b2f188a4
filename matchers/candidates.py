"""What may stand on a page: values of every kind, names near them, and which of them stand near each other."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from matchers import passages
from matchers.canonical import Folded
from matchers.conjunctions import ALONE, PARTNERS
from matchers.kinds import kinds, person_name
from matchers.kinds.kind import Found
from matchers.numerals import as_digits
from model.page import Passage

MOST_FOUND = 60_000
"""Candidates of one passage; more is a page of nothing but numbers, and is reported as capped."""
MOST_PAIRS = 400_000
"""Conjunctions tried on one passage."""
_PARTNER_FIELDS = frozenset(right for rights in PARTNERS.values() for right in rights)
_NAME_FIELDS = frozenset(PARTNERS)


@dataclass(frozen=True, slots=True)
class Sighted:
    """One candidate of one passage; spans are in folded units of the batch."""

    field: str
    value: bytes
    text: str
    passage: int
    start: int
    end: int
    form: str


Pairs = tuple[list[Sighted], list[Sighted], NDArray[np.int64], NDArray[np.int64]]
"""Left and right candidates, and the indices of those that stand together."""


@dataclass(slots=True, eq=False)
class Survey:
    """Everything that may be on the pages of a batch."""

    folded: Folded
    starts: NDArray[np.int64]
    passages: Sequence[Passage]
    texts: list[str]
    """Folded text of each passage, one character per unit."""
    compact: Folded
    compact_index: NDArray[np.int64]
    """For each compact unit its index in `folded`."""
    compact_passage: NDArray[np.int64]
    alone: dict[str, list[Sighted]] = field(default_factory=lambda: defaultdict(list))
    partners: dict[int, list[Sighted]] = field(default_factory=lambda: defaultdict(list))
    pairs: dict[str, Pairs] = field(default_factory=dict)
    capped: set[int] = field(default_factory=set)
    """Passages of which a part was left out."""


def survey(folded: Folded, starts: NDArray[np.int64], flat: Sequence[Passage], window: int) -> Survey:
    """Return the candidates of a batch."""
    kept = np.flatnonzero((folded.classes & passages.COMPACT) | (folded.classes == 0))
    compact = Folded(folded.units[kept], folded.origin[kept], folded.classes[kept])
    passage_of = np.searchsorted(starts, kept, side="right") - 1
    stops = [*(starts[1:] - 1).tolist(), len(folded)]
    whole = one_per_unit(folded.units)
    texts = [whole[start:stop] for start, stop in zip(starts.tolist(), stops, strict=True)]
    seen = Survey(folded, starts, flat, texts, compact, kept, passage_of)
    together: dict[str, list[Pairs]] = defaultdict(list)
    for number, text in enumerate(texts):
        _passage(seen, number, text, window, together)
    for name, parts in together.items():
        seen.pairs[name] = _merge(parts)
    return seen


def one_per_unit(units: NDArray[np.uint16]) -> str:
    """Return the units as a string of the same length; halves of pairs become U+FFFD, which no kind contains."""
    surrogate = (units & 0xF800) == 0xD800
    if surrogate.any():
        units = np.where(surrogate, np.uint16(0xFFFD), units)
    return units.tobytes().decode("utf-16-le")


def _passage(seen: Survey, number: int, text: str, window: int, together: dict[str, list[Pairs]]) -> None:
    """Find values, then names around those that need a name, then who stands together."""
    base = int(seen.starts[number])
    ocr = seen.passages[number].ocr
    second = as_digits(text)
    views = (text,) if second is None else (text, second)
    found = dict.fromkeys(each for view in views for each in _values(view, ocr))
    if len(found) > MOST_FOUND:
        seen.capped.add(number)
        found = dict(list(found.items())[:MOST_FOUND])
    partners: list[Sighted] = []
    for each in found:
        sighted = _sighted(each, number, base)
        if each.field in ALONE:
            seen.alone[each.field].append(sighted)
        if each.field in _PARTNER_FIELDS:
            partners.append(sighted)
    seen.partners[number] = partners
    if partners:
        names = names_near(text, [(each.start - base, each.end - base) for each in partners], window // 2, ocr)
        _pair(seen, [_sighted(each, number, base) for each in names], partners, window // 2, together)


def names_near(text: str, spans: Sequence[tuple[int, int]], reach: int, ocr: bool) -> list[Found]:
    """Return the candidates of names within reach of the spans."""
    names: dict[Found, None] = {}
    for start, end in _intervals(spans, reach, len(text)):
        for each in person_name.candidates(text[start:end], ocr):
            names[each._replace(start=each.start + start, end=each.end + start)] = None
    return list(names)


def _values(text: str, ocr: bool) -> Iterator[Found]:
    for name, kind in kinds().items():
        if name != "person_name" and hasattr(kind, "candidates"):
            yield from kind.candidates(text, ocr)


def _sighted(each: Found, number: int, base: int) -> Sighted:
    return Sighted(each.field, each.value.encode(), each.value, number, each.start + base, each.end + base, each.form)


def _intervals(spans: Sequence[tuple[int, int]], reach: int, length: int) -> Iterator[tuple[int, int]]:
    """Yield the neighbourhoods of the spans, overlapping ones as one."""
    current: tuple[int, int] | None = None
    for start, end in sorted(spans):
        near = (max(0, start - reach), min(length, end + reach))
        if current and near[0] <= current[1]:
            current = (current[0], max(current[1], near[1]))
            continue
        if current:
            yield current
        current = near
    if current:
        yield current


def _pair(
    seen: Survey,
    names: Sequence[Sighted],
    partners: Sequence[Sighted],
    reach: int,
    together: dict[str, list[Pairs]],
) -> None:
    """Note which names stand within reach of which other values."""
    room = MOST_PAIRS
    for left_field, right_fields in PARTNERS.items():
        left = sorted((each for each in names if each.field == left_field), key=lambda each: each.start)
        if not left:
            continue
        at = np.array([each.start for each in left], np.int64)
        for right_field in right_fields:
            right = [each for each in partners if each.field == right_field]
            if not right:
                continue
            low = np.searchsorted(at, [each.start - reach for each in right])
            high = np.searchsorted(at, [each.end + reach for each in right], side="right")
            counts = high - low
            if counts.sum() > room:
                seen.capped.add(right[0].passage)
                counts = np.where(np.cumsum(counts) <= room, counts, 0)
            room -= int(counts.sum())
            which = np.repeat(np.arange(len(right)), counts)
            offset = np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)
            together[f"{left_field}+{right_field}"].append((left, right, low[which] + offset, which))


def _merge(parts: Sequence[Pairs]) -> Pairs:
    """Return the pairs of all passages as one list."""
    names: list[Sighted] = []
    others: list[Sighted] = []
    left: list[NDArray[np.int64]] = []
    right: list[NDArray[np.int64]] = []
    for some_names, some_others, some_left, some_right in parts:
        left.append(some_left + len(names))
        right.append(some_right + len(others))
        names.extend(some_names)
        others.extend(some_others)
    return names, others, np.concatenate(left), np.concatenate(right)
