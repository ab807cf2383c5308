"""How a row moves: every change of state in the program passes through here, one row or a million alike."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NoReturn

from sqlalchemy import ColumnElement, Row, select
from sqlalchemy.exc import DBAPIError, PendingRollbackError
from sqlmodel import Session

from statewright import dialects, keys, plan
from statewright.chain import Chain, Logged
from statewright.errors import Conflict, WrongArguments
from statewright.explain import refusal
from statewright.log import FORCE, START
from statewright.parameters import LARGEST, as_told, wrong
from statewright.plan import Plan
from statewright.session import expect_to_write
from statewright.workflow import Deadline, Workflow


# Not frozen: each call makes one, and that would take three times as long.
@dataclass(slots=True)
class Moved:
    """What a call did: rows moved by the event itself, and by the cascades it set off.

    batch:    what the log rows of this call share
    cascaded: how many rows moved, by (workflow, event)
    replayed: the call's idempotency key was known, so nothing was done again
    passed:   the id of the last row moved, where rows were moved in the order of their ids
    left:     the only row as the call left it, in the database's words; empty where that takes a look
    done:     as the only row moved it was seen that its session has nothing more to do: see `plan.Finish`
    """

    rows: int
    batch: int = 0
    cascaded: Mapping[tuple[str, str], int] = field(default_factory=dict)
    replayed: bool = False
    passed: int | None = None
    # It may hold a secret, which is not for any repr.
    left: Sequence[Any] = field(default=(), compare=False, repr=False)
    done: bool = field(default=False, compare=False)


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
    held: bool = False,
    finish: plan.Finish | None = None,
) -> Moved:
    """Send an event to one row: log, apply, cascade, in the caller's transaction.

    key:    makes the call idempotent; the same call with the same key does nothing again
    held:   the caller has locked what the row's cascades may reach, by `hold`
    finish: the session has nothing to do after this: where several may write at once, COMMIT goes to the server
            together with the last step, if that can be known to be the last, and `Moved.done` tells what could be
            seen before; only in a session of this call alone
    Raises UnknownRow, UnknownEvent, EventNotPossible, GuardRefused, WrongArguments or Conflict; the
    transaction is then as it was before the call.
    """
    workflow.check_call(event, arguments or {})
    call = _Call(session, workflow, event, actor=actor, reason=reason, key=key, arguments=arguments)
    if key is not None and (replayed := call.replay(row_id)):
        return replayed
    finishing = key is None and call.session.whole
    moved = call.run(plan.for_row(workflow, event, held=held, finish=finish if finishing else None), row=row_id)
    if not moved.rows:
        if replayed := call.replay(row_id):
            return replayed
        raise refusal(session, workflow, event, row_id, now=call.chain.now, arguments=arguments or {})
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
        return call.replay(None) or call.run(plan.for_row(workflow, START, target), row=where)
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
    moved = call.run(plan.for_row(workflow, FORCE, target), row=row_id)
    if not moved.rows:
        raise refusal(session, workflow, FORCE, row_id, now=call.chain.now, arguments={})
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
        if problem := _problem_of_texts(actor, reason, key):
            tried = f"cannot {event.replace('_', ' ')} {workflow.noun}"
            raise WrongArguments(f"{tried}: {problem}", workflow=workflow.name, event=event, row_id=None)
        self.session = expect_to_write(session)
        self.workflow = workflow
        self.event = event
        self.key = key
        self.batch = self.session.new_batch()
        self.payload = _payload(arguments) if arguments else None
        told = {
            "step_batch": self.batch,
            "actor": actor,
            "reason": reason,
            "key": key,
            "payload": self.payload,
        }
        if arguments:
            told |= as_told(arguments)
        self.chain = Chain(self.session, workflow, event, told, now=now, waiting=waiting)

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

    def run(self, steps: Plan, *, row: int | None = None) -> Moved:
        """Move rows, and whatever that sets off.

        row: the only one that is moved, or the last one that a walk has passed
        An id that no database could keep moves nothing.
        """
        if row is not None and abs(row) > LARGEST:
            return Moved(0)
        if not self.session.untouched:
            self.session.flush()
        one = row if steps.one else None
        try:
            # Of a call with a key, an earlier one is looked for when this one fails.
            if self.session.whole and self.key is None:
                moved = self.chain.run(steps, row)
            else:
                with self._whole_or_not_at_all():
                    moved = self.chain.run(steps, row)
                    if moved.rows and self.key is not None:
                        self._keep(moved)
        except DBAPIError as error:
            if not dialects.refused(error):
                raise
            # Another call with the same key may have come to its end just now.
            if replayed := self.replay(one):
                return replayed
            self._conflict(one, f"the database refused: {dialects.violated(error)}")
        if moved.rows and not self.session.untouched and self.session.identity_map:
            self._refresh()
        walking = moved.rows and row is not None and not steps.one
        passed = self.chain.passed(moved) if walking else None
        # Where a cascade came back to rows of this kind, it may have moved this one too.
        left = () if self.chain.came_back else moved.left
        return Moved(moved.rows, self.batch, self.chain.cascaded, passed=passed, left=left, done=moved.done)

    def _keep(self, moved: Logged) -> None:
        keys.keep(
            self.session.connection(),
            after=moved.first - 1,
            batch=self.batch,
            at=self.chain.now,
            moved=moved.rows,
        )

    @contextmanager
    def _whole_or_not_at_all(self) -> Iterator[None]:
        """A savepoint, in plain SQL: SQLAlchemy's own costs three times as much, and each call makes one."""
        driver = self.session.driver
        driver.announce("SAVEPOINT step")
        try:
            yield
        except BaseException:
            # After some failures, the database has ended the whole transaction itself, or is gone.
            with suppress(DBAPIError, PendingRollbackError):
                driver.say("ROLLBACK TO SAVEPOINT step")
                driver.say("RELEASE SAVEPOINT step")
            raise
        driver.announce("RELEASE SAVEPOINT step")

    def _refresh(self) -> None:
        """Let rows that the caller holds in this session show what became of them."""
        moved = {self.workflow.name, *(name for name, _ in self.chain.cascaded)}
        held: dict[Any, list[int]] = {}
        for row in self.session.identity_map.all_states():
            if getattr(row.mapper.local_table, "info", {}).get("workflow") in moved and row.identity:
                held.setdefault(row.mapper, []).append(row.identity[0])
        for mapper, ids in held.items():
            for first in range(0, len(ids), _AT_ONCE):
                chosen = select(mapper.class_).where(mapper.local_table.c.id.in_(ids[first : first + _AT_ONCE]))
                self.session.execute(chosen.execution_options(populate_existing=True)).all()

    def _conflict(self, row_id: int | None, why: str) -> NoReturn:
        tried = f"cannot {self.event.replace('_', ' ')} {self.workflow.noun}"
        subject = tried if row_id is None else f"{tried} {row_id}"
        raise Conflict(f"{subject}: {why}", workflow=self.workflow.name, event=self.event, row_id=row_id) from None


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


def _problem_of_texts(actor: Any, reason: str | None, key: str | None) -> str | None:
    if problem := _problem_of_actor(actor) if isinstance(actor, str) else wrong("actor", str, actor):
        return problem
    if reason is not None and (problem := wrong("reason", str, reason)):
        return problem
    if key is None:
        return None
    return wrong("key", str, key) or (None if key.strip() else "expected a key, got an empty one")


@lru_cache(maxsize=1_000)
def _problem_of_actor(actor: str) -> str | None:
    """Remembered, because a few do nearly everything."""
    if problem := wrong("actor", str, actor):
        return problem
    return None if actor.strip() else "expected an actor, the name that goes into the history"


def _deed(entry: Row[Any]) -> str:
    return f"{entry.event.replace('_', ' ')} {entry.workflow.replace('_', ' ')} {entry.row_id}"


def _payload(arguments: Mapping[str, Any]) -> str:
    """The arguments as JSON, the same for the same values in any order."""
    return json.dumps(arguments, default=_plain, sort_keys=True)


def _plain(value: datetime) -> str:
    return value.astimezone(UTC).isoformat()
