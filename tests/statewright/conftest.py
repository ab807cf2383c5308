"""A theatre for every test: an empty one, and a clock that stands still."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.statewright.halls import SCHEMA

from statewright.store import Store
from statewright.testing import ManualClock, temporary_store


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(params=["sqlite", "postgresql"])
def theatre(clock: ManualClock, request: pytest.FixtureRequest) -> Iterator[Store]:
    server = request.getfixturevalue("postgres") if request.param == "postgresql" else None
    with temporary_store(SCHEMA, clock=clock, server=server) as store:
        yield store


@pytest.fixture
def theatre_in_a_file(clock: ManualClock) -> Iterator[Store]:
    """For what only SQLite does."""
    with temporary_store(SCHEMA, clock=clock) as store:
        yield store
