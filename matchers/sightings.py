"""What was seen of one record on one page, and the match it comes to."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from matchers.conjunctions import PUBLIC
from matchers.interface import MatchingSettings
from matchers.postings import Payload
from matchers.score import score
from model.match import Element, Match, Verdict

WEIGHT_UNIT = 256.0
SLIP = 0.7
"""Share of its bits that a number keeps which agrees only after a slip was undone."""
SLIP_CEILING = 0.5
"""Best score of such numbers alone: another person's may differ by one digit."""
AGAINST = "against"
"""Role of evidence that speaks against: what the page shows is not the record's."""
HEADS, TAILS = ("_head", "_start"), "_tail"
"""Endings of the fields that hold the two ends of a value."""
MOST_OF_PIECES = 24.0
"""Bits of both ends of a value together."""
MOST_ELEMENTS = 40
"""Elements listed in one match, the weightiest first."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One term of a record that stands on the page."""

    field: str
    payload: Payload
    kind: str
    passage: int
    start: int
    end: int
    """Span in folded units of the batch."""
    form: str
    sharers: int
    """Records that have the same value."""
    name_kind: str = ""
    """For conjunctions with a name: its kind."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One agreement, weighed."""

    kinds: tuple[str, ...]
    role: str
    form: str
    similarity: float
    passage: int
    start: int
    end: int
    bits: tuple[float, ...]
    """Bits for each kind, in the order of `kinds`."""
    group: str
    """Evidence of one group says the same thing: the best counts."""
    joined: bool = False
    """All or part of it stood in another post."""


def less_sure(evidence: Evidence, chances: float) -> Evidence:
    """Return evidence without so many bits, taken from all of its kinds alike."""
    share = chances / len(evidence.bits)
    return replace(evidence, bits=tuple(max(0.0, amount - share) for amount in evidence.bits))


def weigh(hits: Sequence[Hit]) -> list[Evidence]:
    """Return identifiers and conjunctions as evidence; shingles are weighed by comparison."""
    found = []
    for hit in hits:
        if hit.field.startswith(("note_", "address_")) or hit.field == PUBLIC:
            continue
        bits = hit.payload.weight / WEIGHT_UNIT
        if hit.form == "typo" and not hit.name_kind:
            bits *= SLIP
        kinds: tuple[str, ...] = (hit.kind,)
        amounts: tuple[float, ...] = (bits,)
        if hit.name_kind:
            kinds, amounts = (hit.name_kind, *kinds), (hit.payload.offset / WEIGHT_UNIT, *amounts)
        role = "conjunction" if hit.name_kind else "primary"
        group = hit.field.partition("+")[2] or hit.field
        found.append(Evidence(kinds, role, hit.form, 1.0, hit.passage, hit.start, hit.end, amounts, group))
    return found


def total(evidence: Sequence[Evidence]) -> dict[str, float]:
    """Return bits per kind: the best of each group; pieces of one value add up to no more than the whole."""
    groups: dict[str, dict[str, float]] = defaultdict(dict)
    against = [each for each in evidence if each.role == AGAINST]
    for each in evidence:
        for kind, amount in zip(each.kinds, each.bits, strict=True):
            if each.role == AGAINST:
                continue
            group = each.group if kind != "person_name" else "name"
            groups[kind][group] = max(amount, groups[kind].get(group, 0.0))
    bits: dict[str, float] = {}
    for kind, by_group in groups.items():
        heads = max((amount for group, amount in by_group.items() if group.endswith(HEADS)), default=0.0)
        tails = max((amount for group, amount in by_group.items() if group.endswith(TAILS)), default=0.0)
        bits[kind] = max(*by_group.values(), min(MOST_OF_PIECES, heads + tails))
    if any(each.group == "resident_id" for each in evidence):
        bits.pop("birth_date", None)  # it is part of the number
    for each in against:
        if each.kinds[0] not in bits:
            bits[each.kinds[0]] = each.bits[0]
    return bits


def judge(handle: bytes, evidence: Sequence[Evidence], settings: MatchingSettings, records: int) -> Match | None:
    """Return the match that the evidence comes to among so many records, or None."""
    result = score(total(evidence), records)
    main = [each for each in evidence if each.role != "supporting"]
    if main and all(each.form == "typo" and each.role == "primary" for each in main):
        result = min(result, SLIP_CEILING)
    if result < settings.suspicious:
        return None
    verdict = Verdict.LEAK if result >= settings.leak else Verdict.SUSPICIOUS
    elements = {
        Element(
            each.kinds, each.role, each.form, round(each.similarity, 3), each.passage, each.start, each.end, each.joined
        ): sum(each.bits)
        for each in evidence
        if each.role != AGAINST
    }
    ranked = sorted(elements, key=lambda element: (-elements[element], element.passage, element.start))
    return Match(handle, verdict, result, tuple(ranked[:MOST_ELEMENTS]))
