"""The versions of the tables are kept in the table of Alembic alone."""

from __future__ import annotations

from alembic import op

revision = "statewright_2"
down_revision = "statewright_1"


def upgrade() -> None:
    op.execute("DROP TABLE schema_version")
