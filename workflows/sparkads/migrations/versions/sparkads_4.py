"""Ads know when they will stop, so that a forecast counts them by an index."""

from __future__ import annotations

from statewright.migrations.revision import add_deadline, run_script

revision = "sparkads_4"
down_revision = "sparkads_3"


def upgrade() -> None:
    add_deadline("spark_ad", "stops_at")
    run_script(__file__)
