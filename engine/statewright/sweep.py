"""Everything that is due, moved batch by batch; a row that the database refuses is set aside, the others go on."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, and_, func, insert, literal, select, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from statewright.dialects import Instant, violated
from statewright.errors import Conflict, DefinitionError, StoreError
from statewright.log import last_id
from statewright.parameters import LARGEST, NOW
from statewright.plan import due
from statewright.session import StoreSession, of_a_store, written
from statewright.statement import Statement, parameter
from statewright.store import Store
from statewright.tables import set_aside
from statewright.transition import Moved, fire_due
from statewright.workflow import Deadline, Workflow
from statewright.workflows import Workflows

FIRST_RETRY = timedelta(minutes=1)
LONGEST_RETRY = timedelta(days=1)
"""A row set aside is tried again after a minute, then after twice as long each time, up to a day."""

MOST_NAMED = 10_000
"""Rows that one statement may name; no database takes any number of them."""

SPARSE = 8
"""A table is walked through when at least one row in so many is due."""

PATIENCE = 8
"""Tries of one batch whose neighbours others have locked: a sweep waits for nobody while it holds anything."""

BRIEF = 0.02
"""Seconds that a batch takes for which others have to wait: it gets smaller until it does."""

SMALL = 2_000
"""Rows of which a batch is small enough for memory to hold all pages that it may change."""

FEW = 100
"""Rows of which a batch is never made smaller for others' sake: to commit it takes as long as to move them."""

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

    batch: rows in a transaction, at the most; fewer where other writers wait for its end for longer than `BRIEF`
    pause: seconds between two batches, in which other writers get in; with none, nobody is considered
    stop:  asked between batches; True ends the sweep with what is done
    """
    _expect_positive(batch)
    swept = Swept()
    for workflow, deadline in deadlines(workflows):
        turn = _Turn(
            workflow,
            deadline,
            actor=actor,
            batch=batch,
            swept=swept,
            opened=partial(store.transaction, whole=True, few=batch <= SMALL),
            brief=pause > 0 and store.writes_alone,
        )
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
    look: Callable[[Session, ColumnElement[bool]], None] = lambda session, written: None,
) -> Swept:
    """Run the sweep as it would go at an instant, and take everything back.

    look: called before that, to read what became of the rows; given which log rows the sweep wrote
    One transaction holds it all, so other writers wait for its end.
    """
    _expect_positive(batch)
    swept = Swept()
    with store.transaction() as session:
        before = last_id(session)
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
        look(session, written(session, after=before))
        session.rollback()
    return swept


def deadlines(workflows: Workflows) -> Iterator[tuple[Workflow, Deadline]]:
    """Every deadline, in the order in which a sweep serves them: as the workflows declare them."""
    for workflow in workflows.values():
        for deadline in workflow.deadlines:
            yield workflow, deadline


def next_due(session: Session, workflows: Workflows, *, after: datetime = BEGINNING) -> datetime | None:
    """The earliest armed deadline after an instant, be it overdue or to come; None when there is none."""
    driver = of_a_store(session).driver
    found: list[datetime | None] = []
    for workflow in workflows.values():
        if workflow.deadlines:
            found += (driver.one(_earliest(workflow), {"after": after}) or {}).values()
    return min((at for at in found if at is not None), default=None)


@dataclass(frozen=True, slots=True)
class _Turn:
    """One deadline's part of a sweep; what it opens is a transaction for each batch, or one for all."""

    workflow: Workflow
    deadline: Deadline
    actor: str
    batch: int
    swept: Swept
    opened: Callable[[], AbstractContextManager[StoreSession]]
    now: datetime | None = None
    brief: bool = False

    def batches(self, reading: Callable[[], AbstractContextManager[StoreSession]]) -> Iterator[None]:
        """Fire until nothing is due, yielding after every batch.

        A backlog that is a good part of the table is walked through in the order of its ids, so that each page is
        written once, whatever the order in which its rows are due.
        """
        tries, limit, skipping = 0, self.batch, False
        after: int | None = None
        looked = walked = False
        while True:
            if not looked:
                with reading() as session:
                    if not self._anything_due(session):
                        return
                    skipping = self._anything_set_aside(session)
                    looked = True
            began = time.perf_counter()
            try:
                moved = self._fire(skipping=skipping, limit=limit, after=after)
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
                    ids = self._due(session, after)
                yield from self._isolate(ids)
                looked = False
                continue
            if after is not None and not moved.rows:
                # What the walk has left: rows that came due behind it, or that somebody had locked.
                after = None
                continue
            if not moved.rows:
                return
            looked = moved.rows == limit
            if looked and not walked:
                walked = True
                with reading() as session:
                    after = -LARGEST if self._many_due(session) else None
            elif after is not None:
                after, looked = moved.passed, True
            tries, limit = 0, self._next(limit, time.perf_counter() - began)
            yield

    def _next(self, limit: int, seconds: float) -> int:
        """How many rows the next batch moves at the most, after one of so many took so long."""
        if self.brief and seconds > BRIEF:
            return min(max(limit // 2, FEW), limit)
        if self.brief and seconds > BRIEF / 3:
            return limit
        return min(limit * 2, self.batch)

    def _fire(
        self, *, skipping: bool, limit: int, after: int | None = None, among: Sequence[int] | None = None
    ) -> Moved:
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
                    after=after,
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
        return moved

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

    def _due(self, session: StoreSession, after: int | None) -> Sequence[int]:
        """The ids of the rows that the next batch moves."""
        walking = after is not None
        chosen = due(self.workflow, self.deadline, limit=self.batch, skipping=True, walking=walking)
        told = {"now": self._instant(session), "step_row": after}
        return session.connection().execute(chosen.add_columns(self.workflow.id), told).scalars().all()

    def _anything_due(self, session: StoreSession) -> bool:
        at = self.deadline.at
        asked = self.workflow.kept(
            ("first due", at), lambda: Statement(select(func.min(at).label("at")).where(at.is_not(None)))
        )
        found = session.driver.one(asked, {})
        return found is not None and found["at"] is not None and found["at"] <= self._instant(session)

    def _many_due(self, session: StoreSession) -> bool:
        """Whether so many rows are due that to walk through the whole table is less work than to go to each."""
        ids, at = self.workflow.id, self.deadline.at
        # Asked for both at once, SQLite would read the whole table.
        ends = self.workflow.kept(
            "ends",
            lambda: Statement(
                select(
                    select(func.min(ids)).scalar_subquery().label("first"),
                    select(func.max(ids)).scalar_subquery().label("last"),
                )
            ),
        )
        overdue = self.workflow.kept(
            ("overdue", at),
            lambda: Statement(
                select(func.count().label("rows")).select_from(
                    select(literal(1)).where(at <= NOW).limit(_ENOUGH).subquery()
                )
            ),
        )
        driver = session.driver
        found = driver.one(ends, {}) or {}
        enough = (found["last"] - found["first"]) // SPARSE + 1
        counted = (
            driver.one(overdue, {NOW.key: driver.in_words(self._instant(session)), _ENOUGH.key: enough}) or {}
        )
        many: bool = counted["rows"] == enough
        return many

    def _anything_set_aside(self, session: StoreSession) -> bool:
        event = self.deadline.event
        here = set_aside.c.workflow == self.workflow.name, set_aside.c.event == event
        waiting = self.workflow.kept(
            ("set aside", event), lambda: Statement(select(set_aside.c.row_id).where(*here).limit(1))
        )
        return session.driver.one(waiting, {}) is not None

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

    def _instant(self, session: StoreSession) -> datetime:
        return self.now or session.instant()


def _earliest(workflow: Workflow) -> Statement:
    def build() -> Statement:
        columns = [workflow.table.c[deadline.at.key] for deadline in workflow.deadlines]
        return Statement(
            select(*(select(func.min(at)).where(at > _AFTER).scalar_subquery().label(at.key) for at in columns))
        )

    return workflow.kept("earliest", build)


_AFTER = parameter("after", Instant())
_ENOUGH = parameter("enough", BigInteger())


def _expect_positive(batch: int) -> None:
    if batch < 1:
        raise DefinitionError("sweep", f"expected batch to be a positive whole number, got {batch}")
