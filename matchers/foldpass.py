"""The one pass that folds text, compiled: code points in; units, origins and classes out."""

import numpy as np
from numpy.typing import NDArray

from matchers.characters import DIGIT, LATIN, LETTER
from matchers.compiled import compiled
from matchers.foldtables import BEYOND, DROPPED, FOREIGN, GROWS, LAST_PLANES, PAIR, PLAIN

# The compiled code is kept beside this file, and these numbers are frozen into it: they never change their meaning.
_WORD = DIGIT | LATIN | LETTER
_INVISIBLE = (0xE0000, 0xE1000)


@compiled
def fold_pass(  # noqa: C901, PLR0912, PLR0915  one loop: its state is what a split would have to hand about
    codes: NDArray[np.uint32], ends: NDArray[np.int64], entry: NDArray[np.uint32], extra: NDArray[np.uint16],
    units: NDArray[np.uint16], origin: NDArray[np.int32], classes: NDArray[np.uint8], pending: NDArray[np.uint16],
    starts: NDArray[np.int64], written: int, closing: bool,
) -> int:  # fmt: skip
    """Fold texts that end at `ends` of `codes`, with one unit 0 between them and, if `closing`, behind the last.

    Writes from index `written` on and returns the index behind the last unit; -1 when there is too little room.
    `starts` gets where each text begins; `entry` and `extra` are those of `foldtables.table`. From the first unit of
    a token that may be read by its look, every unit of it notes its looks in `pending`; at the end of the token
    `_settle` decides. No unit is looked at more than three times.
    """
    size, first = len(units), 0
    for text in range(len(ends)):
        end = ends[text]
        if written + end - first + 1 > size:
            return -1
        begin = starts[text] = written
        opened, found = -1, 0
        index = first - 1
        while index + 1 < end:
            index += 1
            if opened < 0:
                plain = _plain(
                    codes[index:end], entry, units[written:], origin[written:], classes[written:], index - first
                )
                written += plain
                index += plain
                if index == end:
                    break
            code = codes[index]
            answer = entry[code] if code < LAST_PLANES else np.uint32(PAIR << 24)
            kind = answer >> 24
            if kind in (PLAIN, FOREIGN):
                flags = int((answer >> 16) & 0xFF)
                units[written], classes[written], origin[written] = answer & 0xFFFF, flags, index - first
                if kind == FOREIGN:
                    if opened < 0:
                        opened, found = _opened(classes, pending, begin, written)
                    pending[written] = extra[code]
                    found |= flags << 8
                elif flags & _WORD:
                    pending[written] = 0
                    found |= flags
                else:
                    _settle(units, classes, pending, opened, written, found)
                    opened = -1
                written += 1
            elif kind != DROPPED and not (kind == PAIR and _INVISIBLE[0] <= code < _INVISIBLE[1]):
                more = (answer >> 16) & 0xFF if kind == GROWS else 2
                if written + more + end - index > size:
                    return -1
                for part in range(more):
                    if kind == GROWS:
                        unit = extra[LAST_PLANES + (answer & 0xFFFF) + part]
                    else:
                        unit = 0xDC00 + ((code - BEYOND) & 0x3FF) if part else 0xD800 + ((code - BEYOND) >> 10)
                    lower = unit & 0xFC00 == 0xDC00
                    flags = classes[written - 1] if lower else (entry[unit] >> 16) & 0xFF
                    units[written], classes[written], origin[written] = unit, flags, index - first
                    look = extra[unit] if flags & _WORD else 0
                    if look and opened < 0:
                        opened, found = _opened(classes, pending, begin, written)
                    if opened >= 0:
                        if flags & _WORD:
                            pending[written] = look
                            found |= flags << 8 if look else flags
                        else:
                            _settle(units, classes, pending, opened, written, found)
                            opened = -1
                    written += 1
        if opened >= 0:
            _settle(units, classes, pending, opened, written, found)
        if closing or text < len(ends) - 1:
            units[written], classes[written], origin[written] = 0, 0, end - first
            written += 1
        first = end
    return written


@compiled
def _plain(
    codes: NDArray[np.uint32], entry: NDArray[np.uint32], units: NDArray[np.uint16], origin: NDArray[np.int32],
    classes: NDArray[np.uint8], place: int,
) -> int:  # fmt: skip
    """Fold up to the first character that is not PLAIN; return how many there were. Most text goes through here."""
    for index in range(len(codes)):
        code = codes[index]
        if code >= LAST_PLANES:
            return index
        answer = entry[code]
        if answer >> 24 != PLAIN:
            return index
        units[index], classes[index], origin[index] = answer & 0xFFFF, (answer >> 16) & 0xFF, place + index
    return len(codes)


@compiled
def _opened(classes: NDArray[np.uint8], pending: NDArray[np.uint16], begin: int, place: int) -> tuple[int, int]:
    """Return where the token begins that runs up to `place`, and the classes in it; they have no looks."""
    found = 0
    while place > begin and classes[place - 1] & _WORD:
        place -= 1
        pending[place] = 0
        found |= classes[place]
    return place, found


@compiled
def _settle(
    units: NDArray[np.uint16], classes: NDArray[np.uint8], pending: NDArray[np.uint16], begin: int, end: int, found: int
) -> None:
    """Read the letters and digits of one token by their look, in place, where the rule of `canonical` says so.

    `found` holds the classes in the token of units without looks, and of those with looks << 8.
    """
    latin, digit, plain = found & LATIN, (found | found >> 8) & DIGIT, found & DIGIT
    folds = latin or (digit and not found & LETTER)
    if not (latin or digit):
        return
    for place in range(begin, end):
        look = pending[place]
        letter, numeral = look & 0xFF, look >> 8
        if look == 0:
            continue
        if classes[place] == DIGIT:
            if plain:
                units[place] = numeral
            elif latin and letter:
                units[place], classes[place] = letter, LATIN
        elif folds and digit and numeral:
            units[place], classes[place] = numeral, DIGIT
        elif folds and letter:
            units[place], classes[place] = letter, LATIN


@compiled
def grown(codes: NDArray[np.uint32], entry: NDArray[np.uint32]) -> int:
    """Return a number of units that is enough for the answer to these code points, borders excepted."""
    total = 0
    for code in codes:
        answer = entry[code] if code < LAST_PLANES else np.uint32(PAIR << 24)
        kind = answer >> 24
        total += int((answer >> 16) & 0xFF) if kind == GROWS else (2 if kind == PAIR else 1)
    return total
