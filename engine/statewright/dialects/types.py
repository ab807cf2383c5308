"""What every database keeps alike: instants to the microsecond, and keys of 64 bits."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ARRAY, BigInteger, DateTime, Dialect, Integer, Text, TypeDecorator

from statewright.dialects.arrays import array

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
FIRST_INSTANT = datetime.min.replace(tzinfo=UTC)
LAST_INSTANT = datetime.max.replace(tzinfo=UTC)
DAY = timedelta(days=1)

Identifier = BigInteger().with_variant(Integer, "sqlite")
"""A 64-bit key on every database; SQLite only numbers rows by itself when the type is called INTEGER."""


class Instant(TypeDecorator[datetime]):
    """A point in time, exact to the microsecond: aware `datetime` in Python.

    SQLite keeps it as an integer, microseconds since 1970-01-01 UTC (a third smaller and faster than text,
    and arithmetic is exact); PostgreSQL as `timestamptz`. A naive datetime is refused.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(BigInteger())
        return dialect.type_descriptor(DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        return _PUTS.get(dialect.name, _checked)(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        return _TAKES.get(dialect.name, _in_utc)(value)

    # What SQLAlchemy makes of the two above calls one more function for each instant.
    def bind_processor(self, dialect: Dialect) -> Any:
        return _PUTS.get(dialect.name, _checked)

    def result_processor(self, dialect: Dialect, coltype: Any) -> Any:
        return _TAKES.get(dialect.name, _in_utc)


def in_words(name: str) -> Callable[[datetime], Any]:
    """What puts an instant as the database of this name keeps it."""
    return _PUTS.get(name, _checked)


class Several(TypeDecorator[Sequence[Any]]):
    """Any number of whole numbers or texts in one parameter: an array, or on SQLite, which has none, JSON."""

    impl = Text
    cache_ok = True

    def __init__(self, kind: type) -> None:
        super().__init__()
        self.kind = kind

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(Text())
        return dialect.type_descriptor(ARRAY(BigInteger() if self.kind is int else Text()))

    # What SQLAlchemy makes of a `process_bind_param` would take the text of an array apart again.
    def bind_processor(self, dialect: Dialect) -> Any:
        return _as_json if dialect.name == "sqlite" else array

    def literal_processor(self, dialect: Dialect) -> Any:
        put = self.bind_processor(dialect)
        quoted: Any = Text().dialect_impl(dialect).literal_processor(dialect)
        return lambda values: quoted(put(values))


def _as_json(values: Sequence[Any]) -> str:
    return json.dumps([*values])


def _checked(value: Any) -> datetime | None:
    if value is None:
        return None
    if not isinstance(value, datetime):
        raise ValueError(  # noqa: TRY004 - what SQLAlchemy expects of a wrong value
            f"expected an instant, got a {type(value).__name__}; days_after(...) gives a later one"
        )
    if value.tzinfo is None:
        raise ValueError(f"expected an instant with a time zone, got {value.isoformat()}")
    return value


def _in_utc(value: datetime | None) -> datetime | None:
    return None if value is None else value.astimezone(UTC)


def _as_number(value: Any) -> int | None:
    at = _checked(value)
    return None if at is None else (at - EPOCH) // MICROSECOND


def _from_number(value: int | None) -> datetime | None:
    return None if value is None else EPOCH + MICROSECOND * value


_PUTS = {"sqlite": _as_number}
_TAKES = {"sqlite": _from_number}


def date_of(day: int) -> datetime:
    """The midnight, UTC, that begins a day, counted from 1970-01-01."""
    return EPOCH + day * DAY
