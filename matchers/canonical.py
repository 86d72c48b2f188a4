"""Text in the one form in which values and pages are compared: UTF-16 code units, their origin and their class.

Enrolment and scanning call the very same function, so that they agree by construction. What each character becomes
is in `matchers.characters` and never depends on its neighbours; one rule here does:

Lookalikes. A token is a run of letters and digits between other characters (Han ends it too). Greek, Cyrillic and
Armenian letters that look Latin become Latin where the token holds a Latin letter, or where it holds a digit and
all its letters are lookalikes. "pаypal" and "А123456" fold; a purely Russian or Greek word stays itself, and so
does one glued to a number unless every letter of it could be Latin.

All steps are passes over arrays, linear in the text whatever it holds.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from matchers import foldtables
from matchers.characters import DIGIT, HAN, LATIN, LETTER, LINEBREAK, MASK, OTHER, SEPARATOR
from matchers.shortfold import LONGEST, fold_short

__all__ = [
    "DIGIT", "HAN", "LATIN", "LETTER", "LINEBREAK", "MASK", "OTHER", "SEPARATOR", "VERSION", "Folded", "canonical",
    "fold", "fold_many", "without",
]  # fmt: skip

VERSION: Final = 1
"""Version of the fold; a change of any answer needs a new number and enrolment anew."""

T = TypeVar("T", bound=np.generic)

_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_FOREIGN_FIRST: Final = np.uint16(0x370)
_FOREIGN_SPAN: Final = 0x220
"""Greek, Cyrillic and Armenian are U+0370 to U+058F."""
_BATCH: Final = 1 << 17
"""Characters folded at once in a batch of texts: the arrays stay in the processor's cache."""
_INVISIBLE: Final = "\u200b"
"""Put in the place of what cannot be encoded or would look like a border: dropped, and the count stays right."""


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
    text = _without_nul(text)
    if len(text) <= 2 * _BATCH:
        return _fold(text)
    done, first = [], 0
    while first < len(text):
        last = text.find("\n", first + _BATCH) + 1 or len(text)  # no rule looks beyond a line end
        folded = _fold(text[first:last])
        folded.origin[...] += np.int32(first)
        done.append(folded)
        first = last
    return _joined(done)


def canonical(text: str) -> str:
    """Return the canonical form as a string; of a canonical text, the text itself."""
    short = fold_short(text) if len(text) <= LONGEST else None
    return fold(text).text if short is None else short


def fold_many(texts: Sequence[str]) -> tuple[Folded, NDArray[np.int64]]:
    """Return many texts folded in one pass with one unit 0 between them, and where each text starts.

    Text i holds the units from `starts[i]` up to `starts[i + 1] - 1` (the last one up to the end); `origin` counts
    the characters of its own text. Each text's units are those of `fold(text)`.
    """
    if not texts:
        return _fold(""), np.zeros(0, np.int64)
    parts = [_without_nul(text) for text in texts]
    lengths = np.fromiter(map(len, parts), np.int64, len(parts)) + 1
    group = np.cumsum(lengths) // _BATCH
    borders = [0, *(np.flatnonzero(np.diff(group)) + 1).tolist(), len(parts)]
    done, starts, total = [], [], 0
    for first, last in pairwise(borders):
        closing = "\0" if last < len(parts) else ""
        folded = _fold("\0".join(parts[first:last]) + closing)
        begins = np.append(0, np.flatnonzero(folded.units == 0) + 1)[: last - first]
        characters = np.cumsum(lengths[first:last]) - lengths[first:last]
        folded.origin[...] -= np.repeat(characters.astype(np.int32), np.diff(begins, append=len(folded)))
        done.append(folded)
        starts.append(begins + total)
        total += len(folded)
    return _joined(done), np.concatenate(starts)


def without(folded: Folded, flags: int) -> Folded:
    """Return the stream without the units that carry any of the flags; `origin` still points into the text.

    The unit 0 between texts stays.
    """
    kept = np.flatnonzero((folded.classes & np.uint8(flags)) == 0)
    return Folded(folded.units.take(kept), folded.origin.take(kept), folded.classes.take(kept))


