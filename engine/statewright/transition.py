"""How a row moves: every change of state in the program passes through here, one row or a million alike."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NoReturn

from sqlalchemy import BigInteger, ColumnElement, Row, delete, func, or_, select, tuple_
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, PendingRollbackError
from sqlmodel import Session

from statewright import dialects, keys, plan
from statewright.errors import Conflict, WrongArguments
from statewright.explain import refusal
from statewright.log import FORCE, START
from statewright.parameters import LARGEST, bound, wrong
from statewright.plan import Plan
from statewright.session import expect_to_write
from statewright.statement import Statement, parameter
from statewright.tables import set_aside, transition
from statewright.workflow import Deadline, Workflow


@dataclass(frozen=True, slots=True)
class Moved:
    """What a call did: rows moved by the event itself, and by the cascades it set off.

    batch:    what the log rows of this call share
    cascaded: how many rows moved, by (workflow, event)
    replayed: the call's idempotency key was known, so nothing was done again
    passed:   the id of the last row moved, where rows were moved in the order of their ids
    """

    rows: int
    batch: int = 0
    cascaded: Mapping[tuple[str, str], int] = field(default_factory=dict)
    replayed: bool = False
    passed: int | None = None


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
    after: int | None = None,
    among: Sequence[int] | None = None,
) -> Moved:
    """Send a deadline's event to at most `limit` rows whose time has come, the longest overdue first.

    now:      the instant to go by; the store's clock unless given
    skipping: leave out the rows that are set aside for now
    after:    in the order of the rows' ids instead, from just after this one
    among:    only rows with these ids, none of them set aside
    Rows that somebody else has locked are left for later. Raises StoreError `busy` where a neighbour that has to
    move with them is locked.
    """
    workflow.check_call(deadline.event, {})
    call = _Call(session, workflow, deadline.event, actor=actor, now=now, waiting=False)
    if among is not None:
        return call.run(plan.for_due_among(workflow, deadline, among))
    walking = after is not None
    chosen = plan.for_deadline(workflow, deadline, limit=limit, skipping=skipping, walking=walking)
    return call.run(chosen, row=after)


def start(
    session: Session,
    workflow: Workflow,
    where: ColumnElement[bool] | int,
    *,
    actor: str,
    target: str | None = None,
    reason: str | None = None,
    reasons: Mapping[int, str] | None = None,
    key: str | None = None,
) -> Moved:
    """Begin the lives of rows just inserted: those that meet a condition and were not begun before.

    where:   the condition, or the id of one row, for which the statements are built once
    They must have been inserted in the chart's initial state.
    target:  the state they begin in; the initial one unless given
    reasons: by id, for rows that have a reason of their own
    A row whose entry guards say no is not begun, and is the caller's to remove; `refused_to_begin` tells why.
    Raises WrongArguments (no such state) or Conflict.
    """
    target = workflow.decisions.initial if target is None else target
    _check_target(workflow, START, target, None)
    call = _Call(session, workflow, START, actor=actor, reason=reason, key=key)
    if isinstance(where, int):
        return call.replay(None) or call.run_for(where, plan.for_row(workflow, START, target))
    chosen = plan.for_selection(workflow, START, where, target, keyed=key is not None, reasons=reasons)
    return call.replay(None) or call.run(chosen)


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
    moved = call.run_for(row_id, plan.for_row(workflow, FORCE, target))
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
        self.session = expect_to_write(session)
        self.driver = self.session.driver
        self.database = self.driver.database
        self.waiting = waiting
        self.workflow = workflow
        self.event = event
        self.key = key
        self.now = now or self.session.instant()
        self.batch = random.getrandbits(63)
        self.payload = _payload(arguments or {})
        self.told: dict[str, Any] = {
            **bound(self.now, arguments or {}),
            "step_batch": self.batch,
            "actor": actor,
            "reason": reason,
            "key": key,
            "payload": self.payload,
        }
        self.cascaded: Counter[tuple[str, str]] = Counter()

    def replay(self, row_id: int | None) -> Moved | None:
        """What an earlier call with the same key did; None when there was none."""
        if self.key is None:
            return None
        found = keys.recall(self.session.connection(), self.key)
        if found is None:
            return None
        meant = (self.workflow.name, self.event, found.row_id if row_id is None else row_id)
        if (found.workflow, found.event, found.row_id) != meant:
            self._conflict(row_id, f"the key {self.key!r} was used to {_deed(found)}; choose another")
        if found.payload != self.payload:
            self._conflict(
                row_id, f"the key {self.key!r} was used to {_deed(found)} with other arguments; choose another"
            )
        return Moved(found.moved if row_id is None else 1, found.batch, replayed=True)

    def run_for(self, row_id: int, steps: Plan) -> Moved:
        """Run for one row; an id that no database could keep moves nothing."""
        if abs(row_id) > LARGEST:
            return Moved(0)
        return self.run(steps, row=row_id)

    def run(self, steps: Plan, *, row: int | None = None) -> Moved:
        """Move rows, and whatever that sets off.

        row: the only one that is moved, or the last one that a walk has passed
        """
        self.session.flush()
        one = row if steps.one else None
        try:
            # Of a call with a key, an earlier one is looked for when this one fails.
            alone = self.session.whole and self.key is None
            with nullcontext() if alone else self._whole_or_not_at_all():
                moved = self._move(steps, row)
        except (IntegrityError, DataError) as error:
            # Another call with the same key may have come to its end just now.
            if replayed := self.replay(one):
                return replayed
            self._conflict(one, f"the database refused: {dialects.violated(error)}")
        if moved.rows and self.session.identity_map:
            self._refresh()
        return Moved(moved.rows, self.batch, dict(self.cascaded), passed=self._passed(steps, moved, row))

    def _passed(self, steps: Plan, moved: _Logged, row: int | None) -> int | None:
        if steps.one or row is None or not moved.rows:
            return None
        passed: int = self.driver.run(_PASSED, self._reach(moved.first, moved.last)).fetchone()[0]
        return passed

    def _move(self, steps: Plan, row: int | None) -> _Logged:
        """Log, then apply, then whatever that set off, each move with all that follows from it."""
        if not steps.one and self.database.BY_INDEX:
            self.driver.say_ahead(self.database.BY_INDEX)
        moved = self._step(steps, {**self.told, "step_row": row})
        if moved.rows and self.key is not None:
            keys.keep(
                self.session.connection(), after=moved.first - 1, batch=self.batch, at=self.now, moved=moved.rows
            )
        ahead = self._cascades(self.workflow, self.event, moved, row) if moved.rows else []
        aside, last = moved.aside, moved.last
        while ahead:
            workflow, event, following, told = ahead.pop()
            rows = self._step(following, told)
            if rows.rows:
                self.cascaded[workflow.name, event] += rows.rows
                ahead += self._cascades(workflow, event, rows, None)
                aside, last = aside or rows.aside, max(last, rows.last)
        if not steps.one and self.database.BY_CHOICE:
            self.driver.say_ahead(self.database.BY_CHOICE)
        if moved.rows and (self._anything_aside() if aside is None else aside):
            by_itself = any(deadline.event == self.event for deadline in self.workflow.deadlines)
            mended = _DONE_OR_CHANGED if by_itself else _MOVED
            self.driver.run(mended, self._reach(moved.first, last))
        return moved

    def _anything_aside(self) -> bool:
        # Where nothing is, SQLite would look through all log rows of the move to find it out.
        return self.driver.run(_ASIDE, {}).fetchone() is not None

    def _cascades(self, workflow: Workflow, event: str, moved: _Logged, row: int | None) -> list[_Ahead]:
        """What a move sets off, the last first."""
        one = moved.target is not None
        reach = self._reach(moved.first, moved.last)
        if one:
            reach |= {"step_row": row, "step_cause": moved.first}
        return [
            (
                workflow.neighbour(each),
                each.event,
                plan.for_cascade(workflow, each, one=one, waiting=self.waiting),
                reach,
            )
            for each in reversed(workflow.cascades_of(event, moved.target))
            if not (one and each.leaving and moved.source not in each.leaving)
        ]

    def _reach(self, first: int, last: int) -> dict[str, Any]:
        """What a statement is told that is about these log rows."""
        return {**self.told, "step_after": first - 1, "step_upto": last}

    def _step(self, steps: Plan, told: dict[str, Any]) -> _Logged:
        """Write the log rows, have their rows follow, and tell which log rows they are."""
        if self.database.LOCKS_ROWS:
            return self._step_among_others(steps, told)
        run = self.driver.run
        logged = run(steps.log, told)
        rows, last = logged.rowcount, logged.lastrowid
        if not rows:
            return _NOTHING
        if steps.one:
            # To have the INSERT return these takes three times as long.
            source, target = run(_WHENCE, {"log_id": last}).fetchone()
            run(steps.apply, {**told, "step_target": target})
            return _Logged(1, last, last, source=source, target=target)
        # Who writes is alone, so the ids follow each other.
        run(steps.apply, {**told, "step_after": last - rows, "step_upto": last})
        return _Logged(rows, last - rows + 1, last)

    def _step_among_others(self, steps: Plan, told: dict[str, Any]) -> _Logged:
        """The same where several write at once: lock first, then log and apply as one statement."""
        run = self.driver.run
        for ahead in steps.ahead:
            self.driver.run_ahead(ahead, told)
        if steps.lock is not None and steps.one:
            self.driver.run_ahead(steps.lock, told)
        elif steps.lock is not None:
            told["step_locked"] = [row_id for (row_id, *_) in run(steps.lock, told).fetchall()]
            if not told["step_locked"]:
                return _NOTHING
        for found in run(steps.both, told).fetchall():
            if steps.one:
                log_id, source, target, aside = found
                return _Logged(1, log_id, log_id, aside=aside, source=source, target=target)
            if found[0]:
                return _Logged(*found)
        return _NOTHING

    @contextmanager
    def _whole_or_not_at_all(self) -> Iterator[None]:
        """A savepoint, in plain SQL: SQLAlchemy's own costs three times as much, and each call makes one."""
        say = self.driver.say
        say("SAVEPOINT step")
        try:
            yield
        except BaseException:
            # After some failures, the database has ended the whole transaction itself, or is gone.
            with suppress(DBAPIError, PendingRollbackError):
                say("ROLLBACK TO SAVEPOINT step")
                say("RELEASE SAVEPOINT step")
            raise
        say("RELEASE SAVEPOINT step")

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


