"""The approximate set of every enrolled tag: a Bloom filter of 3 bytes per tag that touches memory once per look-up."""

from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from matchers.compiled import compiled, inlined
from matchers.interface import TagFilter
from matchers.prefetch import prefetch

LAYOUT: Final = 3
"""Number of the way in which tags set bits; another number, another filter."""
BITS_PER_TAG: Final = 24
"""Bits of filter per tag when built."""
_LINE: Final = 8
"""Words of one cache line."""
_AHEAD: Final = 24
"""Tags between asking for a line and reading it."""
_SPREAD: Final = np.uint64(0x9E3779B97F4A7C15)
"""2⁶⁴ divided by the golden ratio: multiplied, every bit of a tag has a say in the upper bits."""
_ONE, _THREE, _SIX, _SEVEN, _TWELVE, _EIGHTEEN, _HALF = (np.uint64(number) for number in (1, 3, 6, 7, 12, 18, 32))
_LOWER: Final = np.uint64(0xFFFFFFFF)
_PLACE, _FIRST, _STEP = np.uint64(63), np.uint64(61), np.uint64(58)


class BloomFilter(TagFilter):
    """Approximate set of 64-bit tags: no false negatives, 0.01 % false positives when not overfull.

    A tag chooses a cache line by its lower half, three different words of the line, and three bits of each (a
    cache-sectorised blocked Bloom filter: Putze, Sanders, Singler 2007; Lang et al., "Performance-Optimal Filtering",
    2019). One line is one trip to memory; 97 in 100 strangers are refused by the first word of it.
    """

    def __init__(self, words: NDArray[np.uint64], layout: int = LAYOUT) -> None:
        """Take the words, whole cache lines of 8; raise `ValueError` for a size or layout that cannot be read.

        A map of a file stays one, so that what another process adds to the file is seen at once.
        """
        if words.size == 0 or words.size % _LINE:
            raise ValueError("a filter needs at least one line of 8 words, and whole lines")
        if layout != LAYOUT:
            raise ValueError(f"this filter has layout {layout}, not {LAYOUT}: rebuild it")
        self._words = np.asarray(words)
        self._seen = _frozen(self._words)

    @classmethod
    def sized(cls, count: int) -> Self:
        """Return an empty filter for so many different tags."""
        size = _LINE * max(1, count * BITS_PER_TAG // (64 * _LINE))
        room = np.zeros(size + _LINE, np.uint64)
        first = -(room.ctypes.data // room.itemsize) % _LINE  # a line of the filter is a line of the cache
        return cls(room[first : first + size])

    @classmethod
    def build(cls, tags: NDArray[np.uint64]) -> Self:
        """Return the filter of these tags, in any order, repeated or not."""
        made = cls.sized(len(tags))
        different = made.add(tags)
        if different < 0.95 * len(tags):
            made = cls.sized(different)
            made.add(tags)
        return made

    @property
    def words(self) -> NDArray[np.uint64]:
        """Return the words, to be stored as they are."""
        return self._words

    @property
    def capacity(self) -> int:
        """Return for how many tags it was sized; with twice as many, 0.2 % of strangers pass."""
        return self._words.size * 64 // BITS_PER_TAG

    def add(self, tags: NDArray[np.uint64]) -> int:
        """Add tags and return how many of them were not in it, each counted once.

        Bits are only ever set, so that whoever reads the same words meanwhile loses nothing; of two that add at once
        one may lose: let one at a time. Raise `ValueError` for a filter that is mapped read-only.
        """
        if not self._words.flags.writeable:
            raise ValueError("this filter is mapped read-only: open it for adding")
        return int(_add(_frozen(tags), self._words))

    def survivors(self, tags: NDArray[np.uint64]) -> NDArray[np.intp]:
        """Return the indices of the tags that may be in the set, ascending."""
        found = np.empty(len(tags), np.intp)
        return found[: _look_up(_frozen(tags), self._seen, found)].copy()


def _frozen(array: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return a contiguous view that cannot be written, so that one compiled function serves every caller."""
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view


@inlined
def _mixed(tag: np.uint64) -> np.uint64:
    """Return 64 bits: the highest 3 choose the first word, the next 3 the step to the others, the lowest 54 bits."""
    product = tag * _SPREAD
    return product ^ (product >> _HALF)


@inlined
def _line(tag: np.uint64, lines: np.uint64) -> np.uint64:
    """Return where the line of a tag begins: its lower half scaled to the number of lines.

    Winnowing keeps the shingles with the smallest upper halves, so those are far from evenly spread.
    """
    return (((tag & _LOWER) * lines) >> _HALF) << _THREE


@inlined
def _pattern(bits: np.uint64) -> np.uint64:
    """Return a word with the three bits that the lowest 18 choose."""
    return (_ONE << (bits & _PLACE)) | (_ONE << ((bits >> _SIX) & _PLACE)) | (_ONE << ((bits >> _TWELVE) & _PLACE))


@compiled
def _add(tags: NDArray[np.uint64], words: NDArray[np.uint64]) -> int:
    """Set the bits of each tag; return how many tags changed a word."""
    lines = np.uint64(len(words) >> 3)
    changed = 0
    for index in range(len(tags)):
        if index + _AHEAD < len(tags):
            prefetch(words, _line(tags[index + _AHEAD], lines))
        line, bits = _line(tags[index], lines), _mixed(tags[index])
        word, step = bits >> _FIRST, (bits >> _STEP) | _ONE
        new = False
        for _ in range(3):
            place, pattern = line | (word & _SEVEN), _pattern(bits)
            before = words[place]
            new |= before & pattern != pattern
            words[place] = before | pattern
            word += step
            bits >>= _EIGHTEEN
        changed += new
    return changed


@compiled
def _look_up(tags: NDArray[np.uint64], words: NDArray[np.uint64], found: NDArray[np.intp]) -> int:
    """Write the indices of tags that may be in the set; return how many."""
    lines = np.uint64(len(words) >> 3)
    count = 0
    for index in range(len(tags)):
        if index + _AHEAD < len(tags):
            prefetch(words, _line(tags[index + _AHEAD], lines))
        line, bits = _line(tags[index], lines), _mixed(tags[index])
        word, pattern = bits >> _FIRST, _pattern(bits)
        if words[line | word] & pattern == pattern:
            step = (bits >> _STEP) | _ONE
            second, third = _pattern(bits >> _EIGHTEEN), _pattern(bits >> (_EIGHTEEN + _EIGHTEEN))
            if (
                words[line | ((word + step) & _SEVEN)] & second == second
                and words[line | ((word + step + step) & _SEVEN)] & third == third
            ):
                found[count] = index
                count += 1
    return count
