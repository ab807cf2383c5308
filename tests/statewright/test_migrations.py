"""Tables of an older version become those of this one: all of it or nothing, with every row, on both databases."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.schema import CreateTable
from sqlmodel import Session
from tests.statewright.conftest import Revise
from tests.statewright.halls import SCHEMA, add_halls, add_seats, halls, insert_rows, metadata

from statewright import dialects
from statewright.errors import SchemaVersionError, StoreError
from statewright.migrations import ENGINE, Line, Step, upgrade, versions_found
from statewright.store import Store
from statewright.tables import metadata as engine_tables
from statewright.testing import ManualClock

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


COMPARISON = """
from statewright.migrations import compare_states

revision = "theatre_2"
down_revision = "theatre_1"

def upgrade():
    compare_states("hall")
"""


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


@pytest.fixture
def released(engine: Engine) -> Engine:
    """A theatre as the first release made it, with two halls."""
    with engine.begin() as connection:
        upgrade(connection, [Line("statewright", 1, ENGINE.package)], name="x")
        metadata.create_all(connection)
        insert_rows(Session(connection), halls, [{"name": "Globe"}, {"name": "Rose", "state": "closed"}])
        connection.execute(text("DROP TABLE alembic_version"))
        connection.execute(text("INSERT INTO schema_version VALUES ('statewright', 1), ('theatre', 1)"))
    return engine


def revisions(steps: list[Step]) -> list[str]:
    return [step.revision for step in steps]


def engine_revisions(first: int) -> list[str]:
    """Those of the engine from this one to today's."""
    return [f"statewright_{number}" for number in range(first, ENGINE.version + 1)]


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


def test_the_revisions_make_the_tables_that_a_new_database_has(engine: Engine) -> None:
    with engine.begin() as connection:
        assert revisions(upgrade(connection, [ENGINE], name="x")) == engine_revisions(1)
    with engine.connect() as connection:
        assert schema_of(connection) == dialects.of(engine).expected_schema(engine, [engine_tables])
        assert versions_found(connection) == {"statewright": ENGINE.version}


def test_a_database_of_the_first_release_is_of_version_1_and_comes_to_todays(released: Engine) -> None:
    theatre = Line("theatre", 1)
    with released.begin() as connection:
        assert versions_found(connection) == {"statewright": 1, "theatre": 1}
        assert revisions(upgrade(connection, [ENGINE, theatre], name="x")) == engine_revisions(2)
        assert versions_found(connection) == {"statewright": ENGINE.version, "theatre": 1}
        assert "schema_version" not in inspect(connection).get_table_names()
        assert connection.execute(text("SELECT name FROM hall ORDER BY id")).scalars().all() == ["Globe", "Rose"]
        assert upgrade(connection, [ENGINE, theatre], name="x") == []


def test_the_table_of_another_programs_alembic_is_left_alone(released: Engine) -> None:
    with released.begin() as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"))
        connection.execute(text("INSERT INTO alembic_version VALUES ('ae1027a6acf')"))
    with released.connect() as connection:
        assert versions_found(connection) == {"statewright": 1, "theatre": 1}
    with pytest.raises(StoreError) as why, released.begin() as connection:
        upgrade(connection, [ENGINE, Line("theatre", 1)], name="x")
    assert str(why.value) == (
        'cannot upgrade the database "x": its table alembic_version is another program\'s; '
        "give that another name, which Alembic calls `version_table`"
    )


