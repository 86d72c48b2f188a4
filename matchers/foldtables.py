"""The rules of `matchers.characters` as look-up tables over code units, built once per process when first needed."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from matchers.characters import HAN, OTHER, class_of, fold_character, lookalike, simplified

DROP: Final = 0xFFFF
"""Entry of a unit that disappears."""
EXPAND: Final = 0xFFFE
"""Entry of a unit that becomes several: see `start`, `count`, `pool`."""
ITSELF: Final = 0xD800
"""Entry of a character beyond the first plane that stays as it is."""
BEYOND: Final = 0x10000
"""First code point beyond the first plane."""
LAST_PLANES: Final = 0x40000
"""First code point after the planes that hold characters; what lies above stays, or is dropped as invisible."""


@dataclass(frozen=True, slots=True, eq=False)
class FoldTable:
    """Answers by code unit (first plane) or by code point less 0x10000 (planes 1 to 3)."""

    unit: NDArray[np.uint16]
    """The one unit it becomes, or DROP, EXPAND, ITSELF."""
    start: NDArray[np.int32]
    """Where in the pool the answer of an expanding character starts."""
    count: NDArray[np.uint8]
    """How many units that answer has."""
    pool: NDArray[np.uint16]
    """Units of all longer answers."""


@cache
def first_plane() -> FoldTable:
    """Return the table of U+0000 to U+FFFF; unit 0, the border between texts, stays 0."""
    han = [ord(character) for character in simplified() if 0x3400 <= ord(character) <= 0x9FFF]
    rest = (range(1, 0x3400), han, range(0xA000, 0xD800), range(0xF900, 0x10000))
    return _table(np.arange(0x10000, dtype=np.uint16), 0, [code for part in rest for code in part], ())


@cache
def planes_beyond() -> FoldTable:
    """Return the table of planes 1 to 3."""
    han = [ord(character) for character in simplified() if ord(character) >= 0x20000]
    rest = (range(BEYOND, 0x20000), han, range(0x2F800, 0x2FA20))
    unit = np.full(LAST_PLANES - BEYOND, ITSELF, np.uint16)
    return _table(unit, BEYOND, [code for part in rest for code in part], first_plane().pool.tolist())


def _table(unit: NDArray[np.uint16], first: int, codes: Iterable[int], pool_before: Iterable[int]) -> FoldTable:
    """Fill the table from what each of the code points folds to; the others keep what `unit` holds."""
    start = np.zeros(len(unit), np.int32)
    count = np.ones(len(unit), np.uint8)
    pool = list(pool_before)
    for code in codes:
        character = chr(code)
        answer = fold_character(character)
        if answer == character:
            continue
        index = code - first
        if len(answer) == 1 and ord(answer) < BEYOND:
            unit[index] = ord(answer)
            continue
        units = np.frombuffer(answer.encode("utf-16-le"), np.uint16).tolist()
        unit[index] = EXPAND if units else DROP
        start[index], count[index] = len(pool), len(units)
        pool.extend(units)
    return FoldTable(unit, start, count, np.array(pool, np.uint16))


@cache
def classes() -> NDArray[np.uint8]:
    """Return the class flags of each code unit; 0 for the border, HAN for the upper surrogates of Han."""
    table = np.full(0x10000, OTHER, np.uint8)
    for part in (range(1, 0x3400), range(0xA000, 0xAC00), range(0xD7A4, 0xD800), range(0xF900, 0x10000)):
        table[part.start : part.stop] = [class_of(chr(code)) for code in part]
    table[0x3400:0xA000] = HAN
    table[0x4DC0:0x4E00] = OTHER
    table[0xAC00:0xD7A4] = class_of("가")
    table[0xD840:0xD8C0] = HAN
    table[0] = 0
    return table


@cache
def lookalikes() -> NDArray[np.uint16]:
    """Return for each code unit the Latin letter it looks like, 0 when none."""
    table = np.zeros(0x10000, np.uint16)
    for part in (range(0x370, 0x590), range(0x1D26, 0x1D2B), range(0x1F00, 0x2000)):
        for code in part:
            table[code] = ord(lookalike(chr(code)) or "\0")
    return table


@cache
def soft_digits() -> NDArray[np.uint8]:
    """Return for each canonical unit its value when read as a digit, 255 when none."""
    table = np.full(0x10000, 255, np.uint8)
    for character, value in zip("0123456789oqdilzsbg|&!", "0123456789000112589188", strict=True):
        table[ord(character)] = int(value)
    for character, value in zip("〇零一二三四五六七八九幺两壹贰叁肆伍陆柒捌玖", "0012345678912123456789", strict=True):
        table[ord(character)] = int(value)
    return table


def digest() -> str:
    """Return the SHA-256 of all tables, in hex.

    It changes when Python's Unicode data or OpenCC's table give another answer: what was enrolled under another
    digest may be missed.
    """
    hashed = hashlib.sha256()
    for table in (first_plane(), planes_beyond()):
        for part in (table.unit, table.start, table.count, table.pool):
            hashed.update(part.tobytes())
    hashed.update(classes().tobytes() + lookalikes().tobytes())
    return hashed.hexdigest()
