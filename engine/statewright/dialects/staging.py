"""How each database is told rows that are in no table yet, so that a statement can choose among them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

from sqlalchemy import ARRAY, Column, Connection, FromClause, MetaData, Table, Text, bindparam, cast, func
from sqlalchemy.schema import CreateTable

from statewright.dialects import sqlite
from statewright.dialects.arrays import array


class Staging(Protocol):
    """What each database does its own way."""

    def rows(self, name: str, columns: Sequence[Column[Any]], /) -> FromClause:
        """What statements select from; the first column is the key, and never NULL."""
        ...

    def told(
        self, connection: Connection, rows: Any, values: Mapping[str, Sequence[Any]], /
    ) -> AbstractContextManager[dict[str, Any]]:
        """Rows, given as the values of each column as the driver takes them; yields what statements are told.

        A column that is not given is NULL.
        """
        ...


class SqliteStaging:
    """A table that one connection has to itself."""

    def rows(self, name: str, columns: Sequence[Column[Any]]) -> Table:
        return Table(name, MetaData(), *columns, prefixes=["TEMPORARY"])

    @contextmanager
    def told(
        self, connection: Connection, rows: Table, values: Mapping[str, Sequence[Any]]
    ) -> Iterator[dict[str, Any]]:
        connection.execute(CreateTable(rows, if_not_exists=True))
        sqlite.load(connection, rows, values)
        yield {}
        connection.execute(rows.delete())


class PostgresqlStaging:
    """An array a column: for a table of its own, a user may lack the right."""

    def rows(self, name: str, columns: Sequence[Column[Any]]) -> FromClause:
        arrays = [
            cast(bindparam(_told(each.name), type_=Text(), required=False), ARRAY(each.type)) for each in columns
        ]
        return (
            func.unnest(*arrays)
            .table_valued(*(Column(each.name, each.type) for each in columns), name=name)
            .render_derived()
        )

    @contextmanager
    def told(
        self, _connection: Connection, rows: FromClause, values: Mapping[str, Sequence[Any]]
    ) -> Iterator[dict[str, Any]]:
        # Where an array ends, NULLs follow.
        told = {name: values[name] for name in values if values[name].count(None) < len(values[name])}
        yield {_told(name): array(told.get(name, ())) for name in rows.c.keys()}  # noqa: SIM118 - not a dict


def _told(column: str) -> str:
    return f"staged_{column}"


_STAGING: dict[str, Staging] = {"sqlite": SqliteStaging(), "postgresql": PostgresqlStaging()}


def staging(connection: Connection) -> Staging:
    """How the database of this connection does it."""
    return _STAGING[connection.dialect.name]
