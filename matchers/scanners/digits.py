"""Digits in the order in which they stand, with the borders of groups remembered: "138 0013-8000" is one run of three.

Two readings. The plain one takes 0-9. The disguised one takes also Han numerals, letters that look like digits, and
digits with tags between them; of it only runs are kept that hold such a disguise, so that nothing is found twice.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from matchers.canonical import DIGIT, HAN, LATIN, LETTER, MASK
from matchers.compiled import compiled, inner

GLUED: Final = 0
"""The digit follows another without anything between."""
GROUP: Final = 1
"""It begins a group of a run."""
RUN: Final = 2
"""It begins a run."""
WIDEST_GAP: Final = 4
"""Signs between two digits of one run."""
LONGEST_TAG: Final = 80
"""Units of a tag that is looked over."""
FEWEST_DISGUISED: Final = 5
"""Digits of a run in disguise; fewer are words."""
ZERO: Final = 0x30
_WORD: Final = DIGIT | HAN | LATIN | LETTER | MASK
_UNDIGIT: Final = 255


class Digits(NamedTuple):
    """A reading of a batch."""

    value: NDArray[np.uint16]
    """The digit as a code unit, 0x30 to 0x39."""
    at: NDArray[np.int32]
    """Unit where it stands."""
    join: NDArray[np.uint8]
    """GLUED, GROUP or RUN."""


def plain(units: NDArray[np.uint16], classes: NDArray[np.uint8]) -> Digits:
    """Return the digits 0-9 of a batch."""
    at = np.flatnonzero(classes == DIGIT).astype(np.int32)
    join = np.empty(len(at), np.uint8)
    _join(classes, at, join)
    return Digits(units.take(at), at, join)


def disguised(units: NDArray[np.uint16], classes: NDArray[np.uint8], soft: NDArray[np.uint8]) -> Digits:
    """Return the runs that hold digits in disguise; `soft` gives for each unit its value as a digit, or 255."""
    room = len(units) + 1
    value, at, join = np.empty(room, np.uint16), np.empty(room, np.int32), np.empty(room, np.uint8)
    count = _disguised(units, classes, soft, value, at, join)
    return Digits(value[:count], at[:count], join[:count])


@compiled
def _join(classes: NDArray[np.uint8], at: NDArray[np.int32], join: NDArray[np.uint8]) -> None:
    previous = -WIDEST_GAP - 2
    for index in range(len(at)):
        here = at[index]
        gap = here - previous - 1
        if gap == 0:
            join[index] = GLUED
        elif gap > WIDEST_GAP:
            join[index] = RUN
        else:
            join[index] = GROUP
            stars = 0
            for place in range(previous + 1, here):
                if classes[place] == MASK:
                    stars += 1
                if classes[place] == 0 or (classes[place] & _WORD and classes[place] != MASK) or stars > 1:
                    join[index] = RUN
                    break
        previous = here


@inner
def _tag_end(units: NDArray[np.uint16], classes: NDArray[np.uint8], start: int) -> int:
    """Return the unit after the tag that begins at `start`, or `start` if none does."""
    stop = min(len(units), start + LONGEST_TAG)
    if start + 2 >= stop or not (units[start + 1] == 0x2F or classes[start + 1] & LATIN):
        return start
    for place in range(start + 1, stop):
        if units[place] == 0x3E:
            return place + 1
        if units[place] == 0x3C or classes[place] == 0:
            return start
    return start


@inner
def _is_soft_letter(
    units: NDArray[np.uint16], classes: NDArray[np.uint8], soft: NDArray[np.uint8], place: int, last: int
) -> bool:
    """Tell whether a letter or sign counts as a digit: it touches one, and nothing but such stands beside it."""
    if soft[units[place]] == _UNDIGIT:
        return False
    if last == place - 1:
        return True
    following = place + 1
    while following < len(units) and soft[units[following]] != _UNDIGIT:
        if classes[following] & DIGIT:
            return place == 0 or not classes[place - 1] & (LATIN | LETTER)
        following += 1
    return False


@compiled
def _disguised(
    units: NDArray[np.uint16], classes: NDArray[np.uint8], soft: NDArray[np.uint8],
    value: NDArray[np.uint16], at: NDArray[np.int32], join: NDArray[np.uint8],
) -> int:  # fmt: skip
    count = 0
    begin = 0
    hard = han = letters = tags = 0
    last = -WIDEST_GAP - 2
    gap = 0
    tagged = False
    broken = True
    place = 0
    size = len(units)
    while place <= size:
        kind = classes[place] if place < size else np.uint8(0)
        taken = False
        if kind & DIGIT:
            taken = True
        elif kind & HAN:
            taken = soft[units[place]] != _UNDIGIT
        elif kind and (kind & LATIN or kind & LETTER or units[place] in (0x26, 0x7C, 0x21)):
            taken = _is_soft_letter(units, classes, soft, place, last)
        if taken:
            if broken or gap > WIDEST_GAP:
                # the run before ends here
                if not (count - begin >= FEWEST_DISGUISED and han + letters + tags > 0 and letters <= hard + han):
                    count = begin
                begin = count
                hard = han = letters = tags = 0
                tagged = False
            value[count] = ZERO + soft[units[place]]
            at[count] = place
            join[count] = RUN if count == begin else (GLUED if gap == 0 else GROUP)
            count += 1
            if kind & DIGIT:
                hard += 1
            elif kind & HAN:
                han += 1
            else:
                letters += 1
            if tagged:
                tags += 1
            tagged = False
            broken = False
            gap = 0
            last = place
            place += 1
            continue
        if place < size and units[place] == 0x3C and not broken:
            after = _tag_end(units, classes, place)
            if after > place:
                gap += 1
                tagged = True
                place = after
                continue
        if kind == 0 or kind & _WORD:
            broken = True
        gap += 1
        place += 1
    if not (count - begin >= FEWEST_DISGUISED and han + letters + tags > 0 and letters <= hard + han):
        count = begin
    return count
