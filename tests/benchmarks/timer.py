"""What the peers of row 11 move, as a workflow of the engine alone: rows with a state and an instant."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import MetaData, insert
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel, col
from statemachine import State

from statewright.chart import Chart
from statewright.dialects import Identifier, Instant
from statewright.many import take_stock
from statewright.store import Schema, Store
from statewright.tables import NAMES
from statewright.workflow import Deadline, Workflow
from statewright.workflows import Workflows

metadata = MetaData(naming_convention=NAMES)


class Row(SQLModel, registry=registry(metadata=metadata)):
    __tablename__: ClassVar[Any]


class Timer(Row, table=True):
    __tablename__ = "timer"

    id: int | None = Field(default=None, primary_key=True, sa_type=Identifier)
    state: str = "pending"
    expires_at: datetime | None = Field(default=None, sa_type=Instant)


class TimerChart(Chart):
    pending = State(initial=True)
    authorized = State()
    expired = State(final=True)

    authorize = pending.to(authorized)
    expire = authorized.to(expired)


timers = Workflow(Timer, TimerChart, deadlines=[Deadline("expire", at=col(Timer.expires_at))])
WORKFLOWS = Workflows(timers)
SCHEMA = Schema("bench", version=1, tables=metadata)


def filled(url: str, count: int, *, state: str, expires_at: datetime | None = None) -> Store:
    """A new database with so many rows."""
    store = Store(url, schema=SCHEMA)
    with store.transaction() as session:
        session.connection().execute(insert(timers.table), [{"state": state, "expires_at": expires_at}] * count)
        # As an import does: the planner then knows how many rows there are.
        take_stock(session, metadata)
    return store
