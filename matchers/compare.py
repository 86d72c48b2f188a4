"""How much of a record's passage stands on a page, from sequences of hashed tokens: no plaintext on either side."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from rapidfuzz.distance import LCSseq

WIDEST_GAP = 24
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


def agreement(
    record: Sequence[int], page: Sequence[int], shortest: int = 2, template: Sequence[bool] = ()
) -> Agreement:
    """Return the densest common excerpt, by longest common subsequence (bit-parallel, Hyyrö 2004).

    Runs below `shortest` tokens are chance. Page tokens marked in `template` agree with many records: they count
    neither as matched nor as different.
    """
    common = [0, *itertools.accumulate(template)] if template else [0] * (len(page) + 1)
    blocks = [
        (step.src_start, step.dest_start, step.src_end - step.src_start)
        for step in LCSseq.opcodes(record, page)
        if step.tag == "equal" and step.src_end - step.src_start >= shortest
    ]
    best = NOTHING
    group: list[tuple[int, int, int]] = []
    for block in blocks:
        if group and max(block[0] - _end(group, 0), block[1] - _end(group, 1)) > WIDEST_GAP:
            best = max(best, _measure(group, common), key=_rank)
            group = []
        group.append(block)
    return max(best, _measure(group, common), key=_rank)


def _end(group: list[tuple[int, int, int]], side: int) -> int:
    return group[-1][side] + group[-1][2]


def _rank(found: Agreement) -> float:
    return found.matched * found.similarity


def _measure(group: list[tuple[int, int, int]], common: Sequence[int]) -> Agreement:
    if not group:
        return NOTHING
    start, end = group[0][1], _end(group, 1)
    fresh = [length - (common[at + length] - common[at]) for _, at, length in group]
    templates = sum(length for _, _, length in group) - sum(fresh)
    span = max(end - start, _end(group, 0) - group[0][0]) - templates
    if span <= 0 or sum(fresh) == 0:
        return NOTHING
    return Agreement(sum(fresh), max(fresh), min(1.0, sum(fresh) / span), start, end)
