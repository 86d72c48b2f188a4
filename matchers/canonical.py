"""Text in the one form in which values and pages are compared: UTF-16 code units, their origin and their class.

Enrolment and scanning follow the very same tables, so that they agree by construction. What each character becomes
is in `matchers.characters` and never depends on its neighbours; one rule here does:

Lookalikes. A token is a run of letters and digits between other characters (Han ends it too). Letters of other
scripts that look Latin or like a digit (`matchers.lookalikes`) are read by their look where the token holds a Latin
letter, or where it holds a digit and all its letters are lookalikes: as the digit where the token holds a digit and
they look like one, else as the letter. "pаypal" and "А123456" fold, "1Ƨ3" is 123; a purely Russian or Greek word
stays itself, and so does one glued to a number unless every letter of it could be read so. Digits of Indic and
South-East Asian scripts are read by their value among themselves, by their look beside other digits ("1৪3" is 183,
"৪" 4), and a zero among Latin letters alone is an o.

One compiled pass (`matchers.foldpass`), linear in the text whatever it holds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from matchers import foldtables
from matchers.characters import DIGIT, HAN, LATIN, LETTER, LINEBREAK, MASK, OTHER, SEPARATOR, fold_character
from matchers.foldpass import fold_pass, grown

__all__ = [
    "DIGIT", "HAN", "LATIN", "LETTER", "LINEBREAK", "MASK", "OTHER", "SEPARATOR", "VERSION", "Folded", "canonical",
    "fold", "fold_many", "without",
]  # fmt: skip

VERSION: Final = 2
"""Version of the fold; a change of any answer needs a new number and enrolment anew."""
_SHORT: Final = 64
"""Characters up to which `canonical` looks up one by one, which beats the arrays of the compiled pass."""
_BATCH: Final = 1 << 15
"""Characters encoded at once: their code points stay in the processor's cache."""
_REMEMBERED: Final = 1 << 15
"""Characters whose answer is remembered for that."""


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

    def __repr__(self) -> str:
        """Return the length only: the text is never shown."""
        return f"Folded({len(self)} units)"

    @property
    def text(self) -> str:
        """Return the units as a string."""
        return self.units.tobytes().decode("utf-16-le")


def fold(text: str) -> Folded:
    """Return the text in canonical form.

    Lone surrogates and NUL characters are dropped. Linear in the length of the text.
    """
    return fold_many([text])[0]


def canonical(text: str) -> str:
    """Return the canonical form as a string; of a canonical text, the text itself.

    A short text without lookalikes, as values mostly are, costs a microsecond or two.
    """
    if text.isascii() or (len(text) <= _SHORT and foldtables.looking().isdisjoint(text)):
        return text.translate(_ANSWERS)
    return fold(text).text


class _Answers(dict[int, str]):
    """What each code point becomes, remembered when first asked for; forgotten when the table grows too large."""

    def __missing__(self, code: int) -> str:
        if len(self) >= _REMEMBERED:
            self.clear()
        answer = self[code] = fold_character(chr(code))
        return answer


_ANSWERS: Final = _Answers()


def fold_many(texts: Sequence[str]) -> tuple[Folded, NDArray[np.int64]]:
    """Return many texts folded in one pass with one unit 0 between them, and where each text starts.

    Text i holds the units from `starts[i]` up to `starts[i + 1] - 1` (the last one up to the end); `origin` counts
    the characters of its own text. Each text's units are those of `fold(text)`.
    """
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    ends = np.cumsum(lengths)
    characters = int(ends[-1]) if len(ends) else 0
    space = _Space(characters + (characters >> 3) + len(texts) + 8)
    starts = np.empty(len(texts), np.int64)
    entry, extra = foldtables.table().entry, foldtables.table().extra
    borders = [0]
    if characters > _BATCH:
        borders += (np.flatnonzero(np.diff(ends // _BATCH)) + 1).tolist()
    written = 0
    for first, last in pairwise([*borders, len(texts)]):
        codes = np.frombuffer("".join(texts[first:last]).encode("utf-32-le", "surrogatepass"), np.uint32)
        own = ends[first:last] - (ends[first - 1] if first else 0)
        here = (starts[first:last], written, last < len(texts))
        done = fold_pass(codes, own, entry, extra, *space.arrays, *here)
        if done < 0:
            rest = characters - int(ends[last - 1])
            space = space.widened(written, written + grown(codes, entry) + rest + (rest >> 3) + len(texts) + 8)
            done = fold_pass(codes, own, entry, extra, *space.arrays, *here)
        written = done
    units, origin, classes, _ = space.arrays
    return Folded(units[:written], origin[:written], classes[:written]), starts


class _Space:
    """Room for units, origins, classes and the looks of an open token, in one piece.

    One piece, because the allocator gives a freed one back to us; several go back to the system, and fetching their
    pages anew costs more than the folding.
    """

    def __init__(self, size: int) -> None:
        piece = np.empty(9 * size + 8, np.uint8)
        self.arrays = (
            piece[4 * size : 6 * size].view(np.uint16), piece[: 4 * size].view(np.int32),
            piece[8 * size : 9 * size], piece[6 * size : 8 * size].view(np.uint16),
        )  # fmt: skip

    def widened(self, written: int, size: int) -> "_Space":
        """Return a larger one that holds the same units so far."""
        larger = _Space(size)
        for index in range(3):
            larger.arrays[index][:written] = self.arrays[index][:written]
        return larger


def without(folded: Folded, flags: int) -> Folded:
    """Return the stream without the units that carry any of the flags; `origin` still points into the text.

    The unit 0 between texts stays.
    """
    kept = np.flatnonzero((folded.classes & np.uint8(flags)) == 0)
    return Folded(folded.units.take(kept), folded.origin.take(kept), folded.classes.take(kept))
