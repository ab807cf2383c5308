"""The statements of an event, log and apply, built once for each shape of a question and kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Insert,
    Select,
    Text,
    Update,
    and_,
    case,
    exists,
    func,
    insert,
    literal,
    null,
    select,
    true,
    update,
)

from statewright.dialects import postgresql, unindexed
from statewright.log import FORCE, START
from statewright.outcome import destination, entered_by, looks_beyond, target_of, written
from statewright.parameters import BATCH, LOCKED, NOW, ROW, TARGET
from statewright.reach import ANY_ASIDE, REACH, foreseeable, from_one, from_the_log, movable, quiet, whence
from statewright.session import locking
from statewright.statement import Statement, parameter
from statewright.tables import set_aside, transition
from statewright.workflow import Cascade, Deadline, Workflow

_TEXTS = {name: parameter(name, Text()) for name in ("actor", "reason", "key", "payload")}


@dataclass(frozen=True, slots=True)
class Plan:
    """The statements of one event: `log` writes what will move, `apply` moves just that.

    apply_one: the same for a single row, told with its target, by the state that it leaves; None where a row is
           not known to be there
    whence: tells of the log row `log_id` of a single move: whether any row is set aside, its row, source and
           target; then, for each of `reaches`, whether it would move any neighbour
    one:   it moves the row whose id is told, and no other
    both:  log and apply as one statement, where a statement may write in its parts; it tells of the log rows how
           many they are, the first and the last id, whether any row is set aside, and the highest row, source,
           target and instant: those of the only one, if it is one. Of `one` row, it tells for each of `holds` whom
           it would move, and then the row itself
    timed: the same, at an instant that the statement itself takes from the database's clock
    lock:  locks the rows first and tells their ids, among which `both` then chooses: where several write at once,
           a statement that waited for a row sees that row anew, but its neighbours as they were before it waited
    ahead: locks the neighbours that go before these rows in the one order in which calls lock: the workflows' own,
           backwards
    leads_to: the only state that the event leads to; None when there are several
    finish: the same for a row that sets nothing off and after which nothing comes: COMMIT may go with it
    ends:  nothing comes after any row, so that COMMIT may go with the last step that it sets off
    reaches, holds: cascades of a single row of which it is told early whom they may move: by `whence` where who
           writes is alone, by `both` where their neighbours are locked by then
    """

    log: Statement
    apply: Statement
    apply_one: Callable[[str | None], Statement] | None
    whence: Statement
    both: Statement
    timed: Statement
    leads_to: str | None = None
    one: bool = False
    lock: Statement | None = None
    ahead: tuple[Statement, ...] = ()
    finish: Plan | None = None
    ends: bool = False
    reaches: tuple[Cascade, ...] = ()
    holds: tuple[Cascade, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Finish:
    """A session has nothing to do after a move: of any row, or of one of which a condition holds.

    The statements built for it are kept, so each is made once, not with every call.
    """

    where: ColumnElement[bool] | None = None


def for_row(
    workflow: Workflow,
    event: str,
    target: str | None = None,
    *,
    held: bool = False,
    finish: Finish | None = None,
) -> Plan:
    """Move the one row whose id is told as `step_row`.

    held:   what its cascades may reach is locked already
    finish: where its session has nothing more to do then
    """

    def build() -> Plan:
        where = workflow.id == ROW
        lock = locking(workflow.id, where) if looks_beyond(workflow, event, target) else None
        chosen = _candidates(workflow, event, where, target)
        known = chosen if lock is None else _candidates(workflow, event, where, target, locked=False)
        return _plan(
            workflow,
            event,
            target,
            log_rows(workflow, event, chosen, target),
            log_rows(workflow, event, known, target),
            one=True,
            lock=lock,
            ahead=() if held else _ahead(workflow, event, where),
            held=held,
            finish=None if finish is None else _finishing(workflow, event, known, finish, held=held),
            ends=finish is not None and finish.where is None,
        )

    return workflow.kept(("row", event, target, held, finish), build)


def for_selection(
    workflow: Workflow,
    event: str,
    where: ColumnElement[bool],
    target: str | None = None,
    *,
    keyed: bool,
    reasons: Mapping[int, str] | None = None,
) -> Plan:
    """Move every row that meets a condition; an idempotency key, if any, is written on the first of them only.

    reasons: why, by id, for rows that have a reason of their own
    """
    # To number a million rows would cost a third of the time that it takes to move them.
    first = case((func.row_number().over(order_by=workflow.id) == 1, _TEXTS["key"])) if keyed else null()
    alone = workflow.alone(where)
    own = {row_id: literal(reason, Text()) for row_id, reason in (reasons or {}).items()}
    reason = case(own, value=workflow.id, else_=_TEXTS["reason"]) if own else None
    # Rows cannot be numbered and locked in one statement.
    lock = locking(workflow.id, alone) if keyed or looks_beyond(workflow, event, target) else None
    chosen = _candidates(workflow, event, alone, target, locked=lock is None)
    known = chosen if lock is None else _candidates(workflow, event, _among_locked(workflow), target, locked=False)
    return _plan(
        workflow,
        event,
        target,
        log_rows(workflow, event, chosen, target, key=first, reason=reason),
        log_rows(workflow, event, known, target, key=first, reason=reason),
        lock=lock,
        ahead=_ahead(workflow, event, alone),
    )


def for_deadline(workflow: Workflow, deadline: Deadline, *, limit: int, skipping: bool, walking: bool) -> Plan:
    """Move at most `limit` rows whose deadline has come.

    skipping: leave out the rows that are set aside for now
    walking:  in the order of their ids, from just after the one told as `step_row`; else the longest overdue first
    """

    def build() -> Plan:
        return _for_due(
            workflow, deadline, due(workflow, deadline, limit=limit, skipping=skipping, walking=walking)
        )

    return workflow.kept(("deadline", deadline.event, limit, skipping, walking), build)


def for_due_among(workflow: Workflow, deadline: Deadline, ids: Sequence[int]) -> Plan:
    """Move those of a few rows whose deadline has come, and which are not set aside for now."""
    among = due(workflow, deadline, limit=len(ids), skipping=True).where(workflow.id.in_(ids))
    return _for_due(workflow, deadline, among)


def _for_due(workflow: Workflow, deadline: Deadline, chosen: Select[Any]) -> Plan:
    event = deadline.event
    locking = chosen.with_for_update(of=workflow.table, key_share=True, skip_locked=True)
    if looks_beyond(workflow, event):
        known = _candidates(workflow, event, _among_locked(workflow), None, locked=False)
        lock = Statement(locking.add_columns(workflow.id))
    else:
        known, lock = locking, None
    log = log_rows(workflow, event, chosen, None)
    return _plan(workflow, event, None, log, log_rows(workflow, event, known, None), lock=lock)


def due(
    workflow: Workflow, deadline: Deadline, *, limit: int, skipping: bool, walking: bool = False
) -> Select[Any]:
    """The rows that a deadline moves now, without columns, in the order in which they are moved."""
    at: ColumnElement[Any] = unindexed(deadline.at) if walking else deadline.at
    where = at <= NOW
    if walking:
        where = and_(where, workflow.id > ROW)
    if skipping:
        where = and_(where, ~set_aside_for_now(workflow, deadline.event))
    chosen = _candidates(workflow, deadline.event, where, None, locked=False)
    # The limit is a part of the statement: a plan for any number of rows would read whole tables.
    return chosen.order_by(workflow.id if walking else deadline.at).limit(limit)


def for_cascade(workflow: Workflow, cascade: Cascade, *, one: bool, waiting: bool) -> Plan:
    """Move the neighbours reached from the move just made.

    one:     from the row told as `step_row`, whose log row is told as `step_cause`; otherwise from the log rows
             just after `step_after` up to `step_upto`
    waiting: for neighbours that somebody else has locked; otherwise the statement fails at once
    """
    neighbour = workflow.neighbour(cascade)

    def build() -> Plan:
        event, sources = cascade.event, neighbour.decisions.sources(cascade.event)
        facts: dict[str, Any] = {"reason": null(), "key": null()}
        source, cause, near = from_one(cascade, neighbour) if one else from_the_log(cascade, neighbour)
        chosen = _candidates(neighbour, event, near, None, locked=False).select_from(source)
        log = log_rows(neighbour, event, chosen, None, cause=cause, **facts)
        mode: dict[str, Any] = {"of": neighbour.table, "key_share": True, "nowait": not waiting}
        lock = None
        # Most often one row reaches none that could move, and to lock none is quicker than to log none.
        if one or looks_beyond(neighbour, event):
            ids = select(neighbour.id).select_from(source).where(near, neighbour.state.in_(sources))
            lock = Statement(ids.order_by(neighbour.id).with_for_update(**mode))
            chosen = chosen.where(_among_locked(neighbour))
        else:
            chosen = chosen.order_by(neighbour.id).with_for_update(**mode)
        logged = log_rows(neighbour, event, chosen, None, cause=cause, **facts)
        return _plan(neighbour, event, None, log, logged, lock=lock)

    return workflow.kept(("cascade", cascade, neighbour, one, waiting), build)


def set_aside_for_now(workflow: Workflow, event: str) -> ColumnElement[bool]:
    """Whether a row waits for another try after the database refused to move it."""
    return exists().where(
        set_aside.c.workflow == workflow.name,
        set_aside.c.row_id == workflow.id,
        set_aside.c.event == event,
        set_aside.c.retry_at > NOW,
    )


def _plan(
    workflow: Workflow,
    event: str,
    target: str | None,
    log: Insert,
    logged: Insert,
    *,
    one: bool = False,
    lock: Statement | None = None,
    ahead: tuple[Statement, ...] = (),
    held: bool = False,
    finish: Plan | None = None,
    ends: bool = False,
) -> Plan:
    """All statements of an event, given its log; `logged` is the same where rows are locked."""
    entered = entered_by(workflow, event, target)
    if len(entered) == 1:
        moved = select(transition.c.row_id).where(REACH)
        apply = _apply(workflow, event, entered, TARGET, workflow.id.in_(moved))
    else:
        apply = _apply(workflow, event, entered, transition.c.target, REACH, transition.c.row_id == workflow.id)
    reaches = foreseeable(workflow, event)
    holds = tuple(each for each in reaches if one and (held or _goes_ahead(workflow, each.to)))

    def apply_logged(rows: Any) -> Update:
        return _apply(workflow, event, entered, rows.target, rows.row_id == workflow.id)

    if one:
        both = _one_together(workflow, logged, apply_logged, [movable(workflow, each) for each in holds])
    else:
        both = together(logged, apply_logged)

    @cache
    def apply_one(source: str | None) -> Statement:
        return Statement(_apply(workflow, event, entered, TARGET, workflow.id == ROW, source=source))

    return Plan(
        log=Statement(log),
        apply=Statement(apply),
        apply_one=apply_one,
        whence=whence(workflow, reaches),
        both=Statement(both),
        timed=Statement(both, {NOW.key: postgresql.PRESENT}),
        leads_to=next(iter(entered)) if len(entered) == 1 else None,
        one=one,
        lock=lock,
        ahead=ahead,
        finish=finish,
        ends=ends,
        reaches=reaches,
        holds=holds,
    )


def _finishing(workflow: Workflow, event: str, known: Select[Any], finish: Finish, *, held: bool) -> Plan | None:
    """See `Plan.finish`: none for a move that could be made twice, where the first answer is lost on its way."""
    again = {target for _, target in workflow.moves(event)} & set(workflow.decisions.sources(event))
    sets_nothing_off = quiet(workflow, event)
    if again or sets_nothing_off is None:
        return None
    if workflow.cascades_of(event) and (finish.where is None or not held):
        # It would most often be asked for nothing, or of rows that others may move meanwhile.
        return None
    narrowed = known.where(sets_nothing_off, true() if finish.where is None else finish.where)
    log = log_rows(workflow, event, narrowed, None)
    return _plan(workflow, event, None, log, log, one=True, held=True)


def together(log: Insert, apply: Callable[[Any], Update | Insert]) -> Select[*tuple[Any, ...]]:
    """Log and apply as one statement; what it tells is in `Plan`. apply: is given the columns of the log rows."""
    logged = log.returning(*_LOGGED).cte("logged")
    applied = apply(logged.c).cte("applied")
    ends = func.min(logged.c.id), func.max(logged.c.id)
    rest = (func.max(logged.c[name]) for name in ("row_id", "source", "target", "at"))
    return select(func.count(), *ends, ANY_ASIDE, *rest).select_from(logged).add_cte(applied)


def _one_together(
    workflow: Workflow, log: Insert, apply: Callable[[Any], Update], told: Sequence[ColumnElement[Any]]
) -> Select[*tuple[Any, ...]]:
    """The same of one row, which is told too; nothing where it does not move."""
    logged = log.returning(*_LOGGED).cte("logged")
    applied = apply(logged.c).returning(*workflow.table.c).cte("applied")
    ends = logged.c.id, logged.c.id.label("last")
    rest = (logged.c[name] for name in ("row_id", "source", "target", "at"))
    return select(literal(1), *ends, ANY_ASIDE, *rest, *told, *applied.c).join_from(
        logged, applied, applied.c.id == logged.c.row_id
    )


_LOGGED = (transition.c.id, transition.c.row_id, transition.c.source, transition.c.target, transition.c.at)


def _ahead(workflow: Workflow, event: str, where: ColumnElement[bool]) -> tuple[Statement, ...]:
    """Locks for what cascades may reach from these rows in the workflows declared after theirs, the last first."""
    if workflow.together is None:
        return ()
    found: list[tuple[int, Statement]] = []
    seen: set[tuple[str, str]] = set()

    def follow(source: Workflow, event: str, ids: Select[Any]) -> None:
        for cascade in source.cascades_of(event):
            neighbour = source.neighbour(cascade)
            if (neighbour.name, cascade.event) in seen:
                continue
            seen.add((neighbour.name, cascade.event))
            reached = select(cascade.along.there).where(cascade.along.here.in_(ids)).correlate(None)
            if _goes_ahead(workflow, neighbour.name):
                found.append((_place(workflow, neighbour.name), locking(neighbour.id, neighbour.id.in_(reached))))
            follow(neighbour, cascade.event, reached)

    follow(workflow, event, select(workflow.id).where(where).correlate(None))
    return tuple(lock for _, lock in sorted(found, key=lambda each: -each[0]))


def _goes_ahead(workflow: Workflow, neighbour: str) -> bool:
    """Whether calls lock these neighbours before a workflow's own rows: they are declared after it."""
    return _place(workflow, neighbour) > _place(workflow, workflow.name)


