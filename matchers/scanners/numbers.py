"""Numbers that people and hospitals are known by, read off a run of digits: whole ones, and what slips leave of them.

Every number must begin and end at the border of a group; a resident ID may stand anywhere in a run, since its birth
date gives it away even in a dump without separators.
"""

from typing import Final

import numpy as np
import phonenumbers
from numpy.typing import NDArray

from matchers.canonical import DIGIT, HAN, LATIN, LETTER
from matchers.compiled import compiled, inner
from matchers.scanners.digits import GLUED, GROUP, RUN, Digits
from matchers.scanners.sink import EXACT, TYPO, Sink, put, put_two

MOST_DIGITS: Final = 20
"""Digits of the longest number."""
MOST_LETTERS: Final = 20
"""Letters of the longest number that has letters."""
MOST_GROUPS: Final = 20
CUT_REACH: Final = 30
"""Units between the beginning of a post and a number that may have been cut there."""
SHORT_GROUP: Final = 5
"""Digits of a group that may be a part of a longer telephone number."""
SHORTEST_PHONE: Final = 6
"""Digits of the shortest telephone number."""
COUNTRIES: Final = np.zeros(1000, np.bool_)
"""Country calling codes (ITU-T E.164), of which none is the beginning of another."""
COUNTRIES[list(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)] = True
_NINE: Final = 0x39
_ZERO: Final = 0x30
_ONE: Final = 0x31
_X: Final = 0x78
_PREFIX: Final = 6
_WEIGHTS: Final = np.array([7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2], np.int64)
"""ISO 7064 MOD 11-2 weights of the resident ID (GB 11643-1999)."""
_INVERSES: Final = np.array([pow(int(weight), -1, 11) for weight in _WEIGHTS], np.int64)
"""Their inverses modulo 11: by them the digit follows that makes the check character right."""


@inner
def _span_end(at: NDArray[np.int32], stop: int) -> int:
    return int(at[stop - 1] + 1)


@compiled
def find_numbers(
    units: NDArray[np.uint16], classes: NDArray[np.uint8], digits: Digits, shapes: NDArray[np.bool_],
    number: Sink, number_tail: Sink,
) -> None:  # fmt: skip
    """Find record numbers: groups joined, with the letters before them, and the last digits of long ones.

    `shapes[letters, digits]` says which forms are enrolled at all.
    """
    value, at, join = digits.value, digits.at, digits.join
    count = len(at)
    letters_seen = np.zeros(MOST_DIGITS + 1, np.bool_)
    for size in range(MOST_DIGITS + 1):
        for letters in range(1, _PREFIX + 1):
            letters_seen[size] = letters_seen[size] or shapes[letters, size]
    for first in range(count):
        if join[first] == GLUED:
            continue
        begin = at[first]
        before = begin - 1
        gap = 0
        while gap < 2 and before >= 0 and classes[before] and not classes[before] & (DIGIT | HAN | LATIN | LETTER):
            before -= 1
            gap += 1
        prefix = 0
        while prefix < _PREFIX and before - prefix >= 0 and classes[before - prefix] & LATIN:
            prefix += 1
        groups = 0
        stop = first + 1
        while stop <= count and groups < MOST_GROUPS and stop - first <= MOST_DIGITS:
            at_border = stop == count or join[stop] != GLUED
            if at_border:
                groups += 1
                size = stop - first
                end = _span_end(at, stop)
                if shapes[0, size]:
                    put(number, begin, end, EXACT, value, first, stop)
                if size >= 6 and (shapes[0, size] or (letters_seen[size] and prefix)):
                    put(number_tail, begin, end, TYPO, value, stop - 5, stop)
                if prefix and letters_seen[size]:
                    for letters in range(1, prefix + 1):
                        if shapes[letters, size]:
                            put_two(
                                number, before - letters + 1, end, EXACT,
                                units, before - letters + 1, before + 1, value, first, stop,
                            )  # fmt: skip
            if stop == count or join[stop] == RUN:
                break
            stop += 1


