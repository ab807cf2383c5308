"""Tables of an older version become those of this one: all of it or nothing, with every row, on both databases."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import (
    Column,
    Connection,
    Engine,
    ForeignKey,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    inspect,
    text,
)
from sqlalchemy.exc import DBAPIError, IntegrityError
from statemachine import State
from tests.statewright.halls import SCHEMA, add_halls, add_seats, metadata

from statewright import dialects
from statewright.chart import Chart
from statewright.dialects import Identifier, Instant
from statewright.errors import SchemaVersionError, StoreError
from statewright.migrations import ENGINE, Line, upgrade, versions_found
from statewright.store import Store
from statewright.tables import NAMES
from statewright.tables import metadata as engine_tables
from statewright.testing import ManualClock
from statewright.workflow import Deadline, Workflow

PLAYHOUSE = "playhouse.migrations"

FIRST = """
revision = "theatre_1"
down_revision = None
branch_labels = ("theatre",)
def upgrade(): pass
"""

RENOVATION = '''
"""A hall may be closed for renovation, and is due to be opened again."""
from alembic import op
from statewright.migrations import add_deadline, change_states

revision = "theatre_2"
down_revision = "theatre_1"

def upgrade():
    change_states("hall", ["planned", "running", "closed", "gone", "renovated"])
    add_deadline("hall", "reopen_at")
    op.execute("UPDATE hall SET state = 'renovated' WHERE state = 'closed'")
'''

Revise = Callable[..., Line]


class StageChart(Chart):
    planned = State(initial=True)
    running = State()
    closed = State()
    gone = State(final=True)

    launch = planned.to(running)
    close = running.to(closed)
    remove = closed.to(gone)


class RenovatedChart(Chart):
    planned = State(initial=True)
    running = State()
    closed = State()
    gone = State(final=True)
    renovated = State()

    launch = planned.to(running)
    close = running.to(closed)
    renovate = closed.to(renovated)
    reopen = renovated.to(running)
    remove = closed.to(gone)


def stage(chart: type[Chart], *, reopens: bool = False) -> MetaData:
    """A table of one version, as an application declares it."""
    tables = MetaData(naming_convention=NAMES)
    row = Table(
        "stage",
        tables,
        Column("id", Identifier, primary_key=True),
        Column("state", Text, nullable=False),
        Column("house_id", ForeignKey("stage.id")),
        Column("close_at", Instant),
        *([Column("reopen_at", Instant)] if reopens else []),
        UniqueConstraint("house_id", "close_at"),
    )
    deadlines = [Deadline("close", at=row.c.close_at)]
    if reopens:
        deadlines.append(Deadline("reopen", at=row.c.reopen_at))
    Workflow(row, chart, deadlines=deadlines)
    return tables


@pytest.fixture
def revise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Revise:
    """Gives the theatre migrations: each a revision's source, the first numbered 1."""

    def write(*revisions: str) -> Line:
        folder = tmp_path / "code" / "playhouse" / "migrations" / "versions"
        folder.mkdir(parents=True)
        monkeypatch.syspath_prepend(str(tmp_path / "code"))
        for name in ("playhouse", PLAYHOUSE):
            sys.modules.pop(name, None)
        for number, source in enumerate(revisions, 1):
            (folder / f"theatre_{number}.py").write_text(source)
        return Line("theatre", len(revisions), PLAYHOUSE)

    return write


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    """An empty database, whose transactions write."""
    database, parsed = dialects.named_by(url)
    engine = database.open_engine(parsed, create=True, synchronous="NORMAL", busy_timeout=20)
    yield engine.execution_options(writing=True)
    engine.dispose()


@pytest.fixture
def filled(engine: Engine, url: str) -> Engine:
    """A theatre of version 1 with halls, seats and a log."""
    with closing(Store(url, schema=SCHEMA, clock=ManualClock())) as store, store.transaction() as session:
        hall, _, _ = add_halls(session, {"name": "Globe"}, {"name": "Rose"}, {"name": "Swan"})
        add_halls(session, {"name": "Hope"}, state="closed")
        add_seats(session, hall, "A1", "A2", state="taken")
    return engine


def schema_of(connection: Connection) -> dict[str, str]:
    return dialects.of(connection).schema_of(connection)


def contents(connection: Connection) -> dict[str, list[Any]]:
    return {
        table.name: sorted(map(tuple, connection.execute(table.select())), key=repr)
        for table in (*engine_tables.sorted_tables, *metadata.sorted_tables)
    }


def refusing(connection: Connection, statement: str) -> None:
    with pytest.raises(DBAPIError), connection.begin_nested():
        connection.execute(text(statement))


def test_the_first_revision_makes_the_tables_that_a_new_database_has(engine: Engine) -> None:
    with engine.begin() as connection:
        assert upgrade(connection, [ENGINE], name="x") == ["statewright_1", "statewright_4"]
    with engine.connect() as connection:
        found = schema_of(connection)
        expected = dialects.of(engine).expected_schema(engine, [engine_tables])
        assert {name: found.get(name) for name in expected} == expected
        assert versions_found(connection) == {"statewright": ENGINE.version}


def test_a_database_of_the_first_release_is_taken_as_being_of_version_1(filled: Engine) -> None:
    with filled.begin() as connection:
        before = contents(connection)
        assert versions_found(connection) == {"statewright": ENGINE.version, "theatre": 1}
        assert upgrade(connection, [ENGINE, Line("theatre", 1)], name="x") == []
        assert versions_found(connection) == {"statewright": ENGINE.version, "theatre": 1}
        assert contents(connection) == before


