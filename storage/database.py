"""The database: opened, brought up to date, and entered through one write and one read door.

SQLite is the default (WAL, synchronous FULL, one writer at a time by BEGIN IMMEDIATE); PostgreSQL by URL.
Errors of the driver come out as `StorageError` with advice and without the statement's values.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from model.errors import StorageError

if TYPE_CHECKING:  # most processes find the schema as it should be, and start without Alembic
    from alembic.config import Config

Transaction = Connection
"""What `Database.transaction` yields, and what methods that take part in a caller's transaction ask for."""

DOOR = "spillwatch_door"
MIGRATION_LOCK = 0x5350494C4C
MIGRATIONS = Path(__file__).parent / "migrations"
ERASED_FROM = ("posting_blocks", "posting_filters", "posting_runs", "records", "spool", "pages", "traces")


class Database:
    """An open database. Safe to share between threads; after a fork it opens connections of its own."""

    def __init__(self, engine: Engine) -> None:
        """Wrap an engine; use `Database.open`."""
        self._engine = engine
        self._pid = os.getpid()
        self._inherited: list[Any] = []
        self._held = threading.local()

    @classmethod
    def open(cls, url: str, *, upgrade: bool = True) -> "Database":
        """Open the database of a SQLAlchemy URL (`sqlite:///path` or `postgresql+psycopg://…`).

        A missing SQLite file is made (0600), its missing folders too (0700). With `upgrade` the schema is
        brought up to date. Raises StorageError when it cannot be used, or was made by a newer version.
        """
        database = cls(_engine(url))
        try:
            if upgrade:
                database.upgrade()
            else:
                with database.reading() as connection:
                    connection.execute(text("SELECT 1"))
        except StorageError:
            database.close()
            raise
        return database

    @property
    def dialect(self) -> str:
        """Say which engine it is: `sqlite` or `postgresql`."""
        return self._engine.dialect.name

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Yield a connection in a write transaction: committed at the end, rolled back on any exception.

        Raises StorageError for what the database refuses, and when the thread is in a transaction already
        (SQLite would wait for itself): pass the connection on instead.
        """
        if getattr(self._held, "writing", False):
            raise StorageError("a transaction is open in this thread already: pass its connection on")
        self._held.writing = True
        try:
            with _translated(), self._own_engine().connect() as connection:
                connection.execution_options(**{DOOR: "write"})
                with connection.begin():
                    yield connection
        finally:
            self._held.writing = False

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Yield a connection that sees one state of the database and is meant for reading only."""
        with _translated(), self._own_engine().connect() as connection:
            if self.dialect == "postgresql":
                connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            with connection.begin():
                yield connection

    def close(self) -> None:
        """Close every connection of this process."""
        self._own_engine().dispose()

    def upgrade(self) -> None:
        """Bring the schema up to date, in one transaction; concurrent callers wait for each other.

        Raises StorageError when the database was made by a newer version.
        """
        if self.schema_version() == newest_version():
            return
        from alembic import command
        from alembic.util import CommandError

        with self.transaction() as connection:
            if self.dialect == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
            config = _migrations()
            config.attributes["connection"] = connection
            try:
                command.upgrade(config, "head")
            except CommandError:
                raise StorageError(
                    "the database was made by a newer version of Spillwatch: install that version or a later one"
                ) from None

    def schema_version(self) -> str | None:
        """Return the revision of the schema, or None for an empty database."""
        with self.reading() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return None
            return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()

    def scrub(self) -> None:
        """Overwrite what was erased, so that its bytes are in no file of the database any more.

        SQLite: rewrites the file and empties the write-ahead log. PostgreSQL: rewrites the tables that hold
        fingerprints and pages; its own log and its backups age by their own rules. Both need exclusive access
        for a moment. Raises StorageError when another process is in the way for too long.
        """
        with _translated(), self._own_engine().connect() as connection:
            if self.dialect == "postgresql":
                plain = connection.execution_options(isolation_level="AUTOCOMMIT")
                for table in ERASED_FROM:
                    plain.exec_driver_sql(f"VACUUM FULL {table}")
                return
            connection.execution_options(**{DOOR: "none"})
            connection.exec_driver_sql("VACUUM")
            busy = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()[0]
        if busy:
            raise StorageError(
                "erased bytes may still be in the write-ahead log: another process is reading; try again"
            )

    def _own_engine(self) -> Engine:
        if self._pid != os.getpid():
            # A connection must not be used, nor even closed, on the other side of a fork: keep it alive, unused.
            self._inherited.append(self._engine.pool)
            self._engine.dispose(close=False)
            self._held = threading.local()
            self._pid = os.getpid()
        return self._engine


