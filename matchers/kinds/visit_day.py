"""The day of a visit, an admission or a discharge.

Canonical is YYYYMMDD. Rarity: people write about a visit soon after it, so days near the page's own date are much
likelier than others: 6 bits. With a name alone that is too little; with an age or a department it is enough.
"""

import re

from matchers.canonical import canonical
from matchers.kinds import birth_date
from matchers.kinds.kind import Grams, Term

CODE = 20
ROLE = "supporting"
GRAMS: tuple[Grams, ...] = ()

SHOULD_MATCH = (
    ("2024-03-14", "2024年3月14日入院"),
    ("2024-03-14 09:31:07", "seen on 14 March 2024"),
    ("20240314093107", "2024/3/14"),
)
SHOULD_NOT = (("2024-03-14", "2024-03-15"),)


plain = birth_date.plain


def split(value: str) -> list[str]:
    """Return the days of a cell, two where day and month cannot be told apart."""
    text = canonical(value).strip()
    return birth_date.split(text[:8] if re.fullmatch(r"(?:19|20)\d{12}", text) else value)


def canonicalise(value: str) -> str:
    """Return YYYYMMDD; empty for a placeholder."""
    text = canonical(value).strip()
    return birth_date.canonicalise(text[:8] if re.fullmatch(r"(?:19|20)\d{12}", text) else value)


def terms(canonical: str) -> tuple[Term, ...]:
    """Return the day; it is only searched in conjunctions."""
    return (Term("visit_day", canonical, 6.0),)
