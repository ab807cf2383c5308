"""The database: opened, checked, and every transaction begun and committed here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, MetaData, inspect, select
from sqlalchemy.exc import DBAPIError, IntegrityError

from statewright import dialects
from statewright.clock import Clock
from statewright.errors import DefinitionError, SchemaVersionError, StoreError
from statewright.session import StoreSession
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
        self._engine = engine
        self._horizon = self._database.horizon(engine)
        self._writing = engine.execution_options(writing=True)
        try:
            self._prepare(create=create, busy_timeout=busy_timeout)
        except BaseException:
            self.close()
            raise

    def __repr__(self) -> str:
        return f"Store({self.name!r})"

    @contextmanager
    def transaction(self, *, whole: bool = False) -> Iterator[StoreSession]:
        """A session that may write: committed at the end, rolled back by an exception.

        whole: no exception is caught inside, so that a call that fails need not undo its own part of it
        This is the only place in the program that commits.
        """
        with (
            self._troubles(),
            StoreSession(self._writing, clock=self.clock, writing=True, whole=whole) as session,
        ):
            yield session
            session.finish()

    @contextmanager
    def reading(self) -> Iterator[StoreSession]:
        """A session that only reads, all of it at one moment; it neither blocks nor waits for writers."""
        with self._troubles(), StoreSession(self._engine, clock=self.clock, writing=False) as session:
            yield session

    def settled(self) -> int:
        """The id of the log up to which no other row can still appear, whoever commits late."""
        with self._troubles():
            return self._horizon.settled()

    def close(self) -> None:
        """Give every connection back to the operating system."""
        self._engine.dispose()

    def drift(self) -> list[str]:
        """Where the database differs from what the code expects, a sentence each; empty when it does not."""
        with self.reading() as session:
            found = self._database.schema_of(session.connection())
        expected = self._database.expected_schema(self._writing, [metadata, self.schema.tables])
        return [
            f"{name} is missing" if name not in found else f"{name} is not as the code expects it"
            for name, words in expected.items()
            if found.get(name) != words
        ]

    def _prepare(self, *, create: bool, busy_timeout: float) -> None:
        with self._troubles():
            with self._engine.connect() as connection:
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
                with self._engine.execution_options(bare=True).connect() as connection:
                    self._database.prepare(connection, patience=busy_timeout)
                with self._writing.begin() as connection:
                    self._database.take_turns(connection)
                    self._create(connection)
            with self._engine.connect() as connection:
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
