"""Which weak values are searched together: never one of them alone.

A conjunction's field is `left+right`, its value the kernel's block of the left term followed by that of the right one
(32 bytes), so that halves seen in different places can be brought together without plaintext; its filter tag is the
kernel's combination of both tags. On a page both must stand within the window. After the blocking keys of record
linkage (Fellegi, Sunter 1969; Christen, "Data Matching", 2012, chapter 4), bound together so that no single column can
be read off.

Every conjunction of a record is one posting, so a pair stands here only if it pays: if its bits together are enough to
raise a suspicion, and no other pair finds the same page. A name with a whole identifier needs the last digits alone; a
masked name needs both ends of a number where its own bits are few.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from matchers.compiled import compiled
from matchers.kinds.kind import Term

PARTNERS = {
    "name": (
        "birth_date", "phone_tail", "phone_head", "id_tail", "id_start", "id_area", "number_tail", "plate", "age_day",
        "department_day", "address_part",
    ),
    "pinyin": ("birth_date", "phone_tail", "id_tail", "number_tail", "age_day", "address_part"),
    "initial": ("birth_date", "phone_tail", "id_tail", "number_tail", "age_day", "address_part"),
    "name_mask": ("birth_date", "phone_tail", "phone_mask", "id_tail", "id_mask", "id_start", "age_day"),
    "surname": ("birth_date", "phone_mask", "id_mask", "id_start", "id_tail"),
    "given": ("phone_mask", "id_mask"),
}  # fmt: skip
"""Left field → right fields: a form of a name with a piece of something else."""

ALIAS_PARTNERS = ("birth_date", "phone_tail", "id_tail", "age_day", "address_part")
"""Right fields for a further spelling of a name."""

ALONE = frozenset(("resident_id", "phone", "email", "number", "plate", "keyword", "keyword_head"))
"""Fields that may be searched alone, if the linkage schema lets them."""

PUBLIC = "public_name"
"""The name of a public figure: searched alone, and counted only where the words around it speak of illness."""

NAMED: Final = {True: "name_han", False: "name_latin"}
"""Marks of names by whether they are Chinese; without names nothing is searched that says something beside one only."""

TEXTS: Final = ("note_han", "note_latin", "address_han", "address_latin")
"""Fields of shingles, which are marks too."""

MARKED: Final = frozenset((
    "resident_id", "email", "pinyin", "plate", "keyword", "age_day", "department_day", "address_part", PUBLIC,
    *NAMED.values(), *TEXTS,
))  # fmt: skip
"""Fields, and sorts of names, for which a page is searched only if somebody has a value of them."""

MARK = "shape"
"""Fields that begin so are marks: no posting, only a filter tag, by which a page knows what can be there at all."""

MOST_DAYS: Final = 4
"""Days of visit of one record that are searched with an age or a department."""


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


def days(terms: Sequence[Term]) -> Iterator[tuple[Term, int]]:
    """Yield a record's days of visit with the age then, and with each department: one value, `45|20240314`.

    Each comes with the index of the day's term. The age is the file's own, or follows from the birth date.
    """
    departments = [term for term in terms if term.field == "department"]
    for index, day in [(index, term) for index, term in enumerate(terms) if term.field == "visit_day"][:MOST_DAYS]:
        for age in ages(terms, day.value):
            yield Term("age_day", f"{age}|{day.value}", day.weight + 6.0), index
        for department in departments:
            yield Term("department_day", f"{department.value}|{day.value}", day.weight + department.weight), index


def ages(terms: Sequence[Term], day: str) -> Sequence[str]:
    """Return how old the person was on a day (YYYYMMDD), by the birth date or by what the file says."""
    born = next((term.value for term in terms if term.field == "birth_date"), "")
    years = int(day[:4]) - int(born[:4]) - (day[4:] < born[4:]) if born else -1
    if 0 <= years <= 119:
        return (str(years),)
    return tuple(dict.fromkeys(term.value for term in terms if term.field == "age"))
