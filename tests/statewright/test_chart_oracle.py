"""The table against the library: for every state, event and combination of guards they say the same."""

from __future__ import annotations

import itertools
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statemachine import State
from tests.statewright.oracle import the_library_says

from statewright.chart import Chart, tabulate


class Door(Chart):
    shut = State(initial=True)
    ajar = State()
    gone = State(final=True)

    push = shut.to(ajar, unless="locked") | shut.to(gone, cond="rotten and locked")
    knock = shut.to.itself() | ajar.to.itself()
    pull = ajar.to(shut)
    take_away = gone.from_(shut, ajar)


class Permit(Chart):
    """Several arrows of one event, lists, exceptions, brackets, arrows from anywhere and two ends."""

    draft = State(initial=True)
    filed = State()
    granted = State()
    refused = State(final=True)
    withdrawn = State(final=True)

    file = draft.to(filed, cond=["complete", "paid or waived"], unless="barred")
    decide = (
        filed.to(refused, cond="barred")
        | filed.to(granted, cond="paid and not (barred or waived)")
        | filed.to(draft, unless=["complete", "paid"])
        | filed.to.itself(cond="waived")
    )
    renew = granted.to.itself(cond="!barred ^ (paid v waived)")
    withdraw = withdrawn.from_.any(unless="barred and paid")


class Coin(Chart):
    """No guard at all, and no end."""

    heads = State(initial=True)
    tails = State()
    toss = heads.to(tails) | tails.to(heads)


@pytest.mark.parametrize("chart", [Door, Permit, Coin])
def test_the_table_says_what_the_library_says(chart: type[Chart]) -> None:
    table = tabulate(chart)

    for state, event, facts in every_case(table.states, table.events, table.guards):
        assert table.decide(state, event, facts) == the_library_says(chart, state, event, facts)


@dataclass(frozen=True)
class Condition:
    """An expression as it is written, and what it means without the library."""

    text: str
    holds: Callable[[Mapping[str, bool]], bool]

    def __repr__(self) -> str:
        return repr(self.text)


@dataclass(frozen=True)
class Arrow:
    event: str
    source: str
    target: str
    cond: Condition | None
    unless: Condition | None

    def lets_pass(self, facts: Mapping[str, bool]) -> bool:
        return (self.cond is None or self.cond.holds(facts)) and not (
            self.unless is not None and self.unless.holds(facts)
        )


GUARDS = ("dry", "late", "paid")
STATES = ("a", "b", "c", "d")
FINALS = ("c", "d")

names = st.sampled_from(GUARDS).map(lambda name: Condition(name, lambda facts: facts[name]))


def joined(parts: st.SearchStrategy[Condition]) -> st.SearchStrategy[Condition]:
    return st.one_of(
        parts.map(lambda x: Condition(f"not ({x.text})", lambda facts: not x.holds(facts))),
        st.tuples(parts, parts).map(
            lambda xy: Condition(
                f"({xy[0].text}) and ({xy[1].text})", lambda facts: xy[0].holds(facts) and xy[1].holds(facts)
            )
        ),
        st.tuples(parts, parts).map(
            lambda xy: Condition(
                f"{xy[0].text} or {xy[1].text}", lambda facts: xy[0].holds(facts) or xy[1].holds(facts)
            )
        ),
    )


conditions = st.none() | st.recursive(names, joined, max_leaves=4)


def look_alike(arrow: Arrow) -> bool:
    """The library would take one for the other, which `tabulate` refuses."""
    texts = [without_brackets(condition.text) for condition in (arrow.cond, arrow.unless) if condition]
    return len(texts) == 2 and texts[0] == texts[1]


def without_brackets(text: str) -> str:
    return text.replace("(", "").replace(")", "")


arrows = st.builds(
    Arrow,
    event=st.sampled_from(("go", "run", "hop")),
    source=st.sampled_from([state for state in STATES if state not in FINALS]),
    target=st.sampled_from(STATES),
    cond=conditions,
    unless=conditions,
).filter(lambda arrow: not look_alike(arrow))


@settings(max_examples=60)
@given(st.lists(arrows, min_size=1, max_size=12))
def test_the_table_of_any_chart_says_what_the_library_says(drawn: list[Arrow]) -> None:
    chart = made_up(drawn)
    table = tabulate(chart)

    assert set(table.decisions) == {(arrow.source, arrow.event) for arrow in drawn}
    for state, event, facts in every_case(STATES, table.events, GUARDS):
        assert table.decide(state, event, facts) == the_library_says(chart, state, event, facts)


@settings(max_examples=200)
@given(st.lists(arrows, min_size=1, max_size=12))
def test_the_first_arrow_that_lets_pass_is_taken(drawn: list[Arrow]) -> None:
    table = tabulate(made_up(drawn))

    for state, event, facts in every_case(STATES, table.events, GUARDS):
        passing = (a.target for a in drawn if (a.source, a.event) == (state, event) and a.lets_pass(facts))
        assert table.decide(state, event, facts) == next(passing, None)


def made_up(drawn: list[Arrow]) -> type[Chart]:
    states = {name: State(initial=name == "a", final=name in FINALS) for name in STATES}
    events: dict[str, Any] = {}
    for arrow in drawn:
        way = states[arrow.source].to(
            states[arrow.target],
            cond=arrow.cond and arrow.cond.text,
            unless=arrow.unless and arrow.unless.text,
        )
        events[arrow.event] = events[arrow.event] | way if arrow.event in events else way
    # Whether every state can be reached and left is not what is asked here.
    unchecked = dict.fromkeys(
        ("validate_disconnected_states", "validate_trap_states", "validate_final_reachability"), False
    )
    body = {**states, **events, **unchecked}
    made: type[Chart] = types.new_class("MadeUp", (Chart,), exec_body=lambda space: space.update(body))
    return made


def every_case(
    states: tuple[str, ...], events: tuple[str, ...], guards: tuple[str, ...]
) -> Iterator[tuple[str, str, dict[str, bool]]]:
    for state, event, values in itertools.product(
        states, events, itertools.product((True, False), repeat=len(guards))
    ):
        yield state, event, dict(zip(guards, values, strict=True))
