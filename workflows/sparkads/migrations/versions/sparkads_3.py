"""Whether an ad uses a code is looked up by indexes; a server read all ads to delete one code."""

from __future__ import annotations

from statewright.migrations.revision import run_script

revision = "sparkads_3"
down_revision = "sparkads_2"


def upgrade() -> None:
    run_script(__file__)