def test_a_chart_with_a_new_state_and_a_new_deadline_keeps_its_rows(filled: Engine, revise: Revise) -> None:
    line = revise(FIRST, RENOVATION)
    told: list[str] = []
    with filled.begin() as connection:
        before, rows = schema_of(connection), contents(connection)
        assert upgrade(connection, [ENGINE, line], name="x", tell=told.append) == ["theatre_2"]
    assert told == ["theatre_2"]
    with filled.begin() as connection:
        assert versions_found(connection) == {"statewright": ENGINE.version, "theatre": 2}
        after = schema_of(connection)
        # Every table, index and trigger is still there, and only what was to change has changed.
        changed = {name for name, words in before.items() if after.get(name) != words}
        assert changed <= {"hall", "ck_hall_state"}
        assert len(changed) == 1
        assert "WHERE" in after["ix_hall_reopen_at"]
        now = contents(connection)
        assert {**now, "hall": []} == {**rows, "hall": []}
        assert len(now["hall"]) == len(rows["hall"]) == 4
        states = connection.execute(text("SELECT state FROM hall ORDER BY id")).scalars().all()
        assert states == ["running", "running", "running", "renovated"]
        refusing(connection, "UPDATE hall SET state = 'haunted'")
        refusing(connection, "DELETE FROM hall WHERE name = 'Globe'")
        refusing(connection, "DELETE FROM transition")
        refusing(connection, "UPDATE hall SET name = 'haunted', state = 'closed'")


def test_an_upgraded_table_is_in_the_words_of_a_new_one(engine: Engine, revise: Revise) -> None:
    line = revise(FIRST, RENOVATION.replace("hall", "stage"))
    with engine.begin() as connection:
        upgrade(connection, [ENGINE], name="x")
        stage(StageChart).create_all(connection)
        connection.execute(text("INSERT INTO alembic_version VALUES ('theatre_1')"))
        assert upgrade(connection, [ENGINE, line], name="x") == ["theatre_2"]
        upgraded = schema_of(connection)
    expected = dialects.of(engine).expected_schema(engine, [stage(RenovatedChart, reopens=True)])
    assert {name: upgraded.get(name) for name in expected} == expected


def test_a_state_that_rows_are_in_cannot_be_taken_away(filled: Engine, revise: Revise) -> None:
    line = revise(FIRST, RENOVATION.replace('"closed", ', ""))
    with pytest.raises(StoreError) as why, filled.begin() as connection:
        upgrade(connection, [ENGINE, line], name="x")
    assert str(why.value) == 'cannot change the states of hall: a row is in the state "closed"; move it first'


def test_an_upgrade_that_fails_in_the_middle_leaves_the_database_as_it_was(filled: Engine, revise: Revise) -> None:
    broken = 'revision = "theatre_3"\ndown_revision = "theatre_2"\n'
    broken += 'from alembic import op\ndef upgrade():\n    op.execute("DROP TABLE ticket_seat")\n    1 / 0\n'
    line = revise(FIRST, RENOVATION, broken)
    with filled.connect() as connection:
        before = schema_of(connection), contents(connection)
    told: list[str] = []
    with pytest.raises(ZeroDivisionError), filled.begin() as connection:
        upgrade(connection, [ENGINE, line], name="x", tell=told.append)
    assert told == ["theatre_2"]
    with filled.connect() as connection:
        assert (schema_of(connection), contents(connection)) == before
        assert "alembic_version" not in inspect(connection).get_table_names()
        refusing(connection, "UPDATE hall SET state = 'renovated'")


def test_of_two_upgrades_at_once_one_works_and_the_other_finds_nothing_to_do(
    filled: Engine, revise: Revise
) -> None:
    line, began, go_on, done = revise(FIRST, RENOVATION), threading.Event(), threading.Event(), []

    def wait(_revision: str) -> None:
        began.set()
        assert go_on.wait(20)

    def run(tell: Callable[[str], None]) -> None:
        with filled.begin() as connection:
            done.append(upgrade(connection, [ENGINE, line], name="x", tell=tell))

    first = threading.Thread(target=run, args=(wait,))
    first.start()
    assert began.wait(20)
    second = threading.Thread(target=run, args=(lambda _revision: None,))
    second.start()
    go_on.set()
    first.join(30)
    second.join(30)
    assert done == [["theatre_2"], []]


def test_tables_of_a_newer_program_are_left_alone(filled: Engine) -> None:
    with pytest.raises(SchemaVersionError) as why, filled.begin() as connection:
        upgrade(connection, [ENGINE, Line("theatre", 0)], name="x")
    assert str(why.value) == (
        'cannot upgrade the database "x": its theatre tables are of version 1, this program expects 0; '
        "install the newer program"
    )


def test_an_application_without_migrations_has_no_way_to_upgrade(filled: Engine) -> None:
    with pytest.raises(StoreError, match="theatre comes with no migrations"), filled.begin() as connection:
        upgrade(connection, [ENGINE, Line("theatre", 2)], name="x")


def test_the_database_of_another_application_is_not_upgraded(filled: Engine, revise: Revise) -> None:
    with pytest.raises(SchemaVersionError, match="it holds no tables of circus"), filled.begin() as connection:
        upgrade(connection, [ENGINE, Line("circus", 1)], name="x")


def test_a_row_in_no_state_of_the_chart_is_refused_as_before(filled: Engine) -> None:
    with pytest.raises(IntegrityError), filled.begin() as connection:
        connection.execute(text("UPDATE hall SET state = 'renovated'"))


def test_alembic_is_loaded_only_for_an_upgrade() -> None:
    look = "import sys, statewright.store, statewright.migrations; print('alembic' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert found.stdout == "False\n"
