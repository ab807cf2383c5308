"""What a move costs: as many statements for one row as for a million, none of which reads what it need not."""

from __future__ import annotations

import gc
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from psycopg import RawCursor
from sqlalchemy import Connection, event, func, insert, select, text
from sqlmodel import Session, col
from sqlmodel import select as select_rows
from tests.statewright.halls import EVERY, THEATRE, Hall, Seat, add_halls, add_seats, days, halls, seats

from statewright.driver import Driver, Sending
from statewright.forecast import forecast
from statewright.log import history
from statewright.many import take_stock
from statewright.plan import due
from statewright.session import StoreSession
from statewright.statement import Statement
from statewright.store import Store
from statewright.subscriber import deliver
from statewright.sweep import next_due, sweep
from statewright.testing import ManualClock, Recorder
from statewright.transition import fire, fire_all, fire_due, start


def test_a_call_without_cascade_takes_three_statements_or_two_where_one_may_write_in_its_parts(
    theatre: Store,
) -> None:
    with theatre.transaction(whole=True) as session:
        (hall,) = add_halls(session, {})
        (seat,) = add_seats(session, hall, "A1")
        fire(session, seats, "hold", seat, actor="ana")
        fire(session, seats, "lapse", seat, actor="ana")
        with counting(session) as statements:
            fire(session, seats, "hold", seat, actor="ana")
    words = [statement.split()[0] for statement in statements]
    assert words == (
        ["SELECT", "WITH"] if theatre.url.startswith("postgresql") else ["SELECT", "INSERT", "UPDATE"]
    )


def test_a_call_in_a_transaction_of_several_has_a_savepoint_of_its_own(theatre: Store) -> None:
    with theatre.transaction() as session:
        (hall,) = add_halls(session, {})
        (seat,) = add_seats(session, hall, "A1")
        with counting(session) as statements:
            fire(session, seats, "hold", seat, actor="ana")
    assert (statements[0], statements[-1]) == ("SAVEPOINT step", "RELEASE SAVEPOINT step")


def test_a_call_leaves_no_garbage_that_has_to_be_looked_for(theatre: Store) -> None:
    with theatre.transaction() as session:
        (hall,) = add_halls(session, {})
        (seat,) = add_seats(session, hall, "A1")

    def garbage_of_two_calls() -> int:
        gc.collect()
        for moved in ("hold", "lapse"):
            with theatre.transaction(whole=True) as session:
                fire(session, seats, moved, seat, actor="ana")
        return gc.collect()

    garbage_of_two_calls()
    # What another thread leaves meanwhile is counted too, but not each time.
    assert 0 in [garbage_of_two_calls() for _ in range(3)]


def test_one_batch_takes_as_many_statements_for_ten_rows_as_for_ten_thousand(theatre: Store) -> None:
    taken = []
    for number in (10, 10_000):
        with theatre.transaction() as session:
            plant(session.connection(), number)
            with counting(session) as statements:
                moved = fire_all(session, halls, "close", EVERY, actor="ana")
            assert moved.rows == number
            assert moved.cascaded == {("seat", "release"): number}
            taken.append(len(statements))
            session.rollback()
    assert taken[0] == taken[1] <= 15


def test_rows_are_shown_by_few_statements_however_many_are_held(theatre: Store) -> None:
    with theatre.transaction() as session:
        add_halls(session, *({} for _ in range(30)))
        held = session.exec(select_rows(Hall)).all()
        with counting(session) as statements:
            fire_all(session, halls, "close", EVERY, actor="ana")
        assert len(statements) < 15
        assert {hall.state for hall in held} == {"closed"}


