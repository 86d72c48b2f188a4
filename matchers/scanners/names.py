"""Names of persons near something else: Han, Latin, Latin for Han (pinyin), shortened, and masked.

Nothing here decides whether a word is a name: neighbouring words and characters are tried, and only a conjunction with
something else on the record is ever looked up.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from matchers.canonical import DIGIT, HAN, LATIN, LETTER, LINEBREAK, MASK
from matchers.compiled import compiled, inner
from matchers.scanners.sink import EXACT, LONGEST, MASKED, Sink, put
from matchers.spellings import SYLLABLES

LONGEST_WORD: Final = 24
FARTHEST: Final = 3
"""Words from the first to the last of a name."""
MOST_SPAN: Final = 48
"""Units of a name with what stands between its words."""
_SPACE, _TAB, _MIDDOT, _DASH, _QUOTE, _DOT, _COMMA = 0x20, 0x09, 0xB7, 0x2D, 0x27, 0x2E, 0x2C
_BAR: Final = 0x7C
_SOMEBODY: Final = 0x67D0
_S, _X, _LINE = 0x73, 0x78, 0x5F
_NOT_GIVEN: Final = np.array(sorted(map(ord, "女士小姐先生同学老师患者医生男")), np.uint16)


def _tree() -> tuple[NDArray[np.int16], NDArray[np.bool_]]:
    """Return the syllables of pinyin as a tree: for each node where each letter leads, and whether a syllable ends."""
    following = np.zeros((len("".join(SYLLABLES)) + 1, 26), np.int16)
    ends = np.zeros(len(following), np.bool_)
    count = 1
    for syllable in sorted(SYLLABLES):
        node = 0
        for letter in syllable:
            if following[node, ord(letter) - 0x61] == 0:
                following[node, ord(letter) - 0x61] = count
                count += 1
            node = int(following[node, ord(letter) - 0x61])
        ends[node] = True
    return following[:count].copy(), ends[:count].copy()


_NEXT, _ENDS = _tree()
NEVER, NOT_YET, YES = range(3)


class Surnames(NamedTuple):
    """Which characters can begin a Han name."""

    single: NDArray[np.bool_]
    """By code unit: a family name of one character."""
    first: NDArray[np.bool_]
    """By code unit: the first character of a family name of two."""
    compound: NDArray[np.uint32]
    """Both characters of each family name of two, sorted."""


class NameSinks(NamedTuple):
    """Where names go, by the way in which they are written."""

    name: Sink
    pinyin: Sink
    initial: Sink
    name_mask: Sink
    surname: Sink
    given: Sink


@inner
def _is_compound(surnames: Surnames, one: int, two: int) -> bool:
    if not surnames.first[one]:
        return False
    wanted = np.uint32((one << 16) | two)
    place = np.searchsorted(surnames.compound, wanted)
    return bool(place < len(surnames.compound) and surnames.compound[place] == wanted)


@inner
def _next_han(units: NDArray[np.uint16], classes: NDArray[np.uint8], place: int, widest: int) -> int:
    """Return where the next Han character stands behind blanks or a middle dot, or -1."""
    here = place
    while here < len(units) and here - place <= widest:
        if classes[here] & HAN and units[here] != _SOMEBODY and not classes[here] & MASK:
            return here
        if units[here] not in (_SPACE, _TAB, _MIDDOT):
            return -1
        here += 1
    return -1


@compiled
def find_han_names(
    units: NDArray[np.uint16], classes: NDArray[np.uint8], near: NDArray[np.bool_], surnames: Surnames, name: Sink
) -> None:
    """Find two to four characters that begin with a family name, or stand alone between other signs."""
    work = np.empty(4, np.uint16)
    for start in range(len(units)):
        if not near[start] or not classes[start] & HAN or classes[start] & MASK:
            continue
        alone = start == 0 or not classes[start - 1] & HAN
        single = surnames.single[units[start]]
        if not (alone or single or surnames.first[units[start]]):
            continue
        work[0] = units[start]
        count = 1
        last = start
        two = False
        most = 4
        while count < most:
            place = _next_han(units, classes, last + 1, 2)
            if place < 0:
                break
            work[count] = units[place]
            last = place
            count += 1
            if count == 2:
                two = _is_compound(surnames, work[0], work[1])
            if (single and count <= 4) or (two and count >= 3) or (count == 2 and (single or two)):
                put(name, start, last + 1, EXACT, work, 0, count)
        if alone and not single and not two and count >= 2 and (last + 1 >= len(units) or not classes[last + 1] & HAN):
            put(name, start, last + 1, EXACT, work, 0, count)


class Words(NamedTuple):
    """Latin words in the order in which they stand; a dash or an apostrophe within one is left out of its letters."""

    start: NDArray[np.int32]
    end: NDArray[np.int32]
    offset: NDArray[np.int32]
    """Where in `letters` the word begins; one more at the end."""
    letters: NDArray[np.uint16]


def read_words(units: NDArray[np.uint16], classes: NDArray[np.uint8], near: NDArray[np.bool_]) -> Words:
    """Return the words near something."""
    room = len(units) // 2 + 2
    words = Words(
        np.empty(room, np.int32),
        np.empty(room, np.int32),
        np.empty(room + 1, np.int32),
        np.empty(len(units), np.uint16),
    )
    count = _read_words(units, classes, near, words)
    return Words(words.start[:count], words.end[:count], words.offset[: count + 1], words.letters)


@compiled
def _read_words(units: NDArray[np.uint16], classes: NDArray[np.uint8], near: NDArray[np.bool_], words: Words) -> int:
    starts, ends, offset, letters = words
    count = 0
    filled = 0
    place = 0
    size = len(units)
    while place < size:
        if not near[place] or not classes[place] & (LATIN | LETTER):
            place += 1
            continue
        starts[count] = place
        offset[count] = filled
        while place < size:
            if classes[place] & (LATIN | LETTER):
                letters[filled] = units[place]
                filled += 1
            elif not _binds(units, classes, place):
                break
            place += 1
        ends[count] = place
        count += 1
    offset[count] = filled
    return count


@inner
def _binds(units: NDArray[np.uint16], classes: NDArray[np.uint8], place: int) -> bool:
    """Tell whether a dash or an apostrophe stands within a word; the one of "Ashby's" does not."""
    after = place + 1
    if units[place] not in (_DASH, _QUOTE) or after >= len(units) or not classes[after] & (LATIN | LETTER):
        return False
    ends = after + 1 >= len(units) or not classes[after + 1] & (LATIN | LETTER)
    return not (units[place] == _QUOTE and units[after] == _S and ends)


@inner
def _joins(classes: NDArray[np.uint8], first: int, last: int) -> bool:
    """Tell whether two words may belong to one name: blanks and signs between them, and not many."""
    if last - first > 12:
        return False
    for place in range(first, last):
        if classes[place] == 0 or classes[place] & (HAN | MASK):
            return False
    return True


@inner
def _is_less(letters: NDArray[np.uint16], a: int, a_end: int, b: int, b_end: int) -> bool:
    """Tell whether one word sorts before another."""
    for index in range(min(a_end - a, b_end - b)):
        if letters[a + index] != letters[b + index]:
            return bool(letters[a + index] < letters[b + index])
    return a_end - a < b_end - b


@compiled
def find_latin_names(
    classes: NDArray[np.uint8], words: Words, with_pinyin: bool, with_latin: bool, sinks: NameSinks
) -> None:
    """Find pairs of words in either order, a word with an initial, and words that together may be pinyin."""
    work = np.empty(LONGEST, np.uint16)
    starts, ends, offset = words.start, words.end, words.offset
    count = len(starts)
    for first in range(count):
        size = offset[first + 1] - offset[first]
        if size > LONGEST_WORD:
            continue
        if with_pinyin:
            _pinyin(classes, words, first, work, sinks.pinyin)
        if not with_latin:
            continue
        start = starts[first]
        for second in range(first + 1, min(count, first + 1 + FARTHEST)):
            end = ends[second]
            if end - start > MOST_SPAN or not _joins(classes, ends[second - 1], starts[second]):
                break
            other = offset[second + 1] - offset[second]
            if other > LONGEST_WORD:
                continue
            if size >= 2 and other >= 2:
                _pair(words, first, second, start, end, work, sinks.name)
            elif size == 1 and other >= 2:
                _initial(words, first, second, start, end, EXACT, work, sinks.initial)
            elif other == 1 and size >= 2:
                _initial(words, second, first, start, end, EXACT, work, sinks.initial)
            elif second == first + 1 and _stands_free(classes, words, first) and _stands_free(classes, words, second):
                _initials(words, first, second, start, end, work, sinks.surname)


@inner
def _copy(words: Words, word: int, work: NDArray[np.uint16], filled: int) -> int:
    """Write the letters of a word; return how much is filled then."""
    offset, letters = words.offset, words.letters
    for place in range(offset[word], offset[word + 1]):
        work[filled] = letters[place]
        filled += 1
    return filled


@inner
def _pair(words: Words, one: int, other: int, start: int, end: int, work: NDArray[np.uint16], name: Sink) -> None:
    """Note two words in alphabetical order."""
    offset, letters = words.offset, words.letters
    if _is_less(letters, offset[other], offset[other + 1], offset[one], offset[one + 1]):
        one, other = other, one
    filled = 0
    for place in range(offset[one], offset[one + 1]):
        work[filled] = letters[place]
        filled += 1
    work[filled] = _SPACE
    filled += 1
    for place in range(offset[other], offset[other + 1]):
        work[filled] = letters[place]
        filled += 1
    put(name, start, end, EXACT, work, 0, filled)


@inner
def _initial(
    words: Words, letter: int, word: int, start: int, end: int, form: int, work: NDArray[np.uint16], initial: Sink
) -> None:
    """Note a letter and a word."""
    work[0] = words.letters[words.offset[letter]]
    work[1] = _BAR
    put(initial, start, end, form, work, 0, _copy(words, word, work, 2))


@inner
def _stands_free(classes: NDArray[np.uint8], words: Words, word: int) -> bool:
    """Tell whether no digit touches a word: letters of a hexadecimal number are nobody's initials."""
    start, end = words.start[word], words.end[word]
    return not ((start > 0 and classes[start - 1] & DIGIT) or (end < len(classes) and classes[end] & DIGIT))


