"""Every way a call can fail, as one tree: attributes for programs, one sentence for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


class StatewrightError(Exception):
    """The root: catch this to catch everything the engine raises on purpose.

    Subclasses take keyword arguments and keep them as attributes, so that an error survives pickling
    (a process pool, a task queue) with all it knows.
    """

    def __init__(self, sentence: str, **facts: Any) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.__dict__.update(facts)

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.args, self.__dict__.copy())


class DefinitionError(StatewrightError):
    """A chart, workflow or setting is wrong; raised when it is read, before any row is touched."""

    where: str
    problem: str

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(f"{where}: {problem}", where=where, problem=problem)


class StoreError(StatewrightError):
    """The database cannot be used: missing, locked, read-only, damaged, or not ours."""

    missing: bool = False
    """There is none yet, and to open it with `create=True` makes it."""
    busy: bool = False
    """Somebody else was at work on the same rows: the same again, from the beginning, may well succeed."""
    clashed: bool = False
    """Busy, and the database itself undid this work in favour of the other's, so as to end a deadlock."""


class SchemaVersionError(StoreError):
    """The database was made by a newer or an older version of the program."""

    found: int | None
    expected: int


class ArchiveError(StatewrightError):
    """Log rows could not be written to a file, so they are still in the log."""


class TransitionError(StatewrightError):
    """A row was not moved, and nothing was written."""

    workflow: str
    event: str
    row_id: int | None


class UnknownRow(TransitionError):
    """There is no row with this id."""


class EventNotPossible(TransitionError):
    """The chart has no such arrow: the event exists, but not from the row's present state."""

    state: str
    possible: tuple[str, ...]


class UnknownEvent(TransitionError):
    """The chart has no event of this name."""


class WrongArguments(TransitionError):
    """The event's arguments are missing, unknown or of the wrong type."""


@dataclass(frozen=True, slots=True)
class Blocker:
    """A row that stands in the way, as the refused person needs to see it; `kind` is its noun."""

    kind: str
    id: int
    label: str
    state: str

    def __str__(self) -> str:
        label = f' "{self.label}"' if self.label else ""
        return f"{self.id}{label} ({self.state.replace('_', ' ')})"


@dataclass(frozen=True, slots=True)
class Refusal:
    """One guard that said no: its name, its sentence, and the rows that block."""

    guard: str
    sentence: str
    blockers: Sequence[Blocker] = ()


class GuardRefused(TransitionError):
    """The arrow exists, but a rule says no; `refusals` tells which rules, all of them at once."""

    state: str
    refusals: tuple[Refusal, ...]

    @property
    def blockers(self) -> tuple[Blocker, ...]:
        return tuple(blocker for refusal in self.refusals for blocker in refusal.blockers)


class Conflict(TransitionError):
    """The database refused the change: a key already used for something else, or a constraint."""


def _rebuild(kind: type[StatewrightError], args: tuple[Any, ...], facts: dict[str, Any]) -> StatewrightError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(facts)
    return error
