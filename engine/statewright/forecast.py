"""What is coming: how many rows each deadline will move, by day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import Any

from sqlalchemy import BigInteger, Column, ColumnElement, case, cast, func, literal, select
from sqlmodel import Session

from statewright.dialects import DAY, EPOCH, FIRST_INSTANT, Instant, date_of, days_after
from statewright.errors import StatewrightError
from statewright.session import of_a_store
from statewright.statement import Statement, parameter
from statewright.workflow import Deadline, Workflow

FURTHEST = 36_500
"""Nobody plans further ahead than a hundred years, and the calendar ends some time after."""


@dataclass(frozen=True, slots=True)
class Day:
    """A calendar day in UTC, and how many rows have their instant in it."""

    date: date
    rows: int


def forecast(session: Session, workflow: Workflow, deadline: Deadline, *, days: int) -> list[Day]:
    """Today and as many days after it, each with the rows whose deadline is in it, quiet days too.

    Rows that are overdue count for today. What a move will set off, or arm anew, is not foreseen.
    """
    if not 0 <= days <= FURTHEST:
        raise StatewrightError(
            f"cannot forecast {deadline.event}: expected days to be from 0 to {FURTHEST:,}, got {days:,}"
        )
    return by_day(session, workflow.table.c[deadline.at.key], days=days)


def by_day(session: Session, at: Column[Any], *, days: int) -> list[Day]:
    """The same for any column of instants that is looked up by an index."""
    mine = of_a_store(session)
    today = (mine.instant() - EPOCH) // DAY
    due = mine.driver.run(_due(at), {_FIRST.key: today, _LAST.key: today + days})
    return [Day(date_of(day).date(), rows) for day, rows in due.fetchall()]


_FIRST, _LAST = parameter("first_day", BigInteger()), parameter("last_day", BigInteger())


@cache
def _due(at: Column[Any]) -> Statement:
    """The rows of each day, from one day's number to another's; what is earlier counts for the first.

    Each day is a range of the deadline's index, which is counted at a fifth of the time that it takes to find out
    and to group by the day of every row.
    """
    days = select(_FIRST.label("number")).cte("days", recursive=True)
    days = days.union_all(select(days.c.number + 1).where(days.c.number < _LAST))
    day = days.c.number
    since = case((day > _FIRST, _midnight(day)), else_=literal(FIRST_INSTANT, Instant()))
    rows = select(func.count()).where(at >= since, at < _midnight(day + 1)).correlate(days).scalar_subquery()
    return Statement(select(day, rows.label("rows")).order_by(day))


def _midnight(day: ColumnElement[int]) -> ColumnElement[datetime]:
    # Written into a statement, an instant is but a text, and PostgreSQL would take it for what is added to it.
    return days_after(cast(literal(EPOCH, Instant()), Instant()), day)
