"""SQLite compares a state with those that are allowed; it put these into a table for each row that was written."""

from __future__ import annotations

from statewright.migrations.revision import compare_states

revision = "sparkads_5"
down_revision = "sparkads_4"


def upgrade() -> None:
    for table in ("ad_account", "identity", "post", "video_code", "campaign", "ad_group", "spark_ad"):
        compare_states(table)
