"""What an event does to a row, as SQL: where the chart leads it, and what is written as it goes there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Text, and_, case, exists, func, literal, null, true, type_coerce
from sqlalchemy.sql import visitors
from sqlalchemy.sql.selectable import SelectBase

from statewright.chart import Decision
from statewright.declaration import Assign
from statewright.log import FORCE, START
from statewright.parameters import NOW
from statewright.tables import transition
from statewright.workflow import Workflow


def target_of(workflow: Workflow, event: str, target: str | None) -> ColumnElement[Any]:
    """The chart's answer for a row in a state with this event: where it leads, or NULL where it is refused."""
    if event == FORCE:
        return case((workflow.state != target, literal(target, Text())))
    if event == START:
        unborn = and_(
            workflow.state == workflow.decisions.initial,
            ~exists().where(transition.c.workflow == workflow.name, transition.c.row_id == workflow.id),
        )
        return case((and_(unborn, may_enter(workflow, target)), literal(target, Text())))
    decided = {state: workflow.decisions.decisions[state, event] for state in workflow.decisions.sources(event)}
    # What several states decide alike is asked once: each sub-query costs time even where nobody needs its answer.
    alike = {_meaning(decision, state) for state, decision in decided.items()}
    if len(alike) == 1 < len(decided) and not any(state in decided[state].outcomes.values() for state in decided):
        state = next(iter(decided))
        return func.nullif(_tree(workflow, decided[state], refused=state), workflow.state, type_=Text())
    groups: dict[Any, list[str]] = {}
    for state, decision in decided.items():
        groups.setdefault(_meaning(decision), []).append(state)
    if len(groups) == 1:
        return _tree(workflow, next(iter(decided.values())))
    return case(*((workflow.state.in_(group), _tree(workflow, decided[group[0]])) for group in groups.values()))


def may_enter(workflow: Workflow, target: str | None) -> ColumnElement[bool]:
    """Whether the guards of a state let a row begin its life there."""
    return and_(true(), *(workflow.guards[name].holds for name in workflow.entry.get(target or "", ())))


def destination(workflow: Workflow, event: str, target: str | None) -> ColumnElement[Any]:
    """Where a row goes that may go: asked of the guards only if there is a choice."""
    entered = entered_by(workflow, event, target)
    return literal(next(iter(entered)), Text()) if len(entered) == 1 else target_of(workflow, event, target)


def looks_beyond(workflow: Workflow, event: str, target: str | None = None) -> bool:
    """Whether a guard or an assignment of this event reads more than the row itself."""
    if event == START:
        guards = set(workflow.entry.get(target or "", ()))
    else:
        known = workflow.decisions.decisions
        guards = {name for (_, its), decision in known.items() if its == event for name in decision.guards}
    expressions = [workflow.guards[name].holds for name in guards]
    moved = entered_by(workflow, event, target)
    chosen = _assignments(workflow, event, moved).values()
    expressions += [value for each in chosen for _, value in each if hasattr(value, "get_children")]
    return event == START or any(
        isinstance(element, SelectBase) for expression in expressions for element in visitors.iterate(expression)
    )


def entered_by(workflow: Workflow, event: str, target: str | None) -> set[str]:
    """The states that an event may lead to."""
    return {entered for _, entered in workflow.moves(event) if target is None or entered == target}


def written(
    workflow: Workflow, event: str, moved: set[str], target: ColumnElement[Any], source: str | None = None
) -> dict[str, Any]:
    """What is written into rows that move: their state, and what goes with it; source: whence, if it is known."""
    state = literal(next(iter(moved)), Text()) if len(moved) == 1 else target
    values: dict[str, Any] = {"state": state}
    for name, choices in _assignments(workflow, event, moved, source).items():
        column = workflow.table.c[name]
        value = _chosen(column, choices, moved, target)
        # To write a column as it is would have its index written anew.
        if value is not column:
            values[name] = value
    for deadline in workflow.deadlines_of(event):
        if moved & set(workflow.decisions.sources(event)):
            again = values.get(deadline.at.key, deadline.at)
            never_later = and_(deadline.at <= NOW, again <= deadline.at)
            values[deadline.at.key] = case((never_later, null()), else_=again)
    return values


