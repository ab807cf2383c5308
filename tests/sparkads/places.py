"""Where a portfolio of the tests lives: a file, or a database on a PostgreSQL server."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import psycopg
from sqlalchemy import Table

from sparkads.portfolio import SparkAds
from sparkads.settings import Settings
from statewright.dialects import EPOCH, MICROSECOND, Forbid, postgresql, sqlite
from statewright.testing import temporary_database

BROKEN = (sqlite3.IntegrityError, psycopg.IntegrityError)
"""What somebody with another program is told who breaks a rule."""


class Place(Protocol):
    """A portfolio's database, seen from behind everybody's back."""

    url: str

    def empty(self) -> None:
        """Make it as it was when new; nobody else may use it."""

    def sql(self, statement: str, *values: Any) -> list[Any]:
        """Run a statement as somebody with another program would; `?` stands for a value."""

    def tables(self) -> list[str]:
        """The names of all tables."""

    def instant(self, value: datetime) -> Any:
        """An instant as it is written there."""

    def forbid(self, rule: Forbid, table: Table) -> None:
        """Have the database keep one more rule; not on a portfolio that other tests will use."""

    def locked(self) -> AbstractContextManager[None]:
        """Within this, another program is about to write, and nobody else can; all can read."""
        ...

    def skip_no_number(self) -> None:
        """Let the next rows have the next ids, as if those that were refused had never taken any."""


class File:
    """A file of SQLite. Copies of an empty one are quicker than new ones."""

    def __init__(self, file: Path, blank: Path) -> None:
        self.file = file
        self.url = f"sqlite:///{file}"
        self._blank = blank
        shutil.copy(blank, file)

    def empty(self) -> None:
        for file in self.file.parent.glob(f"{self.file.name}*"):
            file.unlink()
        shutil.copy(self._blank, self.file)

    def sql(self, statement: str, *values: Any) -> list[Any]:
        with closing(sqlite3.connect(self.file, isolation_level=None)) as connection:
            return connection.execute(statement, values).fetchall()

    def forbid(self, rule: Forbid, table: Table) -> None:
        for statement in sqlite.forbid(rule, table):
            self.sql(statement)

    @contextmanager
    def locked(self) -> Iterator[None]:
        with closing(sqlite3.connect(self.file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield

    def skip_no_number(self) -> None:
        """A file takes them back by itself."""

    def instant(self, value: datetime) -> Any:
        return (value - EPOCH) // MICROSECOND

    def tables(self) -> list[str]:
        return [name for (name,) in self.sql("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]


class Database:
    """A database on a server."""

    def __init__(self, url: str) -> None:
        self.url = url
        SparkAds(url, settings=Settings()).close()
        self._tables = [table for table in self.tables() if table != "alembic_version"]
        self._numbered = [table for table in self._tables if ("id",) in self.sql(_COLUMNS, table)]

    def empty(self) -> None:
        # For a few rows, ten times as quick as TRUNCATE, which makes new files.
        emptied = "".join(f"DELETE FROM {table}; " for table in self._tables)
        self.sql(f"SET session_replication_role = replica; {emptied}{_RESTART}")

    def forbid(self, rule: Forbid, table: Table) -> None:
        for statement in postgresql.forbid(rule, table):
            self.sql(statement)

    @contextmanager
    def locked(self) -> Iterator[None]:
        with self.connected() as other, other.transaction():
            other.execute("LOCK TABLE video_code IN EXCLUSIVE MODE")
            yield

    @contextmanager
    def connected(self) -> Iterator[psycopg.Connection[Any]]:
        """A connection of another program's."""
        with psycopg.connect(self.url.replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute("SET timezone = 'UTC'")
            yield connection

    def skip_no_number(self) -> None:
        self.sql("; ".join(_NEXT.format(table=table) for table in self._numbered))

    def instant(self, value: datetime) -> Any:
        return value

    def sql(self, statement: str, *values: Any) -> list[Any]:
        words = statement.replace("%", "%%").replace("?", "%s").encode()
        with self.connected() as connection:
            done = connection.execute(words, values)
            return done.fetchall() if done.description else []

    def tables(self) -> list[str]:
        named = (
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
        )
        return [name for (name,) in self.sql(f"{named} AND NOT relispartition ORDER BY relname")]


_RESTART = "SELECT setval(oid, 1, false) FROM pg_class WHERE relkind = 'S'"
_NEXT = (
    "SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT coalesce(max(id), 0) FROM {table}) + 1, false)"
)
_COLUMNS = "SELECT attname FROM pg_attribute WHERE attrelid = ?::regclass AND atthasdef"

NewPlace = Callable[[], Place]


@contextmanager
def in_files(folder: Path, blank: Path) -> Iterator[NewPlace]:
    """Makes empty portfolios in files."""
    made: list[Place] = []

    def make() -> Place:
        made.append(File(folder / f"portfolio-{len(made)}.db", blank))
        return made[-1]

    yield make


@contextmanager
def on_server(server: str) -> Iterator[NewPlace]:
    """Makes empty portfolios on a server."""
    with ExitStack() as opened:
        yield lambda: Database(opened.enter_context(temporary_database(server)))
