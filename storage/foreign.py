"""Somebody else's database, from which records are enrolled: one query, read-only, as a stream."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, make_url, text
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from model.errors import StorageError
from storage.database import advice

AT_ONCE = 1_000
"""Rows fetched together."""
MYSQL = ("mysql", "mariadb")
READING = re.compile(r"\s*(?:--[^\n]*\n\s*|/\*.*?\*/\s*)*(?:SELECT|WITH|TABLE|VALUES)\b", re.IGNORECASE | re.DOTALL)


def holds_password(url: str) -> bool:
    """Tell whether a URL holds a password; one that cannot be read is taken to."""
    try:
        return make_url(url).password is not None
    except ArgumentError:
        return True


@contextmanager
def rows_of(url: str, query: str) -> Iterator[tuple[Sequence[str], Iterator[Sequence[Any]]]]:
    """Run a query and yield the names of its columns and a stream of its rows.

    The transaction is read-only where the database can promise that (PostgreSQL, SQLite, MySQL, MariaDB), and rolled
    back in the end everywhere; rows come by a cursor on the server where the driver has one.
    Raises `StorageError` if the URL, the driver, the database or the query is at fault; neither the URL nor a value
    is quoted.
    """
    if not READING.match(query):
        raise StorageError("the query does not read: it must begin with SELECT or WITH")
    engine = _engine(url)
    try:
        with engine.connect() as connection, _read_only(connection).begin() as transaction:
            # A colon in somebody's query is a cast or a time, never a parameter of ours.
            result = connection.execute(text(query.rstrip().rstrip(";").replace(":", r"\:")))
            yield list(result.keys()), (tuple(row) for row in result)
            transaction.rollback()
    except SQLAlchemyError as error:
        raise StorageError(f"the source: {advice(error)}") from None
    finally:
        engine.dispose()


def _engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite":
            parsed = _existing(parsed)
        elif parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        return create_engine(parsed, hide_parameters=True)
    except ArgumentError:
        raise StorageError("the source's URL cannot be read: write dialect+driver://user@host/database") from None
    except (NoSuchModuleError, ImportError) as error:
        missing = getattr(error, "name", None) or "it"
        raise StorageError(f"the driver for the source's database is missing: install {missing} here") from None


def _existing(url: URL) -> URL:
    """Return the URL that opens a SQLite file read-only, and makes none."""
    if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        raise StorageError("the source's URL names no file: write sqlite:///path")
    return url.set(database=f"file:{quote(url.database)}", query={"mode": "ro", "uri": "true"})


def _read_only(connection: Connection) -> Connection:
    options: dict[str, Any] = {"stream_results": True, "yield_per": AT_ONCE}
    dialect = connection.dialect.name
    if dialect == "postgresql":
        options |= {"postgresql_readonly": True, "isolation_level": "REPEATABLE READ"}
    if dialect == "sqlite":
        connection.exec_driver_sql("PRAGMA query_only = ON")
        connection.rollback()
    if dialect in MYSQL:
        connection.exec_driver_sql("SET SESSION TRANSACTION READ ONLY")
        connection.rollback()
    return connection.execution_options(**options)