def _joined(parts: Sequence[Folded]) -> Folded:
    """Return the parts one after another; their origins are taken as they are."""
    return Folded(
        np.concatenate([part.units for part in parts]),
        np.concatenate([part.origin for part in parts]),
        np.concatenate([part.classes for part in parts]),
    )


def _without_nul(text: str) -> str:
    """Return a text of the same length in which nothing looks like a border."""
    return text.replace("\0", _INVISIBLE) if "\0" in text else text


def _fold(text: str) -> Folded:
    """Fold a text in which NUL is the border between texts."""
    try:
        raw = np.frombuffer(text.encode("utf-16-le"), np.uint16)
    except UnicodeEncodeError:
        return _fold(_SURROGATE.sub(_INVISIBLE, text))
    units = foldtables.first_plane().unit.take(raw)
    classes = foldtables.classes().take(units)
    origin = np.arange(len(raw), dtype=np.int32)
    odd = np.flatnonzero(
        (units >= foldtables.EXPAND) | ((units & 0xF800) == 0xD800) | ((units - _FOREIGN_FIRST) < _FOREIGN_SPAN)
    )
    if not len(odd):
        return Folded(units, origin, classes)
    if len(raw) != len(text):
        _count_pairs_once(raw, origin)
    begins, ends = _pieces(raw, odd)
    sizes = ends - begins
    spots = np.repeat(begins - (np.cumsum(sizes) - sizes), sizes) + np.arange(sizes.sum())
    mended, source, flags = _fold_odd(raw.take(spots))
    cuts = np.searchsorted(source, np.append(0, np.cumsum(sizes)))
    pieces = list(zip(begins.tolist(), ends.tolist(), cuts[:-1].tolist(), cuts[1:].tolist(), strict=True))
    return Folded(
        _spliced(units, mended, pieces),
        _spliced(origin, origin.take(spots.take(source)), pieces),
        _spliced(classes, flags, pieces),
    )


def _count_pairs_once(raw: NDArray[np.uint16], origin: NDArray[np.int32]) -> None:
    """Turn indices of units into indices of characters, in place: each pair is one."""
    lower = np.flatnonzero((raw & 0xFC00) == 0xDC00)
    if 64 * len(lower) > len(raw):
        origin -= np.cumsum((raw & 0xFC00) == 0xDC00, dtype=np.int32)
        return
    for count, (begin, end) in enumerate(pairwise([*lower.tolist(), len(raw)]), 1):
        origin[begin:end] -= count


