"""Everything that is due is moved; a row that the database refuses is set aside, and the others go on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from functools import partial
from itertools import count, pairwise
from typing import Any

import pytest
from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    MetaData,
    Table,
    Text,
    case,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlmodel import Session
from statemachine import State
from tests.statewright.halls import (
    EVERY,
    PROLONG,
    THEATRE,
    add_halls,
    add_seats,
    days,
    halls,
    insert_rows,
    seats,
    state_of,
)

from statewright.chart import Chart
from statewright.dialects import Identifier, Instant
from statewright.errors import DefinitionError
from statewright.log import entries, history
from statewright.store import Schema, Store
from statewright.sweep import Swept, deadlines, next_due, rehearse, sweep
from statewright.tables import set_aside, transition
from statewright.testing import ManualClock, replay, states, temporary_store
from statewright.transition import fire, fire_all, force, start
from statewright.workflow import Assign, Deadline, Guard, Workflow
from statewright.workflows import Workflows

hall = halls.table.c


class LampChart(Chart):
    lit = State(initial=True)
    dark = State(final=True)

    blink = lit.to.itself()
    dim = lit.to(dark, unless="stuck")


metadata = MetaData()
keeper = Table("keeper", metadata, Column("id", Identifier, primary_key=True))
lamp_table = Table(
    "lamp",
    metadata,
    Column("id", Identifier, primary_key=True),
    Column("state", Text, nullable=False),
    Column("ends_at", Instant),
    Column("blinks_at", Instant),
    Column("stuck", Boolean),
    Column("broken", Boolean),
    Column("orphan", Boolean),
    Column("keeper_id", ForeignKey(keeper.c.id, deferrable=True, initially="DEFERRED")),
    CheckConstraint("state <> 'dark' OR broken IS NULL", name="broken"),
)
lamp = lamp_table.c
lamps = Workflow(
    lamp_table,
    LampChart,
    guards=[Guard("stuck", lamp.stuck, "it is stuck")],
    assigns=[
        Assign(lamp.blinks_at, lamp.blinks_at, on={"blink"}),
        Assign(lamp.keeper_id, case((lamp.orphan, literal(404))), entering={"dark"}),
    ],
    deadlines=[Deadline("blink", at=lamp.blinks_at), Deadline("dim", at=lamp.ends_at)],
)
LAMPS = Workflows(lamps)


@pytest.fixture
def lit(clock: ManualClock, server: str | None) -> Iterator[Callable[..., Store]]:
    """Lamps with these columns, all of them due after ten days."""
    with ExitStack() as opened:

        def light(*rows: dict[str, Any]) -> Store:
            store = opened.enter_context(temporary_store(Schema("lamps", 1, metadata), clock=clock, server=server))
            with store.transaction() as session:
                for row in rows:
                    session.connection().execute(insert(lamp_table).values({"state": "lit", **row}))
                start(session, lamps, EVERY, actor="ana")
            clock.set(days(10))
            return store

        yield light


def swept(store: Store, *, batch: int = 100, **options: Any) -> Swept:
    return sweep(store, THEATRE, actor="clock", batch=batch, **options)


def aside(session: Session) -> list[tuple[str, int, str, int, datetime]]:
    rows = session.connection().execute(select(set_aside).order_by(set_aside.c.workflow, set_aside.c.row_id))
    return [(row.workflow, row.row_id, row.event, row.attempts, row.retry_at) for row in rows]


def test_what_is_due_moves_in_batches_with_all_that_follows(theatre: Store, clock: ManualClock) -> None:
    with theatre.transaction() as session:
        for each in add_halls(session, *({"ends_at": days(5)} for _ in range(7))):
            add_seats(session, each, "A1", state="taken")
        add_halls(session, {"ends_at": days(99)})
    clock.set(days(5))
    done = swept(theatre, batch=3)
    # Three reminders for each hall come first, as the workflow declares them.
    assert done.moved == {("hall", "remind"): 21, ("hall", "close"): 7, ("seat", "release"): 7}
    assert (done.batches, done.set_aside, done.stopped) == (11, 0, False)
    with theatre.reading() as session:
        assert replay(entries(session)) == states(session, THEATRE)
        assert state_of(session, halls, 8) == "running"
    assert swept(theatre) == Swept()


def test_reminders_come_one_after_the_other(theatre: Store, clock: ManualClock) -> None:
    with theatre.transaction() as session:
        add_halls(session, {"ends_at": days(10)})
    told = []
    for day in range(12):
        clock.set(days(day))
        done = swept(theatre)
        told += [(day, event) for _, event in done.moved]
    assert told == [(3, "remind"), (7, "remind"), (9, "remind"), (10, "close")]


def test_a_long_downtime_is_caught_up_with_and_told_as_it_was(theatre: Store, clock: ManualClock) -> None:
    with theatre.transaction() as session:
        add_halls(session, {"ends_at": days(10)})
    clock.set(days(400))
    swept(theatre)
    with theatre.reading() as session:
        told = [(e.event, e.due_at, e.at) for e in history(session, "hall", 1)[1:]]
    assert told == [
        ("remind", days(3), days(400)),
        ("remind", days(7), days(400)),
        ("remind", days(9), days(400)),
        ("close", days(10), days(400)),
    ]


def test_an_event_between_arms_the_deadline_anew(theatre: Store, clock: ManualClock) -> None:
    with theatre.transaction() as session:
        (hall_id,) = add_halls(session, {"ends_at": days(10)})
        fire(session, halls, "prolong", hall_id, actor="ana", arguments=PROLONG)
    clock.set(days(30))
    assert swept(theatre).moved == {}
    clock.set(days(40))
    assert ("hall", "close") in swept(theatre).moved


def test_a_row_whose_guard_says_no_stays_due_and_stops_nobody(lit: Callable[..., Store]) -> None:
    store = lit(*({"ends_at": days(i), "stuck": i < 5 or None} for i in range(10)))
    assert sweep(store, LAMPS, actor="clock", batch=2).moved == {("lamp", "dim"): 5}
    assert sweep(store, LAMPS, actor="clock", batch=2) == Swept()


def test_a_bad_row_behind_rows_that_stay_due_is_found(lit: Callable[..., Store]) -> None:
    stuck = [{"ends_at": days(1), "stuck": True}] * 5
    store = lit(*stuck, {"ends_at": days(2), "broken": True}, {"ends_at": days(2)})
    done = sweep(store, LAMPS, actor="clock", batch=2)
    assert (done.moved, done.set_aside) == ({("lamp", "dim"): 1}, 1)


def test_a_constraint_that_is_looked_at_in_the_end_is_isolated_too(lit: Callable[..., Store]) -> None:
    store = lit(*({"ends_at": days(1), "orphan": i == 3} for i in range(6)))
    done = sweep(store, LAMPS, actor="clock", batch=10)
    assert (done.moved, done.set_aside) == ({("lamp", "dim"): 5}, 1)
    with store.reading() as session:
        error = session.connection().execute(select(set_aside.c.error)).scalar_one()
        assert error.startswith("cannot dim lamp: the database refused: FOREIGN KEY constraint failed")


def test_a_deadline_that_would_not_get_later_is_disarmed(lit: Callable[..., Store]) -> None:
    store = lit({"blinks_at": days(1)})
    assert sweep(store, LAMPS, actor="clock", batch=1).moved == {("lamp", "blink"): 1}
    with store.reading() as session:
        assert session.connection().execute(select(lamp.blinks_at)).scalar_one() is None


# Bad rows


OBJECTION = {
    "sqlite": [
        """CREATE TRIGGER objection BEFORE UPDATE ON hall WHEN NEW.name = 'cursed'
        BEGIN SELECT RAISE(ABORT, 'not today'); END"""
    ],
    "postgresql": [
        """CREATE FUNCTION objection() RETURNS trigger LANGUAGE plpgsql
        AS $$ BEGIN RAISE EXCEPTION 'not today'; END $$""",
        """CREATE TRIGGER objection BEFORE UPDATE ON hall FOR EACH ROW WHEN (NEW.name = 'cursed')
        EXECUTE FUNCTION objection()""",
    ],
}


def test_a_row_that_a_trigger_objects_to_stops_nobody(theatre: Store, clock: ManualClock) -> None:
    with theatre.transaction() as session:
        add_halls(session, {"name": "cursed", "ends_at": days(1)}, {"ends_at": days(1)})
        session.connection().execute(update(halls.table).values(remind_at=None))
        dialect = session.connection().dialect.name
        for statement in OBJECTION[dialect]:
            session.connection().exec_driver_sql(statement)
    clock.set(days(2))
    try:
        done = swept(theatre)
    finally:
        with theatre.transaction() as session:
            session.connection().exec_driver_sql(
                "DROP TRIGGER objection" if dialect == "sqlite" else "DROP FUNCTION objection CASCADE"
            )
    assert (done.moved, done.set_aside) == ({("hall", "close"): 1}, 1)
    with theatre.reading() as session:
        (error,) = session.connection().execute(select(set_aside.c.error)).scalars()
        assert error == "cannot close hall: the database refused: not today"


def test_one_bad_row_among_a_thousand_stops_nobody(theatre: Store, clock: ManualClock) -> None:
    with theatre.transaction() as session:
        good = [{"name": "", "ends_at": days(1)} for _ in range(999)]
        add_halls(session, *good[:600], {"name": "haunted", "ends_at": days(1)}, *good[600:])
        session.connection().execute(update(halls.table).values(remind_at=None))
    clock.set(days(2))
    done = swept(theatre, batch=1_000)
    assert (done.moved, done.set_aside) == ({("hall", "close"): 999}, 1)
    with theatre.reading() as session:
        assert session.connection().execute(select(hall.id).where(halls.state == "running")).scalars().all() == [
            601
        ]
        assert aside(session) == [("hall", 601, "close", 1, days(2) + timedelta(minutes=1))]
        assert session.connection().execute(select(set_aside.c.error)).scalar_one() == (
            "cannot close hall: the database refused: CHECK constraint failed: ck_hall_haunted"
        )
        assert replay(entries(session)) == states(session, THEATRE)


@pytest.fixture
def haunted(theatre: Store, clock: ManualClock) -> int:
    """A hall that was set aside two days after the beginning, beside one that moved."""
    with theatre.transaction() as session:
        bad, _ = add_halls(session, {"name": "haunted", "ends_at": days(1)}, {"ends_at": days(1)})
        session.connection().execute(update(halls.table).values(remind_at=None))
    clock.set(days(2))
    assert swept(theatre).set_aside == 1
    return bad


def test_a_bad_row_is_tried_again_ever_more_rarely(theatre: Store, clock: ManualClock, haunted: int) -> None:
    waits = []
    for attempts in range(2, 15):
        assert swept(theatre) == Swept()
        with theatre.reading() as session:
            ((*_, retry_at),) = aside(session)
        waits.append(retry_at - clock.now())
        clock.set(retry_at)
        assert swept(theatre).set_aside == 1
        with theatre.reading() as session:
            assert aside(session)[0][3] == attempts
    assert waits[:4] == [timedelta(minutes=2**n) for n in range(4)]
    assert waits[-1] == timedelta(days=1)


def test_a_bad_row_that_is_only_reminded_stays_set_aside(theatre: Store, clock: ManualClock, haunted: int) -> None:
    with theatre.transaction() as session:
        due = update(halls.table).where(halls.id == haunted).values(remind_at=clock.now())
        session.connection().execute(due)
    assert swept(theatre).moved == {("hall", "remind"): 1}
    with theatre.reading() as session:
        assert len(aside(session)) == 1


def test_a_bad_row_that_was_mended_moves_and_is_forgotten(
    theatre: Store, clock: ManualClock, haunted: int
) -> None:
    with theatre.transaction() as session:
        session.connection().execute(update(halls.table).values(name="Globe"))
    assert swept(theatre).moved == {}
    clock.advance(minutes=1)
    assert swept(theatre).moved == {("hall", "close"): 1}
    with theatre.reading() as session:
        assert aside(session) == []


@pytest.mark.parametrize(
    "move",
    [
        lambda session, row: force(session, halls, row, "gone", actor="ana", reason="exorcised"),
        lambda session, row: fire(session, halls, "prolong", row, actor="ana", arguments=PROLONG),
        lambda session, row: fire_all(session, halls, "remove", EVERY, actor="ana"),
    ],
    ids=["by hand", "by another event", "among others"],
)
def test_a_bad_row_that_was_moved_otherwise_is_forgotten_at_once(
    theatre: Store, haunted: int, move: Callable[[Session, int], Any]
) -> None:
    with theatre.transaction() as session:
        move(session, haunted)
        assert aside(session) == []


def test_a_move_that_is_taken_back_forgets_nothing(theatre: Store, haunted: int) -> None:
    with theatre.transaction() as session:
        force(session, halls, haunted, "gone", actor="ana", reason="exorcised")
        session.rollback()
    with theatre.reading() as session:
        assert [row_id for _, row_id, *_ in aside(session)] == [haunted]


def test_a_bad_neighbour_holds_up_only_the_row_that_leads_to_it(theatre: Store, clock: ManualClock) -> None:
    with theatre.transaction() as session:
        bad, good = add_halls(session, {"ends_at": days(1)}, {"ends_at": days(1)})
        session.connection().execute(update(halls.table).values(remind_at=None))
        add_seats(session, bad, "stuck", state="taken", guest="ana")
        add_seats(session, good, "A1", state="taken", guest="bob")
    clock.set(days(2))
    done = swept(theatre)
    assert (done.moved, done.set_aside) == ({("hall", "close"): 1, ("seat", "release"): 1}, 1)
    with theatre.reading() as session:
        assert [state_of(session, halls, each) for each in (bad, good)] == ["running", "closed"]
        assert aside(session)[0][:3] == ("hall", bad, "close")
        error = session.connection().execute(select(set_aside.c.error)).scalar_one()
        assert error == "cannot close hall: the database refused: CHECK constraint failed: ck_seat_stuck"


def test_many_bad_rows_are_all_set_aside(theatre: Store, clock: ManualClock) -> None:
    with theatre.transaction() as session:
        rows = [{"name": "haunted" if i % 3 == 0 else "", "ends_at": days(1)} for i in range(30)]
        add_halls(session, *rows)
        session.connection().execute(update(halls.table).values(remind_at=None))
    clock.set(days(2))
    done = swept(theatre, batch=7)
    assert (done.moved, done.set_aside) == ({("hall", "close"): 20}, 10)
    assert swept(theatre, batch=7) == Swept()


# Stops and pauses


def test_a_sweep_stops_between_two_batches(theatre: Store, clock: ManualClock) -> None:
    with theatre.transaction() as session:
        add_halls(session, *({"ends_at": days(8)} for _ in range(10)))
    clock.set(days(1))
    asked: list[Swept] = []

    def stop() -> bool:
        return len(asked) == 2

    done = swept(theatre, batch=3, stop=stop, progress=asked.append)
    assert (done.stopped, done.batches, done.moved) == (True, 2, {("hall", "remind"): 6})
    assert swept(theatre, batch=3).moved == {("hall", "remind"): 4}


def test_a_sweep_stops_while_it_isolates_bad_rows(theatre: Store, clock: ManualClock) -> None:
    with theatre.transaction() as session:
        add_halls(session, *({"name": "haunted", "ends_at": days(1)} for _ in range(20)))
        session.connection().execute(update(halls.table).values(remind_at=None))
    clock.set(days(2))
    seen: list[int] = []
    done = swept(theatre, stop=lambda: len(seen) == 3, progress=lambda so_far: seen.append(so_far.set_aside))
    assert (done.stopped, done.set_aside) == (True, 3)


def test_others_get_in_between_two_batches(theatre: Store, clock: ManualClock) -> None:
    with theatre.transaction() as session:
        add_halls(session, *({"ends_at": days(8)} for _ in range(10)))
    clock.set(days(1))
    written: list[int] = []

    def write(_: Swept) -> None:
        def other() -> None:
            with theatre.transaction() as session:
                written.extend(insert_rows(session, halls, [{}]))

        thread = threading.Thread(target=other)
        thread.start()
        thread.join()

    swept(theatre, batch=5, progress=write)
    assert len(written) == 2


def test_a_batch_gets_smaller_while_others_have_to_wait_for_its_end(
    theatre: Store, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with theatre.transaction() as session:
        add_halls(session, *({"ends_at": days(8)} for _ in range(800)))
    clock.set(days(1))
    # Each batch takes a twentieth of a second.
    monkeypatch.setattr("statewright.sweep.time.perf_counter", partial(next, count(0, 0.05)))
    totals = [0]
    sweep(
        theatre,
        THEATRE,
        actor="daemon",
        batch=400,
        pause=0.001,
        progress=lambda swept: totals.append(swept.moved["hall", "remind"]),
    )
    batches = [after - before for before, after in pairwise(totals)]
    # On a server nobody waits for rows other than their own.
    assert batches == ([400, 400] if theatre.url.startswith("postgresql") else [400, 200, 100, 100])


@pytest.mark.parametrize("batch", [0, -1])
def test_a_batch_holds_at_least_one_row(theatre: Store, batch: int) -> None:
    for call in (sweep, rehearse):
        with pytest.raises(DefinitionError) as refused:
            call(theatre, THEATRE, actor="clock", batch=batch)
        assert str(refused.value) == f"sweep: expected batch to be a positive whole number, got {batch}"


def test_two_sweeps_at_once_move_everything_once(theatre: Store, clock: ManualClock) -> None:
    with theatre.transaction() as session:
        add_halls(session, *({"ends_at": days(8)} for _ in range(200)))
    clock.set(days(1))
    results: list[Swept] = []
    threads = [threading.Thread(target=lambda: results.append(swept(theatre, batch=10))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(result.moved["hall", "remind"] for result in results) == 200
    with theatre.reading() as session:
        assert (
            session.connection().execute(select(func.count()).where(transition.c.event == "remind")).scalar_one()
            == 200
        )


# Rehearsals


def test_a_rehearsal_says_what_would_happen_and_does_nothing(theatre: Store) -> None:
    with theatre.transaction() as session:
        hall_id, bad = add_halls(session, {"ends_at": days(10)}, {"name": "haunted", "ends_at": days(10)})
        add_seats(session, hall_id, "A1", state="taken")
        before = entries(session)
    done = rehearse(theatre, THEATRE, actor="clock", batch=5, now=days(20))
    assert done.moved == {("hall", "remind"): 6, ("hall", "close"): 1, ("seat", "release"): 1}
    assert done.set_aside == 1
    with theatre.reading() as session:
        assert entries(session) == before
        assert aside(session) == []
        assert state_of(session, halls, bad) == "running"


def test_a_rehearsal_is_for_now_unless_told_otherwise(theatre: Store, clock: ManualClock) -> None:
    with theatre.transaction() as session:
        add_halls(session, {"ends_at": days(10)})
    assert rehearse(theatre, THEATRE, actor="clock", batch=5).moved == {}
    clock.set(days(3))
    assert rehearse(theatre, THEATRE, actor="clock", batch=5).moved == {("hall", "remind"): 1}


# What comes next


def test_the_next_deadline_is_the_earliest_that_is_armed(theatre: Store) -> None:
    with theatre.transaction() as session:
        assert next_due(session, THEATRE) is None
        hall_id, _ = add_halls(session, {"ends_at": days(20)}, {"ends_at": days(30)})
        (seat,) = add_seats(session, hall_id, "A1")
        assert next_due(session, THEATRE) == days(13)
        fire(session, seats, "hold", seat, actor="ana")
        assert next_due(session, THEATRE) == days(1)
        assert next_due(session, THEATRE, after=days(1)) == days(13)


def test_deadlines_are_served_as_they_are_declared() -> None:
    assert [(workflow.name, deadline.event) for workflow, deadline in deadlines(THEATRE)] == [
        *[("hall", "remind"), ("hall", "close"), ("seat", "lapse")],
    ]