def test_a_chart_with_a_new_state_and_a_new_deadline_keeps_its_rows(filled: Engine, revise: Revise) -> None:
    line = revise("theatre", FIRST, RENOVATION)
    told: list[Step] = []
    with filled.begin() as connection:
        before, rows = schema_of(connection), contents(connection)
        assert revisions(upgrade(connection, [ENGINE, line], name="x", tell=told.append)) == ["theatre_2"]
    assert told == [Step("theatre_2", "A hall may be closed for renovation, and is due to be opened again.")]
    with filled.begin() as connection:
        assert versions_found(connection) == {"statewright": ENGINE.version, "theatre": 2}
        after = schema_of(connection)
        # Every table, index and trigger is still there, and only what was to change has changed.
        changed = {name for name, words in before.items() if after.get(name) != words}
        assert changed <= {"hall", "ck_hall_state"}
        assert len(changed) == 1
        assert "WHERE" in after["ix_hall_reopen_at"]
        now = contents(connection)
        changed_rows: dict[str, list[Any]] = {"hall": [], "alembic_version": []}
        assert {**now, **changed_rows} == {**rows, **changed_rows}
        assert len(now["hall"]) == len(rows["hall"]) == 4
        states = connection.execute(text("SELECT state FROM hall ORDER BY id")).scalars().all()
        assert states == ["running", "running", "running", "renovated"]
        refusing(connection, "UPDATE hall SET state = 'haunted'")
        refusing(connection, "DELETE FROM hall WHERE name = 'Globe'")
        refusing(connection, "DELETE FROM transition")
        refusing(connection, "UPDATE hall SET name = 'haunted', state = 'closed'")


def test_a_state_that_rows_are_in_cannot_be_taken_away(filled: Engine, revise: Revise) -> None:
    line = revise("theatre", FIRST, RENOVATION.replace('"closed", ', ""))
    with pytest.raises(StoreError) as why, filled.begin() as connection:
        upgrade(connection, [ENGINE, line], name="x")
    assert str(why.value) == 'cannot change the states of hall: a row is in the state "closed"; move it first'


def test_the_states_of_an_older_table_are_told_as_those_of_a_new_one(engine: Engine, revise: Revise) -> None:
    with engine.begin() as connection:
        words = str(CreateTable(halls.table).compile(connection))
        once = re.sub(
            r"CHECK \(\(state = (.*)\)\)", lambda states: f"CHECK (state IN ({one_list(states[1])}))", words
        )
        assert "CHECK (state IN ('" in once
        connection.execute(text(once))
        insert_rows(Session(connection), halls, [{"name": "Globe"}])
        upgrade(connection, [ENGINE, revise("theatre", FIRST, COMPARISON)], name="x")
    with engine.begin() as connection:
        expected = dialects.of(engine).expected_schema(engine, [metadata])
        told = {name: expected[name] for name in ("hall", "ck_hall_state") if name in expected}
        assert told.items() <= schema_of(connection).items()
        connection.execute(text("UPDATE hall SET state = 'closed'"))
        refusing(connection, "UPDATE hall SET state = 'haunted'")


def one_list(comparisons: str) -> str:
    """The values to which a state is compared, as an IN tells them."""
    return ", ".join(re.findall(r"'\w+'", comparisons))


def test_an_upgrade_that_fails_in_the_middle_leaves_the_database_as_it_was(filled: Engine, revise: Revise) -> None:
    broken = 'revision = "theatre_3"\ndown_revision = "theatre_2"\n'
    broken += 'from alembic import op\ndef upgrade():\n    op.execute("DROP TABLE ticket_seat")\n    1 / 0\n'
    line = revise("theatre", FIRST, RENOVATION, broken)
    with filled.connect() as connection:
        before = schema_of(connection), contents(connection)
    told: list[Step] = []
    with pytest.raises(ZeroDivisionError), filled.begin() as connection:
        upgrade(connection, [ENGINE, line], name="x", tell=told.append)
    assert revisions(told) == ["theatre_2", "theatre_3"]
    with filled.connect() as connection:
        assert (schema_of(connection), contents(connection)) == before
        refusing(connection, "UPDATE hall SET state = 'renovated'")


def test_of_two_upgrades_at_once_one_works_and_the_other_finds_nothing_to_do(
    filled: Engine, revise: Revise
) -> None:
    line, began, go_on, done = revise("theatre", FIRST, RENOVATION), threading.Event(), threading.Event(), []

    def wait(_step: Step) -> None:
        began.set()
        assert go_on.wait(20)

    def run(tell: Callable[[Step], None]) -> None:
        with filled.begin() as connection:
            done.append(revisions(upgrade(connection, [ENGINE, line], name="x", tell=tell)))

    first = threading.Thread(target=run, args=(wait,))
    first.start()
    assert began.wait(20)
    second = threading.Thread(target=run, args=(lambda _step: None,))
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
