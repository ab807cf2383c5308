"""On a server the log is kept by month: each part is made before its rows come, and is as closed as the whole."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, event, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from tests.statewright.halls import THEATRE, add_halls, days
from tests.statewright.months import MONTHS, somebody_who_may_only_add

from statewright import dialects
from statewright.log import entries, history
from statewright.step import tick
from statewright.store import Store
from statewright.testing import ManualClock


@pytest.fixture
def theatre(theatre_on_a_server: Store) -> Store:
    return theatre_on_a_server


@pytest.fixture
def role(theatre: Store) -> Iterator[str]:
    with somebody_who_may_only_add(theatre) as found:
        yield found


def parts(connection: Connection) -> list[str]:
    return [part.name.removeprefix("transition_") for part in connection.execute(MONTHS)]


def parts_of(store: Store) -> list[str]:
    with store.reading() as session:
        return parts(session.connection())


def test_a_new_log_has_parts_for_this_month_and_the_two_after_it(theatre: Store) -> None:
    with theatre.reading() as session:
        assert session.connection().execute(MONTHS).all() == [
            ("transition_default", "DEFAULT"),
            ("transition_2026_01", "FOR VALUES FROM (MINVALUE) TO ('2026-02-01 00:00:00+00')"),
            (
                "transition_2026_02",
                "FOR VALUES FROM ('2026-02-01 00:00:00+00') TO ('2026-03-01 00:00:00+00')",
            ),
            (
                "transition_2026_03",
                "FOR VALUES FROM ('2026-03-01 00:00:00+00') TO ('2026-04-01 00:00:00+00')",
            ),
        ]
    assert theatre.drift() == []


def test_a_tick_makes_the_parts_that_are_to_come(theatre: Store, clock: ManualClock) -> None:
    clock.set(days(31))
    tick(theatre, THEATRE, pause=0)
    assert parts_of(theatre) == ["default", "2026_01", "2026_02", "2026_03", "2026_04"]
    assert theatre.drift() == []


def test_a_daemon_looks_for_them_once_a_day(theatre: Store, clock: ManualClock) -> None:
    looks: list[str] = []

    def remember(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        looks.extend(["look"] if "to_regclass" in statement else [])

    event.listen(theatre._engine, "before_cursor_execute", remember)
    for hour in range(48):
        clock.set(days(1 + hour / 24))
        tick(theatre, THEATRE, pause=0)
    assert len(looks) == 2


def test_after_a_long_silence_one_part_fills_the_gap(theatre: Store, clock: ManualClock) -> None:
    clock.set(days(365))
    theatre.keep_ahead(clock.now())
    with theatre.reading() as session:
        bounds = {part.name: part.bounds for part in session.connection().execute(MONTHS)}
    assert list(bounds)[-3:] == ["transition_2027_01", "transition_2027_02", "transition_2027_03"]
    assert bounds["transition_2027_01"] == (
        "FOR VALUES FROM ('2026-04-01 00:00:00+00') TO ('2027-02-01 00:00:00+00')"
    )


def test_a_row_without_a_part_is_kept_and_its_month_is_left_where_it_is(
    theatre: Store, clock: ManualClock
) -> None:
    clock.set(days(120))
    with theatre.transaction() as session:
        (hall,) = add_halls(session, {})
        assert session.connection().execute(text("SELECT count(*) FROM transition_default")).scalar_one() == 1
    theatre.keep_ahead(clock.now())
    assert parts_of(theatre) == ["default", "2026_01", "2026_02", "2026_03", "2026_06", "2026_07"]
    with theatre.reading() as session:
        assert [entry.at for entry in history(session, "hall", hall)] == [days(120)]


@pytest.mark.parametrize("part", ["transition", "transition_default", "transition_2026_01", "transition_2026_03"])
@pytest.mark.parametrize("statement", ["TRUNCATE {}", "DELETE FROM {}", "UPDATE {} SET actor = 'nobody'"])
def test_no_sql_changes_or_empties_a_part(theatre: Store, clock: ManualClock, part: str, statement: str) -> None:
    for number in (0, 70, 200):
        clock.set(days(number))
        with theatre.transaction() as session:
            add_halls(session, {})
    with theatre.transaction() as session:
        with pytest.raises(IntegrityError, match="the transition log is append-only"), session.begin_nested():
            session.connection().execute(text(statement.format(part)))
        assert session.connection().execute(text("SELECT count(*) FROM transition")).scalar_one() == 3


def test_the_order_of_the_log_is_the_same_across_months(theatre: Store, clock: ManualClock) -> None:
    with theatre.transaction() as session:
        for _ in range(4):
            add_halls(session, {})
            clock.advance(days=20)
        assert [entry.row_id for entry in entries(session)] == [1, 2, 3, 4]
        where = session.connection().execute(text("SELECT tableoid::regclass::text FROM transition ORDER BY id"))
        assert where.scalars().all() == [f"transition_2026_{month:02}" for month in (1, 1, 2, 3)]


def test_who_may_only_add_rows_has_the_parts_made(theatre: Store, role: str) -> None:
    with theatre.transaction() as session:
        connection = session.connection()
        connection.execute(text(f"GRANT EXECUTE ON FUNCTION transition_ahead TO {role}"))
        connection.execute(text(f"SET LOCAL ROLE {role}"))
        dialects.of(connection).keep_ahead(connection, "transition", days(31))
        assert parts(connection)[-1] == "2026_04"
        with pytest.raises(DBAPIError, match="permission denied"), session.begin_nested():
            connection.execute(text("SELECT * FROM transition_2026_04"))


def test_who_may_not_have_them_made_goes_on_without(theatre: Store, role: str) -> None:
    with theatre.transaction() as session:
        connection = session.connection()
        connection.execute(text(f"SET LOCAL ROLE {role}"))
        dialects.of(connection).keep_ahead(connection, "transition", days(31))
        assert parts(connection)[-1] == "2026_03"


def test_the_log_is_not_held_up_for_them(theatre: Store, clock: ManualClock) -> None:
    clock.set(days(31))
    with theatre.transaction() as session:
        session.connection().execute(text("LOCK TABLE transition IN SHARE MODE"))
        theatre.keep_ahead(clock.now())
    assert parts_of(theatre)[-1] == "2026_03"
    clock.set(days(32))
    theatre.keep_ahead(clock.now())
    assert parts_of(theatre)[-1] == "2026_04"


def test_parts_that_hold_nothing_any_more_are_removed(theatre: Store, clock: ManualClock) -> None:
    clock.set(days(40))
    with theatre.transaction() as session:
        add_halls(session, {})
        connection = session.connection()
        remove = dialects.of(connection).drop_empty
        assert remove(connection, "transition", days(30)) == []
        assert remove(connection, "transition", days(70)) == ["transition_2026_01"]
        assert parts(connection) == ["default", "2026_02", "2026_03"]
