"""The rules of `matchers.characters` as look-up tables over code points.

They are made once, which takes a quarter of a second, and read by every other process (matchers/kept.py).
"""

import hashlib
import unicodedata
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
import opencc
from numpy.typing import NDArray

from matchers import characters, lookalikes
from matchers.characters import (
    DIGIT,
    HAN,
    LETTER,
    OTHER,
    class_of,
    digit_lookalike,
    fold_character,
    lookalike,
    simplified,
)
from matchers.kept import Tables, kept

PLAIN: Final = 0
"""Becomes one unit, whatever stands around it."""
DROPPED: Final = 1
"""Disappears."""
GROWS: Final = 2
"""Becomes several units: see `start`, `count`, `pool`."""
PAIR: Final = 3
"""Stays as it is, a surrogate pair."""
FOREIGN: Final = 4
"""Becomes one unit, a letter or a digit of which its token decides whether it is read by its look."""
BEYOND: Final = 0x10000
"""First code point beyond the first plane."""
LAST_PLANES: Final = 0x40000
"""First code point after the planes that hold characters; what lies above stays, or is dropped as invisible."""
NO_DIGIT: Final = 255
"""Entry of `soft_digits` of what is no digit in any reading."""
_SOFT: Final = dict(
    zip(
        "oqdilzsbg|!&〇零一二三四五六七八九幺两壹贰叁参肆伍陆柒捌玖", "00011258918800123456789121233456789", strict=True
    )
)
"""Letters and signs misread or written for a digit, and Han numerals."""


@dataclass(frozen=True, slots=True, eq=False)
class FoldTable:
    """Answers by code point, U+0000 to U+3FFFF."""

    entry: NDArray[np.uint32]
    """The unit it becomes, its class flags << 16, and PLAIN … FOREIGN << 24.

    A growing character has where its answer starts in the pool, and how many units << 16.
    """
    extra: NDArray[np.uint16]
    """The letter a-z it looks like, and the digit 0-9 it looks like << 8, both in ASCII and 0 when none.

    Behind these, from LAST_PLANES on, the pool: the units of all longer answers.
    """


@cache
def table() -> FoldTable:
    """Return the table of every character; NUL is dropped, for unit 0 is the border between texts."""
    return FoldTable(_every()["entry"], _every()["extra"])


@cache
def classes() -> NDArray[np.uint8]:
    """Return the class flags of each code unit; 0 for the border, HAN for the upper surrogates of Han."""
    return _every()["classes"]


@cache
def soft_digits() -> NDArray[np.uint8]:
    """Return for each canonical unit its value 0 to 9 when read as a digit, else NO_DIGIT.

    0-9 are hard digits (class DIGIT) and stand for themselves. All others are soft, and only what stands around them
    makes them digits: Han numerals (class HAN), o l i z s b and the like (class LATIN), signs, and letters of other
    scripts by their look (class LETTER).
    """
    return _every()["soft_digits"]


@cache
def looking() -> frozenset[str]:
    """Return the characters that a token may read by their look, or of whose longer answer a part (㏀ is kω)."""
    return frozenset(map(chr, _every()["looking"].tolist()))


@cache
def _every() -> Tables:
    own = (Path(str(module.__file__)) for module in (characters, lookalikes))
    return kept("fold", [Path(__file__), *own, Path(str(opencc.__file__)).parent], make)


def make() -> Tables:
    """Make all tables, from nothing but the rules."""
    classed = _classes()
    answers = _table(classed)
    return {
        "classes": classed,
        "entry": answers.entry,
        "extra": answers.extra,
        "soft_digits": _soft_digits(answers, classed),
        "looking": _looking(answers),
    }


def _table(classed: NDArray[np.uint8]) -> FoldTable:
    entry = np.arange(LAST_PLANES, dtype=np.uint32)
    entry[:BEYOND] |= classed.astype(np.uint32) << 16
    entry[0], entry[BEYOND:] = DROPPED << 24, PAIR << 24
    looks = np.zeros(LAST_PLANES, np.uint16)
    pool: list[int] = []
    for code in _changeable():
        character = chr(code)
        answer = fold_character(character)
        if len(answer) == 1 and ord(answer) < BEYOND:
            flags = int(classed[ord(answer)])
            looks[code] = _looks(character, answer) if flags in {LETTER, DIGIT} and not "0" <= character <= "9" else 0
            entry[code] = ord(answer) | flags << 16 | (FOREIGN if looks[code] else PLAIN) << 24
        elif not answer:
            entry[code] = int(entry[code]) & 0xFF0000 | DROPPED << 24  # a surrogate's class is that of its pairs
        elif answer != character:
            answers = np.frombuffer(answer.encode("utf-16-le"), np.uint16).tolist()
            entry[code] = len(pool) | len(answers) << 16 | GROWS << 24
            pool.extend(answers)
    if len(pool) >= BEYOND:
        raise OverflowError("the longer answers no longer fit 16-bit places: widen FoldTable.entry")
    return FoldTable(entry, np.concatenate([looks, np.array(pool, np.uint16)]))


def _looks(character: str, answer: str) -> int:
    """Return the letter and the digit << 8 that a character looks like, or that what it becomes looks like."""
    letter = lookalike(character) or lookalike(answer)
    digit = digit_lookalike(character) or digit_lookalike(answer)
    return ord(letter or "\0") | ord(digit or "\0") << 8


def _changeable() -> list[int]:
    """Return the code points that may become something else; the border between texts and most Han stay."""
    han = [ord(character) for character in simplified()]
    rest = (range(1, 0x3400), han, range(0xA000, 0x20000), range(0x2F800, 0x2FA20))
    codes = [code for part in rest for code in part]
    return [code for code in codes if code < BEYOND or unicodedata.category(chr(code)) != "Cn"]


def _classes() -> NDArray[np.uint8]:
    table = np.full(0x10000, OTHER, np.uint8)
    for part in (range(1, 0x3400), range(0xA000, 0xAC00), range(0xD7A4, 0xD800), range(0xF900, 0x10000)):
        table[part.start : part.stop] = [class_of(chr(code)) for code in part]
    table[0x3400:0xA000] = HAN
    table[0x4DC0:0x4E00] = OTHER
    table[0xAC00:0xD7A4] = class_of("가")
    table[0xD840:0xD8C0] = HAN
    table[0] = 0
    return table


def _soft_digits(answers: FoldTable, classed: NDArray[np.uint8]) -> NDArray[np.uint8]:
    found = np.full(0x10000, NO_DIGIT, np.uint8)
    for code in range(0x80, 0x10000):
        look = int(answers.extra[code])
        letter, digit = chr(look & 0xFF), chr(look >> 8)
        if look and classed[code] == LETTER:
            found[code] = int(digit) if look >> 8 else int(_SOFT.get(letter, NO_DIGIT))
    for character, value in _SOFT.items():
        found[ord(character)] = int(value)
    found[0x30:0x3A] = np.arange(10)
    return found


def _looking(answers: FoldTable) -> NDArray[np.uint32]:
    looks = answers.extra[:LAST_PLANES] != 0
    growing = np.flatnonzero(answers.entry >> 24 == GROWS).tolist()
    parts = [code for code in growing if any(looks[ord(part)] for part in fold_character(chr(code)))]
    return np.array([*np.flatnonzero(looks).tolist(), *parts], np.uint32)


def digest() -> str:
    """Return the SHA-256 of all tables, in hex.

    It changes when Python's Unicode data or OpenCC's table give another answer: what was enrolled under another
    digest may be missed.
    """
    every = table()
    parts = (every.entry, every.extra, soft_digits())
    return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()
