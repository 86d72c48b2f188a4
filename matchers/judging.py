"""Weighs what was seen of a record: its identifiers and conjunctions, its text, and what supports them."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from matchers import context, passages
from matchers.canonical import Folded
from matchers.commonness import Commonness
from matchers.conjunctions import PUBLIC
from matchers.details import Details, open_details, support_mask
from matchers.kernel import Kernel
from matchers.kinds import by_code
from matchers.quotations import Quotations
from matchers.score import CONTEXT
from matchers.sightings import AGAINST, Evidence, Hit, judge, weigh
from matchers.survey import Survey, Surveyor

__all__ = ["Batch", "Evidence", "Judge", "Piece", "judge"]

_NO_TAGS = np.zeros(0, np.uint64)
NEAR = 100
"""Characters around a hit in which supporting elements are looked for."""
ADDRESS_HAN, ADDRESS_LATIN, MOST_ADDRESS_BITS = (1.6, 3), (0.7, 4), 16.0
"""Bits of each character of an address that agrees, and how many say nothing ("unit 2, room …"); bits of all of it: a
household has it too, and its neighbours."""
DISAGREEMENT_BITS = -7.0
"""Bits of a birth date beside weak evidence that is not the record's: more than Fellegi and Sunter's
log2((1 - m) / (1 - u)) for m = 0.9, since a page that gives one seldom gives a wrong one."""
NAME_SUPPORT_BITS = 8.0
"""A name proved by a supporting tag of 16 bits among some candidates is worth no more."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A passage, or a part of a long one. Its repr shows no content."""

    page: int
    passage: int
    """Index among the page's passages."""
    offset: int
    """Character of the passage at which it begins."""
    text: str = field(repr=False)
    ocr: bool = False


class Batch:
    """Pieces that are examined together, as one stream of units."""

    def __init__(self, pieces: Sequence[Piece], folded: Folded, starts: NDArray[np.int64], survey: Survey) -> None:
        """Take the pieces, their units, where each starts, and what may stand in them."""
        self.pieces = pieces
        self.folded = folded
        self.survey = survey
        self._starts = starts

    @cached_property
    def compact_index(self) -> NDArray[np.int64]:
        """Return for each unit of the compact stream its index in the folded text."""
        return passages.kept(self.folded.classes)

    @cached_property
    def compact(self) -> Folded:
        """Return the letters, digits and Han characters of all pieces."""
        kept, folded = self.compact_index, self.folded
        return Folded(folded.units.take(kept), folded.origin.take(kept), folded.classes.take(kept))

    @cached_property
    def compact_starts(self) -> NDArray[np.int64]:
        """Return where each piece begins in the compact stream."""
        return np.searchsorted(self.compact_index, self._starts)

    @cached_property
    def compact_piece(self) -> NDArray[np.int64]:
        """Return for each unit of the compact stream the piece that it is of."""
        sizes = np.diff(np.append(self.compact_starts, len(self.compact_index)))
        return np.repeat(np.arange(len(sizes)), sizes)

    def piece_at(self, unit: int) -> int:
        """Return the number of the piece that holds a unit."""
        return int(np.searchsorted(self._starts, unit, side="right")) - 1

    def pieces_at(self, units: NDArray[np.int32]) -> NDArray[np.int64]:
        """Return the number of the piece that holds each unit."""
        return np.searchsorted(self._starts, units, side="right") - 1

    def units_of(self, piece: int) -> tuple[int, int]:
        """Return the first unit of a piece and the one after its last."""
        last = int(self._starts[piece + 1]) - 1 if piece + 1 < len(self._starts) else len(self.folded)
        return int(self._starts[piece]), last

    def piece_of(self, name: str, start: int) -> int:
        """Return the piece of a span; those of shingles are in the compact stream."""
        return int(self.compact_piece[start]) if is_shingle(name) else self.piece_at(start)

    def page_of(self, piece: int) -> int:
        """Return the page of a piece."""
        return self.pieces[piece].page

    def context(self, piece: int, start: int, end: int) -> context.Context:
        """Return the medical context of a span."""
        first, last = self.units_of(piece)
        low, high = max(first, start - context.WIDEST), min(last, end + context.WIDEST)
        text = self.folded.units[low:high].tobytes().decode("utf-16-le", "replace")
        return context.around(text, start - low, end - low)

    def characters(self, piece: int, start: int, end: int) -> tuple[int, int]:
        """Return the span in characters of the passage's original text; `spans` does it for many."""
        origin = self.folded.origin
        offset = self.pieces[piece].offset
        return int(origin[start]) + offset, int(origin[end - 1]) + 1 + offset


