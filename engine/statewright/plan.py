"""A chart's answer as SQL: the two statements, log and apply, that one event needs, built once and kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    FromClause,
    Insert,
    Select,
    Text,
    Update,
    and_,
    bindparam,
    case,
    exists,
    func,
    insert,
    literal,
    null,
    select,
    type_coerce,
    update,
)
from sqlalchemy.sql import visitors
from sqlalchemy.sql.selectable import SelectBase

from statewright.chart import Decision
from statewright.log import FORCE, START
from statewright.parameters import NOW
from statewright.tables import set_aside, transition
from statewright.workflow import Cascade, Deadline, Workflow

# What the UPDATE is told must not be called like any column of the row: SQLAlchemy would set that column.
BATCH = bindparam("step_batch", type_=BigInteger())
BEFORE = bindparam("step_before", type_=BigInteger())
REACH = bindparam("reach_after", type_=BigInteger()), bindparam("reach_upto", type_=BigInteger())
ROW = bindparam("row", type_=BigInteger())
LOCKED = bindparam("locked", type_=ARRAY(BigInteger))
LIMIT = bindparam("limit", type_=BigInteger())
_TEXTS = {name: bindparam(name, type_=Text()) for name in ("actor", "reason", "key", "payload")}


@dataclass(frozen=True, slots=True)
class Plan:
    """The statements of one event: `log` writes what will move, `apply` moves just that.

    lock:   locks the rows first and tells their ids; where several write at once, a statement that waited for a
            row sees that row anew, but its neighbours as they were before it waited
    locked: `log` among the rows whose ids are bound to `locked`; None where it would choose just those anyway
    ahead:  locks the neighbours that go before these rows in the one order in which calls lock: the workflows'
            own, backwards
    """

    log: Insert
    apply: Update
    lock: Select[Any] | None = None
    locked: Insert | None = None
    ahead: tuple[Select[Any], ...] = ()


def for_row(workflow: Workflow, event: str, target: str | None = None) -> Plan:
    """Move the one row whose id is bound to `row`."""
    return _kept(workflow, ("row", event, target), lambda: _plan(workflow, event, workflow.id == ROW, target))


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
    chosen = _candidates(workflow, event, alone, target, locked=not keyed)
    log = _log(workflow, event, chosen, target, key=first, reason=reason)
    known = _candidates(workflow, event, _among_locked(workflow), target, locked=False)
    among = _log(workflow, event, known, target, key=first, reason=reason)
    lock = _lock(workflow, alone) if keyed or looks_beyond(workflow, event) else None
    return Plan(log, _apply(workflow, event, target), lock, among, _ahead(workflow, event, alone))


def for_deadline(workflow: Workflow, deadline: Deadline, *, skipping: bool, among: bool = False) -> Plan:
    """Move at most `limit` rows whose deadline has come, the longest overdue first.

    skipping: leave out the rows that are set aside for now
    among:    only rows whose ids are bound to `among`
    """

    def build() -> Plan:
        event = deadline.event
        chosen = due(workflow, deadline, skipping=skipping)
        if among:
            chosen = chosen.where(workflow.id.in_(bindparam("among", expanding=True)))
        chosen = chosen.with_for_update(of=workflow.table, key_share=True, skip_locked=True)
        locked = lock = None
        if looks_beyond(workflow, event):
            lock = chosen.add_columns(workflow.id)
            known = _candidates(workflow, event, _among_locked(workflow), None, locked=False)
            locked = _log(workflow, event, known, None)
        return Plan(_log(workflow, event, chosen, None), _apply(workflow, event, None), lock, locked)

    return _kept(workflow, ("deadline", deadline.event, skipping, among), build)


def due(workflow: Workflow, deadline: Deadline, *, skipping: bool) -> Select[Any]:
    """The rows that a deadline moves now, without columns, in the order in which they are moved."""
    where = deadline.at <= NOW
    if skipping:
        where = and_(where, ~set_aside_for_now(workflow, deadline.event))
    chosen = _candidates(workflow, deadline.event, where, None, locked=False)
    return chosen.order_by(deadline.at, workflow.id).limit(LIMIT)


def for_cascade(workflow: Workflow, cascade: Cascade, *, waiting: bool) -> Plan:
    """Move the neighbours reached from the log rows of the step just made.

    Their ids run from just after `reach_after` up to `reach_upto`.
    waiting: for neighbours that somebody else has locked; otherwise the statement fails at once
    """

    neighbour = workflow.neighbour(cascade)

    def build() -> Plan:
        after, upto = REACH
        here, there = cascade.along.here, cascade.along.there
        reached_from = (
            select(func.min(transition.c.id).label("cause"), there.label("id"))
            .select_from(transition.join(here.table, here == transition.c.row_id))
            .where(transition.c.id > after, transition.c.id <= upto, transition.c.batch == BATCH)
            .where(there.is_not(None))
            .group_by(there)
        )
        if cascade.entering:
            reached_from = reached_from.where(transition.c.target.in_(cascade.entering))
        if cascade.leaving:
            reached_from = reached_from.where(transition.c.source.in_(cascade.leaving))
        reached = reached_from.subquery("reached")
        source: FromClause = reached.join(neighbour.table, neighbour.id == reached.c.id)
        chosen = _candidates(neighbour, cascade.event, None, None, locked=False).select_from(source)
        log = _log(neighbour, cascade.event, chosen, None, cause=reached.c.cause, reason=null(), key=null())
        lock = select(neighbour.id).select_from(source).where(neighbour.state.in_(sources)).order_by(neighbour.id)
        lock = lock.with_for_update(of=neighbour.table, key_share=True, nowait=not waiting)
        return Plan(log, _apply(neighbour, cascade.event, None), lock)

    sources = neighbour.decisions.sources(cascade.event)
    return _kept(workflow, ("cascade", cascade, neighbour, waiting), build)


def looks_beyond(workflow: Workflow, event: str) -> bool:
    """Whether a guard or an assignment of this event reads more than the row itself."""
    decisions = workflow.decisions
    if event == START:
        guards = {name for names in workflow.entry.values() for name in names}
    else:
        known = decisions.decisions
        guards = {name for (_, its), decision in known.items() if its == event for name in decision.guards}
    expressions = [workflow.guards[name].holds for name in guards]
    expressions += [assign.value for assign in workflow.assigns if hasattr(assign.value, "get_children")]
    return any(
        isinstance(element, SelectBase) for expression in expressions for element in visitors.iterate(expression)
    )


def set_aside_for_now(workflow: Workflow, event: str) -> ColumnElement[bool]:
    """Whether a row waits for another try after the database refused to move it."""
    return exists().where(
        set_aside.c.workflow == workflow.name,
        set_aside.c.row_id == workflow.id,
        set_aside.c.event == event,
        set_aside.c.retry_at > NOW,
    )


def target_of(workflow: Workflow, event: str, target: str | None) -> ColumnElement[Any]:
    """The chart's answer for a row: the state that the event leads to, or NULL where it is refused."""
    if event == FORCE:
        return case((workflow.state != target, literal(target, Text())))
    if event == START:
        guards = [workflow.guards[name].holds for name in workflow.entry.get(target or "", ())]
        unborn = and_(
            workflow.state == workflow.decisions.initial,
            ~exists().where(transition.c.workflow == workflow.name, transition.c.row_id == workflow.id),
        )
        return case((and_(unborn, *guards), literal(target, Text())))
    trees = {
        state: _tree(workflow, workflow.decisions.decisions[state, event])
        for state in workflow.decisions.sources(event)
    }
    return case(trees, value=workflow.state)


