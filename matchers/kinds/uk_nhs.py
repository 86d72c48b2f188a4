"""UK NHS numbers: ten digits, written 3-3-4, the last a check digit (modulus 11; NHS Data Dictionary).

Canonical is ten digits. Rarity: nine free digits, of which those in use are about a tenth: 25 bits with a correct
check digit; 21 without, since ten digits alone may be anything.
"""

import re

from stdnum.gb import nhs

from matchers.canonical import canonical
from matchers.kinds.kind import Grams, Term, number_terms

CODE = 12
ROLE = "primary"
GRAMS: tuple[Grams, ...] = ()

SHOULD_MATCH = (
    ("999 476 5914", "NHS No 9994765914"),
    ("9994765914", "nhs 999-476-5914"),
)
SHOULD_NOT = (("999 476 5914", "999 476 5913"),)


def canonicalise(value: str) -> str:
    """Return ten digits."""
    digits = re.sub(r"\D", "", canonical(value))
    if len(digits) != 10:
        raise ValueError("not an NHS number: ten digits are expected")
    return digits


def slip(canonical: str) -> bool:
    """Return whether the check digit is wrong."""
    return not nhs.is_valid(canonical)


def terms(canonical: str) -> tuple[Term, ...]:
    """Return the number and its tails."""
    return number_terms(canonical, 21.0 if slip(canonical) else 25.0)
