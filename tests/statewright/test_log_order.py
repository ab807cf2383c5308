"""The log is told in its order, whoever commits late: on a server, ids are given out before transactions end."""

from __future__ import annotations

from tests.statewright.halls import add_halls, halls

from statewright.log import append, entries
from statewright.store import Store
from statewright.subscriber import deliver
from statewright.testing import Recorder
from statewright.transition import fire


def test_a_log_row_that_is_committed_late_is_told_in_its_turn(theatre_on_a_server: Store) -> None:
    store = theatre_on_a_server
    told = Recorder("late")
    with store.transaction() as session:
        first, second, third = add_halls(session, {}, {}, {})
    deliver(store, told)
    told.entries.clear()
    with store.transaction() as slow:
        fire(slow, halls, "close", second, actor="slow")
        for hall in (first, third):
            with store.transaction() as quick:
                fire(quick, halls, "close", hall, actor="quick")
            deliver(store, told)
        assert told.entries == []
    deliver(store, told)
    assert [entry.row_id for entry in told.entries] == [second, first, third]
    ids = [entry.id for entry in told.entries]
    assert ids == sorted(ids)


def test_a_log_row_that_is_never_committed_holds_up_nobody(theatre_on_a_server: Store) -> None:
    store = theatre_on_a_server
    told = Recorder("late")
    with store.transaction() as session:
        first, second = add_halls(session, {}, {})
    with store.transaction() as slow:
        fire(slow, halls, "close", first, actor="slow")
        with store.transaction() as quick:
            fire(quick, halls, "close", second, actor="quick")
        slow.rollback()
    deliver(store, told)
    assert told.heard("hall", first) == ["start"]
    assert told.heard("hall", second) == ["start", "close"]


def test_what_is_appended_takes_ids_of_its_own(theatre: Store) -> None:
    with theatre.transaction() as session:
        (hall,) = add_halls(session, {})
        life = entries(session)
    with theatre.transaction() as session:
        append(session, [*life, *life], causes={})
        fire(session, halls, "close", hall, actor="ana")
    with theatre.reading() as session:
        ids = [entry.id for entry in entries(session)]
        assert ids == list(range(ids[0], ids[0] + len(ids)))
        assert [entry.event for entry in entries(session)][-1] == "close"
