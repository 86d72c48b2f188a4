import logging
import stat
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import insert, inspect, select, text

from model.errors import StorageError
from storage.database import Database
from storage.tables import facts, leases, metadata
from tests.storage.conftest import NOON


def test_migrations_make_exactly_the_tables(database):
    """The numbered migrations and tables.py agree on every table, column, index and constraint."""
    with database.reading() as tx:
        assert compare_metadata(MigrationContext.configure(tx, opts={"compare_type": True}), metadata) == []
        inspector = inspect(tx)
        for table in metadata.sorted_tables:
            indexes = {index["name"]: bool(index["unique"]) for index in inspector.get_indexes(table.name)}
            for index in table.indexes:
                assert indexes[index.name] == bool(index.unique), index.name


def test_opening_again_changes_nothing(database, url):
    """A database that is up to date is opened as it is, its rows untouched."""
    with database.transaction() as tx:
        tx.execute(insert(facts).values(name="a", value=b"b"))
    again = Database.open(url)
    assert again.schema_version() == database.schema_version() == "0005"
    with again.reading() as tx:
        assert tx.execute(select(facts.c.value)).scalar_one() == b"b"
    again.close()


def test_a_newer_database_is_refused(database, url):
    """A schema that this version does not know is left alone."""
    with database.transaction() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StorageError, match="newer version"):
        Database.open(url)


def test_an_exception_undoes_the_transaction(database):
    """What was written before an exception is gone, and the exception comes out as it was."""

    def write_and_fail():
        with database.transaction() as tx:
            tx.execute(insert(facts).values(name="a", value=b"b"))
            raise KeyError

    with pytest.raises(KeyError):
        write_and_fail()
    with database.reading() as tx:
        assert tx.execute(select(facts)).all() == []


def test_a_transaction_inside_a_transaction_is_refused_at_once(database):
    """A second transaction in the same thread would wait for the first for ever on SQLite."""
    with database.transaction(), pytest.raises(StorageError, match="pass its connection on"), database.transaction():
        pass
    with database.transaction():
        pass


def test_times_come_back_aware_and_in_utc(database):
    """A time in another zone is stored as the same moment; one without a zone is refused."""
    shanghai = datetime(2026, 3, 1, 20, 0, 0, 123456, tzinfo=timezone(timedelta(hours=8)))
    row = {"name": "a", "owner": "b", "epoch": 1}
    with database.transaction() as tx:
        tx.execute(insert(leases).values(**row, expires_at=shanghai))
        kept = tx.execute(select(leases.c.expires_at)).scalar_one()
    assert kept == shanghai
    assert kept.tzinfo == UTC
    with pytest.raises(StorageError), database.transaction() as tx:
        tx.execute(insert(leases).values(**(row | {"name": "c"}), expires_at=datetime(2026, 3, 1)))  # noqa: DTZ001


def test_errors_and_logs_carry_no_value(database, caplog):
    """A refused statement says what to do; the values it carried appear in no message and no log."""
    caplog.set_level(logging.DEBUG)
    row = {"name": "CANARY-NAME", "value": b"CANARY-VALUE"}
    with database.transaction() as tx:
        tx.execute(insert(facts).values(**row))
    with pytest.raises(StorageError) as caught, database.transaction() as tx:
        tx.execute(insert(facts).values(**row))
    assert "CANARY" not in str(caught.value)
    assert "faster" in str(caught.value)
    assert "CANARY" not in caplog.text


def test_sqlite_is_set_up_for_safety(tmp_path):
    """Every connection has the profile that survives a crash and forgets what is deleted."""
    database = Database.open(f"sqlite:///{tmp_path}/s.db")
    wanted = {"journal_mode": "wal", "synchronous": 2, "busy_timeout": 30000, "foreign_keys": 1, "secure_delete": 1}
    for _ in range(2):
        with database.reading() as tx:
            assert {name: tx.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in wanted} == wanted
    database.scrub()
    with database.reading() as tx:
        assert {name: tx.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in wanted} == wanted
    database.close()


def test_sqlite_files_are_private(tmp_path):
    """A new database and its new folders can be entered by their owner only."""
    database = Database.open(f"sqlite:///{tmp_path}/new/deep/s.db")
    with database.transaction() as tx:
        tx.execute(insert(facts).values(name="a", value=b"b"))
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "new").rglob("*")}
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700
    assert modes.pop("deep") == 0o700
    assert set(modes.values()) == {0o600}
    assert "s.db-wal" in modes
    database.close()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nonsense", "cannot be read"),
        ("mysql://localhost/x", "not supported"),
        ("sqlite://", "in memory"),
        ("sqlite:///:memory:", "in memory"),
        ("postgresql+psycopg://nobody@127.0.0.1:1/none", "cannot be reached"),
    ],
)
def test_unusable_urls_say_what_to_do(url, message):
    """Each kind of wrong URL has its own message."""
    with pytest.raises(StorageError, match=message):
        Database.open(url)


def test_a_file_that_is_no_database_is_refused(tmp_path):
    """A foreign file is not overwritten."""
    path = Path(tmp_path / "letter.txt")
    path.write_text("dear reader, " * 1000)
    with pytest.raises(StorageError, match="not a database"):
        Database.open(f"sqlite:///{path}")
    assert path.read_text().startswith("dear reader")


def test_moments_sort_as_time(database):
    """Comparison in the database is comparison of moments, whatever zone they came in."""
    early = NOON.astimezone(timezone(timedelta(hours=9)))
    late = (NOON + timedelta(minutes=1)).astimezone(timezone(timedelta(hours=-9)))
    with database.transaction() as tx:
        for name, moment in (("late", late), ("early", early)):
            tx.execute(insert(leases).values(name=name, owner="o", epoch=1, expires_at=moment))
        assert tx.scalars(select(leases.c.name).order_by(leases.c.expires_at)).all() == ["early", "late"]
        assert tx.scalars(select(leases.c.name).where(leases.c.expires_at <= NOON)).all() == ["early"]


def test_scrub_works_on_both_engines(database):
    """After scrub the database is as usable as before, also right after a transaction."""
    with database.transaction() as tx:
        tx.execute(insert(facts).values(name="a", value=b"b"))
    database.scrub()
    with database.transaction() as tx:
        assert tx.execute(select(facts.c.value)).scalar_one() == b"b"