@compiled
def find_tokens(
    units: NDArray[np.uint16], classes: NDArray[np.uint8], shapes: NDArray[np.bool_], number: Sink, number_tail: Sink
) -> None:
    """Find tokens of letters and digits that are neither words nor plain numbers."""
    size = len(units)
    place = 0
    while place < size:
        if not classes[place] & (DIGIT | LATIN):
            place += 1
            continue
        first = place
        digits = 0
        while place < size and classes[place] & (DIGIT | LATIN):
            if classes[place] & DIGIT:
                digits += 1
            place += 1
        letters = place - first - digits
        if digits == 0 or letters == 0 or place - first > MOST_DIGITS or place - first < 5:
            continue
        leading = first
        while classes[leading] & LATIN:
            leading += 1
        if place - leading == digits and letters <= _PREFIX:
            continue  # letters before digits: found with the digits
        if shapes[letters, digits]:
            put(number, first, place, EXACT, units, first, place)
        if place - first >= 7:
            put(number_tail, place - 5, place, TYPO, units, place - 5, place)


@inner
def is_date(value: NDArray[np.uint16], first: int) -> bool:
    """Tell whether eight digits are a day between 1850 and 2099."""
    year = (
        1000 * (value[first] - _ZERO) + 100 * (value[first + 1] - _ZERO) + 10 * (value[first + 2] - _ZERO)
        + value[first + 3] - _ZERO
    )  # fmt: skip
    month = 10 * (value[first + 4] - _ZERO) + value[first + 5] - _ZERO
    day = 10 * (value[first + 6] - _ZERO) + value[first + 7] - _ZERO
    return 1850 <= year <= 2099 and is_day(year, month, day)


@inner
def is_day(year: int, month: int, day: int) -> bool:
    """Tell whether there is such a day."""
    if month < 1 or month > 12 or day < 1:
        return False
    if month == 2:
        leap = (year % 4 == 0 and year % 100 != 0) or year % 400 == 0
        return day <= (29 if leap else 28)
    return day <= (30 if month in (4, 6, 9, 11) else 31)


@inner
def _weighted(value: NDArray[np.uint16], first: int) -> int:
    """Return the weighted sum of 17 digits."""
    total = 0
    for index in range(17):
        total += _WEIGHTS[index] * (np.int64(value[first + index]) - _ZERO)
    return total


@inner
def _check(value: NDArray[np.uint16], first: int) -> int:
    """Return the check character of 17 digits as a code unit."""
    rest = (12 - _weighted(value, first) % 11) % 11
    return _X if rest == 10 else _ZERO + rest


@inner
def _follows_x(units: NDArray[np.uint16], classes: NDArray[np.uint8], after: int) -> int:
    """Return the unit after an x that closes a number, or -1."""
    for gap in range(3):
        place = after + gap
        if place >= len(units) or classes[place] == 0:
            return -1
        if units[place] == _X:
            ends = place + 1 >= len(units) or not classes[place + 1] & (LATIN | DIGIT)
            return place + 1 if ends else -1
        if classes[place] & (DIGIT | HAN | LATIN | LETTER):
            return -1
    return -1


@compiled
def find_resident_ids(
    units: NDArray[np.uint16], classes: NDArray[np.uint8], digits: Digits,
    resident_id: Sink, id_tail: Sink, id_mask: Sink, birth_date: Sink,
) -> None:  # fmt: skip
    """Find resident IDs anywhere in a run: whole, in 15 digits, with one slip, and what slips leave of them."""
    value, at, join = digits.value, digits.at, digits.join
    count = len(at)
    work = np.empty(20, np.uint16)
    for first in range(count):
        stop = run_end(digits, first, 20)
        size = stop - first
        if size >= 17 and is_date(value, first + 6):
            _whole(units, classes, digits, first, size, resident_id)
            put(birth_date, at[first + 6], at[first + 13] + 1, EXACT, value, first + 6, first + 14)
        if join[first] == GLUED:
            continue
        _parts(units, classes, digits, first, stop, work, resident_id, id_tail, id_mask)


