"""Parts of addresses that say something beside a name: a town, a street with its number, a postcode."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from matchers.canonical import HAN, LATIN, LETTER
from matchers.compiled import compiled, inner
from matchers.scanners.digits import GLUED, Digits
from matchers.scanners.sink import EXACT, LONGEST, Sink, put

_TOWN: Final = np.array([[ord("镇"), 0], [ord("乡"), 0], [ord("街"), ord("道")], [ord("苏"), ord("木")]], np.uint16)
_STREET: Final = np.array([ord(sign) for sign in "路街道巷弄里"], np.uint16)
_LANE: Final = (ord("胡"), ord("同"))
MOST_TOWN: Final = 6
"""Han characters of a town's name."""
MOST_STREET: Final = 8
"""Han characters of a street's name, its kind not counted."""
SHORTEST_WORD, LONGEST_WORD = 3, 30
"""Letters of the word beside a house number."""
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
        if stop - first <= 5:
            _house(units, classes, digits, first, stop, work, address_part)
        if FEWEST_CODE <= stop - first <= MOST_CODE:
            put(address_part, digits.at[first], digits.at[stop - 1] + 1, EXACT, digits.value, first, stop)


@inner
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


@inner
def _house(
    units: NDArray[np.uint16], classes: NDArray[np.uint8], digits: Digits, first: int, stop: int,
    work: NDArray[np.uint16], address_part: Sink,
) -> None:  # fmt: skip
    """Note a number with the Latin word after it ("22 Sallow Lane") and with the one before it ("Hartogstraat 13")."""
    begin, end = digits.at[first], digits.at[stop - 1] + 1
    for index in range(stop - first):
        work[index] = digits.value[first + index]
    work[stop - first] = 0x20
    letters = LATIN | LETTER
    start = end + 1 if end < len(units) and units[end] == 0x20 else len(units)
    last = start
    while last < len(units) and classes[last] & letters:
        last += 1
    if SHORTEST_WORD <= last - start <= LONGEST_WORD:
        _write(units, start, last, work, stop - first + 1, begin, last, address_part)
    last = begin - 1
    start = last
    while start > 0 and units[last] == 0x20 and classes[start - 1] & letters:
        start -= 1
    if SHORTEST_WORD <= last - start <= LONGEST_WORD:
        _write(units, start, last, work, stop - first + 1, start, end, address_part)


@inner
def _write(
    units: NDArray[np.uint16], start: int, last: int, work: NDArray[np.uint16], filled: int, begin: int, end: int,
    address_part: Sink,
) -> None:  # fmt: skip
    for place in range(start, last):
        work[filled + place - start] = units[place]
    put(address_part, begin, end, EXACT, work, 0, filled + last - start)


@inner
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
