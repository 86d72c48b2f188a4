"""Text in the one form in which values and pages are compared: UTF-16 code units, their origin and their class.

Enrolment and scanning call the very same function, so that they agree by construction. What each character becomes
is in `matchers.characters` and never depends on its neighbours; one rule here does:

Lookalikes. A token is a run of letters and digits between other characters (Han ends it too). Greek, Cyrillic and
Armenian letters that look Latin become Latin where the token holds a Latin letter, or where it holds a digit and
all its foreign letters are lookalikes. "pаypal" and "А123456" fold; a purely Russian or Greek word stays itself,
and so does a foreign word glued to a number unless every letter of it could be Latin.

Nothing here is quadratic, whatever the text: all steps are passes over arrays.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final
import re

import numpy as np
from numpy.typing import NDArray

from matchers.characters import fold_character, is_han
import unicodedata

VERSION: Final = 1
"""Version of the fold; a change of any answer needs a new number and enrolment anew."""

DIGIT: Final = 1
"""0-9."""
HAN: Final = 2
"""Chinese characters, both units of those beyond the first plane, and 々 〆 〇."""
LATIN: Final = 4
"""a-z."""
LETTER: Final = 8
"""Letters of other scripts, with their vowel signs."""
SEPARATOR: Final = 16
"""What people put between digits: spaces, tabs, dashes, dots, brackets, commas and other punctuation."""
LINEBREAK: Final = 32
"""Line feed, to which all line ends fold."""
MASK: Final = 64
"""Signs that hide characters: *, #, and 〇, which is HAN as well."""
OTHER: Final = 128
"""Everything else: symbols, emoji, @ % & $."""

_DROP: Final = 0xFFFF
_EXPAND: Final = 0xFFFE
_ASTRAL: Final = 0x40000 - 0x10000


@dataclass(frozen=True, slots=True, eq=False)
class Folded:
    """Canonical text as three arrays of the same length."""

    units: NDArray[np.uint16]
    """UTF-16 code units after folding; never 0 within a text."""
    origin: NDArray[np.int32]
    """For each unit the index of the character of the original text (of its text, in a batch) it came from."""
    classes: NDArray[np.uint8]
    """For each unit its class flags: DIGIT, HAN, … OTHER; 0 for the unit between texts."""

    def __len__(self) -> int:
        """Return the number of units."""
        return len(self.units)

    @property
    def text(self) -> str:
        """Return the units as a string."""
        return self.units.tobytes().decode("utf-16-le")


def fold(text: str) -> Folded:
    """Return the text in canonical form.

    Lone surrogates and NUL characters are dropped. Linear in the length of the text.
    """
    return _fold(text.replace("\0", "\u200b") if "\0" in text else text)


def canonical(text: str) -> str:
    """Return the canonical form as a string; `canonical(canonical(t)) == canonical(t)`."""
    return fold(text).text


def fold_many(texts: Sequence[str]) -> tuple[Folded, NDArray[np.int64]]:
    """Return many texts folded in one pass with one unit 0 between them, and where each text starts.

    Text i holds the units from `starts[i]` up to `starts[i + 1] - 1` (the last one up to the end); `origin` counts
    the characters of its own text. Fold and batch agree: each text's units are those of `fold(text)`.
    """
    if not texts:
        return _fold(""), np.zeros(0, np.int64)
    parts = [text.replace("\0", "\u200b") if "\0" in text else text for text in texts]
    whole = _fold("\0".join(parts))
    borders = np.flatnonzero(whole.units == 0)
    starts = np.zeros(len(parts), np.int64)
    starts[1:] = borders + 1
    lengths = np.fromiter(map(len, parts), np.int64, len(parts))
    first = np.zeros(len(parts), np.int64)
    np.cumsum(lengths[:-1] + 1, out=first[1:])
    sizes = np.diff(starts, append=len(whole))
    origin = whole.origin - np.repeat(first, sizes).astype(np.int32)
    return Folded(whole.units, origin, whole.classes), starts


