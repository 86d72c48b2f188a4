"""Where scanners put what they find: one sink for each field, as arrays that compiled code fills."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from matchers.compiled import compiled

EXACT: Final = 0
MASKED: Final = 1
TYPO: Final = 2
FORMS: Final = ("exact", "masked", "typo")
"""Names of the forms, by number."""
LONGEST: Final = 96
"""Units of the longest value."""


class Sink(NamedTuple):
    """Findings of one field; `filled` says how many are filled, how many value units, and where room ran out."""

    start: NDArray[np.int32]
    end: NDArray[np.int32]
    form: NDArray[np.uint8]
    offset: NDArray[np.int32]
    """Where in `values` the canonical value begins."""
    length: NDArray[np.int32]
    values: NDArray[np.uint16]
    filled: NDArray[np.int64]
    """Findings, units of values, and the unit of the batch from which on findings were dropped (-1: none)."""


def empty(room: int) -> Sink:
    """Return a sink with room for so many findings; memory is taken only where it is written."""
    return Sink(
        np.empty(room, np.int32),
        np.empty(room, np.int32),
        np.empty(room, np.uint8),
        np.empty(room, np.int32),
        np.empty(room, np.int32),
        np.empty(12 * room + LONGEST, np.uint16),
        np.array([0, 0, -1], np.int64),
    )


@compiled
def put(sink: Sink, start: int, end: int, form: int, source: NDArray[np.uint16], first: int, last: int) -> None:
    """Note that the canonical value `source[first:last]` stands at start:end."""
    put_two(sink, start, end, form, source, first, last, source, 0, 0)


@compiled
def put_two(
    sink: Sink, start: int, end: int, form: int,
    source: NDArray[np.uint16], first: int, last: int, more: NDArray[np.uint16], begin: int, stop: int,
) -> None:  # fmt: skip
    """Note a value made of two stretches, one after the other."""
    index = sink.filled[0]
    at = sink.filled[1]
    size = last - first + stop - begin
    if size > LONGEST:
        return
    if index >= len(sink.start) or at + size > len(sink.values):
        if sink.filled[2] < 0 or start < sink.filled[2]:
            sink.filled[2] = start
        return
    sink.start[index] = start
    sink.end[index] = end
    sink.form[index] = form
    sink.offset[index] = at
    sink.length[index] = size
    for place in range(first, last):
        sink.values[at] = source[place]
        at += 1
    for place in range(begin, stop):
        sink.values[at] = more[place]
        at += 1
    sink.filled[0] = index + 1
    sink.filled[1] = at
