"""Where databases differ: how each is opened, and the few words that each says its own way."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import (
    DDL,
    BigInteger,
    Connection,
    DateTime,
    Dialect,
    Engine,
    Integer,
    MetaData,
    Table,
    TypeDecorator,
    create_engine,
    event,
    make_url,
)
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction, ReturnTypeFromArgs

from statewright.errors import StoreError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
FIRST_INSTANT = datetime.min.replace(tzinfo=UTC)
LAST_INSTANT = datetime.max.replace(tzinfo=UTC)
DAY = timedelta(days=1)

Identifier = BigInteger().with_variant(Integer, "sqlite")
"""A 64-bit key on every database; SQLite only numbers rows by itself when the type is called INTEGER."""


class Instant(TypeDecorator[datetime]):
    """A point in time, exact to the microsecond: aware `datetime` in Python.

    SQLite keeps it as an integer, microseconds since 1970-01-01 UTC (a third smaller and faster than text,
    and arithmetic is exact); PostgreSQL as `timestamptz`. A naive datetime is refused.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(BigInteger())
        return dialect.type_descriptor(DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if not isinstance(value, datetime):
            raise ValueError(  # noqa: TRY004 - what SQLAlchemy expects of a wrong value
                f"expected an instant, got a {type(value).__name__}; days_after(...) gives a later one"
            )
        if value.tzinfo is None:
            raise ValueError(f"expected an instant with a time zone, got {value.isoformat()}")
        return (value - EPOCH) // MICROSECOND if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if dialect.name == "sqlite":
            return EPOCH + timedelta(microseconds=value)
        instant: datetime = value
        return instant.astimezone(UTC)


class days_after(GenericFunction[datetime]):
    """`days_after(instant, days)`: the instant so many times 24 hours later (or earlier, if negative)."""

    type = Instant()
    inherit_cache = True


class days_between(GenericFunction[int]):
    """`days_between(earlier, later)`: full days of 24 hours between them; negative the other way round."""

    type = Integer()
    inherit_cache = True


class day_number(GenericFunction[int]):
    """`day_number(instant)`: its day in UTC, counted from 1970-01-01; what a forecast groups by."""

    type = Integer()
    inherit_cache = True


class earliest(ReturnTypeFromArgs[Any]):
    """`earliest(a, b, ...)`: the least of several values, none of them NULL."""

    inherit_cache = True


class latest(ReturnTypeFromArgs[Any]):
    """`latest(a, b, ...)`: the greatest of several values, none of them NULL."""

    inherit_cache = True


def date_of(day: int) -> datetime:
    """The midnight, UTC, that begins the day of this `day_number`."""
    return EPOCH + day * DAY


@dataclass(frozen=True, slots=True)
class Forbid:
    """A rule that stands in the database itself, as a trigger, so that no SQL from anywhere can break it.

    before:  what is forbidden, such as `UPDATE OF state` or `DELETE`
    when:    an SQL condition over OLD and NEW, in words that both databases understand
    message: what the writer is told
    """

    name: str
    before: str
    when: str
    message: str

    def attach(self, table: Table) -> None:
        """Have the trigger made together with its table."""
        message = self.message.replace("'", "''")
        statement = (
            f"CREATE TRIGGER IF NOT EXISTS {self.name} BEFORE {self.before} ON {table.name} FOR EACH ROW "
            f"WHEN {self.when} BEGIN SELECT RAISE(ABORT, '{message}'); END"
        )
        event.listen(
            table.metadata,
            "after_create",
            DDL(statement.replace("%", "%%")).execute_if(dialect="sqlite"),
        )


def open_engine(url: str, *, create: bool, synchronous: str, busy_timeout: float) -> Engine:
    """An SQLAlchemy engine for this URL, every connection of it set up as the engine needs.

    synchronous:  "FULL" (a commit survives a power cut) or "NORMAL" (the last ones may be lost)
    busy_timeout: seconds to wait for another writer's lock
    Raises StoreError for a URL that names no database that can be used.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise StoreError(f'cannot read the database URL "{url}"; expected one like sqlite:///file.db') from None
    if parsed.drivername not in ("sqlite", "sqlite+pysqlite"):
        raise StoreError(
            f'cannot open the database "{parsed.render_as_string()}": '
            f'expected a URL that begins with "sqlite:///", got "{parsed.drivername}"'
        )
    if parsed.host or parsed.query:
        raise StoreError(
            f'cannot read the database URL "{parsed.render_as_string()}": '
            "expected three slashes and a path, and nothing after it, as in sqlite:///file.db"
        )
    if not parsed.database or parsed.database == ":memory:":
        raise StoreError("cannot keep rows in memory: name a file, as in sqlite:///file.db")
    path = Path(parsed.database)
    try:
        _check_path(path, create=create)
        unchanging = _is_kept_from_change(path)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise StoreError(f'cannot open the database "{path}": {why[:1].lower()}{why[1:]}') from None
    # Parameters are kept out of error messages: they may hold what must never be logged.
    engine = create_engine(parsed, hide_parameters=True)
    if unchanging:

        @event.listens_for(engine, "do_connect")
        def open_unchanging(_dialect: Any, _record: Any, arguments: list[Any], options: dict[str, Any]) -> None:
            arguments[0] = f"{path.absolute().as_uri()}?immutable=1"
            options["uri"] = True

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {int(busy_timeout * 1000)}")
        cursor.execute("PRAGMA foreign_keys = ON")
        # Without it, what REPLACE deletes is hidden from the triggers that forbid it.
        cursor.execute("PRAGMA recursive_triggers = ON")
        cursor.execute(f"PRAGMA synchronous = {synchronous}")
        cursor.execute("PRAGMA temp_store = MEMORY")
        cursor.close()

    @event.listens_for(engine, "reset")
    def reset(connection: Any, _record: Any, _state: Any) -> None:
        # A COMMIT that a deferred constraint refuses leaves the transaction standing, and with it its lock.
        connection.rollback()

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        # sqlite3's own BEGIN comes too late: two writers would both read before either locks.
        options = connection.get_execution_options()
        if not options.get("preparing", False):
            connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("writing", False) else "BEGIN")

    return engine


def _check_path(path: Path, *, create: bool) -> None:
    if "\0" in str(path):
        raise ValueError("no file has a name with a NUL in it")
    if path.is_dir():
        raise StoreError(f'cannot open the database "{path}": it is a folder, not a file')
    if not path.exists():
        if not create:
            raise StoreError(f'there is no database at "{path}"', missing=True)
        if not path.parent.is_dir():
            raise StoreError(f'cannot make the database "{path}": there is no folder "{path.parent}"')


def _is_kept_from_change(path: Path) -> bool:
    """Whether a file can be read only without the locks that SQLite keeps beside it: in a backup, on a CD.

    While somebody else writes, the locks are there, and can be shared.
    """
    effective = os.access in os.supports_effective_ids
    return (
        path.exists()
        and not os.access(path, os.W_OK, effective_ids=effective)
        and not os.access(path.parent, os.W_OK, effective_ids=effective)
        and not path.with_name(f"{path.name}-wal").exists()
    )


def prepare_file(connection: Connection, *, patience: float) -> None:
    """Choose write-ahead logging, which lets readers go on while somebody writes; the file remembers it.

    patience: seconds to wait for somebody else's lock, for which SQLite itself does not wait here
    """
    began = time.perf_counter()
    while connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() != "wal":
        try:
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")
        except OperationalError:
            if time.perf_counter() - began >= patience:
                raise
            time.sleep(0.01)


def trouble(error: DBAPIError, name: str) -> StoreError:
    """What went wrong with the database, as one sentence; `name` is the database as a person knows it."""
    said = str(error.orig).partition("\n")[0]
    for words, sentence in _TROUBLES.items():
        if words in said:
            return StoreError(sentence.format(name=name))
    return StoreError(f'the database "{name}" reported: {said}')


_TROUBLES = {
    "file is not a database": 'cannot use "{name}": the file is not an SQLite database',
    "disk image is malformed": 'the database "{name}" is damaged; restore it from a backup',
    "database is locked": 'the database "{name}" is locked by another program; try again when it is done',
    "readonly database": 'cannot write to the database "{name}": it or its folder is read-only',
    "unable to open database file": (
        'cannot open the database "{name}": the file or its folder is not accessible'
    ),
    "disk is full": 'cannot write to the database "{name}": the disk is full',
    "disk I/O error": 'cannot read or write the database "{name}": the disk reports an error',
}


def violated(error: DBAPIError) -> str:
    """The constraint that was broken, in the database's words but without any value of a row."""
    return str(error.orig).splitlines()[0]


def schema_of(connection: Connection) -> dict[str, str]:
    """Every table, index and trigger of a database by name, in the words it was made with."""
    rows = connection.exec_driver_sql(
        "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'"
    )
    return {name: " ".join(sql.split()) for name, sql in rows}


def expected_schema(metadatas: Sequence[MetaData]) -> dict[str, str]:
    """What `schema_of` answers for a database just made from these tables."""
    engine = create_engine("sqlite://")
    try:
        with engine.begin() as connection:
            for metadata in metadatas:
                metadata.create_all(connection)
            return schema_of(connection)
    finally:
        engine.dispose()


def _word(function: type[GenericFunction[Any]], sqlite: Callable[..., str], other: Callable[..., str]) -> None:
    def compile_sqlite(element: Any, compiler: Any, **options: Any) -> str:
        return sqlite(*(compiler.process(clause, **options) for clause in element.clauses))

    def compile_other(element: Any, compiler: Any, **options: Any) -> str:
        return other(*(compiler.process(clause, **options) for clause in element.clauses))

    compiles(function)(compile_other)
    compiles(function, "sqlite")(compile_sqlite)


_DAY = "86400000000"  # microseconds


def _floored_days(instant: str) -> str:
    """SQLite divides towards zero; the days before 1970 need the division that goes down."""
    return f"(({instant}) / {_DAY} - (({instant}) % {_DAY} < 0))"


def _one_of(word: str) -> Callable[..., str]:
    """A word for several values; for one it is that value, which SQLite's min and max would aggregate."""
    return lambda first, *others: f"{word}({', '.join((first, *others))})" if others else f"({first})"


_word(
    days_after,
    lambda instant, days: f"(({instant}) + ({days}) * {_DAY})",
    lambda instant, days: f"(({instant}) + ({days}) * interval '24 hours')",
)
_word(
    days_between,
    lambda early, late: f"((({late}) - ({early})) / {_DAY})",
    lambda early, late: f"trunc(extract(epoch from ({late}) - ({early})) / 86400)::int",
)
_word(
    day_number,
    _floored_days,
    lambda instant: f"floor(extract(epoch from ({instant})) / 86400)::int",
)
_word(earliest, _one_of("min"), _one_of("least"))
_word(latest, _one_of("max"), _one_of("greatest"))