def _tree(workflow: Workflow, decision: Decision) -> ColumnElement[Any]:
    """A decision as nested CASEs that ask no guard twice, nor one whose answer does not matter."""

    def grow(guards: tuple[str, ...], outcomes: Mapping[tuple[bool, ...], str | None]) -> ColumnElement[Any]:
        if len(set(outcomes.values())) == 1:
            (target,) = set(outcomes.values())
            return null() if target is None else literal(target, Text())
        first, rest = guards[0], guards[1:]
        yes = {facts[1:]: target for facts, target in outcomes.items() if facts[0]}
        no = {facts[1:]: target for facts, target in outcomes.items() if not facts[0]}
        if yes == no:
            return grow(rest, yes)
        return case((workflow.guards[first].holds, grow(rest, yes)), else_=grow(rest, no))

    return grow(decision.guards, decision.outcomes)


def _plan(workflow: Workflow, event: str, where: ColumnElement[bool], target: str | None) -> Plan:
    chosen = _candidates(workflow, event, where, target)
    lock = _lock(workflow, where) if looks_beyond(workflow, event) else None
    log = _log(workflow, event, chosen, target)
    return Plan(log, _apply(workflow, event, target), lock, ahead=_ahead(workflow, event, where))


def _ahead(workflow: Workflow, event: str, where: ColumnElement[bool]) -> tuple[Select[Any], ...]:
    """Locks for what cascades may reach from these rows in the workflows declared after theirs, the last first."""
    if workflow.together is None:
        return ()
    places = {name: place for place, name in enumerate(workflow.together)}
    found: list[tuple[int, Select[Any]]] = []
    seen: set[tuple[str, str]] = set()

    def follow(source: Workflow, event: str, ids: Select[Any]) -> None:
        for cascade in source.cascades_of(event):
            neighbour = source.neighbour(cascade)
            if (neighbour.name, cascade.event) in seen:
                continue
            seen.add((neighbour.name, cascade.event))
            reached = select(cascade.along.there).where(cascade.along.here.in_(ids)).correlate(None)
            if places[neighbour.name] > places[workflow.name]:
                found.append((places[neighbour.name], _lock(neighbour, neighbour.id.in_(reached))))
            follow(neighbour, cascade.event, reached)

    follow(workflow, event, select(workflow.id).where(where).correlate(None))
    return tuple(lock for _, lock in sorted(found, key=lambda each: -each[0]))


