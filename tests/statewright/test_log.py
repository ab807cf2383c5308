"""The log is read as history, kept as it is by the database itself, and shortened in one named way only."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlmodel import Session
from tests.statewright.halls import EVERY, PROLONG, SCHEMA, add_halls, add_seats, halls, seats

from statewright.errors import Conflict
from statewright.log import START, append, causes, entries, forget, history, last_id
from statewright.session import written
from statewright.store import Store
from statewright.tables import retention, transition
from statewright.testing import BEGINNING, ManualClock, temporary_store
from statewright.transition import fire, fire_all

APPEND_ONLY = "the transition log is append-only"


@pytest.fixture
def told(theatre: Store, clock: ManualClock) -> Store:
    """A hall that was prolonged and closed, and a seat in it that was released thereby."""
    with theatre.transaction() as session:
        (hall,) = add_halls(session, {})
        add_seats(session, hall, "A1", state="taken")
        clock.advance(hours=1)
        fire(session, halls, "prolong", hall, actor="ana", arguments=PROLONG)
        clock.advance(days=90)
        fire(session, halls, "close", hall, actor="ana", reason="rain", key="k")
    return theatre


def number(session: Session) -> int:
    found: int = session.connection().execute(select(func.count()).select_from(transition)).scalar_one()
    return found


# Read


def test_the_life_of_a_row_is_told_from_the_beginning(told: Store) -> None:
    with told.reading() as session:
        assert [entry.event for entry in history(session, "hall", 1)] == [START, "prolong", "close"]
        assert [entry.event for entry in history(session, "seat", 1)] == [START, "release"]
        assert history(session, "hall", 99) == history(session, "attic", 1) == []


def test_a_transaction_knows_its_own_moves_from_what_others_commit_meanwhile(theatre: Store) -> None:
    with theatre.transaction() as session:
        before = last_id(session)
        if not theatre.writes_alone:
            with theatre.transaction() as other:
                add_halls(other, {"name": "theirs"})
            assert last_id(session) > before
        (mine,) = add_halls(session, {"name": "ours"})
        fire(session, halls, "prolong", mine, actor="ana", arguments=PROLONG)
        told = entries(session, written(session, after=before))
        assert [(entry.row_id, entry.event) for entry in told] == [(mine, START), (mine, "prolong")]
        assert entries(session, written(session, after=told[0].id)) == told[1:]


def test_what_led_to_a_move_can_be_asked(told: Store) -> None:
    with told.reading() as session:
        life = history(session, "seat", 1)
        (cause,) = causes(session, life).values()
        assert (cause.workflow, cause.row_id, cause.event, cause.reason) == ("hall", 1, "close", "rain")
        assert life[-1].cause == cause.id
        assert causes(session, history(session, "hall", 1)) == {}


def test_the_log_is_read_in_order_and_in_parts(told: Store) -> None:
    with told.reading() as session:
        every = entries(session)
        assert [entry.id for entry in every] == sorted(entry.id for entry in every)
        assert entries(session, limit=2) == every[:2]
        assert entries(session, transition.c.id > every[1].id, limit=2) == every[2:4]


def test_an_entry_is_plain_data_for_programs(told: Store) -> None:
    with told.reading() as session:
        close = history(session, "hall", 1)[-1].as_json()
        prolong = history(session, "hall", 1)[1].as_json()
    assert json.loads(json.dumps(close)) == close
    assert (close["at"], close["due_at"]) == ("2026-04-01T01:00:00+00:00", "2026-02-10T00:00:00+00:00")
    assert (prolong["due_at"], prolong["payload"]["since"]) == (None, "2026-01-01T00:00:00+00:00")


# Brought from elsewhere


def test_moves_made_elsewhere_are_added_as_they_were(told: Store) -> None:
    with told.reading() as session:
        moves = entries(session)
    with temporary_store(SCHEMA) as other, other.transaction() as session:
        add_halls(session, {}, {}, {})
        places: dict[int, int] = {}
        append(session, moves[:3], causes=places)
        append(session, moves[3:], causes=places)
        added = entries(session, transition.c.id > 3)
        assert [replace(entry, id=0, cause=0) for entry in added] == [
            replace(move, id=0, cause=0) for move in moves
        ]
        assert [entry.id for entry in added] == [places[move.id] for move in moves] == [4, 5, 6, 7, 8]
        (released,) = (entry for entry in added if entry.event == "release")
        assert causes(session, [released])[released.cause or 0].event == "close"
        assert session.connection().execute(select(halls.id)).all() == [(1,), (2,), (3,)]


# Kept


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE transition SET actor = 'nobody' WHERE id = 1",
        "UPDATE transition SET id = id + 100",
        "DELETE FROM transition WHERE id = 1",
        "DELETE FROM transition",
    ],
)
def test_no_sql_changes_what_was_logged(told: Store, statement: str) -> None:
    with told.transaction() as session:
        before = entries(session)
        with pytest.raises(IntegrityError, match=APPEND_ONLY), session.begin_nested():
            session.connection().execute(text(statement))
        assert entries(session) == before


def test_nothing_is_replaced_in_the_log(theatre_in_a_file: Store) -> None:
    with theatre_in_a_file.transaction() as session:
        add_halls(session, {})
        before = entries(session)
        with pytest.raises(IntegrityError, match=APPEND_ONLY), session.begin_nested():
            session.connection().execute(text("REPLACE INTO transition SELECT * FROM transition WHERE id = 1"))
        assert entries(session) == before


# Forgotten


def test_what_is_forgotten_is_gone_and_the_rest_is_kept(told: Store) -> None:
    with told.transaction() as session:
        old = select(transition.c.id).where(transition.c.at < BEGINNING + timedelta(days=30))
        assert forget(session, old) == 3
        assert [entry.event for entry in entries(session)] == ["close", "release"]
        with pytest.raises(IntegrityError, match=APPEND_ONLY), session.begin_nested():
            session.connection().execute(text("DELETE FROM transition"))


def test_what_is_forgotten_and_rolled_back_is_not_forgotten(told: Store) -> None:
    with told.transaction() as session:
        before = number(session)
        forget(session, select(transition.c.id))
        assert number(session) == 0
        session.rollback()
    with told.reading() as session:
        assert number(session) == before


def test_a_failure_to_forget_leaves_the_log_closed(told: Store) -> None:
    with told.transaction() as session:
        with pytest.raises(DBAPIError):
            forget(session, select(text("nonsense")))
        assert session.connection().execute(select(retention)).all() == []
        with pytest.raises(IntegrityError, match=APPEND_ONLY), session.begin_nested():
            session.connection().execute(text("DELETE FROM transition"))


def test_an_id_is_never_given_again(told: Store) -> None:
    with told.transaction() as session:
        last = entries(session)[-1].id
        forget(session, select(transition.c.id))
        add_halls(session, {})
        assert [entry.id for entry in entries(session)] == [last + 1]


def test_a_row_whose_past_is_forgotten_moves_on(told: Store) -> None:
    with told.transaction() as session:
        forget(session, select(transition.c.id))
        assert fire(session, halls, "prolong", 1, actor="ana", arguments=PROLONG).rows == 1
        assert fire_all(session, seats, "hold", EVERY, actor="ana").rows == 1


def test_a_key_is_remembered_when_its_log_rows_are_gone(told: Store) -> None:
    with told.transaction() as session:
        forget(session, select(transition.c.id))
        assert fire(session, halls, "close", 1, actor="ana", key="k").replayed
        with pytest.raises(Conflict, match="the key 'k' was used to close hall 1; choose another"):
            fire(session, halls, "prolong", 1, actor="ana", key="k", arguments=PROLONG)


def test_a_key_of_many_rows_remembers_how_many_it_moved(told: Store) -> None:
    with told.transaction() as session:
        add_halls(session, {}, {}, {})
        moved = fire_all(session, halls, "close", EVERY, actor="ana", key="all")
        moves = entries(session, transition.c.batch == moved.batch)
        forget(session, select(transition.c.id))
        again = fire_all(session, halls, "close", EVERY, actor="ana", key="all")
        assert (again.rows, again.replayed) == (moved.rows, True) == (3, True)
    with temporary_store(SCHEMA) as other, other.transaction() as session:
        append(session, moves, causes={})
        again = fire_all(session, halls, "close", EVERY, actor="ana", key="all")
        assert (again.rows, again.replayed) == (3, True)
