"""The engine's own tables, apart from every application's: the log first, and what keeps the daemon's place."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
)

from statewright.dialects import ByMonth, Forbid, Identifier, Instant, announce, number_never_again

SCHEMA_VERSION = 4
"""Raised whenever a table below changes, together with the migration that leads there."""

NAMES = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
"""How constraints are named, so that a migration can find them; applications may use it too."""

metadata = MetaData(naming_convention=NAMES)

transition = Table(
    "transition",
    metadata,
    Column("id", Identifier, primary_key=True),
    Column("batch", BigInteger, nullable=False, comment="one cause and all it led to share a batch"),
    Column("cause", BigInteger, comment="the log row that led to this one"),
    Column("workflow", Text, nullable=False),
    Column("row_id", BigInteger, nullable=False),
    Column("event", Text, nullable=False),
    Column("source", Text, comment="NULL when the row began its life"),
    Column("target", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("due_at", Instant, comment="when a deadline wanted it"),
    Column("actor", Text, nullable=False),
    Column("reason", Text),
    Column("chart", Text, nullable=False, comment="fingerprint of the chart that decided"),
    Column("key", Text, comment="the caller's idempotency key"),
    Column("payload", Text, comment="the event's arguments, as JSON"),
)
"""The log. Append-only: it is the audit trail, and the stream that subscribers read."""

number_never_again(transition)
Index("ix_transition_row", transition.c.workflow, transition.c.row_id)
ByMonth(transition.c.at).attach()

announce(transition)

retention = Table("retention", metadata, Column("id", Integer, primary_key=True))
"""Holds a row only while `log.forget` runs: the one moment at which log rows may be removed."""

Forbid(
    name="transition_is_never_changed",
    before="UPDATE",
    when="TRUE",
    message="the transition log is append-only",
).attach(transition)
Forbid(
    name="transition_is_never_deleted",
    before="DELETE",
    when="NOT EXISTS (SELECT 1 FROM retention)",
    message="the transition log is append-only",
).attach(transition)

idempotency_key = Table(
    "idempotency_key",
    metadata,
    Column("key", Text, primary_key=True),
    Column("workflow", Text, nullable=False),
    Column("event", Text, nullable=False),
    Column("row_id", BigInteger, nullable=False, comment="the row that moved; of several, the first"),
    Column("payload", Text),
    Column("batch", BigInteger, nullable=False),
    Column("moved", BigInteger, nullable=False, comment="rows that the event itself moved"),
)
"""What each call with a key did. A table of its own: it outlives the log rows, which may be archived."""

archive = Table(
    "archive",
    metadata,
    Column("id", Identifier, primary_key=True),
    Column("file", Text, nullable=False, comment="its name, without the folder"),
    Column("before", Instant, nullable=False, comment="lives whose last move was earlier than this are in it"),
    Column("at", Instant, nullable=False),
    Column("actor", Text, nullable=False),
    Column("lives", BigInteger, nullable=False),
    Column("moves", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False, comment="of the file, in hexadecimal"),
)
"""Files that hold log rows which are no longer in the log."""

archived = Table(
    "archived",
    metadata,
    Column("workflow", Text, primary_key=True),
    Column("row_id", BigInteger, primary_key=True),
    Column("archive_id", ForeignKey(archive.c.id), primary_key=True),
    Column("moves", BigInteger, nullable=False),
)
"""Which file holds how many earlier moves of a row."""

subscription = Table(
    "subscription",
    metadata,
    Column("name", Text, primary_key=True),
    Column("position", BigInteger, nullable=False, comment="the last log row that was delivered"),
    Column("attempts", Integer, nullable=False, comment="failures since the last success"),
    Column("retry_at", Instant, comment="not before this instant, after a failure"),
    Column("error", Text),
)

undelivered = Table(
    "undelivered",
    metadata,
    Column("subscriber", Text, primary_key=True),
    Column("transition_id", BigInteger, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("error", Text, nullable=False),
)
"""Log rows that a subscriber failed on again and again: set aside, so that the stream goes on."""

set_aside = Table(
    "set_aside",
    metadata,
    Column("workflow", Text, primary_key=True),
    Column("row_id", BigInteger, primary_key=True),
    Column("event", Text, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("retry_at", Instant, nullable=False),
    Column("error", Text, nullable=False),
)
"""Due rows whose transition the database refused: the sweep goes on without them and tries again later."""

heartbeat = Table(
    "heartbeat",
    metadata,
    Column("daemon", Text, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("moved", BigInteger, nullable=False, comment="rows moved by the last tick that moved any"),
)

alembic_version = Table(
    "alembic_version",
    metadata,
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
"""The version of each package's tables, as a revision's name; the table is the one that Alembic would make."""
