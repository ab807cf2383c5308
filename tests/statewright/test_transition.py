"""A row moves by its chart, in the caller's transaction, with all that follows from it, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import Boolean, Column, Integer, MetaData, Table, Text, insert, select, text
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col
from statemachine import State
from tests.statewright.halls import (
    EVERY,
    PROLONG,
    THEATRE,
    Hall,
    Seat,
    add_halls,
    add_seats,
    add_ticket,
    days,
    halls,
    seats,
    state_of,
    ticket,
    tickets,
)

from statewright.chart import Chart
from statewright.errors import (
    Conflict,
    EventNotPossible,
    GuardRefused,
    StatewrightError,
    StoreError,
    UnknownEvent,
    UnknownRow,
    WrongArguments,
)
from statewright.log import FORCE, START, Entry, entries, history
from statewright.store import Schema, Store
from statewright.tables import transition
from statewright.testing import BEGINNING, ManualClock, replay, states, temporary_store
from statewright.transition import Moved, fire, fire_all, fire_due, force, start
from statewright.workflow import Assign, Cascade, Guard, Link, Workflow
from statewright.workflows import Workflows


def said_by(kind: type[StatewrightError], call: Any) -> str:
    with pytest.raises(kind) as refused:
        call()
    return str(refused.value)


def log(session: Session) -> list[tuple[str, int, str, str | None, str]]:
    return [(e.workflow, e.row_id, e.event, e.source, e.target) for e in entries(session)]


# One row


def test_an_event_moves_a_row_and_is_logged(theatre: Store, clock: ManualClock) -> None:
    with theatre.transaction() as session:
        (hall,) = add_halls(session, {"name": "Globe"})
        clock.advance(hours=1)
        moved = fire(session, halls, "close", hall, actor="ana", reason="rain")
        assert moved == Moved(1, moved.batch)
        assert state_of(session, halls, hall) == "closed"
        last = history(session, "hall", hall)[-1]
    assert last == Entry(
        id=last.id,
        batch=moved.batch,
        cause=None,
        workflow="hall",
        row_id=hall,
        event="close",
        source="running",
        target="closed",
        at=BEGINNING + timedelta(hours=1),
        due_at=None,
        actor="ana",
        reason="rain",
        chart=halls.decisions.fingerprint,
        key=None,
        payload={},
    )


def test_arguments_of_every_type_reach_the_assignments_and_the_log(theatre: Store) -> None:
    since = datetime(2026, 3, 1, 14, tzinfo=timezone(timedelta(hours=2)))
    with theatre.transaction() as session:
        (hall,) = add_halls(session, {})
        fire(session, halls, "prolong", hall, actor="ana", arguments={**PROLONG, "since": since})
        row = session.get(Hall, hall)
        assert row is not None
        assert (row.note, row.gratis, row.ends_at, row.close_at) == (PROLONG["note"], True, days(40), days(40))
        assert row.opened_at == since
        assert history(session, "hall", hall)[-1].payload == {**PROLONG, "since": "2026-03-01T12:00:00+00:00"}


def test_an_assigned_value_sees_the_row_as_it_was_before(theatre: Store) -> None:
    with theatre.transaction() as session:
        (hall,) = add_halls(session, {"ends_at": None}, state="closed")
        fire(session, halls, "prolong", hall, actor="ana", arguments=PROLONG)
        row = session.get(Hall, hall)
        # The event's own value wins over the one for entering `running`, which would have been NULL.
        assert row is not None
        assert (row.close_at, row.opened_at) == (days(30), BEGINNING)


def test_a_move_from_a_state_to_itself_enters_it_again(theatre: Store) -> None:
    with theatre.transaction() as session:
        (hall,) = add_halls(session, {})
        row = session.get(Hall, hall)
        assert row is not None
        row.opened_at = None
        fire(session, halls, "remind", hall, actor="ana")
        assert row.opened_at == BEGINNING


def test_a_column_called_like_a_parameter_is_left_alone(theatre: Store) -> None:
    with theatre.transaction() as session:
        (hall,) = add_halls(session, {"reason": "ours", "actor": "ours"})
        fire(session, halls, "close", hall, actor="ana", reason="theirs", key="k")
        row = session.get(Hall, hall)
        assert row is not None
        assert (row.reason, row.actor) == ("ours", "ours")


def test_a_row_that_is_not_there_is_unknown(theatre: Store) -> None:
    with theatre.transaction() as session:
        for row_id in (7, -1, 2**63, 10**30):
            said = said_by(UnknownRow, lambda row_id=row_id: fire(session, halls, "close", row_id, actor="ana"))
            assert said == f"cannot close hall {row_id}: there is no such hall"
        assert log(session) == []


def test_an_event_without_an_arrow_from_here_is_refused_with_what_is_possible(theatre: Store) -> None:
    with theatre.transaction() as session:
        (hall,) = add_halls(session, {}, state="closed")
        with pytest.raises(EventNotPossible) as refused:
            fire(session, halls, "close", hall, actor="ana")
    assert str(refused.value) == f"cannot close hall {hall}: it is closed; possible now: prolong, remove"
    assert (refused.value.state, refused.value.possible) == ("closed", ("prolong", "remove"))


def test_a_guard_refuses_with_its_sentence_and_the_blocking_rows(theatre: Store) -> None:
    with theatre.transaction() as session:
        (hall,) = add_halls(session, {})
        add_seats(session, hall, "A1", "A2", state="taken")
        add_seats(session, hall, "A3")
        with pytest.raises(GuardRefused) as refused:
            fire(session, halls, "remove", hall, actor="ana")
    assert str(refused.value) == (
        f'cannot remove hall {hall}: it still has 2 seats: 1 "A1" (taken), 2 "A2" (taken) of 3; '
        "its end is 2026-01-11"
    )
    assert [refusal.guard for refusal in refused.value.refusals] == ["taken"]
    assert [blocker.label for blocker in refused.value.blockers] == ["A1", "A2"]


def test_a_guard_may_depend_on_an_argument(theatre: Store) -> None:
    with theatre.transaction() as session:
        (hall,) = add_halls(session, {"capacity": 20})
        said = said_by(GuardRefused, lambda: fire(session, halls, "prolong", hall, actor="ana", arguments=PROLONG))
        assert said == f"cannot prolong hall {hall}: nobody plays longer than 20 days"
        fire(session, halls, "prolong", hall, actor="ana", arguments={**PROLONG, "days": 20})


def test_a_guard_that_is_null_is_false(theatre: Store) -> None:
    with theatre.transaction() as session:
        (hall,) = add_halls(session, {})
        (seat,) = add_seats(session, hall, "A1", state="taken")
        priceless = add_ticket(session, seat, price=None)
        said = said_by(GuardRefused, lambda: fire(session, tickets, "pay", priceless, actor="ana"))
        assert said == f"cannot pay ticket {priceless}: it has no price"
        # `unless` a guard that is NULL lets it happen.
        paid = add_ticket(session, seat, price=5, final=None, state="paid")
        assert fire(session, tickets, "cancel", paid, actor="ana").rows == 1


# What a call must bring


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "the argument days is missing"),
        ({**PROLONG, "weeks": 1}, "it takes no argument weeks"),
        ({**PROLONG, "days": "3"}, "expected days to be a whole number, got '3'"),
        ({**PROLONG, "days": True}, "expected days to be a whole number, got True"),
        ({**PROLONG, "days": 3.0}, "expected days to be a whole number, got 3.0"),
        ({**PROLONG, "days": 2**63}, "expected days to be a whole number, got one that is too large"),
        ({**PROLONG, "days": None}, "expected days to be a whole number, got None"),
        ({**PROLONG, "note": 3}, "expected note to be text, got 3"),
        ({**PROLONG, "note": "\udc80"}, "expected note to be text, got characters that no database keeps"),
        ({**PROLONG, "note": "a\0b"}, "expected note to be text, got characters that no database keeps"),
        ({**PROLONG, "gratis": 1}, "expected gratis to be true or false, got 1"),
        ({**PROLONG, "since": "today"}, "expected since to be an instant, got 'today'"),
        (
            {**PROLONG, "since": datetime(2026, 1, 1)},  # noqa: DTZ001 - the mistake in question
            "expected since to have a time zone, got 2026-01-01T00:00:00",
        ),
        (
            {**PROLONG, "since": datetime.max.replace(tzinfo=timezone(-timedelta(hours=1)))},
            "expected since to be an instant in the years 1 to 9999 UTC, got 9999-12-31T23:59:59.999999-01:00",
        ),
    ],
)
def test_wrong_arguments_are_named(theatre: Store, arguments: dict[str, Any], said: str) -> None:
    with theatre.transaction() as session:
        (hall,) = add_halls(session, {})
        before = log(session)
        for call in (
            lambda: fire(session, halls, "prolong", hall, actor="ana", arguments=arguments),
            lambda: fire_all(session, halls, "prolong", EVERY, actor="ana", arguments=arguments),
        ):
            assert said_by(WrongArguments, call) == f"cannot prolong hall: {said}"
        assert log(session) == before


def test_what_is_long_is_shortened_in_an_error(theatre: Store) -> None:
    with theatre.transaction() as session:
        (hall,) = add_halls(session, {})
        long = {**PROLONG, "days": "9" * 10_000_000}
        assert (
            len(said_by(WrongArguments, lambda: fire(session, halls, "prolong", hall, actor="a", arguments=long)))
            < 200
        )


@pytest.mark.parametrize("event", ["open", "", "start", "force", "close.now"])
def test_an_event_that_no_chart_has_is_unknown(theatre: Store, event: str) -> None:
    with theatre.transaction() as session:
        for call in (
            lambda: fire(session, halls, event, 1, actor="ana"),
            lambda: fire_all(session, halls, event, EVERY, actor="ana"),
        ):
            assert said_by(UnknownEvent, call) == (
                f"cannot {event} hall: there is no such event; "
                "expected one of launch, prolong, remind, close, remove"
            )


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ({"actor": ""}, "expected an actor, the name that goes into the history"),
        ({"actor": " "}, "expected an actor, the name that goes into the history"),
        ({"actor": None}, "expected actor to be text, got None"),
        ({"actor": "\udcff"}, "expected actor to be text, got characters that no database keeps"),
        ({"actor": "ana", "reason": 5}, "expected reason to be text, got 5"),
        ({"actor": "ana", "key": ""}, "expected a key, got an empty one"),
    ],
)
def test_whoever_moves_a_row_gives_a_name(theatre: Store, texts: dict[str, Any], said: str) -> None:
    with theatre.transaction() as session:
        (hall,) = add_halls(session, {})
        assert said_by(WrongArguments, lambda: fire(session, halls, "close", hall, **texts)) == (
            f"cannot close hall: {said}"
        )


def test_a_session_that_only_reads_moves_nothing(theatre: Store) -> None:
    with theatre.reading() as session:
        said = said_by(StoreError, lambda: fire(session, halls, "close", 1, actor="ana"))
    assert said == "cannot move rows in a session that only reads; open it with Store.transaction()"


# Many rows


def test_a_selection_moves_those_whose_chart_and_guards_say_yes(theatre: Store) -> None:
    with theatre.transaction() as session:
        free, taken, shut = add_halls(session, {}, {}, {})
        add_seats(session, taken, "A1", state="taken")
        force(session, halls, shut, "gone", actor="ana", reason="fire")
        moved = fire_all(session, halls, "remove", EVERY, actor="ana")
        assert moved.rows == 1
        assert [state_of(session, halls, hall) for hall in (free, taken, shut)] == ["gone", "running", "gone"]


def test_a_selection_over_another_table_finds_each_row_once(theatre: Store) -> None:
    with theatre.transaction() as session:
        one, other = add_halls(session, {}, {})
        add_seats(session, one, "A1", "A2", "A3")
        add_seats(session, other, "B1", state="taken")
        seated = col(Seat.hall_id) == col(Hall.id)
        # The guard of `remove` looks at seats too: its sub-query must not take them for the selection's.
        moved = fire_all(session, halls, "remove", seated, actor="ana")
        assert moved.rows == 1
        assert [e.row_id for e in entries(session, transition.c.event == "remove")] == [one]


def test_nobody_is_a_selection_too(theatre: Store) -> None:
    with theatre.transaction() as session:
        assert fire_all(session, halls, "close", col(Hall.id) < 0, actor="ana").rows == 0
        assert log(session) == []


# Cascades


def test_a_cascade_moves_the_neighbours_in_the_same_batch(theatre: Store) -> None:
    with theatre.transaction() as session:
        (hall,) = add_halls(session, {})
        add_seats(session, hall, "A1", "A2", state="taken")
        add_seats(session, hall, "A3", state="free")
        moved = fire(session, halls, "close", hall, actor="ana", reason="rain", key="k")
        assert moved.cascaded == {("seat", "release"): 2}
        close, *released = entries(session, transition.c.batch == moved.batch)
        assert [(e.row_id, e.event, e.cause, e.actor) for e in released] == [
            (1, "release", close.id, "ana"),
            (2, "release", close.id, "ana"),
        ]
        # What the caller gave is the cause's: the reason, the key, the arguments.
        assert {(e.reason, e.key, *e.payload) for e in released} == {(None, None)}


def test_a_house_closes_all_its_wings_to_any_depth(theatre: Store) -> None:
    with theatre.transaction() as session:
        add_halls(session, {"house_id": None}, *({"house_id": house} for house in range(1, 1_500)))
        moved = fire(session, halls, "close", 1, actor="ana")
        assert (moved.rows, moved.cascaded) == (1, {("hall", "close"): 1_499})
        assert session.connection().execute(select(halls.state).distinct()).scalars().all() == ["closed"]


def test_a_neighbour_reached_along_two_ways_moves_once(theatre: Store) -> None:
    with theatre.transaction() as session:
        (hall,) = add_halls(session, {})
        one, two = add_seats(session, hall, "A1", "A2", state="taken")
        both = add_ticket(session, one, two, price=5, state="paid")
        moved = fire(session, halls, "close", hall, actor="ana")
        assert moved.cascaded == {("seat", "release"): 2, ("ticket", "lose_seat"): 1}
        assert len(history(session, "ticket", both)) == 2


def test_a_circle_of_cascades_runs_until_nothing_follows(theatre: Store) -> None:
    with theatre.transaction() as session:
        (hall,) = add_halls(session, {})
        # Each ticket shares a seat with the next: one lost seat undoes the whole chain.
        chain = add_seats(session, hall, *"abcdef", state="taken")
        sold = [add_ticket(session, *pair, price=5, state="paid") for pair in pairwise(chain)]
        other = add_ticket(session, *add_seats(session, hall, "z", state="taken"), price=5, state="paid")
        moved = fire(session, seats, "smash", chain[0], actor="ana")
        assert moved.cascaded == {("ticket", "lose_seat"): 5, ("seat", "release"): 5}
        assert {state_of(session, tickets, each) for each in sold} == {"void"}
        assert state_of(session, tickets, other) == "paid"
        assert replay(entries(session)) == states(session, THEATRE)


def test_a_guard_over_the_table_of_the_link_asks_about_its_own_row(theatre: Store) -> None:
    with theatre.transaction() as session:
        (hall,) = add_halls(session, {})
        lost, kept = add_seats(session, hall, "A1", "A2", state="taken")
        losing = add_ticket(session, lost, price=5, state="paid")
        keeping = add_ticket(session, kept, price=5, state="paid")
        fire(session, seats, "release", lost, actor="ana")
        assert (state_of(session, tickets, losing), state_of(session, tickets, keeping)) == ("void", "paid")


def test_cascades_follow_in_the_order_of_their_declaration(theatre: Store) -> None:
    with theatre.transaction() as session:
        house, wing = add_halls(session, {}, {"house_id": 1})
        for hall in (house, wing):
            add_seats(session, hall, "A1", state="taken")
        moved = fire(session, halls, "close", house, actor="ana")
        assert [(e.workflow, e.row_id) for e in entries(session, transition.c.batch == moved.batch)] == [
            *[("hall", house), ("seat", 1), ("hall", wing), ("seat", 2)],
        ]


def test_a_cascade_for_leaving_looks_at_each_row(theatre: Store) -> None:
    with theatre.transaction() as session:
        (hall,) = add_halls(session, {})
        (free,), (taken,) = (add_seats(session, hall, "x", state=state) for state in ("free", "taken"))
        waiting, sold = add_ticket(session, free), add_ticket(session, taken)
        assert fire_all(session, seats, "smash", EVERY, actor="ana").cascaded == {("ticket", "lose_seat"): 1}
        assert (state_of(session, tickets, waiting), state_of(session, tickets, sold)) == ("draft", "void")


def test_a_cascade_for_leaving_does_not_follow_an_arrow_from_elsewhere(theatre: Store) -> None:
    with theatre.transaction() as session:
        (hall,) = add_halls(session, {})
        (seat,) = add_seats(session, hall, "A1", state="free")
        drafted = add_ticket(session, seat, price=5)
        assert fire(session, seats, "hold", seat, actor="ana").cascaded == {}
        assert state_of(session, tickets, drafted) == "draft"


# An event that leads to several states


class CoinChart(Chart):
    up = State(initial=True)
    heads = State(final=True)
    tails = State(final=True)

    toss = up.to(heads, cond="lucky") | up.to(tails)


class CupChart(Chart):
    empty = State(initial=True)
    full = State(final=True)

    fill = empty.to(full)


class PlateChart(Chart):
    clean = State(initial=True)
    laid = State(final=True)

    lay = clean.to(laid)


table = MetaData()
coin, cup, plate = (
    Table(
        name,
        table,
        Column("id", Integer, primary_key=True),
        Column("state", Text, nullable=False),
        Column("lucky", Boolean),
        Column("prize", Integer),
        Column("coin_id", Integer),
    )
    for name in ("coin", "cup", "plate")
)
coins = Workflow(
    coin,
    CoinChart,
    guards=[Guard("lucky", coin.c.lucky, "it is not lucky")],
    arguments={"toss": {"by": str}},
    assigns=[
        Assign(coin.c.prize, 100, entering={"heads"}),
        Assign(coin.c.prize, None, entering={"tails"}),
    ],
    cascades=[
        Cascade("cup", "fill", along=Link(cup.c.coin_id, cup.c.id), entering={"heads"}),
        Cascade("plate", "lay", along=Link(plate.c.coin_id, plate.c.id), entering={"heads"}),
    ],
)
cups = Workflow(
    cup,
    CupChart,
    # The one for the event wins, whichever is declared first.
    assigns=[
        Assign(cup.c.prize, 1, entering={"full"}),
        Assign(cup.c.prize, 2, on={"fill"}),
        Assign(cup.c.lucky, None, entering={"full"}),
        Assign(cup.c.lucky, cup.c.lucky, on={"fill"}),
    ],
)
plates = Workflow(plate, PlateChart)
TABLE = Workflows(coins, cups, plates)


@pytest.fixture
def tossed() -> Iterator[Session]:
    """A lucky coin and another, tossed at once; beside the lucky one the second cup and the first plate."""
    with temporary_store(Schema("table", 1, table)) as store, store.transaction() as session:
        for workflow in TABLE.values():
            new = {"state": workflow.decisions.initial, "prize": 5}
            beside = (2, 1) if workflow is cups else (1, 2)
            rows = [{**new, "lucky": coin_id == 1, "coin_id": coin_id} for coin_id in beside]
            session.connection().execute(insert(workflow.table), rows)
            start(session, workflow, EVERY, actor="ana")
        fire_all(session, coins, "toss", EVERY, actor="ana", arguments={"by": "bob"})
        yield session


def column(session: Session, table: Table, name: str) -> list[Any]:
    return [*session.connection().execute(select(table.c[name]).order_by(table.c.id)).scalars()]


def test_an_event_leads_each_row_to_its_own_state(tossed: Session) -> None:
    assert column(tossed, coin, "state") == ["heads", "tails"]
    assert replay(entries(tossed)) == states(tossed, TABLE)


def test_an_assignment_for_entering_looks_at_each_row(tossed: Session) -> None:
    assert column(tossed, coin, "prize") == [100, None]


def test_an_assignment_for_an_event_is_stronger_than_one_for_a_state(tossed: Session) -> None:
    assert column(tossed, cup, "prize") == [5, 2]


def test_an_event_may_leave_a_column_as_it_is(tossed: Session) -> None:
    assert column(tossed, cup, "lucky") == [False, True]


def test_a_cascade_for_entering_looks_at_each_row(tossed: Session) -> None:
    assert column(tossed, cup, "state") == ["empty", "full"]


def test_neighbours_of_the_same_id_are_not_taken_for_one_another(tossed: Session) -> None:
    assert column(tossed, plate, "state") == ["laid", "clean"]


def test_the_arguments_are_the_causes_alone(tossed: Session) -> None:
    assert {e.event: e.payload for e in entries(tossed)} == {
        START: {},
        "toss": {"by": "bob"},
        "fill": {},
        "lay": {},
    }


# Conflicts


def test_a_broken_constraint_leaves_nothing_behind_and_the_caller_goes_on(theatre: Store) -> None:
    with theatre.transaction() as session:
        haunted, good = add_halls(session, {"name": "haunted"}, {})
        before = log(session)
        with pytest.raises(Conflict) as refused:
            fire(session, halls, "close", haunted, actor="ana")
        assert str(refused.value) == (
            f"cannot close hall {haunted}: the database refused: CHECK constraint failed: ck_hall_haunted"
        )
        assert refused.value.row_id == haunted
        assert log(session) == before
        fire(session, halls, "close", good, actor="ana")
    with theatre.reading() as session:
        assert [state_of(session, halls, hall) for hall in (haunted, good)] == ["running", "closed"]
        assert log(session)[:-1] == before


def test_a_neighbours_broken_constraint_undoes_the_whole_move(theatre: Store) -> None:
    with theatre.transaction() as session:
        (hall,) = add_halls(session, {})
        seat, _ = add_seats(session, hall, "A1", "stuck", state="taken", guest="ana")
        before = log(session)
        said = said_by(Conflict, lambda: fire(session, halls, "close", hall, actor="ana"))
        assert said == f"cannot close hall {hall}: the database refused: CHECK constraint failed: ck_seat_stuck"
        assert log(session) == before
        assert (state_of(session, halls, hall), state_of(session, seats, seat)) == ("running", "taken")


def test_a_conflict_among_many_undoes_them_all(theatre: Store) -> None:
    with theatre.transaction() as session:
        add_halls(session, {}, {"name": "haunted"}, {})
        said = said_by(Conflict, lambda: fire_all(session, halls, "close", EVERY, actor="ana"))
        assert said == "cannot close hall: the database refused: CHECK constraint failed: ck_hall_haunted"
        assert session.connection().execute(select(halls.state).distinct()).scalars().all() == ["running"]


def test_no_error_holds_the_values_of_a_row(theatre: Store) -> None:
    with theatre.transaction() as session:
        (hall,) = add_halls(session, {"name": "haunted", "note": "s3cret"})
        for call in (
            lambda: fire(session, halls, "close", hall, actor="s3cret", reason="s3cret", key="s3cret"),
            lambda: session.connection().execute(insert(Hall).values(id=hall, state="planned", name="s3cret")),
        ):
            with pytest.raises((Conflict, IntegrityError)) as refused:
                call()
            assert "s3cret" not in f"{refused.value!s}{refused.value!r}"


def test_an_error_in_the_middle_undoes_the_step_too(theatre: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with theatre.transaction() as session:
        (hall,) = add_halls(session, {})
        before = log(session)
        monkeypatch.setattr("statewright.chain.Chain._set_off", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            fire(session, halls, "close", hall, actor="ana")
        assert (log(session), state_of(session, halls, hall)) == (before, "running")


def test_a_date_that_no_calendar_has_is_refused_before_it_is_kept(theatre: Store) -> None:
    with theatre.transaction() as session:
        (hall,) = add_halls(session, {"capacity": 2**62})
        for far in (10**7, 10**12, 2**62):
            said = said_by(
                Conflict,
                lambda far=far: fire(
                    session, halls, "prolong", hall, actor="ana", arguments={**PROLONG, "days": far}
                ),
            )
            # Where a calendar ends sooner, the database itself says so.
            assert "the database refused: " in said
            assert said.endswith(("_in_calendar", "out of range"))


# Keys


def test_the_same_call_with_the_same_key_is_done_once(theatre: Store) -> None:
    with theatre.transaction() as session:
        (hall,) = add_halls(session, {})
        first = fire(session, halls, "prolong", hall, actor="ana", key="k", arguments=PROLONG)
    with theatre.transaction() as session:
        shuffled = dict(reversed(PROLONG.items()))
        again = fire(session, halls, "prolong", hall, actor="bob", key="k", arguments=shuffled)
        assert again == Moved(1, first.batch, replayed=True)
        assert session.connection().execute(select(halls.table.c.ends_at)).scalar_one() == days(40)


def test_a_key_protects_a_call_that_is_no_longer_possible(theatre: Store) -> None:
    with theatre.transaction() as session:
        (hall,) = add_halls(session, {})
        fire(session, halls, "close", hall, actor="ana", key="k")
        assert fire(session, halls, "close", hall, actor="ana", key="k").replayed


def test_a_key_of_many_rows_is_found_again_with_their_number(theatre: Store) -> None:
    with theatre.transaction() as session:
        add_halls(session, {}, {}, {})
        wings = add_halls(session, {"house_id": 1})
        add_seats(session, 1, "A1", state="taken")
        moved = fire_all(session, halls, "close", col(Hall.id) <= 2, actor="ana", key="k")
        assert (moved.rows, moved.cascaded) == (2, {("seat", "release"): 1, ("hall", "close"): 1})
        add_halls(session, {})
        again = fire_all(session, halls, "close", col(Hall.id) <= 2, actor="ana", key="k")
        assert again == Moved(2, moved.batch, replayed=True)
        assert state_of(session, halls, wings[0] + 1) == "running"


def test_a_key_is_not_used_for_something_else(theatre: Store) -> None:
    with theatre.transaction() as session:
        one, other = add_halls(session, {}, {})
        (seat,) = add_seats(session, one, "A1", state="taken")
        fire(session, halls, "prolong", one, actor="ana", key="k", arguments=PROLONG)
        used = f"the key 'k' was used to prolong hall {one}"
        for call, said in (
            (
                lambda: fire(session, halls, "prolong", other, actor="ana", key="k", arguments=PROLONG),
                f"cannot prolong hall {other}: {used}; choose another",
            ),
            (
                lambda: fire(session, halls, "close", one, actor="ana", key="k"),
                f"cannot close hall {one}: {used}; choose another",
            ),
            (
                lambda: fire(session, seats, "release", seat, actor="ana", key="k"),
                f"cannot release seat {seat}: {used}; choose another",
            ),
            (
                lambda: fire(
                    session, halls, "prolong", one, actor="ana", key="k", arguments={**PROLONG, "days": 7}
                ),
                f"cannot prolong hall {one}: {used} with other arguments; choose another",
            ),
            (
                lambda: fire_all(session, halls, "close", EVERY, actor="ana", key="k"),
                f"cannot close hall: {used}; choose another",
            ),
            (
                lambda: start(session, halls, EVERY, actor="ana", key="k"),
                f"cannot start hall: {used}; choose another",
            ),
        ):
            assert said_by(Conflict, call) == said


def test_a_refused_call_leaves_its_key_free(theatre: Store) -> None:
    with theatre.transaction() as session:
        (hall,) = add_halls(session, {}, state="closed")
        said_by(EventNotPossible, lambda: fire(session, halls, "close", hall, actor="ana", key="k"))
        assert not fire(session, halls, "remove", hall, actor="ana", key="k").replayed


# Beginnings


def test_a_life_begins_once(theatre: Store) -> None:
    with theatre.transaction() as session:
        session.connection().execute(insert(Hall).values(state="planned"))
        assert start(session, halls, EVERY, actor="ana").rows == 1
        assert start(session, halls, EVERY, actor="ana").rows == 0
        assert log(session) == [("hall", 1, START, None, "planned")]


def test_a_life_may_begin_in_any_state_with_what_belongs_to_it(theatre: Store) -> None:
    with theatre.transaction() as session:
        session.connection().execute(insert(Hall).values(state="planned", ends_at=days(10)))
        assert start(session, halls, EVERY, actor="ana", target="running").rows == 1
        row = session.get(Hall, 1)
        assert row is not None
        assert (row.state, row.close_at, row.remind_at, row.opened_at) == (
            *("running", days(10), days(3)),
            BEGINNING,
        )


def test_an_entry_guard_keeps_a_life_from_beginning(theatre: Store) -> None:
    with theatre.transaction() as session:
        session.connection().execute(insert(ticket), [{"price": None}, {"price": 5}])
        assert start(session, tickets, EVERY, actor="ana", target="paid").rows == 1
        assert log(session) == [("ticket", 2, START, None, "paid")]


def test_a_life_begins_in_a_state_of_the_chart(theatre: Store) -> None:
    with theatre.transaction() as session:
        for state in ("open", ""):
            call = lambda state=state: start(session, halls, EVERY, actor="ana", target=state)  # noqa: E731
            assert said_by(WrongArguments, call) == (
                f"cannot start hall: expected one of the states planned, running, closed, gone, got '{state}'"
            )


def test_a_beginning_may_have_a_reason_of_its_own(theatre: Store) -> None:
    with theatre.transaction() as session:
        session.connection().execute(insert(Hall), [{"state": "planned"}] * 3)
        start(session, halls, EVERY, actor="ana", reason="as the others", reasons={2: "a gift"})
        assert [entry.reason for entry in entries(session)] == ["as the others", "a gift", "as the others"]


def test_a_beginning_may_have_a_key(theatre: Store) -> None:
    with theatre.transaction() as session:
        session.connection().execute(insert(Hall), [{"state": "planned"}, {"state": "planned"}])
        started = start(session, halls, EVERY, actor="ana", key="k")
        assert start(session, halls, EVERY, actor="ana", key="k") == Moved(2, started.batch, replayed=True)


# By hand


@pytest.mark.parametrize("source", ["planned", "running", "closed", "gone"])
@pytest.mark.parametrize("target", ["planned", "running", "closed", "gone"])
def test_a_hand_puts_a_row_into_any_state_from_any(theatre: Store, source: str, target: str) -> None:
    with theatre.transaction() as session:
        (hall,) = add_halls(session, {}, state=source)
        call = lambda: force(session, halls, hall, target, actor="ana", reason="by order")  # noqa: E731
        if source == target:
            assert said_by(Conflict, call) == f"cannot force hall {hall}: it is {target} already"
        else:
            assert call().rows == 1
            last = history(session, "hall", hall)[-1]
            assert (last.event, last.source, last.target, last.reason) == (FORCE, source, target, "by order")


def test_a_move_by_hand_assigns_and_cascades_as_any_other(theatre: Store) -> None:
    with theatre.transaction() as session:
        (hall,) = add_halls(session, {"opened_at": days(-9)}, state="closed")
        force(session, halls, hall, "running", actor="ana", reason="reopened")
        row = session.get(Hall, hall)
        assert row is not None
        assert (row.close_at, row.remind_at, row.opened_at) == (days(10), days(3), days(-9))
        add_seats(session, hall, "A1", state="taken")
        moved = force(session, halls, hall, "gone", actor="ana", reason="burnt down")
        assert moved.cascaded == {("seat", "release"): 1}
        assert (row.close_at, row.remind_at) == (None, None)


def test_a_move_by_hand_breaks_no_constraint(theatre: Store) -> None:
    with theatre.transaction() as session:
        (hall,) = add_halls(session, {"name": "haunted"})
        said = said_by(Conflict, lambda: force(session, halls, hall, "closed", actor="ana", reason="rain"))
        assert "CHECK constraint failed: ck_hall_haunted" in said


@pytest.mark.parametrize("reason", ["", " \t"])
def test_a_move_by_hand_needs_a_reason(theatre: Store, reason: str) -> None:
    with theatre.transaction() as session:
        said = said_by(WrongArguments, lambda: force(session, halls, 1, "gone", actor="ana", reason=reason))
        assert said == "cannot force hall 1: a move by hand needs a reason"


def test_a_move_by_hand_needs_a_row_and_a_state(theatre: Store) -> None:
    with theatre.transaction() as session:
        assert said_by(WrongArguments, lambda: force(session, halls, 1, "open", actor="ana", reason="x")) == (
            "cannot force hall 1: expected one of the states planned, running, closed, gone, got 'open'"
        )
        for row_id in (1, 2**70):
            said = said_by(
                UnknownRow, lambda row_id=row_id: force(session, halls, row_id, "gone", actor="ana", reason="x")
            )
            assert said == f"cannot force hall {row_id}: there is no such hall"


# Deadlines


def test_a_state_that_does_not_accept_the_event_disarms_its_deadline(theatre: Store) -> None:
    with theatre.transaction() as session:
        (hall,) = add_halls(session, {"ends_at": days(10)})
        row = session.get(Hall, hall)
        assert row is not None
        assert (row.close_at, row.remind_at) == (days(10), days(3))
        fire(session, halls, "close", hall, actor="ana")
        assert (row.close_at, row.remind_at, row.ends_at) == (None, None, days(10))


def test_a_row_that_begins_where_nothing_is_due_is_disarmed(theatre: Store) -> None:
    with theatre.transaction() as session:
        (hall,) = add_halls(session, {"close_at": days(1)}, state="planned")
        row = session.get(Hall, hall)
        assert row is not None
        assert row.close_at is None


def test_what_is_due_moves_the_longest_overdue_first(theatre: Store, clock: ManualClock) -> None:
    with theatre.transaction() as session:
        late, soon, first = add_halls(session, {"ends_at": days(9)}, {"ends_at": days(5)}, {"ends_at": days(1)})
        close = halls.deadlines[1]
        clock.set(days(6))
        assert fire_due(session, halls, close, actor="clock", limit=1).rows == 1
        assert [state_of(session, halls, hall) for hall in (late, soon, first)] == [
            *("running", "running", "closed"),
        ]
        assert fire_due(session, halls, close, actor="clock", limit=10).rows == 1
        assert fire_due(session, halls, close, actor="clock", limit=10).rows == 0
        assert state_of(session, halls, late) == "running"


def test_the_log_says_when_it_was_due_and_when_it_was_done(theatre: Store, clock: ManualClock) -> None:
    with theatre.transaction() as session:
        on_time, by_hand, early = add_halls(session, {}, {}, {})
        clock.set(days(9))
        fire(session, halls, "close", early, actor="ana")
        clock.set(days(200))
        fire(session, halls, "close", by_hand, actor="ana")
        fire_due(session, halls, halls.deadlines[1], actor="clock", limit=9)
        told = {e.row_id: (e.due_at, e.at) for e in entries(session, transition.c.event == "close")}
    assert told == {
        on_time: (days(10), days(200)),
        by_hand: (days(10), days(200)),
        early: (None, days(9)),
    }


def test_a_deadline_may_be_fired_at_another_instant(theatre: Store) -> None:
    with theatre.transaction() as session:
        (hall,) = add_halls(session, {})
        fire_due(session, halls, halls.deadlines[1], actor="clock", limit=9, now=days(50))
        assert history(session, "hall", hall)[-1].at == days(50)


# The caller's session


def test_rows_that_the_caller_holds_show_what_became_of_them(theatre: Store) -> None:
    with theatre.transaction() as session:
        (hall,) = add_halls(session, {})
        (seat,) = add_seats(session, hall, "A1", state="taken")
        held, neighbour = session.get(Hall, hall), session.get(Seat, seat)
        assert held is not None
        assert neighbour is not None
        neighbour.guest = "unsaved"
        fire(session, halls, "close", hall, actor="ana")
        assert (held.state, neighbour.state) == ("closed", "free")
        assert not neighbour.guest


def test_the_callers_own_rows_are_committed_and_rolled_back_with_the_move(theatre: Store) -> None:
    with theatre.transaction() as session:
        session.add(Hall(id=1, state="planned", ends_at=days(10)))
        start(session, halls, col(Hall.id) == 1, actor="ana", target="running")
    with theatre.transaction() as session:
        session.add(Hall(id=2, state="planned"))
        start(session, halls, col(Hall.id) == 2, actor="ana")
        fire(session, halls, "close", 1, actor="ana")
        session.rollback()
    with theatre.reading() as session:
        assert states(session, THEATRE) == {("hall", 1): "running"} == replay(entries(session))


def test_a_savepoint_of_the_callers_own_undoes_the_moves_in_it(theatre: Store) -> None:
    with theatre.transaction() as session:
        (hall,) = add_halls(session, {})
        (seat,) = add_seats(session, hall, "A1")
    with theatre.transaction() as session:
        with session.begin_nested() as undone:
            fire(session, seats, "hold", seat, actor="ana")
            undone.rollback()
        with pytest.raises(EventNotPossible, match="cannot lapse seat"):
            fire(session, seats, "lapse", seat, actor="ana")


def test_savepoints_of_calls_and_of_their_caller_end_in_their_order(theatre: Store) -> None:
    with theatre.transaction() as session:
        (hall,) = add_halls(session, {})
        (seat,) = add_seats(session, hall, "A1")
    with theatre.transaction() as session:
        fire(session, seats, "hold", seat, actor="ana")
        with session.begin_nested():
            fire(session, seats, "lapse", seat, actor="ana")
        with session.begin_nested() as undone:
            fire(session, seats, "smash", seat, actor="ana")
            undone.rollback()
        fire(session, seats, "take", seat, actor="ana")
    with theatre.reading() as session:
        assert [entry.event for entry in history(session, "seat", seat)] == ["start", "hold", "lapse", "take"]


# Against rogue SQL


def test_a_state_that_the_chart_does_not_have_cannot_be_written(theatre: Store) -> None:
    with theatre.transaction() as session:
        add_halls(session, {})
        for state in ("'open'", "''", "NULL", "'RUNNING'"):
            with pytest.raises(IntegrityError), session.begin_nested():
                session.connection().execute(text(f"UPDATE hall SET state = {state}"))
