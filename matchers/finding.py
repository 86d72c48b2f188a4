"""Which terms of records stand in text: candidates → tags → filter → postings; nothing is weighed here."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from matchers import passages
from matchers.canonical import fold_many
from matchers.interface import Evaluator, PostingStore, TagFilter
from matchers.judging import Batch, Piece
from matchers.kernel import Kernel
from matchers.kinds import by_code, keyword, kinds
from matchers.postings import Payload, walk
from matchers.scanners.sink import EXACT, FORMS, MASKED
from matchers.sightings import Hit
from matchers.survey import Sighted, Survey, Surveyor
from matchers.threads import Crossing, Post
from model.page import Passage

LONGEST_CHAIN: Final = 64
"""Records that may share a value on a page; a value of more people says nothing of one."""
MOST_LOOKUPS: Final = 20_000
"""Different values of one page in one pass that are looked up after the filter; ordinary pages need a handful."""
MOST_SIGHTINGS: Final = 256
"""Times that one enrolled value counts on one page in one pass."""
MOST_HITS: Final = 100_000
"""Terms of records on one page in one pass that are weighed."""
BATCH: Final = 1 << 18
"""Characters that are examined in one pass."""
PIECE: Final = 1 << 17
"""Characters after which a passage is cut, with `OVERLAP` characters in both pieces."""
SMALL_PIECE: Final = 1 << 14
"""The same where a piece holds more than there is room for: then it is taken in smaller ones."""
PAIRS: Final = 1 << 13
"""Conjunctions that are tried at once: their tags stay in the processor's cache."""
OVERLAP: Final = 1 << 10

Posts = Callable[[Sequence[Piece], NDArray[np.int64], int], NDArray[np.int64] | None]
"""Pieces, where each begins, and how long all are → first and last unit of those that are posts of a thread."""


@dataclass(frozen=True, slots=True)
class Alive:
    """A value that the filter lets through."""

    field: str
    value: bytes
    start: int
    end: int
    form: str
    piece: int
    """Number of the piece that holds it."""


