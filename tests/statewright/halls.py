"""A theatre, for the engine's tests: halls that open and close, seats in them, tickets for several seats.

A hall may be a part of another, its house, and closes with it. What one test looks for is said beside it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, ClassVar

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ColumnElement,
    ForeignKey,
    Integer,
    MetaData,
    Table,
    Text,
    case,
    exists,
    func,
    insert,
    not_,
    null,
    select,
    true,
)
from sqlalchemy.orm import registry
from sqlmodel import Field, Session, SQLModel, col
from statemachine import State

from statewright.chart import Chart
from statewright.dialects import Identifier, Instant, days_after, latest
from statewright.store import Schema
from statewright.tables import NAMES
from statewright.testing import BEGINNING
from statewright.transition import start
from statewright.workflow import (
    NOW,
    Assign,
    Cascade,
    Deadline,
    Guard,
    Link,
    Workflow,
    argument,
)
from statewright.workflows import Workflows

metadata = MetaData(naming_convention=NAMES)


class Row(SQLModel, registry=registry(metadata=metadata)):
    __tablename__: ClassVar[Any]


class Hall(Row, table=True):
    __tablename__ = "hall"
    # A haunted hall stays open: the bad row of a sweep.
    __table_args__ = (CheckConstraint("name <> 'haunted' OR state <> 'closed'", name="haunted"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=Identifier)
    state: str = "planned"
    name: str = ""
    house_id: int | None = Field(default=None, foreign_key="hall.id", index=True, sa_type=Identifier)
    ends_at: datetime | None = Field(default=None, sa_type=Instant)
    close_at: datetime | None = Field(default=None, sa_type=Instant)
    remind_at: datetime | None = Field(default=None, sa_type=Instant)
    opened_at: datetime | None = Field(default=None, sa_type=Instant)
    capacity: int = Field(default=400, sa_type=BigInteger)
    gratis: bool = False
    note: str | None = None
    # Called like parameters of the engine's own statements, which must not be mistaken for them.
    reason: str | None = None
    actor: str | None = None


class Seat(Row, table=True):
    __tablename__ = "seat"
    # A stuck seat keeps its guest: the bad row of a cascade.
    __table_args__ = (CheckConstraint("label <> 'stuck' OR guest IS NOT NULL", name="stuck"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=Identifier)
    state: str = "free"
    hall_id: int = Field(foreign_key="hall.id", index=True, sa_type=Identifier)
    label: str = ""
    guest: str | None = None
    held_until: datetime | None = Field(default=None, sa_type=Instant)


ticket = Table(
    "ticket",
    metadata,
    Column("id", Identifier, primary_key=True),
    Column("state", Text, nullable=False, default="draft"),
    Column("price", Integer),
    Column("final", Boolean),
)
ticket_seat = Table(
    "ticket_seat",
    metadata,
    Column("ticket_id", ForeignKey(ticket.c.id), primary_key=True),
    Column("seat_id", ForeignKey("seat.id"), primary_key=True, index=True),
)


class HallChart(Chart):
    planned = State(initial=True)
    running = State()
    closed = State()
    gone = State(final=True)

    launch = planned.to(running, cond="furnished")
    prolong = running.to.itself(cond="modest") | closed.to(running, cond="modest")
    remind = running.to.itself()
    close = running.to(closed)
    remove = planned.to(gone, unless="taken") | running.to(gone, unless="taken") | closed.to(gone, unless="taken")


class SeatChart(Chart):
    free = State(initial=True)
    held = State()
    taken = State()
    broken = State(final=True)

    hold = free.to(held, cond="hall_runs")
    lapse = held.to(free)
    take = free.to(taken, cond="hall_runs") | held.to(taken)
    release = held.to(free) | taken.to(free)
    smash = free.to(broken) | held.to(broken) | taken.to(broken)


class TicketChart(Chart):
    draft = State(initial=True)
    paid = State()
    void = State(final=True)

    pay = draft.to(paid, cond=["seated", "priced"])
    lose_seat = draft.to(void, unless="seated") | paid.to(void, unless="seated")
    cancel = draft.to(void) | paid.to(void, unless="final_sale")


_taken = (col(Seat.hall_id) == col(Hall.id), col(Seat.state) == "taken")
_until = days_after(latest(func.coalesce(Hall.ends_at, NOW), NOW), argument("days", int))


def _next_reminder(end: Any) -> ColumnElement[Any]:
    """7, 3 and 1 days before the end, whichever was not called for yet."""
    moments = [days_after(end, -days) for days in (7, 3, 1)]
    last = func.coalesce(Hall.remind_at, days_after(end, -8))
    return case(*((moment > last, moment) for moment in moments), else_=null())


halls = Workflow(
    Hall,
    HallChart,
    guards=[
        Guard("furnished", exists().where(col(Seat.hall_id) == col(Hall.id)), "it has no seats for {capacity:,}"),
        Guard("modest", argument("days", int) <= Hall.capacity, "nobody plays longer than {capacity} days"),
        Guard(
            "taken",
            exists().where(*_taken),
            "it still has {blockers} of {seats}; its end is {ends_at:%Y-%m-%d}",
            blockers=select(col(Seat.id), col(Seat.label), col(Seat.state)).where(*_taken).order_by(col(Seat.id)),
            noun="seat",
            facts={"seats": select(func.count()).where(col(Seat.hall_id) == col(Hall.id)).scalar_subquery()},
        ),
    ],
    arguments={"prolong": {"days": int, "note": str, "gratis": bool, "since": datetime}},
    assigns=[
        Assign(Hall.ends_at, _until, on={"prolong"}),
        Assign(Hall.close_at, _until, on={"prolong"}),
        Assign(Hall.remind_at, days_after(_until, -7), on={"prolong"}),
        Assign(Hall.note, argument("note", str), on={"prolong"}),
        Assign(Hall.gratis, argument("gratis", bool), on={"prolong"}),
        Assign(Hall.opened_at, argument("since", datetime), on={"prolong"}),
        Assign(Hall.opened_at, func.coalesce(Hall.opened_at, NOW), entering={"running"}),
        Assign(Hall.close_at, Hall.ends_at, entering={"running"}),
        Assign(Hall.remind_at, _next_reminder(Hall.ends_at), on={"remind"}),
        Assign(Hall.remind_at, days_after(Hall.ends_at, -7), entering={"running"}),
    ],
    deadlines=[Deadline("remind", at=Hall.remind_at), Deadline("close", at=Hall.close_at)],
    cascades=[
        Cascade("seat", "release", along=Link(Seat.hall_id, Seat.id), entering={"closed", "gone"}),
        Cascade("hall", "close", along=Link(Hall.house_id, Hall.id), entering={"closed"}),
    ],
    waits={"planned": "launch"},
)

seats = Workflow(
    Seat,
    SeatChart,
    guards=[
        Guard(
            "hall_runs",
            exists().where(col(Hall.id) == col(Seat.hall_id), col(Hall.state) == "running"),
            "its hall does not run",
        )
    ],
    assigns=[
        Assign(Seat.held_until, days_after(NOW, 1), entering={"held"}),
        Assign(Seat.guest, None, on={"release"}),
    ],
    deadlines=[Deadline("lapse", at=Seat.held_until)],
    cascades=[
        Cascade(
            "ticket",
            "lose_seat",
            along=Link(ticket_seat.c.seat_id, ticket_seat.c.ticket_id),
            leaving={"taken"},
        ),
    ],
    automatic={"release"},
)

tickets = Workflow(
    ticket,
    TicketChart,
    guards=[
        Guard(
            "seated",
            # The very tables that the cascade comes along: they must not be taken for one another.
            not_(
                exists(
                    select(ticket_seat.c.seat_id)
                    .join(Seat, col(Seat.id) == ticket_seat.c.seat_id)
                    .where(ticket_seat.c.ticket_id == ticket.c.id, col(Seat.state) != "taken")
                )
            ),
            "not all its seats are taken",
        ),
        Guard("priced", ticket.c.price > 0, "it has no price"),
        Guard("final_sale", ticket.c.final, "it was sold for {price} and cannot be given back"),
    ],
    entry={"paid": ["priced", "seated"]},
    waits={"draft": "pay"},
    cascades=[
        Cascade(
            "seat",
            "release",
            along=Link(ticket_seat.c.ticket_id, ticket_seat.c.seat_id),
            entering={"void"},
        ),
    ],
    automatic={"lose_seat"},
)

THEATRE = Workflows(halls, seats, tickets)
SCHEMA = Schema("theatre", version=1, tables=metadata)

PROLONG: dict[str, Any] = {"days": 30, "note": "by popular demand", "gratis": True, "since": BEGINNING}
"""Arguments of every type."""


def days(number: float) -> datetime:
    """So many days after the clock of a test began."""
    return BEGINNING + timedelta(days=number)


def add_halls(session: Session, *rows: dict[str, Any], state: str = "running") -> list[int]:
    """Halls that begin their lives in a state, ten days before their end."""
    added = insert_rows(session, halls, [{"ends_at": days(10), **row} for row in rows])
    start(session, halls, halls.id.in_(added), actor="founder", target=state)
    return added


def add_seats(session: Session, hall_id: int, *labels: str, state: str = "free", **more: Any) -> list[int]:
    added = insert_rows(session, seats, [{"hall_id": hall_id, "label": label, **more} for label in labels])
    start(session, seats, seats.id.in_(added), actor="founder", target=state)
    return added


def add_ticket(session: Session, *seat_ids: int, state: str = "draft", **more: Any) -> int:
    added = insert_rows(session, tickets, [more])
    links = [{"ticket_id": added[0], "seat_id": seat_id} for seat_id in seat_ids]
    session.connection().execute(insert(ticket_seat), links)
    start(session, tickets, tickets.id.in_(added), actor="founder", target=state)
    return added[0]


def insert_rows(session: Session, workflow: Workflow, rows: list[dict[str, Any]]) -> list[int]:
    """Rows as an application inserts them, in the initial state, before their lives begin."""
    defaults: dict[str, Any] = {"state": workflow.decisions.initial}
    if workflow is halls:
        defaults.update(name="", capacity=400, gratis=False)
    if workflow is seats:
        defaults.update(label="")
    statement = insert(workflow.table).returning(workflow.id, sort_by_parameter_order=True)
    nothing = dict.fromkeys(name for row in rows for name in row)
    return [*session.connection().execute(statement, [{**nothing, **defaults, **row} for row in rows]).scalars()]


def state_of(session: Session, workflow: Workflow, row_id: int) -> str:
    found: str = session.connection().execute(select(workflow.state).where(workflow.id == row_id)).scalar_one()
    return found


EVERY = true()
"""A selection of all rows."""
