"""Several statements go to a server at once, and whatever happens to them, the connection is as good as before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest
from sqlalchemy import BigInteger, Text, cast, literal, select, text
from sqlalchemy.dialects.postgresql import dialect
from sqlalchemy.exc import DBAPIError
from tests.statewright.halls import add_halls, add_seats, halls, seats

from statewright.dialects import postgresql
from statewright.dialects.postgresql_link import Link
from statewright.dialects.postgresql_wire import SENT_UNPREPARED
from statewright.session import hold, locking, meanwhile
from statewright.statement import Compiled, Statement, parameter
from statewright.store import Store
from statewright.testing import temporary_database
from statewright.transition import fire


@pytest.fixture
def link(postgres: str) -> Iterator[Link]:
    with temporary_database(postgres) as url:
        conninfo = url.replace("+psycopg", "")
        with closing(Link.to(conninfo, silence=60, autocommit=True, prepare_threshold=None)) as link:
            yield link


def compiled(statement: Statement) -> Compiled:
    return statement.on(dialect(paramstyle="pyformat"), postgresql)


def said(words: str) -> tuple[Compiled, list[object]]:
    return compiled(Statement(text(words))), []


BEGIN, COMMIT, ROLLBACK = said("BEGIN"), said("COMMIT"), said("ROLLBACK")


def doubled() -> Compiled:
    number = parameter("number", BigInteger())
    return compiled(Statement(select(number * literal(2, BigInteger()))))


def prepared(link: Link) -> list[str]:
    return [words for (words,) in link.execute("SELECT statement FROM pg_prepared_statements").fetchall()]


def test_each_statement_has_its_answer(link: Link) -> None:
    twice = doubled()
    answers = link.exchange([BEGIN, (twice, [21]), said("CREATE TABLE t (n int)"), (twice, [4]), COMMIT])
    assert [rows for rows, _ in answers] == [[], [(42,)], [], [(8,)], []]


def test_an_answer_tells_how_many_rows_were_written(link: Link) -> None:
    wrote = link.exchange([said("CREATE TABLE t (n int)"), said("INSERT INTO t VALUES (1), (2)")])
    assert [rowcount for _, rowcount in wrote] == [0, 2]


def test_a_value_that_is_told_twice_has_one_number() -> None:
    number = parameter("number", BigInteger())
    told = compiled(Statement(select(number + number, cast(literal("50 %"), Text()))))
    assert (told.sql, told.names) == (
        "SELECT $1::BIGINT + $1::BIGINT AS anon_1, CAST('50 %' AS TEXT) AS anon_2",
        ("number",),
    )


def test_a_statement_that_comes_again_is_prepared_once(link: Link) -> None:
    twice = doubled()
    for _ in range(SENT_UNPREPARED):
        link.exchange([(twice, [1])])
    assert prepared(link) == []
    assert link.exchange([(twice, [2]), (twice, [3])]) == [([(4,)], 1), ([(6,)], 1)]
    assert link.exchange([(twice, [4])]) == [([(8,)], 1)]
    assert prepared(link) == [twice.sql]


def test_a_statement_that_failed_undoes_those_with_it_and_spoils_nothing_after_it(link: Link) -> None:
    twice = doubled()
    twice_prepared = [(twice, [1])] * (SENT_UNPREPARED + 1)
    with pytest.raises(psycopg.errors.UndefinedTable, match="nowhere"):
        link.exchange(
            [BEGIN, said("CREATE TABLE t (n int)"), said("SELECT 1 FROM nowhere"), *twice_prepared, COMMIT]
        )
    assert link.exchange([ROLLBACK, (twice, [21])])[1] == ([(42,)], 1)
    assert link.execute("SELECT to_regclass('t')").fetchone() == (None,)
    assert link.exchange([(twice, [2])] * (SENT_UNPREPARED + 1))[-1] == ([(4,)], 1)


def test_the_drivers_own_cursors_work_between_two_exchanges(link: Link) -> None:
    link.exchange([BEGIN, said("CREATE TABLE t (n int)")])
    link.execute("INSERT INTO t VALUES (%s)", (7,))
    link.rollback()
    link.exchange([BEGIN, COMMIT])
    assert link.execute("SELECT to_regclass('t')").fetchone() == (None,)


def test_what_ours_prepared_outlives_a_rollback_of_the_drivers(theatre_on_a_server: Store) -> None:
    for _ in range(SENT_UNPREPARED + 2):
        with theatre_on_a_server.transaction() as session:
            (hall,) = add_halls(session, {})
            fire(session, halls, "close", hall, actor="ana")
            session.connection().execute(text("SELECT 1"))
            session.rollback()


def test_a_connection_that_ends_meanwhile_is_told_at_once(link: Link) -> None:
    ending = said("SELECT pg_terminate_backend(pg_backend_pid())")
    with pytest.raises(psycopg.OperationalError, match=r"terminating connection|closed the connection"):
        link.exchange([BEGIN, ending, COMMIT])
    assert link.broken


@pytest.fixture
def seat(theatre_on_a_server: Store) -> int:
    with theatre_on_a_server.transaction() as session:
        (hall,) = add_halls(session, {})
        (seat,) = add_seats(session, hall, "A1")
    return seat


@pytest.fixture
def sent(seat: int, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What is sent from here on, and what of it together."""
    exchange, sent = Link.exchange, []

    def noted(link: Link, together: list[tuple[Compiled, list[object]]]) -> object:
        sent.append([each.sql for each, _ in together])
        return exchange(link, together)

    monkeypatch.setattr(Link, "exchange", noted)
    return sent


