"""Whoever writes the log wakes a daemon that waits, on a server that can; frozen, beside this file."""

from __future__ import annotations

from statewright.migrations.revision import run_script

revision = "statewright_4"
down_revision = "statewright_3"


def upgrade() -> None:
    run_script(__file__)