def _place(workflow: Workflow, name: str) -> int:
    """Where a workflow stands among those that it is declared together with."""
    return [*(workflow.together or ())].index(name)


def _among_locked(workflow: Workflow) -> ColumnElement[bool]:
    return workflow.id == func.any(LOCKED)


def _candidates(
    workflow: Workflow,
    event: str,
    where: ColumnElement[bool] | None,
    target: str | None,
    *,
    locked: bool = True,
) -> Select[Any]:
    """The rows of a selection that the chart lets move; its columns are filled in by `log_rows`."""
    chosen = select().select_from(workflow.table)
    if locked:
        chosen = chosen.with_for_update(of=workflow.table, key_share=True)
    if where is not None:
        chosen = chosen.where(where)
    if event in (START, FORCE):
        return chosen.where(target_of(workflow, event, target).is_not(None))
    decisions = workflow.decisions
    sources = decisions.sources(event)
    chosen = chosen.where(workflow.state.in_(sources))
    if any(None in decisions.decisions[state, event].outcomes.values() for state in sources):
        chosen = chosen.where(target_of(workflow, event, target).is_not(None))
    return chosen


def log_rows(
    workflow: Workflow,
    event: str,
    chosen: Select[Any],
    target: str | None,
    *,
    cause: ColumnElement[Any] | None = None,
    reason: ColumnElement[Any] | None = None,
    key: ColumnElement[Any] | None = None,
) -> Insert:
    ends = [deadline.at for deadline in workflow.deadlines if deadline.event == event]
    values: dict[str, ColumnElement[Any]] = {
        "batch": BATCH,
        "cause": null() if cause is None else cause,
        "workflow": literal(workflow.name, Text()),
        "row_id": workflow.id,
        "event": literal(event, Text()),
        "source": null() if event == START else workflow.state,
        "target": destination(workflow, event, target),
        "at": NOW,
        "due_at": case((ends[0] <= NOW, ends[0])) if ends else null(),
        "actor": _TEXTS["actor"],
        "reason": _TEXTS["reason"] if reason is None else reason,
        "chart": literal(workflow.decisions.fingerprint, Text()),
        "key": _TEXTS["key"] if key is None else key,
        "payload": _TEXTS["payload"] if cause is None else null(),
    }
    return insert(transition).from_select(list(values), chosen.add_columns(*values.values()))


def _apply(
    workflow: Workflow,
    event: str,
    moved: set[str],
    target: ColumnElement[Any],
    *where: ColumnElement[bool],
    source: str | None = None,
) -> Update:
    """The one statement that writes the `state` of rows that are there: each follows its log row."""
    return update(workflow.table).values(written(workflow, event, moved, target, source)).where(*where)
