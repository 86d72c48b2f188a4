"""The last digits of a number as people state them: 尾号1234, 后四位 1234, phone ending 1234, last four: 1234."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from matchers.canonical import DIGIT
from matchers.compiled import compiled, inner
from matchers.scanners.digits import GLUED, Digits
from matchers.scanners.sink import MASKED, Sink, put

_WORDS: Final = (
    "尾号", "尾数", "后四位", "末四位", "后4位", "末4位", "后几位",
    "ending", "ends in", "ends with", "last four", "last 4", "last digits", "final four", "final 4",
)  # fmt: skip
LONGEST: Final = 12
"""Units of the longest of these words."""
_TABLE: Final = np.zeros((len(_WORDS), LONGEST), np.uint16)
for _row, _word in enumerate(_WORDS):
    _TABLE[_row, : len(_word)] = [ord(character) for character in _word]
AREA: Final = 6
"""Digits of the area at the beginning of a resident ID."""
_DOT, _HEAD = 0x2E, 0x5934
_BEGINS: Final = (0x5F00, 0x6253)
REACH: Final = 16
"""Units between such a word and the digits."""


@compiled
def find_stated(
    units: NDArray[np.uint16], classes: NDArray[np.uint8], digits: Digits,
    phone_tail: Sink, id_tail: Sink, number_tail: Sink, id_area: Sink,
) -> None:  # fmt: skip
    """Find four or five digits behind a word that says what they are, and six with a sign that more follow."""
    count = len(digits.at)
    for first in range(count):
        if digits.join[first] == GLUED:
            continue
        stop = first + 1
        while stop < count and digits.join[stop] == GLUED:
            stop += 1
        if stop - first == AREA and _goes_on(units, digits.at[stop - 1] + 1):
            put(id_area, digits.at[first], digits.at[stop - 1] + 1, MASKED, digits.value, first, stop)
        if not 4 <= stop - first <= 5 or not _said_before(units, classes, digits.at[first]):
            continue
        begin, end = digits.at[first], digits.at[stop - 1] + 1
        put(phone_tail, begin, end, MASKED, digits.value, stop - 4, stop)
        put(id_tail, begin, end, MASKED, digits.value, stop - 4, stop)
        if stop - first == 5:
            put(number_tail, begin, end, MASKED, digits.value, first, stop)


@inner
def _goes_on(units: NDArray[np.uint16], end: int) -> bool:
    """Tell whether dots or 开头 stand behind a number."""
    if end >= len(units):
        return False
    return bool(units[end] == _DOT or (end + 1 < len(units) and units[end] in _BEGINS and units[end + 1] == _HEAD))


@inner
def _said_before(units: NDArray[np.uint16], classes: NDArray[np.uint8], begin: int) -> bool:
    """Tell whether one of the words ends within reach before a unit, in the same text."""
    for end in range(begin, max(0, begin - REACH), -1):
        if end < begin and (classes[end] == 0 or classes[end] & DIGIT):
            return False
        for row in range(len(_TABLE)):
            size = LONGEST
            while size and _TABLE[row, size - 1] == 0:
                size -= 1
            if end < size or units[end - 1] != _TABLE[row, size - 1]:
                continue
            same = True
            for index in range(size):
                same = same and units[end - size + index] == _TABLE[row, index]
            if same:
                return True
    return False
