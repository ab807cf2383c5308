"""The database: opened, checked, and every transaction begun and committed here."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, MetaData, inspect, select
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlmodel import Session

from statewright import dialects
from statewright.clock import Clock
from statewright.dialects.postgresql import DatabaseClock
from statewright.errors import DefinitionError, SchemaVersionError, StoreError
from statewright.tables import SCHEMA_VERSION, metadata, schema_version, transition

OURS = "statewright"
"""What the engine's own tables are called among the schemas of a database."""


@dataclass(frozen=True, slots=True)
class Schema:
    """An application's tables: a name, a version that is raised with every change, and the tables."""

    name: str
    version: int
    tables: MetaData


class Store:
    """A database that holds the engine's log and an application's tables.

    url:          such as `sqlite:///portfolio.db` or `postgresql://user@host/portfolio`
    schema:       the application's tables; made together with the engine's when the database is new
    create:       False refuses a database that does not exist yet
    synchronous:  "FULL" (a commit survives a power cut) or "NORMAL" (the last ones may be lost)
    busy_timeout: seconds that a writer waits for another
    Raises StoreError when it cannot be used, SchemaVersionError when another version made it, DefinitionError
    when the schema takes names that are the engine's.
    """

    def __init__(
        self,
        url: str,
        *,
        schema: Schema,
        clock: Clock | None = None,
        create: bool = True,
        synchronous: str = "FULL",
        busy_timeout: float = 5.0,
    ) -> None:
        if taken := metadata.tables.keys() & schema.tables.tables.keys():
            raise DefinitionError(f"schema {schema.name}", f"the table {min(taken)} is the engine's; rename yours")
        if schema.name == OURS:
            raise DefinitionError("schema", f"the name {OURS} is the engine's; choose another")
        self.schema = schema
        self._database, parsed = dialects.named_by(url)
        engine = self._database.open_engine(
            parsed, create=create, synchronous=synchronous, busy_timeout=busy_timeout
        )
        self.url = url
        self.name = self._database.name_of(parsed)
        self.clock: Clock = clock or self._database.clock(engine)
        self._engine = engine.execution_options(clock=self.clock)
        self._horizon = self._database.horizon(self._engine)
        self._reading = self._engine.execution_options(**self._database.READING)
        self._writing = self._engine.execution_options(writing=True)
        try:
            self._prepare(create=create, busy_timeout=busy_timeout)
        except BaseException:
            self.close()
            raise

    def __repr__(self) -> str:
        return f"Store({self.name!r})"

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A session that may write: committed at the end, rolled back by an exception.

        This is the only place in the program that commits.
        """
        with self._troubles(), Session(self._writing, expire_on_commit=False) as session:
            yield session
            session.commit()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that only reads, all of it at one moment; it neither blocks nor waits for writers."""
        with self._troubles(), Session(self._reading, expire_on_commit=False) as session:
            yield session

    def settled(self) -> int:
        """The id of the log up to which no other row can still appear, whoever commits late."""
        with self._troubles():
            return self._horizon.settled()

    def wakeups(self, stop: socket.socket) -> Iterator[None]:
        """Yields whenever others may have written to the log; ends at once where a database cannot tell.

        stop: ends it as soon as something can be read from there
        Raises StoreError when the connection is lost.
        """
        with self._troubles():
            yield from self._database.wakeups(self._engine, stop)

    def close(self) -> None:
        """Give every connection back to the operating system."""
        self._engine.dispose()

    def drift(self) -> list[str]:
        """Where the database differs from what the code expects, a sentence each; empty when it does not."""
        with self.reading() as session:
            found = self._database.schema_of(session.connection())
        expected = self._database.expected_schema(self._engine, [metadata, self.schema.tables])
        return [
            f"{name} is missing" if name not in found else f"{name} is not as the code expects it"
            for name, words in expected.items()
            if found.get(name) != words
        ]

    def _prepare(self, *, create: bool, busy_timeout: float) -> None:
        with self._troubles():
            with self._reading.connect() as connection:
                tables = set(inspect(connection).get_table_names())
                ours = schema_version.name in tables and transition.name in tables
            if not ours:
                foreign = tables & {*metadata.tables, *self.schema.tables.tables}
                if foreign:
                    raise StoreError(
                        f'cannot use the database "{self.name}": it has a table "{min(foreign)}" '
                        "that this program did not make"
                    )
                if not create:
                    raise StoreError(
                        f'the database "{self.name}" holds no tables of {self.schema.name}', missing=True
                    )
                with self._engine.execution_options(preparing=True).connect() as connection:
                    self._database.prepare(connection, patience=busy_timeout)
                with self._writing.begin() as connection:
                    self._database.take_turns(connection)
                    self._create(connection)
            with self._reading.connect() as connection:
                self._check_version(connection)

    def _create(self, connection: Connection) -> None:
        metadata.create_all(connection)
        self.schema.tables.create_all(connection)
        # Another process may have made them between the look and the lock.
        if connection.execute(select(schema_version.c.name).limit(1)).first() is None:
            connection.execute(
                schema_version.insert(),
                [{"name": name, "version": version} for name, version in self._versions().items()],
            )

    def _check_version(self, connection: Connection) -> None:
        rows = connection.execute(select(schema_version.c.name, schema_version.c.version))
        found: dict[str, int] = {name: version for name, version in rows}  # noqa: C416 - dict() cannot be typed
        for name, expected in self._versions().items():
            version = found.get(name)
            if version != expected:
                problem = (
                    f"it holds no tables of {name}"
                    if version is None
                    else f"its {name} tables are of version {version}, this program expects {expected}"
                )
                way_out = "install the newer program" if (version or 0) > expected else "use another file"
                raise SchemaVersionError(
                    f'cannot use the database "{self.name}": {problem}; {way_out}',
                    found=version,
                    expected=expected,
                )

    def _versions(self) -> dict[str, int]:
        return {OURS: SCHEMA_VERSION, self.schema.name: self.schema.version}

    @contextmanager
    def _troubles(self) -> Iterator[None]:
        try:
            yield
        except IntegrityError:
            raise
        except DBAPIError as error:
            raise self._database.trouble(error, self.name) from error


def instant(session: Session) -> datetime:
    """The present instant, by the clock of the store that this session belongs to."""
    clock: Clock | None = _options(session).get("clock")
    if clock is None:
        raise StoreError("expected a session that a Store opened, got one of another engine")
    return clock.now_on(session.connection()) if isinstance(clock, DatabaseClock) else clock.now()


def hold(session: Session, ids: Column[int], where: ColumnElement[bool]) -> None:
    """Lock rows before looking at them, where several write at once; whoever else locks them waits until the end.

    Rows are locked in the order of their ids. To stay clear of deadlocks, hold the outermost table first.
    """
    if dialects.of(session.connection()).LOCKS_ROWS:
        expect_to_write(session)
        locked = select(ids).where(where).order_by(ids).with_for_update(of=ids.table, key_share=True)
        session.connection().execute(locked).all()


def take_turns(session: Session) -> None:
    """Wait until no other transaction that takes turns is under way; where one writes at a time, there is none."""
    dialects.of(session.connection()).take_turns(session.connection())


def expect_to_write(session: Session) -> None:
    """Raise StoreError for a session that only reads: what it writes would never be committed."""
    if not _options(session).get("writing"):
        raise StoreError("cannot move rows in a session that only reads; open it with Store.transaction()")


def _options(session: Session) -> Mapping[str, Any]:
    return session.connection().get_execution_options()