@inner
def run_end(digits: Digits, first: int, most: int) -> int:
    """Return the end of the run that holds `first`, at most so many digits further."""
    at, join = digits.at, digits.join
    stop = first + 1
    while stop < len(at) and stop - first < most and join[stop] != RUN:
        stop += 1
    return stop


@inner
def _whole(
    units: NDArray[np.uint16], classes: NDArray[np.uint8], digits: Digits, first: int, size: int, resident_id: Sink
) -> None:
    """Note an ID whose birth date is a day; its form says whether the check character agrees."""
    value, at = digits.value, digits.at
    wanted = _check(value, first)
    end = at[first + 16] + 1
    form = TYPO
    closed = _follows_x(units, classes, end) if size == 17 else -1
    if closed > 0:
        end = closed
        form = EXACT if wanted == _X else TYPO
    elif size > 17:
        end = at[first + 17] + 1
        form = EXACT if value[first + 17] == wanted else TYPO
    put(resident_id, at[first], end, form, value, first, first + 17)


@inner
def _parts(
    units: NDArray[np.uint16], classes: NDArray[np.uint8], digits: Digits, first: int, stop: int,
    work: NDArray[np.uint16], resident_id: Sink, id_tail: Sink, id_mask: Sink,
) -> None:  # fmt: skip
    """Find, in windows that begin and end with groups, the old form of 15 digits, single slips and both ends."""
    value, at, join = digits.value, digits.at, digits.join
    begin = at[first]
    for last in range(first + 14, stop + 1):
        if last < len(at) and join[last] == GLUED:
            continue
        size = last - first
        end = _span_end(at, last)
        closed = _follows_x(units, classes, end)
        if size == 15 and closed < 0:
            for index in range(6):
                work[index] = value[first + index]
            work[6] = _ONE
            work[7] = _NINE
            for index in range(9):
                work[8 + index] = value[first + 6 + index]
            if is_date(work, 6):
                put(resident_id, begin, end, EXACT, work, 0, 17)
        whole = size + (1 if closed > 0 else 0)
        if 16 <= whole <= 20:
            finish = closed if closed > 0 else end
            tail = 3 if closed > 0 else 4
            for index in range(6):
                work[index] = value[first + index]
            for index in range(tail):
                work[6 + index] = value[last - tail + index]
            if closed > 0:
                work[9] = _X
            put(id_tail, at[last - tail], finish, TYPO, work, 6, 10)
            put_two(id_mask, begin, finish, TYPO, work, 0, 3, work, 6, 10)
        if 17 <= whole <= 19:
            _mended(digits, first, last, closed > 0, work, resident_id)