def spans(batch: Batch, start: NDArray[np.int32], end: NDArray[np.int32]) -> tuple[list[int], list[int]]:
    """Return the first character of many spans and one past the last, without the offsets of their pieces."""
    origin = batch.folded.origin
    return origin[start].tolist(), (origin[end - 1] + 1).tolist()


def is_shingle(name: str) -> bool:
    """Tell whether a field holds shingles of text."""
    return name.startswith(("note_", "address_"))


class Judge:
    """Weighs the records seen on the pages of one batch."""

    def __init__(
        self,
        kernel: Kernel,
        batch: Batch,
        surveyor: Surveyor,
        hits: Sequence[Hit],
        commonness: Commonness | None = None,
    ) -> None:
        """Take the batch and all hits in it."""
        self._batch = batch
        stream = batch.compact, batch.compact_index, batch.compact_piece
        self._quotations = Quotations(kernel, *stream, hits, commonness)
        self._nearby = _Nearby(kernel, batch, surveyor, hits)

    def evidence(
        self, handle: bytes, hits: Sequence[Hit], sealed: bytes, names: NDArray[np.uint64] = _NO_TAGS
    ) -> list[Evidence]:
        """Return what one page shows of one record, its spans in characters of the page's passages.

        `names` are the filter tags of whole names that earlier posts of the page's thread show.
        """
        found = weigh(hits)
        if sealed:
            details = open_details(sealed, hits[0].payload.record_key, handle)
            found += self._quotations.evidence(handle, hits, sealed, details)
            found += self._address(hits)
            found += self._public(hits)
            found += self._support(details, found, names)
        return [self._shown(each) for each in found]

    def _shown(self, each: Evidence) -> Evidence:
        start, end = self._batch.characters(each.passage, each.start, each.end)
        return replace(each, passage=self._batch.pieces[each.passage].passage, start=start, end=end)

    def _address(self, hits: Sequence[Hit]) -> list[Evidence]:
        """Weigh the stretch of the address that stands on the page."""
        rare = [hit for hit in hits if hit.field.startswith("address_")]
        if not rare:
            return []
        number = rare[0].passage
        here = [hit for hit in rare if hit.passage == number]
        covered = {unit for hit in here for unit in range(hit.payload.offset, hit.payload.offset + hit.end - hit.start)}
        rate, usual = ADDRESS_HAN if rare[0].field == "address_han" else ADDRESS_LATIN
        bits = min(MOST_ADDRESS_BITS, max(0.0, rate * (len(covered) - usual)))
        index = self._batch.compact_index
        start = int(index[min(hit.start for hit in here)])
        end = int(index[max(hit.end for hit in here) - 1]) + 1
        kind = by_code()[rare[0].payload.kind]
        return [Evidence((kind,), "supporting", "exact", 1.0, number, start, end, (bits,), "address")]

    def _public(self, hits: Sequence[Hit]) -> list[Evidence]:
        """Return the name of a public figure where the words around it speak of illness."""
        found = []
        for hit in hits:
            if hit.field != PUBLIC:
                continue
            bits = self._batch.context(hit.passage, hit.start, hit.end).bits
            if bits:
                kinds, amounts = (hit.kind, CONTEXT), (hit.payload.weight / 256, bits)
                found.append(
                    Evidence(kinds, "conjunction", hit.form, 1.0, hit.passage, hit.start, hit.end, amounts, PUBLIC)
                )
        return found

    def _support(self, details: Details, evidence: Sequence[Evidence], names: NDArray[np.uint64]) -> list[Evidence]:
        """Return weak values of the record that stand near what was found, or were named in the thread before."""
        have = {kind for each in evidence for kind in each.kinds}
        weak = all(each.role in ("conjunction", "supporting") for each in evidence)
        found = []
        for support in details.support:
            kind = by_code()[support.kind]
            if not evidence or kind in have or (support.field == "birth_date" and "resident_id" in have):
                continue
            near = self._nearby.agreeing(support.field, support.tag, details.salt, evidence)
            if near is not None:
                piece, start, end = near
                bits = min(support.weight / 256, NAME_SUPPORT_BITS)
                found.append(Evidence((kind,), "supporting", "exact", 1.0, piece, start, end, (bits,), "support"))
                continue
            seen = evidence[0]
            span = seen.passage, seen.start, seen.end
            if support.field == "name" and len(self._nearby.equal("name", names, support.tag, details.salt)):
                bits = min(support.weight / 256, NAME_SUPPORT_BITS)
                found.append(Evidence((kind,), "supporting", "exact", 1.0, *span, (bits,), "support", joined=True))
            elif support.field == "birth_date" and weak and self._nearby.shown(support.field, evidence):
                found.append(Evidence((kind,), AGAINST, "exact", 0.0, *span, (DISAGREEMENT_BITS,), AGAINST))
        return found


