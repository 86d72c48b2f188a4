"""A record: one patient's row and notes, alive only during enrolment.

Several values of one kind (two telephones, five notes) stand under numbered columns: `phone`, `phone#2`, `phone#3`.
What a column is, is asked for by `LinkageSchema.column`, which knows `phone#3` as `phone`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

NUMBER_SIGN = "#"
"""Stands between the name of a column and the number of a further value."""


def base_column(name: str) -> str:
    """Return the name of a column without the number of a further value: `phone#3` → `phone`."""
    base, sign, number = name.rpartition(NUMBER_SIGN)
    return base if sign and base and number.isdecimal() else name


def numbered(values: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return (column, value) pairs as a mapping: a second value of `phone` stands under `phone#2`, and so on."""
    found: dict[str, str] = {}
    counts: dict[str, int] = {}
    for name, value in values:
        count = counts[name] = counts.get(name, 0) + 1
        found[name if count == 1 else f"{name}{NUMBER_SIGN}{count}"] = value
    return found


@dataclass(frozen=True, slots=True)
class LinkageColumn:
    """What one column of the enrolment file holds."""

    kind: str
    """The identifier kind, named after its file in `matchers/kinds/` (`phone`, `person_name` …)."""
    role: str = "auto"
    """`primary` (searchable alone), `supporting` (only with others), `auto` (as the kind proposes) or `ignore`."""
    pattern: str = ""
    """Regular expression that a value must match as a whole, for numbers of the hospital's own form."""

    @property
    def ignored(self) -> bool:
        """Tell whether the column is named only to say that it is not watched."""
        return "ignore" in (self.kind, self.role)


@dataclass(frozen=True, slots=True)
class LinkageSchema:
    """Which column of the enrolment file is which kind and role."""

    ref: str
    """The column that holds the hospital's own opaque reference of a record."""
    columns: Mapping[str, LinkageColumn]
    """Column name → what it holds. Columns of the file that are not named here are refused, not ignored."""

    def column(self, name: str) -> LinkageColumn | None:
        """Return what a column of a record holds: its own entry, else that of its name without the number."""
        return self.columns.get(name) or self.columns.get(base_column(name))


@dataclass(frozen=True, slots=True)
class Record:
    """One row of the enrolment file. Its repr shows no value."""

    ref: str = field(repr=False)
    """The hospital's own opaque reference."""
    row: int
    """Row number in the file, 1 = first data row; for messages."""
    values: Mapping[str, str] = field(repr=False)
    """Column name → value as it stands in the file; empty values are absent, further values are numbered."""
    retain_until: date | None = None
    """The day after which the fingerprint is erased, if the operator set one."""
    public_figure: bool = False
    """Somebody of whom the name alone, in a medical context, is worth a look."""
