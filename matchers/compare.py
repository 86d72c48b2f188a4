"""How much of a record's passage stands on a page, from sequences of hashed tokens: no plaintext on either side."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from rapidfuzz.distance import LCSseq

WIDEST_GAP = 24
"""Tokens between two runs that still belong to one excerpt."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """An excerpt that two sequences have in common."""

    fresh: float
    """What its agreeing tokens are worth together: their number, as far as they are no common phrase."""
    similarity: float
    """Share of the excerpt's tokens that agree, 0 … 1."""
    start: int
    """First token of the excerpt in the page's sequence."""
    end: int
    """One past its last token."""


def agreements(record: Sequence[int], page: Sequence[int], shortest: int, worth: Sequence[float]) -> list[Agreement]:
    """Return the common excerpts, by longest common subsequence (bit-parallel, Hyyrö 2004).

    Runs below `shortest` tokens are chance. `worth` has what each token of the page is worth: 1 if it surprises, next
    to nothing inside a common phrase. More than `WIDEST_GAP` tokens without a run end an excerpt.
    """
    total = [0.0, *itertools.accumulate(worth)]
    found = []
    group: list[tuple[int, int, int]] = []
    for step in LCSseq.opcodes(record, page):
        length = step.src_end - step.src_start
        if step.tag != "equal" or length < shortest:
            continue
        block = (step.src_start, step.dest_start, length)
        if group and max(block[0] - _end(group, 0), block[1] - _end(group, 1)) > WIDEST_GAP:
            found.append(_measure(group, total))
            group = []
        group.append(block)
    if group:
        found.append(_measure(group, total))
    return found


def _end(group: list[tuple[int, int, int]], side: int) -> int:
    return group[-1][side] + group[-1][2]


def _measure(group: list[tuple[int, int, int]], total: Sequence[float]) -> Agreement:
    start, end = group[0][1], _end(group, 1)
    span = max(end - start, _end(group, 0) - group[0][0])
    matched = sum(length for _, _, length in group)
    fresh = sum(total[at + length] - total[at] for _, at, length in group)
    return Agreement(fresh, min(1.0, matched / span), start, end)
