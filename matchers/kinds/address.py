"""Postal addresses: what is looked for are pieces with a number in them (street, building, flat), never a city.

Canonical is letters, digits and Han characters without anything between them. Rarity: a street with its number is
shared by a household and its neighbours: 10 bits for a piece, 16 for two. An address alone never alerts.
"""

import re
from collections.abc import Iterator

from matchers.canonical import canonical
from matchers.kinds.kind import Found, Grams, Term

CODE = 8
ROLE = "supporting"
GRAMS = (
    Grams("address_han", 7, 4, han=True, digit=True, weight=8.0),
    Grams("address_latin", 11, 5, han=False, digit=True, weight=8.0),
)

SHOULD_MATCH = (
    ("青榆市梧桐巷27号院3号楼502室", "住在梧桐巷 27 号院 3 号楼 502 室"),
    ("22 Sallow Lane, Elmford", "22, SALLOW LANE"),
)
SHOULD_NOT = (("青榆市梧桐巷27号院3号楼502室", "青榆市梧桐巷"),)


def canonicalise(value: str) -> str:
    """Return letters, digits and Han characters."""
    kept = re.sub(r"[\W_]", "", canonical(value))
    if len(kept) < 4:
        raise ValueError("not an address: fewer than four letters or digits")
    return kept


def terms(canonical: str) -> tuple[Term, ...]:
    """Return nothing: addresses are looked for by their pieces."""
    return ()


def candidates(text: str, ocr: bool) -> Iterator[Found]:
    """Yield nothing: addresses are looked for by their pieces."""
    yield from ()
