"""Pieces of records, in any order → whole records, in bounded memory and without a byte on the disk.

FHIR and HL7 tell of one patient in many places: a condition may stand before its patient, a report in another file.
What waits for its other pieces is held in memory. When that would be more than the bound, half of the patients are
put off (by a hash of their key), and the source is read again for them; halves are halved again where needed. So a
source of n times the bound is read about n times, always in the same order, and nothing is ever written anywhere.
"""

import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from app.sources.interface import Row
from model.errors import EnrolmentError
from model.record import Record, numbered

HELD = 256_000_000
"""Bytes held for records that may still grow."""
OVERHEAD = 200
"""Bytes that Python needs for a value beside its text."""
LISTED = frozenset(("condition",))
"""Columns whose values are short and many: a record has one of them, a line for each value."""
MOST_PARTS = 1 << 20
"""Shares are not halved further: two keys with one hash would be for ever."""
MOST_NOTES = 50
"""Notes of one record; what comes after stands in the last of them, so that no record has hundreds of columns."""


@dataclass(slots=True)
class Piece:
    """Something of one record."""

    place: int
    """Running number of the piece in the source."""
    key: str = field(repr=False)
    """What the pieces of one record have in common."""
    values: list[tuple[str, str]] = field(default_factory=list, repr=False)
    """(column, value) pairs."""
    row: int = 0
    """Number of the patient in the source, if this piece is the one that makes the record."""
    ref: str = field(default="", repr=False)
    """The reference, if this piece knows it."""
    public_figure: bool = False
    problems: tuple[EnrolmentError, ...] = ()
    """What of this piece could not be read."""


@dataclass(slots=True)
class Whole:
    """These records are complete: no later piece belongs to them."""

    place: int
    keys: list[str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Share:
    """Which patients a reading is for: those whose hash leaves `rest` when divided by `parts`."""

    parts: int = 1
    rest: int = 0
    since: int = 0
    """Records complete before this place were given by an earlier reading."""

    def has(self, key: str) -> bool:
        """Tell whether the patient of this key belongs to the share."""
        return self.parts == 1 or zlib.crc32(key.encode("utf-8", "surrogatepass")) % self.parts == self.rest

    def halves(self, place: int) -> tuple["Share", "Share"]:
        """Return the half that goes on being read at this place, and the half that is put off."""
        return (
            Share(2 * self.parts, self.rest, self.since),
            Share(2 * self.parts, self.rest + self.parts, max(self.since, place + 1)),
        )

    @property
    def first(self) -> bool:
        """Tell whether this is the first reading, in which the source counts and reports what has no patient."""
        return self.rest == 0


Reader = Callable[["Joiner"], Iterator[Piece | Whole | EnrolmentError]]


@dataclass(slots=True)
class _Draft:
    row: int = 0
    ref: str = ""
    values: dict[tuple[str, str], None] = field(default_factory=dict)
    public_figure: bool = False
    size: int = OVERHEAD


class Joiner:
    """Joins the pieces that a reader yields; the reader may ask it which patients are wanted in this reading."""

    def __init__(self, read: Reader, held: int = HELD) -> None:
        """Take what reads the source from its beginning, and the bound in bytes."""
        self._read = read
        self._held = held
        self._put_off: list[Share] = []
        self._drafts: dict[str, _Draft] = {}
        self._size = 0
        self.share = Share()
        self.readings = 0
        self.strays = 0
        """Pieces of no patient of the source."""

    def wants(self, key: str) -> bool:
        """Tell whether pieces of this key are wanted now: what takes long to read can be passed over."""
        return self.share.has(key)

    def rows(self) -> Iterator[Row]:
        """Yield the records, and what is wrong."""
        self._put_off = [Share()]
        while self._put_off:
            self.share = self._put_off.pop()
            self.readings += 1
            self._drafts, self._size = {}, 0
            for piece in self._read(self):
                if isinstance(piece, EnrolmentError):
                    if self.share.first:
                        yield piece
                elif isinstance(piece, Whole):
                    yield from self._completed(piece)
                elif self.share.has(piece.key):
                    if piece.place >= self.share.since:
                        yield from piece.problems
                    self._take(piece)
            yield from self._given(list(self._drafts))

    def _take(self, piece: Piece) -> None:
        draft = self._drafts.get(piece.key)
        if draft is None:
            draft = self._drafts[piece.key] = _Draft()
            self._size += draft.size
        draft.row = draft.row or piece.row
        draft.ref = draft.ref or piece.ref
        draft.public_figure = draft.public_figure or piece.public_figure
        for value in piece.values:
            if value not in draft.values:
                draft.values[value] = None
                size = value[1].__sizeof__() + OVERHEAD
                draft.size += size
                self._size += size
        while self._size > self._held and len(self._drafts) > 1 and self.share.parts < MOST_PARTS:
            self._halve(piece.place)

    def _halve(self, place: int) -> None:
        """Put half of the patients off to another reading."""
        self.share, other = self.share.halves(place)
        self._put_off.append(other)
        for key in [key for key in self._drafts if not self.share.has(key)]:
            self._size -= self._drafts.pop(key).size

    def _completed(self, whole: Whole) -> Iterator[Row]:
        if whole.place >= self.share.since:
            yield from self._given(whole.keys)
            return
        for key in whole.keys:
            if (draft := self._drafts.pop(key, None)) is not None:
                self._size -= draft.size

    def _given(self, keys: list[str]) -> Iterator[Row]:
        for key in keys:
            draft = self._drafts.pop(key, None)
            if draft is None:
                continue
            self._size -= draft.size
            if not draft.row:
                self.strays += 1
            elif not draft.ref:
                yield EnrolmentError(draft.row, "ref", "the patient has no identifier that is the reference")
            elif not draft.values:
                yield EnrolmentError(draft.row, "ref", "nothing of the patient is to be fingerprinted")
            else:
                yield Record(draft.ref, draft.row, numbered(_listed(draft.values)), None, draft.public_figure)


def _listed(values: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Yield the values, those of a listed column as one, and the last of very many notes as one."""
    lists: dict[str, list[str]] = {}
    notes = 0
    for name, value in values:
        notes += name == "note"
        if name in LISTED or (name == "note" and notes >= MOST_NOTES):
            lists.setdefault(name, []).append(value)
        else:
            yield name, value
    for name, lines in lists.items():
        yield name, "\n".join(lines)
