"""Why a row may move or may not is told in words, with what stands in the way, and guessed nowhere."""

from __future__ import annotations

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, Text, insert
from sqlmodel import Session
from statemachine import State
from tests.statewright.halls import (
    EVERY,
    PROLONG,
    Seat,
    add_halls,
    add_seats,
    add_ticket,
    days,
    halls,
    insert_rows,
    seats,
    state_of,
    tickets,
)

from statewright.chart import Chart
from statewright.errors import (
    Conflict,
    GuardRefused,
    Refusal,
    TransitionError,
    UnknownEvent,
    UnknownRow,
    WrongArguments,
)
from statewright.explain import Possibility, Preview, can, preview, refusal, refused_to_begin, waiting_for
from statewright.log import START, entries
from statewright.session import instant
from statewright.store import Schema, Store
from statewright.testing import temporary_store
from statewright.transition import fire, fire_all, start
from statewright.workflow import Guard, Workflow, argument
from statewright.workflows import Workflows

hall = halls.table.c
seat = seats.table.c


class PlantChart(Chart):
    seed = State(initial=True)
    tree = State()
    wood = State(final=True)

    grow = seed.to(tree, cond="not greedy and watered")
    cut = tree.to(wood)


plant = Table(
    "plant",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("state", Text, nullable=False),
    Column("water", Integer),
)
plants = Workflow(
    plant,
    PlantChart,
    guards=[
        Guard("watered", plant.c.water > 0, "it is dry"),
        Guard("greedy", argument("by", int) > 100, "nobody grows more than 100"),
    ],
    arguments={"grow": {"by": int}},
)
PLANTS = Workflows(plants)


def possibilities(session: Session, workflow: Workflow, row_id: int) -> dict[str, Possibility]:
    return {each.event: each for each in can(session, workflow, row_id)}


# One row


def test_every_event_of_the_chart_is_possible_or_says_why_not(theatre: Store) -> None:
    with theatre.transaction() as session:
        (hall_id,) = add_halls(session, {})
        add_seats(session, hall_id, "A1", state="taken")
        told = can(session, halls, hall_id)
    assert [(each.event, each.target, each.because) for each in told] == [
        ("launch", None, "it is running; possible now: prolong"),
        ("prolong", "running", ""),
        ("remind", "running", ""),
        ("close", "closed", ""),
        ("remove", None, 'it still has 1 seat: 1 "A1" (taken) of 1; its end is 2026-01-11'),
    ]
    assert [each.possible for each in told] == [False, True, True, True, False]


def test_a_deadline_tells_until_when(theatre: Store) -> None:
    with theatre.transaction() as session:
        (hall_id,) = add_halls(session, {"ends_at": days(10)})
        told = possibilities(session, halls, hall_id)
    assert {event: each.due_at for event, each in told.items() if each.due_at} == {
        "remind": days(3),
        "close": days(10),
    }
    assert [event for event, each in told.items() if each.automatic] == ["remind", "close"]


def test_a_refusal_names_every_guard_that_would_have_to_change(theatre: Store) -> None:
    with theatre.transaction() as session:
        (hall_id,) = add_halls(session, {})
        (seat_id,) = add_seats(session, hall_id, "A1")
        draft = add_ticket(session, seat_id, price=None)
        pay = possibilities(session, tickets, draft)["pay"]
    assert pay.because == "not all its seats are taken; it has no price"
    assert pay.refusals == (
        Refusal("seated", "not all its seats are taken"),
        Refusal("priced", "it has no price"),
    )


def test_only_the_fewest_guards_are_blamed(theatre: Store) -> None:
    with theatre.transaction() as session:
        (hall_id,) = add_halls(session, {})
        (seat_id,) = add_seats(session, hall_id, "A1", state="taken")
        draft = add_ticket(session, seat_id, price=0)
        assert possibilities(session, tickets, draft)["pay"].because == "it has no price"


def test_a_state_that_waits_says_what_it_lacks(theatre: Store) -> None:
    with theatre.transaction() as session:
        (hall_id,) = add_halls(session, {"capacity": 1200}, state="planned")
        assert waiting_for(session, halls, hall_id) == "it has no seats for 1,200"
        assert possibilities(session, halls, hall_id)["close"].because == (
            "it is planned (it has no seats for 1,200); possible now: remove"
        )
        add_seats(session, hall_id, "A1")
        assert waiting_for(session, halls, hall_id) == ""
        assert waiting_for(session, seats, 1) == ""


