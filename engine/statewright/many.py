"""Many rows at once: inserted with ids in the order in which they are given, and made known to the planner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Column, Connection, MetaData, Table
from sqlmodel import Session

from statewright.dialects import of
from statewright.tables import transition


def draw_ids(session: Session, table: Table, count: int) -> list[int]:
    """So many new ids for rows of a table, ascending; to be used before others are drawn."""
    connection = session.connection()
    return of(connection).numbers(connection, table, count) if count else []


def insert_all(session: Session, table: Table, columns: Mapping[str, Sequence[Any]]) -> list[int]:
    """Insert rows, given as the values of each column; their ids, ascending, in the order of the rows.

    A column that is not given has its default. Raises IntegrityError; some rows may then be inserted, which is
    for the caller to take back.
    """
    ids = draw_ids(session, table, len(next(iter(columns.values()))))
    if ids:
        connection = session.connection()
        given = as_the_driver_takes_them(connection, table, {"id": ids, **columns})
        of(connection).load(connection, table, given)
    return ids


def as_the_driver_takes_them(
    connection: Connection, table: Table, columns: Mapping[str, Sequence[Any]]
) -> dict[str, Sequence[Any]]:
    """The values of each column of rows of a table, converted, with the defaults of those that are not given.

    A column that the table does not have comes last, as it is.
    """
    count = len(columns["id"])
    given: dict[str, Sequence[Any]] = {}
    for column in table.columns:
        if column.name in columns:
            convert = column.type.dialect_impl(connection.dialect).bind_processor(connection.dialect)
            values = columns[column.name]
            given[column.name] = [convert(value) for value in values] if convert else values
        elif (default := _default(column)) is not None:
            given[column.name] = [default] * count
    return given | {name: values for name, values in columns.items() if name not in given}


def take_stock(session: Session, tables: MetaData) -> None:
    """Let the database learn how full the log and these tables are, after many rows were inserted."""
    connection = session.connection()
    of(connection).take_stock(connection, [transition, *tables.sorted_tables])


def _default(column: Column[Any]) -> Any:
    """The value that Python gives a column without one; the database knows its own defaults."""
    default: Any = column.default
    return default.arg if default is not None and default.is_scalar else None
