"""Traces: what is remembered of posts, sealed, until the rest of a leak comes in another one."""

import sqlalchemy as sa
from alembic import op

from storage.moments import Moment

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table of traces."""
    op.create_table(
        "traces",
        sa.Column("thread_tag", sa.LargeBinary(length=16), nullable=False),
        sa.Column("post_tag", sa.LargeBinary(length=16), nullable=False),
        sa.Column("site", sa.String(length=200), nullable=False),
        sa.Column("seen_at", Moment(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("thread_tag", "post_tag"),
    )
    op.create_index("traces_seen_at", "traces", ["seen_at"], unique=False)
