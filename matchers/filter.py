"""The approximate set of every enrolled tag: a one-word Bloom filter of at most 3 bytes per tag."""

from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from matchers.interface import TagFilter

BITS: Final = 4
"""Bits that each tag sets in its word."""
BITS_PER_TAG: Final = 22
"""Bits of filter per tag when built."""
RESIDENT_LIMIT: Final = 1 << 30
"""Bytes up to which a mapped filter is read into anonymous memory, where look-ups are a third faster."""
_BATCH: Final = 1 << 14
"""Tags looked up at once: the arrays stay in the processor's cache."""
_PAIRS: Final = (np.uint64(1) << (np.arange(4096, dtype=np.uint64) & np.uint64(63))) | (
    np.uint64(1) << (np.arange(4096, dtype=np.uint64) >> np.uint64(6))
)
"""For each 12 bits of a tag the two bits of the word that they choose."""


class BloomFilter(TagFilter):
    """Approximate set of 64-bit tags: no false negatives, at most 0.5 % false positives when not overfull.

    One 64-bit word per tag, chosen by the tag's upper half, and four bits of it, chosen by the lowest 24 bits
    (Putze, Sanders, Singler 2007: a blocked Bloom filter whose block is one word), so that a look-up touches memory
    once.
    """

    def __init__(self, words: NDArray[np.uint64], bits: int = BITS) -> None:
        """Take the words, at least one, and the number of bits per tag they were built with."""
        if words.size == 0:
            raise ValueError("a filter needs at least one word")
        if bits != BITS:
            raise ValueError(f"this filter was built with {bits} bits per tag, not {BITS}: rebuild it")
        self._words = words

    @classmethod
    def build(cls, tags: NDArray[np.uint64]) -> Self:
        """Return the filter of these tags, in any order, repeated or not."""
        ordered = np.sort(tags)
        unique = len(tags) and 1 + int(np.count_nonzero(ordered[1:] != ordered[:-1]))
        made = cls(np.zeros(max(1, -(-unique * BITS_PER_TAG // 64)), np.uint64))
        made.add(ordered)
        return made

    @classmethod
    def from_words(cls, words: NDArray[np.uint64], bits: int = BITS) -> Self:
        """Return the filter of stored words; a memory map below `RESIDENT_LIMIT` bytes is read into memory."""
        return cls(np.array(words) if words.nbytes < RESIDENT_LIMIT else words, bits)

    @property
    def words(self) -> NDArray[np.uint64]:
        """Return the words, to be stored as they are."""
        return self._words

    @property
    def bits(self) -> int:
        """Return the number of bits each tag sets."""
        return BITS

    def add(self, tags: NDArray[np.uint64]) -> None:
        """Add a few tags; when many were added, build anew, or false positives grow.

        Raise `ValueError` for a filter that is mapped read-only.
        """
        if not self._words.flags.writeable:  # asked for here: numpy's own scattered writes crash on such a map
            raise ValueError("this filter is mapped read-only: build a new one with the added tags")
        if not len(tags):
            return
        ordered = np.sort(tags)
        index = self._index(ordered)
        first = np.flatnonzero(np.append(True, index[1:] != index[:-1]))
        self._words[index[first]] |= np.bitwise_or.reduceat(_pattern(ordered), first)

    def survivors(self, tags: NDArray[np.uint64]) -> NDArray[np.intp]:
        """Return the indices of the tags that may be in the set, ascending."""
        found = [self._survivors(tags[first : first + _BATCH], first) for first in range(0, len(tags), _BATCH)]
        return np.concatenate(found) if found else np.zeros(0, np.intp)

    def _survivors(self, tags: NDArray[np.uint64], first: int) -> NDArray[np.intp]:
        """Return the indices of one batch, counted from `first`."""
        pattern = _pattern(tags)
        return np.flatnonzero((self._words.take(self._index(tags)) & pattern) == pattern) + first

    def _index(self, tags: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Return the word of each tag: its upper 32 bits scaled to the number of words."""
        return (((tags >> np.uint64(32)) * np.uint64(len(self._words))) >> np.uint64(32)).view(np.int64)


def _pattern(tags: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the bits of each tag within its word: two look-ups of two bits each."""
    twelve = np.uint64(0xFFF)
    pattern = _PAIRS.take((tags & twelve).view(np.int64))
    pattern |= _PAIRS.take(((tags >> np.uint64(12)) & twelve).view(np.int64))
    return pattern