def _engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise StorageError("the database URL cannot be read: write sqlite:///path or postgresql+psycopg://…") from None
    if parsed.get_backend_name() == "postgresql":
        return create_engine(parsed.set(drivername="postgresql+psycopg"), hide_parameters=True, pool_pre_ping=True)
    if parsed.get_backend_name() != "sqlite":
        raise StorageError(f"{parsed.get_backend_name()} is not supported: use SQLite or PostgreSQL")
    _make_file(parsed)
    engine = create_engine(parsed, hide_parameters=True, connect_args={"timeout": 30.0})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _make_file(url: URL) -> None:
    if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        raise StorageError("a database in memory loses everything with its process: name a file")
    path = Path(url.database)
    try:
        for folder in reversed([folder for folder in path.parents if not folder.exists()]):
            folder.mkdir(mode=0o700, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise StorageError(
            f"the database file {path} cannot be opened ({error.strerror}): check the folder and its owner"
        ) from None


def _prepare_sqlite(connection: Any, record: object) -> None:
    connection.isolation_level = None  # BEGIN is ours to say, see _begin_sqlite
    cursor = connection.cursor()
    for pragma in (
        "busy_timeout = 30000",
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
        "secure_delete = ON",
        "temp_store = MEMORY",
        "cache_size = -65536",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    door = connection.get_execution_options().get(DOOR)
    if door != "none":
        connection.exec_driver_sql("BEGIN IMMEDIATE" if door == "write" else "BEGIN")


def newest_version() -> str:
    """Return the revision that this version of Spillwatch works with: the files of migrations are named by theirs."""
    return max(path.name[1:5] for path in (MIGRATIONS / "versions").glob("v[0-9][0-9][0-9][0-9]_*.py"))


def _migrations() -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        raise StorageError(advice(error)) from None


def advice(error: SQLAlchemyError) -> str:
    """Say what a database error means and what to do, without the driver's words: those can quote values."""
    original = error.orig if isinstance(error, DBAPIError) else None
    code = str(getattr(original, "sqlite_errorname", None) or getattr(original, "sqlstate", None) or "")
    name = type(original or error).__name__
    for prefix, what in _ADVICE.items():
        if code.startswith(prefix):
            return f"{what} ({code})"
    if isinstance(error, DBAPIError) and not code:
        return f"the database cannot be reached: check that it runs and that the URL is right ({name})"
    return f"the database refused the statement ({name} {code}".rstrip() + "): see its own log, then report this"


_ADVICE = {
    "SQLITE_BUSY": "another process held the database for more than 30 s: try again, and stop what holds it",
    "SQLITE_LOCKED": "another connection held the table: try again",
    "SQLITE_FULL": "the disk is full: make room, nothing was written",
    "SQLITE_IOERR": "the disk failed: check it before going on, nothing was written",
    "SQLITE_READONLY": "the database file is read-only for this user: check its owner and mode",
    "SQLITE_CANTOPEN": "the database file cannot be opened: check the folder and its owner",
    "SQLITE_CORRUPT": "the database file is damaged: stop, and restore a backup",
    "SQLITE_NOTADB": "the file is not a database of Spillwatch: check the URL",
    "SQLITE_CONSTRAINT": "the row is there already, or refers to one that is not: somebody else was faster",
    "23": "the row is there already, or refers to one that is not: somebody else was faster",
    "40": "two transactions were in each other's way: try again",
    "53100": "the database server's disk is full: make room, nothing was written",
    "53": "the database server is out of connections or memory: try again later",
    "28": "the database server refused the login: check user and password",
    "3D": "the database server has no such database: create it",
    "42501": "the database user lacks rights on the tables: grant them",
    "42P01": "a table is missing: bring the schema up to date",
    "55": "another process held the table: try again",
    "57": "the database server is shutting down: try again",
    "08": "the connection to the database server broke: try again",
}
