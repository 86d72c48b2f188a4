"""Taiwan identity numbers: a letter, a digit for the sex (1, 2; residents 8, 9) and eight digits, the last a check.

Canonical is the ten characters; the old permits of foreign residents have two letters. The check is modulus 10 with
weights 1, 9, 8, … 1, 1 over the letter's two-digit code (Department of Household Registration; python-stdnum knows
business numbers only). Rarity: 26 letters, two sexes, ten million each, a fifth of them issued: 26 bits; 21 with a
wrong check digit.
"""

import re

from matchers.canonical import canonical
from matchers.kinds.kind import Grams, Term, compact, number_terms

CODE = 15
ROLE = "primary"
GRAMS: tuple[Grams, ...] = ()

_FORM = re.compile(r"[a-z][0-9a-d]\d{8}")
_CODES = {letter: 10 + place for place, letter in enumerate("abcdefghjklmnpqrstuvxywzio")}

SHOULD_MATCH = (
    ("A123456789", "身分證字號 A123456789"),
    ("a-123456789", "A1 2345 6789"),
)
SHOULD_NOT = (("A123456789", "A123456798"),)


def canonicalise(value: str) -> str:
    """Return the ten characters."""
    kept = compact(canonical(value))
    if not _FORM.fullmatch(kept):
        raise ValueError("not a Taiwan identity number: a letter and nine digits are expected")
    return kept


def slip(canonical: str) -> bool:
    """Return whether the check digit is wrong."""
    second = str(_CODES[canonical[1]] % 10) if canonical[1].isalpha() else canonical[1]
    tens, ones = divmod(_CODES[canonical[0]], 10)
    digits = [tens, ones, int(second), *map(int, canonical[2:])]
    return sum(map(int.__mul__, digits, (1, 9, 8, 7, 6, 5, 4, 3, 2, 1, 1))) % 10 != 0


def terms(canonical: str) -> tuple[Term, ...]:
    """Return the number and its tails."""
    return number_terms(canonical, 21.0 if slip(canonical) else 26.0)
