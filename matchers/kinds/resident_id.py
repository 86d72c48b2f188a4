"""The Chinese resident identity number: 18 characters (GB 11643-1999), formerly 15 digits.

Six digits of area, eight of birth date, three of sequence, one check character. Rarity: about 3,000 areas × 36,500
days × 1,000 sequence numbers ≈ 2^37 (the distribution is uneven, so 30 bits are counted). A wrong check digit on
the page is a slip or another number: such an agreement weighs less, but with a name beside it still finds the record.
A number with a wrong check character in the enrolment file is enrolled as it stands: what leaks is that file.
"""

import re
from collections.abc import Iterator

from stdnum.cn import ric

from matchers.cells import canonical
from matchers.digits import Run, runs
from matchers.kinds.kind import Found, Grams, Term, number_terms

CODE = 1
ROLE = "primary"
GRAMS: tuple[Grams, ...] = ()

_DATE = r"(?:18|19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
_SHORT_DATE = r"\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
_WHOLE = re.compile(rf"\d{{6}}{_DATE}\d{{3}}[\dx]")
_OLD = re.compile(rf"\d{{6}}{_SHORT_DATE}\d{{3}}")
_ANYWHERE = re.compile(rf"(?=(\d{{6}}{_DATE}\d{{3}}))")
_MASKED = re.compile(r"(?<!\d)(\d{1,14})[ ]?[*#〇x•]{2,20}[ ]?(\d{0,3}[\dx])?(?![\da-z])")
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
    """Return the check character that belongs to 17 digits."""
    return str(ric.calc_check_digit(seventeen + "0")).lower()  # it ignores the last character


def terms(canonical: str) -> tuple[Term, ...]:
    """Return the number, its ends as masks leave them, its birth date; without a birth date in it a plain number."""
    canonical = canonical.removesuffix(_LOST)
    if not _WHOLE.fullmatch(canonical) and len(canonical) != 17:
        return number_terms(canonical, 26.0)
    last = canonical[14:18] if len(canonical) == 18 else canonical[14:] + check_character(canonical)
    return (
        Term("resident_id", canonical[:17], 30.0),
        Term("id_ends", canonical[:6] + last, 22.0),
        Term("id_mask", canonical[:3] + last, 18.0),
        Term("id_tail", last, 12.0),
        Term("birth_date", canonical[6:14], 14.0),
    )


def candidates(text: str, ocr: bool) -> Iterator[Found]:
    """Yield whole numbers anywhere in a run of digits, and the ends of masked or damaged ones."""
    for run in runs(text, 14):
        for match in _ANYWHERE.finditer(run.digits):
            start = match.start(1)
            end = min(start + 18, len(run.digits))
            slip = len(run.digits) > start + 17 and run.digits[start + 17] != check_character(match.group(1))
            yield Found("resident_id", match.group(1), *run.span(start, end), "typo" if slip else "exact")
        yield from _parts(run)
    for match in _MASKED.finditer(text):
        head, tail = match.group(1), match.group(2) or ""
        if len(tail) == 4:
            yield Found("id_tail", tail, *match.span(), "masked")
            if len(head) >= 6:
                yield Found("id_ends", head[:6] + tail, *match.span(), "masked")
            if len(head) >= 3:
                yield Found("id_mask", head[:3] + tail, *match.span(), "masked")


def _parts(run: Run) -> Iterator[Found]:
    """Yield what a number with a slip in it still shows: both ends, and the old form of 15 digits."""
    digits, groups = run.digits, run.groups
    for first, start in enumerate(groups[:-1]):
        for end in groups[first + 1 : first + 8]:
            size = end - start
            if size > 20:
                break
            if size == 15 and _OLD.fullmatch(digits[start:end]):
                long = digits[start : start + 6] + "19" + digits[start + 6 : end]
                yield Found("resident_id", long, *run.span(start, end))
            if 16 <= size <= 20:
                yield Found("id_ends", digits[start : start + 6] + digits[end - 4 : end], *run.span(start, end), "typo")
                yield Found("id_tail", digits[end - 4 : end], *run.span(start, end), "typo")
