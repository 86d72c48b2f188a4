"""US Social Security numbers and taxpayer numbers (ITIN): nine digits, written 3-2-4; often only the last four.

Canonical is nine digits, or four. There is no check digit; areas that were never issued are known. Rarity: nine
digits are 29.9 bits, but nearly half of all numbers are in use and other numbers of nine digits abound: 23 bits, 20 if
it cannot have been issued, 12 for the last four.
"""

import re

from stdnum.us import itin, ssn

from matchers.canonical import canonical
from matchers.kinds.kind import Grams, Term, number_terms

CODE = 11
ROLE = "primary"
GRAMS: tuple[Grams, ...] = ()

_LAST_FOUR = re.compile(r"[x*#•●]{3}[ -]?[x*#•●]{2}[ -]?(\d{4})|(\d{4})")

SHOULD_MATCH = (
    ("987-65-4320", "SSN 987654320"),
    ("987654320", "ssn: 987 65 4320"),
)
SHOULD_NOT = (
    ("987-65-4320", "987-65-4321"),
    ("987-65-4320", "1987-65-4320"),
)


def canonicalise(value: str) -> str:
    """Return nine digits, or the last four where the rest is hidden."""
    folded = canonical(value).strip()
    hidden = _LAST_FOUR.fullmatch(folded)
    if hidden:
        return hidden.group(1) or hidden.group(2)
    digits = re.sub(r"\D", "", folded)
    if len(digits) != 9:
        raise ValueError("not a Social Security number: nine digits, or the last four, are expected")
    return digits


def slip(canonical: str) -> bool:
    """Return whether such a number cannot have been issued."""
    return len(canonical) == 9 and not issued(canonical)


def issued(nine: str) -> bool:
    """Return whether nine digits may be an issued number."""
    return bool(ssn.is_valid(nine) or itin.is_valid(nine))


def terms(canonical: str) -> tuple[Term, ...]:
    """Return the number and its tails."""
    if len(canonical) == 4:
        return (Term("id_tail", canonical, 12.0),)
    return number_terms(canonical, 23.0 if issued(canonical) else 20.0)
