"""Deleted codes are found by their fingerprint too; a server looks nothing up for those that are not deleted."""

from __future__ import annotations

from statewright.migrations.revision import run_script

revision = "sparkads_2"
down_revision = "sparkads_1"


def upgrade() -> None:
    run_script(__file__)
