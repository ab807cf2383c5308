"""What a kind of row may do: its chart, and everything that holds or happens inside a transition, as data."""

from __future__ import annotations

import string
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import CheckConstraint, Column, ColumnClause, ColumnElement, Table, inspect, select
from sqlalchemy.exc import NoInspectionAvailable
from sqlalchemy.sql import visitors
from sqlalchemy.sql.selectable import SelectBase

from statewright.chart import Chart, tabulate
from statewright.declaration import Assign, Cascade, Deadline, Guard, Link, expect_names, it_knows
from statewright.dialects import FIRST_INSTANT, LAST_INSTANT, Instant, is_one_of, partial_index
from statewright.errors import DefinitionError, UnknownEvent, WrongArguments
from statewright.log import FORCE, START
from statewright.parameters import NOW, TYPES, argument, arguments_in, named, reserved, wrong

__all__ = [
    "NOW",
    "Assign",
    "Cascade",
    "Deadline",
    "Guard",
    "Link",
    "Workflow",
    "argument",
]

T = TypeVar("T")


class Workflow:
    """A table whose rows live by a chart.

    row:       the table, or a class mapped to it, with columns `id` and `state`
    chart:     decides which moves there are
    name:      how the log and other workflows call it; the table's name unless given
    noun:      how people call a row of it
    entry:     guards that must hold for a row to begin its life in a state
    arguments: an event's arguments and their types (int, str, bool, datetime)
    waits:     for a state, the event that a row in it waits for; a refused person reads what that still lacks
    automatic: events that only cascades fire; people are not offered them
    Raises DefinitionError when something in it cannot be.
    """

    def __init__(
        self,
        row: Any,
        chart: type[Chart],
        *,
        name: str | None = None,
        noun: str | None = None,
        guards: Iterable[Guard] = (),
        assigns: Iterable[Assign] = (),
        deadlines: Iterable[Deadline] = (),
        cascades: Iterable[Cascade] = (),
        entry: Mapping[str, Sequence[str]] | None = None,
        arguments: Mapping[str, Mapping[str, type]] | None = None,
        waits: Mapping[str, str] | None = None,
        automatic: Collection[str] = (),
    ) -> None:
        self.row = row
        self.table = _table_of(row)
        self.chart = chart
        self.decisions = tabulate(chart)
        self.name = name or self.table.name
        self.noun = noun or self.name.replace("_", " ")
        entries = {f"entry[{state!r}]": names for state, names in (entry or {}).items()}
        expect_names(f"workflow {self.name}", automatic=automatic, **entries)
        given = tuple(guards)
        self.guards = {guard.name: guard for guard in given}
        self.assigns = tuple(assigns)
        self.deadlines = tuple(deadlines)
        self.cascades = tuple(cascades)
        self.entry = dict(entry or {})
        self.arguments = {event: dict(kinds) for event, kinds in (arguments or {}).items()}
        self.waits = dict(waits or {})
        self.automatic = frozenset(automatic) | {deadline.event for deadline in self.deadlines}
        self.together: Mapping[str, Workflow] | None = None
        self._kept: dict[Any, Any] = {}
        for problem in self._problems([guard.name for guard in given]):
            raise DefinitionError(f"workflow {self.name}", problem)
        self._constrain()

    def __repr__(self) -> str:
        return f"Workflow({self.name!r})"

    @property
    def id(self) -> Column[int]:
        return self.table.c.id

    @property
    def state(self) -> Column[str]:
        return self.table.c.state

    def moves(self, event: str) -> set[tuple[str | None, str]]:
        """Every (source, target) that this event can bring about."""
        states = self.decisions.states
        if event == START:
            return {(None, target) for target in states}
        if event == FORCE:
            return {(source, target) for source in states for target in states if source != target}
        return {
            (source, target)
            for source in self.decisions.sources(event)
            for target in self.decisions.decisions[source, event].outcomes.values()
            if target is not None
        }

    def cascades_of(self, event: str, target: str | None = None) -> list[Cascade]:
        """The cascades that this event can set off, given its target if that is known."""
        return self.kept(
            ("cascades", event, target),
            lambda: [
                cascade
                for cascade in self.cascades
                if (not cascade.on or event in cascade.on)
                and any(
                    (not cascade.leaving or source in cascade.leaving)
                    and (not cascade.entering or entered in cascade.entering)
                    for source, entered in self.moves(event)
                    if target is None or entered == target
                )
            ],
        )

    def deadlines_of(self, event: str) -> list[Deadline]:
        """Those that send this event."""
        return [deadline for deadline in self.deadlines if deadline.event == event]

    def neighbour(self, cascade: Cascade) -> Workflow:
        """The workflow that a cascade moves."""
        if self.together is None:
            raise DefinitionError(
                f"workflow {self.name}",
                f"its cascade moves {cascade.to}; put both into one Workflows(...) before a row is moved",
            )
        return self.together[cascade.to]

    def kept(self, shape: Any, build: Callable[[], T]) -> T:
        """What was built for this shape of a question; to build a statement costs more than to run it."""
        found: T | None = self._kept.get(shape)
        if found is None:
            found = self._kept[shape] = build()
        return found

    def alone(self, where: ColumnElement[bool]) -> ColumnElement[bool]:
        """A condition as one over the row alone: joined with another table, a row would be found several times."""
        if all(source is self.table for source in select(where).get_final_froms()):
            return where
        return self.id.in_(select(self.id).where(where).correlate(None))

    def check_call(self, event: str, arguments: Mapping[str, Any]) -> None:
        """Raise UnknownEvent, or WrongArguments when one is missing, unknown or of the wrong type."""
        kind: type[UnknownEvent | WrongArguments] = WrongArguments
        if event in self.decisions.events:
            expected = self.arguments.get(event)
            problem = self._problem_of_call(expected or {}, arguments) if expected or arguments else None
        else:
            kind = UnknownEvent
            problem = f"there is no such event; expected one of {', '.join(self.decisions.events)}"
        if problem:
            tried = f"cannot {event.replace('_', ' ')} {self.noun}"
            raise kind(f"{tried}: {problem}", workflow=self.name, event=event, row_id=None)

    def _problem_of_call(self, expected: Mapping[str, type], given: Mapping[str, Any]) -> str | None:
        for name in given:
            if name not in expected:
                return f"it takes no argument {name}"
        for name, kind in expected.items():
            if name not in given:
                return f"the argument {name} is missing"
            if problem := wrong(name, kind, given[name]):
                return problem
        return None

    def _problems(self, guard_names: list[str]) -> Iterator[str]:
        """In an order in which each look may rely on those before it."""
        yield from self._problems_of_the_table()
        yield from self._problems_of_names()
        for name in guard_names:
            if guard_names.count(name) > 1:
                yield f"two guards are called {name}"
        yield from self._problems_of_arguments()
        for guard in self.guards.values():
            yield from self._problems_of_a_guard(guard)
        yield from self._problems_of_assignments()
        yield from self._problems_of_deadlines()
        for cascade in self.cascades:
            if not any(cascade in self.cascades_of(event) for event in (*self.decisions.events, START, FORCE)):
                yield f"its cascade to {cascade.to} can never happen: no event of {_few(cascade.on)} leads there"

    def _problems_of_the_table(self) -> Iterator[str]:
        table = self.table
        for column in ("id", "state"):
            if column not in table.c:
                yield f"its table {table.name} has no column {column}"
        if table.primary_key.columns.keys() != ["id"]:
            yield f"the primary key of its table {table.name} must be the column id alone"
        if self.state.nullable:
            yield f"the column state of its table {table.name} may be NULL; declare it nullable=False"
        for name in filter(reserved, table.c.keys()):
            yield f"its table {table.name} has a column {name}, a name that the engine's statements use; rename it"
        if "workflow" in table.info:
            yield f"its table {table.name} already belongs to the workflow {table.info['workflow']}"

    def _problems_of_names(self) -> Iterator[str]:
        chart = self.decisions
        used = {*chart.guards, *(name for names in self.entry.values() for name in names)}
        for name in sorted(used - self.guards.keys()):
            yield f"{chart.name} names a guard {name}, which the workflow does not define{it_knows(self.guards)}"
        for name in sorted(self.guards.keys() - used):
            yield f"the guard {name} is named by no arrow of {chart.name}{it_knows(chart.guards)}"
        ours = (START, FORCE)
        for what, events in (
            ("an argument", self.arguments),
            ("a deadline", [deadline.event for deadline in self.deadlines]),
            ("an automatic rule", self.automatic),
            ("a waiting rule", self.waits.values()),
            ("an assignment", [e for assign in self.assigns for e in assign.on if e not in ours]),
            ("a cascade", [e for cascade in self.cascades for e in cascade.on if e not in ours]),
        ):
            for event in events:
                if event not in chart.events:
                    known = it_knows(chart.events)
                    yield f"{what} names the event {event}, which {chart.name} does not have{known}"
        for what, states in (
            ("an entry rule", self.entry),
            ("a waiting rule", self.waits),
            ("an assignment", [s for assign in self.assigns for s in (*assign.entering, *assign.leaving)]),
            ("a cascade", [s for cascade in self.cascades for s in (*cascade.entering, *cascade.leaving)]),
        ):
            for state in states:
                if state not in chart.states:
                    known = it_knows(chart.states)
                    yield f"{what} names the state {state}, which {chart.name} does not have{known}"
        for state, event in self.waits.items():
            if (state, event) not in chart.decisions:
                yield f"the state {state} waits for {event}, which has no arrow from it"

    def _problems_of_a_guard(self, guard: Guard) -> Iterator[str]:
        yield from self._problems_of_an_expression(f"the guard {guard.name}", guard.holds)
        for name, value in guard.facts.items():
            yield from self._problems_of_an_expression(f"the fact {name} of guard {guard.name}", value)
        known = {*self.table.c.keys(), *guard.facts, "blockers"}
        try:
            named_in_it = [name for _, name, _, _ in string.Formatter().parse(guard.refusal) if name is not None]
        except ValueError as error:
            yield f"the sentence of guard {guard.name} cannot be read: {error}"
            return
        for name in named_in_it:
            if name not in known:
                yield f"the sentence of guard {guard.name} names {{{name}}}{it_knows(sorted(known))}"
        if guard.blockers is not None:
            if not {"id", "label", "state"} <= set(guard.blockers.selected_columns.keys()):
                yield f"the blockers of guard {guard.name} must have columns id, label and state"
            if not any(element is self.table for element in visitors.iterate(guard.blockers)):
                yield (
                    f"the blockers of guard {guard.name} are the same for every row; "
                    f"add a condition that ties them to {self.table.name}"
                )

    def _problems_of_an_expression(self, what: str, expression: Any) -> Iterator[str]:
        if not isinstance(expression, ColumnElement) and not hasattr(expression, "__clause_element__"):
            yield f"{what} is no SQL expression, but {expression!r}"
            return
        for source in _tables_outside(expression):
            if source is not self.table:
                yield (
                    f"{what} looks at {getattr(source, 'name', source)} outside a sub-query; "
                    "use exists() or scalar_subquery(), tied to the row"
                )

    def _problems_of_assignments(self) -> Iterator[str]:
        for number, assign in enumerate(self.assigns):
            name = assign.column.key
            if assign.column.table is not self.table:
                yield f"an assignment names the column {name}, which {self.table.name} does not have"
            if name in ("id", "state"):
                yield f"an assignment sets {name}, which only the chart may"
            if not assign.on and not assign.entering:
                yield f"the assignment of {name} names neither an event nor a state"
            for other in self.assigns[:number]:
                if other.column is assign.column and (
                    set(other.on) & set(assign.on) or set(other.entering) & set(assign.entering)
                ):
                    yield f"two assignments set {name} on the same event or state"
            if isinstance(assign.value, ColumnElement):
                yield from self._problems_of_an_expression(f"the assignment of {name}", assign.value)

    def _problems_of_deadlines(self) -> Iterator[str]:
        events, columns = set(), set()
        for deadline in self.deadlines:
            event, column = deadline.event, deadline.at
            if column.table is not self.table:
                yield f"the deadline {event} names {column}, which is no column of {self.table.name}"
            if not isinstance(column.type, Instant):
                yield f"the column {column.key} of the deadline {event} must be of the type Instant"
            if event in events or column.key in columns:
                yield f"two deadlines share the event {event} or the column {column.key}"
            if any(list(index.columns) == [column] for index in self.table.indexes):
                yield f"the column {column.key} has an index, and the engine makes its own; remove yours"
            if self.arguments.get(event):
                yield f"the deadline {event} cannot come by itself: the event takes {_few(self.arguments[event])}"
            for target in sorted({entered for _, entered in self.moves(event)}):
                if target in self.decisions.sources(event) and not any(
                    assign.column is column and (event in assign.on or target in assign.entering)
                    for assign in self.assigns
                ):
                    yield (
                        f"the deadline {event} leads to {target}, where it would come again at once and for ever; "
                        f"assign {column.key} on {event}"
                    )
            events.add(event)
            columns.add(column.key)

    def _problems_of_arguments(self) -> Iterator[str]:
        for event, kinds in self.arguments.items():
            for name, kind in kinds.items():
                if kind not in TYPES:
                    yield f"the argument {name} of {event} is a {named(kind)}; expected int, str, bool or datetime"
        for assign in self.assigns:
            used = arguments_in(assign.value)
            for event in (*assign.on, *(["a state"] if assign.entering else [])):
                yield from self._undeclared(f"the assignment of {assign.column.key}", event, used)
        # Most guards are named by several arrows, and looked through once.
        uses = {guard.name: arguments_in(guard.holds) for guard in self.guards.values()}
        for (_, event), decision in self.decisions.decisions.items():
            for guard in decision.guards:
                yield from self._undeclared(f"the guard {guard}", event, uses[guard])
        for guards in self.entry.values():
            for guard in guards:
                yield from self._undeclared(f"the guard {guard}", START, uses[guard])

    def _undeclared(self, what: str, event: str, used: Mapping[str, type]) -> Iterator[str]:
        declared = self.arguments.get(event, {})
        for name, kind in used.items():
            if name not in declared:
                yield f"{what} on {event} uses an undeclared argument {name}"
            elif declared[name] is not kind:
                yield f"{what} on {event} takes {name} for a {named(kind)}, declared as a {named(declared[name])}"

    def _constrain(self) -> None:
        """What the chart and the deadlines mean for the table itself."""
        self.table.info["workflow"] = self.name
        self.table.append_constraint(CheckConstraint(is_one_of(self.state, self.decisions.states), name="state"))
        for deadline in self.deadlines:
            have_looked_up(deadline.at)


