"""Workbooks: XLSX, XLSM, XLSB, XLS and ODS; one sheet whose first row names the columns.

A workbook is compressed and its texts stand apart from its cells, so it cannot be streamed as a text file can: the
texts of the whole sheet are in memory (measured in docs/enrolment.md). Whoever has a million rows exports CSV.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import python_calamine

from app.sources.interface import EnrolmentSettings, Row
from app.sources.table import Table
from model.errors import ConfigError
from model.record import LinkageSchema


class SpreadsheetSource:
    """The rows of one sheet."""

    unit = "rows"

    def __init__(self, path: Path, settings: EnrolmentSettings) -> None:
        """Open the workbook; raises `ConfigError` if it cannot be read or it is not plain which sheet is meant."""
        self._path = path
        self._settings = settings
        self._done = 0
        try:
            self._workbook = python_calamine.CalamineWorkbook.from_path(str(path))
            self._sheet = self._chosen()
        except (python_calamine.CalamineError, OSError) as error:
            advice = "it may be protected by a password, damaged, or of another format; export it as CSV"
            raise ConfigError(f"{path}: cannot be read as a workbook ({type(error).__name__}); {advice}") from None

    @property
    def schema(self) -> LinkageSchema:
        """Return the linkage schema of the configuration."""
        return self._settings

    def total(self) -> int | None:
        """Return the rows below the header."""
        return max(0, self._sheet.height - 1)

    def done(self) -> int:
        """Return the rows read."""
        return self._done

    def rows(self) -> Iterator[Row]:
        """Yield each row as a record, or what is wrong with it."""
        rows = iter(self._sheet.iter_rows())
        header = [str(cell) for cell in next(rows, [])]
        while header and not header[-1].strip():
            header.pop()
        table = Table(header, self._settings, str(self._path))
        for number, cells in enumerate(rows, start=1):
            self._done = number
            while len(cells) > len(header) and cells[-1] == "":
                cells.pop()
            row = table.row(number, cells)
            if row is not None:
                yield row

    def remarks(self) -> Sequence[str]:
        """Say nothing: every row is a record or an error."""
        return ()

    def _chosen(self) -> python_calamine.CalamineSheet:
        names, wanted = self._workbook.sheet_names, self._settings.sheet
        if wanted is not None:
            if wanted not in names:
                raise ConfigError(f"{self._path}: no sheet {wanted!r} (enrolment: sheet:); it has: {', '.join(names)}")
            return self._workbook.get_sheet_by_name(wanted)
        filled = [sheet for sheet in map(self._workbook.get_sheet_by_name, names) if sheet.height]
        if len(filled) != 1:
            named = ", ".join(sheet.name for sheet in filled) or "none"
            raise ConfigError(f"{self._path}: sheets with rows: {named}; say which one under enrolment: sheet:")
        return filled[0]
