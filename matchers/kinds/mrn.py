"""Record numbers of a hospital: medical record, admission, card and insurance numbers.

Canonical is the letters and digits alone. Their form is the hospital's own, so rarity is counted from the length:
3.3 bits per digit and 2 per letter, less 6, at most 26. A short number alone means nothing: order and file numbers look
alike. Where the hospital's form is known, the linkage schema may give it (`pattern:`), and other values are refused.
"""

import re

from matchers.canonical import canonical
from matchers.kinds.kind import Grams, Term

CODE = 4
ROLE = "primary"
GRAMS: tuple[Grams, ...] = ()

_PLAIN = re.compile(r"[A-Za-z]{1,4}-?[0-9]{4,14}|(?!([0-9])\1+$)[0-9]{4,14}")

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


def plain(value: str) -> str | None:
    """Return a number of up to four letters and some digits, not all of them one."""
    return value.replace("-", "").lower() if _PLAIN.fullmatch(value) else None


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
