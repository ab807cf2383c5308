"""Everything that is due, moved batch by batch; a row that the database refuses is set aside, the others go on."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Select, and_, bindparam, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from statewright.dialects import Instant, violated
from statewright.errors import Conflict, DefinitionError, StoreError
from statewright.plan import due
from statewright.store import Store, instant
from statewright.tables import set_aside, transition
from statewright.transition import Moved, fire_due
from statewright.workflow import Deadline, Workflow, Workflows

FIRST_RETRY = timedelta(minutes=1)
LONGEST_RETRY = timedelta(days=1)
"""A row set aside is tried again after a minute, then after twice as long each time, up to a day."""

MOST_NAMED = 10_000
"""Rows that one statement may name; no database takes any number of them."""

PATIENCE = 8
"""Tries of one batch whose neighbours others have locked: a sweep waits for nobody while it holds anything."""

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
    _expect_positive(batch)
    swept = Swept()
    for workflow, deadline in deadlines(workflows):
        turn = _Turn(workflow, deadline, actor=actor, batch=batch, swept=swept, opened=store.transaction)
        for _ in turn.batches(reading=store.reading):
            progress(swept)
            if stop():
                swept.stopped = True
                return swept
            if pause:
                time.sleep(pause)
    return swept


def rehearse(
    store: Store,
    workflows: Workflows,
    *,
    actor: str,
    batch: int,
    now: datetime | None = None,
    look: Callable[[Session, int], None] = lambda session, before: None,
) -> Swept:
    """Run the sweep as it would go at an instant, and take everything back.

    look: called before that, to read what became of the rows; given the last id of the log before the sweep
    One transaction holds it all, so other writers wait for its end.
    """
    _expect_positive(batch)
    swept = Swept()
    with store.transaction() as session:
        before = session.connection().execute(select(func.max(transition.c.id))).scalar_one() or 0
        for workflow, deadline in deadlines(workflows):
            turn = _Turn(
                workflow,
                deadline,
                actor=actor,
                batch=batch,
                swept=swept,
                opened=lambda: nullcontext(session),
                now=now,
            )
            for _ in turn.batches(reading=lambda: nullcontext(session)):
                pass
        look(session, before)
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


@dataclass(frozen=True, slots=True)
class _Turn:
    """One deadline's part of a sweep; what it opens is a transaction for each batch, or one for all."""

    workflow: Workflow
    deadline: Deadline
    actor: str
    batch: int
    swept: Swept
    opened: Callable[[], AbstractContextManager[Session]]
    now: datetime | None = None

    def batches(self, reading: Callable[[], AbstractContextManager[Session]]) -> Iterator[None]:
        """Fire until nothing is due, yielding after every batch."""
        tries, limit = 0, self.batch
        while True:
            with reading() as session:
                if not self._anything_due(session):
                    return
                skipping = self._anything_set_aside(session)
            try:
                rows = self._fire(skipping=skipping, limit=limit)
            except StoreError as error:
                # It gave all its locks back, so that nobody waits for it while it waits.
                tries += 1
                if not error.busy or tries > PATIENCE:
                    raise
                limit = max(limit // 4, 1)
                time.sleep(random.uniform(0, 0.002 * 2**tries))  # noqa: S311 - no key
                continue
            except Conflict:
                with reading() as session:
                    ids = self._due(session)
                yield from self._isolate(ids)
                continue
            if not rows:
                return
            tries, limit = 0, min(limit * 4, self.batch)
            yield

    def _fire(self, *, skipping: bool, limit: int, among: Sequence[int] | None = None) -> int:
        """Move one batch. Raises Conflict for a broken constraint, be it one that is only looked at in the end."""
        try:
            with self.opened() as session:
                moved = fire_due(
                    session,
                    self.workflow,
                    self.deadline,
                    actor=self.actor,
                    limit=limit,
                    now=self.now,
                    skipping=skipping,
                    among=among,
                )
        except IntegrityError as error:
            raise Conflict(
                f"cannot {self.deadline.event} {self.workflow.noun}: the database refused: {violated(error)}",
                workflow=self.workflow.name,
                event=self.deadline.event,
                row_id=None,
            ) from None
        if moved.rows:
            self.swept.add(self.workflow.name, self.deadline.event, moved)
        return moved.rows

    def _isolate(self, ids: Sequence[int]) -> Iterator[None]:
        """Halve a batch that failed until each bad row stands alone; move the good ones, set the bad aside."""
        ahead = [ids[first : first + MOST_NAMED] for first in range(0, len(ids), MOST_NAMED)]
        while ahead:
            rows = ahead.pop()
            try:
                self._fire(skipping=True, limit=self.batch, among=rows)
            except Conflict as error:
                if len(rows) > 1:
                    middle = len(rows) // 2
                    ahead += [rows[middle:], rows[:middle]]
                    continue
                self._set_aside(rows[0], error)
            yield

    def _due(self, session: Session) -> Sequence[int]:
        """The ids of the rows that the next batch moves."""
        chosen = due(self.workflow, self.deadline, skipping=True).add_columns(self.workflow.id)
        bound = {"now": self._instant(session), "limit": self.batch}
        return session.connection().execute(chosen, bound).scalars().all()

    def _anything_due(self, session: Session) -> bool:
        at = self.deadline.at
        chosen = select(func.min(at)).where(at.is_not(None))
        earliest: datetime | None = session.connection().execute(chosen).scalar_one()
        return earliest is not None and earliest <= self._instant(session)

    def _anything_set_aside(self, session: Session) -> bool:
        waiting = select(set_aside.c.row_id).where(
            set_aside.c.workflow == self.workflow.name, set_aside.c.event == self.deadline.event
        )
        return session.connection().execute(waiting.limit(1)).first() is not None

    def _set_aside(self, row_id: int, error: Conflict) -> None:
        here = and_(
            set_aside.c.workflow == self.workflow.name,
            set_aside.c.row_id == row_id,
            set_aside.c.event == self.deadline.event,
        )
        with self.opened() as session:
            connection = session.connection()
            now = self._instant(session)
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
                names = {
                    "workflow": self.workflow.name,
                    "row_id": row_id,
                    "event": self.deadline.event,
                }
                connection.execute(insert(set_aside).values(**names, **values))
        self.swept.set_aside += 1

    def _instant(self, session: Session) -> datetime:
        return self.now or instant(session)


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


def _expect_positive(batch: int) -> None:
    if batch < 1:
        raise DefinitionError("sweep", f"expected batch to be a positive whole number, got {batch}")
