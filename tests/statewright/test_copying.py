"""A copy is the whole of what was there, in the other kind of database too, or nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import Connection, Table, delete, select, update
from sqlalchemy.exc import IntegrityError
from tests.statewright.halls import (
    PROLONG,
    SCHEMA,
    THEATRE,
    Hall,
    add_halls,
    add_seats,
    add_ticket,
    days,
    halls,
)

from statewright import copying
from statewright.copying import copy
from statewright.dialects.loading import Chunk, SqliteLoader
from statewright.errors import StoreError
from statewright.log import entries, forget
from statewright.step import tick
from statewright.store import Store
from statewright.subscriber import Subscriber
from statewright.tables import alembic_version, metadata, transition
from statewright.testing import ManualClock, temporary_store
from statewright.transition import fire

WAYS = [("sqlite", "postgresql"), ("postgresql", "sqlite")]


@pytest.fixture(params=WAYS, ids="-to-".join)
def ways(request: pytest.FixtureRequest) -> list[str | None]:
    """Where the source is and where the target: a file, or a server's URL."""
    return [request.getfixturevalue("postgres") if way == "postgresql" else None for way in request.param]


@pytest.fixture
def source(ways: list[str | None], clock: ManualClock) -> Iterator[Store]:
    with temporary_store(SCHEMA, clock=clock, server=ways[0]) as store:
        yield store


@pytest.fixture
def target(ways: list[str | None], clock: ManualClock) -> Iterator[Store]:
    with temporary_store(SCHEMA, clock=clock, server=ways[1]) as store:
        yield store


def refuse(*_: Any) -> None:
    raise ValueError("no route")


DEAF = Subscriber("deaf", refuse, batch=1, attempts=1)
HEARS = Subscriber("hears", lambda batch, session: None)


def play(store: Store, clock: ManualClock) -> None:
    """A season: halls in a house, a ticket; moves with a key, arguments and a cause; and what fails meanwhile."""
    with store.transaction() as session:
        rows: list[dict[str, Any]] = [{}, {"note": "Ünïcode\tand\\n"}, {"name": "haunted"}, {"ends_at": days(50)}]
        annexe, house, *_ = add_halls(session, *rows)
        # The house of the first hall comes after it.
        session.connection().execute(update(Hall).where(halls.id == annexe).values(house_id=house))
        first, second = add_seats(session, house, "A1", "A2", state="taken", guest="ana")
        add_ticket(session, first, second, state="paid", price=5)
        fire(session, halls, "prolong", annexe, actor="ana", key="once", reason="why\nnot", arguments=PROLONG)
    for _ in range(2):
        clock.advance(days=10)
        tick(store, THEATRE, subscribers=[DEAF, HEARS], pause=0)


def everything(store: Store) -> dict[str, list[Any]]:
    """Every row of every table."""
    tables = [*metadata.sorted_tables, *store.schema.tables.sorted_tables]
    with store.reading() as session:
        return {each.name: sorted(map(repr, session.connection().execute(select(each)))) for each in tables}


def moves(store: Store) -> list[tuple[Any, ...]]:
    """The log without its numbers: those that a refused move has taken are lost on one database only."""
    with store.reading() as session:
        return [(each.workflow, each.row_id, each.event, each.target, each.at) for each in entries(session)]


def test_every_row_is_the_same_on_both_sides(source: Store, target: Store, clock: ManualClock) -> None:
    play(source, clock)

    copied = copy(source, target)

    there = everything(source)
    assert everything(target) == there
    for name in (
        "hall",
        "seat",
        "ticket",
        "ticket_seat",
        "transition",
        "subscription",
        "undelivered",
        "set_aside",
    ):
        assert there[name], f"expected rows in {name}"
    assert {each.table: each.rows for each in copied} == {
        name: len(rows) for name, rows in there.items() if name != alembic_version.name
    }
    found = next(each for each in copied if each.table == "hall")
    assert (found.rows, found.last, found.states) == (4, 4, {"closed": 2, "running": 2})


def test_time_goes_on_alike_on_both_sides(source: Store, target: Store, clock: ManualClock) -> None:
    play(source, clock)
    copy(source, target)
    clock.advance(days=90)
    ticks = [tick(store, THEATRE, subscribers=[HEARS], pause=0) for store in (source, target)]
    assert ticks[0].moved == ticks[1].moved
    assert ticks[0].moved["hall", "close"] == 1
    assert ticks[0].delivered == ticks[1].delivered
    assert moves(source) == moves(target)


def test_a_new_row_and_a_new_move_get_ids_that_nothing_had(
    source: Store, target: Store, clock: ManualClock
) -> None:
    play(source, clock)
    with source.transaction() as session:
        last = entries(session)[-1].id
        forget(session, select(transition.c.id).where(transition.c.id > 3))
    copy(source, target)
    with target.transaction() as session:
        assert add_halls(session, {}) == [5]
        assert entries(session)[-1].id > last


