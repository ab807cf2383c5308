"""A log that was written by the first release is kept whole by an upgrade, and is kept by month on a server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, insert, select, text
from sqlalchemy.exc import DBAPIError
from tests.statewright.halls import metadata
from tests.statewright.months import MONTHS

from statewright import dialects, keys
from statewright.migrations import ENGINE, Line, upgrade
from statewright.tables import metadata as engine_tables
from statewright.tables import transition
from statewright.testing import BEGINNING

FIRST = Line("statewright", 1, "statewright.migrations")
APPEND_ONLY = "the transition log is append-only"


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    """A database with the engine's tables as they were first released, and a theatre's."""
    database, parsed = dialects.named_by(url)
    engine = database.open_engine(parsed, create=True, synchronous="NORMAL", busy_timeout=20)
    engine = engine.execution_options(writing=True)
    with engine.begin() as connection:
        upgrade(connection, [FIRST], name="x")
        metadata.create_all(connection)
    yield engine
    engine.dispose()


@pytest.fixture
def filled(engine: Engine) -> Engine:
    """Two halls closed by one call with a key, a seat released thereby, and a third hall closed by another."""
    shared: dict[str, Any] = {
        "workflow": "hall",
        "event": "close",
        "source": "running",
        "target": "closed",
        "actor": "ana",
    }
    shared |= {"cause": None, "due_at": None, "reason": None, "chart": "x", "payload": None, "at": BEGINNING}
    rows: list[dict[str, Any]] = [
        {**shared, "batch": 7, "row_id": 1, "key": "k", "payload": '{"days": 3}'},
        {**shared, "batch": 7, "row_id": 2, "key": None},
        {**shared, "batch": 7, "row_id": 5, "key": None, "workflow": "seat", "event": "release", "cause": 1},
        {**shared, "batch": 8, "row_id": 3, "key": "other"},
        {**shared, "batch": 9, "row_id": 4, "key": None},
    ]
    with engine.begin() as connection:
        connection.execute(insert(transition), rows)
    return engine


def log_of(connection: Connection) -> list[object]:
    return [tuple(row) for row in connection.execute(select(transition).order_by(transition.c.id))]


def test_a_filled_log_keeps_its_rows_their_numbers_and_its_guards(filled: Engine) -> None:
    with filled.begin() as connection:
        before = log_of(connection)
        upgrade(connection, [ENGINE], name="x")
        assert log_of(connection) == before
        assert len(before) == 5
        for refused in ("DELETE FROM transition", "UPDATE transition SET actor = 'nobody'"):
            with pytest.raises(DBAPIError, match=APPEND_ONLY), connection.begin_nested():
                connection.execute(text(refused))
        row = dict.fromkeys(("workflow", "event", "target", "actor", "chart"), "x")
        added = insert(transition).values({**row, "batch": 1, "row_id": 1, "at": BEGINNING})
        assert connection.execute(added).inserted_primary_key[0] == 6  # type: ignore[index]


def test_keys_that_were_used_stay_used(filled: Engine) -> None:
    with filled.begin() as connection:
        upgrade(connection, [ENGINE], name="x")
        assert keys.recall(connection, "k") == ("k", "hall", "close", 1, '{"days": 3}', 7, 2)
        assert keys.recall(connection, "other") == ("other", "hall", "close", 3, None, 8, 1)
        assert keys.recall(connection, "new") is None


def test_an_upgraded_log_is_as_a_new_one(filled: Engine) -> None:
    assert differences_after_an_upgrade(filled) == {}


def test_an_upgraded_log_without_rows_is_as_a_new_one(engine: Engine) -> None:
    assert differences_after_an_upgrade(engine) == {}


@pytest.mark.parametrize("server", ["postgresql"], indirect=True)
def test_on_a_server_the_old_log_is_the_first_part_and_the_coming_months_are_there(filled: Engine) -> None:
    with filled.begin() as connection:
        upgrade(connection, [ENGINE], name="x")
        default, first, *coming = connection.execute(MONTHS).all()
        assert tuple(default) == ("transition_default", "DEFAULT")
        assert tuple(first) == ("transition_2026_01", "FOR VALUES FROM (MINVALUE) TO ('2026-02-01 00:00:00+00')")
        assert coming[0].bounds.startswith("FOR VALUES FROM ('2026-02-01 00:00:00+00')")
        assert len(coming) == 3
        assert connection.execute(text("SELECT count(*) FROM transition_2026_01")).scalar_one() == 5
        with pytest.raises(DBAPIError, match=APPEND_ONLY), connection.begin_nested():
            connection.execute(text("TRUNCATE transition_2026_01"))


@pytest.mark.parametrize("server", ["postgresql"], indirect=True)
def test_on_a_server_an_empty_log_leaves_no_old_part(engine: Engine) -> None:
    with engine.begin() as connection:
        upgrade(connection, [ENGINE], name="x")
        assert next(part.name for part in connection.execute(MONTHS)) == "transition_default"
        assert "transition_until_now" not in dialects.of(connection).schema_of(connection)


def differences_after_an_upgrade(engine: Engine) -> dict[str, object]:
    with engine.begin() as connection:
        upgrade(connection, [ENGINE], name="x")
    with engine.connect() as connection:
        found = dialects.of(connection).schema_of(connection)
    assert "uq_transition_key" not in found
    expected = dialects.of(engine).expected_schema(engine, [engine_tables])
    return {name: (words, found.get(name)) for name, words in expected.items() if found.get(name) != words}
