"""The statements of an event, log and apply, built once for each shape of a question and kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
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
    false,
    func,
    literal,
    null,
    select,
    true,
)

from statewright.dialects import postgresql, unindexed
from statewright.glance import Glance, glance_at
from statewright.log import FORCE, START
from statewright.outcome import entered_by, looks_beyond, target_of, written
from statewright.parameters import LOCKED, NOW, ROW, TARGET
from statewright.reach import (
    ALONE,
    ANY_ASIDE,
    along_the_link,
    foreseeable,
    from_one,
    from_the_log,
    from_the_log_alone,
    movable,
    quiet,
)
from statewright.session import locking
from statewright.statement import Statement
from statewright.tables import set_aside, transition
from statewright.workflow import Cascade, Deadline, Workflow
from statewright.writes import TEXTS, Facts, apply, facts_of, log_rows, one_together, together


@dataclass(frozen=True, slots=True)
class Plan:
    """The statements of one event: `log` writes what will move, `apply` moves just that.

    glance: the same for one row, where who writes is alone; None where any number may move
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
    holds: cascades of a single row of which `both` tells whom they may move: their neighbours are locked by then
    """

    log: Statement
    apply: Statement
    both: Statement
    timed: Statement
    glance: Callable[[], Glance] | None = None
    leads_to: str | None = None
    one: bool = False
    lock: Statement | None = None
    ahead: tuple[Statement, ...] = ()
    finish: Callable[[], Plan | None] | None = None
    ends: bool = False
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
        looked_at = _candidates(workflow, event, where, target, locked=False, refused=True)
        facts = facts_of(workflow, event, target)
        done = None if finish is None else finish.where
        return _plan(
            workflow,
            event,
            target,
            facts,
            chosen,
            known=known,
            # Each is for one kind of database alone.
            glance=cache(partial(glance_at, workflow, event, target, facts, looked_at, whole=True, done=done)),
            finish=cache(partial(_finishing, workflow, event, known, finish, held=held)) if finish else None,
            one=True,
            lock=lock,
            ahead=() if held else _ahead(workflow, event, where),
            held=held,
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
    first = case((func.row_number().over(order_by=workflow.id) == 1, TEXTS["key"])) if keyed else null()
    alone = workflow.alone(where)
    own = {row_id: literal(reason, Text()) for row_id, reason in (reasons or {}).items()}
    reason = case(own, value=workflow.id, else_=TEXTS["reason"]) if own else None
    # Rows cannot be numbered and locked in one statement.
    lock = locking(workflow.id, alone) if keyed or looks_beyond(workflow, event, target) else None
    chosen = _candidates(workflow, event, alone, target, locked=lock is None)
    known = chosen if lock is None else _candidates(workflow, event, _among_locked(workflow), target, locked=False)
    return _plan(
        workflow,
        event,
        target,
        facts_of(workflow, event, target, key=first, reason=reason),
        chosen,
        known=known,
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
    return _plan(workflow, event, None, facts_of(workflow, event, None), chosen, known=known, lock=lock)


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
        source, cause, near = from_one(cascade, neighbour) if one else from_the_log(cascade, neighbour)
        chosen = _candidates(neighbour, event, near, None, locked=False).select_from(source)
        facts = facts_of(neighbour, event, None, cause=cause, reason=null(), key=null())
        mode: dict[str, Any] = {"of": neighbour.table, "key_share": True, "nowait": not waiting}
        lock = None
        # Most often one row reaches none that could move, and to lock none is quicker than to log none.
        if one or looks_beyond(neighbour, event):
            ids = select(neighbour.id).select_from(source).where(near, neighbour.state.in_(sources))
            lock = Statement(ids.order_by(neighbour.id).with_for_update(**mode))
            known = chosen.where(_among_locked(neighbour))
        else:
            known = chosen.order_by(neighbour.id).with_for_update(**mode)
        glance = log = None
        if one:
            source, near = along_the_link(cascade, neighbour, ROW)
            # Two are as good as any number: then they are not moved one by one.
            few = _candidates(neighbour, event, near, None, locked=False, refused=True).select_from(source)
            glance = cache(partial(glance_at, neighbour, event, None, facts, few.limit(2), whole=False))
        else:
            source, cause, near = from_the_log_alone(cascade, neighbour)
            reached = _candidates(neighbour, event, near, None, locked=False).select_from(source)
            log = log_rows({**facts, "cause": cause}, reached.group_by(neighbour.id))
        return _plan(neighbour, event, None, facts, chosen, known=known, log=log, glance=glance, lock=lock)

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
    facts: Facts,
    chosen: Select[Any],
    *,
    known: Select[Any],
    log: Insert | None = None,
    glance: Callable[[], Glance] | None = None,
    one: bool = False,
    lock: Statement | None = None,
    ahead: tuple[Statement, ...] = (),
    held: bool = False,
    finish: Callable[[], Plan | None] | None = None,
    ends: bool = False,
    silent: bool = False,
) -> Plan:
    """All statements of an event, given what is logged of the rows that are chosen.

    known:  the same rows, once they are locked
    log:    what writes their log rows where nobody else writes, if there is a better way
    silent: they are chosen to set nothing off, and only while nothing is set aside
    """
    entered = entered_by(workflow, event, target)
    if len(entered) == 1:
        moved = select(transition.c.row_id).where(ALONE)
        applied = apply(workflow, written(workflow, event, entered, TARGET), workflow.id.in_(moved))
    else:
        values = written(workflow, event, entered, transition.c.target)
        applied = apply(workflow, values, ALONE, transition.c.row_id == workflow.id)
    foretold = foreseeable(workflow, event) if one and not silent else ()
    holds = tuple(each for each in foretold if held or _goes_ahead(workflow, each.to))
    logged = log_rows(facts, known)

    def applied_to(rows: Any) -> Update:
        return apply(workflow, written(workflow, event, entered, rows.target), rows.row_id == workflow.id)

    if one:
        told = [movable(workflow, each) for each in holds]
        both = one_together(workflow, logged, applied_to, told, aside=false() if silent else ANY_ASIDE)
    else:
        both = together(logged, applied_to)
    return Plan(
        log=Statement(log_rows(facts, chosen) if log is None else log),
        apply=Statement(applied),
        both=Statement(both),
        timed=Statement(both, {NOW.key: postgresql.PRESENT}),
        glance=glance,
        leads_to=next(iter(entered)) if len(entered) == 1 else None,
        one=one,
        lock=lock,
        ahead=ahead,
        finish=finish,
        ends=ends,
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
    return _plan(
        workflow, event, None, facts_of(workflow, event, None), narrowed, known=narrowed, one=True, silent=True
    )


def _ahead(workflow: Workflow, event: str, where: ColumnElement[bool]) -> tuple[Statement, ...]:
    """Locks for what cascades may reach from these rows in the workflows declared after theirs, the last first."""
    if workflow.together is None:
        return ()
    found: list[tuple[int, Statement]] = []
    seen: set[tuple[Any, ...]] = set()

    def follow(source: Workflow, event: str, ids: Select[Any]) -> None:
        for cascade in source.cascades_of(event):
            neighbour = source.neighbour(cascade)
            # Along two links, the same event may come to different rows.
            way = (neighbour.name, cascade.event, cascade.along.here, cascade.along.there)
            if way in seen:
                continue
            seen.add(way)
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
    refused: bool = False,
) -> Select[Any]:
    """The rows of a selection that the chart lets move; its columns are filled in by `log_rows`.

    refused: with those that it does not let move, where their target tells it, which is NULL then
    """
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
    told = refused and len(entered_by(workflow, event, target)) > 1
    if not told and any(None in decisions.decisions[state, event].outcomes.values() for state in sources):
        chosen = chosen.where(target_of(workflow, event, target).is_not(None))
    return chosen
