"""CSV, TSV and their like as hospitals export them: a header line, UTF-8 or GB18030, gzip or not."""

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from app.sources.files import Progress, encoding_of, reading
from app.sources.interface import EnrolmentSettings, Row
from app.sources.table import Table
from model.errors import EnrolmentError
from model.record import LinkageSchema

DELIMITERS = ",\t;|"
csv.field_size_limit(10_000_000)


class DelimitedSource:
    """The rows of one delimited file."""

    unit = "bytes"

    def __init__(self, path: Path, settings: EnrolmentSettings) -> None:
        """Take the file; it is opened when its rows are asked for."""
        self._path = path
        self._settings = settings
        self._progress = Progress()

    @property
    def schema(self) -> LinkageSchema:
        """Return the linkage schema of the configuration."""
        return self._settings

    def total(self) -> int | None:
        """Return the size of the file."""
        return self._path.stat().st_size if self._path.is_file() else None

    def done(self) -> int:
        """Return the bytes read."""
        return self._progress.done

    def rows(self) -> Iterator[Row]:
        """Yield each row as a record, or what is wrong with it; empty rows are passed over, and counted as rows."""
        encoding = encoding_of(self._path)
        with reading(self._path, self._progress) as raw, io.TextIOWrapper(raw, encoding=encoding, newline="") as lines:
            header = lines.readline()
            delimiter = max(DELIMITERS, key=header.count)
            lines.seek(0)
            reader = csv.reader(lines, delimiter=delimiter, strict=True)
            table = Table(next(reader, []), self._settings, str(self._path))
            number = 0
            while True:
                number += 1
                try:
                    cells = next(reader)
                except StopIteration:
                    return
                except csv.Error:
                    what = "the row cannot be parsed as CSV (quotes do not close?)"
                    yield EnrolmentError(number, self._settings.ref, what)
                    continue
                row = table.row(number, cells)
                if row is not None:
                    yield row

    def remarks(self) -> Sequence[str]:
        """Say nothing: every row is a record or an error."""
        return ()
