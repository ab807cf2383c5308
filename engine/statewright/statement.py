"""A statement that SQLAlchemy builds and compiles once, and that the driver runs without it from then on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from sqlalchemy import BindParameter, Column, ColumnElement, Dialect, Select, bindparam
from sqlalchemy.sql import operators
from sqlalchemy.sql.expression import Executable
from sqlalchemy.types import TypeEngine

from statewright.dialects import Database, is_one_of

AT = "now"
"""The instant of a step, which a `Statement` is told in the database's own words: it is put so once a step."""


def parameter(name: str, kind: TypeEngine[Any]) -> BindParameter[Any]:
    """A value that is told as the statement runs; a `Statement` refuses to run without it."""
    return bindparam(name, type_=kind, required=False)


@dataclass(eq=False, slots=True)
class Compiled:
    """A statement in the words of one database: what it is told, and what its rows are.

    sql:     with parameters by number
    names:   what each number stands for, the first is 1
    chosen:  finds the values of these names among all that are told
    puts:    how values are put to the driver that it does not take as they are, by place in the names
    columns: of its rows; only of a SELECT
    takes:   how those are read that the driver does not give as they are, by column
    native:  what the database's own connection has made of it
    """

    sql: str
    names: tuple[str, ...]
    chosen: Callable[[Mapping[str, Any]], tuple[Any, ...]]
    puts: tuple[tuple[int, Callable[[Any], Any]], ...]
    columns: tuple[str, ...]
    takes: tuple[tuple[str, Callable[[Any], Any]], ...]
    native: Any = None

    def bound(self, values: Mapping[str, Any]) -> Sequence[Any]:
        """The values by number, as the driver takes them. Raises KeyError when one is missing."""
        told = [*self.chosen(values)]
        for place, put in self.puts:
            told[place] = put(told[place])
        return told

    def read(self, row: Any) -> dict[str, Any]:
        """A row of the driver's as values by column."""
        found = dict(zip(self.columns, row, strict=True))
        for column, take in self.takes:
            found[column] = take(found[column])
        return found


class Statement:
    """A statement, compiled for each kind of database when it first runs there.

    What it is told is made by `parameter`; every other value in it becomes a part of its text, so that the
    planner knows it.

    says:     words of SQL for parameters that it is not told
    compiled: what it is in the words of each kind of database on which it has run, by the database's name
    """

    __slots__ = ("_says", "clause", "compiled")

    def __init__(self, clause: Executable, says: Mapping[str, str] | None = None) -> None:
        self.clause = clause
        self._says = says or {}
        self.compiled: dict[str, Compiled] = {}

    def on(self, dialect: Dialect, database: Database) -> Compiled:
        """The statement in a database's own words."""
        found = self.compiled.get(database.NAME)
        if found is None:
            found = self.compiled[database.NAME] = _compile(self.clause, dialect, database, self._says)
        return found


def _compile(clause: Executable, dialect: Dialect, database: Database, says: Mapping[str, str]) -> Compiled:
    compiler: Any = dialect.statement_compiler
    numbers: dict[str, int] = {}

    class Inlining(compiler):  # type: ignore[misc]
        def visit_bindparam(self, parameter: Any, literal_binds: bool = False, **options: Any) -> str:  # noqa: FBT001, FBT002 - SQLAlchemy's own signature
            if parameter.key in says:
                return says[parameter.key]
            inline = literal_binds or parameter.value is not None
            said: str = super().visit_bindparam(parameter, literal_binds=inline, **options)
            return said

        def bindparam_string(self, name: str, **options: Any) -> str:
            hole: str = self.compilation_bindtemplate % {"name": name}
            said: str = super().bindparam_string(name, **options)
            return said.replace(hole, f"{database.MARK}{numbers.setdefault(name, len(numbers) + 1)}")

        def visit_binary(self, binary: Any, **options: Any) -> str:
            one_by_one = _compared(binary, database.COMPARED)
            if one_by_one is not None:
                return str(self.process(one_by_one, **options))
            return str(super().visit_binary(binary, **options))

        def visit_unary(self, unary: Any, **options: Any) -> str:
            said: str = super().visit_unary(unary, **options)
            if unary.operator is operators.exists:
                return f"{said[:-1]}{database.EXISTS_END})"
            return said

    compiled = Inlining(dialect, clause)
    sql = compiled.string.replace("%%", "%") if dialect.paramstyle == "pyformat" else compiled.string
    kinds = {name: compiled.binds[name].type.dialect_impl(dialect) for name in numbers}
    puts = [None if name == AT else kind.bind_processor(dialect) for name, kind in kinds.items()]
    columns = {
        str(column.key): column.type.dialect_impl(dialect).result_processor(dialect, None)
        for column in (clause.selected_columns if isinstance(clause, Select) else ())
    }
    return Compiled(
        sql,
        tuple(numbers),
        _choosing(tuple(numbers)),
        tuple((place, put) for place, put in enumerate(puts) if put is not None),
        tuple(columns),
        tuple((column, take) for column, take in columns.items() if take is not None),
    )


def _compared(binary: Any, most: int) -> ColumnElement[bool] | None:
    """What asks of a column whether it has one of a few values, as comparisons; None for anything else."""
    if binary.operator not in (operators.in_op, operators.not_in_op) or not isinstance(binary.left, Column):
        return None
    values = getattr(binary.right, "value", None) or ()
    if not 2 < len(values) <= most:
        return None
    alike = is_one_of(binary.left, values)
    return alike if binary.operator is operators.in_op else ~alike


def _choosing(names: tuple[str, ...]) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    # What itemgetter makes for one name finds the value itself, and for none it makes nothing.
    if len(names) > 1:
        return itemgetter(*names)
    if not names:
        return lambda _values: ()
    (name,) = names
    return lambda values: (values[name],)
