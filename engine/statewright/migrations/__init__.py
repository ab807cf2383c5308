"""How the tables of an older version become those of this one: revisions of each package, run by Alembic.

To open a database takes `line` alone; what an upgrade needs is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from statewright.migrations.line import ENGINE, Line, versions_found

if TYPE_CHECKING:
    from statewright.migrations.revision import (
        add_check,
        add_column,
        add_deadline,
        change_states,
        compare_states,
        run_script,
    )
    from statewright.migrations.steps import Step, upgrade

__all__ = [
    "ENGINE",
    "Line",
    "Step",
    "add_check",
    "add_column",
    "add_deadline",
    "change_states",
    "compare_states",
    "run_script",
    "upgrade",
    "versions_found",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = "steps" if name in ("Step", "upgrade") else "revision"
    globals()[name] = found = getattr(import_module(f"{__name__}.{home}"), name)
    return found
