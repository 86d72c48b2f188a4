"""Stream gaps: stretches of a stream that were not read as they came."""

import sqlalchemy as sa
from alembic import op

from storage.moments import Moment

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table of gaps."""
    op.create_table(
        "stream_gaps",
        sa.Column("gap_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("site", sa.String(length=200), nullable=False),
        sa.Column("since", Moment(), nullable=True),
        sa.Column("until", Moment(), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("filled", sa.Boolean(), nullable=False),
        sa.Column("noted_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("gap_id"),
    )
    op.create_index("stream_gaps_noted", "stream_gaps", ["noted_at"], unique=False)
