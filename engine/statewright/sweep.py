"""Everything that is due, moved batch by batch; a row that the database refuses is set aside, the others go on."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Select, and_, bindparam, delete, func, insert, select, update
from sqlmodel import Session

from statewright.dialects import Instant
from statewright.errors import Conflict
from statewright.plan import set_aside_for_now
from statewright.store import Store, instant
from statewright.tables import set_aside
from statewright.transition import Moved, fire_due
from statewright.workflow import Deadline, Workflow, Workflows

FIRST_RETRY = timedelta(minutes=1)
LONGEST_RETRY = timedelta(days=1)
"""A row set aside is tried again after a minute, then after twice as long each time, up to a day."""

BEGINNING = datetime.min.replace(tzinfo=UTC)


@dataclass(slots=True)
class Swept:
    """What a sweep did: rows moved by (workflow, event), cascades included; batches; rows set aside."""

    moved: Counter[tuple[str, str]] = field(default_factory=Counter)
    batches: int = 0
    set_aside: int = 0
    stopped: bool = False

    def add(self, workflow: str, event: str, moved: Moved) -> None:
        self.batches += 1
        self.moved[workflow, event] += moved.rows
        self.moved.update(moved.cascaded)


def sweep(
    store: Store,
    workflows: Workflows,
    *,
    actor: str,
    batch: int,
    pause: float = 0.0,
    stop: Callable[[], bool] = lambda: False,
    progress: Callable[[Swept], None] = lambda swept: None,
) -> Swept:
    """Move every row whose deadline has come, each batch in a transaction of its own.

    batch: rows in a transaction, at the most
    pause: seconds between two batches, in which other writers get in
    stop:  asked between batches; True ends the sweep with what is done
    """
    swept = Swept()
    for workflow, deadline in deadlines(workflows):
        for _ in _batches(store, workflow, deadline, actor=actor, batch=batch, swept=swept):
            progress(swept)
            if stop():
                swept.stopped = True
                return swept
            if pause:
                time.sleep(pause)
    return swept


def rehearse(
    store: Store, workflows: Workflows, *, actor: str, batch: int, now: datetime | None = None
) -> Swept:
    """Run the sweep as it would go at an instant, and take everything back.

    One transaction holds it all, so other writers wait for its end.
    """
    swept = Swept()
    with store.transaction() as session:
        for workflow, deadline in deadlines(workflows):
            while True:
                moved = fire_due(
                    session, workflow, deadline, actor=actor, limit=batch, now=now, skipping=True
                )
                if not moved.rows:
                    break
                swept.add(workflow.name, deadline.event, moved)
        session.rollback()
    return swept


def deadlines(workflows: Workflows) -> Iterator[tuple[Workflow, Deadline]]:
    """Every deadline, in the order in which a sweep serves them: as the workflows declare them."""
    for workflow in workflows.values():
        for deadline in workflow.deadlines:
            yield workflow, deadline


def next_due(session: Session, workflows: Workflows, *, after: datetime = BEGINNING) -> datetime | None:
    """The earliest armed deadline after an instant, be it overdue or to come; None when there is none."""
    found: list[datetime | None] = []
    for workflow in workflows.values():
        if workflow.deadlines:
            found += session.connection().execute(_earliest(workflow), {"after": after}).one()
    return min((at for at in found if at is not None), default=None)


def _batches(
    store: Store, workflow: Workflow, deadline: Deadline, *, actor: str, batch: int, swept: Swept
) -> Iterator[None]:
    """Fire one deadline until nothing is due, yielding after every batch."""
    while True:
        with store.reading() as session:
            if not _anything_due(session, workflow, deadline):
                return
            skipping = _anything_set_aside(session, workflow, deadline)
        try:
            with store.transaction() as session:
                moved = fire_due(session, workflow, deadline, actor=actor, limit=batch, skipping=skipping)
                if skipping:
                    _take_back(session, workflow, deadline)
        except Conflict:
            _isolate(store, workflow, deadline, actor=actor, batch=batch, swept=swept)
            yield
            continue
        if not moved.rows:
            return
        swept.add(workflow.name, deadline.event, moved)
        yield


def _earliest(workflow: Workflow) -> Select[Any]:
    """Kept, because an idle daemon asks once a second, and to build a statement costs more than to run it."""
    if "earliest" not in workflow.plans:
        columns = [workflow.table.c[deadline.at.key] for deadline in workflow.deadlines]
        after = bindparam("after", type_=Instant())
        workflow.plans["earliest"] = select(
            *(select(func.min(at)).where(at > after).scalar_subquery() for at in columns)
        )
    earliest: Select[Any] = workflow.plans["earliest"]
    return earliest


def _anything_due(session: Session, workflow: Workflow, deadline: Deadline) -> bool:
    at = workflow.table.c[deadline.at.key]
    earliest: datetime | None = (
        session.connection().execute(select(func.min(at)).where(at.is_not(None))).scalar_one()
    )
    return earliest is not None and earliest <= instant(session)


def _anything_set_aside(session: Session, workflow: Workflow, deadline: Deadline) -> bool:
    waiting = select(set_aside.c.row_id).where(
        set_aside.c.workflow == workflow.name, set_aside.c.event == deadline.event
    )
    return session.connection().execute(waiting.limit(1)).first() is not None


def _take_back(session: Session, workflow: Workflow, deadline: Deadline) -> None:
    """Forget the set-aside rows whose deadline is no longer due: they have moved after all."""
    at = workflow.table.c[deadline.at.key]
    still_due = select(workflow.id).where(at <= instant(session))
    session.connection().execute(
        delete(set_aside).where(
            set_aside.c.workflow == workflow.name,
            set_aside.c.event == deadline.event,
            set_aside.c.row_id.not_in(still_due),
        )
    )


def _isolate(
    store: Store, workflow: Workflow, deadline: Deadline, *, actor: str, batch: int, swept: Swept
) -> None:
    """Halve the batch that failed until each bad row stands alone; move the good ones."""
    at = workflow.table.c[deadline.at.key]
    with store.reading() as session:
        now = instant(session)
        due = select(workflow.id).where(at <= now, ~set_aside_for_now(workflow, deadline.event))
        ids = session.connection().execute(due.order_by(at, workflow.id).limit(batch), {"now": now})
        ahead = [sorted(ids.scalars())]
    while ahead:
        rows = ahead.pop()
        try:
            with store.transaction() as session:
                moved = fire_due(
                    session, workflow, deadline, actor=actor, limit=batch, skipping=True, among=rows
                )
        except Conflict as error:
            if len(rows) == 1:
                _set_aside(store, workflow, deadline, rows[0], error)
                swept.set_aside += 1
            else:
                middle = len(rows) // 2
                ahead += [rows[middle:], rows[:middle]]
        else:
            if moved.rows:
                swept.add(workflow.name, deadline.event, moved)


def _set_aside(store: Store, workflow: Workflow, deadline: Deadline, row_id: int, error: Conflict) -> None:
    here = and_(
        set_aside.c.workflow == workflow.name,
        set_aside.c.row_id == row_id,
        set_aside.c.event == deadline.event,
    )
    with store.transaction() as session:
        connection = session.connection()
        now = instant(session)
        attempts: int = connection.execute(select(set_aside.c.attempts).where(here)).scalar() or 0
        values: dict[str, Any] = {
            "at": now,
            "attempts": attempts + 1,
            "retry_at": now + min(FIRST_RETRY * 2 ** min(attempts, 20), LONGEST_RETRY),
            "error": error.sentence,
        }
        if attempts:
            connection.execute(update(set_aside).where(here).values(values))
        else:
            connection.execute(
                insert(set_aside).values(
                    workflow=workflow.name, row_id=row_id, event=deadline.event, **values
                )
            )
