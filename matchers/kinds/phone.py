"""Telephone numbers: Chinese mobile and landline, and any other country's.

Canonical is the national significant number (ITU-T E.164): without +, country code and trunk 0, so that 138…,
+86 138… and 0086138… are one. Rarity: 3.3 bits per subscriber digit, at most 24: numbers are recycled, shared in a
family and printed in advertisements, so a number alone never proves a record.
"""

import re
from collections.abc import Iterator

import phonenumbers

from matchers.canonical import canonical
from matchers.digits import Run, runs
from matchers.kinds.kind import Found, Grams, Term

CODE = 2
ROLE = "primary"
GRAMS: tuple[Grams, ...] = ()

_MOBILE = re.compile(r"1[3-9]\d{9}")
_HIDDEN = r"[*#〇x]"
_MASKED = re.compile(
    rf"(?:(?<!\d)(\d{{2,7}})[ \-]{{0,2}})?(?<!{_HIDDEN}){_HIDDEN}{{2,12}}"
    rf"(?:[ \-]{{1,2}}{_HIDDEN}{{1,8}}){{0,3}}[ \-]{{0,2}}(\d{{4}})(?![\da-z])"
)

SHOULD_MATCH = (
    ("15402200417", "电话：15402200417"),
    ("+86 154-0220-0417", "154 0220 0417"),
    ("15402200417", "0086154 0220 0417"),
    ("15402200417", "tel+8615402200417转"),
    ("(415) 555-0121", "+1 415 555 0121"),
    ("+44 7700 900123", "07700 900123"),
    ("15402200417", "154****0417"),
)
SHOULD_NOT = (
    ("15402200417", "15402200418"),
    ("15402200417", "915402200417352"),
)


def canonicalise(value: str) -> str:
    """Return the national significant number."""
    folded = canonical(value)
    digits = re.sub(r"\D", "", re.split(r"(?:ext|转|#|x)", folded)[0])
    if re.fullmatch(r"(?:00|)86" + _MOBILE.pattern, digits):
        digits = digits[-11:]
    if _MOBILE.fullmatch(digits) and not folded.lstrip(" (").startswith("+1"):
        return digits
    if folded.lstrip(" (").startswith(("+", "00")):
        try:
            number = phonenumbers.parse("+" + digits.lstrip("0"), None)
        except phonenumbers.NumberParseException as error:
            raise ValueError("not a telephone number: the country code is unknown") from error
        return _sized(str(number.national_number))
    return _sized(digits.lstrip("0"))


def terms(canonical: str) -> tuple[Term, ...]:
    """Return the number and what masks and slips leave of it."""
    whole = Term("phone", canonical, min(24.0, 3.3 * len(canonical) - 6))
    tail = Term("phone_tail", canonical[-4:], 13.0)
    if len(canonical) < 8:
        return whole, tail
    ends = Term("phone_mask", canonical[:3] + canonical[-4:], 16.5)
    return whole, tail, ends, Term("phone_head", canonical[:-4], 15.0)


def candidates(text: str, ocr: bool) -> Iterator[Found]:
    """Yield numbers that begin and end at a border of a group of digits, and what masks leave."""
    for run in runs(text, 6):
        yield from _numbers(run, ocr)
    for match in _MASKED.finditer(text):
        head, tail = match.group(1) or "", match.group(2)
        yield Found("phone_tail", tail, *match.span(), "masked")
        if len(head) >= 3:
            yield Found("phone_mask", head[:3] + tail, *match.span(), "masked")


def _numbers(run: Run, ocr: bool) -> Iterator[Found]:
    """Yield the numbers of one run."""
    groups = run.groups
    for first, start in enumerate(groups[:-1]):
        for end in groups[first + 1 : first + 8]:
            size = end - start
            if size > 17:
                break
            if size < 6:
                continue
            digits = run.digits[start:end].rstrip("x")
            span = run.span(start, end)
            for national in _national(digits, run.plus and start == 0):
                yield Found("phone", national, *span)
            if 7 <= size <= 15:
                yield Found("phone_tail", digits[-4:], *span, "typo")
            if 10 <= size <= 14:
                yield Found("phone_head", digits[: 7 if digits[0] == "1" else -4], *span, "typo")
    if ocr or len(run.groups) == 2:
        for match in re.finditer(rf"(?=({_MOBILE.pattern}))", run.digits[:400] if ocr else ""):
            yield Found("phone", match.group(1), *run.span(match.start(1), match.end(1)))


def _national(digits: str, plus: bool) -> Iterator[str]:
    """Yield the national numbers that digits as written may stand for."""
    if not digits:
        return
    bare = digits.lstrip("0")
    international = plus or digits.startswith("00")
    if 6 <= len(bare) <= 11:
        yield bare
    if international or bare.startswith("86"):
        for code in (1, 2, 3):
            rest = bare[code:].lstrip("0")
            if 6 <= len(rest) <= 12 and (international or code == 2):
                yield rest


def _sized(digits: str) -> str:
    """Return the digits if their number is possible."""
    if not 6 <= len(digits) <= 14:
        raise ValueError(f"not a telephone number: {len(digits)} digits")
    return digits
