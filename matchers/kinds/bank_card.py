"""Bank cards: 13 to 19 digits with Luhn's check digit (ISO/IEC 7812-1).

Canonical is the digits. Rarity: six digits name the bank and hardly count; the others are free: 28 bits with a correct
check digit, 24 without (some Chinese banks' cards have none).
"""

import re

from stdnum import luhn

from matchers.canonical import canonical
from matchers.kinds.kind import Grams, Term, number_terms

CODE = 16
ROLE = "primary"
GRAMS: tuple[Grams, ...] = ()

SHOULD_MATCH = (
    ("4000 0000 0000 0002", "卡号4000000000000002"),
    ("4000000000000002", "4000-0000-0000-0002"),
)
SHOULD_NOT = (("4000 0000 0000 0002", "4000 0000 0000 0010"),)


def canonicalise(value: str) -> str:
    """Return 13 to 19 digits."""
    digits = re.sub(r"\D", "", canonical(value))
    if not 13 <= len(digits) <= 19:
        raise ValueError("not a bank card: 13 to 19 digits are expected")
    return digits


def slip(canonical: str) -> bool:
    """Return whether the check digit is wrong."""
    return not luhn.is_valid(canonical)


def terms(canonical: str) -> tuple[Term, ...]:
    """Return the number and its tails."""
    return number_terms(canonical, 24.0 if slip(canonical) else 28.0)
