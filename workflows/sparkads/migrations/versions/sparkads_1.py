"""The portfolio's tables as they were first released; frozen, beside this file, in the words of each database."""

from __future__ import annotations

from statewright.migrations.revision import run_script

revision = "sparkads_1"
down_revision = None
branch_labels = ("sparkads",)


def upgrade() -> None:
    run_script(__file__)
