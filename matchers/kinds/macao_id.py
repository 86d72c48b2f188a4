"""Macao resident identity card numbers: seven digits and one in brackets, 1234567(8); the first is 1, 5 or 7.

Canonical is eight digits; how the last one is computed was never published. Rarity: about 700,000 cards among three
million numbers, and eight digits may be anything: 18 bits, 15 without the last.
"""

import re

from matchers.canonical import canonical
from matchers.kinds.kind import Grams, Term, number_terms

CODE = 14
ROLE = "primary"
GRAMS: tuple[Grams, ...] = ()

SHOULD_MATCH = (
    ("1999123(4)", "BIR 1999123(4)"),
    ("1/999123/4", "澳門身份證19991234"),
    ("1999123(4)", "card 1999123"),
)
SHOULD_NOT = (("1999123(4)", "1999124(3)"),)


def canonicalise(value: str) -> str:
    """Return eight digits, or seven where the last is left out."""
    digits = re.sub(r"\D", "", canonical(value))
    if len(digits) not in {7, 8}:
        raise ValueError("not a Macao identity card number: 1234567(8) is expected")
    return digits


def slip(canonical: str) -> bool:
    """Return whether no card begins with this digit."""
    return canonical[0] not in "157"


def terms(canonical: str) -> tuple[Term, ...]:
    """Return the number, its tails, and its first seven digits."""
    if len(canonical) == 7:
        return number_terms(canonical, 15.0)
    return (*number_terms(canonical, 18.0), Term("number", canonical[:7], 15.0))