def test_nothing_is_scanned_that_an_index_finds(theatre_in_a_file: Store) -> None:
    with theatre_in_a_file.transaction() as session:
        connection = session.connection()
        plant(connection, 3_000)
        for workflow in (halls, seats):
            start(session, workflow, EVERY, actor="ana")
        plans = explained(session, lambda: fire(session, halls, "close", 7, actor="ana"))
        plans += explained(session, lambda: fire(session, seats, "smash", 8, actor="ana"))
        plans += explained(
            session, lambda: fire_due(session, halls, halls.deadlines[1], actor="clock", limit=10, now=days(99))
        )
        plans += explained(session, lambda: sweep_reads(session))
    scanned = [(line, statement) for line, statement in plans if scans_rows(line)]
    assert scanned == []
    due = [line for line, statement in plans if "close_at" in statement and "ORDER BY" in statement]
    assert any("ix_hall_close_at" in line for line in due)
    applied = [line for line, statement in plans if statement.startswith("UPDATE hall")]
    assert any("SEARCH transition USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)" in line for line in applied)
    assert any("SEARCH hall USING INTEGER PRIMARY KEY (rowid=?)" in line for line in applied)


def test_a_sweep_reads_no_whole_table_whatever_is_due(theatre: Store, clock: ManualClock) -> None:
    with theatre.transaction() as session:
        plant(session.connection(), 3_000, remind_at=days(1), seats_held_until=days(1))
        take_stock(session, Hall.metadata)
    with explaining(theatre) as plans:
        sweep(theatre, THEATRE, actor="clock", batch=100)
    assert len(plans) >= 3, "a look at each deadline"
    assert read_whole(plans) == []
    clock.advance(days=2)
    with explaining(theatre) as plans:
        swept = sweep(theatre, THEATRE, actor="clock", batch=1_000)
        with theatre.reading() as session:
            next_due(session, THEATRE)
    assert swept.moved["hall", "remind"] >= 3_000
    assert swept.moved["hall", "close"] == swept.moved["seat", "release"] == 2
    assert swept.moved["seat", "lapse"] == 2_998
    assert read_whole(plans) == []


def test_a_batch_sorts_nothing_however_many_rows_are_due_at_one_instant(theatre: Store) -> None:
    chosen = due(halls, halls.deadlines[0], limit=10, skipping=False).add_columns(halls.id)
    with theatre.transaction() as session:
        connection = session.connection()
        plant(connection, 3_000, remind_at=days(1))
        take_stock(session, Hall.metadata)
        words = chosen.params(now=days(2)).compile(connection, compile_kwargs={"literal_binds": True})
        ask = "EXPLAIN" if connection.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN"
        said = " ".join(str(line) for line in connection.execute(text(f"{ask} {words}")))
    assert "ix_hall_remind_at" in said
    assert "Sort" not in said
    assert "TEMP B-TREE" not in said


def test_the_log_is_read_by_position_and_by_row(theatre: Store) -> None:
    with theatre.transaction() as session:
        add_halls(session, *({} for _ in range(3_000)))
        take_stock(session, Hall.metadata)
    told = Recorder("log")
    with explaining(theatre) as plans:
        deliver(theatre, told)
        with theatre.reading() as session:
            history(session, "hall", 7)
            next_due(session, THEATRE)
            forecast(session, halls, halls.deadlines[1], days=30)
    assert len(told.entries) == 3_000
    assert read_whole(plans) == []


def plant(connection: Connection, number: int, *, remind_at: Any = None, seats_held_until: Any = None) -> None:
    """So many halls, each with a seat that is taken or held, without a history."""
    ids = range(1, number + 1)
    connection.execute(
        insert(Hall),
        [
            {
                "id": i,
                "state": "running",
                "name": "",
                "capacity": 1,
                "gratis": False,
                "ends_at": days(i),
                "close_at": days(i),
                "remind_at": remind_at,
            }
            for i in ids
        ],
    )
    state = "held" if seats_held_until else "taken"
    connection.execute(
        insert(Seat),
        [{"id": i, "state": state, "hall_id": i, "label": "", "held_until": seats_held_until} for i in ids],
    )


@contextmanager
def counting(session: StoreSession) -> Iterator[list[str]]:
    with listening(session) as said:
        statements: list[str] = []
        yield statements
    statements += [statement for statement, _ in said]