@inner
def _mended(digits: Digits, first: int, last: int, closed: bool, work: NDArray[np.uint16], resident_id: Sink) -> None:
    """Undo one slip: the check character tells which digit another must have been (ISO 7064).

    A digit changed, two neighbours swapped, one left out or one too many; each place has one answer, which is noted
    when the birth date is a day.
    """
    value, at = digits.value, digits.at
    size = last - first
    whole = size + (1 if closed else 0)
    begin = at[first]
    end = _span_end(at, last)
    shown = np.int64(_X if closed else value[last - 1])
    wanted = (12 - (10 if shown == _X else shown - _ZERO)) % 11
    early, late = is_date(value, first + 5), is_date(value, first + 6)
    if whole == 18:
        total = _weighted(value, first)
        if total % 11 == wanted and late:
            return
        for index in range(17):
            work[index] = value[first + index]
        for index in range(17):
            kept = np.int64(work[index]) - _ZERO
            digit = (kept + (wanted - total) * _INVERSES[index]) % 11
            if digit not in (kept, 10) and (late or 6 <= index < 14):
                work[index] = _ZERO + digit
                if is_date(work, 6):
                    put(resident_id, begin, end, TYPO, work, 0, 17)
                work[index] = _ZERO + kept
            if index == 16:
                return
            other = np.int64(work[index + 1]) - _ZERO
            if (total + (_WEIGHTS[index] - _WEIGHTS[index + 1]) * (other - kept) - wanted) % 11 == 0 and other != kept:
                work[index] = _ZERO + other
                work[index + 1] = _ZERO + kept
                if is_date(work, 6):
                    put(resident_id, begin, end, TYPO, work, 0, 17)
                work[index] = _ZERO + kept
                work[index + 1] = _ZERO + other
    elif whole == 17:
        total = 0
        for index in range(16):
            total += _WEIGHTS[index + 1] * (np.int64(value[first + index]) - _ZERO)
        for hole in range(17):
            digit = (wanted - total) * _INVERSES[hole] % 11
            if digit != 10 and ((early and hole < 6) or 6 <= hole < 14 or (late and hole >= 14)):
                for index in range(hole):
                    work[index] = value[first + index]
                work[hole] = _ZERO + digit
                for index in range(hole, 16):
                    work[index + 1] = value[first + index]
                if is_date(work, 6):
                    put(resident_id, begin, end, TYPO, work, 0, 17)
            if hole < 16:
                total += (_WEIGHTS[hole] - _WEIGHTS[hole + 1]) * (np.int64(value[first + hole]) - _ZERO)
    else:
        total = _weighted(value, first + 1)
        for extra in range(18):
            if total % 11 == wanted:
                for index in range(17):
                    work[index] = value[first + index + (1 if index >= extra else 0)]
                if is_date(work, 6):
                    put(resident_id, begin, end, TYPO, work, 0, 17)
            if extra < 17:
                total += _WEIGHTS[extra] * (np.int64(value[first + extra]) - np.int64(value[first + extra + 1]))


@compiled
def find_phones(
    units: NDArray[np.uint16], classes: NDArray[np.uint8], digits: Digits, sizes: NDArray[np.bool_],
    phone: Sink, phone_head: Sink, phone_tail: Sink, phone_mask: Sink,
) -> None:  # fmt: skip
    """Find telephone numbers in national form, and the beginnings of numbers that may be slips.

    `sizes[digits]` says which lengths of national numbers are enrolled at all.
    """
    value, at, join = digits.value, digits.at, digits.join
    count = len(at)
    for first in range(count):
        if join[first] == GLUED:
            continue
        plus = _has_plus(units, at[first])
        stop = first + 1
        groups = 0
        while stop <= count and stop - first <= 17 and groups < MOST_GROUPS:
            if stop == count or join[stop] != GLUED:
                groups += 1
                if stop - first >= SHORTEST_PHONE:
                    form = TYPO if _is_part(units, digits, first, stop) else EXACT
                    _nationals(digits, first, stop, plus, form, sizes, phone)
                if 10 <= stop - first <= 13 and (plus or _near_size(sizes, stop - first)):
                    put(phone_tail, at[first], at[stop - 1] + 1, TYPO, value, stop - 4, stop)
                if 10 <= stop - first <= 12 and not plus and _near_size(sizes, stop - first):
                    head = 7 if value[first] == _ONE else stop - first - 4
                    put(phone_head, at[first], at[stop - 1] + 1, TYPO, value, first, first + head)
                    put_two(
                        phone_mask, at[first], at[stop - 1] + 1, TYPO,
                        value, first, first + 3, value, stop - 4, stop,
                    )  # fmt: skip
            if stop == count or join[stop] == RUN:
                break
            stop += 1


@inner
def _near_size(sizes: NDArray[np.bool_], size: int) -> bool:
    """Tell whether numbers of this length, or of one digit more or less, are enrolled."""
    return bool(sizes[size] or sizes[size - 1] or (size + 1 < len(sizes) and sizes[size + 1]))