@inner
def _initials(
    words: Words, one: int, other: int, start: int, end: int, work: NDArray[np.uint16], surname: Sink
) -> None:
    """Note two letters that may be somebody's initials, the smaller first."""
    low, high = words.letters[words.offset[one]], words.letters[words.offset[other]]
    work[0], work[1], work[2] = min(low, high), _SPACE, max(low, high)
    put(surname, start, end, MASKED, work, 0, 3)


@inner
def _is_pinyin(word: NDArray[np.uint16], filled: int) -> int:
    """Tell whether letters can be cut into two or more syllables, or could be if more followed."""
    reached = 1
    open_end = False
    for first in range(filled):
        if not (reached >> first) & 1:
            continue
        node = 0
        for last in range(first, filled):
            letter = np.int64(word[last]) - 0x61
            if letter < 0 or letter > 25:
                return NEVER
            node = int(_NEXT[node, letter])
            if node == 0:
                break
            if _ENDS[node] and last - first + 1 < filled:
                reached |= 1 << (last + 1)
        open_end = open_end or node != 0
    if (reached >> filled) & 1:
        return YES
    return NOT_YET if open_end else NEVER


@inner
def _pinyin(classes: NDArray[np.uint8], words: Words, first: int, work: NDArray[np.uint16], pinyin: Sink) -> None:
    """Note one to four words without what stands between them, the family name first or last."""
    starts, ends, offset = words.start, words.end, words.offset
    start = starts[first]
    filled = 0
    for index in range(first, min(len(starts), first + 4)):
        size = offset[index + 1] - offset[index]
        if filled + size > LONGEST_WORD or (index > first and not _joins(classes, ends[index - 1], starts[index])):
            return
        filled = _copy(words, index, work, filled)
        answer = _is_pinyin(work, filled)
        if answer == NEVER:
            return
        if filled < 4 or answer == NOT_YET:
            continue
        put(pinyin, start, ends[index], EXACT, work, 0, filled)
        if index > first:  # the last word in front
            last = _copy(words, index, work, LONGEST_WORD)
            for place in range(filled - size):
                work[last + place] = work[place]
            put(pinyin, start, ends[index], EXACT, work, LONGEST_WORD, LONGEST_WORD + filled)


