"""Weighs the text that a page has in common with a record's notes.

Around the shingles that hit, the record's sealed sequence of hashed tokens is compared with the page. The excerpt they
have in common is worth its *surprise*, in bits: so much for each agreeing character, nothing for characters inside a
common phrase (`matchers.commonness`) or inside a template (a shingle of three records), less where the two texts differ
between the runs. And it must outweigh its surroundings: strangers' medical texts share sentences with notes and go on
in the same trade's words, differently; who quotes a note among other talk does not. So an excerpt in the midst of
common phrases that are not the record's counts for less.

The weighing is a log-likelihood ratio in spirit [Fellegi, Sunter 1969]: bits of the agreeing text under a background
model of what anybody writes; constants were set on one half of a development bench and confirmed on the other.
"""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from matchers import passages
from matchers.canonical import Folded
from matchers.commonness import Commonness
from matchers.compare import Agreement, agreements
from matchers.details import Details, TokenSequence, open_passages
from matchers.kernel import Kernel
from matchers.kinds import by_code
from matchers.sightings import Evidence, Hit

COMMON = 3
"""Records that share a shingle make it a template."""
AROUND = 600
"""Compact characters on both sides of the shingles that are compared."""
MOST_PLACES = 24
"""Places of one page that are compared with one record: those where most of its shingles stand together."""
MOST_ANCHORS = 4096
"""Shingles of one record on one passage that are looked at."""
HAN_BITS, LATIN_BITS = 1.5, 0.47
"""Bits of one agreeing character that is no common phrase."""
UNTAUGHT = 0.65
"""Share of them where too few notes were counted to know what is common."""
FEWEST_NOTES = 500
"""So many notes teach what is common."""
COMMON_SHARE_HAN, COMMON_SHARE_LATIN = 0.0, 0.1
"""What is left of them inside a common phrase."""
FEWEST_HAN, FEWEST_LATIN = 12, 44
"""Agreeing characters below which an excerpt is a phrase: a diagnosis that a note consists of, say."""
HAN_RUN, LATIN_RUN = 3, 6
"""Shortest run of agreeing tokens that counts."""
UNLIKE = 0.4
"""Similarity at which two texts on one subject agree by chance."""
SURROUNDINGS = 200
"""Characters on both sides of an excerpt that tell in what company it stands."""
COMPANY_HAN, COMPANY_LATIN = 0.15, 0.12
"""Share of common phrases in the surroundings that makes them a text of the trade."""
DISCOUNT_HAN, DISCOUNT_LATIN = 4.0, 8.0
"""An excerpt in the midst of such a text is worth 1 / (1 + this) of what it is worth elsewhere."""
LINKED = 2
"""Two shingles of a template belong together if they are no further apart than this times their length."""
FEWEST_AROUND = 40
"""Surroundings are measured as if they had at least so many characters."""
FURTHER_BITS = 6.0
"""Where a page has several excerpts of a passage, each counts with what it has beyond this, or the best one alone."""
MOST_EXCERPTS = 100
"""Excerpts of one passage that are added up."""
MOST_BITS = 40.0


