"""How likely it is that a page speaks of a record, from what agrees between them.

After Fellegi and Sunter, "A Theory for Record Linkage" (1969): each agreement adds the logarithm of the odds that it
is no coincidence, its rarity in bits; agreements of different kinds are taken as independent. Against them stands the
prior: among N records coincidence has N chances, on each page some more (how many candidates a page offers). The
result is logistic in the bits beyond it: 0.5 where leak and coincidence are equally likely.
"""

from collections.abc import Mapping
from math import log2
from typing import Final

PAGE_BITS: Final = 4.0
"""Chances that one page gives to coincidence, in bits: so many combinations of what stands on it could agree."""
SLOPE: Final = 2.0
"""Bits per doubling of the odds: above 1, because agreements are less independent than the theory asks."""
ALONE_CEILING: Final = 0.75
"""Best score of what a household shares (telephone, address, the birth date of twins) or of a record number alone:
worth a look, not a leak."""
ALONE_BITS: Final = 9.0
"""Bits beyond the prior at which a number alone is more than worth a look."""
SHARED: Final = frozenset(
    ("phone", "address", "birth_date", "department", "age", "visit_day", "licence_plate", "keyword")
)
CONTEXT: Final = "medical_context"
"""What words around the name of a public figure count as."""
PUBLIC_FIGURES: Final = 1_000
"""Public figures among the records, at most: the name of one of them is held against these, not against all."""
PUBLIC_CEILING: Final = 0.85
"""Best score of a public figure's name in a medical context and nothing else."""
TEXT_BITS: Final = 7.0
"""Bits that text alone must have beyond the rest: notes quote leaflets and answers that others quote as well."""
HOUSEHOLD_BITS: Final = 3.0
"""The same for several things that a household shares: they are not independent."""
NOTHING: Final = frozenset(("person_name",)), frozenset(("address",)), frozenset(("birth_date",))
SURE: Final = frozenset(("resident_id", "email", "note"))
"""Kinds that may be a leak alone; every other kind alone is at most worth a look."""


def prior(records: int) -> float:
    """Return the bits that coincidence has in its favour among so many records."""
    return PAGE_BITS + log2(max(2, records))


def score(bits: Mapping[str, float], records: int) -> float:
    """Return 0 … 1 from bits per kind, among so many records."""
    found = frozenset(kind for kind, amount in bits.items() if amount > 0)
    if not found or found in NOTHING:
        return 0.0
    public = CONTEXT in found
    beyond = float(sum(bits.values())) - prior(min(records, PUBLIC_FIGURES) if public else records)
    if found <= {"note"}:
        beyond -= TEXT_BITS
    elif found <= SHARED and len(found) > 1:
        beyond -= HOUSEHOLD_BITS
    result: float = 1.0 / (1.0 + 2.0 ** (-beyond / SLOPE))
    alone = len(found) == 1 and not found & SURE and beyond < ALONE_BITS
    if public and found <= {"person_name", CONTEXT}:
        return min(result, PUBLIC_CEILING)
    return min(result, ALONE_CEILING) if alone or found <= SHARED else result
