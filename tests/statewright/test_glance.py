"""One row, wherever it moves: it is written as it was seen, and told as it was written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, Text, func, insert, select
from statemachine import State
from tests.statewright.halls import add_halls, add_seats, days, halls, seats
from tests.statewright.test_plan import counting

from statewright.chart import Chart
from statewright.log import entries
from statewright.plan import Finish
from statewright.session import StoreSession
from statewright.statement import Statement
from statewright.store import Schema, Store
from statewright.testing import temporary_store
from statewright.transition import fire, force, start
from statewright.workflow import Assign, Cascade, Guard, Link, Workflow
from statewright.workflows import Workflows


class RopeChart(Chart):
    slack = State(initial=True)
    taut = State()

    pull = slack.to(taut)
    loosen = taut.to(slack)


class BellChart(Chart):
    still = State(initial=True)
    soft = State()
    loud = State()

    swing = still.to(loud, cond="heavy") | still.to(soft)
    rest = soft.to(still) | loud.to(still)


tables = MetaData()
rope = Table("rope", tables, Column("id", Integer, primary_key=True), Column("state", Text, nullable=False))
bell = Table(
    "bell",
    tables,
    Column("id", Integer, primary_key=True),
    Column("weight", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("strokes", Integer, nullable=False),
    Column("heard", Text),
)
knot = Table("knot", tables, Column("rope_id", Integer), Column("bell_id", Integer))
ropes = Workflow(
    rope, RopeChart, cascades=[Cascade("bell", "swing", along=Link(knot.c.rope_id, knot.c.bell_id), on={"pull"})]
)
bells = Workflow(
    bell,
    BellChart,
    guards=[Guard("heavy", bell.c.weight > 100, "it is too light")],
    assigns=[
        Assign(bell.c.strokes, bell.c.strokes + 1, on={"swing"}),
        Assign(bell.c.heard, "in the yard", entering={"soft"}),
        Assign(bell.c.heard, func.lower("IN TOWN"), entering={"loud"}),
        Assign(bell.c.heard, None, entering={"still"}),
    ],
)
TOWER = Workflows(ropes, bells)


@pytest.fixture
def tower(server: str | None) -> Iterator[StoreSession]:
    """A rope, a light bell and a heavy one."""
    with temporary_store(Schema("tower", 1, tables), server=server) as store:
        with store.transaction() as session:
            put = session.connection().execute
            put(insert(rope), [{"state": "slack"}])
            put(insert(bell), [{"weight": weight, "state": "still", "strokes": 0} for weight in (50, 500)])
            for workflow, rows in ((ropes, 1), (bells, 2)):
                for row in range(1, rows + 1):
                    start(session, workflow, row, actor="ana")
        with store.transaction() as session:
            yield session


def kept(session: StoreSession, workflow: Workflow, row_id: int) -> tuple[Any, ...]:
    """A row in the database's own words."""
    found = session.driver.run(Statement(select(workflow.table).where(workflow.id == row_id)), {}).fetchone()
    return tuple(found)


@pytest.mark.parametrize(
    ("row", "told"), [(1, (1, 50, "soft", 1, "in the yard")), (2, (2, 500, "loud", 1, "in town"))]
)
def test_a_row_is_told_as_its_move_left_it(tower, row, told):
    moved = fire(tower, bells, "swing", row, actor="ana")
    assert tuple(moved.left) == told == kept(tower, bells, row)


def test_so_is_one_whose_move_writes_nothing_but_its_state(tower):
    moved = fire(tower, ropes, "pull", 1, actor="ana")
    assert tuple(moved.left) == (1, "taut") == kept(tower, ropes, 1)


def test_so_is_one_that_is_forced(tower):
    moved = force(tower, bells, 2, "soft", actor="ana", reason="a festival")
    assert tuple(moved.left) == (2, 500, "soft", 0, "in the yard") == kept(tower, bells, 2)


def test_so_is_one_with_instants_and_arguments(theatre: Store):
    with theatre.transaction() as session:
        (hall,) = add_halls(session, {"ends_at": days(30)})
        given = {"days": 7, "note": "more", "gratis": True, "since": days(1)}
        moved = fire(session, halls, "prolong", hall, actor="ana", arguments=given)
        assert tuple(moved.left) == kept(session, halls, hall)


def test_a_neighbour_that_is_reached_twice_moves_once(tower):
    tower.connection().execute(insert(knot), [{"rope_id": 1, "bell_id": 2}] * 2)
    moved = fire(tower, ropes, "pull", 1, actor="ana")
    assert moved.cascaded == {("bell", "swing"): 1}
    assert kept(tower, bells, 2) == (2, 500, "loud", 1, "in town")


def test_neighbours_of_which_one_may_move_and_one_may_not(tower):
    tower.connection().execute(insert(knot), [{"rope_id": 1, "bell_id": each} for each in (1, 2)])
    fire(tower, bells, "swing", 1, actor="ana")
    moved = fire(tower, ropes, "pull", 1, actor="ana")
    assert moved.cascaded == {("bell", "swing"): 1}
    assert kept(tower, bells, 1) == (1, 50, "soft", 1, "in the yard")
    assert kept(tower, bells, 2) == (2, 500, "loud", 1, "in town")


def test_several_neighbours_take_as_many_statements_as_many(tower):
    put = tower.connection().execute
    taken = []
    for number in (2, 200):
        put(insert(bell), [{"weight": 50, "state": "still", "strokes": 0} for _ in range(number)])
        new = [row for (row,) in put(select(bell.c.id).order_by(bell.c.id.desc()).limit(number))]
        put(insert(knot), [{"rope_id": 1, "bell_id": row} for row in new])
        with counting(tower) as statements:
            moved = fire(tower, ropes, "pull", 1, actor="ana")
        assert moved.cascaded == {("bell", "swing"): number}
        fire(tower, ropes, "loosen", 1, actor="ana")
        taken.append(len(statements))
    assert taken[0] == taken[1]


def test_what_moved_is_in_the_log_with_what_led_to_it(tower):
    tower.connection().execute(insert(knot), [{"rope_id": 1, "bell_id": 2}])
    moved = fire(tower, ropes, "pull", 1, actor="ana", reason="noon")
    pulled, swung = entries(tower)[-2:]
    assert (pulled.workflow, pulled.source, pulled.target, pulled.reason) == ("rope", "slack", "taut", "noon")
    assert (swung.workflow, swung.source, swung.target, swung.reason) == ("bell", "still", "loud", None)
    assert (swung.cause, swung.batch, swung.at, swung.actor) == (pulled.id, moved.batch, pulled.at, "ana")


@pytest.mark.parametrize(("label", "done"), [("A1", True), ("A2", False)])
def test_it_is_told_whether_anything_is_left_to_do(theatre: Store, label: str, done: bool) -> None:
    finish = Finish(seats.table.c.label == "A1")
    with theatre.transaction() as session:
        (hall,) = add_halls(session, {})
        (seat,) = add_seats(session, hall, label)
    with theatre.transaction(whole=True) as session:
        moved = fire(session, seats, "smash", seat, actor="ana", held=True, finish=finish)
        assert (moved.rows, moved.done) == (1, done)
