"""SQLite: one file, one writer at a time, nothing to install."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, MetaData, Table, create_engine, event, text
from sqlalchemy.exc import DBAPIError, OperationalError

from statewright.clock import Clock, SystemClock
from statewright.dialects.begin import IMMEDIATE, begin_with
from statewright.dialects.forbid import Forbid
from statewright.dialects.numbering import numbers_never_again
from statewright.errors import StoreError

NAME: str = "sqlite"
DRIVERS: tuple[str, ...] = ("sqlite", "sqlite+pysqlite")
LOCKS_ROWS: bool = False
"""Who writes is alone in the whole database."""

WAITS_FOR_ANSWERS: bool = False

BEGIN_READING: str = "BEGIN"
BEGIN_WRITING: str = IMMEDIATE

MARK: str = "?"
EXISTS_END: str = ""
COMPARED: int = 8
"""So many values of an IN are compared one by one: SQLite puts three or more into a table first, each time."""
PRESENT: str = ""
BY_INDEX: str = ""
BY_CHOICE: str = ""

KEEPS_MONTHS: bool = False
"""A file is one piece."""

MOST_PARAMETERS = 32_766
"""What a statement may have, unless SQLite was built for more."""
ROWS_AT_ONCE = 500
"""Rows of a statement; more gain nothing."""

CACHE = 8_000
"""Kilobytes of pages that a connection keeps: what moves in no order comes to the same pages again."""
CHECKPOINT_AFTER = 8_000
"""Pages of 4 kB in the write-ahead log after which it is emptied into the file: what many transactions write over
and over reaches the file once."""


class Horizon:
    """Who writes is alone, so the log is committed in its order."""

    def settled(self) -> int:
        return 2**63 - 1


def horizon(_engine: Engine) -> Horizon:
    """Tells how far the log is settled."""
    return Horizon()


def announcing(_table: Table) -> list[str]:
    """A file tells nobody."""
    return []


def wakeups(_engine: Engine, _stop: socket.socket) -> Iterator[None]:
    """Nobody is told that others have written: one has to look."""
    return iter(())


def numbers(connection: Connection, table: Table, count: int) -> list[int]:
    """So many new ids for rows of a table, ascending."""
    last = last_number(connection, table)
    return list(range(last + 1, last + 1 + count))


def last_number(connection: Connection, table: Table) -> int:
    """The highest id that was ever given to a row of a table, as far as it is known; 0 for none."""
    given = f"SELECT coalesce(max(id), 0) FROM {table.name}"  # noqa: S608 - a table's name
    if numbers_never_again(table):
        given = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = :table"
    last: int = connection.execute(text(given), {"table": table.name}).scalar_one()
    return last


def keep_ahead(_connection: Connection, _table: str, _now: datetime) -> None:
    """A table has no parts that would have to be made ahead."""


def drop_empty(_connection: Connection, _table: str, _before: datetime) -> list[str]:
    """What is removed from a file makes room for other rows; there are no parts to remove."""
    return []


def tables_in(connection: Connection) -> set[str]:
    """The names of all tables."""
    found = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'")
    return {*found.scalars()}


def load(connection: Connection, table: Table, columns: Mapping[str, Sequence[Any]]) -> None:
    """Insert rows, given as the values of each column as the driver takes them, many in a statement.

    For each statement that a trigger may undo, SQLite keeps a copy of all pages that it changes. What all rows
    share is told once a statement: the driver takes as long to pass a NULL or a truth on as SQLite to write it.
    """
    count = len(next(iter(columns.values())))
    shared = {name: values[0] for name, values in columns.items() if values.count(values[0]) == count > 1}
    apart = [name for name in columns if name not in shared]
    into = ", ".join(f'"{name}"' for name in (*shared, *apart))
    chosen = ", ".join([*("?" * len(shared)), "*"])
    row = f"({', '.join('?' * len(apart))})"
    at_once = min(ROWS_AT_ONCE, MOST_PARAMETERS // len(columns))
    for first in range(0, count, at_once):
        some = list(zip(*(columns[name][first : first + at_once] for name in apart), strict=True))
        rows = ", ".join([row] * len(some))
        statement = f"INSERT INTO {table.name} ({into}) SELECT {chosen} FROM (VALUES {rows})"  # noqa: S608 - names only
        connection.exec_driver_sql(statement, (*shared.values(), *chain.from_iterable(some)))


def take_stock(_connection: Connection, _tables: Sequence[Table]) -> None:
    """SQLite plans without statistics, always alike."""


def name_of(url: URL) -> str:
    """The database as a person knows it: its file."""
    return url.database or ""


def forbid(rule: Forbid, table: Table) -> list[str]:
    """The trigger that keeps a rule, as SQL."""
    message = rule.message.replace("'", "''")
    about = f"{rule.rows} AND " if rule.rows else ""
    trigger = (
        f"CREATE TRIGGER IF NOT EXISTS {rule.name} BEFORE {rule.before} ON {table.name} FOR EACH ROW "
        f"WHEN {about}{rule.when} BEGIN SELECT RAISE(ABORT, '{message}'); END"
    )
    return [trigger]


def open_engine(parsed: URL, *, create: bool, synchronous: str, busy_timeout: float) -> Engine:
    """An SQLAlchemy engine for a file, every connection of it set up as the engine needs."""
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
    # Here, because it loads the driver, for which a server has no use.
    from statewright.dialects.sqlite_turn import Patient

    engine = create_engine(
        parsed,
        # Parameters are kept out of error messages: they may hold what must never be logged.
        hide_parameters=True,
        paramstyle="named",
        connect_args={"factory": Patient, "cached_statements": STATEMENTS},
    )
    if unchanging:

        @event.listens_for(engine, "do_connect")
        def open_unchanging(_dialect: Any, _record: Any, arguments: list[Any], options: dict[str, Any]) -> None:
            arguments[0] = f"{path.absolute().as_uri()}?immutable=1"
            options["uri"] = True

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        connection.patience = busy_timeout
        connection.room = "FILE" if _has_room_for_files() else "MEMORY"
        connection.be_patient()
        connection.be_roomy()
        cursor = connection.cursor()
        cursor.execute("PRAGMA foreign_keys = ON")
        # Without it, what REPLACE deletes is hidden from the triggers that forbid it.
        cursor.execute("PRAGMA recursive_triggers = ON")
        cursor.execute(f"PRAGMA synchronous = {synchronous}")
        cursor.execute(f"PRAGMA cache_size = -{CACHE}")
        cursor.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_AFTER}")
        cursor.close()

    @event.listens_for(engine, "reset")
    def reset(connection: Any, _record: Any, _state: Any) -> None:
        # A COMMIT that a deferred constraint refuses leaves the transaction standing, and with it its lock.
        connection.rollback()
        connection.be_roomy()

    @event.listens_for(engine, "begin")
    def be_patient(connection: Connection) -> None:
        # What SQLAlchemy begins, or goes on with, does not come by the driver's own `begin`.
        link: Any = connection.connection.driver_connection
        link.be_patient()

    begin_with(engine, reading=BEGIN_READING, writing=BEGIN_WRITING)
    return engine


STATEMENTS = 1000
"""What a connection keeps of them: each kind of move has a few, and to read one takes as long as to run it."""


def _has_room_for_files() -> bool:
    """Whether SQLite finds a folder for temporary files, in the order in which it looks."""
    named = (os.environ.get("SQLITE_TMPDIR"), os.environ.get("TMPDIR"))
    usual = ("/var/tmp", "/usr/tmp", "/tmp", ".")  # noqa: S108 - nothing is put there by us
    return any(folder and os.access(folder, os.W_OK | os.X_OK) for folder in (*named, *usual))


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


def clock(_engine: Engine, _name: str) -> Clock:
    """The production clock: there is only this machine."""
    return SystemClock()


def prepared(connection: Connection) -> bool:
    """`prepare` has nothing to do."""
    return bool(connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal")


def prepare(connection: Connection, *, patience: float) -> None:
    """Choose write-ahead logging, which lets readers go on while somebody writes; the file remembers it.

    patience: seconds to wait for somebody else's lock, for which SQLite itself does not wait here
    """
    began = time.perf_counter()
    while True:
        try:
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")
        except OperationalError as error:
            if "locked" not in str(error.orig) or time.perf_counter() - began >= patience:
                raise
            time.sleep(0.01)
        else:
            return


def take_turns(_connection: Connection) -> None:
    """Whoever writes is alone already."""


def take_your_time(_connection: Connection) -> None:
    """A transaction that has begun to write may last as long as it wants."""


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


def keep_values_out(_error: Exception) -> None:
    """SQLite's own sentences name no values."""


def violated(error: DBAPIError) -> str:
    """The constraint that was broken, without any value of a row."""
    return str(error.orig).splitlines()[0]


def schema_of(connection: Connection) -> dict[str, str]:
    """Every table, index and trigger of a database by name, in the words it was made with."""
    rows = connection.exec_driver_sql(
        "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'"
    )
    return {name: " ".join(sql.split()) for name, sql in rows}


def expected_schema(_engine: Engine, metadatas: Sequence[MetaData]) -> dict[str, str]:
    """What `schema_of` answers for a database just made from these tables."""
    engine = create_engine("sqlite://")
    try:
        with engine.begin() as connection:
            for metadata in metadatas:
                metadata.create_all(connection)
            return schema_of(connection)
    finally:
        engine.dispose()