def test_an_end_is_told_as_one(theatre: Store) -> None:
    with theatre.transaction() as session:
        (hall_id,) = add_halls(session, {}, state="gone")
        assert possibilities(session, halls, hall_id)["close"].because == "it is gone; that is final"


def test_where_nothing_is_possible_just_now_it_is_not_called_final(theatre: Store) -> None:
    with temporary_store(Schema("plants", 1, plant.metadata)) as store, store.transaction() as session:
        session.connection().execute(insert(plant), {"state": "seed", "water": 0})
        assert possibilities(session, plants, 1)["cut"].because == "it is seed; nothing is possible now"


def test_a_guard_that_needs_an_argument_is_not_held_against_an_event(theatre: Store) -> None:
    with temporary_store(Schema("plants", 1, plant.metadata)) as store, store.transaction() as session:
        session.connection().execute(insert(plant), [{"state": "seed", "water": 5}, {"state": "seed", "water": 0}])
        told = possibilities(session, plants, 1)["grow"]
        assert (told.possible, told.target) == (True, "tree")
        # What does not need the argument is: and it alone is blamed.
        dry = possibilities(session, plants, 2)["grow"]
        assert (dry.possible, dry.because) == (False, "it is dry")
        said = refusal(session, plants, "grow", 2, now=instant(session), arguments={"by": 500})
        assert str(said) == "cannot grow plant 2: nobody grows more than 100; it is dry"


def test_what_a_sentence_names_may_be_missing(theatre: Store) -> None:
    with theatre.transaction() as session:
        (hall_id,) = add_halls(session, {"ends_at": None})
        add_seats(session, hall_id, "A1", state="taken")
        assert possibilities(session, halls, hall_id)["remove"].because.endswith("its end is nothing")


def test_many_blocking_rows_are_counted(theatre: Store) -> None:
    with theatre.transaction() as session:
        (hall_id,) = add_halls(session, {})
        add_seats(session, hall_id, *(f"A{n}" for n in range(1, 1_013)), state="taken")
        told = possibilities(session, halls, hall_id)["remove"]
    assert told.because.startswith('it still has 1,012 seats: 1 "A1" (taken), 2 "A2" (taken), ')
    assert '10 "A10" (taken) and 1,002 more of 1012' in told.because
    assert len(told.refusals[0].blockers) == 1_012


def test_what_the_caller_has_not_written_yet_counts(theatre: Store) -> None:
    with theatre.transaction() as session:
        (hall_id,) = add_halls(session, {}, state="planned")
        session.add(Seat(hall_id=hall_id, label="A1"))
        assert possibilities(session, halls, hall_id)["launch"].possible
        session.add(Seat(hall_id=hall_id, label="A2", state="taken"))
        assert preview(session, halls, "remove", EVERY).refused == {"taken": 1}


def test_a_row_that_is_not_there_cannot_do_anything(theatre: Store) -> None:
    with theatre.reading() as session:
        for row_id in (5, 2**63, -(2**80)):
            for question in (can, waiting_for):
                with pytest.raises(UnknownRow) as refused:
                    question(session, halls, row_id)
                assert str(refused.value) == f"there is no hall {row_id}"


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("state", halls.decisions.states)
def test_what_can_be_done_is_done_and_what_cannot_is_refused_in_the_same_words(
    theatre: Store, state: str, full: bool
) -> None:
    with theatre.transaction() as session:
        (hall_id,) = add_halls(session, {}, state=state)
        add_seats(session, hall_id, "A1", state="taken" if full else "free")
        told = can(session, halls, hall_id)
    for each in told:
        expected = each.target or f"cannot {each.event} hall {hall_id}: {each.because}"
        assert outcome(theatre, each.event, hall_id) == expected


def outcome(store: Store, event: str, hall_id: int) -> str:
    """Where an event leads if it is tried, or why it does not; it is taken back."""
    with store.transaction() as session:
        try:
            fire(session, halls, event, hall_id, actor="ana", arguments=PROLONG if event == "prolong" else {})
            return state_of(session, halls, hall_id)
        except TransitionError as why:
            return str(why)
        finally:
            session.rollback()


# Beginnings