@inner
def _has_plus(units: NDArray[np.uint16], begin: int) -> bool:
    """Tell whether a plus sign stands before a number, behind at most some signs."""
    for back in range(1, 4):
        place = begin - back
        if place < 0:
            return False
        if units[place] == 0x2B:
            return True
        if units[place] not in (0x20, 0x28, 0x2D, 0x2E):
            return False
    return False


@inner
def _is_part(units: NDArray[np.uint16], digits: Digits, first: int, stop: int) -> bool:
    """Tell whether short groups beside a window belong to the same number: then the window is a part of it."""
    at, join = digits.at, digits.join
    if first and join[first] == GROUP and _binds(units, at[first - 1] + 1, at[first]):
        before = first - 1
        while before > 0 and join[before] == GLUED:
            before -= 1
        if first - before <= SHORT_GROUP:
            return True
    if stop < len(at) and join[stop] == GROUP and _binds(units, at[stop - 1] + 1, at[stop]):
        after = stop + 1
        while after < len(at) and join[after] == GLUED:
            after += 1
        return after - stop <= SHORT_GROUP
    return False


@inner
def _binds(units: NDArray[np.uint16], first: int, last: int) -> bool:
    """Tell whether the signs between two groups are those that stand within numbers."""
    for place in range(first, last):
        if units[place] not in (0x20, 0x2D, 0x2E, 0x28, 0x29):
            return False
    return last - first <= 2


@inner
def _nationals(
    digits: Digits, first: int, stop: int, plus: bool, form: int, sizes: NDArray[np.bool_], phone: Sink
) -> None:
    """Note the national numbers that digits as written may stand for: with and without country code and trunk 0."""
    value, at = digits.value, digits.at
    begin = at[first]
    end = at[stop - 1] + 1
    bare = first
    while bare < stop and value[bare] == _ZERO:
        bare += 1
    zeros = bare - first
    if zeros > 3:
        return
    size = stop - bare
    if SHORTEST_PHONE <= size <= 14 and sizes[size]:
        put(phone, begin, end, TYPO if plus else form, value, bare, stop)
    international = plus or zeros == 2
    china = size > 8 and value[bare] == 0x38 and value[bare + 1] == 0x36
    # 1-555… with its 1 apart; in one run it is a Chinese mobile number as well, unless a 2 follows
    america = size == 11 and value[bare] == _ONE and (digits.join[bare + 1] != GLUED or value[bare + 1] == 0x32)
    if not (international or china or america):
        return
    number = 0
    for code in range(1, 4):
        if bare + code >= stop:
            break
        number = 10 * number + value[bare + code - 1] - _ZERO
        if not COUNTRIES[number] or not (international or (china and code == 2) or (america and code == 1)):
            continue
        rest = bare + code
        while rest < stop and value[rest] == _ZERO:
            rest += 1
        size = stop - rest
        if SHORTEST_PHONE <= size <= 14 and sizes[size]:
            put(phone, begin, end, form, value, rest, stop)


@compiled
def find_cut_numbers(
    digits: Digits, starts: NDArray[np.int64], ends: NDArray[np.int64],
    phone_tail: Sink, id_tail: Sink, number_tail: Sink,
) -> None:  # fmt: skip
    """Find, in posts that may be parts of a thread, the end of a number that was cut: digits at a post's beginning.

    `starts` and `ends` are the units of each post.
    """
    for post in range(len(starts)):
        first = np.searchsorted(digits.at, starts[post])
        last = np.searchsorted(digits.at, ends[post])
        if first == last:
            continue
        if digits.at[first] - starts[post] <= CUT_REACH:
            stop = first + 1
            while stop < last and digits.join[stop] != RUN and stop - first < 14:
                stop += 1
            begin, end = digits.at[first], digits.at[stop - 1] + 1
            if stop - first >= 4:
                put(phone_tail, begin, end, TYPO, digits.value, stop - 4, stop)
                put(id_tail, begin, end, TYPO, digits.value, stop - 4, stop)
            if stop - first >= 5:
                put(number_tail, begin, end, TYPO, digits.value, stop - 5, stop)
