"""No index names a state, which each move would write anew: what is deleted tells since when."""

from __future__ import annotations

from sqlalchemy import Column

from statewright.dialects import Instant
from statewright.migrations.revision import add_check, add_column, compare_states, run_script

revision = "sparkads_5"
down_revision = "sparkads_4"


def upgrade() -> None:
    for table in ("ad_account", "identity", "post", "video_code", "campaign", "ad_group", "spark_ad"):
        compare_states(table)
    for table in ("video_code", "spark_ad"):
        add_column(table, Column("deleted_at", Instant))
    run_script(__file__)
    for table in ("video_code", "spark_ad"):
        add_check(table, "deleted_at_tells_it", "(state = 'deleted') = (deleted_at IS NOT NULL)")
