"""The portfolio's first released tables, made by its first revision, are what a new portfolio has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from sqlalchemy import Engine

from sparkads.tables import SCHEMA
from sparkads.workflows import WORKFLOWS
from statewright import dialects
from statewright.migrations import ENGINE, Line, upgrade
from statewright.tables import metadata
from statewright.testing import temporary_database


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    on_a_server = request.param == "postgresql"
    with (
        temporary_database(request.getfixturevalue("postgres"))
        if on_a_server
        else nullcontext(f"sqlite:///{tmp_path}/portfolio.db")
    ) as url:
        database, parsed = dialects.named_by(url)
        engine = database.open_engine(parsed, create=True, synchronous="NORMAL", busy_timeout=5)
        yield engine.execution_options(writing=True)
        engine.dispose()


def test_a_portfolio_made_step_by_step_is_like_a_new_one(empty: Engine) -> None:
    assert WORKFLOWS, "the charts add their checks to the tables"
    line = Line("sparkads", SCHEMA.version, "sparkads.migrations")
    with empty.begin() as connection:
        assert upgrade(connection, [ENGINE, line], name="x") == ["statewright_1", "sparkads_1", "sparkads_2"]
    with empty.connect() as connection:
        found = dialects.of(connection).schema_of(connection)
    expected = dialects.of(empty).expected_schema(empty, [metadata, SCHEMA.tables])
    assert {name: found.get(name) for name in expected} == expected
    assert found.keys() - expected.keys() <= {
        "alembic_version",
        "alembic_version.version_num",
        "alembic_version_pkc",
    }
