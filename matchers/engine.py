"""Passages → matches: finds on a page the records that were enrolled, without any of their values."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import log2
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from matchers.commonness import Commonness
from matchers.conjunctions import PARTNERS
from matchers.finding import MOST_LOOKUPS, Finder, batches
from matchers.interface import Evaluator, Examination, MatchingSettings, PostingStore, TagFilter
from matchers.judging import Batch, Evidence, Judge, Piece, judge, spans
from matchers.kernel import Kernel
from matchers.packing import BLOCK
from matchers.score import PAGE_BITS
from matchers.sightings import MOST_ELEMENTS, Hit, less_sure, weigh
from matchers.survey import LEFT, RIGHT, Surveyor, shapes
from matchers.threads import MOST_FOUND, BriefMemory, Half, Post, ThreadMemory, Trace, crossed
from model.match import Verdict
from model.page import Passage

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
    def of(cls, count: int, threads: Sequence[tuple[str, ...] | None] | None, memory: ThreadMemory | None) -> Self:
        """Return it for so many pages."""
        told = [each or () for each in threads or [None] * count]
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
        self._kernel = kernel
        self._store = store
        self._settings = settings
        self._records = records
        self._commonness = commonness
        self._surveyor = Surveyor(shapes(kernel, tag_filter), settings.window)
        self._finder = Finder(evaluator, kernel, tag_filter, store, self._surveyor)

    def examine(self, passages: Sequence[Passage]) -> Examination:
        """Return the examination of one page."""
        return self.examine_many([passages])[0]

    def examine_many(
        self,
        pages: Sequence[Sequence[Passage]],
        threads: Sequence[tuple[str, ...] | None] | None = None,
        memory: ThreadMemory | None = None,
    ) -> list[Examination]:
        """Return the examination of each page, in order; vector passes over many of them.

        `threads` says for each page to which threads it belongs, if to any, by their keys: what was split over posts of
        one is joined, in the order given, with what `memory` holds of it from before.
        """
        found: Found = defaultdict(lambda: defaultdict(list))
        capped: set[int] = set()
        joining = Joining.of(len(pages), threads, memory)
        for pieces in batches(pages):
            self._batch(pieces, joining, found, capped)
        self._join(joining, found)
        return [self._examination(found.get(number, {}), number in capped) for number in range(len(pages))]

    def hits(self, passages: Sequence[Passage]) -> list[Hit]:
        """Return every enrolled term that stands on a page, before anything is weighed: for tests and diagnosis."""
        alone = Joining.of(1, None, None)
        return [
            hit
            for pieces in batches([passages])
            for _, found, _ in self._finder.find(pieces, alone.posts)
            for hit in found
        ]

    def _examination(self, found: Mapping[bytes, Sequence[Evidence]], capped: bool) -> Examination:
        matches = (judge(handle, evidence, self._settings, self._records) for handle, evidence in found.items())
        ranked = sorted((match for match in matches if match is not None), key=lambda match: -match.score)
        return Examination(tuple(ranked), capped)

    def _batch(self, pieces: Sequence[Piece], joining: Joining, found: Found, capped: set[int]) -> None:
        """Add what one batch shows of each record on each page."""
        for batch, hits, full in self._finder.find(pieces, joining.posts):
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
                chosen = np.flatnonzero(wanted[at] & (batch.pieces_at(seen.end - 1) == at))
                kept = []
                for index, number in zip(chosen.tolist(), at[chosen].tolist(), strict=True):
                    post = posts[number]
                    if post is not None and post.has_room(side):
                        post.taken[side] += 1
                        kept.append((index, batch.pieces[number], post))
                if not kept:
                    continue
                places = np.array([index for index, _, _ in kept])
                blocks = self._kernel.blocks_of(name, seen.texts(places)).tobytes()
                first, last = spans(batch, seen.start[places], seen.end[places])
                forms = seen.form[places].tolist()
                for order, (_, piece, post) in enumerate(kept):
                    half = Half(name, blocks[BLOCK * order : BLOCK * (order + 1)], forms[order])
                    post.add(side, half, (piece.passage, first[order] + piece.offset, last[order] + piece.offset))

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
        for (passage, start, end), hit in self._finder.crossed(crossings, post):
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
