"""Fixtures for users' tests: a clock, a temporary store and a subscriber that remembers.

Everything is imported when a fixture is first asked for: pytest loads this before it measures coverage.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from statewright.store import Schema, Store
    from statewright.testing import ManualClock, Recorder


@pytest.fixture
def statewright_clock() -> ManualClock:
    """A clock that stands at the beginning of 2026 until the test advances it."""
    from statewright.testing import ManualClock

    return ManualClock()


@pytest.fixture
def statewright_store(statewright_clock: ManualClock) -> Iterator[Callable[[Schema], Store]]:
    """Makes temporary stores, `statewright_store(SCHEMA)`, all of them by `statewright_clock`."""
    from statewright.testing import temporary_store

    with ExitStack() as opened:
        yield lambda schema: opened.enter_context(temporary_store(schema, clock=statewright_clock))


@pytest.fixture
def statewright_recorder() -> Recorder:
    """A subscriber that remembers what it was told."""
    from statewright.testing import Recorder

    return Recorder()