class Finder:
    """Finds terms. Holds the evaluator and the kernel, hence the key."""

    def __init__(
        self, evaluator: Evaluator, kernel: Kernel, tag_filter: TagFilter, store: PostingStore, surveyor: Surveyor
    ) -> None:
        """Take the parts."""
        self._evaluator = evaluator
        self._kernel = kernel
        self._filter = tag_filter
        self._store = store
        self._surveyor = surveyor

    def find(self, pieces: Sequence[Piece], posts: Posts) -> Iterator[tuple[Batch, list[Hit], set[int]]]:
        """Yield the batch, the terms of records that stand in it, and the pages that reached a cap.

        Where there is too little room for what the batch may hold, it is taken apart, so that a hostile page does not
        harm others, and only what is too much for the smallest piece is left out.
        """
        folded, starts = fold_many([piece.text for piece in pieces])
        survey = self._surveyor.survey(folded, posts(pieces, starts, len(folded)))
        smaller = _smaller(pieces) if survey.dropped >= 0 else []
        if smaller:
            for piece in smaller:
                yield from self.find([piece], posts)
            return
        batch = Batch(pieces, folded, starts, survey)
        capped = {piece.page for piece in pieces} if survey.dropped >= 0 else set()
        alive = self._wanted(
            batch, [*self._values(survey, starts), *self._phrases(batch), *self._shingles(batch)], capped
        )
        yield batch, self._counted(batch, self._look_up(alive), capped), capped

    def crossed(self, crossings: Sequence[Crossing], post: Post) -> Iterator[tuple[tuple[int, int, int], Hit]]:
        """Yield the conjunctions that are enrolled, each with where its half in this post stands."""
        alive: list[Alive] = []
        spans: list[tuple[int, int, int]] = []
        for crossing in crossings:
            if not len(crossing.one):
                continue
            for index in self._filter.survivors(self._kernel.combine("pair", *crossing.tags())).tolist():
                one, other = crossing.lefts[crossing.one[index]], crossing.rights[crossing.other[index]]
                form = FORMS[MASKED if MASKED in (one.form, other.form) else other.form]
                at = len(alive)
                alive.append(Alive(f"{one.field}+{other.field}", one.block + other.block, at, at + 1, form, 0))
                spans.append(post.spans.get(id(one)) or post.spans[id(other)])
        for each, chain in self._look_up(alive):
            for hit in _hits(each, chain):
                yield spans[hit.start], hit

    def _wanted(self, batch: Batch, alive: Sequence[Alive], capped: set[int]) -> list[Alive]:
        """Return what is looked up: no more different values of a page than it may have."""
        values: dict[int, set[tuple[str, bytes]]] = defaultdict(set)
        kept = []
        for each in alive:
            page = batch.page_of(each.piece)
            some, value = values[page], (each.field, each.value)
            if value not in some:
                if len(some) >= MOST_LOOKUPS:
                    capped.add(page)
                    continue
                some.add(value)
            kept.append(each)
        return kept

    def _counted(self, batch: Batch, found: Sequence[tuple[Alive, Sequence[Payload]]], capped: set[int]) -> list[Hit]:
        """Return the hits of what is enrolled, no more of one value and of a page than count."""
        times: dict[tuple[int, str, bytes], int] = defaultdict(int)
        total: dict[int, int] = defaultdict(int)
        hits: list[Hit] = []
        for each, chain in found:
            page = batch.page_of(each.piece)
            value = page, each.field, each.value
            times[value] += 1
            total[page] += len(chain)
            if times[value] > MOST_SIGHTINGS or total[page] > MOST_HITS:
                capped.add(page)
            else:
                hits += _hits(each, chain)
        return hits

    def _values(self, survey: Survey, pieces: NDArray[np.int64]) -> Iterator[Alive]:
        """Yield values and conjunctions that the filter lets through."""
        seen = survey.seen
        used = {name for pair in survey.pairs for name in (pair.left, pair.right)} | survey.alone
        tags = {name: self._tags(seen[name]) for name in used}
        for name in survey.alone:
            each = seen[name]
            for index, piece in self._survivors(tags[name], each.start, pieces):
                yield Alive(
                    name, each.text(index).encode(), int(each.start[index]), int(each.end[index]),
                    FORMS[int(each.form[index])], piece,
                )  # fmt: skip
        if not survey.pairs:
            return
        found = []
        for pair in survey.pairs:
            names, values = seen[pair.left], seen[pair.right]
            for first in range(0, len(pair.one), PAIRS):
                some, others = pair.one[first : first + PAIRS], pair.other[first : first + PAIRS]
                combined = self._kernel.combine("pair", tags[pair.left].take(some), tags[pair.right].take(others))
                alive = self._filter.survivors(combined)
                if len(alive):
                    some, others = some.take(alive), others.take(alive)
                    kept = self._kept(combined, names.start.take(some), pieces, alive)
                    found += [(names, int(some[at]), values, int(others[at]), piece) for at, piece in kept]
        halves = self._halves({(each.field, index): each for pair in found for each, index in (pair[:2], pair[2:4])})
        for left, at, right, beside, piece in found:
            yield _together(left, at, right, beside, halves[left.field, at] + halves[right.field, beside], piece)

    def _survivors(
        self, tags: NDArray[np.uint64], starts: NDArray[np.integer], pieces: NDArray[np.int64]
    ) -> list[tuple[int, int]]:
        """Return the index and the piece of what the filter lets through, no more of one value than is ever counted.

        `starts` says where each stands, `pieces` where each piece begins.
        """
        alive = self._filter.survivors(tags)
        if not len(alive):
            return []
        return [(int(alive[at]), piece) for at, piece in self._kept(tags, starts.take(alive), pieces, alive)]

    def _kept(
        self, tags: NDArray[np.uint64], starts: NDArray[np.integer], pieces: NDArray[np.int64], alive: NDArray[np.intp]
    ) -> list[tuple[int, int]]:
        """Return of survivors, by their place among them, those that may count, and the piece of each."""
        owners = np.searchsorted(pieces, starts, side="right") - 1
        kept = np.arange(len(alive))
        if len(alive) > MOST_SIGHTINGS:
            kept = _first_ones(owners, tags.take(alive), MOST_SIGHTINGS + 1)
        return list(zip(kept.tolist(), owners.take(kept).tolist(), strict=True))

    def _halves(self, wanted: Mapping[tuple[str, int], Sighted]) -> dict[tuple[str, int], bytes]:
        """Return the kernel's block of each value, by its field and index."""
        halves: dict[tuple[str, int], bytes] = {}
        for name in {field for field, _ in wanted}:
            chosen = [index for field, index in wanted if field == name]
            blocks = self._kernel.blocks_of(name, [wanted[name, index].text(index) for index in chosen])
            halves |= {(name, index): block.tobytes() for index, block in zip(chosen, blocks, strict=True)}
        return halves

    def _tags(self, each: Sighted) -> NDArray[np.uint64]:
        return self._kernel.tags(each.field, each.values, each.offset, each.length)

    def _phrases(self, batch: Batch) -> Iterator[Alive]:
        """Yield phrases of the operator's that the filter lets through: found by their beginning, then whole."""
        if not self._surveyor.looks_for("keyword"):
            return
        stream, index = batch.compact, batch.compact_index
        heads = np.arange(max(0, len(stream) - keyword.SHORTEST + 1))
        heads = heads[self._filter.survivors(self._kernel.tags("keyword_head", stream.units, heads, keyword.SHORTEST))]
        sizes = np.arange(keyword.SHORTEST, keyword.LONGEST + 1)
        starts, lengths = np.repeat(heads, len(sizes)), np.tile(sizes, len(heads))
        fits = starts + lengths <= len(stream)
        starts, lengths = starts[fits], lengths[fits]
        tags = self._kernel.tags("keyword", stream.units, starts, lengths)
        for found, piece in self._survivors(tags, starts, batch.compact_starts):
            first, last = int(starts[found]), int(starts[found] + lengths[found])
            value = stream.units[first:last].tobytes().decode("utf-16-le", "surrogatepass")
            data = value.encode("utf-8", "surrogatepass")
            yield Alive("keyword", data, int(index[first]), int(index[last - 1]) + 1, FORMS[EXACT], piece)

    def _shingles(self, batch: Batch) -> Iterator[Alive]:
        """Yield shingles that the filter lets through; their spans are in the compact stream."""
        for kind in kinds().values():
            for grams in kind.GRAMS:
                if not self._surveyor.looks_for(grams.field):
                    continue
                stream = batch.compact
                tags, starts = passages.shingles(self._kernel, stream, grams)
                for index, piece in self._survivors(tags, starts, batch.compact_starts):
                    at = int(starts[index])
                    value = stream.units[at : at + grams.size].tobytes()
                    yield Alive(grams.field, value, at, at + grams.size, "excerpt", piece)

    def _look_up(self, alive: Sequence[Alive]) -> list[tuple[Alive, list[Payload]]]:
        """Return what is enrolled, with the postings of it."""
        by_field: dict[str, list[bytes]] = defaultdict(list)
        for value, field in dict.fromkeys((each.value, each.field) for each in alive):
            by_field[field].append(value)
        known: list[tuple[str, bytes]] = []
        ys: list[bytes] = []
        for field, values in by_field.items():
            ys.extend(self._evaluator.evaluate(field, values))
            known.extend((field, value) for value in values)
        chains = dict(zip(known, walk(self._store, ys, LONGEST_CHAIN), strict=True))
        found = ((each, chains[each.field, each.value]) for each in alive)
        return [(each, chain) for each, chain in found if chain]


