"""Windows of code units as blocks of 16 bytes, and winnowing, compiled: the loops around the block cipher."""

import numpy as np
from numpy.typing import NDArray

from matchers.compiled import compiled

BLOCK = 16
"""Bytes of one block."""
# The compiled code is kept beside this file, and these numbers are frozen into it.
_HIGH_BYTES = np.uint64(0xFF00FF00FF00FF00)
_PAIRS = np.uint64(0x0000FFFF0000FFFF)
_QUAD = np.uint64(0xFFFFFFFF)
_ONES = np.uint64(0x0001000100010001)
_SIGNS = np.uint64(0x8000800080008000)
_NOTHING, _1, _2, _3, _4 = (np.uint64(number) for number in range(5))
_8, _12, _16, _32, _64 = (np.uint64(number) for number in (8, 12, 16, 32, 64))
_MASKS = np.frombuffer(b"".join(b"\xff\xff" * size + b"\0\0" * (BLOCK - size) for size in range(BLOCK + 1)), np.uint64)
"""For each number of units the masks that keep so many of four words."""
_FILL = ~_MASKS & _ONES
"""The same with a 1 in every lane behind the window, which is neither empty nor wide."""
_BORDER = np.uint16(0xFFFF)
"""What unit 0 counts as within a window: 0 pads a block, and canonical text never holds U+FFFF."""


def words_of(units: NDArray[np.uint16]) -> NDArray[np.uint64]:
    """Return the overlapping words of four units that start at every unit, without copying and not to be written.

    Of fewer than five units, which are read one by one, the words are of a longer copy: a view of one word has another
    type, for which everything would be compiled once more.
    """
    if len(units) < 5:
        units = np.concatenate([units, np.zeros(5, np.uint16)])
    words: NDArray[np.uint64] = np.ndarray((len(units) - 3,), np.uint64, units, 0, (2,))
    words.flags.writeable = False
    return words


@compiled
def pack(
    words: NDArray[np.uint64], units: NDArray[np.uint16], starts: NDArray[np.int64], lengths: NDArray[np.int64],
    blocks: NDArray[np.uint64], places: NDArray[np.int64], others: NDArray[np.int64],
) -> tuple[int, int, int]:  # fmt: skip
    """Pack each window that fits one block; return how many are narrow, wide and longer, or -1 if one lies outside.

    Narrow windows (all units below 256, one byte each) fill `blocks` from the front and wide ones (two bytes each)
    from the back, and `places` in the same way with which window it is. `others` gets the windows that need more
    blocks. `lengths` holds one number for all windows or one for each.
    """
    narrow, wide, more, size = _NOTHING, _NOTHING, _NOTHING, np.uint64(len(starts))
    inner, single, length = len(units) - BLOCK, len(lengths) == 1, lengths[0]
    for window in range(len(starts)):
        begin = starts[window]
        if not single:
            length = lengths[window]
        if begin < 0 or length < 1 or begin + length > len(units):
            return -1, -1, -1
        if length > BLOCK:
            others[more] = window
            more += _1
            continue
        if begin <= inner:
            at, mask = np.uint64(begin), _4 * np.uint64(length)
            first, second = words[at] & _MASKS[mask], words[at + _4] & _MASKS[mask + _1]
            third, fourth = words[at + _8] & _MASKS[mask + _2], words[at + _12] & _MASKS[mask + _3]
            marks = _marks(first | _FILL[mask]) | _marks(second | _FILL[mask + _1])
            marks |= _marks(third | _FILL[mask + _2]) | _marks(fourth | _FILL[mask + _3])
            broad = marks & _HIGH_BYTES != _NOTHING
            if broad:
                low, high = first, second
                if _empty(first | _FILL[mask]) | _empty(second | _FILL[mask + _1]):
                    low, high = _slow(units, begin, length, True)
            else:
                low = _squeezed(first) | _squeezed(second) << _32
                high = _squeezed(third) | _squeezed(fourth) << _32
        else:
            broad = is_wide(words, units, begin, length)
            low, high = _slow(units, begin, length, broad)
        if not broad:
            blocks[_2 * narrow], blocks[_2 * narrow + _1], places[narrow] = low, high, window
            narrow += _1
        elif length > BLOCK // 2:
            others[more] = window
            more += _1
        else:
            wide += _1
            place = size - wide
            blocks[_2 * place], blocks[_2 * place + _1], places[place] = low, high, window
    # numba adds nothing without a sign to what has one; to the interpreter they are integers.
    return np.int64(narrow), np.int64(wide), np.int64(more)  # type: ignore[return-value]


