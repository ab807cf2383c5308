"""How the daemons are doing, told from the database alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Table, and_, exists, func, select
from sqlmodel import Session

from statewright import tables
from statewright.log import last_id
from statewright.session import instant
from statewright.tables import heartbeat, subscription
from statewright.workflow import Deadline, Workflow
from statewright.workflows import Workflows

SHOWN = 20
"""How many rows that were set aside are listed; all of them are counted."""


@dataclass(frozen=True, slots=True)
class Beat:
    """A daemon's last sign of life, and how many rows its last tick that moved any did move."""

    daemon: str
    at: datetime
    moved: int


@dataclass(frozen=True, slots=True)
class Timetable:
    """One deadline: how many rows are overdue and since when, and when the next is due.

    Rows that were set aside are not overdue: they wait for another try.
    late: for how long the oldest overdue row has been waiting
    """

    workflow: str
    event: str
    overdue: int
    oldest_due: datetime | None
    late: timedelta
    next_due: datetime | None


@dataclass(frozen=True, slots=True)
class SetAside:
    """A due row that the database refuses to move: since when, why, and when it is tried again."""

    workflow: str
    row_id: int
    event: str
    at: datetime
    attempts: int
    retry_at: datetime
    error: str


@dataclass(frozen=True, slots=True)
class Undelivered:
    """A log row that a subscriber failed on until it was set aside."""

    subscriber: str
    transition_id: int
    at: datetime
    error: str


@dataclass(frozen=True, slots=True)
class Subscription:
    """How far a subscriber has come.

    lag:      log rows still ahead of it, at the most
    attempts: failures since its last success; the error is the last one's
    """

    name: str
    position: int
    lag: int
    attempts: int
    retry_at: datetime | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Status:
    """The daemons' health at an instant; of what was set aside, the latest are listed and all are counted."""

    at: datetime
    daemons: Sequence[Beat]
    deadlines: Sequence[Timetable]
    rows_set_aside: int
    set_aside: Sequence[SetAside]
    rows_undelivered: int
    undelivered: Sequence[Undelivered]
    subscriptions: Sequence[Subscription]

    @property
    def last_tick(self) -> datetime | None:
        """The last sign of life of any daemon; None when there never was one."""
        return max((beat.at for beat in self.daemons), default=None)

    @property
    def late(self) -> timedelta:
        """For how long the oldest overdue row of all has been waiting."""
        return max((deadline.late for deadline in self.deadlines), default=timedelta())

    def as_json(self) -> dict[str, Any]:
        """The status as plain data: instants as ISO 8601 in UTC, durations in seconds."""
        return {**_plain(self), "last_tick": _plain(self.last_tick), "late": _plain(self.late)}


def status(session: Session, workflows: Workflows) -> Status:
    """How the daemons of a database are doing now."""
    now = instant(session)
    connection = session.connection()
    beats = connection.execute(select(heartbeat).order_by(heartbeat.c.at.desc())).mappings()
    return Status(
        at=now,
        daemons=tuple(Beat(**row) for row in beats),
        deadlines=tuple(
            _timetable(session, workflow, deadline, now)
            for workflow in workflows.values()
            for deadline in workflow.deadlines
        ),
        rows_set_aside=_number(session, tables.set_aside),
        set_aside=tuple(SetAside(**row) for row in _latest(session, tables.set_aside)),
        rows_undelivered=_number(session, tables.undelivered),
        undelivered=tuple(Undelivered(**row) for row in _latest(session, tables.undelivered)),
        subscriptions=tuple(_subscriptions(session)),
    )


def _timetable(session: Session, workflow: Workflow, deadline: Deadline, now: datetime) -> Timetable:
    connection = session.connection()
    at = workflow.table.c[deadline.at.key]
    waiting = and_(
        tables.set_aside.c.workflow == workflow.name,
        tables.set_aside.c.event == deadline.event,
        tables.set_aside.c.row_id == workflow.id,
    )
    due = select(func.count()).select_from(workflow.table).where(at <= now)
    # Few are set aside: counting them apart is quicker than asking of every overdue row.
    due_but_waiting = due.join(tables.set_aside, waiting)
    oldest: datetime | None = connection.execute(
        select(at).where(at <= now, ~exists().where(waiting)).order_by(at).limit(1)
    ).scalar()
    return Timetable(
        workflow=workflow.name,
        event=deadline.event,
        overdue=connection.execute(due).scalar_one() - connection.execute(due_but_waiting).scalar_one(),
        oldest_due=oldest,
        late=timedelta() if oldest is None else now - oldest,
        next_due=connection.execute(select(func.min(at)).where(at > now)).scalar_one(),
    )


def _subscriptions(session: Session) -> list[Subscription]:
    last = last_id(session)
    rows = session.connection().execute(select(subscription).order_by(subscription.c.name)).mappings()
    return [Subscription(**row, lag=max(last - row["position"], 0)) for row in rows]


def _number(session: Session, table: Table) -> int:
    number: int = session.connection().execute(select(func.count()).select_from(table)).scalar_one()
    return number


def _latest(session: Session, table: Table) -> Sequence[Any]:
    chosen = select(table).order_by(table.c.at.desc(), *(key.desc() for key in table.primary_key)).limit(SHOWN)
    return session.connection().execute(chosen).mappings().all()


def _plain(value: Any) -> Any:
    match value:
        case datetime():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case tuple() | list():
            return [_plain(each) for each in value]
        case _ if is_dataclass(value):
            return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
        case _:
            return value
