"""A table that grows for ever, kept in parts of a month each where the database can: PostgreSQL's partitions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import DDL, Column, Connection, PrimaryKeyConstraint, event, literal_column, select, table, text
from sqlalchemy.ext.compiler import compiles

AHEAD = 2
"""Months after the present one whose parts are made before their rows come."""


@dataclass(frozen=True, slots=True)
class ByMonth:
    """A table is kept by the month of one of its instants, which never changes.

    Nobody sees the parts: each query reads those that it needs. A row for which there is no part yet is kept in
    the part `<table>_default`. The parts are made by a function of the database, `<table>_ahead`, with the rights
    of whoever owns the table, so that a daemon that may only add rows has them made in time.
    """

    at: Column[datetime]

    def attach(self) -> None:
        """Have the parts made together with the table."""
        table = self.at.table
        table.info[_KEPT_BY] = self.at.name

        @event.listens_for(table, "before_create")
        def say_it_to_a_server(_table: Any, connection: Connection, **_: Any) -> None:
            # As for a partial index: SQLAlchemy would load all that it knows of PostgreSQL for a file, too.
            if connection.dialect.name == "postgresql":
                table.dialect_kwargs["postgresql_partition_by"] = f"RANGE ({self.at.name})"

        for statement in _statements(table.name, self.at.name):
            made = DDL(statement.replace("%", "%%")).execute_if(dialect="postgresql")
            event.listen(table.metadata, "after_create", made)


def keep_ahead(connection: Connection, name: str, now: datetime) -> None:
    """Make the parts for this month and the next ones, unless they are there or this user may not have them made.

    It waits for others only a moment; StoreError `busy` says that it is for another time.
    """
    asked = {"last": f"{name}_{_later(now, AHEAD)}", "make": f"{name}_ahead(timestamptz)"}
    if connection.execute(_WANTED, asked).scalar_one():
        connection.execute(text(f"SELECT {name}_ahead(:now)"), {"now": now})


def drop_empty(connection: Connection, name: str, before: datetime) -> list[str]:
    """Remove the parts that hold nothing and are for months before this instant; returns their names.

    Only who owns them may; for others there are none. It waits for others only a moment, as `keep_ahead` does.
    """
    found = connection.execute(_PARTS, {"name": name, "last": f"{name}_{_later(before, -1)}"}).scalars()
    empty = [part for part in found.all() if _is_empty(connection, part)]
    if not empty:
        return []
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_A_MOMENT}'")
    connection.exec_driver_sql(f"LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE")
    # Whoever wrote into one meanwhile keeps it: an import may bring old moves.
    dropped = [part for part in empty if _is_empty(connection, part)]
    for part in dropped:
        connection.exec_driver_sql(f"DROP TABLE {part}")
    return dropped


def _is_empty(connection: Connection, part: str) -> bool:
    return connection.execute(select(literal_column("1")).select_from(table(part)).limit(1)).first() is None


_KEPT_BY = "kept by the month of"
_A_MOMENT = "300ms"
_WANTED = text("SELECT to_regclass(:last) IS NULL AND has_function_privilege(:make, 'EXECUTE')")
_PARTS = text(r"""
    SELECT part.relname FROM pg_inherits JOIN pg_class part ON part.oid = inhrelid
    WHERE inhparent = to_regclass(:name) AND part.relname ~ '_\d{4}_\d\d$' AND part.relname <= :last
    AND pg_has_role(part.relowner, 'USAGE') ORDER BY part.relname
""")


def _later(now: datetime, months: int) -> str:
    """A month, so many after this one, as parts are named."""
    years, month = divmod(now.month - 1 + months, 12)
    return f"{now.year + years:04}_{month + 1:02}"


@compiles(PrimaryKeyConstraint, "postgresql")
def _primary_key(constraint: PrimaryKeyConstraint, compiler: Any, **options: Any) -> str:
    """What is unique in all parts must hold what tells them apart."""
    words: str = compiler.visit_primary_key_constraint(constraint, **options)
    at = constraint.table.info.get(_KEPT_BY)
    return words if at is None else words.replace(")", f", {at})")


def _statements(name: str, at: str) -> list[str]:
    """What makes and keeps the parts, in the server's own language."""
    words = {"LOG": name, "INSTANT": at, "AHEAD": str(AHEAD + 1), "MOMENT": _A_MOMENT}
    return [re.sub("|".join(words), lambda found: words[found[0]], each) for each in _SQL.strip().split("\n\n")]


# The function has its owner's rights, so it names each table with its schema: nobody else's is taken for it.
_SQL = """
CREATE OR REPLACE FUNCTION LOG_is_never_truncated() RETURNS trigger LANGUAGE plpgsql AS $rule$ BEGIN
RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = 'the LOG log is append-only';
END $rule$

CREATE TABLE IF NOT EXISTS LOG_default PARTITION OF LOG DEFAULT

CREATE OR REPLACE TRIGGER LOG_is_never_truncated BEFORE TRUNCATE ON LOG
FOR EACH STATEMENT EXECUTE FUNCTION LOG_is_never_truncated()

CREATE OR REPLACE TRIGGER LOG_is_never_truncated BEFORE TRUNCATE ON LOG_default
FOR EACH STATEMENT EXECUTE FUNCTION LOG_is_never_truncated()

DO $do$ BEGIN EXECUTE replace($make$
CREATE OR REPLACE FUNCTION SCHEMA.LOG_ahead(present timestamptz) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET lock_timeout = 'MOMENT' AS $ahead$
DECLARE
    low timestamptz;
    high timestamptz;
    part text;
BEGIN
    LOCK TABLE SCHEMA.LOG IN SHARE UPDATE EXCLUSIVE MODE;
    -- The parts follow each other without a gap; a month of which the default part has rows already is left to it.
    SELECT to_date(right(max(relname::text), 7), 'YYYY_MM') + interval '1 month' INTO low
    FROM pg_inherits JOIN pg_class part ON part.oid = inhrelid
    WHERE inhparent = 'SCHEMA.LOG'::regclass AND relname ~ '_[0-9]{4}_[0-9]{2}$';
    SELECT greatest(low, date_trunc('month', max(INSTANT)) + interval '1 month') INTO low FROM SCHEMA.LOG_default;
    high := greatest(date_trunc('month', present), low) + interval '1 month';
    WHILE high <= date_trunc('month', present) + interval 'AHEAD months' LOOP
        part := 'LOG_' || to_char(high - interval '1 month', 'YYYY_MM');
        EXECUTE format('CREATE TABLE SCHEMA.%I (LIKE SCHEMA.LOG INCLUDING DEFAULTS)', part);
        EXECUTE format('CREATE TRIGGER LOG_is_never_truncated BEFORE TRUNCATE ON SCHEMA.%I '
            'FOR EACH STATEMENT EXECUTE FUNCTION SCHEMA.LOG_is_never_truncated()', part);
        EXECUTE format('ALTER TABLE SCHEMA.LOG ATTACH PARTITION SCHEMA.%I FOR VALUES FROM (%s) TO (%L)',
            part, coalesce(quote_literal(low), 'MINVALUE'), high);
        low := high;
        high := high + interval '1 month';
    END LOOP;
END $ahead$ $make$, 'SCHEMA', quote_ident(current_schema())); END $do$

REVOKE ALL ON FUNCTION LOG_ahead(timestamptz) FROM PUBLIC
"""
