"""A value may be assigned to those rows alone that leave certain states."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Boolean, Column, Integer, MetaData, Table, Text, insert, select
from statemachine import State
from tests.statewright.halls import EVERY
from tests.statewright.test_plan import counting

from statewright.chart import Chart
from statewright.dialects import Instant, days_after
from statewright.session import StoreSession
from statewright.store import Schema
from statewright.testing import temporary_store
from statewright.transition import fire, fire_all, force, start
from statewright.workflow import NOW, Assign, Deadline, Guard, Workflow
from statewright.workflows import Workflows


class LampChart(Chart):
    off = State(initial=True)
    dim = State()
    bright = State(final=True)

    warm = off.to(dim)
    shine = off.to(bright) | dim.to(bright)
    flash = off.to(bright)


tables = MetaData()
lamp = Table(
    "lamp",
    tables,
    Column("id", Integer, primary_key=True),
    Column("state", Text, nullable=False),
    Column("lit", Integer, nullable=False),
    Column("swept", Integer),
)
lamps = Workflow(
    lamp,
    LampChart,
    assigns=[
        Assign(lamp.c.lit, lamp.c.lit + 1, on={"shine"}, leaving={"off"}),
        Assign(lamp.c.swept, None, entering={"bright"}, leaving={"dim"}),
    ],
)
HOUSE = Workflows(lamps)


@contextmanager
def housed(server: str | None) -> Iterator[StoreSession]:
    with temporary_store(Schema("house", 1, tables), server=server) as store, store.transaction() as session:
        session.connection().execute(insert(lamp), [{"state": "off", "lit": 0, "swept": 5}] * 2)
        start(session, lamps, EVERY, actor="ana")
        fire(session, lamps, "warm", 2, actor="ana")
        yield session


@pytest.fixture
def house(server: str | None) -> Iterator[StoreSession]:
    """A lamp that is off, and one that is dim."""
    with housed(server) as session:
        yield session


def all_of_them(session: StoreSession) -> list[tuple[Any, ...]]:
    return [(*row,) for row in session.connection().execute(select(lamp).order_by(lamp.c.id))]


def test_a_call_assigns_it_to_a_row_that_leaves_one_of_them(house):
    fire(house, lamps, "shine", 1, actor="ana")
    fire(house, lamps, "shine", 2, actor="ana")
    assert all_of_them(house) == [(1, "bright", 1, 5), (2, "bright", 0, None)]


def test_many_rows_at_once_are_told_apart(house):
    fire_all(house, lamps, "shine", EVERY, actor="ana")
    assert all_of_them(house) == [(1, "bright", 1, 5), (2, "bright", 0, None)]


def test_so_are_rows_that_are_forced(house):
    for row in (1, 2):
        force(house, lamps, row, "bright", actor="ana", reason="the switch is broken")
    assert all_of_them(house) == [(1, "bright", 0, 5), (2, "bright", 0, None)]


def test_a_call_writes_no_column_that_stays_as_it_is():
    """SQLite would write its index anew; a server, told in one statement, sees that nothing changed."""
    with housed(None) as house:
        for row, (assigned, left) in {1: ("lit", "swept"), 2: ("swept", "lit")}.items():
            with counting(house) as statements:
                fire(house, lamps, "shine", row, actor="ana")
            (update,) = (statement for statement in statements if statement.startswith("UPDATE"))
            assert assigned in update
            assert left not in update


def test_many_rows_that_leave_none_of_them_are_not_asked_which_they_leave():
    with housed(None) as house:
        with counting(house) as statements:
            fire_all(house, lamps, "flash", EVERY, actor="ana")
        (update,) = (statement for statement in statements if statement.startswith("UPDATE"))
        assert "swept" not in update


class JobChart(Chart):
    written = State(initial=True)
    wanted = State()
    closed = State(final=True)

    review = written.to(closed, cond="dull") | written.to(wanted)
    expire = wanted.to(closed)


advertisements = MetaData()
job = Table(
    "job",
    advertisements,
    Column("id", Integer, primary_key=True),
    Column("state", Text, nullable=False),
    Column("dull", Boolean, nullable=False),
    Column("expire_at", Instant),
)
jobs = Workflow(
    job,
    JobChart,
    guards=[Guard("dull", job.c.dull, "nobody would want it")],
    assigns=[Assign(job.c.expire_at, days_after(NOW, 30), on={"review"})],
    deadlines=[Deadline("expire", at=job.c.expire_at)],
)
BOARD = Workflows(jobs)


@pytest.mark.parametrize("together", [False, True])
def test_a_deadline_that_an_event_sets_is_set_only_where_it_can_come(server, together):
    with (
        temporary_store(Schema("board", 1, advertisements), server=server) as store,
        store.transaction() as session,
    ):
        session.connection().execute(insert(job), [{"state": "written", "dull": dull} for dull in (True, False)])
        start(session, jobs, EVERY, actor="ana")
        if together:
            fire_all(session, jobs, "review", EVERY, actor="ana")
        else:
            for row in (1, 2):
                fire(session, jobs, "review", row, actor="ana")
        found = session.connection().execute(select(job.c.state, job.c.expire_at).order_by(job.c.id)).all()
        assert [state for state, _ in found] == ["closed", "wanted"]
        assert [at is None for _, at in found] == [True, False]
