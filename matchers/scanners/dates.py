"""Dates in every common order and script, as YYYYMMDD; lunar dates excepted.

1985-03-14, 1985年3月14日, 85年3月14号, 一九八五年三月十四日, 3月14日生，1985年, 14.03.1985, 3/14/85, March 14, 1985,
14th of Mar 85, 19850314. A date that may be read in two ways is found in both; a year of two digits in both centuries.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from matchers.canonical import DIGIT, HAN, LATIN, LETTER, SEPARATOR
from matchers.compiled import compiled, inner
from matchers.scanners.digits import GLUED, RUN, Digits
from matchers.scanners.numbers import is_date, is_day
from matchers.scanners.sink import EXACT, Sink, put

_ZERO: Final = 0x30
_YEAR, _MONTH, _DAY, _DAY_TOO = 0x5E74, 0x6708, 0x65E5, 0x53F7
_TEN, _TWENTY, _THIRTY = 0x5341, 0x5EFF, 0x5345
_MONTHS: Final = np.array(
    [[ord(letter) for letter in name] for name in (
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    )], np.uint16,
)  # fmt: skip
_NUMERALS: Final = np.full(0x10000, 255, np.uint8)
for _value, _characters in enumerate(
    ("〇零", "一壹", "二贰两", "三叁", "四肆", "五伍", "六陆", "七柒", "八捌", "九玖")
):
    for _character in _characters:
        _NUMERALS[ord(_character)] = _value
_NUMERALS[ord("元")] = 1
_FARTHEST: Final = 6
"""Units between two parts of a date."""


class Parts(NamedTuple):
    """Numbers of one to four digits in the order in which they stand: what dates are made of."""

    number: NDArray[np.int32]
    size: NDArray[np.int32]
    """Digits as written; Han numerals count their value's."""
    start: NDArray[np.int32]
    end: NDArray[np.int32]
    month: NDArray[np.bool_]
    """A month by name."""


def read_parts(units: NDArray[np.uint16], classes: NDArray[np.uint8]) -> Parts:
    """Return the parts of dates in a batch."""
    room = len(units) // 2 + 2
    parts = Parts(
        np.empty(room, np.int32), np.empty(room, np.int32), np.empty(room, np.int32), np.empty(room, np.int32),
        np.empty(room, np.bool_),
    )  # fmt: skip
    count = _read(units, classes, parts)
    return Parts(
        parts.number[:count], parts.size[:count], parts.start[:count], parts.end[:count], parts.month[:count]
    )  # fmt: skip


@inner
def _month_named(units: NDArray[np.uint16], first: int, last: int) -> int:
    """Return the month that a word names, 0 if none: its first three letters, or all of them."""
    if not (3 <= last - first <= 9):
        return 0
    for month in range(12):
        if (
            units[first] == _MONTHS[month, 0]
            and units[first + 1] == _MONTHS[month, 1]
            and units[first + 2] == _MONTHS[month, 2]
        ):
            return month + 1
    return 0


@inner
def _han_number(units: NDArray[np.uint16], first: int, last: int) -> int:
    """Return the number that Han numerals say, digit by digit or with tens; -1 if they say none."""
    if last - first > 4:
        return -1
    tens = -1
    number = 0
    for place in range(first, last):
        if units[place] == _TEN:
            if tens >= 0:
                return -1
            tens = number if place > first else 1
            number = 0
        elif units[place] == _TWENTY or units[place] == _THIRTY:
            tens = 2 if units[place] == _TWENTY else 3
            number = 0
        else:
            number = 10 * number + _NUMERALS[units[place]]
    return 10 * tens + number if tens >= 0 else number


@compiled
def _read(units: NDArray[np.uint16], classes: NDArray[np.uint8], parts: Parts) -> int:
    count = 0
    place = 0
    size = len(units)
    while place < size:
        kind = classes[place]
        if kind & DIGIT:
            first = place
            number = 0
            while place < size and classes[place] & DIGIT:
                if place - first < 8:
                    number = 10 * number + units[place] - _ZERO
                place += 1
            if place - first <= 4:
                parts.number[count] = number
                parts.size[count] = place - first
                parts.start[count] = first
                parts.end[count] = place
                parts.month[count] = False
                count += 1
        elif kind & HAN and (_NUMERALS[units[place]] != 255 or units[place] in (_TEN, _TWENTY, _THIRTY)):
            first = place
            while (
                place < size
                and classes[place] & HAN
                and (_NUMERALS[units[place]] != 255 or units[place] in (_TEN, _TWENTY, _THIRTY))
            ):
                place += 1
            mark = units[place] if place < size else 0
            number = _han_number(units, first, place)
            if number >= 0 and mark in (_YEAR, _MONTH, _DAY, _DAY_TOO):
                parts.number[count] = number
                parts.size[count] = 4 if number > 99 else 2
                parts.start[count] = first
                parts.end[count] = place
                parts.month[count] = False
                count += 1
        elif kind & LATIN:
            first = place
            while place < size and classes[place] & (LATIN | LETTER):
                place += 1
            month = _month_named(units, first, place)
            if month:
                parts.number[count] = month
                parts.size[count] = 2
                parts.start[count] = first
                parts.end[count] = place
                parts.month[count] = True
                count += 1
        else:
            place += 1
    return count


