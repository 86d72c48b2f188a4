"""Running text as shingles (what is searched) and as a sequence of hashed tokens (what is compared).

Both are taken from the compact stream: letters, digits and Han characters with nothing between them, so that line
ends, spaces and punctuation do not matter. Record side: winnowed, see `matchers.kinds.kind.Grams`. Page side: every
position, so that any shingle that survived an edit is seen.
"""

import numpy as np
from numpy.typing import NDArray

from matchers.canonical import DIGIT, HAN, LATIN, LETTER, Folded
from matchers.kernel import Kernel
from matchers.kinds.kind import Grams

COMPACT = np.uint8(DIGIT | HAN | LATIN | LETTER)
"""Classes of the compact stream."""
TOKEN_UNITS = 2
"""Characters of one token of Han text; Latin text takes one more."""


def compact(folded: Folded) -> Folded:
    """Return letters, digits and Han characters only (and the unit 0 between texts)."""
    letters = (folded.classes & COMPACT) != 0
    kept = letters | (folded.classes == 0)
    return Folded(folded.units[kept], folded.origin[kept], folded.classes[kept])


def positions(stream: Folded, grams: Grams) -> NDArray[np.int64]:
    """Return where a shingle of this sort may begin."""
    size = grams.size
    count = len(stream.units) - size + 1
    if count <= 0:
        return np.zeros(0, np.int64)
    classes = stream.classes
    han = _within((classes & HAN) != 0, size)
    fits = _within(classes == 0, size) == 0
    fits &= han * 5 >= size * 3 if grams.han and not grams.digit else (han >= 2 if grams.han else han == 0)
    if grams.digit:
        digits = _within((classes & DIGIT) != 0, size)
        fits &= (digits >= 1) & (digits <= size - 3)
    elif not grams.han:
        fits &= _within((classes & DIGIT) != 0, size) * 2 <= size
    return np.flatnonzero(fits)


def shingles(kernel: Kernel, stream: Folded, grams: Grams) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Return tag and beginning of every shingle of the stream: the page side."""
    starts = positions(stream, grams)
    return kernel.tags(grams.field, stream.units, starts, grams.size), starts


def tokens(kernel: Kernel, units: NDArray[np.uint16], width: int, salt: int) -> NDArray[np.uint16]:
    """Return 16-bit tokens under a record's own salt: equal characters give unequal tokens in another record."""
    count = max(0, len(units) - width + 1)
    tags = kernel.tags("token", units, np.arange(count), width)
    return (kernel.combine("token", tags, np.full(count, salt, np.uint64)) >> np.uint64(48)).astype(np.uint16)


def _within(flags: NDArray[np.bool_], size: int) -> NDArray[np.int64]:
    """Return how many flags are set in each window of `size`."""
    total = np.zeros(len(flags) + 1, np.int64)
    np.cumsum(flags, out=total[1:])
    return total[size:] - total[:-size]
