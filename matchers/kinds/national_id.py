"""National identity and insurance numbers: any country's, as letters and digits; a Chinese one is a resident ID.

Rarity: as of record numbers, one bit less per digit where the space is densely used (US Social Security numbers,
UK NHS numbers): another person with the same digits is likelier than with a number that a hospital made up.
"""

from collections.abc import Iterator

from matchers.kinds import mrn, resident_id
from matchers.kinds.kind import Found, Grams, Term

CODE = 5
ROLE = "primary"
GRAMS: tuple[Grams, ...] = ()

SHOULD_MATCH = (
    ("987-65-4320", "SSN 987654320"),
    ("943 476 5919", "NHS 943-476-5919"),
    ("999901198001011238", "999901198001011238"),
)
SHOULD_NOT = (("987-65-4320", "987-65-4321"),)


def canonicalise(value: str) -> str:
    """Return 17 digits for a resident ID, else letters and digits."""
    try:
        return resident_id.canonicalise(value)
    except ValueError:
        return mrn.canonicalise(value)


def terms(canonical: str) -> tuple[Term, ...]:
    """Return the number and its tail; a resident ID's own terms."""
    if len(canonical) == 17 and canonical.isdigit():
        return resident_id.terms(canonical)
    tail = Term("id_tail", canonical[-4:], 12.0)
    return (*mrn.terms(canonical), tail)


def candidates(text: str, ocr: bool) -> Iterator[Found]:
    """Yield nothing of its own: resident IDs and record numbers are looked for by their kinds."""
    yield from ()
