"""Lives that are begun many at once are like those of rows that were inserted and started: rows, log, refusals."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select
from sqlmodel import Session
from tests.statewright.halls import add_halls, days, halls, insert_rows, seats, tickets

from statewright.errors import Conflict
from statewright.explain import refused_to_begin
from statewright.log import entries
from statewright.many import draw_ids
from statewright.session import instant
from statewright.staging import begin_all
from statewright.store import Store
from statewright.transition import start
from statewright.workflow import Workflow

NAMES = ["Odeon", "Capitol", 'it\'s \\ \t "new"\n,{}', "", "NULL", "Ünïcode 🎭"]


def begun(
    session: Session,
    workflow: Workflow,
    states: list[str],
    reasons: list[str | None] | None = None,
    **columns: Any,
) -> tuple[list[int], list[int]]:
    """The ids of the rows, and of those that may not begin."""
    ids = draw_ids(session, workflow.table, len(states))
    nothing: list[str | None] = [None] * len(states)
    columns = {"id": ids, **columns}
    return ids, begin_all(session, workflow, columns, states=states, reasons=reasons or nothing, actor="ana")


def stored(session: Session, workflow: Workflow, ids: list[int]) -> list[dict[str, Any]]:
    rows = session.connection().execute(select(workflow.table).where(workflow.id.in_(ids)).order_by(workflow.id))
    return [{name: value for name, value in row.items() if name != "id"} for row in rows.mappings()]


@pytest.mark.parametrize("state", ["planned", "running", "closed", "gone"])
def test_they_are_the_same_rows_with_the_same_log(theatre: Store, state: str) -> None:
    """With what is written as a state is entered, and the defaults of what is not given."""
    ends = [days(10), None, datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC), days(1), days(2), days(30)]
    with theatre.transaction() as session:
        ids, refused = begun(session, halls, [state] * 6, name=NAMES, ends_at=ends, gratis=[True, False] * 3)
        facts = [
            {"name": name, "ends_at": end, "gratis": gratis}
            for name, end, gratis in zip(NAMES, ends, [True, False] * 3, strict=True)
        ]
        others = insert_rows(session, halls, facts)
        start(session, halls, halls.id.in_(others), actor="ana", target=state)
        assert refused == []
        assert stored(session, halls, ids) == stored(session, halls, others)
        logged = entries(session)
    ours, theirs = ([entry for entry in logged if entry.row_id in some] for some in (ids, others))
    assert [entry.row_id for entry in ours] == ids
    names = (
        "workflow",
        "event",
        "source",
        "target",
        "at",
        "due_at",
        "actor",
        "reason",
        "chart",
        "payload",
        "cause",
    )
    for name in names:
        assert [getattr(entry, name) for entry in ours] == [getattr(entry, name) for entry in theirs]
    assert len({entry.batch for entry in ours}) == 1


def test_each_has_a_state_and_a_reason_of_its_own(theatre: Store) -> None:
    states, reasons = ["running", "planned", "running", "closed"], ["a gift", None, None, "rain"]
    with theatre.transaction() as session:
        ids, refused = begun(session, halls, states, reasons, name=["a", "b", "c", "d"])
        rows = stored(session, halls, ids)
        told = {entry.row_id: (entry.target, entry.reason) for entry in entries(session)}
    assert refused == []
    assert [(row["name"], row["state"]) for row in rows] == [*zip("abcd", states, strict=True)]
    assert [told[row_id] for row_id in ids] == [*zip(states, reasons, strict=True)]


@pytest.mark.parametrize("states", [[], ["free"], ["taken"] * 2_001])
def test_there_may_be_any_number_of_them(theatre: Store, states: list[str]) -> None:
    with theatre.transaction() as session:
        (hall,) = add_halls(session, {})
        ids, refused = begun(session, seats, states, hall_id=[hall] * len(states))
        assert refused == []
        assert [row["state"] for row in stored(session, seats, ids)] == states


def test_those_that_a_guard_keeps_from_it_are_in_their_table_and_not_in_the_log(theatre: Store) -> None:
    with theatre.transaction() as session:
        states = ["paid", "paid", "draft", "paid"]
        ids, refused = begun(session, tickets, states, price=[10, 0, 0, None])
        assert refused == [ids[1], ids[3]]
        assert [row["state"] for row in stored(session, tickets, ids)] == ["paid", "draft", "draft", "draft"]
        assert [entry.row_id for entry in entries(session)] == [ids[0], ids[2]]
        why = refused_to_begin(session, tickets, refused, "paid", now=instant(session))
        assert {row_id: [each.sentence for each in some] for row_id, some in why.items()} == {
            ids[1]: ["it has no price"],
            ids[3]: ["it has no price"],
        }


def test_another_chunk_may_follow_in_the_same_transaction(theatre: Store) -> None:
    with theatre.transaction() as session:
        first, _ = begun(session, tickets, ["paid"] * 3, price=[1, 0, 2])
        second, refused = begun(session, tickets, ["paid"] * 2, price=[3, 4])
        assert refused == []
        assert [row["price"] for row in stored(session, tickets, first + second)] == [1, 0, 2, 3, 4]


def test_an_attempt_that_is_taken_back_leaves_nothing(theatre: Store) -> None:
    with theatre.transaction() as session:
        with session.begin_nested() as attempt:
            begun(session, tickets, ["paid"], price=[1])
            attempt.rollback()
        ids, _ = begun(session, tickets, ["paid"], price=[2])
        assert [row["price"] for row in stored(session, tickets, ids)] == [2]
        assert len(entries(session)) == 1


def test_what_the_database_refuses_is_a_conflict_that_says_so(theatre: Store) -> None:
    with theatre.transaction() as session, pytest.raises(Conflict) as refused:
        begun(session, seats, ["free"], hall_id=[77])
    assert refused.value.sentence.startswith("cannot start seat: the database refused: ")
