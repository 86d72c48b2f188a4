"""A database of an earlier version is brought up to date with everything that is in it."""

import secrets
from itertools import pairwise

import pytest
from alembic import command
from alembic.migration import MigrationContext
from sqlalchemy import insert, inspect, text

from storage import database as door
from storage.database import Database
from storage.facts import FactStore
from storage.records import RecordStore
from storage.tables import records
from tests.storage.conftest import person


@pytest.fixture
def first_version(url):
    """Open a database as the first version left it."""
    database = Database(door._engine(url))
    with database.transaction() as tx:
        config = door._migrations()
        config.attributes["connection"] = tx
        command.upgrade(config, "0001")
    yield database
    database.close()


def _fill(database, people):
    """Write records and postings as the first version did: a row for each posting."""
    statement = text("INSERT INTO postings (label, sealed) VALUES (:label, :sealed)")
    with database.transaction() as tx:
        columns = ("handle", "ref_tag", "content_tag", "epoch", "sealed_ref", "sealed_details", "sealed_tokens")
        tx.execute(insert(records), [{name: getattr(one, name) for name in columns} for one in people])
        tx.execute(statement, [{"label": e.label, "sealed": e.sealed} for one in people for e in one.postings])


@pytest.mark.parametrize("sizes", [(300, 84), (2000, 84), (7, 40)])
def test_postings_move_into_runs(first_version, url, sizes):
    """Every posting is found as before, of whatever size; nothing is left of the old table."""
    count, size = sizes
    people = [person(40, sealed_bytes=size) for _ in range(count)] + [person(3, sealed_bytes=99)]
    _fill(first_version, people)
    database = Database.open(url)
    assert database.schema_version() == "0005"
    store = RecordStore(database)
    expected = {entry.label: entry.sealed for one in people for entry in one.postings}
    assert store.postings([*expected, secrets.token_bytes(16)]) == expected
    assert store.count().postings == len(expected)
    assert store.count().records == len(people)
    assert FactStore(database).filter_version() == 0
    with database.reading() as tx:
        assert MigrationContext.configure(tx).get_current_revision() == "0005"
        assert "postings" not in inspect(tx).get_table_names()
        blocks = tx.execute(text("SELECT entries FROM posting_blocks WHERE place < 2 * 4294967296 ORDER BY place"))
        joined = b"".join(bytes(block) for (block,) in blocks)
    labels = [joined[at : at + 16] for at in range(0, len(joined), 16 + size)]
    assert all(one < other for one, other in pairwise(labels))
    database.close()


def test_an_empty_database_moves_too(first_version, url):
    """No posting, no run."""
    database = Database.open(url)
    assert RecordStore(database).count().postings == 0
    database.close()
