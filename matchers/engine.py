"""Passages → matches: finds on a page the records that were enrolled, without any of their values."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import log2
from typing import Final, Self

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
from matchers.postings import Payload, walk
from matchers.scanners.sink import EXACT, FORMS, MASKED
from matchers.score import PAGE_BITS
from matchers.sightings import MOST_ELEMENTS, Hit, less_sure, weigh
from matchers.survey import LEFT, RIGHT, Sighted, Survey, Surveyor, shapes
from matchers.threads import MOST_FOUND, BriefMemory, Crossing, Half, Post, ThreadMemory, Trace, crossed
from model.match import Match, Verdict
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
    piece: int
    """Number of the piece that holds it."""


_NO_TAGS: Final = np.zeros(0, np.uint64)
Found = dict[int, dict[bytes, list[Evidence]]]
"""Page → handle → what speaks of the record."""


@dataclass(slots=True)
class Joining:
    """Which pages belong to threads, and what is remembered of these."""

    threads: Sequence[tuple[str, ...]]
    """For each page the keys of its threads; none if it belongs to none."""
    memory: ThreadMemory
    begun: dict[int, Post]
    """Posts that were begun and are not yet joined, by page."""

    @classmethod
    def of(cls, count: int, threads: Sequence[Sequence[str] | None] | None, memory: ThreadMemory | None) -> Self:
        """Return it for so many pages."""
        told = [tuple(each or ()) for each in threads or [None] * count]
        return cls(told, memory or BriefMemory(), {})

    def posts(self, pieces: Sequence[Piece], starts: NDArray[np.int64], length: int) -> NDArray[np.int64] | None:
        """Return first and last unit of each piece that belongs to a thread, or None if none does."""
        ends = np.append(starts[1:] - 1, length)
        chosen = [number for number, piece in enumerate(pieces) if self.threads[piece.page]]
        return np.stack([starts.take(chosen), ends.take(chosen)], axis=1) if chosen else None

    def recall(self, page: int) -> list[Trace]:
        """Return what is remembered of the threads of a page: of each post once."""
        known: list[Trace] = []
        for thread in self.threads[page]:
            known += [trace for trace in self.memory.recall(thread) if trace not in known]
        return known

    def names_before(self, page: int) -> NDArray[np.uint64]:
        """Return the filter tags of the whole names that earlier posts of the page's threads show."""
        blocks = [half.block for trace in self.recall(page) for half in trace.left if half.field == "name"]
        return np.frombuffer(b"".join(blocks), np.uint64)[::2].copy()

    def remember(self, page: int, trace: Trace) -> None:
        """Keep the trace of a page in each of its threads, unless it is of no use."""
        for thread in self.threads[page] if trace.left or trace.right or trace.found else ():
            self.memory.remember(thread, trace)


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
        threads: Sequence[Sequence[str] | None] | None = None,
        memory: ThreadMemory | None = None,
    ) -> list[Examination]:
        """Return the examination of each page, in order; vector passes over many of them.

        `threads` says for each page to which threads it belongs, if to any, by their keys: what was split over posts of
        one is joined, in the order given, with what `memory` holds of it from before.
        """
        found: Found = defaultdict(lambda: defaultdict(list))
        capped: set[int] = set()
        joining = Joining.of(len(pages), threads, memory)
        for pieces in _batches(pages):
            self._batch(pieces, joining, found, capped)
        self._join(joining, found)
        return [self._examination(found.get(number, {}), number in capped) for number in range(len(pages))]

    def hits(self, passages: Sequence[Passage]) -> list[Hit]:
        """Return every enrolled term that stands on a page, before anything is weighed: for tests and diagnosis."""
        alone = Joining.of(1, None, None)
        return [hit for pieces in _batches([passages]) for _, found, _ in self._hits(pieces, alone) for hit in found]

    def _examination(self, found: Mapping[bytes, Sequence[Evidence]], capped: bool) -> Examination:
        matches = (judge(handle, evidence, self._settings, self._records) for handle, evidence in found.items())
        ranked = sorted((match for match in matches if match is not None), key=lambda match: -match.score)
        return Examination(tuple(ranked), capped)

    def _batch(self, pieces: Sequence[Piece], joining: Joining, found: Found, capped: set[int]) -> None:
        """Add what one batch shows of each record on each page."""
        for batch, hits, full in self._hits(pieces, joining):
            capped |= full
            self._halve(batch, joining)
            self._weigh(batch, hits, joining, found)

    def _weigh(self, batch: Batch, hits: Sequence[Hit], joining: Joining, found: Found) -> None:
        """Add the evidence of a batch, page by page: a post of a thread is joined with those before it."""
        by_page: dict[int, dict[bytes, list[Hit]]] = defaultdict(lambda: defaultdict(list))
        for hit in hits:
            by_page[batch.page_of(hit.passage)][hit.payload.handle].append(hit)
        details = self._store.details([handle for some in by_page.values() for handle in some]) if hits else {}
        weighing = Judge(self._kernel, batch, self._surveyor, hits, self._commonness) if hits else None
        for page in sorted({piece.page for piece in batch.pieces}):
            self._join(joining, found, before=page)
            names = joining.names_before(page) if page in by_page else _NO_TAGS
            for handle, some in by_page.get(page, {}).items():
                assert weighing is not None
                found[page][handle] += weighing.evidence(handle, some, details.get(handle, b""), names)

    def _halve(self, batch: Batch, joining: Joining) -> None:
        """Add to each post of a thread what a batch shows of it that may be half of a conjunction."""
        posts = [
            joining.begun.setdefault(piece.page, Post()) if joining.threads[piece.page] else None
            for piece in batch.pieces
        ]
        wanted = np.array([post is not None for post in posts])
        if not wanted.any():
            return
        for side, names in enumerate((LEFT, RIGHT)):
            for name in names:
                seen = batch.survey.seen[name]
                at = batch.pieces_at(seen.start)
                kept = []
                for index in np.flatnonzero(wanted[at] & (batch.pieces_at(seen.end - 1) == at)).tolist():
                    post = posts[at[index]]
                    if post is not None and post.has_room(side):
                        post.taken[side] += 1
                        kept.append((index, int(at[index]), post))
                if not kept:
                    continue
                blocks = self._kernel.blocks_of(name, [seen.text(index) for index, _, _ in kept])
                for (index, number, post), block in zip(kept, blocks, strict=True):
                    span = batch.characters(number, int(seen.start[index]), int(seen.end[index]))
                    half = Half(name, block.tobytes(), int(seen.form[index]))
                    post.add(side, half, (batch.pieces[number].passage, *span))

    def _join(self, joining: Joining, found: Found, before: int | None = None) -> None:
        """Join the posts that were begun with what their threads showed before, and remember them, in order.

        Posts from page `before` on wait: there is more of them to come.
        """
        for page in sorted(page for page in joining.begun if before is None or page < before):
            self._join_post(page, joining.begun.pop(page), joining, found[page])

    def _join_post(self, page: int, post: Post, joining: Joining, here: dict[bytes, list[Evidence]]) -> None:
        """Add to the evidence of one post what its threads showed before, and remember it."""
        trace = post.trace(self._worth_remembering(here))
        before = joining.recall(page)
        joining.remember(page, trace)
        crossings = crossed(before, trace, PARTNERS, MOST_LOOKUPS)
        # the prior allows for what a page tries by itself; all that a thread tries is more
        chances = log2(1 + sum(len(crossing.one) for crossing in crossings) / 2**PAGE_BITS)
        for (passage, start, end), hit in self._crossed(crossings, post):
            here[hit.payload.handle] += [
                replace(less_sure(each, chances), passage=passage, start=start, end=end, joined=True)
                for each in weigh([hit])
            ]
        for handle, evidence in here.items():
            if not evidence:
                continue
            seen = evidence[0]
            here[handle] = evidence + [
                replace(each, passage=seen.passage, start=seen.start, end=seen.end, joined=True)
                for earlier in before
                for each in earlier.found.get(handle, ())
            ]

    def _worth_remembering(self, here: Mapping[bytes, Sequence[Evidence]]) -> dict[bytes, tuple[Evidence, ...]]:
        """Return what was found of records, the most telling first, without those that are a leak already."""
        kept = [
            (handle, sorted(evidence, key=lambda each: -sum(each.bits))[:MOST_ELEMENTS])
            for handle, evidence in here.items()
            if evidence
        ]
        kept.sort(key=lambda each: -sum(each[1][0].bits))
        matches = {handle: judge(handle, evidence, self._settings, self._records) for handle, evidence in kept}
        open_ones = [each for each in kept if (match := matches[each[0]]) is None or match.verdict is not Verdict.LEAK]
        return {handle: tuple(evidence) for handle, evidence in open_ones[:MOST_FOUND]}

    def _crossed(self, crossings: Sequence[Crossing], post: Post) -> Iterator[tuple[tuple[int, int, int], Hit]]:
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

    def _hits(self, pieces: Sequence[Piece], joining: Joining) -> Iterator[tuple[Batch, list[Hit], set[int]]]:
        """Yield the batch, the terms of records that stand in it, and the pages that reached a cap.

        Where there is too little room for what the batch may hold, it is taken apart, so that a hostile page does not
        harm others, and only what is too much for the smallest piece is left out.
        """
        folded, starts = fold_many([piece.text for piece in pieces])
        survey = self._surveyor.survey(folded, joining.posts(pieces, starts, len(folded)))
        smaller = _smaller(pieces) if survey.dropped >= 0 else []
        if smaller:
            for piece in smaller:
                yield from self._hits([piece], joining)
            return
        batch = Batch(pieces, folded, starts, survey)
        capped = {piece.page for piece in pieces} if survey.dropped >= 0 else set()
        alive = self._wanted(
            batch, [*self._values(survey, starts), *self._phrases(batch), *self._shingles(batch)], capped
        )
        yield batch, self._counted(batch, self._look_up(alive), capped), capped

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
