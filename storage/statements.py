"""The few statements that SQLite and PostgreSQL spell alike but SQLAlchemy keeps apart."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import ARRAY, Column, ColumnElement, Connection, LargeBinary, Table, any_, literal
from sqlalchemy.dialects import postgresql, sqlite

T = TypeVar("T")

BATCH = 500
"""Values in one IN list: below every engine's limit, large enough to make the round trip cheap."""


def insert_new(tx: Connection, table: Table, row: Mapping[str, Any]) -> bool:
    """Insert the row unless it collides with a unique constraint; tell whether it was inserted."""
    insert = postgresql.insert(table) if tx.dialect.name == "postgresql" else sqlite.insert(table)
    told = insert.values(**row).on_conflict_do_nothing().returning(*table.primary_key)
    return tx.execute(told).first() is not None


def insert_all_new(tx: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert the rows, all with the same columns, except those that collide with a unique constraint."""
    insert = postgresql.insert(table) if tx.dialect.name == "postgresql" else sqlite.insert(table)
    if rows:
        tx.execute(insert.on_conflict_do_nothing(), rows)


def put(tx: Connection, table: Table, key: Mapping[str, Any], row: Mapping[str, Any]) -> None:
    """Insert the row, or overwrite the columns of `row` where the primary key exists."""
    insert = postgresql.insert(table) if tx.dialect.name == "postgresql" else sqlite.insert(table)
    tx.execute(insert.values(**key, **row).on_conflict_do_update(index_elements=list(key), set_=dict(row)))


def put_all(tx: Connection, table: Table, key: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert the rows, all with the same columns; where the primary key `key` exists, overwrite the other columns."""
    if not rows:
        return
    insert = postgresql.insert(table) if tx.dialect.name == "postgresql" else sqlite.insert(table)
    others = {name: insert.excluded[name] for name in rows[0] if name not in key}
    tx.execute(insert.on_conflict_do_update(index_elements=list(key), set_=others), rows)


def one_of(tx: Connection, column: Column[bytes], values: Sequence[bytes]) -> ColumnElement[bool]:
    """Return the condition that the column has one of the values: as one array where the engine has arrays."""
    if tx.dialect.name == "postgresql":
        return column == any_(literal(list(values), ARRAY(LargeBinary)))
    return column.in_(values)


def batches(values: Sequence[T], size: int = BATCH) -> Iterator[Sequence[T]]:
    """Yield the values in slices of at most `size`."""
    for start in range(0, len(values), size):
        yield values[start : start + size]
