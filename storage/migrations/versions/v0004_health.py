"""Scans that can be compared with earlier ones, pages that know their scan, and verdicts on queries."""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from storage.moments import Moment

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ACCOUNTS_BEGIN = "accounts-begin"
Serial = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the columns and the table; the coverage statement begins now, since earlier pages do not know their scan."""
    op.add_column("pages", sa.Column("scan_id", Serial, nullable=True))
    op.add_column("scans", sa.Column("every", sa.Float(), nullable=True))
    for name in ("taken", "without_text", "without_author", "without_time", "unchanged"):
        op.add_column("scans", sa.Column(name, sa.Integer(), nullable=False, server_default="0"))
    op.add_column("scans", sa.Column("pace", sa.Float(), nullable=True))
    op.add_column("scans", sa.Column("paused_until", Moment(), nullable=True))
    op.create_index("scans_claimed", "scans", ["claimed_at"], unique=False)
    op.add_column("site_health", sa.Column("told", sa.Text(), nullable=True))
    op.add_column("site_health", sa.Column("told_at", Moment(), nullable=True))
    op.create_table(
        "query_verdicts",
        sa.Column("site", sa.String(length=200), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("refused", sa.Text(), nullable=False),
        sa.Column("vetted_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("site"),
    )
    connection = op.get_bind()
    if connection.execute(sa.text("SELECT 1 FROM scans LIMIT 1")).first() is not None:
        facts = sa.table("facts", sa.column("name", sa.String), sa.column("value", sa.LargeBinary))
        now = datetime.now(UTC).isoformat().encode("ascii")
        connection.execute(facts.insert().values(name=ACCOUNTS_BEGIN, value=now))
