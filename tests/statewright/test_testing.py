"""What users' tests are given works as it says."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from tests.statewright.halls import SCHEMA, THEATRE, add_halls, add_seats, halls

import statewright
from statewright.log import entries
from statewright.step import tick
from statewright.store import Store
from statewright.subscriber import deliver
from statewright.testing import BEGINNING, ManualClock, Recorder, replay, states, temporary_store
from statewright.transition import fire

# The clock


def test_a_manual_clock_stands_still() -> None:
    clock = ManualClock()
    assert clock.now() == clock.now() == datetime(2026, 1, 1, tzinfo=UTC)
    assert repr(clock) == "ManualClock(2026-01-01T00:00:00+00:00)"


def test_a_manual_clock_is_advanced_and_set() -> None:
    clock = ManualClock(datetime(2026, 3, 1, 12, tzinfo=timezone(timedelta(hours=2))))
    assert clock.advance(days=1, hours=2, minutes=3, seconds=4.5) == datetime(
        2026, 3, 2, 12, 3, 4, 500_000, tzinfo=UTC
    )
    assert clock.set(datetime(2027, 1, 1, tzinfo=UTC)) == clock.now()
    assert clock.now().tzinfo is UTC


def test_a_manual_clock_goes_back_only_if_one_says_so() -> None:
    clock = ManualClock()
    earlier = BEGINNING - timedelta(days=1)
    for back in (lambda: clock.advance(days=-1), lambda: clock.set(earlier)):
        with pytest.raises(ValueError, match="expected an instant after 2026-01-01T00:00:00") as why:
            back()
        assert "backwards=True turns the clock back" in str(why.value)
    assert clock.set(earlier, backwards=True) == clock.now() == earlier


@pytest.mark.parametrize("use", [ManualClock, lambda instant: ManualClock().set(instant)], ids=["start", "set"])
def test_a_manual_clock_knows_its_zone(use: Callable[[datetime], Any]) -> None:
    with pytest.raises(ValueError, match="expected an instant with a time zone, got 2026-05-01T00:00:00"):
        use(datetime(2026, 5, 1))  # noqa: DTZ001 - the mistake in question


# The store


def test_a_temporary_store_is_a_real_file_and_leaves_nothing() -> None:
    with temporary_store(SCHEMA) as store:
        path = Path(store.name)
        assert path.exists()
        with store.transaction() as session:
            add_halls(session, {})
            assert entries(session)[0].at == BEGINNING
    assert not path.parent.exists()


def test_a_temporary_store_goes_by_the_clock_it_is_given() -> None:
    clock = ManualClock(datetime(2030, 1, 1, tzinfo=UTC))
    with temporary_store(SCHEMA, clock=clock) as store, store.transaction() as session:
        add_halls(session, {})
        assert entries(session)[0].at == clock.now()


# The recorder


def test_a_recorder_remembers_what_it_was_told(theatre: Store, clock: ManualClock) -> None:
    recorder = Recorder()
    with theatre.transaction() as session:
        (hall,) = add_halls(session, {})
        add_seats(session, hall, "A1", state="taken")
    clock.advance(days=3)
    tick(theatre, THEATRE, subscribers=[recorder])
    assert recorder.heard("hall", hall) == ["start", "remind"]
    with theatre.transaction() as session:
        fire(session, halls, "close", hall, actor="ana")
    deliver(theatre, recorder)
    assert recorder.heard("hall", hall) == ["start", "remind", "close"]
    with theatre.reading() as session:
        assert recorder.entries == entries(session)


def test_two_recorders_have_a_place_each(theatre: Store) -> None:
    one, other = Recorder("one"), Recorder("other")
    with theatre.transaction() as session:
        add_halls(session, {})
    deliver(theatre, one)
    assert (len(one.entries), len(other.entries)) == (1, 0)


# The replay


def test_a_replay_gives_the_state_of_every_row(theatre: Store) -> None:
    with theatre.transaction() as session:
        (hall,) = add_halls(session, {})
        add_seats(session, hall, "A1", state="taken")
        fire(session, halls, "close", hall, actor="ana")
        assert replay(entries(session)) == {("hall", 1): "closed", ("seat", 1): "free"}
        assert states(session, THEATRE) == replay(entries(session))


def test_a_replay_sees_where_a_move_is_missing(theatre: Store) -> None:
    with theatre.transaction() as session:
        (hall,) = add_halls(session, {})
        fire(session, halls, "close", hall, actor="ana")
        begun, closed = entries(session)
    with pytest.raises(ValueError, match="log row 2 moves hall 1 from running, but it was None"):
        replay([closed])
    with pytest.raises(ValueError, match="log row 1 moves hall 1 from None, but it was running"):
        replay([begun, begun])


# The plugin

USERS_TEST = """
from tests.statewright.halls import SCHEMA, THEATRE, add_halls
from statewright.step import tick

def test_a_hall_is_reminded(statewright_store, statewright_clock, statewright_recorder):
    store = statewright_store(SCHEMA)
    with store.transaction() as session:
        add_halls(session, {})
    statewright_clock.advance(days=4)
    tick(store, THEATRE, subscribers=[statewright_recorder])
    assert statewright_recorder.heard("hall", 1) == ["start", "remind"]

def test_two_stores_know_nothing_of_each_other(statewright_store):
    assert statewright_store(SCHEMA).name != statewright_store(SCHEMA).name
"""


def python(*arguments: str, folder: Path) -> str:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


def test_users_tests_get_fixtures(tmp_path: Path) -> None:
    (tmp_path / "test_users.py").write_text(USERS_TEST, encoding="utf-8")
    # By its own name, as an installed distribution registers it; blocked first, in case this one is installed.
    options = ["-p", "no:statewright", "-p", "statewright.pytest_plugin", "-p", "no:cacheprovider"]
    assert "2 passed" in python("-m", "pytest", "-q", *options, folder=tmp_path)


def test_the_plugin_imports_nothing_before_it_is_asked(tmp_path: Path) -> None:
    script = (
        "import sys, statewright.pytest_plugin; print([name for name in sys.modules if 'statewright' in name])"
    )
    assert python("-c", script, folder=tmp_path).split() == ["['statewright',", "'statewright.pytest_plugin']"]


# The front door


def test_importing_the_engine_imports_nothing(tmp_path: Path) -> None:
    script = "import sys, statewright; print('sqlalchemy' in sys.modules, 'statemachine' in sys.modules)"
    assert python("-c", script, folder=tmp_path).split() == ["False", "False"]


@pytest.mark.parametrize("name", statewright.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(statewright, name) is not None
    assert name in dir(statewright)


def test_what_is_loaded_later_is_what_the_type_checker_sees() -> None:
    module = ast.parse(Path(statewright.__file__).read_text(encoding="utf-8"))
    typed = {
        alias.name: str(node.module).removeprefix("statewright.")
        for node in ast.walk(module)
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("statewright.")
        for alias in node.names
    }
    assert typed == statewright._HOME_OF
    assert sorted(typed) == sorted(statewright.__all__)


def test_no_public_name_hides_a_module() -> None:
    modules = {path.stem for path in Path(statewright.__file__).parent.glob("*.py")}
    assert modules.isdisjoint(statewright.__all__)


def test_an_unknown_name_is_refused_as_by_any_module() -> None:
    with pytest.raises(AttributeError, match="module 'statewright' has no attribute 'fly'"):
        _ = statewright.fly