def _pieces(raw: NDArray[np.uint16], odd: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return where the stretches between blanks begin and end (blank included) that hold something odd.

    No rule looks beyond a blank, so that these alone take the slower way; one stretch when they are most of it.
    """
    blanks = np.flatnonzero((raw == 0x20) | (raw == 0x0A) | (raw == 0))
    place = np.searchsorted(blanks, odd)
    place = place[np.append(True, place[1:] != place[:-1])]
    borders = np.concatenate([[-1], blanks, [len(raw) - 1]]) + 1
    begins, ends = borders[place], borders[place + 1]
    if len(place) * 256 > len(raw) or 2 * (ends - begins).sum() > len(raw):
        return np.zeros(1, np.intp), np.full(1, len(raw), np.intp)
    return begins, ends


def _spliced(whole: NDArray[T], parts: NDArray[T], pieces: Sequence[tuple[int, int, int, int]]) -> NDArray[T]:
    """Return `whole` with each stretch begin:end replaced by first:last of `parts`."""
    out, done = [], 0
    for begin, end, first, last in pieces:
        out += [whole[done:begin], parts[first:last]]
        done = end
    return np.concatenate([*out, whole[done:]])


def _fold_odd(raw: NDArray[np.uint16]) -> tuple[NDArray[np.uint16], NDArray[np.intp], NDArray[np.uint8]]:
    """Fold with pairs, dropped and growing characters and lookalikes: return units, their index in raw, classes."""
    units = foldtables.first_plane().unit.take(raw)
    source: NDArray[np.intp] = np.arange(len(raw))
    upper = _fold_pairs(raw, units)
    if units.max() >= foldtables.EXPAND:
        units, source = _rewrite(raw, units, upper)
    classes = foldtables.classes().take(units)
    lower = np.flatnonzero((units & 0xFC00) == 0xDC00)
    classes[lower] = classes[lower - 1]
    if ((units - _FOREIGN_FIRST) < _FOREIGN_SPAN).any():
        _fold_lookalikes(raw.take(source), units, classes)
    return units, source, classes


def _fold_pairs(raw: NDArray[np.uint16], units: NDArray[np.uint16]) -> NDArray[np.intp]:
    """Fold the surrogate pairs in place, expansions excepted; return where their upper units are."""
    upper = np.flatnonzero((raw & 0xFC00) == 0xD800)
    if not len(upper):
        return upper
    codes = _code_points(raw, upper)
    known = codes < foldtables.LAST_PLANES
    answers = np.full(len(codes), foldtables.ITSELF, np.uint16)
    answers[known] = foldtables.planes_beyond().unit.take(codes[known] - foldtables.BEYOND)
    answers[(codes >= 0xE0000) & (codes < 0xE1000)] = foldtables.DROP
    changed = answers != foldtables.ITSELF
    units[upper[changed]] = answers[changed]
    units[upper[changed] + 1] = foldtables.DROP
    return upper


def _code_points(raw: NDArray[np.uint16], upper: NDArray[np.intp]) -> NDArray[np.int64]:
    """Return the code points of the surrogate pairs that start at `upper`."""
    high, low = raw[upper].astype(np.int64), raw[upper + 1].astype(np.int64)
    return ((high - 0xD800) << 10) + (low - 0xDC00) + foldtables.BEYOND


def _rewrite(
    raw: NDArray[np.uint16], units: NDArray[np.uint16], upper: NDArray[np.intp]
) -> tuple[NDArray[np.uint16], NDArray[np.intp]]:
    """Drop and expand: return the new units, and for each the index of the raw unit it came from."""
    growing = np.flatnonzero(units == foldtables.EXPAND)
    if not len(growing):
        kept = np.flatnonzero(units != foldtables.DROP)
        return units.take(kept), kept
    start, count, pool = _expansions(raw, growing, upper)
    counts = (units != foldtables.DROP).astype(np.intp)
    counts[growing] = count
    source = np.repeat(np.arange(len(units)), counts)
    within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    places = np.repeat(np.searchsorted(source, growing), count) + within
    written = units.take(source)
    written[places] = pool.take(np.repeat(start, count) + within)
    return written, source


def _expansions(
    raw: NDArray[np.uint16], growing: NDArray[np.intp], upper: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.uint16]]:
    """Return where in the pool the answer of each growing unit starts, its length, and the pool."""
    table = foldtables.first_plane()
    start, count = table.start.take(raw[growing]).astype(np.intp), table.count.take(raw[growing]).astype(np.intp)
    if not len(upper):
        return start, count, table.pool
    table = foldtables.planes_beyond()
    pairs = np.flatnonzero((raw[growing] & 0xFC00) == 0xD800)
    codes = _code_points(raw, growing[pairs]) - foldtables.BEYOND
    start[pairs], count[pairs] = table.start.take(codes), table.count.take(codes)
    return start, count, table.pool


def _fold_lookalikes(raw: NDArray[np.uint16], units: NDArray[np.uint16], classes: NDArray[np.uint8]) -> None:
    """Turn lookalike letters into Latin in place, in the tokens that the rule of this module names."""
    word = (classes & (DIGIT | LATIN | LETTER)) != 0
    begins = word.copy()
    begins[1:] &= ~word[:-1]
    first = np.flatnonzero(begins)
    table = foldtables.lookalikes()
    looks = table.take(raw)
    looks = np.where(looks == 0, table.take(units), looks)
    foreign = (classes & LETTER) != 0
    found = np.bitwise_or.reduceat(classes, first)
    stays = np.logical_or.reduceat(foreign & (looks == 0), first)
    folds = ((found & LATIN) != 0) | (((found & DIGIT) != 0) & ~stays)
    places = np.flatnonzero(foreign & (looks != 0))
    places = places[folds[np.searchsorted(first, places, side="right") - 1]]
    units[places] = looks[places]
    classes[places] = LATIN