def _assignments(
    workflow: Workflow, event: str, moved: set[str], source: str | None = None
) -> dict[str, list[tuple[set[str], Any]]]:
    """For each column, its new values and for which target states, the strongest first."""
    found: dict[str, list[tuple[set[str], Any]]] = {}
    by_state: dict[str, list[tuple[set[str], Any]]] = {}
    left = {state for state, entered in workflow.moves(event) if entered in moved}
    for assign in workflow.assigns:
        if assign.leaving and not left & {*assign.leaving}:
            continue
        if event in assign.on:
            found.setdefault(assign.column.key, []).insert(0, (moved, _value(workflow, assign, source)))
        elif entered := moved & set(assign.entering):
            choice = entered, _value(workflow, assign, source)
            found.setdefault(assign.column.key, []).append(choice)
            by_state.setdefault(assign.column.key, []).append(choice)
    for deadline in workflow.deadlines:
        accepting = set(workflow.decisions.sources(deadline.event))
        if idle := moved - accepting:
            # There it is disarmed, whatever the event sets, unless something is said of that very state.
            said = [(states & idle, value) for states, value in by_state.get(deadline.at.key, ()) if states & idle]
            disarmed = idle.difference(*(states for states, _ in said))
            said += [(disarmed, null())] if disarmed else []
            found[deadline.at.key] = [*said, *found.get(deadline.at.key, ())]
    return found


def _value(workflow: Workflow, assign: Assign, source: str | None) -> Any:
    """The new value of a column, or the column itself where it stays as it is."""
    ready = assign.value is assign.column or hasattr(assign.value, "__clause_element__")
    value = assign.value if ready else type_coerce(assign.value, assign.column.type)
    if not assign.leaving or source in assign.leaving:
        return value
    if source is not None:
        return assign.column
    return case((workflow.state.in_(sorted(assign.leaving)), value), else_=assign.column)


def _chosen(
    column: ColumnElement[Any],
    choices: list[tuple[set[str], Any]],
    moved: set[str],
    target: ColumnElement[Any],
) -> ColumnElement[Any]:
    whens: list[tuple[ColumnElement[bool], Any]] = []
    left = set(moved)
    for targets, value in choices:
        if left <= targets:
            return case(*whens, else_=value) if whens else value
        if wanted := left & targets:
            whens.append((target.in_(sorted(wanted)), value))
            left -= wanted
    return case(*whens, else_=column)


def _meaning(
    decision: Decision, refused: str | None = None
) -> frozenset[tuple[frozenset[tuple[str, bool]], str | None]]:
    """What a decision comes to, whatever the order of its guards; refused: what stands for a refusal."""
    return frozenset(
        (frozenset(zip(decision.guards, facts, strict=True)), refused if target is None else target)
        for facts, target in decision.outcomes.items()
    )


def _tree(workflow: Workflow, decision: Decision, refused: str | None = None) -> ColumnElement[Any]:
    """A decision as nested CASEs that ask no guard twice, nor one whose answer does not matter.

    refused: what stands for a refusal; NULL unless given
    """

    def grow(guards: tuple[str, ...], outcomes: Mapping[tuple[bool, ...], str | None]) -> ColumnElement[Any]:
        if len(set(outcomes.values())) == 1:
            (target,) = set(outcomes.values())
            target = refused if target is None else target
            return null() if target is None else literal(target, Text())
        first, rest = guards[0], guards[1:]
        yes = {facts[1:]: target for facts, target in outcomes.items() if facts[0]}
        no = {facts[1:]: target for facts, target in outcomes.items() if not facts[0]}
        if yes == no:
            return grow(rest, yes)
        return case((workflow.guards[first].holds, grow(rest, yes)), else_=grow(rest, no))

    return grow(decision.guards, decision.outcomes)
