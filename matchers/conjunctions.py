"""Which weak values are searched together: never one of them alone.

A conjunction's field is `left+right`, its value the kernel's block of the left term followed by that of the right one
(32 bytes), so that halves seen in different places can be brought together without plaintext; its filter tag is the
kernel's combination of both tags. On a page both must stand within the window. After the blocking keys of record
linkage (Fellegi, Sunter 1969; Christen, "Data Matching", 2012, chapter 4), bound together so that no single column can
be read off.
"""

import numpy as np
from numpy.typing import NDArray

from matchers.compiled import compiled

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

MARK = "shape"
"""Fields that begin so are marks: no posting, only a filter tag, by which a page knows what can be there at all."""


def pairs(
    record: NDArray[np.int64], field: NDArray[np.int64], term: NDArray[np.int64], partners: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the conjunctions of many records: the indices of their left and right terms.

    The terms of one record stand together (`record`); `field` and `term` number their fields and values, and
    `partners[left, right]` says which fields go together. Each pair of values counts once per record.
    """
    found = _pairs(record, field, term, partners)
    return found[0], found[1]


@compiled
def _pairs(
    record: NDArray[np.int64], field: NDArray[np.int64], term: NDArray[np.int64], partners: NDArray[np.bool_]
) -> NDArray[np.int64]:
    out = np.empty((2, 64 + 4 * len(record)), np.int64)
    count = 0
    first = 0
    while first < len(record):
        last = first
        while last < len(record) and record[last] == record[first]:
            last += 1
        begin = count
        for left in range(first, last):
            for right in range(first, last):
                if not partners[field[left], field[right]]:
                    continue
                seen = False
                for other in range(begin, count):
                    if term[out[0, other]] == term[left] and term[out[1, other]] == term[right]:
                        seen = True
                        break
                if seen:
                    continue
                if count == out.shape[1]:
                    longer = np.empty((2, 2 * count), np.int64)
                    longer[:, :count] = out
                    out = longer
                out[0, count] = left
                out[1, count] = right
                count += 1
        first = last
    return out[:, :count].copy()