def test_a_life_that_may_not_begin_is_told_every_reason(theatre: Store) -> None:
    with theatre.transaction() as session:
        (hall_id,) = add_halls(session, {})
        (free,) = add_seats(session, hall_id, "A1")
        (new,) = insert_rows(session, tickets, [{"price": None}])
        session.connection().exec_driver_sql(f"INSERT INTO ticket_seat VALUES ({new}, {free})")
        assert start(session, tickets, tickets.id == new, actor="ana", target="paid").rows == 0
        why = refusal(session, tickets, START, new, now=instant(session), arguments={}, target="paid")
        assert isinstance(why, GuardRefused)
        assert str(why) == f"cannot start ticket {new}: it has no price; not all its seats are taken"
        assert [each.guard for each in why.refusals] == ["priced", "seated"]


def test_many_lives_that_may_not_begin_are_told_the_same_reasons(theatre: Store) -> None:
    with theatre.transaction() as session:
        (hall_id,) = add_halls(session, {})
        (free,) = add_seats(session, hall_id, "A1")
        new = insert_rows(session, tickets, [{"price": price} for price in (None, 5, 0)])
        session.connection().exec_driver_sql(f"INSERT INTO ticket_seat VALUES ({new[0]}, {free})")
        now = instant(session)
        told = refused_to_begin(session, tickets, new, "paid", now=now)
        for row_id in new:
            why = refusal(session, tickets, START, row_id, now=now, arguments={}, target="paid")
            assert told[row_id] == (why.refusals if isinstance(why, GuardRefused) else ())
        assert [len(told[row_id]) for row_id in new] == [2, 0, 1]


def test_a_life_that_has_begun_does_not_begin_again(theatre: Store) -> None:
    with theatre.transaction() as session:
        (hall_id,) = add_halls(session, {})
        why = refusal(session, halls, START, hall_id, now=instant(session), arguments={})
        assert isinstance(why, Conflict)
        assert str(why) == f"cannot start hall {hall_id}: its life has begun already, it is running"


# Many rows


def test_a_preview_counts_what_would_move_and_what_would_not(theatre: Store) -> None:
    with theatre.transaction() as session:
        free, full, other = add_halls(session, {}, {}, {})
        add_halls(session, {}, {}, state="gone")
        add_seats(session, full, "A1", state="taken")
        before = entries(session)
        told = preview(session, halls, "remove", EVERY)
        assert told == Preview(moving={"gone": 2}, refused={"is gone": 2, "taken": 1})
        assert entries(session) == before
        assert fire_all(session, halls, "remove", EVERY, actor="ana").rows == 2
        assert {free, other} <= {entry.row_id for entry in entries(session) if entry.event == "remove"}


def test_a_preview_says_what_is_the_case_and_what_is_not(theatre: Store) -> None:
    with theatre.transaction() as session:
        (hall_id,) = add_halls(session, {})
        (taken, free) = (add_seats(session, hall_id, "x", state=state)[0] for state in ("taken", "free"))
        add_ticket(session, taken, price=None)
        add_ticket(session, free, price=None)
        add_ticket(session, free, price=5)
        add_ticket(session, taken, price=5)
        assert preview(session, tickets, "pay", EVERY) == Preview(
            moving={"paid": 1}, refused={"not priced": 1, "not seated and not priced": 1, "not seated": 1}
        )


def test_a_preview_takes_arguments_as_the_call_does(theatre: Store) -> None:
    with theatre.transaction() as session:
        add_halls(session, {"capacity": 10}, {"capacity": 50})
        told = preview(session, halls, "prolong", EVERY, arguments=PROLONG)
        assert told == Preview(moving={"running": 1}, refused={"not modest": 1})
        with pytest.raises(WrongArguments, match="cannot prolong hall: the argument days is missing"):
            preview(session, halls, "prolong", EVERY)
        with pytest.raises(UnknownEvent, match="cannot open hall: there is no such event"):
            preview(session, halls, "open", EVERY)


def test_a_preview_over_another_table_counts_each_row_once(theatre: Store) -> None:
    with theatre.transaction() as session:
        (hall_id,) = add_halls(session, {})
        add_seats(session, hall_id, "A1", "A2", "A3")
        assert preview(session, halls, "remove", seat.hall_id == hall.id) == Preview({"gone": 1}, {})
