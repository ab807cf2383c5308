"""The few words of SQL that each database says its own way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, ColumnElement, Integer, bindparam, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement, GenericFunction, ReturnTypeFromArgs
from sqlalchemy.types import NullType

from statewright.dialects.types import Instant, Several


class days_after(GenericFunction[datetime]):
    """`days_after(instant, days)`: the instant so many times 24 hours later (or earlier, if negative)."""

    type = Instant()
    inherit_cache = True


class days_between(GenericFunction[int]):
    """`days_between(earlier, later)`: full days of 24 hours between them; negative the other way round."""

    type = Integer()
    inherit_cache = True


class earliest(ReturnTypeFromArgs[Any]):
    """`earliest(a, b, ...)`: the least of several values, none of them NULL."""

    inherit_cache = True


class latest(ReturnTypeFromArgs[Any]):
    """`latest(a, b, ...)`: the greatest of several values, none of them NULL."""

    inherit_cache = True


class unindexed(FunctionElement[datetime]):
    """`unindexed(instant)`: the instant, for a condition that must not be looked up by its index."""

    type = Instant()
    inherit_cache = True


class is_one_of(FunctionElement[bool]):
    """`is_one_of(column, values)`: whether a column has one of a few values, in a constraint as in a statement.

    Of an IN, SQLite puts the values into a table of their own, 8 kB, whenever it asks: for a constraint, with each
    row that is written.
    """

    type = Boolean()
    inherit_cache = True

    def __init__(self, column: ColumnElement[Any], values: Iterable[Any]) -> None:
        super().__init__(column, *(literal(value, column.type) for value in values))


class _among(GenericFunction[Any]):
    # Not Boolean: SQLite, which has none, would be asked whether it equals 1, and then uses no index.
    type = NullType()
    inherit_cache = True


def among(column: ColumnElement[Any], values: Sequence[int] | Sequence[str] | str) -> ColumnElement[bool]:
    """Whether a column is one of these whole numbers or texts, however many.

    values: what they are, or the name of the parameter that will hold them
    They are one parameter. `in_` makes one of each, and to write thousands takes longer than to run the statement.
    """
    kind = Several(column.type.python_type)
    if isinstance(values, str):
        return _among(column, bindparam(values, type_=kind))
    return _among(column, bindparam(None, values, type_=kind))


def _word(function: type[FunctionElement[Any]], sqlite: Callable[..., str], other: Callable[..., str]) -> None:
    def compile_sqlite(element: Any, compiler: Any, **options: Any) -> str:
        return sqlite(*(compiler.process(clause, **options) for clause in element.clauses))

    def compile_other(element: Any, compiler: Any, **options: Any) -> str:
        return other(*(compiler.process(clause, **options) for clause in element.clauses))

    compiles(function)(compile_other)
    compiles(function, "sqlite")(compile_sqlite)


_DAY = "86400000000"  # microseconds


def _one_of(word: str) -> Callable[..., str]:
    """A word for several values; for one it is that value, which SQLite's min and max would aggregate."""
    return lambda first, *others: f"{word}({', '.join((first, *others))})" if others else f"({first})"


_word(
    days_after,
    lambda instant, days: f"(({instant}) + ({days}) * {_DAY})",
    lambda instant, days: f"(({instant}) + ({days}) * interval '24 hours')",
)
_word(
    days_between,
    lambda early, late: f"((({late}) - ({early})) / {_DAY})",
    lambda early, late: f"trunc(extract(epoch from ({late}) - ({early})) / 86400)::int",
)
_word(earliest, _one_of("min"), _one_of("least"))
_word(latest, _one_of("max"), _one_of("greatest"))

_word(unindexed, lambda instant: f"(+{instant})", lambda instant: f"{instant}")
_word(
    is_one_of,
    lambda column, *values: f"({' OR '.join(f'{column} = {value}' for value in values)})",
    lambda column, *values: f"{column} IN ({', '.join(values)})",
)
_word(
    _among,
    lambda column, values: f"({column} IN (SELECT value FROM json_each({values})))",  # noqa: S608 - made of parts of a statement
    lambda column, values: f"({column} = ANY ({values}))",
)