def test_a_call_of_its_own_is_two_ways_to_the_server_and_back(
    theatre_on_a_server: Store, seat: int, sent: list[list[str]]
) -> None:
    with theatre_on_a_server.transaction(whole=True) as session:
        fire(session, seats, "hold", seat, actor="ana")
    assert (len(sent), sent[0][0], sent[-1]) == (2, "BEGIN ISOLATION LEVEL READ COMMITTED", ["COMMIT"])


def test_each_call_of_several_is_one_way_with_its_savepoint(
    theatre_on_a_server: Store, seat: int, sent: list[list[str]]
) -> None:
    with theatre_on_a_server.transaction() as session:
        fire(session, seats, "hold", seat, actor="ana")
        fire(session, seats, "lapse", seat, actor="ana")
    assert len(sent) == 3
    assert sent[1][:2] == ["RELEASE SAVEPOINT step", "SAVEPOINT step"]
    assert sent[2] == ["RELEASE SAVEPOINT step", "COMMIT"]


def test_rows_are_locked_before_the_caller_looks_whoever_runs_the_look(
    theatre_on_a_server: Store, seat: int
) -> None:
    lock = locking(seats.id, seats.id == seat)
    for shared in (False, True):
        with theatre_on_a_server.transaction() as session, theatre_on_a_server.transaction() as other:
            if shared:
                session.connection()
            hold(session, lock)
            session.connection().execute(select(seats.id))
            with pytest.raises(DBAPIError, match="could not obtain lock"):
                other.connection().execute(select(seats.id).with_for_update(nowait=True)).all()


# What is done while an answer is waited for


def test_work_is_done_until_the_answer_comes(link: Link) -> None:
    pieces = []

    def piece() -> bool:
        pieces.append(1)
        return True

    link.meanwhile = piece
    link.exchange([said("SELECT pg_sleep(0.05)")])
    done = len(pieces)
    assert done > 1
    link.meanwhile = None
    link.exchange([said("SELECT pg_sleep(0.01)")])
    assert len(pieces) == done


def test_an_answer_is_waited_for_when_no_work_is_left(link: Link) -> None:
    left = [True, True, False]
    link.meanwhile = lambda: left.pop(0)
    slow = said("SELECT CAST(7 AS bigint) FROM pg_sleep(0.05)")
    assert link.exchange([slow]) == [([(7,)], 1)]
    assert left == []


def test_a_session_works_meanwhile_only_as_long_as_it_is_told_to(theatre_on_a_server: Store) -> None:
    pieces = []

    def piece() -> bool:
        pieces.append(1)
        return False

    with theatre_on_a_server.transaction() as session:
        with meanwhile(session, piece):
            session.connection().execute(text("SELECT pg_sleep(0.01)"))
        done = len(pieces)
        session.connection().execute(text("SELECT pg_sleep(0.01)"))
    assert 0 < done == len(pieces)
