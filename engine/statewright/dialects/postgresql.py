"""PostgreSQL: one server for any number of daemons; rows are locked one by one, and its clock is everybody's."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import URL, Connection, Engine, MetaData, Table, create_engine, event, text
from sqlalchemy.exc import DBAPIError

from statewright.clock import Clock
from statewright.dialects import months, postgresql_trouble, postgresql_watch
from statewright.dialects.begin import begin_with
from statewright.dialects.forbid import Forbid
from statewright.errors import StoreError

NAME: str = "postgresql"
DRIVERS: tuple[str, ...] = ("postgresql", "postgresql+psycopg")
LOCKS_ROWS: bool = True
"""Several write at once: whoever decides about a row locks it first."""

WAITS_FOR_ANSWERS: bool = True
"""Each answer takes a way through a socket, so that several statements together are quicker than one by one."""

KEEPS_MONTHS: bool = True
"""A table may be kept in parts, which are made ahead of their rows."""

trouble = postgresql_trouble.trouble
violated = postgresql_trouble.violated
keep_values_out = postgresql_trouble.keep_values_out

keep_ahead = months.keep_ahead
drop_empty = months.drop_empty

BEGIN_READING: str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
"""A session that only reads sees all of it at one moment."""
BEGIN_WRITING: str = "BEGIN ISOLATION LEVEL READ COMMITTED"

MARK: str = "$"
"""What the number of a parameter follows in a statement."""

EXISTS_END: str = " OFFSET 0"
"""Ends what is asked by an EXISTS: it is then asked of each row by itself. Where the planner expects few rows, it
would else collect what all rows have, such as every ad that is live, each time that one row moves."""

COMPARED: int = 0
PRESENT: str = "statement_timestamp()"
"""The instant at which a statement begins to run, by the server's clock."""

_WAYS = {
    # The planner knows nothing of the size of what was just written, and would read whole tables to join it.
    "enable_seqscan": ("off", "on"),
    "enable_hashjoin": ("off", "on"),
    "enable_mergejoin": ("off", "on"),
    # To plan such a statement anew each time takes longer than to run it for a few rows.
    "plan_cache_mode": ("force_generic_plan", "auto"),
}
BY_INDEX, BY_CHOICE = (
    "SELECT " + ", ".join(f"set_config('{way}', '{values[which]}', true)" for way, values in _WAYS.items())
    for which in (0, 1)
)
"""Said before and after statements that go to each row by an index.

A connection begins by index: calls are the shortest transactions, and are spared to say so.
"""

OLDEST = 14

LOOKS = 10
BETWEEN_LOOKS = 0.005
"""How often, and after how many seconds, to look whether short transactions are over before giving up for now."""

CONNECT_TIMEOUT = 10
"""Seconds for a connection to be made, before the server is taken to be out of reach."""

STATEMENT_TIMEOUT = 300
"""Seconds that one statement, or a pause within a transaction, may last: nothing hangs for ever."""

SILENCE = 15
"""Seconds without a sign of life after which a connection is given up as dead."""


class DatabaseClock:
    """The server's own clock: those of the machines around it may differ."""

    def __init__(self, engine: Engine, name: str) -> None:
        self._engine = engine
        self._name = name

    def now(self) -> datetime:
        """The present instant. Raises StoreError when the server cannot be asked."""
        try:
            with self._engine.connect() as connection:
                return self.now_on(connection.exec_driver_sql)
        except DBAPIError as error:
            raise trouble(error, self._name) from error

    def now_on(self, say: Callable[[str], Any]) -> datetime:
        """The present instant, asked over a connection that is open already."""
        (found,) = say("SELECT clock_timestamp()").fetchone()
        instant: datetime = found.astimezone(UTC)
        return instant


class Horizon:
    """Up to which log row no other can still appear: ids are given out in one order and committed in another."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine.execution_options(bare=True)
        self._settled = 0
        self._ahead: tuple[int, int] | None = None

    def settled(self) -> int:
        """The last log row that has only settled ones before it.

        Transactions are numbered before they are given ids for the log. So whoever was given one of the ids up to
        the last is among the transactions begun until now, and when all of those are over, so is the question.
        """
        with self._engine.connect() as connection:
            for _ in range(LOOKS):
                if self._ahead is None:
                    last: int = connection.exec_driver_sql(_LAST_ID).scalar_one()
                    self._ahead = last, connection.exec_driver_sql(_FIRST_UNBEGUN).scalar_one()
                last, unbegun = self._ahead
                if connection.exec_driver_sql(_FIRST_RUNNING).scalar_one() >= unbegun:
                    self._settled, self._ahead = last, None
                    break
                time.sleep(BETWEEN_LOOKS)
        return self._settled


_LAST_ID = "SELECT last_value FROM transition_id_seq"
_FIRST_UNBEGUN = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
_FIRST_RUNNING = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint"


def horizon(engine: Engine) -> Horizon:
    """Tells how far the log is settled."""
    return Horizon(engine)


announcing = postgresql_watch.announcing
wakeups = postgresql_watch.wakeups


def numbers(connection: Connection, table: Table, count: int) -> list[int]:
    """So many new ids for rows of a table, ascending, that nobody else gets."""
    # The transaction is numbered first: see Horizon.
    connection.exec_driver_sql("SELECT pg_current_xact_id()")
    # As one text, which is read in a fifth of the time of so many rows.
    drawn = f"string_agg(nextval('{table.name}_id_seq')::text, ',')"
    told: str = connection.exec_driver_sql(f"SELECT {drawn} FROM generate_series(1, {count})").scalar_one()  # noqa: S608
    return sorted(map(int, told.split(",")))


def tables_in(connection: Connection) -> set[str]:
    """The names of all tables in the schema; what SQLAlchemy asks to find them out takes longer."""
    return {*connection.exec_driver_sql(_TABLES).scalars()}


_TABLES = """
    SELECT relname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE nspname = current_schema() AND relkind IN ('r', 'p')
