"""How likely it is that a page speaks of a record, from what agrees between them.

After Fellegi and Sunter, "A Theory for Record Linkage" (1969): each agreement adds the logarithm of the odds that it
is no coincidence, here its rarity in bits; agreements of different kinds are taken as independent. The prior is what
coincidence needs among many records and many pages. The result is logistic in bits; it orders matches well and is
probability-like, but it is not calibrated on real leaks.
"""

from collections.abc import Mapping

PRIOR_BITS = 22.0
"""Bits of evidence at which leak and coincidence are equally likely."""
SLOPE = 2.0
"""Bits per doubling of the odds: above 1, because agreements are less independent than the theory asks."""
ALONE_CEILING = 0.75
"""Best score of what a household shares (telephone, address, the birth date of twins) or of a record number alone:
worth a look, not a leak."""
SHARED = frozenset(("phone", "address", "birth_date", "licence_plate", "keyword"))
NUMBERS = tuple(
    frozenset((kind,))
    for kind in ("mrn", "national_id", "passport", "us_ssn", "uk_nhs", "hk_id", "macao_id", "taiwan_id", "bank_card")
)
NOTHING = frozenset(("person_name",)), frozenset(("address",)), frozenset(("birth_date",))


def score(bits: Mapping[str, float]) -> float:
    """Return 0 … 1 from bits per kind."""
    found = frozenset(kind for kind, amount in bits.items() if amount > 0)
    if not found or found in NOTHING:
        return 0.0
    total = float(sum(bits.values()))
    result: float = 1.0 / (1.0 + 2.0 ** ((PRIOR_BITS - total) / SLOPE))
    shared = found <= SHARED or (found in NUMBERS and total < PRIOR_BITS + 8)
    return min(result, ALONE_CEILING) if shared else result