def without(folded: Folded, flags: int) -> Folded:
    """Return the stream without the units that carry any of the flags; `origin` still points into the text.

    The unit 0 between texts stays.
    """
    kept = (folded.classes & np.uint8(flags)) == 0
    return Folded(folded.units[kept], folded.origin[kept], folded.classes[kept])


@dataclass(frozen=True, slots=True, eq=False)
class _Tables:
    """Look-up tables by code unit, or by code point from U+10000 on; `pool` holds the longer answers."""

    unit: NDArray[np.uint16]
    classes: NDArray[np.uint8]
    start: NDArray[np.int32]
    count: NDArray[np.uint8]
    pool: NDArray[np.uint16]


def _units(text: str) -> NDArray[np.uint16]:
    """Return the UTF-16 code units of a string without lone surrogates."""
    return np.frombuffer(text.encode("utf-16-le"), np.uint16)


def _table(first: int, last: int) -> _Tables:
    """Build the table of the code points first … last-1."""
    size = last - first
    unit = np.arange(first, last, dtype=np.uint32).astype(np.uint16)
    classes = np.full(size, OTHER, np.uint8)
    start = np.zeros(size, np.int32)
    count = np.ones(size, np.uint8)
    pool: list[int] = []
    for index in range(size):
        code = first + index
        character = chr(code)
        answer = fold_character(character)
        classes[index] = class_of(character) if code else 0
        if answer == character and first == 0:
            continue
        units = _units(answer)
        if len(units) == 1:
            unit[index] = units[0]
            continue
        unit[index] = _EXPAND if len(units) else _DROP
        count[index] = len(units)
        start[index] = len(pool)
        pool.extend(units.tolist())
    unit[0] = 0 if first == 0 else unit[0]
    return _Tables(unit, classes, start, count, np.array(pool, np.uint16))


@cache
def _bmp() -> _Tables:
    """Return the table of the first plane."""
    return _table(0, 0x10000)


@cache
def _beyond() -> _Tables:
    """Return the table of planes 1 to 3, built when a text needs it first."""
    return _table(0x10000, 0x40000)


def class_of(character: str) -> int:
    """Return the class flags of one canonical character."""
    code = ord(character)
    if character == "\n":
        return LINEBREAK
    if "0" <= character <= "9":
        return DIGIT
    if "a" <= character <= "z":
        return LATIN
    if character in "*#":
        return MASK
    if is_han(code):
        return HAN | MASK if character == "〇" else HAN
    category = unicodedata.category(character)
    if category[0] == "L" or category in ("Mn", "Mc"):
        return LETTER
    if character not in "@%&" and (category[0] in "PZ" or character in "+=|~^`<>\t"):
        return SEPARATOR
    return OTHER


def _fold(text: str) -> Folded:
    """Fold a text whose NUL characters are borders."""
    try:
        raw = np.frombuffer(text.encode("utf-16-le"), np.uint16)
    except UnicodeEncodeError:
        return _fold(re.sub("[\ud800-\udfff]", "\u200b", text))
    table = _bmp()
    units = table.unit.take(raw)
    origin = np.arange(len(raw), dtype=np.int32)
    if len(raw) != len(text):
        units, origin = _fold_slowly(text)
    elif (units >= _EXPAND).any():
        units, origin = _fold_slowly(text)
    classes = table.classes.take(units)
    return Folded(units, origin, classes)


def _fold_slowly(text: str) -> tuple[NDArray[np.uint16], NDArray[np.int32]]:
    """Return units and origin, character by character."""
    units: list[int] = []
    origin: list[int] = []
    for index, character in enumerate(text):
        answer = _units("\0" if character == "\0" else fold_character(character)).tolist()
        units.extend(answer)
        origin.extend([index] * len(answer))
    return np.array(units, np.uint16), np.array(origin, np.int32)
