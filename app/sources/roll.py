"""Calls the roll: each reference once in a source, public figures marked, and a folder of notes joined to the rows."""

import csv
import dataclasses
import hashlib
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from app.sources.delimited import DELIMITERS
from app.sources.files import encoding_of, reading
from app.sources.interface import Row
from model.errors import ConfigError, EnrolmentError


class Roll:
    """Passes the rows of a source on."""

    def __init__(self, ref: str, public_figures: Iterable[str] = ()) -> None:
        """Take the name of the reference, for messages, and the references of public figures."""
        self._ref = ref
        self._figures = frozenset(public_figures)
        self._unmet = set(self._figures)
        self._seen: set[bytes] = set()

    def call(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Yield the rows; of a reference that stands twice only the first, the others as errors.

        What is remembered of a reference are 10 bytes of its digest: about 90 MB for a million.
        """
        for row in rows:
            if isinstance(row, EnrolmentError):
                yield row
                continue
            digest = hashlib.blake2b(row.ref.encode("utf-8", "surrogatepass"), digest_size=10).digest()
            if digest in self._seen:
                what = "the reference stands twice in the source; the first row was taken"
                yield EnrolmentError(row.row, self._ref, what)
                continue
            self._seen.add(digest)
            if row.ref in self._figures:
                self._unmet.discard(row.ref)
                yield dataclasses.replace(row, public_figure=True)
            else:
                yield row

    def remarks(self) -> Sequence[str]:
        """Say how many public figures were not met."""
        if not self._unmet:
            return ()
        return (f"{len(self._unmet)} references of the list of public figures are not in the source",)


def public_figures(path: Path, ref: str) -> frozenset[str]:
    """Return the references in a file: one a line, or a CSV that has the reference column.

    Raises `ConfigError` if it has several columns and none of them is the reference.
    """
    with reading(path) as raw, io.TextIOWrapper(raw, encoding=encoding_of(path), newline="") as lines:
        header = lines.readline()
        delimiter = max(DELIMITERS, key=header.count)
        lines.seek(0)
        rows = ([cell.strip() for cell in row] for row in csv.reader(lines, delimiter=delimiter))
        first = next(rows, [])
        if ref in first:
            at = first.index(ref)
            return frozenset(row[at] for row in rows if len(row) > at and row[at])
        if len(first) > 1:
            raise ConfigError(f"{path}: no column {ref!r} among: {', '.join(first)}")
        return frozenset(row[0] for row in (first, *rows) if row and row[0])
