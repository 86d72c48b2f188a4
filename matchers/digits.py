"""Runs of digits as people write them: grouped, spaced, wrapped, with the borders between groups remembered."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

SEPARATORS = r"[ \t\n\-_.,/()\\|·:;'\"<>\[\]{}~+=]"
_RUN = re.compile(rf"[0-9](?:{SEPARATORS}{{0,3}}[0-9])*(?:{SEPARATORS}{{0,1}}x(?![a-z0-9]))?")
PIECE, OVERLAP = 4_000, 60
"""A run longer than `PIECE` digits is read in pieces that overlap by more than any number is long."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run of digits with the separators taken out."""

    digits: str
    """0-9, and an x at the end where one follows."""
    at: tuple[int, ...]
    """Where each digit stands in the text."""
    groups: tuple[int, ...]
    """Indices in `digits` at which a group begins; the last entry is the end."""
    plus: bool
    """A plus sign stands before it."""

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return the span in the text of the digits start … end-1."""
        return self.at[start], self.at[end - 1] + 1


def runs(text: str, fewest: int = 4) -> Iterator[Run]:
    """Yield every run of at least `fewest` digits."""
    for match in _RUN.finditer(text):
        if match.end() - match.start() < fewest:
            continue
        first = match.start()
        piece = match.group()
        at = [first + index for index, character in enumerate(piece) if character.isdigit() or character == "x"]
        if len(at) < fewest:
            continue
        for begin in range(0, max(1, len(at) - OVERLAP), PIECE):
            yield _run(text, at[begin : begin + PIECE + OVERLAP])


def _run(text: str, at: list[int]) -> Run:
    """Return the run of the digits at these places."""
    digits = "".join(text[index] for index in at)
    groups = [0, *(i for i in range(1, len(at)) if at[i] != at[i - 1] + 1), len(at)]
    return Run(digits, tuple(at), tuple(groups), text[max(0, at[0] - 3) : at[0]].rstrip(" (").endswith("+"))
