"""Running text of many records at once: winnowed shingles and sequences of tokens, as `passages` defines them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from matchers import passages
from matchers.canonical import HAN, Folded, fold_many
from matchers.compiled import compiled
from matchers.kernel import Kernel
from matchers.kinds.kind import Grams

MOST_SHINGLES = 128
"""Shingles of one sort that stand for one text: all of 600 Han or 900 Latin characters, thinner beyond."""


@dataclass(frozen=True, slots=True, eq=False)
class Excerpts:
    """Shingles of one sort, from many texts."""

    text: NDArray[np.int64]
    """For each the number of its text."""
    offset: NDArray[np.int64]
    """Where in its text it starts, in compact characters."""
    tags: NDArray[np.uint64]
    values: NDArray[np.uint8]
    """Its characters, two bytes each, one shingle a row."""


@dataclass(frozen=True, slots=True, eq=False)
class Stream:
    """Many texts in compact form, one after another."""

    compact: Folded
    starts: NDArray[np.int64]
    """Where each text starts."""
    sizes: NDArray[np.int64]
    """How many units each has."""


def stream(texts: Sequence[str]) -> Stream:
    """Return the texts folded and compact."""
    compact = passages.compact(fold_many(texts)[0])
    borders = np.flatnonzero(compact.classes == 0)
    starts = np.append(0, borders + 1)[: len(texts)].astype(np.int64)
    return Stream(compact, starts, np.append(borders, len(compact))[: len(texts)] - starts)


def shingles(kernel: Kernel, many: Stream, grams: Grams) -> Excerpts:
    """Return the shingles that stand for each text: of every window the smallest tag, each tag once, at most so many.

    Winnowing [Schleimer, Wilkerson, Aiken 2003]. Where a long text has more than `MOST_SHINGLES`, the window widens:
    what a wider window keeps, a narrower one keeps too, so a phrase shared with a short text still shows as shared.
    """
    tags, starts = passages.shingles(kernel, many.compact, grams)
    text = np.searchsorted(many.starts, starts, side="right") - 1
    kept = _winnowed(tags, text, grams.window)
    window = grams.window
    while len(long := np.flatnonzero(np.bincount(text[kept], minlength=1) > MOST_SHINGLES)):
        window *= 2
        inside = np.flatnonzero(np.isin(text, long))
        kept = np.append(kept[~np.isin(text[kept], long)], inside[_winnowed(tags[inside], text[inside], window)])
    order = kept[np.lexsort((kept, tags[kept], text[kept]))]
    text, tags, starts = text[order], tags[order], starts[order]
    first = np.append(True, (text[1:] != text[:-1]) | (tags[1:] != tags[:-1]))[: len(order)]
    text, tags, starts = text[first], tags[first], starts[first]
    values = many.compact.units[starts[:, None] + np.arange(grams.size)]
    return Excerpts(text, starts - many.starts[text], tags, values.view(np.uint8))


def sequences(kernel: Kernel, many: Stream, salts: NDArray[np.uint64]) -> list[tuple[int, NDArray[np.uint16]]]:
    """Return width and tokens of each text under its record's salt."""
    han = np.append(0, np.cumsum((many.compact.classes & HAN) != 0))
    share = han[many.starts + many.sizes] - han[many.starts]
    widths = np.where(3 * share >= many.sizes, passages.TOKEN_UNITS, passages.TOKEN_UNITS + 1)
    found: list[tuple[int, NDArray[np.uint16]]] = [(0, np.zeros(0, np.uint16))] * len(widths)
    for width in np.unique(widths).tolist():
        chosen = np.flatnonzero(widths == width)
        counts = np.maximum(0, many.sizes[chosen] - width + 1)
        ends = np.cumsum(counts)
        starts = np.repeat(many.starts[chosen] - (ends - counts), counts) + np.arange(counts.sum())
        tags = kernel.tags("token", many.compact.units, starts, width)
        salted = kernel.combine("token", tags, np.repeat(salts[chosen], counts)) >> np.uint64(48)
        for index, part in zip(chosen.tolist(), np.split(salted.astype(np.uint16), ends[:-1]), strict=True):
            found[index] = (width, part)
    return found


@compiled
def _winnowed(tags: NDArray[np.uint64], text: NDArray[np.int64], window: int) -> NDArray[np.int64]:
    """Return the indices of the smallest tag, the leftmost where equal, of every `window` neighbours of one text."""
    out = np.empty(len(tags), np.int64)
    count = 0
    first = 0
    while first < len(tags):
        last = first
        while last < len(tags) and text[last] == text[first]:
            last += 1
        width = min(window, last - first)
        least = -1
        for begin in range(first, last - width + 1):
            if least < begin:
                least = begin
                for at in range(begin + 1, begin + width):
                    if tags[at] < tags[least]:
                        least = at
            elif tags[begin + width - 1] < tags[least]:
                least = begin + width - 1
            if count == 0 or out[count - 1] != least:
                out[count] = least
                count += 1
        first = last
    return out[:count].copy()
