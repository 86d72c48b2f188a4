"""Phrases that the operator watches for: a project's internal name, a ward's chat group, a form that never leaves.

Enrolled like a record whose reference names the rule (`rule: ward 7 opening`). Canonical is 4 to 40 letters, digits and
Han characters without anything between them. Rarity: the operator says that the phrase is his own: 30 bits; but a
phrase names nobody, so it is at most *suspicious*, never a leak.
"""

from matchers.canonical import canonical
from matchers.kinds.kind import Grams, Term, compact

CODE = 21
ROLE = "primary"
GRAMS: tuple[Grams, ...] = ()

SHORTEST, LONGEST = 4, 40

SHOULD_MATCH = (
    ("七病区搬迁方案", "转：《七病区 搬迁方案》终稿"),
    ("Project Larkspur", "notes from project-larkspur, do not share"),
)
SHOULD_NOT = (
    ("七病区搬迁方案", "七病区方案"),
    ("Project Larkspur", "project lark"),
)


def canonicalise(value: str) -> str:
    """Return letters, digits and Han characters."""
    kept = compact(canonical(value))
    if not SHORTEST <= len(kept) <= LONGEST:
        raise ValueError(f"not a keyword: {SHORTEST} to {LONGEST} letters, digits or Han characters are expected")
    return kept


def terms(canonical: str) -> tuple[Term, ...]:
    """Return the phrase, and its beginning, by which a page finds where one may stand."""
    return (Term("keyword", canonical, 30.0), Term("keyword_head", canonical[:SHORTEST], 0.0))
