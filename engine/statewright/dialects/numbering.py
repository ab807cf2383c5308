"""Ids that no second row is ever given, though the one that had the highest is gone; a server does so anyway."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Table, event

_NEVER_AGAIN = "numbers never again"


def number_never_again(table: Table) -> None:
    """Have SQLite remember the highest id of this table, too."""
    table.info[_NEVER_AGAIN] = True

    @event.listens_for(table, "before_create")
    def say_it_to_a_file(_table: Table, connection: Connection, **_: Any) -> None:
        # As for a partial index: SQLAlchemy would load all that it knows of SQLite for a server, too.
        if connection.dialect.name == "sqlite":
            table.dialect_kwargs["sqlite_autoincrement"] = True


def numbers_never_again(table: Table) -> bool:
    """Whether SQLite remembers the highest id, whatever becomes of its row."""
    return _NEVER_AGAIN in table.info or bool(table.dialect_options["sqlite"]["autoincrement"])
