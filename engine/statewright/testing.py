"""What users' tests need: a temporary store, a clock that is set and advanced, a subscriber that remembers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

from sqlalchemy import NullPool, create_engine, make_url, select
from sqlmodel import Session

from statewright.clock import Clock
from statewright.log import Entry
from statewright.store import Schema, Store
from statewright.subscriber import Subscriber
from statewright.workflows import Workflows

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)


class ManualClock:
    """A clock that stands still until it is told to go on."""

    def __init__(self, start: datetime = BEGINNING) -> None:
        self._now = _aware(start)

    def __repr__(self) -> str:
        return f"ManualClock({self._now.isoformat()})"

    def now(self) -> datetime:
        return self._now

    def set(self, instant: datetime, *, backwards: bool = False) -> datetime:
        """Go to an instant; to an earlier one only if `backwards` says so. Returns it."""
        if _aware(instant) < self._now and not backwards:
            raise ValueError(
                f"expected an instant after {self._now.isoformat()}, got {instant.isoformat()}; "
                "backwards=True turns the clock back"
            )
        self._now = instant.astimezone(UTC)
        return self._now

    def advance(self, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0) -> datetime:
        """Go on by so much; never backwards. Returns the new instant."""
        return self.set(self._now + timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds))


@contextmanager
def temporary_store(schema: Schema, *, clock: Clock | None = None, server: str | None = None) -> Iterator[Store]:
    """A store in a real file of its own, which is removed at the end; a `ManualClock` unless one is given.

    server: the URL of a PostgreSQL server; the store is then a database of its own there
    """
    with _a_file() if server is None else temporary_database(server) as url:
        store = Store(url, schema=schema, clock=clock or ManualClock(), synchronous="NORMAL")
        try:
            yield store
        finally:
            store.close()


@contextmanager
def temporary_database(server: str) -> Iterator[str]:
    """The URL of a new database on a PostgreSQL server, which is removed at the end, whoever still uses it."""
    url = make_url(server)
    name = f"test_{uuid4().hex}"
    engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    try:
        yield url.set(database=name).render_as_string(hide_password=False)
    finally:
        with engine.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def _a_file() -> Iterator[str]:
    with TemporaryDirectory(prefix="statewright-") as folder:
        yield f"sqlite:///{Path(folder, 'test.db')}"


class Recorder(Subscriber):
    """A subscriber that remembers what it was told; a delivery that fails afterwards is told twice."""

    entries: list[Entry]

    def __init__(self, name: str = "recorder") -> None:
        entries: list[Entry] = []
        super().__init__(name, lambda batch, _session: entries.extend(batch))
        object.__setattr__(self, "entries", entries)

    def heard(self, workflow: str, row_id: int) -> list[str]:
        """The events of one row, in order."""
        return [entry.event for entry in self.entries if (entry.workflow, entry.row_id) == (workflow, row_id)]


def replay(entries: Iterable[Entry]) -> dict[tuple[str, int], str]:
    """The state to which the log brings each row, by workflow and id.

    Raises ValueError when a log row does not begin where the one before it ended.
    """
    states: dict[tuple[str, int], str] = {}
    for entry in entries:
        row = entry.workflow, entry.row_id
        if entry.source != states.get(row):
            raise ValueError(
                f"log row {entry.id} moves {entry.workflow} {entry.row_id} from {entry.source}, "
                f"but it was {states.get(row)}"
            )
        states[row] = entry.target
    return states


def states(session: Session, workflows: Workflows) -> dict[tuple[str, int], str]:
    """The present state of every row, by workflow and id: what a replay of the whole log must give."""
    return {
        (workflow.name, row_id): state
        for workflow in workflows.values()
        for row_id, state in session.connection().execute(select(workflow.id, workflow.state))
    }


def _aware(instant: datetime) -> datetime:
    if instant.tzinfo is None:
        raise ValueError(f"expected an instant with a time zone, got {instant.isoformat()}")
    return instant.astimezone(UTC)
