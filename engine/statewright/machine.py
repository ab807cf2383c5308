"""One machine of the library, asked again and again what an event does; a chart's table is made of its answers."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from statemachine import StateChart
from statemachine.exceptions import TransitionNotAllowed


class Machine:
    """A machine of this chart, whose guards are whatever it is told.

    Building a machine costs more than sending an event, and a refused event leaves it as it was;
    only a final state ends it.
    """

    def __init__(self, chart: type[StateChart[Any]], guards: Collection[str]) -> None:
        self._chart = chart
        self._row: Any = type("Row", (_Row,), {guard: _guard(guard) for guard in guards})(guards)
        self._machine: StateChart[Any] | None = None

    def outcomes(self, state: str, event: str, guards: Collection[str]) -> dict[tuple[bool, ...], str | None]:
        """The state that the event leads to, or None: refused, for every combination of these guards.

        The library is asked once for all combinations that agree in the guards at which it looked: of many guards,
        most are not looked at once one has said no.
        """
        found: dict[tuple[bool, ...], str | None] = {}
        for facts in every_case(guards):
            if tuple(facts.values()) not in found:
                target = self._send(state, event, facts)
                free = [guard for guard in guards if guard not in self._row.looked_at]
                found.update((tuple({**facts, **others}.values()), target) for others in every_case(free))
        return found

    def _send(self, state: str, event: str, facts: Mapping[str, bool]) -> str | None:
        self._row.facts.update(facts)
        if self._machine is None:
            self._row.state = state
            self._machine = self._chart(self._row)
        machine = self._machine
        machine.current_state_value = state
        self._row.looked_at.clear()
        try:
            machine.send(event)
        except TransitionNotAllowed:
            return None
        if machine.is_terminated:
            self._machine = None
        return self._chart.states_map[self._row.state].id


def every_case(guards: Collection[str]) -> Iterator[dict[str, bool]]:
    """Every combination of answers that guards can give."""
    for values in itertools.product((False, True), repeat=len(guards)):
        yield dict(zip(guards, values, strict=True))


class _Row:
    """What the library takes for the row: its state, its guards, and at which of them it looked."""

    def __init__(self, guards: Collection[str]) -> None:
        self.state: str | None = None
        self.facts = dict.fromkeys(guards, False)
        self.looked_at: set[str] = set()


def _guard(name: str) -> property:
    def answer(row: _Row) -> bool:
        row.looked_at.add(name)
        return row.facts[name]

    return property(answer)
