"""What a source of records is, and what the configuration says about sources."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from model.errors import EnrolmentError
from model.record import LinkageColumn, LinkageSchema, Record

Row = Record | EnrolmentError
"""What a source gives: a record, or what is wrong with one, by row and column and never by value."""


@dataclass(frozen=True, slots=True)
class PublicFigures:
    """`enrolment.public_figures:` in config.yaml: who is watched for by name in a medical context."""

    column: str | None = None
    """The column that says yes or no."""
    file: Path | None = None
    """A file of references: one a line, or a CSV with the reference column."""


@dataclass(frozen=True, slots=True)
class StandardSchema:
    """`enrolment.fhir:` and `enrolment.hl7:`: what differs from the built-in linkage schema of that standard."""

    ref: str = ""
    """Which identifier is the reference: its system, assigning authority, or type code (HL7 table 0203)."""
    columns: Mapping[str, LinkageColumn] = field(default_factory=dict)
    """Column → kind, laid over the built-in ones."""


@dataclass(frozen=True, slots=True)
class NotesSettings:
    """`enrolment.notes:` in config.yaml: notes as files."""

    ref: str = ""
    """Regular expression whose first group, found in the path below the folder, is the reference; empty: the name
    of the file without its ending."""


@dataclass(frozen=True, slots=True)
class EnrolmentSettings(LinkageSchema):
    """`enrolment:` in config.yaml: the linkage schema of tables, and what other sources need to know."""

    query: str | None = None
    """The query for a source that is a database."""
    sheet: str | None = None
    """The sheet of a workbook with several."""
    retain_until: str | None = None
    """The column with the last day on which the record is watched for."""
    public_figures: PublicFigures = field(default_factory=PublicFigures)
    fhir: StandardSchema = field(default_factory=StandardSchema)
    hl7: StandardSchema = field(default_factory=StandardSchema)
    notes: NotesSettings = field(default_factory=NotesSettings)

    def with_given(self, query: str | None, public_figures: Path | None) -> "EnrolmentSettings":
        """Return the settings with what the command line says in place of the configuration."""
        figures = replace(self.public_figures, file=public_figures or self.public_figures.file)
        return replace(self, query=query or self.query, public_figures=figures)

    def of_columns(self, schema: LinkageSchema) -> "EnrolmentSettings":
        """Return the settings with another linkage schema: that of the source that is enrolled."""
        return replace(self, ref=schema.ref, columns=schema.columns)


class Source(Protocol):
    """One source of records, read once from beginning to end, in an order that is the same each time."""

    @property
    def schema(self) -> LinkageSchema:
        """Return what the columns of its records are."""
        ...

    @property
    def unit(self) -> str:
        """Say what `total` and `done` count: `bytes`, `rows`, `files`."""
        ...

    def total(self) -> int | None:
        """Return how much there is to read, or None if only reading it would tell."""
        ...

    def done(self) -> int:
        """Return how much was read up to now."""
        ...

    def rows(self) -> Iterator[Row]:
        """Yield each record, or what is wrong with one, holding no more than the source's bound in memory.

        Raises `ConfigError` if the source cannot be read or its columns are not those of the linkage schema.
        """
        ...

    def remarks(self) -> Sequence[str]:
        """Say, once everything was read, what was there and is not watched: kinds and counts, never values."""
        ...
