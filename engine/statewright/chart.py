"""The chart base class, and its tabulation: what the library decides, asked once and kept."""

from __future__ import annotations

import ast
import functools
import hashlib
import itertools
import json
import keyword
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, cast

from statemachine import Event, State, StateChart
from statemachine.callbacks import SpecListGrouper
from statemachine.spec_parser import UnsupportedExpression, operator_mapping, parse_boolean_expr
from statemachine.transition import Transition
from statemachine.transition_list import TransitionList

from statewright.errors import DefinitionError
from statewright.machine import Machine, every_case

MOST_COMBINATIONS = 4096


class Chart(StateChart[Any]):
    """The base of every chart: states, events, and guards by name; nothing that runs."""

    # The library's own defaults swallow errors and still move.
    allow_event_without_transition = False
    catch_errors_as_events = False
    atomic_configuration_update = True
    enable_self_transition_entries = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # Looked at before the library reads the body: some of these names would break it there.
        for name, value in vars(cls).items():
            if isinstance(value, State):
                problems = _in_name("state", name)
            elif isinstance(value, Event | TransitionList):
                problems = _in_event_name(name)
            else:
                continue
            for problem in problems:
                raise DefinitionError(cls.__name__, problem)


@dataclass(frozen=True, slots=True)
class Decision:
    """What one event does in one state, for every combination of the guards that it names."""

    guards: tuple[str, ...]
    outcomes: Mapping[tuple[bool, ...], str | None] = field(hash=False)

    def decide(self, facts: Mapping[str, bool]) -> str | None:
        """The state to go to, or None: refused. `facts` may hold more than is asked for."""
        return self.outcomes[tuple(bool(facts[guard]) for guard in self.guards)]


@dataclass(frozen=True, slots=True)
class Table:
    """Everything a chart decides; states and events stand in the order of their declaration."""

    name: str
    states: tuple[str, ...]
    initial: str
    finals: frozenset[str]
    events: tuple[str, ...]
    decisions: Mapping[tuple[str, str], Decision] = field(hash=False)
    fingerprint: str

    @property
    def guards(self) -> tuple[str, ...]:
        """Every guard that the chart names, in order of first appearance."""
        return _unique(guard for decision in self.decisions.values() for guard in decision.guards)

    def sources(self, event: str) -> tuple[str, ...]:
        """The states from which the event has an arrow."""
        self._check(event=event)
        return tuple(state for state in self.states if (state, event) in self.decisions)

    def targets(self, event: str) -> tuple[str, ...]:
        """The states to which the event leads, from anywhere, under any guards."""
        self._check(event=event)
        reached = {
            target
            for (_, name), decision in self.decisions.items()
            if name == event
            for target in decision.outcomes.values()
        }
        return tuple(state for state in self.states if state in reached)

    def possible(self, state: str) -> tuple[str, ...]:
        """The events that have an arrow from the state, whatever their guards say."""
        self._check(state=state)
        return tuple(event for event in self.events if (state, event) in self.decisions)

    def decide(self, state: str, event: str, facts: Mapping[str, bool]) -> str | None:
        """The state to go to, or None: no such arrow from here, or a guard says no."""
        self._check(state=state, event=event)
        decision = self.decisions.get((state, event))
        return decision.decide(facts) if decision else None

    def _check(self, *, state: str | None = None, event: str | None = None) -> None:
        if state is not None and state not in self.states:
            raise ValueError(f"expected one of the states of {self.name}, got {state!r}")
        if event is not None and event not in self.events:
            raise ValueError(f"expected one of the events of {self.name}, got {event!r}")


def tabulate(chart: type[Chart]) -> Table:
    """Run the chart over every combination of the guards it names, once, and keep the answers.

    Raises DefinitionError when the chart holds what a table cannot.
    """
    if chart not in _tables:
        for problem in _problems(chart):
            raise DefinitionError(chart.__name__, problem)
        _tables[chart] = _ask(chart)
    return _tables[chart]


