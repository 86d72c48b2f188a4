"""Licence plates: Chinese ones (GA 36-2018: province, letter, five characters; six for new energy), others as numbers.

Canonical keeps the Han characters: 京a12345. Rarity: a city has about 2^20 plates in use, a car is a household's, and
its plate stands in every photograph of the street: 19 bits, too few to alert alone.
"""

import re
from collections.abc import Iterator

from matchers.canonical import canonical
from matchers.kinds.kind import Found, Grams, Term, compact

CODE = 17
ROLE = "primary"
GRAMS: tuple[Grams, ...] = ()

PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
_BODY = r"[a-z][0-9a-z]{4}(?:[0-9a-z]{1,2}|[学警港澳挂领])"
_WHOLE = re.compile(rf"[{PROVINCES}使]{_BODY}|[{PROVINCES}使][a-z]?\d{{5,6}}")
_WRITTEN = re.compile(
    rf"([{PROVINCES}])[ \t]?([a-z])[ \t]?[·.•・‧\-_]?[ \t]?((?:[0-9a-z][ ]?){{4,6}}[学警港澳挂领]?)(?![0-9a-z])"
)

SHOULD_MATCH = (
    ("京A·12345", "车牌京A12345"),
    ("粤BD12345", "粵B·D12345 违停"),
    ("沪c 6789学", "沪C·6789学"),
)
SHOULD_NOT = (
    ("京A·12345", "京A·12346"),
    ("京A·12345", "东京a12345678"),
)


def canonicalise(value: str) -> str:
    """Return letters, digits and Han characters."""
    kept = compact(canonical(value))
    if _WHOLE.fullmatch(kept):
        return kept
    if not re.fullmatch(r"[0-9a-z]{4,9}", kept) or not any(character.isdigit() for character in kept):
        raise ValueError("not a licence plate: a province character, a letter and five or six characters are expected")
    return kept


def terms(canonical: str) -> tuple[Term, ...]:
    """Return the plate; one without a province is looked for as a number."""
    if canonical[0] >= "\u3400":
        return (Term("plate", canonical, 19.0),)
    return (Term("number", canonical, 2.5 * len(canonical)),)


def find(text: str) -> Iterator[Found]:
    """Yield Chinese plates in folded text."""
    for match in _WRITTEN.finditer(text):
        value = match.group(1) + match.group(2) + match.group(3).replace(" ", "")
        if 7 <= len(value) <= 8:
            yield Found("plate", value, *match.span())
