"""E-mail addresses, also as people hide them: name (at) host [dot] org, name at host dot org."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from matchers.canonical import DIGIT, HAN, LATIN, LETTER, LINEBREAK
from matchers.compiled import compiled, inner
from matchers.scanners.sink import EXACT, LONGEST, Sink, put

_AT, _DOT, _SPACE = 0x40, 0x2E, 0x20
_A, _T, _D, _O = 0x61, 0x74, 0x64, 0x6F
_POINT: Final = 0x70B9
_LABELS: Final = np.array([ord(letter) for letter in "email"], np.uint16)


@inner
def _is_local(units: NDArray[np.uint16], classes: NDArray[np.uint8], place: int) -> bool:
    return classes[place] & (LATIN | DIGIT) != 0 or units[place] in (0x5F, 0x2B, 0x25, 0x2D)


@inner
def _is_bracket(unit: int) -> bool:
    return unit in (0x28, 0x29, 0x5B, 0x5D, 0x7B, 0x7D, 0x3C, 0x3E, 0x23)


@inner
def _at_before(units: NDArray[np.uint16], classes: NDArray[np.uint8], place: int) -> tuple[int, int, bool]:
    """Return begin and end of the sign "at" whose t or @ stands at `place`, and whether it stands for itself."""
    size = len(units)
    first, last = place, place + 1
    if units[place] == _AT:
        if first > 0 and _is_bracket(units[first - 1]) and last < size and _is_bracket(units[last]):
            first -= 1
            last += 1
        while first > 0 and units[first - 1] == _SPACE and place - first < 3:
            first -= 1
        while last < size and units[last] == _SPACE and last - place < 4:
            last += 1
        return first, last, True
    if not (units[place] == _T and place > 0 and units[place - 1] == _A):
        return 0, 0, False
    first = place - 1
    blanks = 0
    while first > 0 and units[first - 1] == _SPACE and blanks < 2:
        first -= 1
        blanks += 1
    bracketed = first > 0 and _is_bracket(units[first - 1])
    spaced = blanks > 0
    while first > 0 and (_is_bracket(units[first - 1]) or units[first - 1] == _SPACE) and place - first < 6:
        first -= 1
    while last < size and (_is_bracket(units[last]) or units[last] == _SPACE) and last - place < 6:
        last += 1
    if not (bracketed or spaced) or last == place + 1:
        return 0, 0, False
    return first, last, bracketed


@inner
def _dot_after(units: NDArray[np.uint16], classes: NDArray[np.uint8], place: int) -> int:
    """Return the unit after the sign "dot" that begins at `place`, or `place` if none does."""
    size = len(units)
    here = place
    open_sign = False
    while here < size and here - place < 4 and (units[here] == _SPACE or _is_bracket(units[here])):
        open_sign = True
        here += 1
    if here >= size:
        return place
    if units[here] == _DOT or units[here] == _POINT:
        here += 1
    elif (
        here + 3 < size
        and open_sign
        and units[here] == _D
        and units[here + 1] == _O
        and units[here + 2] == _T
        and not classes[here + 3] & LATIN
    ):
        here += 3
    else:
        return place
    while here < size and open_sign and here - place < 10 and (units[here] == _SPACE or _is_bracket(units[here])):
        here += 1
    return here


@inner
def _dot_before(units: NDArray[np.uint16], classes: NDArray[np.uint8], place: int) -> int:
    """Return where the sign "dot" that ends before `place` begins, or `place` if none does."""
    here = place
    open_sign = False
    while here > 0 and place - here < 4 and (units[here - 1] == _SPACE or _is_bracket(units[here - 1])):
        open_sign = True
        here -= 1
    if here > 0 and units[here - 1] == _DOT:
        return here - 1
    if (
        open_sign
        and here > 3
        and units[here - 1] == _T
        and units[here - 2] == _O
        and units[here - 3] == _D
        and not classes[here - 4] & LATIN
    ):
        here -= 3
        while here > 0 and place - here < 10 and (units[here - 1] == _SPACE or _is_bracket(units[here - 1])):
            here -= 1
        return here
    return place


@compiled
def find_emails(units: NDArray[np.uint16], classes: NDArray[np.uint8], email: Sink) -> None:
    """Find addresses; a label glued to one ("email…") is tried without, a wrapped one is joined."""
    size = len(units)
    work = np.empty(2 * LONGEST, np.uint16)
    reverse = np.empty(LONGEST, np.uint16)
    for place in range(1, size - 1):
        if units[place] != _AT and units[place] != _T:
            continue
        first, last, plain = _at_before(units, classes, place)
        if last == 0 or first == 0 or last >= size:
            continue
        end, filled, dots, spelt = _domain(units, classes, last, work)
        if dots == 0 or not (plain or spelt):
            continue
        start = first
        count = 0
        while start > 0 and count < 64:
            if _is_local(units, classes, start - 1):
                if units[start - 1] == 0x2D and units[start] == 0x2D:
                    break  # a long dash before the address
                start -= 1
                reverse[count] = units[start]
                count += 1
                continue
            before = _dot_before(units, classes, start)
            if before in (start, 0) or not _is_local(units, classes, before - 1) or count == 0:
                break
            start = before
            reverse[count] = _DOT
            count += 1
        while count and (reverse[count - 1] == _DOT or reverse[count - 1] == 0x2D):
            count -= 1
        if count == 0 or count + 1 + filled > LONGEST:
            continue
        _note(reverse, count, work, filled, start, end, email)
        _joined_over_break(units, classes, reverse, count, work, filled, start, end, email)


@inner
def _domain(
    units: NDArray[np.uint16], classes: NDArray[np.uint8], first: int, work: NDArray[np.uint16]
) -> tuple[int, int, int, bool]:
    """Write the domain that begins at `first`; return its end, its units, its dots, and whether a dot was spelt."""
    size = len(units)
    place = first
    filled = dots = 0
    spelt = False
    end = first
    while place < size and filled < LONGEST - 2:
        if classes[place] & (LATIN | DIGIT) or units[place] == 0x2D:
            work[filled] = units[place]
            filled += 1
            place += 1
            end = place
            continue
        after = _dot_after(units, classes, place)
        if after == place or after >= size or not classes[after] & (LATIN | DIGIT) or filled == 0:
            break
        spelt = spelt or after > place + 1
        work[filled] = _DOT
        filled += 1
        dots += 1
        place = after
    while filled and work[filled - 1] == 0x2D:
        filled -= 1
        end -= 1
    return end, filled, dots, spelt


@inner
def _note(
    reverse: NDArray[np.uint16], count: int, work: NDArray[np.uint16], filled: int, start: int, end: int, email: Sink
) -> None:
    """Note local part (given backwards) and domain, also without a label in front."""
    whole = np.empty(2 * LONGEST, np.uint16)
    for index in range(count):
        whole[index] = reverse[count - 1 - index]
    whole[count] = _AT
    for index in range(filled):
        whole[count + 1 + index] = work[index]
    total = count + 1 + filled
    put(email, start, end, EXACT, whole, 0, total)
    for label in range(2):  # "email", then "mail"
        skip = 5 - label
        if count > skip + 3:
            same = True
            for index in range(skip):
                same = same and whole[index] == _LABELS[label + index]
            if same:
                put(email, start + skip, end, EXACT, whole, skip, total)
                break


@inner
def _joined_over_break(
    units: NDArray[np.uint16], classes: NDArray[np.uint8], reverse: NDArray[np.uint16], count: int,
    work: NDArray[np.uint16], filled: int, start: int, end: int, email: Sink,
) -> None:  # fmt: skip
    """Note an address whose local part was wrapped: what stands before a line break and its quotation marks."""
    place = start
    while place > 0 and start - place < 5 and not classes[place - 1] & (LATIN | DIGIT | HAN | LETTER | LINEBREAK):
        if classes[place - 1] == 0:
            return
        place -= 1
    if place == 0 or not classes[place - 1] & LINEBREAK:
        return
    place -= 1
    total = count
    while place > 0 and total < 64 and (_is_local(units, classes, place - 1) or units[place - 1] == _DOT):
        place -= 1
        reverse[total] = units[place]
        total += 1
    if total > count and total + 1 + filled <= LONGEST:
        _note(reverse, total, work, filled, place, end, email)
