"""How a row moves: every change of state in the program passes through here, one row or a million alike."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NoReturn

from sqlalchemy import ColumnElement, Row, delete, func, or_, select, tuple_
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, PendingRollbackError
from sqlmodel import Session

from statewright import dialects, keys, plan
from statewright.errors import Conflict, WrongArguments
from statewright.explain import refusal
from statewright.log import FORCE, START
from statewright.parameters import LARGEST, bound, wrong
from statewright.plan import Plan
from statewright.store import expect_to_write, instant
from statewright.tables import set_aside, transition
from statewright.workflow import Deadline, Workflow


@dataclass(frozen=True, slots=True)
class Moved:
    """What a call did: rows moved by the event itself, and by the cascades it set off.

    batch:    what the log rows of this call share
    cascaded: how many rows moved, by (workflow, event)
    replayed: the call's idempotency key was known, so nothing was done again
    """

    rows: int
    batch: int = 0
    cascaded: Mapping[tuple[str, str], int] = field(default_factory=dict)
    replayed: bool = False


def fire(
    session: Session,
    workflow: Workflow,
    event: str,
    row_id: int,
    *,
    actor: str,
    reason: str | None = None,
    key: str | None = None,
    arguments: Mapping[str, Any] | None = None,
) -> Moved:
    """Send an event to one row: log, apply, cascade, in the caller's transaction.

    key: makes the call idempotent; the same call with the same key does nothing again
    Raises UnknownRow, UnknownEvent, EventNotPossible, GuardRefused, WrongArguments or Conflict; the
    transaction is then as it was before the call.
    """
    workflow.check_call(event, arguments or {})
    call = _Call(session, workflow, event, actor=actor, reason=reason, key=key, arguments=arguments)
    if replayed := call.replay(row_id):
        return replayed
    moved = call.run_for(row_id, plan.for_row(workflow, event))
    if not moved.rows:
        if replayed := call.replay(row_id):
            return replayed
        raise refusal(session, workflow, event, row_id, now=call.now, arguments=arguments or {})
    return moved


def fire_all(
    session: Session,
    workflow: Workflow,
    event: str,
    where: ColumnElement[bool],
    *,
    actor: str,
    reason: str | None = None,
    key: str | None = None,
    arguments: Mapping[str, Any] | None = None,
) -> Moved:
    """Send an event to every row that meets a condition; rows whose chart or guards say no stay as they are.

    key: makes the call idempotent; rows that have come to meet the condition since are not moved again
    Raises UnknownEvent, WrongArguments or Conflict; the transaction is then as it was before the call.
    """
    workflow.check_call(event, arguments or {})
    call = _Call(session, workflow, event, actor=actor, reason=reason, key=key, arguments=arguments)
    return call.replay(None) or call.run(plan.for_selection(workflow, event, where, keyed=key is not None))


def fire_due(
    session: Session,
    workflow: Workflow,
    deadline: Deadline,
    *,
    actor: str,
    limit: int,
    now: datetime | None = None,
    skipping: bool = False,
    among: Sequence[int] | None = None,
) -> Moved:
    """Send a deadline's event to at most `limit` rows whose time has come, the longest overdue first.

    now:      the instant to go by; the store's clock unless given
    skipping: leave out the rows that are set aside for now
    among:    only rows with these ids
    Rows that somebody else has locked are left for later. Raises StoreError `busy` where a neighbour that has to
    move with them is locked.
    """
    workflow.check_call(deadline.event, {})
    call = _Call(session, workflow, deadline.event, actor=actor, now=now, waiting=False)
    chosen = plan.for_deadline(workflow, deadline, skipping=skipping, among=among is not None)
    return call.run(chosen, limit=limit, among=among)


def start(
    session: Session,
    workflow: Workflow,
    where: ColumnElement[bool],
    *,
    actor: str,
    target: str | None = None,
    reason: str | None = None,
    reasons: Mapping[int, str] | None = None,
    key: str | None = None,
) -> Moved:
    """Begin the lives of rows just inserted: those that meet a condition and were not begun before.

    They must have been inserted in the chart's initial state.
    target:  the state they begin in; the initial one unless given
    reasons: by id, for rows that have a reason of their own
    A row whose entry guards say no is not begun, and is the caller's to remove; `refused_to_begin` tells why.
    Raises WrongArguments (no such state) or Conflict.
    """
    target = workflow.decisions.initial if target is None else target
    _check_target(workflow, START, target, None)
    call = _Call(session, workflow, START, actor=actor, reason=reason, key=key)
    chosen = plan.for_selection(workflow, START, where, target, keyed=key is not None, reasons=reasons)
    return call.replay(None) or call.run(chosen, target=target)


def force(session: Session, workflow: Workflow, row_id: int, target: str, *, actor: str, reason: str) -> Moved:
    """Put one row into any state of its chart, whatever its guards say; recorded as a move by hand.

    The assignments of the target state and the cascades run as for any other move.
    Raises UnknownRow, WrongArguments (no reason, no such state), Conflict.
    """
    if not reason or not reason.strip():
        raise WrongArguments(
            f"cannot force {workflow.noun} {row_id}: a move by hand needs a reason",
            workflow=workflow.name,
            event=FORCE,
            row_id=row_id,
        )
    _check_target(workflow, FORCE, target, row_id)
    call = _Call(session, workflow, FORCE, actor=actor, reason=reason)
    moved = call.run_for(row_id, plan.for_row(workflow, FORCE, target), target=target)
    if not moved.rows:
        raise refusal(session, workflow, FORCE, row_id, now=call.now, arguments={})
    return moved


class _Call:
    """One step: one instant, one batch, one actor; every statement of it shares these parameters."""

    def __init__(
        self,
        session: Session,
        workflow: Workflow,
        event: str,
        *,
        actor: str,
        reason: str | None = None,
        key: str | None = None,
        arguments: Mapping[str, Any] | None = None,
        now: datetime | None = None,
        waiting: bool = True,
    ) -> None:
        self.tried = f"cannot {event.replace('_', ' ')} {workflow.noun}"
        self.facts: dict[str, Any] = {"workflow": workflow.name, "event": event, "row_id": None}
        for problem in _problems_of_texts(actor, reason, key):
            raise WrongArguments(f"{self.tried}: {problem}", **self.facts)
        expect_to_write(session)
        self.session = session
        self.connection = session.connection()
        self.locking = dialects.of(self.connection).LOCKS_ROWS
        self.waiting = waiting
        self.workflow = workflow
        self.event = event
        self.key = key
        self.now = now or instant(session)
        self.shared = {**bound(self.now, arguments or {}), "step_batch": random.getrandbits(63)}
        self.texts = {"actor": actor, "reason": reason, "key": key, "payload": _payload(arguments or {})}
        self.cascaded: Counter[tuple[str, str]] = Counter()

    def replay(self, row_id: int | None) -> Moved | None:
        """What an earlier call with the same key did; None when there was none."""
        if self.key is None:
            return None
        found = keys.recall(self.connection, self.key)
        if found is None:
            return None
        meant = (self.workflow.name, self.event, found.row_id if row_id is None else row_id)
        if (found.workflow, found.event, found.row_id) != meant:
            self._conflict(row_id, f"the key {self.key!r} was used to {_deed(found)}; choose another")
        if found.payload != self.texts["payload"]:
            self._conflict(
                row_id, f"the key {self.key!r} was used to {_deed(found)} with other arguments; choose another"
            )
        return Moved(found.moved if row_id is None else 1, found.batch, replayed=True)

    def run_for(self, row_id: int, steps: Plan, *, target: str | None = None) -> Moved:
        """Run for one row; an id that no database could keep moves nothing."""
        if abs(row_id) > LARGEST:
            return Moved(0)
        return self.run(steps, target=target, row=row_id)

    def run(self, steps: Plan, *, target: str | None = None, **parameters: Any) -> Moved:
        self.session.flush()
        try:
            with self._whole_or_not_at_all():
                rows = self._move(steps, target, parameters)
        except (IntegrityError, DataError) as error:
            # Another call with the same key may have come to its end just now.
            if replayed := self.replay(parameters.get("row")):
                return replayed
            self._conflict(parameters.get("row"), f"the database refused: {dialects.violated(error)}")
        if rows:
            self._refresh()
        return Moved(rows, self.shared["step_batch"], dict(self.cascaded))

    def _move(self, steps: Plan, target: str | None, parameters: Mapping[str, Any]) -> int:
        """Log, then apply, then whatever that set off, each move with all that follows from it."""
        moved: int | None = None
        first = last = self._last()
        ahead = [(self.workflow, self.event, target, steps, parameters)]
        while ahead:
            workflow, event, target, steps, parameters = ahead.pop()
            rows = self._log(steps, {**self.shared, **self.texts, **parameters})
            if moved is None:
                moved = rows
                if rows and self.key is not None:
                    batch = self.shared["step_batch"]
                    keys.keep(self.connection, after=first, batch=batch, at=self.now, moved=rows)
            elif rows:
                self.cascaded[workflow.name, event] += rows
            if not rows:
                continue
            self.connection.execute(steps.apply, {**self.shared, "step_before": last})
            cascades = workflow.cascades_of(event, target)
            if cascades or ahead:
                reach = {"reach_after": last, "reach_upto": (last := self._last())}
                ahead += [
                    (
                        workflow.neighbour(each),
                        each.event,
                        None,
                        plan.for_cascade(workflow, each, waiting=self.waiting),
                        reach,
                    )
                    for each in reversed(cascades)
                ]
        if moved:
            by_itself = any(deadline.event == self.event for deadline in self.workflow.deadlines)
            mended = _DONE_OR_CHANGED if by_itself else _MOVED
            self.connection.execute(mended, {**self.shared, "step_before": first})
        return moved or 0

    def _log(self, steps: Plan, parameters: dict[str, Any]) -> int:
        """Write the log rows, and where several write at once, lock the rows that will follow them."""
        log = steps.log
        for ahead in steps.ahead if self.locking else ():
            self.connection.execute(ahead, parameters).all()
        if self.locking and steps.lock is not None:
            ids = self.connection.execute(steps.lock, parameters).scalars().all()
            if not ids:
                return 0
            if steps.locked is not None:
                log, parameters = steps.locked, {**parameters, "locked": ids}
        return self.connection.execute(log, parameters, execution_options={"preserve_rowcount": True}).rowcount

    @contextmanager
    def _whole_or_not_at_all(self) -> Iterator[None]:
        """A savepoint, in plain SQL: SQLAlchemy's own costs three times as much, and each call makes one."""
        self.connection.exec_driver_sql("SAVEPOINT step")
        try:
            yield
        except BaseException:
            # After some failures, the database has ended the whole transaction itself, or is gone.
            with suppress(DBAPIError, PendingRollbackError):
                self.connection.exec_driver_sql("ROLLBACK TO SAVEPOINT step")
                self.connection.exec_driver_sql("RELEASE SAVEPOINT step")
            raise
        self.connection.exec_driver_sql("RELEASE SAVEPOINT step")

    def _last(self) -> int:
        last: int | None = self.connection.execute(_LAST).scalar_one()
        return last or 0

    def _refresh(self) -> None:
        """Let rows that the caller holds in this session show what became of them."""
        moved = {self.workflow.name, *(name for name, _ in self.cascaded)}
        held: dict[Any, list[int]] = {}
        for row in self.session.identity_map.all_states():
            if getattr(row.mapper.local_table, "info", {}).get("workflow") in moved and row.identity:
                held.setdefault(row.mapper, []).append(row.identity[0])
        for mapper, ids in held.items():
            for first in range(0, len(ids), _AT_ONCE):
                chosen = select(mapper.class_).where(mapper.local_table.c.id.in_(ids[first : first + _AT_ONCE]))
                self.session.execute(chosen.execution_options(populate_existing=True)).all()

    def _conflict(self, row_id: int | None, why: str) -> NoReturn:
        subject = self.tried if row_id is None else f"{self.tried} {row_id}"
        raise Conflict(f"{subject}: {why}", **{**self.facts, "row_id": row_id}) from None