@compiled
def longer(
    words: NDArray[np.uint64], units: NDArray[np.uint16], starts: NDArray[np.int64], lengths: NDArray[np.int64],
    others: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:  # fmt: skip
    """Return the windows `others` in order of their number of blocks, narrow before wide, and the groups of a kind.

    Of each group twice the number of blocks, plus 1 if wide; and where it ends.
    """
    codes = np.empty(len(others), np.int64)
    single, length, most = len(lengths) == 1, lengths[0], 0
    for index in range(len(others)):
        window = np.uint64(others[index])
        if not single:
            length = lengths[window]
        broad = is_wide(words, units, starts[window], length)
        codes[index] = 2 * ((length * (2 if broad else 1) + BLOCK - 1) >> 4) + (1 if broad else 0)
        most = max(most, codes[index])
    counts = np.zeros(most + 2, np.int64)
    for code in codes:
        counts[np.uint64(code + 1)] += 1
    kinds = np.flatnonzero(counts) - 1
    ends = np.cumsum(counts)
    chosen = np.empty(len(others), np.int64)
    for index in range(len(others)):
        group = np.uint64(codes[index])
        chosen[np.uint64(ends[group])] = others[index]
        ends[group] += 1
    return chosen, kinds, ends[kinds]


@compiled
def pack_block(
    words: NDArray[np.uint64], units: NDArray[np.uint16], starts: NDArray[np.int64], lengths: NDArray[np.int64],
    wide: bool, block: int, chain: NDArray[np.uint64], blocks: NDArray[np.uint64],
) -> None:  # fmt: skip
    """Pack one block of every window, all of one width and number of blocks, and mix in the chain so far."""
    step = BLOCK // 2 if wide else BLOCK
    inner, single, length = len(units) - BLOCK, len(lengths) == 1, lengths[0]
    for window in range(len(starts)):
        if not single:
            length = lengths[window]
        rest, begin = min(length - block * step, step), starts[window] + block * step
        at, mask, place = np.uint64(begin), _4 * np.uint64(rest), _2 * np.uint64(window)
        if begin > inner:
            low, high = _slow(units, begin, rest, wide)
        elif wide:
            low, high = words[at] & _MASKS[mask], words[at + _4] & _MASKS[mask + _1]
            if _empty(low | _FILL[mask]) | _empty(high | _FILL[mask + _1]):
                low, high = _slow(units, begin, rest, True)
        else:
            low = _squeezed(words[at] & _MASKS[mask]) | _squeezed(words[at + _4] & _MASKS[mask + _1]) << _32
            high = _squeezed(words[at + _8] & _MASKS[mask + _2]) | _squeezed(words[at + _12] & _MASKS[mask + _3]) << _32
        if block:
            low ^= chain[place]
            high ^= chain[place + _1]
        blocks[place], blocks[place + _1] = low, high


@compiled
def scatter(cipher: NDArray[np.uint64], places: NDArray[np.int64], stride: int, out: NDArray[np.uint64]) -> None:
    """Put the first `stride` words of each block of the cipher where it belongs."""
    for index in range(len(places)):
        place, source = np.uint64(places[index]), _2 * np.uint64(index)
        if stride == 1:
            out[place] = cipher[source]
        else:
            out[_2 * place], out[_2 * place + _1] = cipher[source], cipher[source + _1]


@compiled
def winnow(tags: NDArray[np.uint64], units: NDArray[np.uint16], k: int, w: int, feed: int) -> NDArray[np.int64]:
    """Return the positions of the shingles kept: of each w neighbours of a run the rightmost smallest.

    Smaller is what has the smaller upper half. The units 0 and `feed` end a run; a run with fewer than w shingles
    keeps one.
    """
    kept = np.empty(len(tags), np.int64)
    count, begin, chosen, last, least = _NOTHING, 0, -1, -1, _NOTHING
    for end in range(len(units) + 1):
        place = end - k + 1
        if end == len(units) or units[end] == 0 or units[end] == feed:
            if chosen >= 0 and place - begin < w:
                kept[count] = chosen
                count += _1
            begin, chosen, last = end + 1, -1, -1
            continue
        if place < begin:
            continue
        if chosen <= place - w:  # it left the window, or there is none yet
            chosen = max(place - w + 1, begin)
            least = tags[np.uint64(chosen)] >> _32
            for other in range(chosen + 1, place):
                if tags[np.uint64(other)] >> _32 <= least:
                    chosen, least = other, tags[np.uint64(other)] >> _32
        tag = tags[np.uint64(place)] >> _32
        if chosen < 0 or tag <= least:
            chosen, least = place, tag
        if place - begin >= w - 1 and chosen != last:
            last = kept[count] = chosen
            count += _1
    return kept[:count].copy()


@compiled
def is_wide(words: NDArray[np.uint64], units: NDArray[np.uint16], begin: int, length: int) -> bool:
    """Return whether a window holds a unit of 256 or more, or a border."""
    marks = np.uint64(0)
    place, end = np.uint64(begin), np.uint64(begin + length)
    while place + _4 <= end:
        marks |= _marks(words[place])
        place += _4
    while place < end:
        unit = np.uint64(units[place])
        marks |= unit | (unit - _1)
        place += _1
    return bool(marks & _HIGH_BYTES)


@compiled
def _marks(word: np.uint64) -> np.uint64:
    """Return something in the upper bytes if one of the four units is 0 or does not fit a byte."""
    return word | (word - _ONES)


@compiled
def _empty(word: np.uint64) -> np.uint64:
    """Return something if one of the four units is 0."""
    return (word - _ONES) & ~word & _SIGNS


@compiled
def _squeezed(word: np.uint64) -> np.uint64:
    """Return the bytes of four units below 256."""
    word = (word | word >> _8) & _PAIRS
    return (word | word >> _16) & _QUAD


@compiled
def _slow(units: NDArray[np.uint16], begin: int, length: int, wide: bool) -> tuple[np.uint64, np.uint64]:
    """Return the block of a window at the end of the units or with a border, unit by unit."""
    low, high = _NOTHING, _NOTHING
    bits = np.uint64(16 if wide else 8)
    for index in range(min(length, BLOCK // 2 if wide else BLOCK)):
        unit = np.uint64(units[begin + index] or _BORDER)
        shift = bits * np.uint64(index)
        if shift < _64:
            low |= unit << shift
        else:
            high |= unit << (shift - _64)
    return low, high
