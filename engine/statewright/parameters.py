"""What a statement is told as it runs: the instant of the step, its log rows, and the event's arguments."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ARRAY, BigInteger, BindParameter, Boolean, Text
from sqlalchemy.sql import visitors

from statewright.dialects import Instant
from statewright.errors import DefinitionError
from statewright.statement import AT, parameter

NOW: BindParameter[datetime] = parameter(AT, Instant())
"""The instant of the step, for use in guards and assignments."""

# What the UPDATE is told must not be called like any column of the row: SQLAlchemy would set that column.
BATCH = parameter("step_batch", BigInteger())
AFTER = parameter("step_after", BigInteger())
UPTO = parameter("step_upto", BigInteger())
TARGET = parameter("step_target", Text())
CAUSE = parameter("step_cause", BigInteger())
ROW = parameter("step_row", BigInteger())
LOCKED = parameter("step_locked", ARRAY(BigInteger))
"""What the statements of a step are told of it and of the log rows that it wrote."""

TYPES: Mapping[type, Any] = {int: BigInteger(), str: Text(), bool: Boolean(), datetime: Instant()}
"""What an argument may be."""

LARGEST = 2**63 - 1
"""The largest whole number that a database keeps."""

_ARGUMENT = "arg_"
_IN_WORDS = {int: "a whole number", str: "text", bool: "true or false", datetime: "an instant"}


def argument(name: str, kind: type) -> BindParameter[Any]:
    """An event's argument, for use in guards and assignments; kind is int, str, bool or datetime."""
    if kind not in TYPES:
        raise DefinitionError(f"argument {name}", f"it is a {named(kind)}; expected int, str, bool or datetime")
    return parameter(_ARGUMENT + name, TYPES[kind])


def arguments_in(expression: Any) -> dict[str, type]:
    """The event arguments that an SQL expression uses, and what it takes them for."""
    if not hasattr(expression, "get_children"):
        return {}
    return {
        element.key.removeprefix(_ARGUMENT): next(
            kind for kind, sql in TYPES.items() if isinstance(element.type, type(sql))
        )
        for element in visitors.iterate(expression)
        if isinstance(element, BindParameter) and element.key.startswith(_ARGUMENT)
    }


def bound(now: datetime, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The instant and the arguments, by the names that the statements know."""
    return {AT: now, **as_told(arguments)}


def as_told(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments by the names that the statements know."""
    return {_ARGUMENT + name: value for name, value in arguments.items()}


def reserved(column: str) -> bool:
    """Whether a column of this name would be mistaken for a parameter of the statement that sets it."""
    return column == "now" or column.startswith((_ARGUMENT, "step_"))


def wrong(name: str, kind: type, value: Any) -> str | None:
    """What is wrong with an argument's value, as the rest of a sentence; None when nothing is."""
    # A bool is an int to Python, but nobody means `days=True`.
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        return f"expected {name} to be {_IN_WORDS[kind]}, got {reprlib.repr(value)}"
    if isinstance(value, str):
        return None if storable(value) else f"expected {name} to be text, got characters that no database keeps"
    if isinstance(value, int) and abs(value) > LARGEST:
        return f"expected {name} to be a whole number, got one that is too large"
    if isinstance(value, datetime):
        if value.tzinfo is None:
            return f"expected {name} to have a time zone, got {value.isoformat()}"
        try:
            value.astimezone(UTC)
        except OverflowError:
            return f"expected {name} to be an instant in the years 1 to 9999 UTC, got {value.isoformat()}"
    return None


def storable(text: str) -> bool:
    """Whether a text can be written: no half characters, as a terminal may pass them on, and no NUL."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def named(kind: Any) -> str:
    """A type as its name, anything else as it was written."""
    return kind.__name__ if isinstance(kind, type) else repr(kind)
