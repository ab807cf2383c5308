"""The engine's tables as they were first released; frozen, beside this file, in the words of each database."""

from __future__ import annotations

from statewright.migrations.revision import run_script

revision = "statewright_1"
down_revision = None
branch_labels = ("statewright",)


def upgrade() -> None:
    run_script(__file__)
