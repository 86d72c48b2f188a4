"""Where scanners put what they find: one sink for each field, as arrays that compiled code fills."""

from typing import Final, NamedTuple

import numpy as np
from numba import int32, int64, uint16
from numpy.typing import NDArray

from matchers.compiled import INTEGER, UNITS, array_of, compiled, tuple_of, within

EXACT: Final = 0
MASKED: Final = 1
TYPO: Final = 2
FORMS: Final = ("exact", "masked", "typo")
"""Names of the forms, by number."""
LONGEST: Final = 96
"""Units of the longest value."""


START, END, FORM, OFFSET, LENGTH = range(5)
"""Rows of `Sink.spans`."""


class Sink(NamedTuple):
    """Findings of one field. Few arrays: each is a burden for the compiler wherever a sink is handed on."""

    spans: NDArray[np.int32]
    """Five rows: start, end, form, where in `values` the canonical value begins, and its length."""
    values: NDArray[np.uint16]
    filled: NDArray[np.int64]
    """Findings, units of values, and the unit of the batch from which on findings were dropped (-1: none)."""

    def row(self, which: int) -> NDArray[np.int32]:
        """Return one row as far as it is filled, without copying."""
        return self.spans[which, : self.filled[0]]


def empty(room: int) -> Sink:
    """Return a sink with room for so many findings; memory is taken only where it is written."""
    spans, values = np.empty((5, room), np.int32), np.empty(12 * room + LONGEST, np.uint16)
    return Sink(spans, values, np.array([0, 0, -1], np.int64))


SINK: Final = tuple_of(Sink, array_of(int32, 2), array_of(uint16), array_of(int64))
"""The compiler's type of a sink."""


@within(SINK, INTEGER, INTEGER, INTEGER, UNITS, INTEGER, INTEGER)
def put(sink: Sink, start: int, end: int, form: int, source: NDArray[np.uint16], first: int, last: int) -> None:
    """Note that the canonical value `source[first:last]` stands at start:end."""
    spans, values, filled = sink  # each time an array is taken out of a tuple it is counted, which costs more than this
    size = last - first
    index, at = filled[0], filled[1]
    if size > LONGEST:
        return
    if index >= spans.shape[1] or at + size > len(values):
        if filled[2] < 0 or start < filled[2]:
            filled[2] = start
        return
    spans[START, index] = start
    spans[END, index] = end
    spans[FORM, index] = form
    spans[OFFSET, index] = at
    spans[LENGTH, index] = size
    for place in range(size):
        values[at + place] = source[first + place]
    filled[0] = index + 1
    filled[1] = at + size


@within(SINK, INTEGER, INTEGER, INTEGER, UNITS, INTEGER, INTEGER, UNITS, INTEGER, INTEGER)
def put_two(
    sink: Sink, start: int, end: int, form: int,
    source: NDArray[np.uint16], first: int, last: int, more: NDArray[np.uint16], begin: int, stop: int,
) -> None:  # fmt: skip
    """Note a value made of two stretches, one after the other."""
    spans, values, filled = sink
    index = filled[0]
    put(sink, start, end, form, source, first, last)
    if filled[0] == index:
        return
    at, size = filled[1], stop - begin
    if spans[LENGTH, index] + size > LONGEST or at + size > len(values):
        filled[0] = index
        filled[1] = spans[OFFSET, index]
        if at + size > len(values) and (filled[2] < 0 or start < filled[2]):
            filled[2] = start
        return
    for place in range(size):
        values[at + place] = more[begin + place]
    spans[LENGTH, index] += size
    filled[1] = at + size


@compiled
def put_text(sink: Sink, start: int, end: int, units: NDArray[np.uint16]) -> None:
    """Note a value that no compiled scanner found."""
    put(sink, start, end, EXACT, units, 0, len(units))
