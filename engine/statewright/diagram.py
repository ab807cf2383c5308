"""A chart as people read it: a picture of where a row can go, and a table of what it takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from statemachine.callbacks import CallbackSpec
from statemachine.spec_parser import replace_operators
from statemachine.transition import Transition

from statewright.chart import Chart, tabulate

# As ids, these words of Mermaid's own would break the picture.
_MERMAID_WORDS = frozenset(
    {
        "accdescr",
        "acctitle",
        "class",
        "classdef",
        "click",
        "default",
        "href",
        "note",
        "scale",
        "state",
        "style",
    }
)


def mermaid(chart: type[Chart]) -> str:
    """A Mermaid state diagram, with one line from a state to another, whatever the number of events.

    Conditions and arrows from a state to itself are left to the table of `markdown`, and an event that leads
    from everywhere to one state is drawn once: a picture with everything in it shows nothing.
    """
    table = tabulate(chart)
    everywhere = _everywhere(chart)
    labels: dict[tuple[str, str], dict[str, None]] = {}
    for arrow in _arrows(chart):
        if arrow.state != arrow.target and arrow.event not in everywhere:
            labels.setdefault((arrow.state, arrow.target), {})[_words(arrow.event)] = None
    return "\n".join(
        [
            "stateDiagram-v2",
            *(f'    state "{_words(state)}" as {_id(state)}' for state in table.states),
            *(['    state "any state" as any_state'] if everywhere else []),
            f"    [*] --> {_id(table.initial)}",
            *(
                f"    {_id(state)} --> {_id(target)}: {'<br/>'.join(label)}"
                for (state, target), label in labels.items()
            ),
            *(f"    any_state --> {_id(target)}: {_words(event)}" for event, target in everywhere.items()),
            *(f"    {_id(state)} --> [*]" for state in table.states if state in table.finals),
            "",
        ]
    )


def markdown(chart: type[Chart]) -> str:
    """A Markdown table with a row for each arrow; of several, the first that applies is taken."""
    tabulate(chart)
    rows = [_Arrow._fields, *_arrows(chart)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    heading, *body = (_line(row, widths) for row in rows)
    return "\n".join([heading, _line(["-" * width for width in widths], widths), *body, ""])


class _Arrow(NamedTuple):
    state: str
    event: str
    condition: str
    target: str


def _arrows(chart: type[Chart]) -> Iterator[_Arrow]:
    """State by state, and in each in the order in which the library tries them."""
    for state in chart.states:
        tried: set[str] = set()
        for transition in state.transitions:
            for event in transition.events:
                otherwise = "otherwise" if event.id in tried else ""
                condition = _condition(transition) or otherwise
                yield _Arrow(state.id, event.id, condition, transition.targets[0].id)
                tried.add(event.id)


def _everywhere(chart: type[Chart]) -> dict[str, str]:
    """Events that lead from every state but the final ones to one and the same, with that state."""
    table = tabulate(chart)
    found = {}
    for event in table.events:
        arrows = [arrow for arrow in _arrows(chart) if arrow.event == event]
        (target, *others) = {arrow.target for arrow in arrows}
        sources = {arrow.state for arrow in arrows}
        if not others and len(sources) > 2 and sources == set(table.states) - table.finals - {target}:
            found[event] = target
    return found


def _condition(transition: Transition) -> str:
    guards = list(transition.cond)
    return " and ".join(_in_words(guard, alone=len(guards) == 1) for guard in guards)


def _in_words(guard: CallbackSpec, *, alone: bool) -> str:
    text = " ".join(replace_operators(guard.attr_name).split())
    if guard.expected_value is False:
        return f"not {text}" if text.isidentifier() else f"not ({text})"
    return f"({text})" if " or " in text and not alone else text


def _line(cells: Iterable[str], widths: list[int]) -> str:
    return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"


def _words(text: str) -> str:
    return text.replace("_", " ")


def _id(state: str) -> str:
    return f"{state}_" if state.lower() in _MERMAID_WORDS else state