def _lock(workflow: Workflow, where: ColumnElement[bool]) -> Select[Any]:
    chosen = select(workflow.id).where(where).order_by(workflow.id)
    return chosen.with_for_update(of=workflow.table, key_share=True)


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
    """The rows of a selection that the chart lets move; its columns are filled in by `_log`."""
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


def _log(
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
        # What may begin or be forced was chosen already; an event may lead to several states.
        "target": literal(target, Text()) if event in (START, FORCE) else target_of(workflow, event, target),
        "at": NOW,
        "due_at": case((ends[0] <= NOW, ends[0])) if ends else null(),
        "actor": _TEXTS["actor"],
        "reason": _TEXTS["reason"] if reason is None else reason,
        "chart": literal(workflow.decisions.fingerprint, Text()),
        "key": _TEXTS["key"] if key is None else key,
        "payload": _TEXTS["payload"] if cause is None else null(),
    }
    return insert(transition).from_select(list(values), chosen.add_columns(*values.values()))


def _apply(workflow: Workflow, event: str, target: str | None) -> Update:
    """The one statement that writes `state`: each row follows its log row."""
    moved = {entered for _, entered in workflow.moves(event) if target is None or entered == target}
    values: dict[str, Any] = {"state": transition.c.target}
    for name, choices in _assignments(workflow, event, moved).items():
        values[name] = _chosen(workflow.table.c[name], choices, moved)
    for deadline in workflow.deadlines:
        if deadline.event == event and moved & set(workflow.decisions.sources(event)):
            again = values[deadline.at.key]
            never_later = and_(deadline.at <= NOW, again <= deadline.at)
            values[deadline.at.key] = case((never_later, null()), else_=again)
    return (
        update(workflow.table)
        .values(values)
        .where(
            transition.c.id > BEFORE,
            transition.c.batch == BATCH,
            transition.c.row_id == workflow.id,
        )
    )


def _assignments(workflow: Workflow, event: str, moved: set[str]) -> dict[str, list[tuple[set[str], Any]]]:
    """For each column, its new values and for which target states, the strongest first."""
    found: dict[str, list[tuple[set[str], Any]]] = {}
    for assign in workflow.assigns:
        if event in assign.on:
            found.setdefault(assign.column.key, []).insert(0, (moved, assign.value))
        elif entered := moved & set(assign.entering):
            found.setdefault(assign.column.key, []).append((entered, assign.value))
    for deadline in workflow.deadlines:
        accepting = set(workflow.decisions.sources(deadline.event))
        if disarmed := moved - accepting:
            found.setdefault(deadline.at.key, []).append((disarmed, null()))
    return found


def _chosen(
    column: ColumnElement[Any], choices: list[tuple[set[str], Any]], moved: set[str]
) -> ColumnElement[Any]:
    whens: list[tuple[ColumnElement[bool], Any]] = []
    left = set(moved)
    for targets, given in choices:
        value = given if hasattr(given, "__clause_element__") else type_coerce(given, column.type)
        if left <= targets:
            return case(*whens, else_=value) if whens else value
        if wanted := left & targets:
            whens.append((transition.c.target.in_(sorted(wanted)), value))
            left -= wanted
    return case(*whens, else_=column)


def _kept(workflow: Workflow, shape: tuple[Any, ...], build: Any) -> Plan:
    if shape not in workflow.plans:
        workflow.plans[shape] = build()
    plan: Plan = workflow.plans[shape]
    return plan
