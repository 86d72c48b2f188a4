"""Telephone numbers: Chinese mobile and landline, and any other country's.

Canonical is the national significant number (ITU-T E.164): without +, country code and trunk 0, so that 138…,
+86 138… and 0086138… are one. Rarity: 3.3 bits per subscriber digit, at most 24: numbers are recycled, shared in a
family and printed in advertisements, so a number alone never proves a record. A Chinese landline is also looked for
without its area code: that is how neighbours write it, and other cities have the same number.
"""

import re

import phonenumbers

from matchers.canonical import canonical
from matchers.kinds.kind import Grams, Term

CODE = 2
ROLE = "primary"
GRAMS: tuple[Grams, ...] = ()

_MOBILE = re.compile(r"1[3-9]\d{9}")
_EXTENSION = re.compile(r"(?:ext|extn|转|分机|#|x)\D{0,3}\d{1,6}\D*$|(?<=\d{7})-\d{1,4}$")
_WHOSE = re.compile(r"\([^()\d+]*\)|(?!转|分机)[\u4e00-\u9fff]+(?<!转)(?<!分机)[:]?")
_TWO_MOBILES = re.compile(r"(?<=1[3-9]\d{9})[ \t]+(?=1[3-9]\d{9}(?!\d))")
_NEXT = re.compile(r"[/,;、，；|\n]|\bor\b|或")
_LANDLINE = re.compile(r"0(?:10|2\d|[3-9]\d\d)[2-8]\d{6,7}")
_FEWEST = 6
_PLAIN = re.compile(
    r"1[3-9][0-9]{9}|(?:\+1[-. ])?\(?[2-9][0-9]{2}\)?[-. ][0-9]{3}[-. ][0-9]{4}|\+44[- ]?7[0-9]{3}[- ]?[0-9]{6}"
)
_NO_SIGNS = str.maketrans("", "", "+()-. ")

SHOULD_MATCH = (
    ("010-62200417", "电话62200417"),
    ("010-62200417-801", "(010)6220 0417"),
    ("15402200417 / 15402200418", "15402200418"),
    ("15402200417、15402200418", "15402200417"),
    ("15402200417(妻子) 15402200418 本人", "15402200418"),
    ("010-62200417/18", "62200418"),
    ("15402200417 15402200418", "15402200418"),
    ("+44 7700 900123 ext. 12", "07700 900123"),
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


def plain(value: str) -> str | None:
    """Return a Chinese or British mobile number or an American number written as usual."""
    return value.translate(_NO_SIGNS)[-11 if value[0] == "1" else -10 :] if _PLAIN.fullmatch(value) else None


def split(value: str) -> list[str]:
    """Return the numbers of a cell, and of a Chinese landline the local number too."""
    folded = _TWO_MOBILES.sub(";", _WHOSE.sub(";", canonical(value)))
    numbers: list[str] = []
    for part in _NEXT.split(folded):
        digits = re.sub(r"\D", "", part)
        if numbers and 1 <= len(digits) <= 4 and part.strip() == digits:
            before = _EXTENSION.sub("", numbers[-1]).rstrip()
            numbers.append(before[: -len(digits)] + digits)  # 62200417/18 are two numbers
        elif digits:
            numbers.append(part.strip())
    return numbers + [local for part in numbers if (local := _local(part))]


def canonicalise(value: str) -> str:
    """Return the national significant number."""
    folded = _EXTENSION.sub("", canonical(value).strip())
    digits = re.sub(r"\D", "", folded)
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


def _local(part: str) -> str:
    """Return a Chinese landline without its area code, or nothing."""
    bare = part.lstrip(" (")
    digits = re.sub(r"\D", "", _EXTENSION.sub("", bare))
    if bare.startswith(("+86", "0086")):
        digits = "0" + digits.removeprefix("00").removeprefix("86").lstrip("0")
    if not _LANDLINE.fullmatch(digits):
        return ""
    number = phonenumbers.parse(digits, "CN")
    if phonenumbers.number_type(number) != phonenumbers.PhoneNumberType.FIXED_LINE:
        return ""
    return str(number.national_number)[phonenumbers.length_of_geographical_area_code(number) :]


def terms(canonical: str) -> tuple[Term, ...]:
    """Return the number and what masks and slips leave of it."""
    whole = Term("phone", canonical, min(24.0, 3.3 * len(canonical) - 6))
    tail = Term("phone_tail", canonical[-4:], 13.0)
    if len(canonical) < 8:
        return whole, tail
    ends = Term("phone_mask", canonical[:3] + canonical[-4:], 18.0)
    return whole, tail, ends, Term("phone_head", canonical[:-4], min(15.0, 2.5 * (len(canonical) - 4)))


def _sized(digits: str) -> str:
    """Return the digits if their number is possible."""
    if not _FEWEST <= len(digits) <= 14:
        raise ValueError(f"not a telephone number: {len(digits)} digits")
    return digits