class Quotations:
    """The text of one batch, and what of it records have in common."""

    def __init__(
        self,
        kernel: Kernel,
        stream: Folded,
        index: NDArray[np.int64],
        owner: NDArray[np.int64],
        hits: Sequence[Hit],
        commonness: Commonness | None = None,
    ) -> None:
        """Take the batch's compact stream, and for each of its units the index in the folded text and its passage.

        All hits of the batch are needed: shingles that many records share are templates. Hits of notes index the
        compact stream.
        """
        self._kernel = kernel
        self._stream = stream
        self._index = index
        self._owner = owner
        self._commonness = commonness
        self._template = _template(len(stream), hits)
        self._marks: dict[int, NDArray[np.bool_]] = {}
        taught = commonness is not None and commonness.notes >= FEWEST_NOTES
        self._rate = 1.0 if taught else UNTAUGHT

    def evidence(
        self, handle: bytes, note_hits: Sequence[Hit], sealed_details: bytes, details: Details
    ) -> list[Evidence]:
        """Return what each of the record's passages has in common with each of the page's; spans are in folded units.

        Only shingles of fewer than three records open a comparison; bits are at most `MOST_BITS`.
        """
        places: dict[tuple[int, int], list[Hit]] = defaultdict(list)
        for hit in note_hits:
            if hit.field.startswith("note_") and hit.sharers < COMMON:
                places[hit.payload.element, hit.passage].append(hit)
        if not places:
            return []
        opener = next(iter(places.values()))[0].payload
        sequences = {each.element: each for each in open_passages(sealed_details, opener.passage_key, handle)}
        found = []
        for (element, number), anchors in places.items():
            shared = self._shared(sequences[element], number, anchors, details.salt)
            bits = _together([amount for _, amount in shared])
            if bits > 0:
                best, _ = max(shared, key=lambda each: each[1])
                start, end = int(self._index[best.start]), int(self._index[best.end - 1]) + 1
                kind = by_code()[anchors[0].payload.kind]
                found.append(
                    Evidence((kind,), "passage", "excerpt", best.similarity, number, start, end, (bits,), "note")
                )
        return found

    def _shared(
        self, sequence: TokenSequence, number: int, anchors: list[Hit], salt: int
    ) -> list[tuple[Agreement, float]]:
        """Return the excerpts that a sequence has in common with a passage, and what each is worth.

        Their `start` and `end` index the compact stream; none overlap.
        """
        first, last = np.searchsorted(self._owner, (number, number + 1)).tolist()
        marks = self._common(number, first, last)
        han = sequence.width == passages.TOKEN_UNITS
        share, shortest = (COMMON_SHARE_HAN, HAN_RUN) if han else (COMMON_SHARE_LATIN, LATIN_RUN)
        found: list[Agreement] = []
        for cluster in _clusters(anchors):
            low = max(first, cluster[0].start - AROUND)
            high = min(last, cluster[-1].end + AROUND)
            offsets = [hit.payload.offset for hit in cluster]
            mine = sequence.tokens[max(0, min(offsets) - AROUND) : max(offsets) + AROUND].tolist()
            page = passages.tokens(self._kernel, self._stream.units[low:high], sequence.width, salt).tolist()
            worth = np.where(marks[low - first + sequence.width - 1 : high - first], share, 1.0).tolist()
            found += [
                Agreement(each.fresh, each.similarity, low + each.start, low + each.end + sequence.width - 1)
                for each in agreements(mine, page, shortest, worth)
            ]
        kept = _apart(found)
        strange = marks.copy()
        for each in kept:
            strange[each.start - first : each.end - first] = False
        rate = self._rate * (HAN_BITS if han else LATIN_BITS)
        return [(each, rate * _weight(each, han, strange, each.start - first, each.end - first)) for each in kept]

    def _common(self, number: int, first: int, last: int) -> NDArray[np.bool_]:
        """Return which characters of a passage are no surprise, computed when first needed."""
        known = self._marks.get(number)
        if known is None:
            known = self._template[first:last]
            if self._commonness is not None:
                stream = self._stream
                part = Folded(stream.units[first:last], stream.origin[first:last], stream.classes[first:last])
                known = known | self._commonness.marks(self._kernel, part)
            self._marks[number] = known
        return known


def _clusters(anchors: list[Hit]) -> list[list[Hit]]:
    """Return the places where shingles of the record stand together, those with most different ones first."""
    if len(anchors) > MOST_ANCHORS:
        anchors = anchors[:: -(-len(anchors) // MOST_ANCHORS)]
    clusters: list[list[Hit]] = []
    for hit in sorted(anchors, key=lambda each: each.start):
        if (
            clusters
            and hit.start - clusters[-1][-1].start <= AROUND // 2
            and hit.start - clusters[-1][0].start <= AROUND
        ):
            clusters[-1].append(hit)
        else:
            clusters.append([hit])
    clusters.sort(key=lambda each: -len({hit.payload.offset for hit in each}))
    return clusters[:MOST_PLACES]


def _apart(found: list[Agreement]) -> list[Agreement]:
    """Return the excerpts without those that overlap a better one."""
    kept: list[Agreement] = []
    for each in sorted(found, key=lambda each: -each.fresh * each.similarity)[:MOST_EXCERPTS]:
        if all(each.end <= other.start or other.end <= each.start for other in kept):
            kept.append(each)
    return kept


def _weight(excerpt: Agreement, han: bool, strange: NDArray[np.bool_], start: int, end: int) -> float:
    """Return the agreeing characters of an excerpt, as far as they count where it stands.

    `strange` marks the common phrases of the passage that are not the record's; `start` and `end` index it.
    """
    if excerpt.fresh < (FEWEST_HAN if han else FEWEST_LATIN):
        return 0.0
    likeness = max(0.0, (excerpt.similarity - UNLIKE) / (1 - UNLIKE))
    around = (strange[max(0, start - SURROUNDINGS) : start], strange[end : end + SURROUNDINGS])
    company = sum(int(part.sum()) for part in around) / max(FEWEST_AROUND, sum(map(len, around)))
    usual, discount = (COMPANY_HAN, DISCOUNT_HAN) if han else (COMPANY_LATIN, DISCOUNT_LATIN)
    return excerpt.fresh * likeness / (1 + discount * min(1.0, company / usual))


def _together(amounts: Sequence[float]) -> float:
    """Return the bits of several excerpts of one passage."""
    beyond = sum(max(0.0, amount - FURTHER_BITS) for amount in amounts)
    return min(MOST_BITS, max([beyond, *amounts]))


def _template(length: int, hits: Sequence[Hit]) -> NDArray[np.bool_]:
    """Mark the compact units of shingles that many records share: all that two of them span, of a lone one the last."""
    change = np.zeros(length + 1, np.int64)
    shared: dict[int, set[int]] = defaultdict(set)
    for hit in hits:
        if hit.field.startswith("note_") and hit.sharers >= COMMON:
            shared[hit.end - hit.start].add(hit.end)
    for size, ends in shared.items():
        before = -length
        for end in sorted(ends):
            change[before - size if end - before <= LINKED * size else end - 1] += 1
            change[end] -= 1
            before = end
    return np.cumsum(change[:-1]) > 0
