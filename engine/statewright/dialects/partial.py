"""An index over some rows of a table only."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, Index, Table, event


def partial_index(name: str, *columns: Any, where: ColumnElement[bool], unique: bool = False) -> None:
    """Have an index made together with the table of these columns, over the rows that meet a condition."""
    index = Index(name, *columns, unique=unique)

    @event.listens_for(index.table, "before_create")
    def say_it(_table: Table, connection: Connection, **_: Any) -> None:
        # Not said above: SQLAlchemy would load all that it knows of both databases, wherever a table is declared.
        index.dialect_kwargs[f"{connection.dialect.name}_where"] = where
