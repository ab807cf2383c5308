"""Whom a move would move is asked together with it; what was learned of rows is forgotten when they move."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Column, MetaData, Table, Text, insert, select, update
from statemachine import State
from tests.statewright.test_plan import counting

from statewright.chart import Chart
from statewright.dialects import Identifier
from statewright.plan import for_row
from statewright.session import StoreSession
from statewright.store import Schema
from statewright.testing import temporary_store
from statewright.transition import Moved, fire, start
from statewright.workflow import Assign, Cascade, Link, Workflow
from statewright.workflows import Workflows


class DoorChart(Chart):
    shut = State(initial=True)
    ajar = State(final=True)

    open = shut.to(ajar)


class LampChart(Chart):
    off = State(initial=True)
    dim = State()
    bright = State(final=True)

    wake = off.to(dim)
    brighten = dim.to(bright)


metadata = MetaData()
door = Table(
    "door",
    metadata,
    Column("id", Identifier, primary_key=True),
    Column("state", Text, nullable=False),
    Column("lamp_id", Identifier),
    Column("spare_id", Identifier),
)
lamp = Table(
    "lamp",
    metadata,
    Column("id", Identifier, primary_key=True),
    Column("state", Text, nullable=False),
    Column("door_id", Identifier),
)
doors = Workflow(
    door,
    DoorChart,
    assigns=[Assign(door.c.lamp_id, door.c.spare_id, on={"open"})],
    cascades=[
        Cascade("lamp", "wake", along=Link(lamp.c.door_id, lamp.c.id), on={"open"}),
        Cascade("lamp", "brighten", along=Link(lamp.c.door_id, lamp.c.id), on={"open"}),
        Cascade("lamp", "brighten", along=Link(door.c.id, door.c.lamp_id), on={"open"}),
    ],
)
gate = Table("gate", metadata, Column("id", Identifier, primary_key=True), Column("state", Text, nullable=False))
gates = Workflow(
    gate, DoorChart, cascades=[Cascade("lamp", "wake", along=Link(lamp.c.door_id, lamp.c.id), on={"open"})]
)
lamps = Workflow(lamp, LampChart)
HOUSE = Workflows(doors, gates, lamps)


@pytest.fixture
def house(server: str | None) -> Iterator[StoreSession]:
    """Two lamps are off, one is dim; no door yet."""
    with temporary_store(Schema("house", 1, metadata), server=server) as store:
        with store.transaction() as session:
            for state in ("off", "off", "dim"):
                new = insert(lamp).values(state="off").returning(lamp.c.id)
                start(session, lamps, session.connection().execute(new).scalar_one(), actor="ana", target=state)
        with store.transaction(whole=True) as session:
            yield session


def begun(session: StoreSession, workflow: Workflow, *, lamps_by_it: tuple[int, ...] = (), **columns: int) -> int:
    """A door or gate that has these lamps."""
    new = insert(workflow.table).values(state="shut", **columns).returning(workflow.id)
    number: int = session.connection().execute(new).scalar_one()
    session.connection().execute(update(lamp).where(lamp.c.id.in_(lamps_by_it)).values(door_id=number))
    start(session, workflow, number, actor="ana")
    return number


def opened(session: StoreSession, **how: Any) -> Moved:
    """What happens as a new door opens."""
    return fire(session, doors, "open", begun(session, doors, **how), actor="ana")


def lit(session: StoreSession) -> list[str]:
    return [*session.connection().execute(select(lamp.c.state).order_by(lamp.c.id)).scalars()]


def test_what_one_cascade_has_moved_the_next_may_move_on(house: StoreSession) -> None:
    moved = opened(house, lamps_by_it=(1,))
    assert moved.cascaded == {("lamp", "wake"): 1, ("lamp", "brighten"): 1}
    assert lit(house) == ["bright", "off", "dim"]


def test_each_cascade_moves_those_that_it_may(house: StoreSession) -> None:
    moved = opened(house, lamps_by_it=(2, 3))
    assert moved.cascaded == {("lamp", "wake"): 1, ("lamp", "brighten"): 2}
    assert lit(house) == ["off", "bright", "bright"]


def test_a_link_that_is_written_by_the_move_leads_where_it_leads_afterwards(house: StoreSession) -> None:
    moved = opened(house, lamp_id=1, spare_id=3)
    assert moved.cascaded == {("lamp", "brighten"): 1}
    assert lit(house) == ["off", "off", "bright"]


def test_a_cascade_that_would_move_nobody_takes_no_statement(house: StoreSession) -> None:
    begun(house, gates, lamps_by_it=(3,))
    with counting(house) as statements:
        assert fire(house, gates, "open", 1, actor="ana").cascaded == {}
    words = [statement.split()[0] for statement in statements]
    # On a server, the lamps are locked before the gate.
    assert words == (["SELECT", "WITH"] if house.driver.database.LOCKS_ROWS else ["SELECT", "INSERT", "UPDATE"])


def test_a_server_locks_all_that_may_move_whichever_way_leads_there() -> None:
    """Along two links, one event comes to different rows."""
    locked = {str(lock.clause) for lock in for_row(doors, "open").ahead}
    assert sum("lamp.door_id" in words for words in locked) == 1
    assert sum("door.lamp_id" in words for words in locked) == 1
