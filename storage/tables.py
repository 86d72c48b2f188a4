"""All tables. `migrations/` makes them; a test compares the two.

Three groups: what is enrolled (`records`, `posting_…`: nothing readable, nothing that joins the two), what is
watched (`items`, `pages`, `spool`, `traces`, `streams`, `scans` …), and what people are told (`alerts`, `outbox` …).
Item ids, list names and cursors come from sites and may hold names: they rest as keyed digests or veiled.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from storage.moments import Moment

metadata = MetaData()

Serial = BigInteger().with_variant(Integer, "sqlite")
"""A rising row number; SQLite counts only in columns declared INTEGER."""

facts = Table(
    "facts",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", LargeBinary, nullable=False),
)

counters = Table(
    "counters",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", BigInteger, nullable=False),
)

records = Table(
    "records",
    metadata,
    Column("handle", LargeBinary(16), primary_key=True),
    Column("ref_tag", LargeBinary(16), nullable=False, unique=True),
    Column("content_tag", LargeBinary(16), nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("sealed_ref", LargeBinary, nullable=False),
    Column("sealed_details", LargeBinary, nullable=False),
    Column("sealed_tokens", LargeBinary, nullable=False),
    Column("retain_until", Date),
    Index("records_retain_until", "retain_until"),
)

posting_runs = Table(
    "posting_runs",
    metadata,
    Column("run", BigInteger, primary_key=True, autoincrement=False),
    Column("revision", BigInteger, nullable=False),
    Column("prefix_bits", Integer, nullable=False),
    Column("entry_bytes", Integer, nullable=False),
    Column("filter_bytes", Integer, nullable=False),
    Column("postings", BigInteger, nullable=False),
)

posting_blocks = Table(
    "posting_blocks",
    metadata,
    Column("place", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("entries", LargeBinary, nullable=False),
)

posting_filters = Table(
    "posting_filters",
    metadata,
    Column("place", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("filters", LargeBinary, nullable=False),
)

items = Table(
    "items",
    metadata,
    Column("site", String(200), nullable=False),
    Column("item_digest", LargeBinary(16), nullable=False),
    Column("reason", String(32)),
    Column("seen_at", Moment, nullable=False),
    PrimaryKeyConstraint("site", "item_digest"),
    Index(
        "items_given_up",
        "seen_at",
        sqlite_where=text("reason IS NOT NULL"),
        postgresql_where=text("reason IS NOT NULL"),
    ),
    sqlite_with_rowid=False,
)

pages = Table(
    "pages",
    metadata,
    Column("page_id", String(32), primary_key=True),
    Column("site", String(200), nullable=False),
    Column("fetched_at", Moment, nullable=False),
    Column("kept_at", Moment, nullable=False),
    Column("state", String(16), nullable=False),
    Column("reason", String(32)),
    Column("verdict", String(32)),
    Column("ended_at", Moment),
    Column("owner", String(200)),
    Column("lease_until", Moment),
    Column("token", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("scan_id", Serial),
    CheckConstraint("state IN ('waiting', 'examined', 'quarantined')", name="pages_state"),
    Index(
        "pages_waiting",
        "kept_at",
        "page_id",
        sqlite_where=text("state = 'waiting'"),
        postgresql_where=text("state = 'waiting'"),
    ),
    Index(
        "pages_quarantined",
        "ended_at",
        sqlite_where=text("state = 'quarantined'"),
        postgresql_where=text("state = 'quarantined'"),
    ),
    Index("pages_kept_at", "kept_at"),
)

spool = Table(
    "spool",
    metadata,
    Column("page_id", String(32), ForeignKey("pages.page_id"), primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
)

part_counts = Table(
    "part_counts",
    metadata,
    Column("page_id", String(32), ForeignKey("pages.page_id"), nullable=False),
    Column("state", String(16), nullable=False),
    Column("reason", String(32), nullable=False),
    Column("parts", Integer, nullable=False),
    PrimaryKeyConstraint("page_id", "state", "reason"),
)

traces = Table(
    "traces",
    metadata,
    Column("thread_tag", LargeBinary(16), nullable=False),
    Column("post_tag", LargeBinary(16), nullable=False),
    Column("site", String(200), nullable=False),
    Column("seen_at", Moment, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    PrimaryKeyConstraint("thread_tag", "post_tag"),
    Index("traces_seen_at", "seen_at"),
)

streams = Table(
    "streams",
    metadata,
    Column("site", String(200), nullable=False),
    Column("stream_digest", LargeBinary(16), nullable=False),
    Column("cursor", LargeBinary),
    Column("validators", LargeBinary),
    PrimaryKeyConstraint("site", "stream_digest"),
)

stream_gaps = Table(
    "stream_gaps",
    metadata,
    Column("gap_id", Serial, primary_key=True, autoincrement=True),
    Column("site", String(200), nullable=False),
    Column("since", Moment),
    Column("until", Moment, nullable=False),
    Column("reason", String(32), nullable=False),
    Column("filled", Boolean, nullable=False),
    Column("noted_at", Moment, nullable=False),
    Index("stream_gaps_noted", "noted_at"),
)

scans = Table(
    "scans",
    metadata,
    Column("scan_id", Serial, primary_key=True, autoincrement=True),
    Column("site", String(200), nullable=False),
    Column("due_at", Moment, nullable=False),
    Column("owner", String(200), nullable=False),
    Column("status", String(16), nullable=False),
    Column("claimed_at", Moment, nullable=False),
    Column("started_at", Moment),
    Column("finished_at", Moment),
    Column("listed", Integer, nullable=False),
    Column("fetched", Integer, nullable=False),
    Column("known", Integer, nullable=False),
    Column("site_state", String(16)),
    Column("reason", String(32)),
    Column("every", Float),
    Column("taken", Integer, nullable=False, server_default="0"),
    Column("without_text", Integer, nullable=False, server_default="0"),
    Column("without_author", Integer, nullable=False, server_default="0"),
    Column("without_time", Integer, nullable=False, server_default="0"),
    Column("unchanged", Integer, nullable=False, server_default="0"),
    Column("pace", Float),
    Column("paused_until", Moment),
    CheckConstraint("status IN ('running', 'finished', 'failed')", name="scans_status"),
    UniqueConstraint("site", "due_at"),
    Index("scans_finished", "site", "finished_at"),
    Index("scans_claimed", "claimed_at"),
)

scan_failures = Table(
    "scan_failures",
    metadata,
    Column("scan_id", Serial, ForeignKey("scans.scan_id"), nullable=False),
    Column("reason", String(32), nullable=False),
    Column("items", Integer, nullable=False),
    PrimaryKeyConstraint("scan_id", "reason"),
)

site_health = Table(
    "site_health",
    metadata,
    Column("site", String(200), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("since", Moment, nullable=False),
    Column("last_success", Moment),
    Column("next_try", Moment),
    Column("reason", String(32)),
    Column("told", Text),
    Column("told_at", Moment),
)

query_verdicts = Table(
    "query_verdicts",
    metadata,
    Column("site", String(200), primary_key=True),
    Column("digest", LargeBinary(32), nullable=False),
    Column("refused", Text, nullable=False),
    Column("vetted_at", Moment, nullable=False),
)

NOT_CLOSED = "status IN ('open', 'acknowledged')"

alerts = Table(
    "alerts",
    metadata,
    Column("alert_id", String(32), primary_key=True),
    Column("subject", String(16), nullable=False),
    Column("verdict", String(32)),
    Column("severity", String(16), nullable=False),
    Column("status", String(16), nullable=False),
    Column("handle", LargeBinary(16)),
    Column("site", String(200), nullable=False),
    Column("kinds", Text, nullable=False),
    Column("score", Float, nullable=False),
    Column("incident", String(64), nullable=False),
    Column("first_seen", Moment, nullable=False),
    Column("last_seen", Moment, nullable=False),
    Index(
        "alerts_open_record", "handle", unique=True, sqlite_where=text(NOT_CLOSED), postgresql_where=text(NOT_CLOSED)
    ),
    Index(
        "alerts_open_problem",
        "subject",
        "site",
        unique=True,
        sqlite_where=text(f"{NOT_CLOSED} AND subject <> 'record'"),
        postgresql_where=text(f"{NOT_CLOSED} AND subject <> 'record'"),
    ),
    Index("alerts_last_seen", "last_seen"),
    Index("alerts_incident", "incident"),
)

sightings = Table(
    "sightings",
    metadata,
    Column("alert_id", String(32), ForeignKey("alerts.alert_id"), nullable=False),
    Column("page_id", String(64), nullable=False),
    Column("site", String(200), nullable=False),
    Column("seen_at", Moment, nullable=False),
    Column("published_at", Moment),
    Column("evidence", Text, nullable=False),
    PrimaryKeyConstraint("alert_id", "page_id"),
)

status_changes = Table(
    "status_changes",
    metadata,
    Column("change_id", Serial, primary_key=True, autoincrement=True),
    Column("alert_id", String(32), ForeignKey("alerts.alert_id"), nullable=False),
    Column("changed_at", Moment, nullable=False),
    Column("changed_by", String(200), nullable=False),
    Column("status", String(16), nullable=False),
    Index("status_changes_alert", "alert_id"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("message_id", Serial, primary_key=True, autoincrement=True),
    Column("incident", String(64), nullable=False),
    Column("channel", String(64), nullable=False),
    Column("notice", Text, nullable=False),
    Column("added_at", Moment, nullable=False),
    Column("due_at", Moment, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("last_failure", String(64)),
    Column("accepted_at", Moment),
    UniqueConstraint("incident", "channel"),
    Index(
        "outbox_due", "due_at", sqlite_where=text("accepted_at IS NULL"), postgresql_where=text("accepted_at IS NULL")
    ),
)

leases = Table(
    "leases",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("owner", String(200), nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("expires_at", Moment, nullable=False),
)
