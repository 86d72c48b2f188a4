"""Passports of any country: nine letters and digits at most (ICAO Doc 9303, part 4), Chinese ones among them.

Canonical is letters and digits. A machine-readable line (44 characters, with check digits of weights 7-3-1; Doc 9303
part 3, section 4.9) gives its number. Rarity: 3.3 bits per digit and 2 per letter less 6, at most 24: the letters
follow the country and the series, and numbers run in blocks.
"""

import re

from matchers.canonical import canonical
from matchers.kinds.kind import Grams, Term, compact, number_terms

CODE = 10
ROLE = "primary"
GRAMS: tuple[Grams, ...] = ()

_LINE = re.compile(r"([0-9a-z<]{9})([0-9<])[a-z<]{3}[0-9<]{6}[0-9<][mfx<][0-9<]{6}[0-9<][0-9a-z<]{14}[0-9<]{2}")
_WRONG = "#"
"""Ends the canonical form of a number whose check digit in the machine-readable line is wrong."""

SHOULD_MATCH = (
    ("E99912345", "护照号码：E99912345"),
    ("ea 9991234", "passport EA9991234"),
    ("P<UTOMUSTER<<ANNA<<<<<<<<<<<<<<<<<<<<<<<<<<< L898902C36UTO7408122F1204159ZE184226B<<<<<10", "L898902C3"),
    ("L898902C36UTO7408122F1204159ZE184226B<<<<<10", "passport no. L898902C3, issued in Utopia"),
)
SHOULD_NOT = (("E99912345", "E99912346"),)


def canonicalise(value: str) -> str:
    """Return letters and digits; of a machine-readable line those of the number."""
    folded = re.sub(r"\s", "", canonical(value))
    line = _LINE.fullmatch(folded[-44:])
    if line:
        number = line.group(1).strip("<")
        return number if check_digit(line.group(1)) == line.group(2).replace("<", "0") else number + _WRONG
    kept = compact(folded)
    if not re.fullmatch(r"[0-9a-z]{5,14}", kept) or sum(character.isdigit() for character in kept) < 4:
        raise ValueError("not a passport number: 5 to 14 letters and digits, four of them digits, are expected")
    return kept


def check_digit(field: str) -> str:
    """Return the check digit of a field of a machine-readable line: weights 7, 3, 1; letters count from 10."""
    worth = (0 if character == "<" else int(character, 36) for character in field)
    return str(sum(value * (7, 3, 1)[place % 3] for place, value in enumerate(worth)) % 10)


def slip(canonical: str) -> bool:
    """Return whether the line's check digit was wrong."""
    return canonical.endswith(_WRONG)


def terms(canonical: str) -> tuple[Term, ...]:
    """Return the number and its tails."""
    number = canonical.removesuffix(_WRONG)
    digits = sum(character.isdigit() for character in number)
    return number_terms(number, min(24.0, 3.3 * digits + 2.0 * (len(number) - digits) - 6))