def _hits(each: Alive, chain: Sequence[Payload]) -> Iterator[Hit]:
    """Yield what a value that stands on a page says of each record that has it."""
    names, name_kind = by_code(), "person_name" if "+" in each.field else ""
    for payload in chain:
        yield Hit(
            each.field, payload, names[payload.kind], each.piece, each.start, each.end, each.form, len(chain), name_kind
        )


def _first_ones(owners: NDArray[np.intp], tags: NDArray[np.uint64], most: int) -> NDArray[np.intp]:
    """Return the indices, ascending, without what comes after so many equal tags of one owner."""
    order = np.lexsort((tags, owners))
    new = np.ones(len(order), np.bool_)
    new[1:] = (np.diff(owners[order]) != 0) | (tags[order][1:] != tags[order][:-1])
    begins = np.flatnonzero(new)
    rank = np.arange(len(order)) - np.repeat(begins, np.diff(np.append(begins, len(order))))
    return np.sort(order[rank < most])


def _together(left: Sighted, one: int, right: Sighted, other: int, value: bytes, piece: int) -> Alive:
    """Return a conjunction: its span covers both, and it is masked if one of them is."""
    masked = MASKED in (left.form[one], right.form[other])
    return Alive(
        f"{left.field}+{right.field}",
        value,
        min(int(left.start[one]), int(right.start[other])),
        max(int(left.end[one]), int(right.end[other])),
        FORMS[MASKED] if masked else FORMS[int(right.form[other])],
        piece,
    )


def batches(pages: Sequence[Sequence[Passage]]) -> Iterator[list[Piece]]:
    """Yield the passages of all pages in batches; long ones in pieces that overlap."""
    waiting: list[Piece] = []
    size = 0
    for number, page in enumerate(pages):
        for index, passage in enumerate(page):
            for piece in _pieces(number, index, passage):
                if waiting and size + len(piece.text) > BATCH:
                    yield waiting
                    waiting, size = [], 0
                waiting.append(piece)
                size += len(piece.text)
    if waiting:
        yield waiting


def _pieces(page: int, index: int, passage: Passage) -> Iterator[Piece]:
    """Yield a passage, in overlapping pieces if it is long."""
    yield from _cut(Piece(page, index, 0, passage.text, passage.ocr), PIECE)


def _cut(piece: Piece, size: int) -> Iterator[Piece]:
    """Yield a piece in overlapping ones of so many characters."""
    text = piece.text
    cuts = [*range(0, max(1, len(text) - OVERLAP), size), len(text)]
    for first, last in pairwise(cuts):
        part = text if len(cuts) == 2 else text[first : last + OVERLAP]
        yield Piece(piece.page, piece.passage, piece.offset + first, part, piece.ocr)


def _smaller(pieces: Sequence[Piece]) -> list[Piece]:
    """Return the pieces one by one, or a single one in smaller ones; none if that is not possible."""
    if len(pieces) > 1:
        return list(pieces)
    smaller = list(_cut(pieces[0], SMALL_PIECE))
    return smaller if len(smaller) > 1 else []
