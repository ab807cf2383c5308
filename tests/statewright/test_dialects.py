"""What the databases say differently means the same on each of them, and exactly what it says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Column, Integer, MetaData, Table, create_engine, func, literal, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import IntegrityError, StatementError

from statewright.dialects import (
    DAY,
    EPOCH,
    FIRST_INSTANT,
    LAST_INSTANT,
    Forbid,
    Instant,
    date_of,
    days_after,
    days_between,
    earliest,
    latest,
    sqlite,
)

ENGINE = create_engine("sqlite://")
NOON = datetime(2026, 3, 29, 12, tzinfo=UTC)

instants = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@pytest.fixture(scope="module", autouse=True)
def nothing_left_open() -> Any:
    yield
    ENGINE.dispose()


def answer(expression: Any) -> Any:
    with ENGINE.connect() as connection:
        return connection.execute(select(expression)).scalar_one()


def at(value: datetime | None) -> Any:
    return literal(value, Instant())


# Instants


@given(instants)
def test_an_instant_is_exact_to_the_microsecond(value: datetime) -> None:
    found = answer(at(value))
    assert (found, found.tzinfo) == (value, UTC)


def test_an_instant_is_the_same_in_every_zone() -> None:
    elsewhere = NOON.astimezone(timezone(timedelta(hours=-7)))
    assert answer(at(elsewhere)) == NOON
    assert answer(at(elsewhere) == at(NOON)) == 1


@pytest.mark.parametrize("value", [FIRST_INSTANT, LAST_INSTANT, EPOCH, EPOCH - timedelta(microseconds=1)])
def test_the_ends_of_the_calendar_are_instants(value: datetime) -> None:
    assert answer(at(value)) == value


def test_no_instant_is_none() -> None:
    assert answer(at(None)) is None


def test_an_instant_without_a_zone_is_refused() -> None:
    with pytest.raises(StatementError, match="expected an instant with a time zone, got 2026-03-29T12:00:00"):
        answer(at(NOON.replace(tzinfo=None)))


@pytest.mark.parametrize("value", [timedelta(days=1), "2026-03-29", 5])
def test_what_is_no_instant_is_refused(value: Any) -> None:
    with pytest.raises(StatementError, match=r"expected an instant, got a \w+; days_after"):
        answer(at(value))
    # A span is not added to an instant: SQLite would add apples to pears without a word.
    with pytest.raises(StatementError, match="expected an instant"):
        answer(at(NOON) - timedelta(days=1))


# Days


@given(instants, st.integers(-3000, 3000))
def test_days_are_24_hours_each(value: datetime, days: int) -> None:
    assert answer(days_after(at(value), days)) == value + timedelta(days=days)


def test_days_may_be_calculated() -> None:
    number = literal(3, Integer)
    assert answer(days_after(at(NOON), number + 1)) == NOON + timedelta(days=4)
    assert answer(days_after(at(NOON), -number)) == NOON - timedelta(days=3)
    assert answer(days_after(days_after(at(NOON), 1), 2 - number)) == NOON
    assert answer(days_after(func.coalesce(at(None), at(NOON)), 1)) == NOON + DAY


@given(instants, instants)
def test_days_between_are_full_days(one: datetime, other: datetime) -> None:
    assert answer(days_between(at(one), at(other))) == int((other - one) / DAY)
    assert answer(days_between(at(one), at(other))) == -answer(days_between(at(other), at(one)))


@given(instants)
def test_a_number_of_days_since_1970_is_a_date(value: datetime) -> None:
    number = (value - EPOCH) // DAY
    assert date_of(number) <= value < date_of(number + 1)
    assert date_of(number).date() == value.date()


def test_the_earliest_and_the_latest_of_several() -> None:
    later = NOON + DAY
    assert answer(earliest(at(later), at(NOON), at(later))) == NOON
    assert answer(latest(at(NOON), at(later))) == later
    assert answer(earliest(at(NOON))) == NOON


def test_one_value_is_not_taken_for_a_column_of_them() -> None:
    table = Table("moment", MetaData(), Column("id", Integer, primary_key=True), Column("at", Instant))
    assert "min" not in str(select(earliest(table.c.at)).compile(ENGINE))


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        (days_after(at(NOON), 2), "interval '24 hours'"),
        (days_between(at(NOON), at(NOON)), "trunc(extract(epoch from"),
        (earliest(at(NOON), at(NOON)), "least("),
        (latest(at(NOON), at(NOON)), "greatest("),
    ],
    ids=["days_after", "days_between", "earliest", "latest"],
)
def test_another_database_says_it_its_own_way(expression: Any, said: str) -> None:
    assert said in str(select(expression).compile(dialect=postgresql.dialect()))


# Rules in the database


def forbidding() -> Table:
    table = Table("door", MetaData(), Column("id", Integer, primary_key=True), Column("width", Integer))
    Forbid(
        name="door_is_never_narrowed",
        before="UPDATE",
        when="NEW.width < OLD.width * 100 / 100",
        message="a door's width is 100% final",
    ).attach(table)
    return table


def test_a_forbidden_change_is_refused_with_its_message() -> None:
    table = forbidding()
    with ENGINE.connect() as connection:
        table.metadata.create_all(connection)
        connection.execute(table.insert(), {"id": 1, "width": 90})
        connection.execute(table.update().values(width=91))
        with pytest.raises(IntegrityError, match="a door's width is 100% final"):
            connection.execute(table.update().values(width=80))


def test_making_tables_again_does_no_harm() -> None:
    table = forbidding()
    with ENGINE.connect() as connection:
        table.metadata.create_all(connection)
        table.metadata.create_all(connection)


def test_the_expected_schema_is_what_a_new_database_has() -> None:
    assert list(sqlite.expected_schema(ENGINE, [forbidding().metadata])) == ["door", "door_is_never_narrowed"]
