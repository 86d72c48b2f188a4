"""Any database that SQLAlchemy has a driver for, by a query: its rows, read-only and as a stream."""

from collections.abc import Iterator, Sequence

from app.sources.interface import EnrolmentSettings, Row
from app.sources.table import Table
from model.errors import ConfigError
from model.record import LinkageSchema
from storage.foreign import rows_of


class DatabaseSource:
    """The rows of one query."""

    unit = "rows"

    def __init__(self, url: str, settings: EnrolmentSettings) -> None:
        """Take the URL, which may hold a password and is never shown; raises `ConfigError` without a query."""
        if not settings.query:
            raise ConfigError("a database needs a query: --query, or enrolment: query: in config.yaml")
        self._url = url
        self._query = settings.query
        self._settings = settings
        self._done = 0

    @property
    def schema(self) -> LinkageSchema:
        """Return the linkage schema of the configuration."""
        return self._settings

    def total(self) -> int | None:
        """Return nothing: counting would run the query twice."""
        return None

    def done(self) -> int:
        """Return the rows read."""
        return self._done

    def rows(self) -> Iterator[Row]:
        """Yield each row as a record, or what is wrong with it.

        Raises `StorageError` if the database cannot be reached or refuses the query.
        """
        with rows_of(self._url, self._query) as (header, rows):
            table = Table(header, self._settings, "the query's result")
            for number, cells in enumerate(rows, start=1):
                self._done = number
                row = table.row(number, cells)
                if row is not None:
                    yield row

    def remarks(self) -> Sequence[str]:
        """Say nothing: every row is a record or an error."""
        return ()
