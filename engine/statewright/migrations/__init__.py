"""How the tables of an older version become those of this one: revisions of each package, run by Alembic."""

from __future__ import annotations

from statewright.migrations.line import ENGINE, Line, versions_found
from statewright.migrations.revision import add_deadline, change_states, run_script
from statewright.migrations.upgrade import Step, upgrade

__all__ = ["ENGINE", "Line", "Step", "add_deadline", "change_states", "run_script", "upgrade", "versions_found"]
