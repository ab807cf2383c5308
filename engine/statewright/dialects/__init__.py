"""Where databases differ: how each is opened, and what each says its own way."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import DDL, URL, Connection, Engine, MetaData, Table, event, make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError

from statewright.clock import Clock
from statewright.dialects import forbid as rules
from statewright.dialects import postgresql, sqlite
from statewright.dialects.forbid import Forbid
from statewright.dialects.months import ByMonth
from statewright.dialects.numbering import number_never_again
from statewright.dialects.partial import partial_index
from statewright.dialects.types import (
    DAY,
    EPOCH,
    FIRST_INSTANT,
    LAST_INSTANT,
    MICROSECOND,
    Identifier,
    Instant,
    date_of,
    in_words,
)
from statewright.dialects.words import among, days_after, days_between, earliest, is_one_of, latest, unindexed
from statewright.errors import StoreError

__all__ = [
    "DAY",
    "EPOCH",
    "FIRST_INSTANT",
    "LAST_INSTANT",
    "MICROSECOND",
    "ByMonth",
    "Database",
    "Forbid",
    "Identifier",
    "Instant",
    "among",
    "announce",
    "date_of",
    "days_after",
    "days_between",
    "earliest",
    "in_words",
    "is_one_of",
    "latest",
    "named_by",
    "number_never_again",
    "of",
    "partial_index",
    "refused",
    "unindexed",
    "violated",
]


class Horizon(Protocol):
    """How far the log is settled."""

    def settled(self) -> int:
        """The id up to which no other log row can still appear."""
        ...


class Database(Protocol):
    """What each database's module knows."""

    NAME: str
    DRIVERS: tuple[str, ...]
    LOCKS_ROWS: bool
    WAITS_FOR_ANSWERS: bool
    BEGIN_READING: str
    BEGIN_WRITING: str
    MARK: str
    EXISTS_END: str
    COMPARED: int
    PRESENT: str
    BY_INDEX: str
    BY_CHOICE: str
    KEEPS_MONTHS: bool

    def name_of(self, url: URL, /) -> str: ...

    def open_engine(self, parsed: URL, /, *, create: bool, synchronous: str, busy_timeout: float) -> Engine: ...

    def clock(self, engine: Engine, name: str, /) -> Clock: ...

    def horizon(self, engine: Engine, /) -> Horizon: ...

    def announcing(self, table: Table, /) -> list[str]: ...

    def wakeups(self, engine: Engine, stop: socket.socket, /) -> Iterator[None]: ...

    def numbers(self, connection: Connection, table: Table, count: int, /) -> list[int]: ...

    def keep_ahead(self, connection: Connection, table: str, now: datetime, /) -> None: ...

    def drop_empty(self, connection: Connection, table: str, before: datetime, /) -> list[str]: ...

    def tables_in(self, connection: Connection, /) -> set[str]: ...

    def load(self, connection: Connection, table: Table, columns: Mapping[str, Sequence[Any]], /) -> None: ...

    def take_stock(self, connection: Connection, tables: Sequence[Table], /) -> None: ...

    def prepared(self, connection: Connection, /) -> bool: ...

    def prepare(self, connection: Connection, /, *, patience: float) -> None: ...

    def take_turns(self, connection: Connection, /) -> None: ...

    def take_your_time(self, connection: Connection, /) -> None: ...

    def trouble(self, error: DBAPIError, name: str, /) -> StoreError: ...

    def keep_values_out(self, error: Exception, /) -> None: ...

    def violated(self, error: DBAPIError, /) -> str: ...

    def schema_of(self, connection: Connection, /) -> dict[str, str]: ...

    def expected_schema(self, engine: Engine, metadatas: Sequence[MetaData], /) -> dict[str, str]: ...


_SQLITE: Database = sqlite
_POSTGRESQL: Database = postgresql
_ALL: list[Database] = [_SQLITE, _POSTGRESQL]
rules.WORDS.update({sqlite.NAME: sqlite.forbid, postgresql.NAME: postgresql.forbid})


def of(bind: Connection | Engine) -> Database:
    """The module that knows the database of this connection."""
    return next(database for database in _ALL if bind.dialect.name == database.NAME)


def named_by(url: str) -> tuple[Database, URL]:
    """The database that a URL names. Raises StoreError for one that names none that can be used."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        scheme, mark, _ = url.partition("://")
        # There may be a password in it, wherever it is.
        secret = "@" in url or url.count(":") > 1
        shown = (f"{scheme}://***" if mark else "***") if secret else url
        raise StoreError(f'cannot read the database URL "{shown}"; expected one like sqlite:///file.db') from None
    for database in _ALL:
        if parsed.drivername in database.DRIVERS:
            return database, parsed
    raise StoreError(
        f'cannot open the database "{parsed.render_as_string()}": expected a URL that begins with "sqlite:///" '
        f'or "postgresql://", got "{parsed.drivername}"'
    )


def announce(table: Table) -> None:
    """Have daemons hear at once of what is written to a table, where the database has a way to tell them."""
    for database in _ALL:
        for statement in database.announcing(table):
            made = DDL(statement.replace("%", "%%")).execute_if(dialect=database.NAME)
            event.listen(table.metadata, "after_create", made)


def refused(error: DBAPIError) -> bool:
    """The database would not have a row as it was to be: a constraint, a value, or a trigger's own objection."""
    # P0001: RAISE EXCEPTION without a code of its own; 21000: several rows where one was expected.
    return isinstance(error, IntegrityError | DataError) or getattr(error.orig, "sqlstate", "") in (
        "P0001",
        "21000",
    )


def violated(error: DBAPIError) -> str:
    """The constraint that was broken, in the database's words but without any value of a row."""
    # Only psycopg's errors know their SQLSTATE.
    known = _POSTGRESQL if getattr(error.orig, "sqlstate", None) else _SQLITE
    return known.violated(error)
