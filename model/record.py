"""A record: one patient's row and notes, alive only during enrolment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date


@dataclass(frozen=True, slots=True)
class LinkageColumn:
    """What one column of the enrolment file holds."""

    kind: str
    """The identifier kind, named after its file in `matchers/kinds/` (`phone`, `person_name` …)."""
    role: str = "auto"
    """`primary` (searchable alone), `supporting` (only with others), `auto` (as the kind proposes) or `ignore`."""
    pattern: str = ""
    """Regular expression that a value must match as a whole, for numbers of the hospital's own form."""


@dataclass(frozen=True, slots=True)
class LinkageSchema:
    """Which column of the enrolment file is which kind and role."""

    ref: str
    """The column that holds the hospital's own opaque reference of a record."""
    columns: Mapping[str, LinkageColumn]
    """Column name → what it holds. Columns of the file that are not named here are refused, not ignored."""


@dataclass(frozen=True, slots=True)
class Record:
    """One row of the enrolment file. Its repr shows no value."""

    ref: str = field(repr=False)
    """The hospital's own opaque reference."""
    row: int
    """Row number in the file, 1 = first data row; for messages."""
    values: Mapping[str, str] = field(repr=False)
    """Column name → value as it stands in the file; empty values are absent."""
    retain_until: date | None = None
    """The day after which the fingerprint is erased, if the operator set one."""
    public_figure: bool = False
    """Whether the name alone is suspicious in a medical context."""
