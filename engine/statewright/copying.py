"""A whole database copied into another one, of either kind: rows, ids, the whole log; all or nothing."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, func, literal, null, select
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError

from statewright import dialects
from statewright.dialects.loading import Chunk, loader
from statewright.errors import StoreError
from statewright.store import Store
from statewright.tables import alembic_version, metadata

CHUNK = 2_000
"""Rows that are held at once."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Copied:
    """What a table holds, the same on both sides.

    last:   the highest id; None where rows have no number of their own, or there are none
    states: how many rows are in which state, where they have one
    """

    table: str
    rows: int
    last: int | None
    states: Mapping[str, int]

    def in_words(self) -> str:
        return f"{self.rows} rows up to id {self.last}, states {dict(self.states)}"


def copy(source: Store, target: Store, *, progress: Progress = lambda done, total: None) -> Sequence[Copied]:
    """Fill an empty store with all that another one holds at this moment; others may go on using that one.

    It is one transaction of the target, committed after its rows were counted and found to be those of the
    source. Ids of log rows that the source has ever given out are not given again.
    progress: is told how many rows are copied, and of how many
    Raises StoreError when the target is not empty, or refuses a row.
    """
    tables = [each for each in (*metadata.sorted_tables, *source.schema.tables.sorted_tables) if _kept(each)]
    try:
        with source.reading() as reading:
            origin = reading.connection()
            expected = {table: _counted(origin, table) for table in tables}
            numbers = {table: loader(origin).last_number(origin, table) for table in tables if _numbered(table)}
            with target.transaction() as filling:
                into = filling.connection()
                if loader(into).whereabouts(into) == loader(origin).whereabouts(origin):
                    raise StoreError(f'cannot copy the database "{source.name}" into itself; name another one')
                with loader(into).unopposed(into, tables):
                    _expect_empty(into, tables, target.name)
                    _fill(into, origin, expected, source.name, progress)
                    for table, last in numbers.items():
                        loader(into).number_after(into, table, last)
                # Nothing more is read there, and a server ends who holds a transaction and is silent for long.
                reading.close()
                _expect_same(into, expected, target.name)
    except IntegrityError as error:
        raise StoreError(
            f'cannot copy the database "{source.name}": a row breaks a rule that "{target.name}" keeps: '
            f"{dialects.violated(error)}"
        ) from error
    return [*expected.values()]


def _kept(table: Table) -> bool:
    """Whoever makes a database writes down the version of its tables by itself."""
    return table is not alembic_version


def _numbered(table: Table) -> bool:
    return table.autoincrement_column is not None


def _counted(connection: Connection, table: Table) -> Copied:
    number = table.autoincrement_column
    highest: ColumnElement[Any] = null() if number is None else func.max(number)
    rows, last = connection.execute(select(func.count(), highest).select_from(table)).one()
    states: dict[str, int] = {}
    if "state" in table.columns:
        counted = select(table.c.state, func.count()).group_by(table.c.state).order_by(table.c.state)
        states = {state: number for state, number in connection.execute(counted)}  # noqa: C416 - dict() cannot be typed
    return Copied(table.name, rows, last, states)


def _expect_empty(connection: Connection, tables: Sequence[Table], name: str) -> None:
    for table in tables:
        if connection.execute(select(literal(1)).select_from(table).limit(1)).first() is not None:
            raise StoreError(
                f'cannot copy into the database "{name}": it is not empty, {table.name} has rows; name a new one'
            )


def _fill(
    into: Connection, origin: Connection, expected: Mapping[Table, Copied], name: str, progress: Progress
) -> None:
    total, done = sum(each.rows for each in expected.values()), 0
    for table, each in expected.items():
        try:
            with closing(_rows(origin, into, table, name)) as rows:
                loader(into).load(into, table, _told(rows, progress, done, total))
        except DataError as error:
            said = dialects.violated(error)
            raise StoreError(
                f'cannot copy the database "{name}": {table.name} has a value that fits only there: {said}'
            ) from error
        done += each.rows


def _rows(origin: Connection, into: Connection, table: Table, name: str) -> Generator[Chunk]:
    """All rows of a table, as the other side's driver takes them."""
    types = [column.type.dialect_impl(into.dialect) for column in table.columns]
    processors = [kind.bind_processor(into.dialect) for kind in types]
    try:
        with closing(origin.execute(select(table), execution_options={"yield_per": CHUNK})) as found:
            for part in found.partitions():
                yield [tuple(map(_bound, processors, row)) for row in part]
    except DBAPIError as error:
        # What fails over there must not be said of the database that is being filled.
        raise dialects.of(origin).trouble(error, name) from error


def _bound(process: Any, value: Any) -> Any:
    return value if process is None else process(value)


def _told(chunks: Iterator[Chunk], progress: Progress, done: int, total: int) -> Iterator[Chunk]:
    for chunk in chunks:
        yield chunk
        done += len(chunk)
        progress(done, total)


def _expect_same(connection: Connection, expected: Mapping[Table, Copied], name: str) -> None:
    for table, wanted in expected.items():
        found = _counted(connection, table)
        if found != wanted:
            raise StoreError(
                f'the copy in the database "{name}" differs in {table.name}: expected {wanted.in_words()}, '
                f"got {found.in_words()}"
            )