def have_looked_up(instant: Any) -> None:
    """Have a column of instants kept readable and found by an index, as a deadline is; rows may have none."""
    column: Column[Any] = instant
    table: Any = column.table
    # What no calendar holds could be written, but never read again.
    in_calendar = column.between(FIRST_INSTANT, LAST_INSTANT)
    table.append_constraint(CheckConstraint(in_calendar, name=f"{column.key}_in_calendar"))
    # An index limited by `state` as well would be ignored unless a query repeats it to the letter.
    partial_index(f"ix_{table.name}_{column.key}", column, where=column.is_not(None))


def _table_of(row: Any) -> Table:
    if isinstance(row, Table):
        return row
    try:
        table: Table = inspect(row).local_table
    except (NoInspectionAvailable, AttributeError):
        raise DefinitionError(
            f"workflow of {named(row)}", "expected a table, or a class that is mapped to one"
        ) from None
    return table


def _tables_outside(expression: Any) -> Iterator[Any]:
    """Where an expression reads outside its sub-queries; to have SQLAlchemy compile it tells the same, slowly."""
    found = expression.__clause_element__() if hasattr(expression, "__clause_element__") else expression
    if isinstance(found, ColumnClause) and found.table is not None:
        yield found.table
    elif not isinstance(found, SelectBase):
        for part in found.get_children():
            yield from _tables_outside(part)


def _few(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "any kind"