@inner
def _mark(units: NDArray[np.uint16], classes: NDArray[np.uint8], parts: Parts, left: int) -> int:
    """Return what stands between a part and the next: a sign, ' ' for blanks, 年 月 日, 'l' for letters; 0 if too much.

    Signs win over blanks.
    """
    first, last = parts.end[left], parts.start[left + 1]
    if last - first > _FARTHEST:
        return 0
    mark = 0x20 if last > first else 0x6C
    for place in range(first, last):
        unit = units[place]
        kind = classes[place]
        if kind == 0 or kind & DIGIT:
            return 0
        if unit in (_YEAR, _MONTH, _DAY, _DAY_TOO):
            mark = unit
        elif kind & HAN:
            if mark not in (_DAY, _DAY_TOO):
                return 0
        elif mark in (0x20, 0x6C):
            if kind & (LATIN | LETTER):
                mark = 0x6C
            elif kind & SEPARATOR and unit != 0x20:
                mark = unit
    return mark


@inner
def _day(
    year: int, year_size: int, month: int, day: int, start: int, end: int, work: NDArray[np.uint16], sink: Sink
) -> None:
    """Note a date; a year of two digits in both centuries."""
    if year_size == 4:
        if 1850 <= year <= 2099 and is_day(year, month, day):
            _write(year, month, day, start, end, work, sink)
    elif year_size in (1, 2):
        for century in (1900, 2000):
            if century + year <= 2035 and is_day(century + year, month, day):
                _write(century + year, month, day, start, end, work, sink)


@inner
def _write(year: int, month: int, day: int, start: int, end: int, work: NDArray[np.uint16], sink: Sink) -> None:
    whole = 10000 * year + 100 * month + day
    for index in range(8):
        work[7 - index] = _ZERO + whole % 10
        whole //= 10
    put(sink, start, end, EXACT, work, 0, 8)


@compiled
def find_dates(units: NDArray[np.uint16], classes: NDArray[np.uint8], parts: Parts, date: Sink) -> None:
    """Find dates of three parts."""
    work = np.empty(8, np.uint16)
    for first in range(len(parts.number) - 2):
        one, two = _mark(units, classes, parts, first), _mark(units, classes, parts, first + 1)
        if one == 0 or two == 0:
            continue
        a, b, c = parts.number[first], parts.number[first + 1], parts.number[first + 2]
        sizes = (parts.size[first], parts.size[first + 1], parts.size[first + 2])
        start, end = parts.start[first], parts.end[first + 2]
        if parts.month[first]:
            if sizes[1] <= 2 and (sizes[2] == 4 or sizes[2] == 2) and not parts.month[first + 1]:
                _day(c, sizes[2], a, b, start, end, work, date)
            continue
        if parts.month[first + 1]:
            if sizes[0] == 4:
                _day(a, 4, b, c, start, end, work, date)
            elif sizes[0] <= 2 and (sizes[2] == 4 or sizes[2] == 2):
                _day(c, sizes[2], b, a, start, end, work, date)
            continue
        if parts.month[first + 2]:
            continue
        if one == _YEAR:
            if two == _MONTH and sizes[1] <= 2:
                _day(a, sizes[0], b, c, start, end, work, date)
            continue
        if one == _MONTH:
            if two in (_DAY, _DAY_TOO) and c > 99:
                _day(c, sizes[2], a, b, start, end, work, date)
            continue
        if one == 0x6C or two == 0x6C or one > 0x7F or two > 0x7F or sizes[1] > 2:
            continue
        if sizes[0] == 4 and sizes[2] <= 2:
            _day(a, 4, b, c, start, end, work, date)
        elif sizes[0] <= 2 and sizes[2] == 4:
            _day(c, 4, a, b, start, end, work, date)
            if a != b:
                _day(c, 4, b, a, start, end, work, date)
        elif sizes[0] <= 2 and sizes[2] == 2 and one == two and one != 0x20:
            _day(c, 2, a, b, start, end, work, date)
            if a != b:
                _day(c, 2, b, a, start, end, work, date)
            if sizes[0] == 2:
                _day(a, 2, b, c, start, end, work, date)


@compiled
def find_compact_dates(digits: Digits, date: Sink) -> None:
    """Find eight digits that are a day, as a group or a row of groups of its own."""
    count = len(digits.at)
    for first in range(count):
        if digits.join[first] == GLUED:
            continue
        last = first + 8
        if last > count or (last < count and digits.join[last] == GLUED):
            continue
        joined = True
        for index in range(first + 1, last):
            if digits.join[index] == RUN:
                joined = False
        if joined and is_date(digits.value, first):
            put(date, digits.at[first], digits.at[last - 1] + 1, EXACT, digits.value, first, last)