@inner
def _hides(units: NDArray[np.uint16], classes: NDArray[np.uint8], place: int) -> bool:
    """Tell whether a sign hides a character of a name."""
    return bool(classes[place] & MASK) or units[place] in (_X, _LINE, 0x3F, _SOMEBODY)


@compiled
def find_masked_han(
    units: NDArray[np.uint16], classes: NDArray[np.uint8], near: NDArray[np.bool_], surnames: Surnames, sinks: NameSinks
) -> None:
    """Find 张*三, 张某某, 张**, 欧阳*, and given names behind a hidden family name (*小明)."""
    size = len(units)
    work = np.empty(8, np.uint16)
    place = 0
    while place < size:
        if not near[place] or not _hides(units, classes, place) or not _may_be_name(units, classes, place):
            place += 1
            continue
        last = place
        while last < size and last - place < 6 and _hides(units, classes, last):
            last += 1
        before = place - 1
        begins = before >= 0 and classes[before] & HAN and not classes[before] & MASK
        ends = last < size and classes[last] & HAN and not classes[last] & MASK
        if begins:
            two = before > 0 and _is_compound(surnames, units[before - 1], units[before])
            start = before - 1 if two else before
            _note_masked(units, start, before + 1, last, ends, work, sinks)
            if two and surnames.single[units[before]]:
                _note_masked(units, before, before + 1, last, ends, work, sinks)
        elif ends:
            stop = last + 1
            while stop < size and stop - last < 2 and classes[stop] & HAN:
                stop += 1
            for end in range(last + 1, stop + 1):
                put(sinks.given, place, end, MASKED, units, last, end)
        place = max(last, place + 1)


