"""Parts of addresses that say something beside a name: a town, a street with its number, a postcode."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from matchers.canonical import HAN
from matchers.compiled import compiled
from matchers.scanners.digits import GLUED, Digits
from matchers.scanners.sink import EXACT, LONGEST, Sink, put

_TOWN: Final = np.array([[ord("镇"), 0], [ord("乡"), 0], [ord("街"), ord("道")], [ord("苏"), ord("木")]], np.uint16)
_STREET: Final = np.array([ord(sign) for sign in "路街道巷弄里"], np.uint16)
_LANE: Final = (ord("胡"), ord("同"))
MOST_TOWN: Final = 6
"""Han characters of a town's name."""
MOST_STREET: Final = 8
"""Han characters of a street's name, its kind not counted."""
FEWEST_CODE, MOST_CODE = 4, 6
"""Digits of a postcode."""


@compiled
def find_address_parts(
    units: NDArray[np.uint16], classes: NDArray[np.uint8], digits: Digits, address_part: Sink
) -> None:
    """Find towns with each beginning that their name may have, streets with their number, and postcodes."""
    work = np.empty(LONGEST, np.uint16)
    for place in range(1, len(units)):
        if not classes[place] & HAN:
            continue
        for town in range(len(_TOWN)):
            if units[place] != _TOWN[town, 0]:
                continue
            if _TOWN[town, 1] == 0:
                _beginnings(units, classes, place, place + 1, MOST_TOWN, work, 0, address_part)
            elif place + 1 < len(units) and units[place + 1] == _TOWN[town, 1]:
                _beginnings(units, classes, place, place + 2, MOST_TOWN, work, 0, address_part)
    for first in range(len(digits.at)):
        if digits.join[first] == GLUED:
            continue
        stop = first + 1
        while stop < len(digits.at) and digits.join[stop] == GLUED:
            stop += 1
        if stop - first <= 5:
            _street(units, classes, digits, first, stop, work, address_part)
        if FEWEST_CODE <= stop - first <= MOST_CODE:
            put(address_part, digits.at[first], digits.at[stop - 1] + 1, EXACT, digits.value, first, stop)


@compiled
def _street(
    units: NDArray[np.uint16], classes: NDArray[np.uint8], digits: Digits, first: int, stop: int,
    work: NDArray[np.uint16], address_part: Sink,
) -> None:  # fmt: skip
    """Note the street before a number."""
    end = digits.at[first]
    if end > 0 and units[end - 1] == 0x20:
        end -= 1
    if end < 2 or not classes[end - 1] & HAN:
        return
    suffix = end
    if units[end - 2] == _LANE[0] and units[end - 1] == _LANE[1]:
        suffix = end - 2
    else:
        for index in range(len(_STREET)):
            if units[end - 1] == _STREET[index]:
                suffix = end - 1
    if suffix == end:
        return
    size = stop - first
    for index in range(size):
        work[LONGEST - size + index] = digits.value[first + index]
    _beginnings(units, classes, suffix, end, MOST_STREET, work, size, address_part)


@compiled
def _beginnings(
    units: NDArray[np.uint16], classes: NDArray[np.uint8], suffix: int, end: int, most: int,
    work: NDArray[np.uint16], number: int, address_part: Sink,
) -> None:  # fmt: skip
    """Note the Han characters before a suffix, from one to `most` of them, with the suffix and the number after it."""
    start = suffix
    while start > 0 and suffix - start < most and classes[start - 1] & HAN:
        start -= 1
        filled = 0
        for place in range(start, end):
            work[filled] = units[place]
            filled += 1
        for index in range(number):
            work[filled + index] = work[LONGEST - number + index]
        put(address_part, start, end, EXACT, work, 0, filled + number)