_tables: dict[type[Chart], Table] = {}


def _ask(chart: type[Chart]) -> Table:
    arrows = _guards_by_arrow(chart)
    machine = Machine(chart, _unique(itertools.chain.from_iterable(arrows.values())))
    decisions = {
        (state, event): Decision(guards=guards, outcomes=MappingProxyType(machine.outcomes(state, event, guards)))
        for (state, event), guards in arrows.items()
    }
    states = tuple(state.id for state in chart.states)
    initial = cast(State, chart.initial_state).id
    finals = frozenset(state.id for state in chart.final_states)
    return Table(
        name=chart.__name__,
        states=states,
        initial=initial,
        finals=finals,
        events=tuple(event.id for event in _events(chart)),
        decisions=MappingProxyType(decisions),
        fingerprint=_fingerprint(states, initial, finals, decisions),
    )


def _guards_by_arrow(chart: type[Chart]) -> dict[tuple[str, str], tuple[str, ...]]:
    named: dict[tuple[str, str], list[str]] = {}
    for state in chart.states:
        for transition in state.transitions:
            guards = [guard for spec in transition.cond for guard in _names_in(spec.func)]
            for event in transition.events:
                named.setdefault((state.id, event.id), []).extend(guards)
    return {arrow: _unique(guards) for arrow, guards in named.items()}


def _names_in(expression: str) -> list[str]:
    return _read(expression)[0]


def _read(expression: str) -> tuple[list[str], str]:
    """The guards that the library itself finds, from left to right, and what it knows the whole by.

    Raises KeyError when it compares, SyntaxError or UnsupportedExpression when it cannot be read.
    """
    names: list[str] = []

    def take(name: str) -> Callable[..., bool]:
        def guard(*_: Any, **__: Any) -> bool:
            return True

        names.append(name)
        vars(guard)["unique_key"] = name
        return guard

    return names, _parse(expression, take, _CONNECTIVES).unique_key


_parse: Callable[..., Any] = parse_boolean_expr
_CONNECTIVES = {word: operator_mapping[word] for word in (ast.And, ast.Or, ast.Not)}


def _fingerprint(
    states: Iterable[str],
    initial: str,
    finals: Iterable[str],
    decisions: Mapping[tuple[str, str], Decision],
) -> str:
    """Of what is decided alone: the order in which it was written down does not count."""
    decided = {
        "states": sorted(states),
        "initial": initial,
        "finals": sorted(finals),
        "decisions": [
            [
                *arrow,
                sorted(decision.guards),
                [decision.decide(facts) for facts in every_case(sorted(decision.guards))],
            ]
            for arrow, decision in sorted(decisions.items(), key=lambda item: item[0])
        ],
    }
    canonical = json.dumps(decided, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]


