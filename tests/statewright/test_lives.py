"""Random lives: whatever happens, the log tells exactly what is, and every move was one of the chart's."""

from __future__ import annotations

from typing import Any, ClassVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import select
from tests.statewright.halls import (
    EVERY,
    PROLONG,
    SCHEMA,
    THEATRE,
    add_halls,
    add_seats,
    add_ticket,
    days,
    halls,
    seats,
    ticket,
    tickets,
)

from statewright.errors import Conflict, EventNotPossible, GuardRefused, UnknownRow
from statewright.log import entries
from statewright.sweep import sweep
from statewright.testing import ManualClock, replay, states, temporary_store
from statewright.transition import fire, fire_all, force
from statewright.workflow import Workflow


class RandomLives(RuleBasedStateMachine):
    """Whatever happens, the log tells exactly what is, and every move was one of the chart's."""

    server: ClassVar[str | None] = None

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        self.opened = temporary_store(SCHEMA, clock=self.clock, server=self.server)
        self.store = self.opened.__enter__()
        with self.store.transaction() as session:
            house, _ = add_halls(session, {}, {"name": "haunted"})
            add_halls(session, {"house_id": house, "ends_at": days(3)})
            for hall in (1, 2, 3):
                for seat in add_seats(session, hall, "A1", "A2"):
                    add_ticket(session, seat, price=5)

    def teardown(self) -> None:
        self.opened.__exit__(None, None, None)

    rows = st.integers(1, 7)

    @rule(
        event=st.sampled_from(["launch", "prolong", "remind", "close", "remove"]),
        row=st.integers(1, 4),
        length=st.integers(0, 500),
    )
    def a_hall(self, event: str, row: int, length: int) -> None:
        arguments = {**PROLONG, "days": length} if event == "prolong" else {}
        self.attempt(halls, event, row, arguments)

    @rule(event=st.sampled_from(["hold", "lapse", "take", "release", "smash"]), row=rows)
    def a_seat(self, event: str, row: int) -> None:
        self.attempt(seats, event, row, {})

    @rule(event=st.sampled_from(["pay", "lose_seat", "cancel"]), row=rows)
    def a_ticket(self, event: str, row: int) -> None:
        self.attempt(tickets, event, row, {})

    @rule(event=st.sampled_from(["hold", "take", "release"]))
    def every_seat(self, event: str) -> None:
        with self.store.transaction() as session:
            fire_all(session, seats, event, EVERY, actor="many")

    @rule(state=st.sampled_from(halls.decisions.states), row=st.integers(1, 4))
    def by_hand(self, state: str, row: int) -> None:
        try:
            with self.store.transaction() as session:
                force(session, halls, row, state, actor="hand", reason="chance")
        except (Conflict, UnknownRow):
            pass

    @rule(number=st.floats(0, 20))
    def time_passes(self, number: float) -> None:
        self.clock.advance(days=number)
        sweep(self.store, THEATRE, actor="clock", batch=2)

    def attempt(self, workflow: Workflow, event: str, row: int, arguments: dict[str, Any]) -> None:
        try:
            with self.store.transaction() as session:
                fire(session, workflow, event, row, actor="chance", arguments=arguments)
        except (Conflict, EventNotPossible, GuardRefused, UnknownRow):
            pass

    @invariant()
    def the_log_replays_to_the_present(self) -> None:
        with self.store.reading() as session:
            assert replay(entries(session)) == states(session, THEATRE)

    @invariant()
    def every_move_was_one_of_the_charts(self) -> None:
        with self.store.reading() as session:
            for entry in entries(session):
                assert (entry.source, entry.target) in THEATRE[entry.workflow].moves(entry.event)

    @invariant()
    def nothing_is_armed_where_it_cannot_come(self) -> None:
        with self.store.reading() as session:
            for workflow in THEATRE.values():
                for deadline in workflow.deadlines:
                    accepting = workflow.decisions.sources(deadline.event)
                    armed = select(workflow.id).where(deadline.at.is_not(None), workflow.state.not_in(accepting))
                    assert session.connection().execute(armed).all() == []

    @invariant()
    def no_ticket_is_paid_without_its_seats(self) -> None:
        with self.store.reading() as session:
            lost = tickets.guards["seated"].holds
            paid = select(ticket.c.id).where(ticket.c.state == "paid", ~lost)
            assert session.connection().execute(paid).all() == []


def test_whatever_happens_the_log_tells_exactly_what_is(server):
    RandomLives.server = server
    run_state_machine_as_test(RandomLives, settings=settings(max_examples=20, stateful_step_count=25))
