"""The pieces that a workflow is declared with: facts, values, times and links, none of which runs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Column, ColumnElement, Select, Table

from statewright.errors import DefinitionError


@dataclass(frozen=True, slots=True, eq=False)
class Guard:
    """A named fact about a row, and what a person reads when it stands in the way.

    holds:    an SQL condition over the row, and over its neighbours in sub-queries; NULL counts as false
    refusal:  the sentence; may name columns of the row, `facts`, and `{blockers}`
    blockers: a select of the rows that block, with columns id, label, state, tied to the row's table
    noun:     what a blocking row is called
    facts:    further values for the sentence, as SQL expressions over the row
    """

    name: str
    holds: ColumnElement[bool]
    refusal: str
    blockers: Select[*tuple[Any, ...]] | None = None
    noun: str = "row"
    facts: Mapping[str, ColumnElement[Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Assign:
    """A column's new value, set in the very statement that sets the state.

    The value sees the row as it was before. Give `on` (events) or `entering` (states), or both: then either
    is enough. A move from a state to itself enters it again. Where an `on` and an `entering` meet on one
    column, the event's value wins: the column itself, where that event is to leave it as it is.

    leaving: only for rows that leave one of these states; for others, the column stays as it is
    """

    column: Any
    value: Any
    on: Collection[str] = ()
    entering: Collection[str] = ()
    leaving: Collection[str] = ()

    def __post_init__(self) -> None:
        _keep_column(self, "column", "an assignment")
        where = f"the assignment of {self.column.key}"
        expect_names(where, on=self.on, entering=self.entering, leaving=self.leaving)


@dataclass(frozen=True, slots=True, eq=False)
class Deadline:
    """An event that comes by itself at the instant kept in a column; NULL means that none is armed.

    A row that enters a state in which the event has no arrow is disarmed by the engine. A deadline may arm
    itself again, by an assignment on its own event; for an instant that is not later than the one that has
    come, it is disarmed instead, because it would come for ever.
    """

    event: str
    at: Any

    def __post_init__(self) -> None:
        _keep_column(self, "at", f"the deadline {self.event}")


@dataclass(frozen=True, slots=True, eq=False)
class Link:
    """How one kind of row leads to another: two columns of one table, the first holding our ids."""

    here: Any
    there: Any

    def __post_init__(self) -> None:
        _keep_column(self, "here", "a link")
        _keep_column(self, "there", "a link")
        if self.here.table is not self.there.table:
            raise DefinitionError(
                "a link", f"{self.here} and {self.there} are of two tables; expected two columns of one"
            )


@dataclass(frozen=True, slots=True, eq=False)
class Cascade:
    """Rows that move because this one did, in the same transaction.

    to, event: the workflow by name, and its event; rows whose chart or guards say no simply stay
    along:     the link from our ids to theirs
    on:        only after these events
    entering:  only when our row enters one of these states
    leaving:   only when our row leaves one of these states; a move from a state to itself does both
    """

    to: str
    event: str
    along: Link
    on: Collection[str] = ()
    entering: Collection[str] = ()
    leaving: Collection[str] = ()

    def __post_init__(self) -> None:
        expect_names(f"the cascade to {self.to}", on=self.on, entering=self.entering, leaving=self.leaving)


def expect_names(where: str, **collections: Collection[str]) -> None:
    """Raise DefinitionError where a text stands for names: its letters would be taken for them."""
    for name, names in collections.items():
        if isinstance(names, str):
            raise DefinitionError(where, f"expected {name} to hold names, as in [{names!r}], got a text")


def it_knows(names: Iterable[str]) -> str:
    """What a sentence ends with that names something unknown: what is known instead."""
    return f"; it knows {', '.join(names) or 'none'}"


def _keep_column(owner: Any, name: str, where: str) -> None:
    """Replace a mapped attribute by the table's own column."""
    given = getattr(owner, name)
    element = given.__clause_element__() if hasattr(given, "__clause_element__") else given
    table = getattr(element, "table", None)
    if not isinstance(table, Table):
        raise DefinitionError(where, f"expected {name} to be a column of a table, got {given!r}")
    column: Column[Any] = table.c[element.key]
    object.__setattr__(owner, name, column)
