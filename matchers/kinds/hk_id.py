"""Hong Kong identity card numbers: one or two letters, six digits and a check digit in brackets, A123456(3).

Canonical is letters, six digits and the check character (0-9 or a), which is computed where it is left out. The
check is modulus 11 with weights 9 to 1, letters counting from 10 and a missing first letter as 36 (Hong Kong
Immigration Department's form; python-stdnum has none). Rarity: 26 letters of a million each, a third of them issued:
22 bits, 20 without the check character or with a wrong one.
"""

import re

from matchers.canonical import canonical
from matchers.kinds.kind import Grams, Term, compact, number_terms

CODE = 13
ROLE = "primary"
GRAMS: tuple[Grams, ...] = ()

_FORM = re.compile(r"([a-z]{1,2}\d{6})([\da])?")

SHOULD_MATCH = (
    ("A123456(3)", "身份證 A123456(3)"),
    ("A123456", "HKID: a123456 (3)"),
    ("A123456(3)", "hkid A123456"),
)
SHOULD_NOT = (("A123456(3)", "A123457(1)"),)


def canonicalise(value: str) -> str:
    """Return letters, six digits and the check character."""
    match = _FORM.fullmatch(compact(canonical(value)))
    if not match:
        raise ValueError("not a Hong Kong identity card number: A123456(7) is expected")
    return match.group(1) + (match.group(2) or check_character(match.group(1)))


def check_character(number: str) -> str:
    """Return the check character that belongs to letters and six digits."""
    values = [36, *(int(character, 36) for character in number)][-8:]
    rest = -sum(weight * value for weight, value in zip(range(9, 1, -1), values, strict=True)) % 11
    return "a" if rest == 10 else str(rest)


def slip(canonical: str) -> bool:
    """Return whether the check character is wrong."""
    return canonical[-1] != check_character(canonical[:-1])


def terms(canonical: str) -> tuple[Term, ...]:
    """Return the number with its check character, its tails, and the number without it."""
    return (*number_terms(canonical, 20.0 if slip(canonical) else 22.0), Term("number", canonical[:-1], 20.0))
