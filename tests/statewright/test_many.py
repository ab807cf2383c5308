"""Many rows at once are the same rows as one by one: in their order, with their defaults, and found again."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import event, select
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session
from tests.statewright.halls import days, halls, seats, ticket

from statewright.dialects import among
from statewright.log import entries
from statewright.many import insert_all, take_stock
from statewright.store import Store
from statewright.transition import start

NAMES = ["Odeon", "Capitol", "Gloria", 'it\'s \\ \t "new"\n', "", "Ünïcode 🎭"]


def stored(session: Session, ids: list[int]) -> list[dict[str, Any]]:
    rows = session.connection().execute(select(halls.table).where(halls.id.in_(ids)).order_by(halls.id))
    return [dict(row) for row in rows.mappings()]


def test_rows_get_ids_in_the_order_in_which_they_are_given(theatre: Store) -> None:
    with theatre.transaction() as session:
        first = insert_all(session, halls.table, {"name": NAMES})
        second = insert_all(session, halls.table, {"name": NAMES[::-1]})
        assert [row["name"] for row in stored(session, first)] == NAMES
        assert [row["name"] for row in stored(session, second)] == NAMES[::-1]
    assert first + second == sorted(first + second)


def test_values_are_kept_as_they_are_and_what_is_not_given_has_its_default(theatre: Store) -> None:
    ends = [datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC), None]
    with theatre.transaction() as session:
        ids = insert_all(session, halls.table, {"ends_at": ends, "gratis": [True, False], "note": ["x", None]})
        one, other = stored(session, ids)
    assert (one["ends_at"], one["gratis"], one["note"]) == (ends[0], True, "x")
    assert (other["ends_at"], other["gratis"], other["note"]) == (None, False, None)
    assert (one["state"], one["capacity"], one["name"]) == ("planned", 400, "")


@pytest.mark.parametrize("count", [0, 1, 2, 1001])
def test_there_may_be_any_number_of_them(theatre: Store, count: int) -> None:
    with theatre.transaction() as session:
        ids = insert_all(session, ticket, {"price": range(count)})
        assert session.connection().execute(select(ticket.c.price).order_by(ticket.c.id)).scalars().all() == [
            *range(count)
        ]
    assert len(set(ids)) == count


def test_an_id_is_not_given_to_the_row_that_is_inserted_next(theatre: Store) -> None:
    with theatre.transaction() as session:
        ids = insert_all(session, halls.table, {"name": NAMES})
        session.connection().execute(halls.table.insert().values(name="later"))
        found = session.connection().execute(select(halls.id).where(halls.table.c.name == "later")).scalar_one()
    assert found > max(ids)


@pytest.mark.parametrize("count", [1, 3])
def test_a_row_that_the_database_refuses_is_an_error_like_any_other(theatre: Store, count: int) -> None:
    with theatre.transaction() as session, pytest.raises(IntegrityError):
        insert_all(session, seats.table, {"hall_id": [77] * count})


def test_many_rows_are_named_in_one_parameter(theatre: Store) -> None:
    with theatre.transaction() as session:
        ids = insert_all(session, halls.table, {"name": NAMES})
        parameters: list[Any] = []
        event.listen(session.connection(), "before_cursor_execute", lambda *what: parameters.append(what[3]))
        start(session, halls, among(halls.id, ids[1:]), actor="ana")
        assert [entry.row_id for entry in entries(session)] == ids[1:]
        found = session.connection().execute(select(halls.id).where(among(halls.table.c.name, NAMES[2:4])))
        assert found.scalars().all() == ids[2:4]
        assert len(parameters[-1]) == 1
        by_name = select(halls.id).where(among(halls.table.c.name, "wanted"))
        assert session.connection().execute(by_name, {"wanted": ["Odeon", "nowhere"]}).scalars().all() == ids[:1]
        assert session.connection().execute(by_name, {"wanted": []}).scalars().all() == []


def test_what_many_rows_were_put_in_is_made_known_to_the_planner(theatre: Store) -> None:
    with theatre.transaction() as session:
        insert_all(session, halls.table, {"name": NAMES, "ends_at": [days(1)] * len(NAMES)})
        take_stock(session, halls.table.metadata)
    if theatre.url.startswith("postgresql"):
        with theatre.reading() as session:
            known = "SELECT reltuples::int FROM pg_class WHERE oid = 'hall'::regclass"
            assert session.connection().exec_driver_sql(known).scalar_one() == len(NAMES)
