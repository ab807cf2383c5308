"""Workflows that belong together: each cascade leads to one of them, and comes to an end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any

from sqlalchemy import Column, Table

from statewright.declaration import Cascade, it_knows
from statewright.errors import DefinitionError
from statewright.log import FORCE, START
from statewright.workflow import Workflow


class Workflows(Mapping[str, Workflow]):
    """Workflows that move each other's rows, looked up by name.

    Raises DefinitionError when two have one name, when a cascade names a workflow or event that is not there,
    follows a link that leads elsewhere, or can never end.
    """

    def __init__(self, *workflows: Workflow) -> None:
        self._by_name = {workflow.name: workflow for workflow in workflows}
        if len(self._by_name) < len(workflows):
            raise DefinitionError("workflows", f"two have one name, among {', '.join(self._by_name)}")
        for workflow in workflows:
            for cascade in workflow.cascades:
                self._check(workflow, cascade)
        self._check_that_cascades_end()
        for workflow in workflows:
            workflow.together = self

    def __getitem__(self, name: str) -> Workflow:
        return self._by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)

    def _check(self, workflow: Workflow, cascade: Cascade) -> None:
        where = f"workflow {workflow.name}"
        if cascade.to not in self:
            raise DefinitionError(where, f"a cascade moves {cascade.to}, which is no workflow{it_knows(self)}")
        neighbour = self[cascade.to]
        events = neighbour.decisions.events
        if cascade.event not in events:
            raise DefinitionError(
                where,
                f"a cascade names the event {cascade.event}, which {neighbour.name} does not have"
                + it_knows(events),
            )
        if neighbour.arguments.get(cascade.event):
            raise DefinitionError(
                where, f"a cascade names {neighbour.name}'s event {cascade.event}, which needs arguments"
            )
        for column, owner in ((cascade.along.here, workflow), (cascade.along.there, neighbour)):
            if not _may_hold_ids_of(owner.table, column):
                raise DefinitionError(
                    where,
                    f"the link of its cascade to {cascade.to} expects {column} to hold ids of {owner.table.name}, "
                    "which it does not; are its two columns swapped?",
                )

    def _check_that_cascades_end(self) -> None:
        """Refuse events that could set each other off for ever.

        A circle is harmless when, within it, some workflow's rows only ever go forward: each of them can
        take part a limited number of times.
        """
        graph = {
            (workflow.name, event): {(cascade.to, cascade.event) for cascade in workflow.cascades_of(event)}
            for workflow in self.values()
            for event in (*workflow.decisions.events, START, FORCE)
        }
        while circle := _circle(graph):
            entangled = {
                node for node in graph if _reaches(graph, node, circle[0]) and _reaches(graph, circle[0], node)
            }
            for name in {name for name, _ in entangled}:
                events = {event for owner, event in entangled if owner == name}
                if self._only_forward(name, events):
                    for event in events:
                        graph[name, event] = set()
                    break
            else:
                path = " -> ".join(f"{name}.{event}" for name, event in circle)
                raise DefinitionError("workflows", f"a cascade can never end: {path}")

    def _only_forward(self, name: str, events: set[str]) -> bool:
        arrows: dict[Any, set[Any]] = {}
        for event in events:
            for source, target in self[name].moves(event):
                arrows.setdefault(source, set()).add(target)
        return _circle(arrows) is None


def _may_hold_ids_of(table: Table, column: Column[Any]) -> bool:
    """Whether a column is a table's id, or refers to it, or does not say what it refers to."""
    if column.table is table and column.key == "id":
        return True
    if column.foreign_keys:
        return any(key.target_fullname == f"{table.fullname}.id" for key in column.foreign_keys)
    return column.key != "id"


def _circle(graph: Mapping[Any, set[Any]]) -> list[Any] | None:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        # graphlib names the path against the arrows.
        return list(reversed(error.args[1]))
    return None


def _reaches(graph: Mapping[Any, set[Any]], start: Any, goal: Any) -> bool:
    seen, ahead = set(), [start]
    while ahead:
        node = ahead.pop()
        for following in graph.get(node, ()):
            if following == goal:
                return True
            if following not in seen:
                seen.add(following)
                ahead.append(following)
    return False
