"""Weighs what was seen of one record: its identifiers and conjunctions, its text, and what supports them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from matchers import passages
from matchers.candidates import Survey, names_near
from matchers.compare import NOTHING, Agreement, agreement
from matchers.details import Details, TokenSequence, open_details, open_passages, support_mask
from matchers.interface import MatchingSettings
from matchers.kernel import Kernel
from matchers.kinds import by_code
from matchers.sightings import Evidence, Hit, judge, weigh
from model.match import Match

COMMON = 3
"""Records that share a shingle make it a template."""
AROUND = 600
"""Compact characters around the shingles that are compared."""
NEAR = 100
"""Characters around a hit in which supporting elements are looked for."""
HAN_BITS, LATIN_BITS = 1.5, 0.5
"""Bits of one agreeing character of text."""
HAN_RUN, LATIN_RUN = 3, 6
"""Shortest run of agreeing tokens that counts."""
UNLIKE = 0.4
"""Similarity at which two texts on one subject agree by chance."""
MOST_TEXT_BITS = 40.0
NAME_SUPPORT_BITS = 8.0
"""A name proved by a supporting tag of 16 bits among some candidates is worth no more."""


def _text_bits(excerpt: Agreement, width: int) -> float:
    """Return the bits of an excerpt: its agreeing characters, less for what differs between them."""
    rate = HAN_BITS if width == passages.TOKEN_UNITS else LATIN_BITS
    likeness = max(0.0, (excerpt.similarity - UNLIKE) / (1 - UNLIKE))
    return min(MOST_TEXT_BITS, rate * (excerpt.matched + width - 1) * likeness)


class Judge:
    """Weighs the records seen on the pages of one batch."""

    def __init__(
        self, kernel: Kernel, seen: Survey, settings: MatchingSettings, template: NDArray[np.bool_]
    ) -> None:
        """Take the batch; `template` marks the compact units that stand in phrases of many records."""
        self._kernel = kernel
        self._seen = seen
        self._settings = settings
        self._template = template

    def match(self, handle: bytes, hits: Sequence[Hit], sealed: bytes, first: int) -> Match | None:
        """Return the match of one record with one page whose first passage is number `first`, or None."""
        evidence = weigh(hits)
        if sealed:
            details = open_details(sealed, hits[0].payload.record_key, handle)
            evidence += self._text(handle, hits, sealed, details)
            evidence += self._address(hits)
            evidence += self._support(details, evidence)
        spans = [self._characters(each) for each in evidence]
        shown = [
            Evidence(
                each.kinds, each.role, each.form, each.similarity, each.passage - first,
                each.start, each.end, each.bits, each.group,
            )
            for each in evidence
        ]  # fmt: skip
        return judge(handle, shown, self._settings, spans)

    def _text(self, handle: bytes, hits: Sequence[Hit], sealed: bytes, details: Details) -> list[Evidence]:
        """Compare the record's passages with the page around rare shingles."""
        rare = [hit for hit in hits if hit.field.startswith("note_") and hit.sharers < COMMON]
        if not rare:
            return []
        found = []
        for sequence in open_passages(sealed, rare[0].payload.passage_key, handle):
            for number in sorted({hit.passage for hit in rare}):
                anchors = [hit for hit in rare if hit.passage == number and hit.payload.element == sequence.element]
                best = self._best(sequence, anchors, details.salt)
                if best is None:
                    continue
                excerpt, start, end = best
                bits = _text_bits(excerpt, sequence.width)
                kind = by_code()[anchors[0].payload.kind]
                found.append(
                    Evidence((kind,), "passage", "excerpt", excerpt.similarity, number, start, end, (bits,), "note")
                )
        return found

    def _best(
        self, sequence: TokenSequence, anchors: Sequence[Hit], salt: int
    ) -> tuple[Agreement, int, int] | None:
        """Return the best common excerpt and its span in folded units."""
        if not anchors:
            return None
        anchors = sorted(anchors, key=lambda hit: hit.start)
        best, low_at = NOTHING, 0
        stream = self._seen.compact
        done = -1
        shortest = HAN_RUN if sequence.width == passages.TOKEN_UNITS else LATIN_RUN
        for anchor in anchors[:64]:
            if anchor.start < done:
                continue
            low, high = self._within(anchor, anchor.start - AROUND, anchor.start + AROUND)
            offset = anchor.payload.offset
            mine = sequence.tokens[max(0, offset - AROUND) : offset + AROUND].tolist()
            page = passages.tokens(self._kernel, stream.units[low:high], sequence.width, salt).tolist()
            excerpt = agreement(mine, page, shortest, self._template[low : low + len(page)].tolist())
            if excerpt.matched * excerpt.similarity > best.matched * best.similarity:
                best, low_at = excerpt, low
                done = low + excerpt.end
        if best.matched == 0:
            return None
        index = self._seen.compact_index
        last = min(low_at + best.end + sequence.width - 2, len(index) - 1)
        return best, int(index[low_at + best.start]), int(index[last]) + 1

    def _within(self, anchor: Hit, low: int, high: int) -> tuple[int, int]:
        """Return the range of the compact stream, cut to the anchor's passage."""
        owner = self._seen.compact_passage
        first = int(np.searchsorted(owner, anchor.passage))
        last = int(np.searchsorted(owner, anchor.passage, side="right"))
        return max(low, first), min(high, last)

    def _address(self, hits: Sequence[Hit]) -> list[Evidence]:
        """Weigh pieces of the address: one, or two and more."""
        rare = [hit for hit in hits if hit.field.startswith("address_")]
        if not rare:
            return []
        pieces = {hit.payload.offset for hit in rare}
        bits = rare[0].payload.weight / 256 * min(2, len(pieces))
        index = self._seen.compact_index
        number = rare[0].passage
        here = [hit for hit in rare if hit.passage == number]
        start = int(index[min(hit.start for hit in here)])
        end = int(index[max(hit.end for hit in here) - 1]) + 1
        kind = by_code()[rare[0].payload.kind]
        return [Evidence((kind,), "supporting", "exact", 1.0, number, start, end, (bits,), "address")]

    def _support(self, details: Details, evidence: Sequence[Evidence]) -> list[Evidence]:
        """Return weak values of the record that stand near what was found."""
        have = {kind for each in evidence for kind in each.kinds}
        spans: dict[int, list[tuple[int, int]]] = {}
        for each in evidence:
            spans.setdefault(each.passage, []).append((each.start, each.end))
        found = []
        for support in details.support:
            kind = by_code()[support.kind]
            if kind in have or (support.field == "birth_date" and "resident_id" in have):
                continue
            for number, places in spans.items():
                near = self._candidates(support.field, number, places)
                if not near:
                    continue
                tags = self._kernel.tags_of(support.field, [value for value, _, _ in near])
                salted = self._kernel.combine("support", tags, np.full(len(tags), details.salt, np.uint64))
                agree = np.flatnonzero((salted & support_mask(support.field)) == np.uint64(support.tag))
                if len(agree):
                    _, start, end = near[int(agree[0])]
                    bits = min(support.weight / 256, NAME_SUPPORT_BITS)
                    found.append(Evidence((kind,), "supporting", "exact", 1.0, number, start, end, (bits,), "support"))
                    break
        return found

    def _candidates(
        self, field: str, number: int, places: Sequence[tuple[int, int]]
    ) -> list[tuple[str, int, int]]:
        """Return values of a weak field near the places, with their spans."""
        base = int(self._seen.starts[number])
        if field == "name":
            text = self._seen.texts[number]
            local = [(start - base, end - base) for start, end in places[:16]]
            names = names_near(text, local, NEAR, self._seen.passages[number].ocr)
            return [(each.value, each.start + base, each.end + base) for each in names if each.field == "name"]
        return [
            (each.text, each.start, each.end)
            for each in self._seen.partners.get(number, [])
            if each.field == field
            and any(start - 2 * NEAR <= each.start and each.end <= end + 2 * NEAR for start, end in places)
        ]

    def _characters(self, each: Evidence) -> tuple[int, int]:
        """Return the span in characters of the passage's original text."""
        origin = self._seen.folded.origin
        return int(origin[each.start]), int(origin[each.end - 1]) + 1
