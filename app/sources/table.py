"""Rows of a table → records: what delimited files, spreadsheets and databases have in common."""

import math
import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from app.sources.interface import EnrolmentSettings, Row
from model.errors import ConfigError, EnrolmentError
from model.record import Record, numbered

EXACT = 10**15
"""Spreadsheets keep 15 digits of a number; what is larger was altered."""
ROUNDED = re.compile(r"\d\.\d+E\+\d\d", re.IGNORECASE)
"""What a spreadsheet writes into a CSV for a long number."""
LOST_DIGITS = "a number of more than 15 digits, of which the spreadsheet lost the end; format the column as text, "
LOST_DIGITS += "enter the numbers anew and export again"
LONG_TEXT = frozenset(("note", "address", "person_name"))
"""Kinds in which such a number may stand as written."""
YES = frozenset(("1", "y", "yes", "t", "true", "x", "vip", "是", "有", "v", "√"))
NO = frozenset(("", "0", "n", "no", "f", "false", "-", "否", "无"))
DAY = re.compile(r"(\d{4})\s*[-/.年]?\s*(\d{1,2})\s*[-/.月]?\s*(\d{1,2})\s*日?(?:[T ].*)?")


class Table:
    """The columns of one table, checked against the linkage schema."""

    def __init__(self, header: Sequence[str], settings: EnrolmentSettings, where: str) -> None:
        """Raise `ConfigError`, naming `where`, if the reference is missing or a column is not in the schema."""
        self._ref_name = settings.ref
        names = list(numbered((name.strip().removeprefix("\ufeff"), "") for name in header))
        figure, retain = settings.public_figures.column, settings.retain_until
        _check(names, settings, where, [name for name in (figure, retain) if name])
        self._width = len(names)
        self._ref = names.index(settings.ref)
        self._figure = names.index(figure) if figure else None
        self._retain = names.index(retain) if retain else None
        self._names = {number: name or f"number {number + 1}" for number, name in enumerate(names)}
        columns = {number: settings.column(name) for number, name in enumerate(names)}
        taken = {number: column for number, column in columns.items() if column and not column.ignored}
        self._taken = [(number, names[number]) for number in taken]
        self._exact = [(number, names[number]) for number, column in taken.items() if column.kind not in LONG_TEXT]

    def row(self, number: int, cells: Sequence[Any]) -> Row | None:
        """Return the record of a row (1 = first below the header), what is wrong with it, or None if it is empty."""
        try:
            texts = [cell.strip() if type(cell) is str else self._text(at, cell) for at, cell in enumerate(cells)]
            if len(texts) != self._width:
                if not any(texts):
                    return None
                self._refuse_width(len(texts))
            return self._record(number, texts)
        except _Unfit as problem:
            return EnrolmentError(number, problem.column, problem.what)

    def _record(self, number: int, texts: Sequence[str]) -> Record | None:
        ref = texts[self._ref]
        if not ref:
            if not any(texts):
                return None
            raise _Unfit(self._ref_name, "the reference is empty")
        for at, name in self._exact:
            if "+" in texts[at] and ROUNDED.fullmatch(texts[at]):
                raise _Unfit(name, LOST_DIGITS)
        values = {name: texts[at] for at, name in self._taken if texts[at]}
        if not values:
            raise _Unfit(self._ref_name, "no column to be fingerprinted has a value")
        retain = _day(texts[self._retain], self._names[self._retain]) if self._retain is not None else None
        figure = self._figure is not None and _yes(texts[self._figure], self._names[self._figure])
        return Record(ref, number, values, retain, figure)

    def _refuse_width(self, width: int) -> None:
        than = "more" if width > self._width else "fewer"
        raise _Unfit(self._ref_name, f"the row has {than} fields than the header has columns")

    def _text(self, at: int, cell: Any) -> str:
        wanted = at in (self._ref, self._figure, self._retain) or any(at == taken for taken, _ in self._taken)
        try:
            return as_text(cell)
        except ValueError as problem:
            if not wanted:
                return "?"
            raise _Unfit(self._names.get(at, ""), str(problem)) from None


class _Unfit(Exception):
    """A row cannot become a record."""

    def __init__(self, column: str, what: str) -> None:
        super().__init__(what)
        self.column = column
        self.what = what


def as_text(cell: Any) -> str:
    """Return a cell of a spreadsheet or a database as it would be written: dates as ISO 8601, 42.0 as 42.

    Raises `ValueError` for a number that has lost digits, and for what has no writing (pictures, arrays).
    """
    if cell is None:
        return ""
    if isinstance(cell, str):
        return cell.strip()
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, float):
        return _number(cell)
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == time() else cell.isoformat(" ", "seconds")
    if isinstance(cell, date):
        return cell.isoformat()
    if isinstance(cell, (int, Decimal)) or type(cell).__name__ in ("UUID", "time", "timedelta"):
        return str(cell)
    raise ValueError(f"a value of type {type(cell).__name__} cannot be read as text; convert it in the query")


def standing_yes(text: str) -> bool | None:
    """Tell yes from no in a column of marks; None if the word is neither."""
    word = text.strip().casefold()
    return True if word in YES else False if word in NO else None


def _number(cell: float) -> str:
    if not math.isfinite(cell):
        return ""
    if abs(cell) >= EXACT:
        raise ValueError(LOST_DIGITS)
    return str(int(cell)) if cell.is_integer() else repr(cell)


def _yes(text: str, column: str) -> bool:
    answer = standing_yes(text)
    if answer is None:
        raise _Unfit(column, "neither yes nor no; write 1 or 0, yes or no, 是 or 否")
    return answer


def _day(text: str, column: str) -> date | None:
    if not text:
        return None
    match = DAY.fullmatch(text)
    try:
        return date(*map(int, match.groups())) if match else _no_day(column)
    except ValueError:
        return _no_day(column)


def _no_day(column: str) -> date:
    raise _Unfit(column, "not a day; write it as YYYY-MM-DD")


def _check(names: Sequence[str], settings: EnrolmentSettings, where: str, others: Sequence[str]) -> None:
    """Refuse a table whose columns are not those of the linkage schema."""
    if settings.ref not in names:
        raise ConfigError(f"{where}: no column {settings.ref!r} (enrolment: ref:); there are: {', '.join(names)}")
    missing = [name for name in others if name not in names]
    if missing:
        raise ConfigError(f"{where}: no column {missing[0]!r}, which enrolment: in config.yaml asks for")
    spoken_for: Mapping[str, object] = dict.fromkeys([settings.ref, *others])
    unknown = [name for name in names if name not in spoken_for and settings.column(name) is None]
    if unknown:
        advice = "name them under enrolment: columns: in config.yaml, as `ignore` if they are not to be watched"
        raise ConfigError(f"{where}: columns that config.yaml does not know: {', '.join(unknown)}; {advice}")
    if not any(settings.column(name) for name in names):
        raise ConfigError(f"{where}: none of the columns under enrolment: columns: stands in it")
