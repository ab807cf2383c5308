"""What a revision does: run frozen SQL, change the states of a chart or how they are told, add a deadline."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import CheckConstraint, Column, ColumnElement, Connection, Index, MetaData, Table, Text, text
from sqlalchemy.schema import AddConstraint, CreateIndex

from statewright import dialects
from statewright.dialects import FIRST_INSTANT, LAST_INSTANT, Instant, is_one_of
from statewright.errors import StoreError
from statewright.tables import NAMES


def run_script(file: str) -> None:
    """Run the SQL beside a revision; a blank line ends a statement.

    Beside `shop_1.py`, that is `shop_1.sqlite.sql` and `shop_1.postgresql.sql`, or `shop_1.sql` for both.
    """
    connection = _connection()
    own = Path(file).with_suffix(f".{dialects.of(connection).NAME}.sql")
    script = own if own.exists() else Path(file).with_suffix(".sql")
    for statement in script.read_text(encoding="utf-8").split("\n\n"):
        connection.execute(text(statement.replace(":", "\\:")))


def change_states(table: str, states: Sequence[str]) -> None:
    """Let the rows of a table be in these states and no others, as its chart's new version has them.

    Raises StoreError when a row is in another one: move those first, by an UPDATE of your revision.
    """
    connection = _connection()
    changed = _table(table, Column("state", Text))
    allowed = is_one_of(changed.c.state, states)
    if found := connection.execute(changed.select().where(~allowed).limit(1)).scalar():
        raise StoreError(f'cannot change the states of {table}: a row is in the state "{found}"; move it first')
    check = CheckConstraint(allowed, name="state")
    changed.append_constraint(check)
    words = _words(connection, check)
    name = f"ck_{table}_state"
    if _can_alter(connection):
        connection.execute(text(f"ALTER TABLE {table} DROP CONSTRAINT {name}"))
        _constrain(connection, table, name, words)
    else:
        _rewrite(connection, table, lambda sql: sql.replace(_the_check(sql, name), words))


def compare_states(table: str) -> None:
    """Have SQLite compare the state of a row with each that is allowed, as tables of a chart are made today.

    They were made with an IN, which means the same and is slower there. On a server there is nothing to do.
    """
    connection = _connection()
    if not _can_alter(connection):
        check = _the_check(_made_with(connection, table), f"ck_{table}_state")
        change_states(table, re.findall(r"'(\w+)'", check))


def add_deadline(table: str, column: str) -> None:
    """Give a table a column for a deadline, NULL in every row, with the check and the index of one.

    In the application's table it must be the last column, its deadline the last of the workflow.
    """
    at = Column(column, Instant)
    add_column(table, at)
    add_check(table, f"{column}_in_calendar", at.between(FIRST_INSTANT, LAST_INSTANT))
    armed = at.is_not(None)
    index = Index(f"ix_{table}_{column}", at, sqlite_where=armed, postgresql_where=armed)
    _connection().execute(CreateIndex(index))


def add_column(table: str, column: Column[Any]) -> None:
    """Give a table a column, NULL in every row; in the application's table it must be the last one."""
    connection = _connection()
    _table(table, column)
    words = f"{column.name} {column.type.compile(connection.dialect)}"
    if _can_alter(connection):
        connection.execute(text(f"ALTER TABLE {table} ADD COLUMN {words}"))
    else:
        _rewrite(connection, table, lambda sql: _with_column(sql, words))


def add_check(table: str, name: str, condition: ColumnElement[bool] | str) -> None:
    """Have a table refuse rows that do not meet a condition: in the application, its last constraint."""
    connection = _connection()
    check = CheckConstraint(condition, name=name)
    _table(table).append_constraint(check)
    words = _words(connection, check)
    if _can_alter(connection):
        _constrain(connection, table, f"ck_{table}_{name}", words)
    else:
        _rewrite(connection, table, lambda sql: _with_constraint(sql, words))


def _connection() -> Connection:
    from alembic import op

    return op.get_bind()


def _table(name: str, *columns: Column[Any]) -> Table:
    return Table(name, MetaData(naming_convention=NAMES), *columns)


def _words(connection: Connection, check: CheckConstraint) -> str:
    """A constraint as it stands in CREATE TABLE."""
    compiled = str(AddConstraint(check).compile(dialect=connection.dialect))
    return compiled[compiled.index("CONSTRAINT") :].strip()


def _can_alter(connection: Connection) -> bool:
    return connection.dialect.supports_alter


def _constrain(connection: Connection, table: str, name: str, words: str) -> None:
    connection.execute(text(f"ALTER TABLE {table} ADD {words} NOT VALID".replace(":", "\\:")))
    connection.execute(text(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}"))


def _rewrite(connection: Connection, table: str, change: Callable[[str], str]) -> None:
    """Change the words that a table was made with; its rows, indexes and triggers stay as they are.

    SQLite's own procedure for what changes nothing on the disk. A copy put in the table's
    place would fail: a trigger of another table that names this one forbids to rename the copy.
    """
    before = _made_with(connection, table)
    cookie: int = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema = ON")
    try:
        connection.execute(
            text("UPDATE sqlite_master SET sql = :sql WHERE type = 'table' AND name = :name"),
            {"sql": change(before), "name": table},
        )
        connection.exec_driver_sql(f"PRAGMA schema_version = {cookie + 1}")
    finally:
        connection.exec_driver_sql("PRAGMA writable_schema = OFF")
    if (said := connection.exec_driver_sql(f"PRAGMA quick_check({table})").scalar_one()) != "ok":
        raise StoreError(f"cannot change the table {table}: {said}")


def _made_with(connection: Connection, table: str) -> str:
    """The words that a table was made with."""
    asked = text("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = :name")
    words: str = connection.execute(asked, {"name": table}).scalar_one()
    return words


def _the_check(sql: str, name: str) -> str:
    """The constraint of this name among those words, one that names states."""
    found = re.findall(rf"CONSTRAINT {name} CHECK \((?:state IN )?\([^()]*\)\)", sql)
    if len(found) != 1:
        raise StoreError(f"expected one constraint {name}, found {len(found)}; was the table changed by hand?")
    check: str = found[0]
    return check


def _with_column(sql: str, column: str) -> str:
    """The words with a column after the last one."""
    columns, mark, constraints = sql.partition("CONSTRAINT")
    return f"{columns}{column}, \n\t{mark}{constraints}"


def _with_constraint(sql: str, words: str) -> str:
    """The words with a constraint after the last one."""
    return f"{sql.rstrip().removesuffix(')').rstrip()}, \n\t{words}\n)"
