"""Passages → matches: finds on a page the records that were enrolled, without any of their values."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from matchers import judging, passages
from matchers.candidates import Sighted, Survey, survey
from matchers.canonical import fold_many
from matchers.conjunctions import joined
from matchers.interface import Evaluator, MatchingSettings, PostingStore, TagFilter
from matchers.kernel import Kernel
from matchers.kinds import by_code, kinds
from matchers.postings import walk
from matchers.sightings import Hit
from model.match import Match
from model.page import Passage

LONGEST_CHAIN = 64
"""Records that may share a value on a page; a value of more people says nothing of one."""
MOST_LOOKUPS = 20_000
"""Values of one page that are looked up after the filter; ordinary pages need a handful."""
COMMON = 3


@dataclass(frozen=True, slots=True)
class Examination:
    """What the examination of one page came to."""

    matches: tuple[Match, ...]
    """Leaks and suspicions, the surest first."""
    capped: bool
    """True if a cap was reached, so that part of the page was not compared: the page must be reported as such."""


class Engine:
    """Examines pages. Holds the evaluator and the kernel, hence the key; has no network."""

    def __init__(
        self,
        evaluator: Evaluator,
        kernel: Kernel,
        tag_filter: TagFilter,
        store: PostingStore,
        settings: MatchingSettings,
    ) -> None:
        """Take the parts; nothing is read yet."""
        self._evaluator = evaluator
        self._kernel = kernel
        self._filter = tag_filter
        self._store = store
        self._settings = settings

    def examine(self, passages: Sequence[Passage]) -> Examination:
        """Return the examination of one page."""
        return self.examine_many([passages])[0]

    def examine_many(self, pages: Sequence[Sequence[Passage]]) -> list[Examination]:
        """Return the examination of each page, in order; one vector pass over all of them."""
        flat = [passage for page in pages for passage in page]
        owner = [number for number, page in enumerate(pages) for _ in page]
        if not flat:
            return [Examination((), False) for _ in pages]
        seen = self._survey(flat)
        capped, kept = _capped(self._alive(seen), owner)
        hits = self._look_up(kept)
        return self._judge(pages, owner, seen, hits, capped | {owner[number] for number in seen.capped})

    def hits(self, passages: Sequence[Passage]) -> list[Hit]:
        """Return every enrolled term that stands on a page, before anything is weighed: for tests and diagnosis."""
        return self._look_up(self._alive(self._survey(passages)))

    def _survey(self, flat: Sequence[Passage]) -> Survey:
        """Return what may stand on the passages."""
        folded, starts = fold_many([passage.text for passage in flat])
        return survey(folded, starts, flat, self._settings.window)

    def _alive(self, seen: Survey) -> list[Sighted]:
        """Return everything that the filter lets through."""
        return [*self._alone(seen), *self._together(seen), *self._shingles(seen)]

    def _alone(self, seen: Survey) -> list[Sighted]:
        """Return sighted values that the filter lets through."""
        return [found for group in seen.alone.values() for found in self._surviving(group)]

    def _surviving(self, group: Sequence[Sighted]) -> Iterable[Sighted]:
        tags = self._kernel.tags_of(group[0].field, [found.text for found in group])
        return (group[index] for index in self._filter.survivors(tags).tolist())

    def _together(self, seen: Survey) -> list[Sighted]:
        """Return conjunctions that the filter lets through."""
        alive: list[Sighted] = []
        for field, (names, others, left, right) in seen.pairs.items():
            left_field, _, right_field = field.partition("+")
            left_tags = self._kernel.tags_of(left_field, [each.text for each in names])
            right_tags = self._kernel.tags_of(right_field, [each.text for each in others])
            tags = self._kernel.combine(field, left_tags[left], right_tags[right])
            for index in self._filter.survivors(tags).tolist():
                name, other = names[int(left[index])], others[int(right[index])]
                alive.append(
                    Sighted(
                        field,
                        joined(name.text, other.text),
                        "",
                        name.passage,
                        min(name.start, other.start),
                        max(name.end, other.end),
                        "masked" if "masked" in (name.form, other.form) else other.form,
                    )
                )
        return alive

    def _shingles(self, seen: Survey) -> list[Sighted]:
        """Return shingles that the filter lets through; their spans are in the compact stream's origin."""
        alive = []
        stream = seen.compact
        for kind in kinds().values():
            for grams in kind.GRAMS:
                tags, starts = passages.shingles(self._kernel, stream, grams)
                for index in self._filter.survivors(tags).tolist():
                    at = int(starts[index])
                    value = stream.units[at : at + grams.size].tobytes()
                    number = int(seen.compact_passage[at])
                    alive.append(Sighted(grams.field, value, "", number, at, at + grams.size, "excerpt"))
        return alive

    def _look_up(self, alive: Sequence[Sighted]) -> list[Hit]:
        """Return the postings of everything that survived."""
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
                each.passage,
                each.start,
                each.end,
                each.form,
                len(chain),
                "person_name" if "+" in each.field else "",
            )
            for each in alive
            for chain in (chains[each.field, each.value],)
            for payload in chain
        ]

    def _judge(
        self,
        pages: Sequence[Sequence[Passage]],
        owner: Sequence[int],
        seen: Survey,
        hits: Sequence[Hit],
        capped: set[int],
    ) -> list[Examination]:
        by_page: dict[int, dict[bytes, list[Hit]]] = defaultdict(lambda: defaultdict(list))
        for hit in hits:
            by_page[owner[hit.passage]][hit.payload.handle].append(hit)
        first = np.cumsum([0, *(len(page) for page in pages)]).tolist()
        details = self._store.details([handle for found in by_page.values() for handle in found])
        template = _template(len(seen.compact), hits)
        judge = judging.Judge(self._kernel, seen, self._settings, template)
        answers = []
        for number in range(len(pages)):
            matches = []
            for handle, found in by_page.get(number, {}).items():
                match = judge.match(handle, found, details.get(handle, b""), first[number])
                if match is not None:
                    matches.append(match)
            matches.sort(key=lambda match: -match.score)
            answers.append(Examination(tuple(matches), number in capped))
        return answers


def _template(length: int, hits: Sequence[Hit]) -> NDArray[np.bool_]:
    """Mark the compact units in and around the shingles that many records share."""
    change = np.zeros(length + 1, np.int64)
    for start, end in {(hit.start, hit.end) for hit in hits if hit.field.startswith("note_") and hit.sharers >= COMMON}:
        margin = (end - start) // 2
        change[max(0, start - margin)] += 1
        change[min(length, end + margin)] -= 1
    return np.cumsum(change[:-1]) > 0


def _capped(alive: Sequence[Sighted], owner: Sequence[int]) -> tuple[set[int], list[Sighted]]:
    """Return the pages that have too many survivors, and what is looked up: each page its share."""
    counts: dict[int, int] = defaultdict(int)
    kept = []
    for each in alive:
        counts[owner[each.passage]] += 1
        if counts[owner[each.passage]] <= MOST_LOOKUPS:
            kept.append(each)
    return {page for page, count in counts.items() if count > MOST_LOOKUPS}, kept