@contextmanager
def listening(session: StoreSession) -> Iterator[list[tuple[str, Any]]]:
    """Every statement that runs, through the driver itself or through SQLAlchemy, with what it is told."""
    said: list[tuple[str, Any]] = []

    def look(_driver: Driver, statement: str, parameters: Any) -> None:
        said.append((statement, parameters))

    def remember(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        said.append((statement, parameters))

    engine = session.connection().engine
    event.listen(engine, "before_cursor_execute", remember)
    try:
        with driving(look):
            yield said
    finally:
        event.remove(engine, "before_cursor_execute", remember)


@contextmanager
def driving(look: Callable[[Driver, str, Any], None]) -> Iterator[None]:
    """Have somebody look at what is about to be put to the driver."""
    with pytest.MonkeyPatch.context() as patch:
        for kind, how in ((Driver, "run"), (Driver, "ask"), (Sending, "ask")):
            patch.setattr(kind, how, _looked_at(getattr(kind, how), look))
        yield


def _looked_at(ask: Callable[..., Any], look: Callable[[Driver, str, Any], None]) -> Callable[..., Any]:
    def looked_at(driver: Driver, statement: Statement, values: Mapping[str, Any]) -> Any:
        compiled = statement.on(driver.dialect, driver.database)
        look(driver, compiled.sql, tuple(compiled.bound(values)))
        return ask(driver, statement, values)

    return looked_at


@contextmanager
def explaining(store: Store) -> Iterator[list[tuple[str, str | None]]]:
    """Every statement that is run meanwhile, and the table of many rows, if any, that it reads from end to end."""
    plans: list[tuple[str, str | None]] = []

    def look(link: Any, statement: str, parameters: Any) -> None:
        words = statement.split()
        if words[0] not in ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH") or "FROM" not in words:
            return
        # Ours number what they are told, SQLAlchemy's name it.
        on_a_server = store.url.startswith("postgresql")
        numbered = on_a_server and isinstance(parameters, tuple)
        cursor: Any = RawCursor(link.driver_connection) if numbered else link.cursor()
        if on_a_server:
            # A whole table is then read only where no index helps; small ones are always read whole.
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute(f"EXPLAIN {statement}", parameters or None)
            read = [found[1] for (line,) in cursor.fetchall() if (found := _SEQ_SCAN.search(line))]
            cursor.execute("SET LOCAL enable_seqscan = on")
        else:
            cursor.execute(f"EXPLAIN QUERY PLAN {statement}", parameters or ())
            read = [line.split()[1] for *_, line in cursor.fetchall() if scans_rows(line)]
        cursor.close()
        plans.append((statement, next((table for table in read if table in LARGE), None)))

    def at_the_driver(driver: Driver, statement: str, parameters: Any) -> None:
        driver.answered()
        look(driver.pooled, statement, parameters)

    def at_sqlalchemy(connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        look(connection.connection, statement, parameters)

    event.listen(store._engine, "before_cursor_execute", at_sqlalchemy)
    try:
        with driving(at_the_driver):
            yield plans
    finally:
        event.remove(store._engine, "before_cursor_execute", at_sqlalchemy)


def read_whole(plans: list[tuple[str, str | None]]) -> list[tuple[str, str | None]]:
    return [(statement, table) for statement, table in plans if table]


_SEQ_SCAN = re.compile(r"Seq Scan on (\w+)")
LARGE = ("hall", "seat", "ticket", "ticket_seat", "transition")


def sweep_reads(session: Session) -> None:
    session.connection().execute(select(func.min(Hall.close_at)).where(col(Hall.close_at).is_not(None)))


def scans_rows(line: str) -> bool:
    return line.startswith("SCAN") and line.split()[1] in LARGE


def explained(session: StoreSession, call: Any) -> list[tuple[str, str]]:
    """The query plan of every statement that a call makes, a line each, with the statement."""
    with listening(session) as asked:
        call()
    return [
        (line[3], statement)
        for statement, parameters in asked
        if statement.split()[0] in ("SELECT", "INSERT", "UPDATE", "DELETE")
        for line in session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
    ]