"""


def load(connection: Connection, table: Table, columns: Mapping[str, Sequence[Any]]) -> None:
    """Insert rows, given as the values of each column as the driver takes them, in the quickest stream."""
    names = ", ".join(f'"{name}"' for name in columns)
    into = f"{table.name} ({names})"
    rows = list(zip(*columns.values(), strict=True))
    if len(rows) == 1:
        # SQLAlchemy runs it as a statement of its own, not as one of many.
        holes = ", ".join(["%s"] * len(columns))
        connection.exec_driver_sql(f"INSERT INTO {into} VALUES ({holes})", rows[0])  # noqa: S608 - names only
    else:
        connection.exec_driver_sql(f"{_COPY} {into} FROM STDIN", rows)


_COPY = "COPY"


def take_stock(connection: Connection, tables: Sequence[Table]) -> None:
    """Have the server count and sample its tables: of those just filled it knows nothing, and reads them whole.

    A tenth of the usual sample tells that an index is worth it, in a fifth of the time.
    """
    connection.exec_driver_sql("SET LOCAL default_statistics_target = 10")
    connection.exec_driver_sql(f"ANALYZE {', '.join(table.name for table in tables)}")


def name_of(url: URL) -> str:
    """The database as a person knows it, without the password."""
    return f"{url.database or url.username or ''} on {url.host or url.query.get('host') or 'localhost'}"


def forbid(rule: Forbid, table: Table) -> list[str]:
    """The trigger that keeps a rule, and its function, as SQL: a trigger's own condition takes no sub-query.

    To call a function that looks something up costs several times what it takes to write the row.
    """
    message = rule.message.replace("'", "''")
    first = f"PERFORM 1 FROM {rule.reading} FOR SHARE; " if rule.reading else ""
    about = f"WHEN ({rule.rows}) " if rule.rows else ""
    row = "OLD" if rule.before == "DELETE" else "NEW"
    function = (
        f"CREATE OR REPLACE FUNCTION {rule.name}() RETURNS trigger LANGUAGE plpgsql AS $rule$ BEGIN {first}"
        f"IF {rule.when} THEN RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', "
        f"MESSAGE = '{message}'; END IF; RETURN {row}; END $rule$"
    )
    trigger = (
        f"CREATE OR REPLACE TRIGGER {rule.name} BEFORE {rule.before} ON {table.name} FOR EACH ROW {about}"
        f"EXECUTE FUNCTION {rule.name}()"
    )
    return [function, trigger]


def open_engine(parsed: URL, *, create: bool, synchronous: str, busy_timeout: float) -> Engine:  # noqa: ARG001
    """An SQLAlchemy engine for a server, every connection of it set up as the engine needs.

    create is of no account: a database is made by whoever runs the server.
    """
    settings = {
        # 0 would have a server wait for ever.
        "lock_timeout": max(int(busy_timeout * 1000), 1),
        "statement_timeout": STATEMENT_TIMEOUT * 1000,
        "idle_in_transaction_session_timeout": STATEMENT_TIMEOUT * 1000,
        # The server, too, gives up whoever is gone, and with it the locks that it held.
        "tcp_keepalives_idle": SILENCE,
        "tcp_keepalives_interval": SILENCE // 3,
        "tcp_keepalives_count": 3,
        "tcp_user_timeout": SILENCE * 1000,
        "synchronous_commit": "on" if synchronous == "FULL" else "off",
        "timezone": "UTC",
        # Every statement is short; to compile its expressions takes longer than to run it.
        "jit": "off",
        **{way: values[0] for way, values in _WAYS.items()},
    }
    options = " ".join(f"-c {name}={value}" for name, value in settings.items())
    arguments: dict[str, Any] = {
        "connect_timeout": CONNECT_TIMEOUT,
        "client_encoding": "utf8",
        # The driver, with statements of its own to forget, would have the server forget all, ours too.
        "prepare_threshold": None,
        "keepalives_idle": SILENCE,
        "keepalives_interval": SILENCE // 3,
        "keepalives_count": 3,
        "tcp_user_timeout": SILENCE * 1000,
        **parsed.query,
        "options": " ".join(filter(None, (options, str(parsed.query.get("options", ""))))),
    }
    try:
        engine = create_engine(
            parsed.set(drivername="postgresql+psycopg", query={}),
            connect_args=arguments,
            hide_parameters=True,
            # No column is of that type, and the server would be asked whether it has it.
            use_native_hstore=False,
            # Only of a connection that comes from the pool, which those of most transactions do not.
            pool_pre_ping=True,
        )
    except ModuleNotFoundError:
        raise StoreError(
            f'cannot open the database "{name_of(parsed)}": psycopg is not installed; '
            "run: pip install 'sparkads[postgres]'"
        ) from None

    @event.listens_for(engine, "do_connect")
    def give_up_in_time(_dialect: Any, _record: Any, words: Any, options: dict[str, Any]) -> Any:
        from statewright.dialects.postgresql_link import Link

        return Link.to(*words, silence=SILENCE, **options)

    @event.listens_for(engine, "connect")
    def check(connection: Any, _record: Any) -> None:
        connection.autocommit = True
        version = connection.info.server_version // 10_000
        if version < OLDEST:
            raise StoreError(
                f'cannot use the database "{name_of(parsed)}": its server is PostgreSQL {version}; '
                f"expected {OLDEST} or newer"
            )

    @event.listens_for(engine, "do_executemany")
    def copy(cursor: Any, statement: str, rows: Sequence[tuple[Any, ...]], _context: Any) -> bool:
        # Here, so that its errors are those of any other statement.
        if not statement.startswith(_COPY):
            return False
        with cursor.copy(statement) as stream:
            for row in rows:
                stream.write_row(row)
        return True

    @event.listens_for(engine, "handle_error")
    def without_values(context: Any) -> None:
        keep_values_out(context.original_exception)

    begin_with(engine, reading=f"{BEGIN_READING}; {BY_CHOICE}", writing=f"{BEGIN_WRITING}; {BY_CHOICE}")
    return engine


def clock(engine: Engine, name: str) -> Clock:
    """The production clock of the database that people know by this name."""
    return DatabaseClock(engine, name)


def prepared(_connection: Connection) -> bool:
    """`prepare` has nothing to do."""
    return True


def prepare(_connection: Connection, *, patience: float) -> None:
    """A server needs nothing before its first table."""


def take_turns(connection: Connection) -> None:
    """Wait until no other program makes or changes the tables of this database."""
    connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext('statewright'))")


def take_your_time(connection: Connection) -> None:
    """Let this transaction wait for locks, and work, for as long as it takes."""
    for timeout in ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout"):
        connection.exec_driver_sql(f"SET LOCAL {timeout} = 0")


def schema_of(connection: Connection) -> dict[str, str]:
    """Every column, constraint, index and trigger of the database by name, in the server's words."""
    found: dict[str, str] = {}
    for name, words in connection.execute(_SCHEMA):
        found[name] = words
        for casts, none in _CASTS:
            found[name] = re.sub(casts, none, found[name])
    return found


