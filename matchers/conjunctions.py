"""Which weak values are searched together: never one of them alone.

A conjunction's field is `left+right`, its value `left NUL right`; its filter tag is the kernel's combination of both
tags. On a page both must stand within the window. After the blocking keys of record linkage (Fellegi, Sunter 1969;
Christen, "Data Matching", 2012, chapter 4), bound together so that no single column can be read off.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from matchers.kinds.kind import Term

PARTNERS = {
    "name": ("birth_date", "phone_tail", "phone_head", "phone_start", "id_ends", "id_tail", "id_start", "number_tail"),
    "pinyin": ("birth_date", "phone_tail", "id_tail", "number_tail"),
    "initial": ("birth_date", "phone_tail", "id_tail"),
    "given": ("phone_mask", "id_ends", "id_mask"),
    "name_mask": ("phone_mask", "id_ends", "id_mask", "id_tail"),
    "surname": ("phone_mask", "id_ends", "id_mask"),
}
"""Left field → right fields: a form of a name with a piece of something else."""

ALONE = frozenset(("resident_id", "phone", "email", "number"))
"""Fields that may be searched alone, if the linkage schema lets them."""


PUBLIC = "public_name"
"""The name of a public figure: searched alone, and counted only where the words around it speak of illness."""


class Conjunction(NamedTuple):
    """Two terms of one record that are searched together."""

    field: str
    left: Term
    right: Term

    @property
    def value(self) -> bytes:
        """Return the canonical value of the conjunction."""
        return joined(self.left.value, self.right.value)


def joined(left: str, right: str) -> bytes:
    """Return the canonical value of two values together."""
    return left.encode("utf-8") + b"\0" + right.encode("utf-8")


def conjunctions(names: Sequence[Term], others: Sequence[Term]) -> Iterator[tuple[Conjunction, int]]:
    """Yield the conjunctions of a record, each with the index of the other term."""
    for left in names:
        for right_field in PARTNERS.get(left.field, ()):
            for index, right in enumerate(others):
                if right.field == right_field:
                    yield Conjunction(f"{left.field}+{right_field}", left, right), index
