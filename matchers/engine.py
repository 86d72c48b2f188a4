"""Passages → matches: finds on a page the records that were enrolled, without any of their values."""

import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from matchers import passages
from matchers.canonical import fold_many
from matchers.commonness import Commonness
from matchers.conjunctions import PARTNERS
from matchers.interface import Evaluator, MatchingSettings, PostingStore, TagFilter
from matchers.judging import Batch, Evidence, Judge, Piece, judge
from matchers.kernel import Kernel
from matchers.kinds import by_code, keyword, kinds
from matchers.postings import walk
from matchers.scanners.sink import EXACT, FORMS, MASKED
from matchers.sightings import Hit, weigh
from matchers.survey import LEFT, RIGHT, Sighted, Survey, Surveyor, shapes
from matchers.threads import MOST_HALVES, BriefMemory, Half, ThreadMemory, Trace, crossed
from model.match import Match
from model.page import Passage

LONGEST_CHAIN: Final = 64
"""Records that may share a value on a page; a value of more people says nothing of one."""
MOST_LOOKUPS: Final = 20_000
"""Values of one page that are looked up after the filter; ordinary pages need a handful."""
BATCH: Final = 1 << 18
"""Characters that are examined in one pass."""
PIECE: Final = 1 << 17
"""Characters after which a passage is cut, with `OVERLAP` characters in both pieces."""
OVERLAP: Final = 1 << 10


@dataclass(frozen=True, slots=True)
class Examination:
    """What the examination of one page came to."""

    matches: tuple[Match, ...]
    """Leaks and suspicions, the surest first."""
    capped: bool
    """True if a cap was reached, so that part of the page was not compared: the page must be reported as such."""


@dataclass(frozen=True, slots=True)
class Alive:
    """A value that the filter lets through."""

    field: str
    value: bytes
    start: int
    end: int
    form: str


Found = dict[int, dict[bytes, list[Evidence]]]
"""Page → handle → what speaks of the record."""


@dataclass(frozen=True, slots=True)
class Joining:
    """Which pages belong to threads, and what is remembered of these."""

    threads: Sequence[str | None]
    memory: ThreadMemory

    def posts(self, pieces: Sequence[Piece], starts: NDArray[np.int64], length: int) -> NDArray[np.int64] | None:
        """Return first and last unit of each piece that belongs to a thread, or None if none does."""
        ends = np.append(starts[1:] - 1, length)
        chosen = [number for number, piece in enumerate(pieces) if self.threads[piece.page] is not None]
        return np.stack([starts.take(chosen), ends.take(chosen)], axis=1) if chosen else None


