"""Idempotency keys get a table of their own, log rows may be archived, and a server keeps the log by month.

The log there becomes the first part of the new one as it stands: its key is built anew and its rows are looked
through once, instead of being copied.
"""

from __future__ import annotations

from statewright.migrations.revision import run_script

revision = "statewright_3"
down_revision = "statewright_2"


def upgrade() -> None:
    run_script(__file__)
