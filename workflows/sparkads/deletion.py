"""Rows that are deleted stay, and tell since when.

Indexes go by that, not by the state: an index that names a state is written anew with every move.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import CheckConstraint

from sparkads.tables import table
from statewright.workflow import NOW, Assign


def since_when(row: type[Any], others: Collection[str]) -> list[Assign]:
    """What is written as rows of this class are deleted, and as one is forced back into another state."""
    at = table(row).c.deleted_at
    return [
        Assign(at, NOW, entering={"deleted"}),
        Assign(at, None, entering=others, leaving={"deleted"}),
    ]


def tell_since_when(row: type[Any]) -> None:
    """Have the database refuse what contradicts itself; to be said after all else that is said of the table."""
    table(row).append_constraint(
        CheckConstraint("(state = 'deleted') = (deleted_at IS NOT NULL)", name="deleted_at_tells_it")
    )
