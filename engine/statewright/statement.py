"""A statement that SQLAlchemy builds and compiles once, and that the driver runs without it from then on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BindParameter, Dialect, Select, bindparam
from sqlalchemy.sql.expression import Executable
from sqlalchemy.types import TypeEngine

Process = Callable[[Any], Any] | None


def parameter(name: str, kind: TypeEngine[Any]) -> BindParameter[Any]:
    """A value that is told as the statement runs; a `Statement` refuses to run without it."""
    return bindparam(name, type_=kind, required=False)


@dataclass(frozen=True, slots=True)
class Compiled:
    """A statement in the words of one database: what it is told, and what its rows are.

    sql:   with named parameters
    told:  the parameters, and how each is put to the driver
    tells: the columns, and how each is read from the driver; only of a SELECT
    """

    sql: str
    told: tuple[tuple[str, Process], ...]
    tells: tuple[tuple[str, Process], ...]

    def bound(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters as the driver takes them. Raises KeyError when one is missing."""
        return {name: values[name] if put is None else put(values[name]) for name, put in self.told}

    def read(self, row: Any) -> dict[str, Any]:
        """A row of the driver's as values by column."""
        return {
            name: value if take is None else take(value)
            for (name, take), value in zip(self.tells, row, strict=True)
        }


class Statement:
    """A statement, compiled for each kind of database when it first runs there.

    What it is told is made by `parameter`; every other value in it becomes a part of its text, so that the
    planner knows it.
    """

    __slots__ = ("_compiled", "clause")

    def __init__(self, clause: Executable) -> None:
        self.clause = clause
        self._compiled: dict[str, Compiled] = {}

    def on(self, dialect: Dialect) -> Compiled:
        """The statement in a database's own words."""
        found = self._compiled.get(dialect.name)
        if found is None:
            found = self._compiled[dialect.name] = _compile(self.clause, dialect)
        return found


def _compile(clause: Executable, dialect: Dialect) -> Compiled:
    compiler: Any = dialect.statement_compiler

    class Inlining(compiler):  # type: ignore[misc]
        def visit_bindparam(self, parameter: Any, literal_binds: bool = False, **options: Any) -> str:  # noqa: FBT001, FBT002 - SQLAlchemy's own signature
            inline = literal_binds or parameter.value is not None
            said: str = super().visit_bindparam(parameter, literal_binds=inline, **options)
            return said

    compiled = Inlining(dialect, clause)
    told = tuple(
        (name, bind.type.dialect_impl(dialect).bind_processor(dialect)) for name, bind in compiled.binds.items()
    )
    columns = clause.selected_columns if isinstance(clause, Select) else ()
    tells = tuple(
        (str(column.key), column.type.dialect_impl(dialect).result_processor(dialect, None)) for column in columns
    )
    return Compiled(compiled.string, told, tells)
