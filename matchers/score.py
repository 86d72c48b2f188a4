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
"""Best score of a household's evidence (telephone, address) or of a record number alone: worth a look, not a leak."""
SHARED = frozenset(("phone", "address"))
NEVER_ALONE = frozenset(("person_name", "address", "birth_date"))


def score(bits: Mapping[str, float]) -> float:
    """Return 0 … 1 from bits per kind."""
    found = {kind for kind, amount in bits.items() if amount > 0}
    if found <= NEVER_ALONE and found != {"person_name", "birth_date"} and found != {"person_name", "address"}:
        return 0.0
    total = float(sum(bits.values()))
    result: float = 1.0 / (1.0 + 2.0 ** ((PRIOR_BITS - total) / SLOPE))
    if found <= SHARED or found == {"mrn"} or found == {"national_id"} and total < 30:
        return min(result, ALONE_CEILING)
    return result
