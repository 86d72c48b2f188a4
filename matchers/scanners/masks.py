"""Numbers of which a part is hidden: 138****1234, (***) ***-1927, 110101********1234, 1307************, ***-**-4244."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from matchers.canonical import DIGIT, HAN, LATIN, LETTER, MASK
from matchers.compiled import compiled, inner
from matchers.scanners.sink import MASKED, Sink, put, put_two

_X: Final = 0x78
_LONGEST: Final = 40
"""Units of a hidden number with the signs in it."""
FEWEST_DOTS: Final = 3
"""Dots or dashes in a row that hide something."""
_PLAIN: Final = DIGIT | HAN | LETTER
_FEWEST_HIDDEN: Final = 2


@inner
def hides(units: NDArray[np.uint16], classes: NDArray[np.uint8], place: int) -> bool:
    """Tell whether the sign hides a character: * # 〇, and x _ ? · . - where they stand together or beside such."""
    if classes[place] & MASK:
        return True
    unit = units[place]
    if unit in (0x2E, 0x2D):
        return _in_a_row(units, place) >= FEWEST_DOTS
    if unit not in (_X, 0x5F, 0x3F, 0xB7):
        return False
    twin = (place > 0 and units[place - 1] == unit) or (place + 1 < len(units) and units[place + 1] == unit)
    beside = (place > 0 and classes[place - 1] & MASK) or (place + 1 < len(units) and classes[place + 1] & MASK)
    return bool(twin or beside)


@inner
def _in_a_row(units: NDArray[np.uint16], place: int) -> int:
    """Return how often a unit stands in a row there, as far as that matters."""
    first, last = place, place + 1
    while first > 0 and place - first < FEWEST_DOTS and units[first - 1] == units[place]:
        first -= 1
    while last < len(units) and last - place < FEWEST_DOTS and units[last] == units[place]:
        last += 1
    return last - first


@compiled
def find_masks(
    units: NDArray[np.uint16], classes: NDArray[np.uint8],
    phone_tail: Sink, phone_mask: Sink, phone_head: Sink, id_tail: Sink, id_mask: Sink, id_start: Sink, id_area: Sink,
    number_tail: Sink,
) -> None:  # fmt: skip
    """Find what is left of masked numbers: digits before the hidden ones, and digits behind them."""
    size = len(units)
    work = np.empty(48, np.uint16)
    place = 0
    while place < size:
        kind = classes[place]
        if not kind & MASK and (kind & _PLAIN or units[place] == 0x20 or (kind & LATIN and units[place] != _X)):
            place += 1  # most units: none of those that `hides` asks about
            continue
        if not hides(units, classes, place):
            place += 1
            continue
        first = _first_digit(units, classes, place)
        head = 0
        for index in range(first, place):
            if classes[index] & DIGIT and head < 16:
                work[head] = units[index]
                head += 1
        hidden = 0
        last = place
        gap = 0
        while last < size and last - place < _LONGEST and classes[last]:
            if hides(units, classes, last):
                hidden += 1
                gap = 0
            elif classes[last] & (DIGIT | HAN | LATIN | LETTER) or gap == 2:
                break
            else:
                gap += 1
            last += 1
        tail = head
        end = last
        while end < size and tail - head < 8:
            if classes[end] & DIGIT:
                work[tail] = units[end]
                tail += 1
            elif units[end] == _X and tail - head == 3:
                work[tail] = _X
                tail += 1
                end += 1
                break
            elif not (units[end] == 0x2D and tail > head and end + 1 < size and classes[end + 1] & DIGIT):
                break
            end += 1
        closed = end >= size or not classes[end] & (DIGIT | LATIN)
        if hidden >= _FEWEST_HIDDEN and (head or tail > head):
            start = first if head else place
            _note(
                work, head, tail if closed else head, hidden, start, end,
                phone_tail, phone_mask, phone_head, id_tail, id_mask, id_start, id_area, number_tail,
            )  # fmt: skip
        place = max(last, place + 1)


@inner
def _first_digit(units: NDArray[np.uint16], classes: NDArray[np.uint8], place: int) -> int:
    """Return where the digits before the hidden ones begin; `place` if there are none."""
    first = place
    gap = 0
    here = place
    while here > 0 and place - here < 20:
        before = here - 1
        if classes[before] & DIGIT:
            first = before
            gap = 0
        elif units[before] in (0x20, 0x2D, 0x28, 0x29) and gap < 2:
            gap += 1
        else:
            break
        here = before
    return first


@inner
def _note(
    work: NDArray[np.uint16], head: int, stop: int, hidden: int, start: int, end: int,
    phone_tail: Sink, phone_mask: Sink, phone_head: Sink, id_tail: Sink, id_mask: Sink, id_start: Sink, id_area: Sink,
    number_tail: Sink,
) -> None:  # fmt: skip
    tail = stop - head
    whole = head + hidden + tail
    if tail >= 4:
        put(phone_tail, start, end, MASKED, work, stop - 4, stop)
        put(id_tail, start, end, MASKED, work, stop - 4, stop)
        if head >= 3:
            put_two(phone_mask, start, end, MASKED, work, 0, 3, work, stop - 4, stop)
            put_two(id_mask, start, end, MASKED, work, 0, 3, work, stop - 4, stop)
    if tail >= 5:
        put(number_tail, start, end, MASKED, work, stop - 5, stop)
    if head >= 7 and tail < 4 and whole <= 13:
        put(phone_head, start, end, MASKED, work, 0, 7)
    if head >= 14 and whole >= 16:
        put(id_start, start, end, MASKED, work, 0, 14)
    elif head >= 6 and (whole >= 16 or tail == 0):
        put(id_area, start, end, MASKED, work, 0, 6)
