"""What python-statemachine itself says, asked in a way that the engine does not use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace

from statemachine.exceptions import TransitionNotAllowed

from statewright.chart import Chart


def the_library_says(chart: type[Chart], state: str, event: str, facts: Mapping[str, bool]) -> str | None:
    """A machine of its own for one question, with a method for every guard, as its manual shows."""
    row = SimpleNamespace(state=state)
    machine = chart(row, listeners=[with_methods(facts)])
    try:
        machine.send(event)
    except TransitionNotAllowed:
        assert row.state == state
        return None
    moved_to: str = row.state
    return moved_to


def with_methods(facts: Mapping[str, bool]) -> object:
    def answering(answer: bool) -> Callable[[object], bool]:
        def guard(self: object) -> bool:
            return answer

        return guard

    return type("Facts", (), {name: answering(answer) for name, answer in facts.items()})()