_LAST = select(func.max(transition.c.id))
_STEP = transition.c.id > plan.BEFORE, transition.c.batch == plan.BATCH
_ROW = tuple_(set_aside.c.workflow, set_aside.c.row_id)
_ROWS = select(transition.c.workflow, transition.c.row_id).where(*_STEP)
_MOVED = delete(set_aside).where(_ROW.in_(_ROWS))
# A reminder, which leaves a row where it is, does not mend the expiry that the database refused.
_DONE_OR_CHANGED = delete(set_aside).where(
    or_(
        _ROW.in_(_ROWS.where(transition.c.source != transition.c.target)),
        tuple_(set_aside.c.workflow, set_aside.c.row_id, set_aside.c.event).in_(
            _ROWS.add_columns(transition.c.event)
        ),
    )
)
_AT_ONCE = 10_000


def _check_target(workflow: Workflow, event: str, target: str, row_id: int | None) -> None:
    if target not in workflow.decisions.states:
        subject = workflow.noun if row_id is None else f"{workflow.noun} {row_id}"
        raise WrongArguments(
            f"cannot {event} {subject}: expected one of the states {', '.join(workflow.decisions.states)}, "
            f"got {target!r}",
            workflow=workflow.name,
            event=event,
            row_id=row_id,
        )


def _problems_of_texts(actor: str, reason: str | None, key: str | None) -> Iterator[str]:
    for name, text in (("actor", actor), ("reason", reason), ("key", key)):
        if (text is not None or name == "actor") and (problem := wrong(name, str, text)):
            yield problem
    if not actor.strip():
        yield "expected an actor, the name that goes into the history"
    if key is not None and not key.strip():
        yield "expected a key, got an empty one"


def _deed(entry: Row[Any]) -> str:
    return f"{entry.event.replace('_', ' ')} {entry.workflow.replace('_', ' ')} {entry.row_id}"


def _payload(arguments: Mapping[str, Any]) -> str | None:
    """The arguments as JSON, the same for the same values in any order."""
    return json.dumps(arguments, default=_plain, sort_keys=True) if arguments else None


def _plain(value: datetime) -> str:
    return value.astimezone(UTC).isoformat()
