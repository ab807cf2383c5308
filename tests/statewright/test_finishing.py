"""A call after which nothing comes is committed together with it: one way to a server and back, where it can."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from sqlalchemy import false, insert, select, true
from sqlmodel import col
from tests.statewright.halls import Seat, add_halls, add_seats, add_ticket, days, halls, seats, state_of, tickets

from statewright.errors import EventNotPossible
from statewright.log import entries
from statewright.plan import Finish
from statewright.session import StoreSession, hold, locking
from statewright.store import Store
from statewright.tables import set_aside
from statewright.transition import Moved, fire

NOTHING_COMES = Finish(true())


class Undo(Exception):
    pass


@contextmanager
def undone(transaction: StoreSession) -> Iterator[StoreSession]:
    """A transaction whose caller has all of it undone in the end."""
    with suppress(Undo), transaction as session:
        yield session
        raise Undo


@pytest.fixture
def seat(theatre: Store) -> int:
    return seat_in(theatre)


def seat_in(store: Store, **facts: Any) -> int:
    with store.transaction() as session:
        (hall,) = add_halls(session, {})
        (seat,) = add_seats(session, hall, "A1", **facts)
        return seat


def smash(session: StoreSession, seat: int, finish: Finish = NOTHING_COMES, **facts: Any) -> Moved:
    return fire(session, seats, "smash", seat, actor="ana", held=True, finish=finish, **facts)


def state(store: Store, seat: int) -> str:
    with store.reading() as session:
        return state_of(session, seats, seat)


def test_it_is_made_and_told_as_any_other(theatre: Store, seat: int) -> None:
    with theatre.transaction(whole=True) as session:
        moved = smash(session, seat)
    assert (moved.rows, moved.cascaded) == (1, {})
    with theatre.reading() as session:
        last = entries(session)[-1]
        assert (last.event, last.source, last.target, last.batch) == ("smash", "free", "broken", moved.batch)
        assert state_of(session, seats, seat) == "broken"


def test_a_server_is_gone_to_once(theatre_on_a_server: Store, ways: list[int]) -> None:
    seat = seat_in(theatre_on_a_server)
    ways.clear()
    with theatre_on_a_server.transaction(whole=True) as session:
        smash(session, seat)
        assert state(theatre_on_a_server, seat) == "broken"
        assert ways[0] == len(["BEGIN", "log and apply", "COMMIT"])


def test_the_next_transaction_on_the_same_connection_is_one_again(theatre: Store) -> None:
    one, other = seat_in(theatre), seat_in(theatre)
    with theatre.transaction(whole=True) as session:
        smash(session, one)
    with undone(theatre.transaction(whole=True)) as session:
        smash(session, other, Finish(false()))
    assert [state(theatre, seat) for seat in (one, other)] == ["broken", "free"]


def test_what_was_locked_before_is_locked_again_where_something_comes(theatre_on_a_server: Store) -> None:
    seat = seat_in(theatre_on_a_server)
    with theatre_on_a_server.transaction(whole=True) as session:
        locked = hold(session, locking(seats.id, seats.id == seat))
        smash(session, seat, Finish(false()))
        assert [*locked.fetchall()] == [(seat,)]
        assert state(theatre_on_a_server, seat) == "free"
    assert state(theatre_on_a_server, seat) == "broken"


NOT_THE_FIRST = Finish(col(Seat.label) != "A1")


@pytest.mark.parametrize(
    ("finish", "facts"),
    [(Finish(false()), {}), (NOT_THE_FIRST, {}), (NOTHING_COMES, {"key": "once"})],
    ids=["something comes", "something comes after this one", "it has a key"],
)
def test_where_something_comes_all_of_it_can_still_be_undone(
    theatre: Store, seat: int, finish: Finish, facts: dict[str, Any]
) -> None:
    with undone(theatre.transaction(whole=True)) as session:
        smash(session, seat, finish, **facts)
    assert state(theatre, seat) == "free"


def test_so_it_can_in_a_transaction_of_several(theatre: Store, seat: int) -> None:
    with undone(theatre.transaction()) as session:
        smash(session, seat)
    assert state(theatre, seat) == "free"


def test_what_it_sets_off_is_undone_with_it(theatre: Store) -> None:
    seat = seat_in(theatre, state="taken")
    with theatre.transaction() as session:
        ticket = add_ticket(session, seat, state="paid", price=20)

    def states() -> tuple[str, str]:
        with theatre.reading() as session:
            return state_of(session, seats, seat), state_of(session, tickets, ticket)

    with undone(theatre.transaction(whole=True)) as session:
        smash(session, seat)
    assert states() == ("taken", "paid")
    with theatre.transaction(whole=True) as session:
        smash(session, seat)
    assert states() == ("broken", "void")


def test_what_was_set_aside_is_mended(theatre: Store, seat: int) -> None:
    with theatre.transaction() as session:
        tried = {"at": days(0), "attempts": 1, "retry_at": days(1), "error": "the disk is full"}
        aside = {"workflow": "seat", "row_id": seat, "event": "lapse", **tried}
        session.connection().execute(insert(set_aside), aside)
    with theatre.transaction(whole=True) as session:
        smash(session, seat)
    with theatre.reading() as session:
        assert session.connection().execute(select(set_aside)).all() == []


def test_a_move_that_could_be_made_twice_never_goes_with_its_end(theatre: Store) -> None:
    """Where the answer is lost on its way, it is tried anew."""
    with theatre.transaction() as session:
        (hall,) = add_halls(session, {})
    with undone(theatre.transaction(whole=True)) as session:
        fire(session, halls, "remind", hall, actor="ana", held=True, finish=NOTHING_COMES)
    with theatre.reading() as session:
        assert [entry.event for entry in entries(session)] == ["start"]


def test_a_refusal_says_why(theatre: Store, seat: int) -> None:
    with theatre.transaction(whole=True) as session:
        smash(session, seat)
    with (
        pytest.raises(EventNotPossible, match=f"cannot smash seat {seat}: it is broken"),
        theatre.transaction(whole=True) as session,
    ):
        smash(session, seat)
