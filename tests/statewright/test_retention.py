"""A daemon archives nothing by itself, unless it is set to; then what has been over for long, once a day."""

from __future__ import annotations

import logging
from datetime import timedelta
from pathlib import Path

import pytest
from tests.statewright.halls import THEATRE, add_halls, days, halls

from statewright.daemon import Daemon
from statewright.errors import ArchiveError, DefinitionError
from statewright.log import elsewhere, history
from statewright.retention import Retention
from statewright.step import tick
from statewright.store import Store
from statewright.testing import ManualClock
from statewright.transition import fire


@pytest.fixture
def told(theatre: Store, clock: ManualClock) -> Store:
    """Two halls, the first of which is gone on the second day, the other on the third."""
    with theatre.transaction() as session:
        add_halls(session, {}, {})
        for hall in (1, 2):
            clock.advance(days=1)
            fire(session, halls, "remove", hall, actor="ana")
    return theatre


def moves_left(store: Store) -> list[int]:
    with store.reading() as session:
        return [len(history(session, "hall", hall)) for hall in (1, 2)]


def test_nothing_is_archived_unless_it_is_set(told: Store, clock: ManualClock) -> None:
    clock.set(days(3_000))
    tick(told, THEATRE, pause=0)
    assert moves_left(told) == [2, 2]


def test_a_daemon_archives_what_has_been_over_for_so_long_once_a_day(
    told: Store, clock: ManualClock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "statewright")
    daemon = Daemon(told, THEATRE, pause=0, retention=Retention(timedelta(days=30), tmp_path))
    found = []
    for hour in range(0, 72, 8):
        clock.set(days(30.5 + hour / 24))
        daemon.tick()
        found.append(moves_left(told))
    # It tries at the first tick of a day: of the first one in vain, then there is one more life each day.
    assert found == [[2, 2]] * 2 + [[0, 2]] * 3 + [[0, 0]] * 4
    first, second = (record.message for record in caplog.records if record.message.startswith("archived"))
    assert first == f"archived 2 moves into {tmp_path}/{min(tmp_path.iterdir()).name}"
    assert first != second
    with told.reading() as session:
        assert elsewhere(session, "hall", 1)[0].actor == "daemon"


def test_a_folder_that_is_not_there_is_said_once_a_day_and_the_daemon_goes_on(
    told: Store, clock: ManualClock, tmp_path: Path
) -> None:
    retention = Retention(timedelta(days=30), tmp_path / "attic")
    clock.set(days(60))
    with pytest.raises(ArchiveError, match="there is no such folder"):
        tick(told, THEATRE, pause=0, retention=retention)
    assert tick(told, THEATRE, pause=0, retention=retention).idle
    clock.advance(days=1)
    (tmp_path / "attic").mkdir()
    tick(told, THEATRE, pause=0, retention=retention)
    assert moves_left(told) == [0, 0]


def test_to_archive_at_once_cannot_be_set(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match="expected a time after the end of a life, got 0:00:00"):
        Retention(timedelta(), tmp_path)