class Engine:
    """Examines pages. Holds the evaluator and the kernel, hence the key; has no network."""

    def __init__(
        self,
        evaluator: Evaluator,
        kernel: Kernel,
        tag_filter: TagFilter,
        store: PostingStore,
        settings: MatchingSettings,
        records: int = 1_000,
        commonness: Commonness | None = None,
    ) -> None:
        """Take the parts.

        `records` is about how many are enrolled: the more, the likelier is coincidence. Without `commonness` no text is
        known to be a common phrase, and all of it weighs somewhat less.
        """
        self._evaluator = evaluator
        self._kernel = kernel
        self._filter = tag_filter
        self._store = store
        self._settings = settings
        self._records = records
        self._commonness = commonness
        self._surveyor = Surveyor(shapes(kernel, tag_filter), settings.window)

    def examine(self, passages: Sequence[Passage]) -> Examination:
        """Return the examination of one page."""
        return self.examine_many([passages])[0]

    def examine_many(
        self,
        pages: Sequence[Sequence[Passage]],
        threads: Sequence[str | None] | None = None,
        memory: ThreadMemory | None = None,
    ) -> list[Examination]:
        """Return the examination of each page, in order; vector passes over many of them.

        `threads` says for each page to which thread it belongs, if to any: what was split over posts of one is joined,
        in the order given, with what `memory` holds of it from before.
        """
        found: Found = defaultdict(lambda: defaultdict(list))
        capped: set[int] = set()
        joining = Joining(threads or [None] * len(pages), memory or BriefMemory())
        for pieces in _batches(pages):
            self._batch(pieces, joining, found, capped)
        return [self._examination(found.get(number, {}), number in capped) for number in range(len(pages))]

    def hits(self, passages: Sequence[Passage]) -> list[Hit]:
        """Return every enrolled term that stands on a page, before anything is weighed: for tests and diagnosis."""
        alone = Joining([None], BriefMemory())
        return [hit for pieces in _batches([passages]) for hit in self._hits(pieces, alone)[1]]

    def _examination(self, found: Mapping[bytes, Sequence[Evidence]], capped: bool) -> Examination:
        matches = (judge(handle, evidence, self._settings, self._records) for handle, evidence in found.items())
        ranked = sorted((match for match in matches if match is not None), key=lambda match: -match.score)
        return Examination(tuple(ranked), capped)

    def _batch(self, pieces: Sequence[Piece], joining: Joining, found: Found, capped: set[int]) -> None:
        """Add what one batch shows of each record on each page."""
        batch, hits, full = self._hits(pieces, joining)
        capped |= full
        if hits:
            self._weigh(batch, hits, found)
        for number, piece in enumerate(pieces):
            thread = joining.threads[piece.page]
            if thread is not None:
                self._join(batch, number, thread, joining.memory, found)

    def _weigh(self, batch: Batch, hits: Sequence[Hit], found: Found) -> None:
        """Add the evidence of a batch."""
        by_record: dict[tuple[int, bytes], list[Hit]] = defaultdict(list)
        for hit in hits:
            by_record[batch.page_of(hit.passage), hit.payload.handle].append(hit)
        details = self._store.details([handle for _, handle in by_record])
        weighing = Judge(self._kernel, batch, self._surveyor, hits, self._commonness)
        for (page, handle), some in by_record.items():
            found[page][handle] += weighing.evidence(handle, some, details.get(handle, b""))

    def _join(self, batch: Batch, number: int, thread: str, memory: ThreadMemory, found: Found) -> None:
        """Join one post with what its thread showed before, and remember it."""
        piece = batch.pieces[number]
        here = found[piece.page]
        trace, spans = self._trace(batch, number, {handle: tuple(evidence) for handle, evidence in here.items()})
        before = memory.recall(thread)
        memory.remember(thread, trace)
        if not before:
            return
        for hit in self._crossed(before, trace, number):
            start, end = spans[hit.start]
            here[hit.payload.handle] += [
                replace(each, passage=piece.passage, start=start, end=end) for each in weigh([hit])
            ]
        for handle, evidence in here.items():
            if not evidence:
                continue
            seen = evidence[0]
            here[handle] = evidence + [
                replace(each, passage=seen.passage, start=seen.start, end=seen.end)
                for earlier in before
                for each in earlier.found.get(handle, ())
            ]

    def _trace(
        self, batch: Batch, number: int, found: Mapping[bytes, tuple[Evidence, ...]]
    ) -> tuple[Trace, list[tuple[int, int]]]:
        """Return what is to be remembered of a post, and where each half stands in it: names first."""
        first, last = batch.units_of(number)
        halves: tuple[list[Half], list[Half]] = [], []
        spans: tuple[list[tuple[int, int]], list[tuple[int, int]]] = [], []
        for side, names in enumerate((LEFT, RIGHT)):
            for name in names:
                seen = batch.survey.seen[name]
                chosen = seen.within(first, last)[: MOST_HALVES - len(halves[side])]
                if not len(chosen):
                    continue
                blocks = self._kernel.blocks_of(name, [seen.text(index) for index in chosen.tolist()])
                for index, block in zip(chosen.tolist(), blocks, strict=True):
                    halves[side].append(Half(name, block.tobytes(), int(seen.form[index])))
                    spans[side].append(batch.characters(number, int(seen.start[index]), int(seen.end[index])))
        return Trace(tuple(halves[0]), tuple(halves[1]), found), spans[0] + spans[1]

    def _crossed(self, before: Sequence[Trace], now: Trace, number: int) -> list[Hit]:
        """Return the conjunctions between posts that are enrolled; `start` is the number of the half in this post."""
        own = {id(half): index for index, half in enumerate((*now.left, *now.right))}
        pairs = list(itertools.islice(crossed(before, now, PARTNERS), MOST_LOOKUPS))
        if not pairs:
            return []
        left, right = (np.array([np.frombuffer(pair[side].block, np.uint64)[0] for pair in pairs]) for side in (0, 1))
        alive = []
        for index in self._filter.survivors(self._kernel.combine("pair", left, right)).tolist():
            one, other = pairs[index]
            at = own.get(id(one), own.get(id(other), 0))
            masked = MASKED in (one.form, other.form)
            form = FORMS[MASKED if masked else other.form]
            alive.append(Alive(f"{one.field}+{other.field}", one.block + other.block, at, at + 1, form))
        return self._look_up(alive, [number] * len(alive))

    def _hits(self, pieces: Sequence[Piece], joining: Joining) -> tuple[Batch, list[Hit], set[int]]:
        """Return the batch, the terms of records that stand in it, and the pages that reached a cap."""
        folded, starts = fold_many([piece.text for piece in pieces])
        survey = self._surveyor.survey(folded, joining.posts(pieces, starts, len(folded)))
        batch = Batch(pieces, folded, starts, survey)
        capped = set() if survey.dropped < 0 else {piece.page for piece in pieces[batch.piece_at(survey.dropped) :]}
        alive = [*self._values(survey), *self._phrases(batch), *self._shingles(batch)]
        counts: dict[int, int] = defaultdict(int)
        kept = []
        for each in alive:
            page = batch.page_of(batch.piece_of(each.field, each.start))
            counts[page] += 1
            if counts[page] <= MOST_LOOKUPS:
                kept.append(each)
        capped |= {page for page, count in counts.items() if count > MOST_LOOKUPS}
        return batch, self._look_up(kept, [batch.piece_of(each.field, each.start) for each in kept]), capped

    def _values(self, survey: Survey) -> Iterator[Alive]:
        """Yield values and conjunctions that the filter lets through."""
        seen = survey.seen
        used = {name for pair in survey.pairs for name in (pair.left, pair.right)} | survey.alone
        tags = {name: self._tags(seen[name]) for name in used}
        for name in survey.alone:
            for index in self._filter.survivors(tags[name]).tolist():
                each = seen[name]
                yield Alive(
                    name, each.text(index).encode(), int(each.start[index]), int(each.end[index]),
                    FORMS[int(each.form[index])],
                )  # fmt: skip
        if not survey.pairs:
            return
        left_tags = np.concatenate([tags[pair.left].take(pair.one) for pair in survey.pairs])
        right_tags = np.concatenate([tags[pair.right].take(pair.other) for pair in survey.pairs])
        begins = np.cumsum([0, *(len(pair.one) for pair in survey.pairs)])
        alive = self._filter.survivors(self._kernel.combine("pair", left_tags, right_tags))
        found = []
        for index, number in zip(
            alive.tolist(), (np.searchsorted(begins, alive, side="right") - 1).tolist(), strict=True
        ):
            pair = survey.pairs[number]
            at = index - int(begins[number])
            found.append((seen[pair.left], int(pair.one[at]), seen[pair.right], int(pair.other[at])))
        halves = self._halves({(each.field, index): each for pair in found for each, index in (pair[:2], pair[2:])})
        for left, one, right, other in found:
            yield _together(left, one, right, other, halves[left.field, one] + halves[right.field, other])

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
        for found in self._filter.survivors(tags).tolist():
            first, last = int(starts[found]), int(starts[found] + lengths[found])
            value = stream.units[first:last].tobytes().decode("utf-16-le", "surrogatepass")
            yield Alive(
                "keyword",
                value.encode("utf-8", "surrogatepass"),
                int(index[first]),
                int(index[last - 1]) + 1,
                FORMS[EXACT],
            )

    def _shingles(self, batch: Batch) -> Iterator[Alive]:
        """Yield shingles that the filter lets through; their spans are in the compact stream."""
        stream = batch.compact
        for kind in kinds().values():
            for grams in kind.GRAMS:
                tags, starts = passages.shingles(self._kernel, stream, grams)
                for index in self._filter.survivors(tags).tolist():
                    at = int(starts[index])
                    value = stream.units[at : at + grams.size].tobytes()
                    yield Alive(grams.field, value, at, at + grams.size, "excerpt")

    def _look_up(self, alive: Sequence[Alive], numbers: Sequence[int]) -> list[Hit]:
        """Return the postings of everything that survived; `numbers` are the pieces that they stand in."""
        by_field: dict[str, list[bytes]] = defaultdict(list)
        for value, field in dict.fromkeys((each.value, each.field) for each in alive):
            by_field[field].append(value)
        known: list[tuple[str, bytes]] = []
        ys: list[bytes] = []
        for field, values in by_field.items():
            ys.extend(self._evaluator.evaluate(field, values))
            known.extend((field, value) for value in values)
        chains = dict(zip(known, walk(self._store, ys, LONGEST_CHAIN), strict=True))
        names = by_code()
        return [
            Hit(
                each.field,
                payload,
                names[payload.kind],
                number,
                each.start,
                each.end,
                each.form,
                len(chain),
                "person_name" if "+" in each.field else "",
            )
            for each, number in zip(alive, numbers, strict=True)
            for chain in (chains[each.field, each.value],)
            for payload in chain
        ]


def _together(left: Sighted, one: int, right: Sighted, other: int, value: bytes) -> Alive:
    """Return a conjunction: its span covers both, and it is masked if one of them is."""
    masked = MASKED in (left.form[one], right.form[other])
    return Alive(
        f"{left.field}+{right.field}",
        value,
        min(int(left.start[one]), int(right.start[other])),
        max(int(left.end[one]), int(right.end[other])),
        FORMS[MASKED] if masked else FORMS[int(right.form[other])],
    )


def _batches(pages: Sequence[Sequence[Passage]]) -> Iterator[list[Piece]]:
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
    cuts = [*range(0, max(1, len(passage.text) - OVERLAP), PIECE), len(passage.text)]
    for first, last in pairwise(cuts):
        text = passage.text if len(cuts) == 2 else passage.text[first : last + OVERLAP]
        yield Piece(page, index, first, text, passage.ocr)
