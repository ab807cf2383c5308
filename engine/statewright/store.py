"""The database: opened, checked, and every transaction begun here."""

from __future__ import annotations

import math
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

from sqlalchemy import Connection, MetaData, insert
from sqlalchemy.exc import IntegrityError, OperationalError

from statewright import dialects
from statewright.clock import Clock
from statewright.driver import Drivers
from statewright.errors import DefinitionError, StoreError
from statewright.migrations.line import ENGINE, Line, refuse_older, refuse_others, versions_found
from statewright.session import StoreSession
from statewright.tables import alembic_version, metadata, transition
from statewright.trouble import Troubles

if TYPE_CHECKING:
    from statewright.migrations.steps import Step


@dataclass(frozen=True, slots=True)
class Schema:
    """An application's tables: a name, a version that is raised with every change, and the tables.

    migrations: the package that holds, in a folder `versions`, the revisions that lead to this version
    command:    what people run to upgrade older tables, as they are told who try to use them
    """

    name: str
    version: int
    tables: MetaData
    migrations: str | None = None
    command: str = "Store.upgrade"


class Store:
    """A database that holds the engine's log and an application's tables.

    url:          such as `sqlite:///portfolio.db` or `postgresql://user@host/portfolio`
    schema:       the application's tables; made together with the engine's when the database is new
    create:       False refuses a database that does not exist yet
    synchronous:  "FULL" (a commit survives a power cut) or "NORMAL" (the last ones may be lost)
    busy_timeout: seconds that a writer waits for another
    any_version:  True opens tables of every version, and a database without any, for `versions`, `upgrade`
                  and `drift` alone
    Raises StoreError when it cannot be used, SchemaVersionError when another version made it, DefinitionError
    when the schema takes names that are the engine's, or a setting cannot be.
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
        any_version: bool = False,
    ) -> None:
        if taken := metadata.tables.keys() & schema.tables.tables.keys():
            raise DefinitionError(f"schema {schema.name}", f"the table {min(taken)} is the engine's; rename yours")
        if synchronous not in ("FULL", "NORMAL"):
            raise DefinitionError("store", f'expected synchronous to be "FULL" or "NORMAL", got {synchronous!r}')
        if not 0 <= busy_timeout < math.inf:
            raise DefinitionError("store", f"expected busy_timeout to be 0 or more seconds, got {busy_timeout}")
        if schema.name == ENGINE.name:
            raise DefinitionError("schema", f"the name {ENGINE.name} is the engine's; choose another")
        self.schema = schema
        self._lines = ENGINE, Line(schema.name, schema.version, schema.migrations)
        self._database, parsed = dialects.named_by(url)
        engine = self._database.open_engine(
            parsed, create=create, synchronous=synchronous, busy_timeout=busy_timeout
        )
        self.url = url
        self.name = self._database.name_of(parsed)
        self.clock: Clock = clock or self._database.clock(engine, self.name)
        self._engine = engine
        self._horizon = self._database.horizon(engine)
        self._writing = engine.execution_options(writing=True)
        self._drivers = Drivers(engine)
        self._troubles = Troubles(self._database, self.name)
        self._ready_on: date | None = None
        self._patience = busy_timeout
        try:
            if not any_version:
                self._prepare(create=create)
        except BaseException:
            self.close()
            raise

    def __repr__(self) -> str:
        return f"Store({self.name!r})"

    @property
    def writes_alone(self) -> bool:
        """Who writes keeps all other writers waiting."""
        return not self._database.LOCKS_ROWS

    def transaction(self, *, whole: bool = False, few: bool = False) -> StoreSession:
        """A session that may write: committed at the end, rolled back by an exception.

        whole: no exception is caught inside, so that a call that fails need not undo its own part of it
        few:   each statement of it changes a few thousand rows at the most; what it may undo is kept in memory
        """
        return StoreSession(
            self._writing, self._drivers, self._troubles, clock=self.clock, writing=True, whole=whole, few=few
        )

    def reading(self) -> StoreSession:
        """A session that only reads, all of it at one moment; it neither blocks nor waits for writers."""
        return StoreSession(self._engine, self._drivers, self._troubles, clock=self.clock, writing=False)

    def settled(self) -> int:
        """The id of the log up to which no other row can still appear, whoever commits late."""
        with self._troubles:
            return self._horizon.settled()

    def wakeups(self, stop: socket.socket) -> Iterator[None]:
        """Yields whenever others may have written to the log; ends at once where a database cannot tell.

        stop: ends it as soon as something can be read from there
        Raises StoreError when the connection is lost.
        """
        with self._troubles:
            yield from self._database.wakeups(self._engine, stop)

    def keep_ahead(self, now: datetime) -> None:
        """Have the log ready for the months to come, where it is kept by month; looks once a day."""
        if self._database.KEEPS_MONTHS and self._ready_on != now.date():
            self._ready_on = now.date()
            try:
                with self._troubles, self._writing.begin() as connection:
                    self._database.keep_ahead(connection, transition.name, now)
            except StoreError as error:
                # There are months to try again, and rows without a part are kept too.
                if not error.busy:
                    raise

    def drop_empty(self, before: datetime) -> list[str]:
        """Remove parts of the log that hold nothing any more, of months before an instant; returns their names.

        What somebody is reading, or is not this user's to remove, stays for another time.
        """
        try:
            with self._troubles, self._writing.begin() as connection:
                return self._database.drop_empty(connection, transition.name, before)
        except StoreError as error:
            if not error.busy:
                raise
            return []

    def close(self) -> None:
        """Give every connection back to the operating system."""
        self._drivers.close()
        self._engine.dispose()

    def drift(self) -> list[str]:
        """Where the database differs from what the code expects, a sentence each; empty when it does not."""
        with self._troubles:
            with self._engine.connect() as connection:
                versions = versions_found(connection)
                found = self._database.schema_of(connection)
            expected = self._database.expected_schema(self._writing, [metadata, self.schema.tables])
        return [
            *(
                f"the {name} tables are of version {versions.get(name, 'none')}, expected {version}"
                for name, version in self.expected.items()
                if versions.get(name) != version
            ),
            *(
                f"{name} is missing" if name not in found else f"{name} is not as the code expects it"
                for name, words in expected.items()
                if found.get(name) != words
            ),
        ]

    @property
    def expected(self) -> dict[str, int]:
        """The versions of the tables that this program works with, the engine's and the application's, by name."""
        return {line.name: line.version for line in self._lines}

    def versions(self) -> dict[str, int]:
        """The versions of the tables in the database, by name; empty when it has none."""
        with self._troubles, self._engine.connect() as connection:
            return versions_found(connection)

    def upgrade(self, *, tell: Callable[[Step], None] = lambda step: None) -> list[Step]:
        """Make older tables those of this version, all of it or nothing; returns the steps that this took.

        Where there are no tables, they are made. On a server it waits for whoever uses the tables, and others wait
        for it, however long it takes.
        tell: is given each step when it begins
        Raises SchemaVersionError for tables of a newer program, StoreError when it cannot be done.
        """
        from statewright.migrations.steps import upgrade

        with self._troubles:
            if not self.versions():
                self._make_ready(patience=self._patience)
            try:
                with self._writing.begin() as connection:
                    self._database.take_your_time(connection)
                    self._database.take_turns(connection)
                    if not versions_found(connection):
                        self._refuse_foreign(connection)
                    return upgrade(connection, self._lines, name=self.name, tell=tell)
            except IntegrityError as error:
                broken = self._database.violated(error)
                raise StoreError(f'cannot upgrade the database "{self.name}": {broken}') from error

    def _prepare(self, *, create: bool) -> None:
        with self._troubles:
            with self._engine.connect() as connection:
                if not (found := versions_found(connection)):
                    self._refuse_foreign(connection)
                prepared = self._database.prepared(connection)
            if not found:
                if not create:
                    raise StoreError(
                        f'the database "{self.name}" holds no tables of {self.schema.name}', missing=True
                    )
                self._make_ready(patience=self._patience)
                with self._writing.begin() as connection:
                    found = self._create(connection)
            tried = f'cannot use the database "{self.name}"'
            refuse_others(self._lines, found, tried=tried)
            refuse_older(self._lines, found, tried=tried, command=self.schema.command)
            if not prepared:
                # As after a dump was read in. Where it cannot be now, the file is good enough to read.
                with suppress(OperationalError):
                    self._make_ready(patience=0)

    def _refuse_foreign(self, connection: Connection) -> None:
        foreign = self._database.tables_in(connection) & {*metadata.tables, *self.schema.tables.tables}
        if foreign:
            raise StoreError(
                f'cannot use the database "{self.name}": it has a table "{min(foreign)}" '
                "that this program did not make"
            )

    def _make_ready(self, *, patience: float) -> None:
        with self._engine.execution_options(bare=True).connect() as connection:
            self._database.prepare(connection, patience=patience)

    def _create(self, connection: Connection) -> dict[str, int]:
        self._database.take_turns(connection)
        # Another process may have made them between the look and the lock.
        if found := versions_found(connection):
            return found
        metadata.create_all(connection)
        self.schema.tables.create_all(connection)
        self._database.keep_ahead(connection, transition.name, self.clock.now())
        connection.execute(insert(alembic_version), [{"version_num": line.head} for line in self._lines])
        return self.expected