@inner
def _may_be_name(units: NDArray[np.uint16], classes: NDArray[np.uint8], place: int) -> bool:
    """Tell whether a Han character stands beside the sign or the row of signs that begins here."""
    if place > 0 and classes[place - 1] & HAN:
        return True
    return bool(classes[place] & MASK)


@inner
def _note_masked(
    units: NDArray[np.uint16], start: int, stop: int, last: int, ends: bool, work: NDArray[np.uint16], sinks: NameSinks
) -> None:
    """Note a family name, and with it the last character where it is shown."""
    put(sinks.surname, start, last, MASKED, units, start, stop)
    if not ends:
        return
    for index in range(len(_NOT_GIVEN)):
        if _NOT_GIVEN[index] == units[last]:
            return
    filled = 0
    for place in range(start, stop):
        work[filled] = units[place]
        filled += 1
    work[filled] = _BAR
    work[filled + 1] = units[last]
    put(sinks.name_mask, start, last + 1, MASKED, work, 0, filled + 2)


@compiled
def find_masked_latin(units: NDArray[np.uint16], classes: NDArray[np.uint8], words: Words, sinks: NameSinks) -> None:
    """Find J***s S***d, J*** S***, G*** Mertz and David H****."""
    count = len(words.start)
    work = np.empty(LONGEST, np.uint16)
    for first in range(count):
        if words.offset[first + 1] - words.offset[first] > LONGEST_WORD:
            continue
        hidden, finish, tail = _hidden_behind(units, classes, words.end[first])
        second = first + (2 if tail > finish else 1)
        if second >= count or words.offset[second + 1] - words.offset[second] > LONGEST_WORD:
            continue
        start = words.start[first]
        gap = words.start[second] - tail
        if gap < 1 or gap > 3 or not _on_one_line(classes, tail, words.start[second]):
            continue
        hidden_too, finish_too, tail_too = _hidden_behind(units, classes, words.end[second])
        if hidden and not hidden_too:
            _initial(words, first, second, start, words.end[second], MASKED, work, sinks.initial)
        elif hidden_too and not hidden:
            _initial(words, second, first, start, finish_too, MASKED, work, sinks.initial)
        elif hidden and hidden_too:
            low, high = units[start], units[words.start[second]]
            if low > high:
                low, high = high, low
            work[0], work[1], work[2] = low, _SPACE, high
            put(sinks.surname, start, tail_too, MASKED, work, 0, 3)
            if tail == finish + 1 and tail_too == finish_too + 1:
                _letters(units, start, finish, words.start[second], finish_too, work)
                put(sinks.name_mask, start, tail_too, MASKED, work, 0, 5)


@inner
def _on_one_line(classes: NDArray[np.uint8], first: int, last: int) -> bool:
    for place in range(first, last):
        if classes[place] == 0 or classes[place] & (HAN | LINEBREAK):
            return False
    return True


@inner
def _letters(units: NDArray[np.uint16], a: int, a_last: int, b: int, b_last: int, work: NDArray[np.uint16]) -> None:
    """Write first and last letter of two words, the smaller pair first."""
    swap = units[b] < units[a] or (units[b] == units[a] and units[b_last] < units[a_last])
    one, one_last, two, two_last = (b, b_last, a, a_last) if swap else (a, a_last, b, b_last)
    work[0], work[1], work[2], work[3], work[4] = units[one], units[one_last], _SPACE, units[two], units[two_last]


@inner
def _hidden_behind(units: NDArray[np.uint16], classes: NDArray[np.uint8], place: int) -> tuple[bool, int, int]:
    """Return whether signs that hide letters stand behind a word's beginning, their end, and that of letters after."""
    finish = place
    while finish < len(units) and finish - place < 12 and classes[finish] & MASK:
        finish += 1
    tail = finish
    while finish > place and tail < len(units) and tail - finish < 3 and classes[tail] & LATIN:
        tail += 1
    return finish > place, finish, tail
