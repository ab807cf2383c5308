"""The portfolio's first released tables, made by its first revision, are what a new portfolio has."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from sparkads.tables import SCHEMA
from sparkads.workflows import WORKFLOWS
from statewright import dialects
from statewright.migrations import ENGINE, Line, upgrade
from statewright.tables import metadata


@pytest.fixture
def empty(empty_url: str) -> Iterator[Engine]:
    database, parsed = dialects.named_by(empty_url)
    engine = database.open_engine(parsed, create=True, synchronous="NORMAL", busy_timeout=5)
    yield engine.execution_options(writing=True)
    engine.dispose()


def test_a_portfolio_made_step_by_step_is_like_a_new_one(empty: Engine) -> None:
    assert WORKFLOWS, "the charts add their checks to the tables"
    line = Line(SCHEMA.name, SCHEMA.version, SCHEMA.migrations)
    with empty.begin() as connection:
        taken = [step.revision for step in upgrade(connection, [ENGINE, line], name="x")]
        assert taken == [
            *(f"statewright_{number}" for number in range(1, ENGINE.version + 1)),
            *(f"sparkads_{number}" for number in range(1, line.version + 1)),
        ]
    with empty.connect() as connection:
        found = dialects.of(connection).schema_of(connection)
    assert found == dialects.of(empty).expected_schema(empty, [metadata, SCHEMA.tables])


def test_a_portfolio_is_opened_without_loading_alembic(tmp_path: Path) -> None:
    look = (
        "import sys; from sparkads import SparkAds; SparkAds('sqlite:///portfolio.db').close(); "
        "SparkAds('sqlite:///portfolio.db').close(); print('alembic' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert found.stdout == "False\n"