def test_a_key_is_still_taken(source: Store, target: Store, clock: ManualClock) -> None:
    play(source, clock)
    copy(source, target)
    with target.transaction() as session:
        again = fire(session, halls, "prolong", 1, actor="ana", key="once", reason="why\nnot", arguments=PROLONG)
        assert again.replayed


def test_the_rules_of_the_tables_hold_again(source: Store, target: Store, clock: ManualClock) -> None:
    play(source, clock)
    copy(source, target)
    assert target.drift() == []
    for statement in (delete(transition), update(Hall).values(house_id=99)):
        with pytest.raises(IntegrityError), target.transaction() as session:
            session.connection().execute(statement)


def test_others_go_on_writing_and_the_copy_is_of_one_moment(
    source: Store, target: Store, clock: ManualClock
) -> None:
    play(source, clock)
    before = everything(source)

    def meanwhile(done: int, total: int) -> None:
        with source.transaction() as session:
            add_halls(session, {"name": f"{done} of {total}"})

    copy(source, target, progress=meanwhile)
    assert everything(target) == before != everything(source)


def test_a_copy_that_is_interrupted_leaves_nothing_and_can_be_made_again(
    source: Store, target: Store, clock: ManualClock
) -> None:
    play(source, clock)
    empty = everything(target)

    def interrupt(done: int, total: int) -> None:
        if done > total / 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy(source, target, progress=interrupt)

    assert everything(target) == empty
    assert target.drift() == []
    copy(source, target)
    assert everything(target) == everything(source)


def test_nothing_is_copied_onto_something(source: Store, target: Store, clock: ManualClock) -> None:
    play(source, clock)
    with target.transaction() as session:
        add_halls(session, {})
    with pytest.raises(StoreError, match=r"it is not empty, transition has rows; name a new one"):
        copy(source, target)


def test_a_database_is_not_copied_into_itself_whatever_it_is_called(source: Store) -> None:
    head, _, last = source.url.rpartition("/")
    other = f"{head}/./{last}" if last.endswith(".db") else f"{source.url}&application_name=other"
    again = Store(other, schema=SCHEMA)
    try:
        with pytest.raises(StoreError, match="into itself; name another one"):
            copy(source, again)
    finally:
        again.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def other(request: pytest.FixtureRequest, clock: ManualClock) -> Iterator[Store]:
    """Somewhere to copy to, of either kind."""
    server = request.getfixturevalue("postgres") if request.param == "postgresql" else None
    with temporary_store(SCHEMA, clock=clock, server=server) as store:
        yield store


def test_a_row_that_breaks_a_rule_is_told_and_nothing_is_copied(
    theatre_in_a_file: Store, other: Store, clock: ManualClock
) -> None:
    play(theatre_in_a_file, clock)
    with closing(sqlite3.connect(theatre_in_a_file.name, isolation_level=None)) as connection:
        # Without its foreign keys, which another program may forget to switch on.
        connection.execute("INSERT INTO seat (state, hall_id, label) VALUES ('free', 99, 'none')")
    empty = everything(other)
    with pytest.raises(StoreError, match=r"a row breaks a rule that .* keeps: FOREIGN KEY constraint failed"):
        copy(theatre_in_a_file, other)
    assert everything(other) == empty


def test_a_number_that_only_a_file_can_hold_is_told(
    theatre_in_a_file: Store, theatre_on_a_server: Store, clock: ManualClock
) -> None:
    with theatre_in_a_file.transaction() as session:
        (hall,) = add_halls(session, {})
        add_ticket(session, *add_seats(session, hall, "A1"), price=3_000_000_000)
    with pytest.raises(StoreError, match=r"ticket has a value that fits only there: .* out of range"):
        copy(theatre_in_a_file, theatre_on_a_server)


def test_a_copy_that_differs_is_taken_back(
    theatre: Store, theatre_in_a_file: Store, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(theatre, clock)
    load = SqliteLoader.load

    def forgetful(loader: SqliteLoader, connection: Connection, table: Table, chunks: Iterable[Chunk]) -> None:
        load(loader, connection, table, (chunk[1:] for chunk in chunks if len(chunk) > 1))

    monkeypatch.setattr(SqliteLoader, "load", forgetful)
    empty = everything(theatre_in_a_file)
    with pytest.raises(StoreError, match=r"differs in heartbeat: expected 1 rows.*, got 0 rows"):
        copy(theatre, theatre_in_a_file)
    assert everything(theatre_in_a_file) == empty


def test_what_fails_while_it_is_read_is_said_of_where_it_was_read(
    theatre_on_a_server: Store, theatre_in_a_file: Store, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(theatre_on_a_server, clock)
    empty = everything(theatre_in_a_file)
    monkeypatch.setattr(copying, "CHUNK", 1)

    def cut(done: int, total: int) -> None:
        with theatre_on_a_server.transaction() as session:
            session.connection().exec_driver_sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

    with pytest.raises(StoreError) as lost:
        copy(theatre_on_a_server, theatre_in_a_file, progress=cut)
    assert str(lost.value).startswith(f'lost the connection to the database "{theatre_on_a_server.name}"')
    assert everything(theatre_in_a_file) == empty
