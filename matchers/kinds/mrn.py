"""Record numbers of a hospital: medical record, admission, card and insurance numbers.

Canonical is the letters and digits alone. Their form is the hospital's own, so rarity is counted from the length:
3.3 bits per digit and 2 per letter, less 6, at most 26. A short number alone means nothing: order and file numbers look
alike. Where the hospital's form is known, the linkage schema may give it (`pattern:`), and other values are refused.
"""

import re
from collections.abc import Iterator

from matchers.cells import canonical
from matchers.digits import Run, runs
from matchers.kinds.kind import Found, Grams, Term

CODE = 4
ROLE = "primary"
GRAMS: tuple[Grams, ...] = ()

_TOKEN = re.compile(r"(?<![a-z0-9])(?=[a-z]*[0-9])[0-9a-z]{5,20}(?![a-z0-9])")
_PREFIX = re.compile(r"([a-z]{1,6})[ \-_.:/]{0,2}$")
_MOST_GROUPS = 12

SHOULD_MATCH = (
    ("MR20417733", "病历号 MR20417733"),
    ("B-8726732", "B872/6732"),
    ("930-055-729", "930 055 729"),
    ("2023559227", "住院号2023559227，"),
    ("ZY77669742", "ZY 77669742"),
)
SHOULD_NOT = (
    ("MR20417733", "MR20417734"),
    ("2023559227", "20235592278"),
)


def canonicalise(value: str) -> str:
    """Return letters and digits."""
    kept = re.sub(r"[^0-9a-z]", "", canonical(value))
    if sum(character.isdigit() for character in kept) < 4:
        raise ValueError("not a record number: it needs at least four digits")
    if len(kept) > 30:
        raise ValueError("not a record number: it is longer than 30 characters")
    return kept


def terms(canonical: str) -> tuple[Term, ...]:
    """Return the number and, if it is long enough, its last five characters."""
    digits = sum(character.isdigit() for character in canonical)
    whole = Term("number", canonical, min(26.0, 3.3 * digits + 2.0 * (len(canonical) - digits) - 6))
    return (whole, Term("number_tail", canonical[-5:], 14.0)) if len(canonical) >= 7 else (whole,)


def candidates(text: str, ocr: bool) -> Iterator[Found]:
    """Yield tokens with digits, and groups of digits joined, with the letters before them."""
    for match in _TOKEN.finditer(text):
        token = match.group()
        if not token.isdigit():
            yield Found("number", token, *match.span())
            if len(token) >= 7:
                yield Found("number_tail", token[-5:], *match.span(), "typo")
    for run in runs(text, 4):
        yield from _joined(text, run)


def _joined(text: str, run: Run) -> Iterator[Found]:
    """Yield neighbouring groups of one run as one number."""
    groups = run.groups
    before = _PREFIX.search(text, max(0, run.at[0] - 9), run.at[0])
    for first, start in enumerate(groups[:-1]):
        for end in groups[first + 1 : first + _MOST_GROUPS]:
            size = end - start
            if size > 18:
                break
            if size < 4:
                continue
            value, (at, to) = run.digits[start:end], run.span(start, end)
            if size >= 5:
                yield Found("number", value, at, to)
            if size >= 7:
                yield Found("number_tail", value[-5:], at, to, "typo")
            if before and start == 0:
                letters = before.group(1)
                for cut in range(len(letters)):
                    yield Found("number", letters[cut:] + value, before.start(1) + cut, to)
