"""The columns of an enrolment file as the linkage schema settles them, and the canonical values of a row."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from matchers.kinds import kinds
from matchers.kinds.kind import Kind, Reading, read
from model.errors import ConfigError, EnrolmentError
from model.record import LinkageColumn, LinkageSchema, Record, base_column

ROLES = ("auto", "primary", "supporting", "ignore")


@dataclass(frozen=True, slots=True)
class Column:
    """One column that is not ignored."""

    name: str
    kind: Kind
    role: str
    """`primary` or `supporting`."""
    element: int
    """Number of the column."""
    pattern: re.Pattern[str] | None
    """What a value must match as a whole."""
    prefix: str
    """What stands before the column's value in the content that is tagged."""


LAST_ELEMENT = 255
"""A posting has one byte for its element: values beyond share the last."""

Cell = tuple[Column, str, Reading]
"""One cell of a row: its column, its value, and what was read in it."""


class Columns:
    """All columns of a schema."""

    def __init__(self, schema: LinkageSchema) -> None:
        """Raise `ConfigError` if the schema names a kind or a role that does not exist."""
        known = {name: _kind_and_role(name, each.kind, each.role) for name, each in schema.columns.items()}
        patterns = {name: _pattern(name, each) for name, each in schema.columns.items()}
        self._columns = {
            name: None if settled is None else Column(
                name, *settled, min(element, LAST_ELEMENT), patterns[name],
                _counted(name) + _counted(str(settled[0].CODE)) + _counted(settled[1]),
            )
            for element, (name, settled) in enumerate(sorted(known.items()))
        }  # fmt: skip

    def canonical(self, record: Record) -> list[Cell]:
        """Return everything in the row that counts.

        Raises `EnrolmentError` for the first value that cannot be one of its kind, and for an unknown column.
        """
        return [(column, value, _reading(record, column, value)) for column, value in self._cells(record)]

    def content(self, record: Record) -> bytes:
        """Return the canonical values of a row with their columns; of a value that cannot be one, the value."""
        parts = []
        for column, value in self._cells(record):
            try:
                reading = read(column.kind, value)
            except ValueError:
                reading = Reading((value,), 0)
            parts.append((column, value, reading))
        return written(record, parts)

    def _cells(self, record: Record) -> Iterator[tuple[Column, str]]:
        """Yield the values of a record with their columns, ignored ones left out, in order of the columns' names."""
        for name, value in sorted(record.values.items()):
            if not value.strip():
                continue
            if name not in self._columns:
                self._add(record, name)
            column = self._columns[name]
            if column is not None:
                yield column, value

    def _add(self, record: Record, name: str) -> None:
        """Know a further column: `phone#2` is another `phone`. Raises `EnrolmentError` for an unknown one."""
        base = base_column(name)
        if base not in self._columns:
            told = "the column is not in the linkage schema; name it, or ignore it"
            raise EnrolmentError(record.row, name, told)
        column = self._columns[base]
        element = min(len(self._columns), LAST_ELEMENT)
        self._columns[name] = column and replace(column, name=name, element=element)


def written(record: Record, row: Sequence[Cell]) -> bytes:
    """Return what `Columns.canonical` gave, and the retention date, as bytes without ambiguity: for the content tag."""
    parts = []
    for column, _, reading in row:
        text = reading.values[0] if len(reading.values) == 1 else "\n".join(reading.values)
        parts.append(f"{column.prefix}{len(text)}:{text}")
    kept = f"{''.join(parts)}{record.retain_until}{'public' if record.public_figure else ''}"
    return kept.encode("utf-8", "surrogatepass")


def _reading(record: Record, column: Column, value: str) -> Reading:
    """Return what a cell holds; raises `EnrolmentError` if nothing of it is a value of the column's kind."""
    if column.pattern and not column.pattern.fullmatch(value.strip()):
        unfit = "the value does not fit the column's pattern; correct the row or the pattern"
        raise EnrolmentError(record.row, column.name, unfit)
    try:
        return read(column.kind, value)
    except ValueError as error:
        raise EnrolmentError(record.row, column.name, str(error)) from None


def _pattern(name: str, column: LinkageColumn) -> re.Pattern[str] | None:
    try:
        return re.compile(column.pattern) if column.pattern else None
    except re.error as error:
        raise ConfigError(f"column {name!r}: the pattern is not a regular expression: {error.msg}") from error


def _counted(text: str) -> str:
    """Return a text so that it cannot run into the next one."""
    return f"{len(text)}:{text}"


def _kind_and_role(name: str, kind_name: str, role: str) -> tuple[Kind, str] | None:
    """Return the kind and the settled role of a column, None if it is ignored."""
    known: Mapping[str, Kind] = kinds()
    if role not in ROLES:
        raise ConfigError(f"column {name!r}: there is no role {role!r}; it is one of {', '.join(ROLES)}")
    if kind_name == "ignore" or role == "ignore":
        return None
    if kind_name not in known:
        raise ConfigError(f"column {name!r}: no kind {kind_name!r}; it is one of {', '.join(known)}, or ignore")
    kind = known[kind_name]
    if role == "primary" and kind.ROLE == "supporting":
        raise ConfigError(f"column {name!r}: {kind_name} is too common to be searched alone; make its role supporting")
    return kind, (kind.ROLE if role == "auto" else role)
