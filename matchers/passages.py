"""Running text as shingles (what is searched) and as a sequence of hashed tokens (what is compared).

Both are taken from the compact stream: letters, digits and Han characters with nothing between them, so that line
ends, spaces and punctuation do not matter. Record side: winnowed, see `matchers.kinds.kind.Grams`. Page side: every
position, so that any shingle that survived an edit is seen.
"""

import numpy as np
from numpy.typing import NDArray

from matchers.canonical import DIGIT, HAN, LATIN, LETTER, Folded
from matchers.compiled import compiled
from matchers.kernel import Kernel
from matchers.kinds.kind import Grams

COMPACT = np.uint8(DIGIT | HAN | LATIN | LETTER)
"""Classes of the compact stream."""
TOKEN_UNITS = 2
"""Characters of one token of Han text; Latin text takes one more."""


def compact(folded: Folded) -> Folded:
    """Return letters, digits and Han characters only (and the unit 0 between texts)."""
    chosen = kept(folded.classes)
    return Folded(folded.units.take(chosen), folded.origin.take(chosen), folded.classes.take(chosen))


def kept(classes: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the indices of what the compact stream holds."""
    out = np.empty(len(classes), np.int64)
    return out[: _kept(classes, out)]


@compiled
def _kept(classes: NDArray[np.uint8], out: NDArray[np.int64]) -> int:
    count = 0
    for place in range(len(classes)):
        out[count] = place
        count += classes[place] == 0 or (classes[place] & COMPACT) != 0
    return count


def positions(stream: Folded, grams: Grams) -> NDArray[np.int64]:
    """Return where a shingle of this sort may begin."""
    out = np.empty(len(stream.units), np.int64)
    return out[: _positions(stream.classes, grams.size, grams.han, grams.digit, out)]


@compiled
def _positions(classes: NDArray[np.uint8], size: int, with_han: bool, with_digit: bool, out: NDArray[np.int64]) -> int:
    """Write where a window of this size holds what it should, and no border; return how many there are."""
    count = han = digit = 0
    last_border = -1
    for end in range(len(classes)):
        kind = classes[end]
        han += kind & HAN != 0
        digit += kind & DIGIT != 0
        if kind == 0:
            last_border = end
        first = end - size + 1
        if first < 0:
            continue
        if with_digit:
            fits = 1 <= digit <= size - 3 and (han >= 2 if with_han else han == 0)
        elif with_han:
            fits = han * 5 >= size * 3
        else:
            fits = han == 0 and digit * 2 <= size
        out[count] = first
        count += fits and last_border < first
        han -= classes[first] & HAN != 0
        digit -= classes[first] & DIGIT != 0
    return count


def shingles(kernel: Kernel, stream: Folded, grams: Grams) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Return tag and beginning of every shingle of the stream: the page side."""
    starts = positions(stream, grams)
    return kernel.tags(grams.field, stream.units, starts, grams.size), starts


def tokens(kernel: Kernel, units: NDArray[np.uint16], width: int, salt: int) -> NDArray[np.uint16]:
    """Return 16-bit tokens under a record's own salt: equal characters give unequal tokens in another record."""
    count = max(0, len(units) - width + 1)
    tags = kernel.tags("token", units, np.arange(count), width)
    return (kernel.combine("token", tags, np.full(count, salt, np.uint64)) >> np.uint64(48)).astype(np.uint16)
