"""How a transaction begins: said by us, in words of each database, never by its driver of its own accord."""

from __future__ import annotations

from sqlalchemy import Connection, Engine, event

IMMEDIATE = "BEGIN IMMEDIATE"
"""SQLite's, for who writes: its driver's own BEGIN comes too late, two would both read before either locks."""

BEGUN = "statewright_begun"
"""Noted in the `info` of a connection whose transaction is begun already, before SQLAlchemy is given it."""


def begin_with(engine: Engine, *, reading: str, writing: str) -> None:
    """Have the transactions of an engine begin with these words, as its execution option `writing` says.

    With the option `bare` none is begun: each statement is a transaction of its own.
    """

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        if not connection.info.pop(BEGUN, False) and not options.get("bare", False):
            connection.exec_driver_sql(writing if options.get("writing", False) else reading)