def expected_schema(engine: Engine, metadatas: Sequence[MetaData]) -> dict[str, str]:
    """What `schema_of` answers for a database just made from these tables, which are taken back at once."""
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE SCHEMA statewright_expected")
        connection.exec_driver_sql("SET LOCAL search_path = statewright_expected")
        for metadata in metadatas:
            metadata.create_all(connection)
        found = schema_of(connection)
        connection.rollback()
        return found


_CASTS = (
    (r"\(('(?:[^']|'')*')::character varying\)::text", r"\1"),
    (r"('(?:[^']|'')*')::character varying", r"\1"),
    (r"\((ARRAY\[[^\]]*\])\)::text\[\]", r"\1"),
)
"""Casts in a list of texts, which a dump does not give back as they were."""

_SCHEMA = text("""
    WITH ours AS (
        SELECT pg_class.oid, relname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
        WHERE nspname = current_schema() AND relkind IN ('r', 'p') AND NOT relispartition
    )
    SELECT relname || '.' || attname,
        format_type(atttypid, atttypmod) || CASE WHEN attnotnull THEN ' NOT NULL' ELSE '' END
    FROM pg_attribute JOIN ours ON ours.oid = attrelid WHERE attnum > 0 AND NOT attisdropped
    UNION ALL
    SELECT conname,
        relname || ': ' || replace(pg_get_constraintdef(c.oid), quote_ident(current_schema()) || '.', '')
    FROM pg_constraint c JOIN ours ON ours.oid = conrelid WHERE contype <> 'n'
    UNION ALL
    SELECT i.relname, replace(pg_get_indexdef(i.oid), quote_ident(current_schema()) || '.', '')
    FROM pg_index x JOIN ours ON ours.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid
    UNION ALL
    SELECT tgname, replace(pg_get_triggerdef(t.oid), quote_ident(current_schema()) || '.', '') || ' ' || prosrc
    FROM pg_trigger t JOIN ours ON ours.oid = tgrelid JOIN pg_proc p ON p.oid = tgfoid WHERE NOT tgisinternal
""")
