"""Postings move from a row each into the blocks of sorted runs, one run for each size of payload."""

from collections.abc import Iterator
from math import ceil, log2
from typing import Any

import numpy as np
import sqlalchemy as sa
from alembic import op
from numpy.typing import NDArray

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

LABEL_BYTES = 16
PER_BLOCK = 128
FILTER_BYTES = 256
PER_FILTER_ROW = 64
STRETCH_BITS = 9
"""A stretch is so many blocks (as a power of two): what is held in memory."""


def upgrade() -> None:
    """Make the three tables of the runs, move every posting, drop the old table."""
    op.create_table(
        "posting_runs",
        sa.Column("run", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("prefix_bits", sa.Integer(), nullable=False),
        sa.Column("entry_bytes", sa.Integer(), nullable=False),
        sa.Column("filter_bytes", sa.Integer(), nullable=False),
        sa.Column("postings", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("run"),
    )
    for name, content in (("posting_blocks", "entries"), ("posting_filters", "filters")):
        op.create_table(
            name,
            sa.Column(
                "place", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
            ),
            sa.Column(content, sa.LargeBinary(), nullable=False),
            sa.PrimaryKeyConstraint("place"),
        )
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        # Sealed bytes do not get smaller by compression.
        op.execute("ALTER TABLE posting_blocks ALTER COLUMN entries SET STORAGE EXTERNAL")
        op.execute("ALTER TABLE posting_filters ALTER COLUMN filters SET STORAGE EXTERNAL")
    sizes = connection.execute(sa.text("SELECT length(sealed), count(*) FROM postings GROUP BY 1 ORDER BY 1")).all()
    for number, (size, count) in enumerate(sizes, 1):
        _move(connection, number, int(size), int(count))
    op.drop_table("postings")


def _move(connection: sa.Connection, number: int, size: int, count: int) -> None:
    """Write one run from all postings with a payload of this size."""
    bits = max(0, ceil(log2(count / PER_BLOCK)))
    step = max(0, bits - STRETCH_BITS)
    block = sa.text("INSERT INTO posting_blocks (place, entries) VALUES (:place, :content)")
    filters = sa.text("INSERT INTO posting_filters (place, filters) VALUES (:place, :content)")
    wide = 1 << (bits - step)
    pending, row = b"", number << 32
    for part, rows in enumerate(_stretches(connection, size, step)):
        high, low = (rows[:, at : at + 8].copy().view(">u8").astype(np.uint64)[:, 0] for at in (0, 8))
        blocks = (high >> np.uint64(64 - bits)).astype(np.int64) if bits else np.zeros(len(rows), np.int64)
        first = part * wide
        cuts = np.searchsorted(blocks, np.arange(first, first + wide + 1)).tolist()
        places = ((number << 32) + first + index for index in range(wide))
        made = [
            {"place": place, "content": rows[begin:end].tobytes()}
            for place, begin, end in zip(places, cuts[:-1], cuts[1:], strict=True)
        ]
        connection.execute(block, made)
        pending += _filters(blocks - first, high, low, wide)
        while len(pending) >= PER_FILTER_ROW * FILTER_BYTES:
            connection.execute(filters, {"place": row, "content": pending[: PER_FILTER_ROW * FILTER_BYTES]})
            pending, row = pending[PER_FILTER_ROW * FILTER_BYTES :], row + 1
    if pending:
        connection.execute(filters, {"place": row, "content": pending})
    told: dict[str, Any] = {"run": number, "bits": bits, "entry": LABEL_BYTES + size, "filter": FILTER_BYTES}
    connection.execute(
        sa.text(
            "INSERT INTO posting_runs (run, revision, prefix_bits, entry_bytes, filter_bytes, postings)"
            " VALUES (:run, 0, :bits, :entry, :filter, :count)"
        ),
        told | {"count": count},
    )


def _stretches(connection: sa.Connection, size: int, step: int) -> Iterator[NDArray[np.uint8]]:
    """Yield the postings of each stretch of labels that share their first bits, as rows label ‖ sealed, ascending."""
    asked = sa.text(
        "SELECT label, sealed FROM postings WHERE label >= :first AND label < :last AND length(sealed) = :size"
        " ORDER BY label"
    )
    for part in range(1 << step):
        first, last = (((part + more) << (128 - step)).to_bytes(17, "big")[1:] for more in (0, 1))
        if part + 1 == 1 << step:
            last = b"\xff" * 17
        found = connection.execute(asked, {"first": first, "last": last, "size": size})
        data = b"".join(bytes(label) + bytes(sealed) for label, sealed in found)
        yield np.frombuffer(data, np.uint8).reshape(-1, LABEL_BYTES + size)


def _filters(blocks: NDArray[np.int64], high: NDArray[np.uint64], low: NDArray[np.uint64], count: int) -> bytes:
    """Return the Bloom filters of so many blocks: seven bits for each label, from bits that do not choose the block."""
    flags = np.zeros(count * FILTER_BYTES * 8, np.bool_)
    for half, shifts in ((low, (0, 11, 22, 33, 44)), (high, (0, 11))):
        for shift in shifts:
            probe = ((half >> np.uint64(shift)) & np.uint64(0x7FF)).astype(np.int64)
            flags[blocks * (8 * FILTER_BYTES) + probe] = True
    return np.packbits(flags, bitorder="little").tobytes()
