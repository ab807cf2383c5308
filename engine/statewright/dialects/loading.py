"""How each database takes in whole tables at once: rows that have met its rules already, in any order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

from sqlalchemy import Connection, Table, func, select
from sqlalchemy.exc import DBAPIError

from statewright.dialects import sqlite
from statewright.dialects.numbering import numbers_never_again

Chunk = Sequence[Sequence[Any]]
"""Some rows, each with a value for every column, as the driver takes it."""


class Loader(Protocol):
    """What each database does its own way."""

    def whereabouts(self, connection: Connection, /) -> str:
        """The same for every URL that leads to this database, and for no other database."""
        ...

    def unopposed(self, connection: Connection, tables: Sequence[Table], /) -> AbstractContextManager[None]:
        """Keep other writers out, and the triggers of these tables quiet, while they are filled.

        A trigger judges a row by what the others are at that moment, and would refuse some that came about in
        an order of their own. Foreign keys and checks are kept. An error must end the transaction.
        """
        ...

    def load(self, connection: Connection, table: Table, chunks: Iterable[Chunk], /) -> None:
        """Add rows to an empty table; they may refer to each other in any order."""
        ...

    def last_number(self, connection: Connection, table: Table, /) -> int:
        """The highest id that was ever given to a row of a table that numbers its rows; 0 for none."""
        ...

    def number_after(self, connection: Connection, table: Table, last: int, /) -> None:
        """Let the next row of such a table have a higher id than this one."""
        ...


class SqliteLoader:
    """Who writes is alone already."""

    def whereabouts(self, connection: Connection) -> str:
        found = connection.exec_driver_sql("PRAGMA database_list")
        return next(str(file) for _, name, file in found if name == "main")

    @contextmanager
    def unopposed(self, connection: Connection, tables: Sequence[Table]) -> Iterator[None]:
        names = {table.name for table in tables}
        found = connection.exec_driver_sql("SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'trigger'")
        triggers = {name: sql for name, table, sql in found if table in names}
        quoted = connection.dialect.identifier_preparer.quote
        for name in triggers:
            connection.exec_driver_sql(f"DROP TRIGGER {quoted(name)}")
        # Until the end of the transaction.
        connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
        yield
        for words in triggers.values():
            connection.exec_driver_sql(words)

    def load(self, connection: Connection, table: Table, chunks: Iterable[Chunk]) -> None:
        marks = ", ".join("?" for _ in table.columns)
        for chunk in chunks:
            connection.exec_driver_sql(f"INSERT INTO {_words(connection, table)} VALUES ({marks})", [*chunk])  # noqa: S608

    def last_number(self, connection: Connection, table: Table) -> int:
        return sqlite.last_number(connection, table)

    def number_after(self, connection: Connection, table: Table, last: int) -> None:
        if numbers_never_again(table):
            connection.exec_driver_sql("DELETE FROM sqlite_sequence WHERE name = ?", (table.name,))
            connection.exec_driver_sql("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table.name, last))


class PostgresqlLoader:
    """Rows come by COPY, each table's as one statement."""

    def whereabouts(self, connection: Connection) -> str:
        found: str = connection.exec_driver_sql(
            "SELECT concat_ws(' ', pg_postmaster_start_time(), current_setting('port'), current_database(), "
            "current_schema())"
        ).scalar_one()
        return found

    @contextmanager
    def unopposed(self, connection: Connection, tables: Sequence[Table]) -> Iterator[None]:
        # A large table takes its time, and so does whoever reads it on the other side.
        for timeout in ("statement_timeout", "idle_in_transaction_session_timeout"):
            connection.exec_driver_sql(f"SET LOCAL {timeout} = 0")
        quoted = connection.dialect.identifier_preparer.format_table
        for table in tables:
            # With a lock that lets others read, and nobody else write.
            connection.exec_driver_sql(f"ALTER TABLE {quoted(table)} DISABLE TRIGGER USER")
        yield
        for table in tables:
            connection.exec_driver_sql(f"ALTER TABLE {quoted(table)} ENABLE TRIGGER USER")
            # So that the first statements after it are planned for a table that is not empty.
            connection.exec_driver_sql(f"ANALYZE {quoted(table)}")

    def load(self, connection: Connection, table: Table, chunks: Iterable[Chunk]) -> None:
        statement = f"COPY {_words(connection, table)} FROM STDIN"
        errors: type[Exception] = connection.dialect.loaded_dbapi.Error
        driver: Any = connection.connection.driver_connection
        try:
            with driver.cursor() as cursor, cursor.copy(statement) as copy:
                for chunk in chunks:
                    for row in chunk:
                        copy.write_row(row)
        except errors as error:
            raise DBAPIError.instance(
                statement, None, error, errors, hide_parameters=True, dialect=connection.dialect
            ) from error

    def last_number(self, connection: Connection, table: Table) -> int:
        # A sequence shows what was given out since this transaction began, too.
        given: int = connection.exec_driver_sql(
            f"SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {_sequence(connection, table)}"  # noqa: S608
        ).scalar_one()
        return max(given, _highest(connection, table))

    def number_after(self, connection: Connection, table: Table, last: int) -> None:
        if last:
            connection.exec_driver_sql("SELECT setval(%s, %s)", (_sequence(connection, table), last))


_LOADERS: dict[str, Loader] = {"sqlite": SqliteLoader(), "postgresql": PostgresqlLoader()}


def loader(connection: Connection) -> Loader:
    """How the database of this connection does it."""
    return _LOADERS[connection.dialect.name]


def _words(connection: Connection, table: Table) -> str:
    """A table and its columns, as they stand after INSERT INTO and COPY."""
    preparer = connection.dialect.identifier_preparer
    columns = ", ".join(preparer.format_column(column) for column in table.columns)
    return f"{preparer.format_table(table)} ({columns})"


def _highest(connection: Connection, table: Table) -> int:
    (column,) = table.primary_key.columns
    found: int = connection.execute(select(func.coalesce(func.max(column), 0))).scalar_one()
    return found


def _sequence(connection: Connection, table: Table) -> str:
    (column,) = table.primary_key.columns
    found: str = connection.execute(select(func.pg_get_serial_sequence(table.name, column.name))).scalar_one()
    return found
