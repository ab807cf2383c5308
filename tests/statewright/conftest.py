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


@pytest.fixture
def theatre(clock: ManualClock) -> Iterator[Store]:
    with temporary_store(SCHEMA, clock=clock) as store:
        yield store