class _Nearby:
    """Weak values near the hits of a batch, to be held against supporting tags; read when first needed."""

    def __init__(self, kernel: Kernel, batch: Batch, surveyor: Surveyor, hits: Sequence[Hit]) -> None:
        self._kernel = kernel
        self._batch = batch
        self._surveyor = surveyor
        self._spans = [self._span(hit) for hit in hits]
        self._known: dict[str, tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.uint64]]] = {}

    def agreeing(self, name: str, tag: int, salt: int, evidence: Sequence[Evidence]) -> tuple[int, int, int] | None:
        """Return piece and span of a value near the evidence that has the tag, or None."""
        starts, ends, tags = self._field(name)
        for each in evidence:
            reach = 2 * NEAR if name == "birth_date" else NEAR
            low, high = self._around(each, reach)
            near = np.flatnonzero((starts >= low) & (ends <= high))
            if not len(near):
                continue
            agree = self.equal(name, tags.take(near), tag, salt)
            if len(agree):
                index = int(near[agree[0]])
                return each.passage, int(starts[index]), int(ends[index])
        return None

    def equal(self, name: str, tags: NDArray[np.uint64], tag: int, salt: int) -> NDArray[np.intp]:
        """Return the indices of the values that have a record's supporting tag."""
        salted = self._kernel.combine("support", tags, np.full(len(tags), salt, np.uint64))
        return np.flatnonzero((salted & support_mask(name)) == np.uint64(tag))

    def shown(self, name: str, evidence: Sequence[Evidence]) -> bool:
        """Tell whether any value of the field stands near the evidence."""
        starts, ends, _ = self._field(name)
        spans = (self._around(each, NEAR) for each in evidence)
        return any(bool(((starts >= low) & (ends <= high)).any()) for low, high in spans)

    def _around(self, each: Evidence, reach: int) -> tuple[int, int]:
        """Return the units within reach of a piece of evidence, in the same text."""
        first, last = self._batch.units_of(each.passage)
        return max(first, each.start - reach), min(last, each.end + reach)

    def _field(self, name: str) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.uint64]]:
        """Return starts, ends and tags of the values of one field."""
        if name not in self._known:
            seen = self._surveyor.dates(self._batch.survey)
            if name == "name":
                starts = np.array([start for start, _ in self._spans], np.int32)
                ends = np.array([end for _, end in self._spans], np.int32)
                seen = self._surveyor.names(self._batch.folded, starts, ends, NEAR)
            tags = self._kernel.tags(name, seen.values, seen.offset, seen.length)
            self._known[name] = seen.start, seen.end, tags
        return self._known[name]

    def _span(self, hit: Hit) -> tuple[int, int]:
        if not is_shingle(hit.field):
            return hit.start, hit.end
        index = self._batch.compact_index
        return int(index[hit.start]), int(index[hit.end - 1]) + 1