def _unique(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def _events(chart: type[Chart]) -> list[Event]:
    return cast("list[Event]", chart.events)


# What a chart may not hold: each problem says what was found, where, and what to do instead.

_SETTINGS = (
    "allow_event_without_transition",
    "catch_errors_as_events",
    "atomic_configuration_update",
    "enable_self_transition_entries",
    "start_configuration_values",
)
_ENGINE_EVENTS = frozenset({"start", "force"})
_TWICE_NAMED = ("error_", "done_state_", "done_invoke_")
_INJECTED = frozenset({"event_data", "machine", "event", "model", "transition", "state", "source", "target"})
_INSTEAD = (
    "no code runs inside a transition: declare an assignment or a cascade on the workflow, or subscribe to the log"
)


@functools.cache
def _library_names() -> frozenset[str]:
    """What a machine of the library, or its class, already answers to."""

    class Bare(StateChart[Any]):
        only = State(initial=True, final=True)

    return (frozenset(dir(Bare())) | frozenset(dir(type(Bare)))) - {"only"}


def _problems(chart: type[Chart]) -> Iterator[str]:
    """In an order in which each look may rely on those before it."""
    if not issubclass(chart, Chart):
        yield "it is not a statewright chart; derive it from Chart"
        return
    yield from _in_class(chart)
    for state in chart.states:
        yield from _in_name("state", state.id)
        yield from _in_state(state)
    for event in _events(chart):
        yield from _in_event_name(event.id)
        yield from _in_event(event, chart)
    looked_up = _names_looked_up(chart)
    for state in chart.states:
        for transition in state.transitions:
            yield from _in_transition(transition)
            yield from _in_guards(transition, chart, looked_up)
    yield from _in_code(chart)
    yield from _in_size(chart)


def _in_class(chart: type[Chart]) -> Iterator[str]:
    for setting in _SETTINGS:
        ours, theirs = getattr(Chart, setting), getattr(chart, setting)
        if theirs != ours:
            yield f"it sets {setting} to {theirs!r}, and the engine relies on {ours!r}; remove that line"
    for base in chart.__mro__[1:]:
        if issubclass(base, StateChart) and len(base.states):
            yield (
                f"it inherits the states of {base.__name__}, and a change to one would change the other; "
                "write the states out in each chart"
            )
    if not len(chart.states):
        yield "it has no states; declare at least an initial one"
    if getattr(chart, "listeners", None):
        yield "it has listeners, and no code runs inside a transition; subscribe to the log instead"


def _in_name(kind: str, name: str) -> Iterator[str]:
    if name in _library_names():
        yield f"{kind} {name!r} has a name that the library keeps for itself; choose another"
    if not name.isidentifier() or keyword.iskeyword(name) or name.startswith("_"):
        yield (
            f"{kind} {name!r} is not a plain name, and a dot or a star means several to the library; "
            "use letters, digits and underscores, a letter first"
        )


def _in_event_name(name: str) -> Iterator[str]:
    yield from _in_name("event", name)
    if name in _ENGINE_EVENTS:
        yield f"event {name!r} has a name that the engine keeps for itself; choose another"
    if name.startswith(_TWICE_NAMED):
        yield (
            f"event {name!r} begins with a word for which the library adds a second, dotted event; "
            "choose another beginning"
        )


def _in_state(state: State) -> Iterator[str]:
    for history in [state] if state.is_history else state.history:
        yield (
            f"state {history.id!r} is a history state, and what it remembers is lost with the process; "
            "let a guard on the row choose among ordinary states"
        )
    if state.parallel:
        yield (
            f"state {state.id!r} is parallel, and a row is in one state at a time; "
            "give each region a workflow of its own and join them by cascades"
        )
    if state.is_compound:
        yield (
            f"state {state.id!r} is compound, and a row is in one state at a time; "
            "write its inner states side by side"
        )
    if state.value != state.id:
        yield (
            f"state {state.id!r} has the value {state.value!r}, and the database holds the name; "
            "leave the value out"
        )
    for spec in _written_out(state.invoke):
        yield (
            f"state {state.id!r} invokes {spec.attr_name!r}, which would be lost with the process; "
            "let a subscriber of the log do the work"
        )
    for kind in ("enter", "exit"):
        for spec in _written_out(getattr(state, kind)):
            yield f"state {state.id!r} runs {spec.attr_name!r} on {kind}; {_INSTEAD}"


def _in_event(event: Event, chart: type[Chart]) -> Iterator[str]:
    if event.delay:
        yield (
            f"event {event.id!r} has a delay, which would be lost with the process; "
            "declare a deadline on the workflow"
        )
    if not any(event in state.transitions.unique_events for state in chart.states):
        yield f"event {event.id!r} has no transition; give it one or remove it"


def _in_transition(transition: Transition) -> Iterator[str]:
    if transition.is_eventless:
        yield (
            f"a transition from {transition.source.id!r} has no event, and nothing would ever fire it; "
            "give it one, and a deadline or a cascade that fires it"
        )
    arrow = _arrow(transition)
    if len(transition.targets) != 1 or transition.target is None:
        yield f"{arrow} does not lead to exactly one state; name the one"
    for spec in transition.validators:
        yield f"{arrow} has the validator {spec.attr_name!r}; make it a guard of the workflow"
    for kind in ("before", "on", "after"):
        for spec in _written_out(getattr(transition, kind)):
            yield f"{arrow} runs {spec.attr_name!r} ({kind}); {_INSTEAD}"


def _in_guards(transition: Transition, chart: type[Chart], looked_up: Collection[str]) -> Iterator[str]:
    arrow = _arrow(transition)
    known: dict[str, str] = {}
    for spec in transition.cond:
        if not isinstance(spec.func, str):
            yield (
                f"{arrow} has code for a guard ({spec.attr_name}); name the guard in quotes, "
                "and declare on the workflow what the name means"
            )
            return
        try:
            guards, key = _read(spec.func)
        except KeyError:
            yield (
                f"{arrow} compares in its guard {spec.func!r}, and a guard is either true or false; "
                "give the comparison a name, and declare it on the workflow"
            )
            return
        except (SyntaxError, UnsupportedExpression):
            yield (
                f"{arrow} has a guard that cannot be read: {spec.func!r}; "
                "write names joined by 'and', 'or', 'not' and brackets"
            )
            return
        for guard in guards:
            yield from _in_guard_name(guard, chart, looked_up)
        if key in known:
            yield (
                f"{arrow} has the guards {known[key]!r} and {spec.func!r}, which the library takes for one "
                "because it forgets brackets; join them into one expression"
            )
        known[key] = spec.func


def _in_guard_name(guard: str, chart: type[Chart], looked_up: Collection[str]) -> Iterator[str]:
    yield from _in_name("guard", guard)
    if guard in _INJECTED or guard in looked_up:
        yield f"guard {guard!r} has a name to which the library gives a meaning; choose another"
    if hasattr(chart, guard):
        yield (
            f"guard {guard!r} is also an attribute of the chart, and the library would ask both; "
            "keep the guard, and let the workflow say what it means"
        )


def _in_code(chart: type[Chart]) -> Iterator[str]:
    """Functions that nothing names count too: the library finds them by how they are called."""
    for base in chart.__mro__:
        if base in Chart.__mro__:
            continue
        for name, value in vars(base).items():
            # Left there by the library, and by Python 3.14.
            if isinstance(value, Event | SpecListGrouper) or name.startswith("__annotate"):
                continue
            if callable(value) or isinstance(value, property | classmethod | functools.cached_property):
                yield f"it defines {name!r}; {_INSTEAD}"


def _in_size(chart: type[Chart]) -> Iterator[str]:
    cases: Counter[str] = Counter()
    for (_, event), guards in _guards_by_arrow(chart).items():
        cases[event] += 2 ** len(guards)
    if cases.total() > MOST_COMBINATIONS:
        event, most = cases.most_common(1)[0]
        yield (
            f"its guards make {cases.total():,} combinations, and {MOST_COMBINATIONS:,} is the most; "
            f"event {event!r} alone makes {most:,}: join some of its guards into one"
        )


def _arrow(transition: Transition) -> str:
    events = ", ".join(repr(event.id) for event in transition.events)
    return f"event {events} from {transition.source.id!r}"


def _written_out(specs: Iterable[Any]) -> Iterator[Any]:
    """The callbacks that the chart names, without those that the library merely looks for."""
    return (spec for spec in specs if not spec.is_convention)


def _names_looked_up(chart: type[Chart]) -> frozenset[str]:
    groups = [chart.prepare]
    for state in chart.states:
        groups += [state.enter, state.exit, state.invoke]
        for transition in state.transitions:
            groups += [transition.before, transition.on, transition.after]
    return frozenset(spec.func for group in groups for spec in group if spec.is_convention)
