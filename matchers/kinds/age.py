"""Age in years, as a column of its own or as a page states it: 45岁, 45-year-old, aged 45.

Canonical is the number of whole years; an infant's is 0. Rarity: about 80 ages: 6 bits. Only in a conjunction with a
name and a day of visit (`matchers/conjunctions.py` works it out from the birth date too), or supporting.
"""

import re
from collections.abc import Iterator

from matchers.canonical import canonical
from matchers.kinds.kind import Found, Grams, Term

CODE = 22
ROLE = "supporting"
GRAMS: tuple[Grams, ...] = ()

OLDEST = 119
_WRITTEN = re.compile(
    r"(?<![\d.])(\d{1,3})[ \t]{0,2}(?:周岁|岁|歲|[ -]?years?[ -]?olds?|[ -]?yrs?[ -]?old|[ -]?y/?o(?![a-z]))"
    r"|(?<![a-z])(?:aged?|年龄)[ \t]{0,2}[:=\"]{0,2}[ \t]{0,2}(\d{1,3})(?!\d)"
)

SHOULD_MATCH = (
    ("45", "患者男性，45岁"),
    ("45岁", "a 45-year-old teacher"),
    ("45 years", "aged 45"),
    ("45", "年龄：45"),
    ("45", "45 y/o"),
)
SHOULD_NOT = (("45", "145岁"), ("45", "45 patients"))


def canonicalise(value: str) -> str:
    """Return whole years."""
    match = re.fullmatch(
        r"(\d{1,3})(?:\.0+)?[ ]?(周岁|岁|y|yrs?|years?|个?月龄?|months?|天|日龄?|days?)?", canonical(value).strip()
    )
    if not match:
        raise ValueError("not an age: a number of years is expected")
    unit = match.group(2) or "y"
    years = int(match.group(1)) // 12 if unit.startswith(("个", "月", "month")) else int(match.group(1))
    if unit.startswith(("天", "日", "day")):
        years = int(match.group(1)) // 365
    if years > OLDEST:
        raise ValueError("not an age: nobody is as old")
    return str(years)


def terms(canonical: str) -> tuple[Term, ...]:
    """Return the age."""
    return (Term("age", canonical, 6.0),)


def find(text: str) -> Iterator[Found]:
    """Yield the ages that folded text states."""
    for match in _WRITTEN.finditer(text):
        years = int(match.group(1) or match.group(2))
        if years <= OLDEST:
            yield Found("age", str(years), *match.span())