@dataclass(frozen=True, slots=True)
class _Logged:
    """The log rows of one move: how many, and the ids of the first and the last.

    source, target: of the one row that was asked for by its id
    aside:          whether any row at all is set aside; None where it was not looked for
    """

    rows: int
    first: int
    last: int
    aside: bool | None = None
    source: str | None = None
    target: str | None = None


_NOTHING = _Logged(0, 0, 0)
_Ahead = tuple[Workflow, str, Plan, dict[str, Any]]
_ROW = tuple_(set_aside.c.workflow, set_aside.c.row_id)
_ROWS = select(transition.c.workflow, transition.c.row_id).where(plan.REACH)
_WHENCE = Statement(
    select(transition.c.source, transition.c.target).where(transition.c.id == parameter("log_id", BigInteger()))
)
_PASSED = Statement(select(func.max(transition.c.row_id)).where(plan.REACH))
_ASIDE = Statement(select(set_aside.c.row_id).limit(1))
_MOVED = Statement(delete(set_aside).where(_ROW.in_(_ROWS)))
# A reminder, which leaves a row where it is, does not mend the expiry that the database refused.
_DONE_OR_CHANGED = Statement(
    delete(set_aside).where(
        or_(
            _ROW.in_(_ROWS.where(transition.c.source != transition.c.target)),
            tuple_(set_aside.c.workflow, set_aside.c.row_id, set_aside.c.event).in_(
                _ROWS.add_columns(transition.c.event)
            ),
        )
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
