"""How much of a record's passage stands on a page, from sequences of hashed tokens: no plaintext on either side."""

from collections.abc import Sequence
from dataclasses import dataclass

from rapidfuzz.distance import LCSseq

SHORTEST_BLOCK = 2
"""Shorter runs of equal tokens are chance."""
WIDEST_GAP = 60
"""Tokens between two runs that still belong to one excerpt."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """The best excerpt that two sequences have in common."""

    matched: int
    """Tokens in common, in order."""
    longest: int
    """Tokens of the longest run without a difference."""
    similarity: float
    """Share of the excerpt's tokens that agree, 0 … 1."""
    start: int
    """First token of the excerpt in the page's sequence."""
    end: int
    """One past its last token."""


NOTHING = Agreement(0, 0, 0.0, 0, 0)


def agreement(record: Sequence[int], page: Sequence[int]) -> Agreement:
    """Return the densest common excerpt, by longest common subsequence (bit-parallel, Hyyrö 2004)."""
    blocks = [
        (step.src_start, step.dest_start, step.src_end - step.src_start)
        for step in LCSseq.opcodes(record, page)
        if step.tag == "equal" and step.src_end - step.src_start >= SHORTEST_BLOCK
    ]
    best = NOTHING
    group: list[tuple[int, int, int]] = []
    for block in blocks:
        if group and max(block[0] - _end(group, 0), block[1] - _end(group, 1)) > WIDEST_GAP:
            best = max(best, _measure(group), key=_rank)
            group = []
        group.append(block)
    return max(best, _measure(group), key=_rank)


def _end(group: list[tuple[int, int, int]], side: int) -> int:
    return group[-1][side] + group[-1][2]


def _rank(found: Agreement) -> float:
    return found.matched * found.similarity


def _measure(group: list[tuple[int, int, int]]) -> Agreement:
    if not group:
        return NOTHING
    matched = sum(length for _, _, length in group)
    start, end = group[0][1], _end(group, 1)
    span = max(end - start, _end(group, 0) - group[0][0])
    return Agreement(matched, max(length for _, _, length in group), matched / span, start, end)
