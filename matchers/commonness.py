"""Which short pieces of text are common among the enrolled notes, so that agreeing in them proves nothing.

"The patient has been asked", 「近期体重无明显变化」: phrases of a trade, a hospital or a corpus stand in many notes and
on many pages. What a page and a note have in common weighs as much as it is surprising, and the enrolled notes
themselves tell what is not: a `Census` counts, while notes are enrolled, in how many of them each gram stands (4 Han
characters, 12 Latin ones); `Commonness` keeps one bit per gram of what many notes have. After the background models of
language modelling and of near-duplicate detection, with one threshold instead of probabilities: on a
development bench it told strangers' medical texts from excerpts as well as an interpolated n-gram model did.

Counts are of count-min type [Cormode, Muthukrishnan 2005]: keyed places in a table, two rows, saturating, only ever too
high. A commonness shows, but for collisions, no gram of fewer than three notes, to whoever holds it and the key. A
census shows more to who has the key: keep it where enrolment runs, sealed, or in memory only.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from matchers.canonical import HAN, Folded
from matchers.compiled import compiled
from matchers.kernel import Kernel

HAN_GRAM, LATIN_GRAM = 4, 12
"""Characters of one gram."""
FEWEST = 3
"""Notes that must share a gram before it may count as common."""
ONE_IN = 800
"""A gram is common if one in so many notes has it."""
MOST_NOTES = 50_000
"""Notes counted; what is common shows long before, and one byte per counter is enough."""
ROWS = 2
_FIELDS = {HAN_GRAM: "common_han", LATIN_GRAM: "common_latin"}
_HEAD = 8
_SLOTS = 1 << 23
_MASK = np.uint64(_SLOTS - 1)
_HALF = np.uint64(32)


@dataclass(frozen=True, slots=True, eq=False)
class Commonness:
    """One bit per place: set where many notes were counted."""

    bits: NDArray[np.bool_] = field(repr=False)
    """(rows, places)."""
    notes: int
    """Notes that were counted."""

    @classmethod
    def from_bytes(cls, packed: bytes) -> "Commonness":
        """Return what `to_bytes` wrote."""
        bits = np.unpackbits(np.frombuffer(packed, np.uint8, offset=_HEAD)).astype(np.bool_).reshape(ROWS, -1)
        return cls(bits, int.from_bytes(packed[:_HEAD], "big"))

    def to_bytes(self) -> bytes:
        """Return the number of notes and the packed bits, 1 MiB a row."""
        return self.notes.to_bytes(_HEAD, "big") + np.packbits(self.bits).tobytes()

    def marks(self, kernel: Kernel, stream: Folded) -> NDArray[np.bool_]:
        """Return for each character of a compact stream whether a common gram ends with it: no surprise."""
        marked = np.zeros(len(stream.units), np.bool_)
        for ends, tags in _grams(kernel, stream):
            places = _places(tags)
            marked[ends[self.bits[0].take(places[0]) & self.bits[1].take(places[1])]] = True
        return marked


class Census:
    """Counts in how many notes each gram stands. Belongs to enrolment."""

    def __init__(self) -> None:
        """Begin with nothing counted."""
        self._counts = np.zeros((ROWS, _SLOTS), np.uint8)
        self.notes = 0

    def add(self, kernel: Kernel, stream: Folded) -> None:
        """Count notes, given as one compact stream with a unit 0 between them; nothing is counted beyond `MOST_NOTES`.

        A gram counts once in a note, however often it stands there.
        """
        borders = np.flatnonzero(stream.classes == 0)
        counted = min(len(borders) + 1, MOST_NOTES - self.notes)
        if counted <= 0:
            return
        self.notes += counted
        for ends, tags in _grams(kernel, stream):
            note = np.searchsorted(borders, ends)
            few = int(np.searchsorted(note, counted))
            for row, places in enumerate(_places(tags[:few])):
                _count(self._counts[row], places, note)

    def merge(self, other: "Census") -> None:
        """Add what another process counted, unless enough notes are."""
        if self.notes >= MOST_NOTES:
            return
        self.notes += other.notes
        total = self._counts.astype(np.uint16) + other._counts  # noqa: SLF001  the same class
        self._counts = np.minimum(total, 255).astype(np.uint8)

    def commonness(self) -> Commonness:
        """Return what is common among the notes counted so far."""
        return Commonness(self._counts >= max(FEWEST, min(255, self.notes // ONE_IN)), self.notes)


@compiled
def _count(counts: NDArray[np.uint8], places: NDArray[np.int64], note: NDArray[np.int64]) -> None:
    """Add one to each place that a note has, up to 255; those of one note stand together."""
    before = np.empty(len(places), np.uint8)
    first = 0
    while first < len(places):
        last = first
        while last < len(places) and note[last] == note[first]:
            before[last] = counts[places[last]]
            last += 1
        for index in range(first, last):
            if before[index] < 255:
                counts[places[index]] = before[index] + 1
        first = last


def _places(tags: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the place of each gram in each row."""
    return (tags & _MASK).astype(np.int64), ((tags >> _HALF) & _MASK).astype(np.int64)


def _grams(kernel: Kernel, stream: Folded) -> Iterator[tuple[NDArray[np.int64], NDArray[np.uint64]]]:
    """Yield for Han and for Latin text the last character and the tag of every gram."""
    han = np.cumsum((stream.classes & HAN) != 0, dtype=np.int64)
    none = np.cumsum(stream.classes == 0, dtype=np.int64)
    for size, name in _FIELDS.items():
        ends = np.arange(size - 1, len(stream.units))
        if not len(ends):
            continue
        chinese = _between(han, ends, size)
        fits = (2 * chinese >= size if size == HAN_GRAM else chinese == 0) & (_between(none, ends, size) == 0)
        ends = ends[fits]
        yield ends, kernel.tags(name, stream.units, ends - (size - 1), size)


def _between(total: NDArray[np.int64], ends: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Return how many of the `size` characters up to each end are counted in the running total."""
    before = np.where(ends >= size, total[ends - size], 0)
    return total[ends] - before
