"""The Chinese resident identity number: 18 characters (GB 11643-1999), formerly 15 digits.

Six digits of area, eight of birth date, three of sequence, one check character. Rarity: about 3,000 areas × 36,500
days × 1,000 sequence numbers ≈ 2^37 (the distribution is uneven, so 30 bits are counted). A wrong check digit on
the page is a slip or another number: such an agreement weighs less, but with a name beside it still finds the record.
A number with a wrong check character in the enrolment file is enrolled as it stands: what leaks is that file.
"""

import re
from operator import mul

from matchers.canonical import canonical
from matchers.kinds.kind import Grams, Term, number_terms

CODE = 1
ROLE = "primary"
GRAMS: tuple[Grams, ...] = ()

_DATE = r"(?:18|19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
_SHORT_DATE = r"\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
_WHOLE = re.compile(rf"\d{{6}}{_DATE}\d{{3}}[\dx]")
_OLD = re.compile(rf"\d{{6}}{_SHORT_DATE}\d{{3}}")
_PLAIN = re.compile(r"[0-9]{6}(?:18|19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])[0-9]{3}[0-9Xx]")
_WEIGHTS = tuple(2**place % 11 for place in range(17, 0, -1))
_ZEROS = ord("0") * sum(_WEIGHTS)
_LOST = "?"
"""Stands in the canonical form for a check character that the file left out."""

SHOULD_MATCH = (
    ("999901198001011238", "身份证号999901198001011238，女"),
    ("999901198001011238", "９９９９０１ １９８００１０１ １２３８"),
    ("999901198001011238", "号码:9999-0119-8001-0112-38"),
    ("999901800101123", "999901198001011238"),
    ("999901198001011235", "身份证号999901198001011235"),
    ("99990119800101123", "身份证号999901198001011238"),
    ("999901198001011235", "9999**********1235"),
    ("999901198013011234", "身份证号999901198013011234"),
    ("999901198001011238", "张三男45岁999901198001011238女"),
)
SHOULD_NOT = (
    ("999901198001011238", "999901198001021234"),
    ("999901198001011238", "order 123456789012345678"),
)


def plain(value: str) -> str | None:
    """Return the 17 digits of a number of 18 characters in which nothing is wrong."""
    right = _PLAIN.fullmatch(value) and value[17].lower() == check_character(value[:17])
    return value[:17] if right else None


def canonicalise(value: str) -> str:
    """Return the 17 significant digits (area, date, sequence): the check character follows from them.

    A number in which something is wrong stays as it stands, in 15 or 18 characters; one that lost its check character
    has a mark in its place.
    """
    kept = re.sub(r"[^0-9a-z]", "", canonical(value))
    if _OLD.fullmatch(kept):
        return kept[:6] + "19" + kept[6:]
    if re.fullmatch(rf"\d{{6}}{_DATE}\d{{3}}", kept):
        return kept + _LOST
    if not re.fullmatch(r"\d{17}[\dx]|\d{15}", kept):
        raise ValueError("not a resident ID: 18 characters or 15 digits are expected")
    return kept if wrong(kept) else kept[:17]


def wrong(kept: str) -> bool:
    """Return whether 15 or 18 characters hold no birth date or end in another check character than they should."""
    return len(kept) == 15 or not _WHOLE.fullmatch(kept) or kept[17] != check_character(kept[:17])


def slip(canonical: str) -> bool:
    """Return whether something is wrong with the number."""
    return len(canonical) != 17


def check_character(seventeen: str) -> str:
    """Return the check character that belongs to 17 ASCII digits (ISO 7064, MOD 11-2)."""
    return "10x98765432"[(sum(map(mul, _WEIGHTS, seventeen.encode())) - _ZEROS) % 11]


def terms(canonical: str) -> tuple[Term, ...]:
    """Return the number, its ends as masks leave them, its birth date; without a birth date in it a plain number."""
    canonical = canonical.removesuffix(_LOST)
    if not _WHOLE.fullmatch(canonical) and len(canonical) != 17:
        return number_terms(canonical, 26.0)
    last = canonical[14:18] if len(canonical) == 18 else canonical[14:] + check_character(canonical)
    return (
        Term("resident_id", canonical[:17], 30.0),
        Term("id_start", canonical[:14], 24.0),
        Term("id_area", canonical[:6], 7.0),
        Term("id_mask", canonical[:3] + last, 19.0),
        Term("id_tail", last, 13.0),
        Term("birth_date", canonical[6:14], 14.0),
    )
