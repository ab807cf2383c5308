"""What is coming: how many rows each deadline will move, by day."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date

from sqlalchemy import func, select
from sqlmodel import Session

from statewright.dialects import DAY, EPOCH, date_of, day_number
from statewright.errors import StatewrightError
from statewright.session import instant
from statewright.workflow import Deadline, Workflow

FURTHEST = 36_500
"""Nobody plans further ahead than a hundred years, and the calendar ends some time after."""


@dataclass(frozen=True, slots=True)
class Day:
    """A calendar day in UTC, and how many rows have their deadline in it."""

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
    at = workflow.table.c[deadline.at.key]
    today = (instant(session) - EPOCH) // DAY
    end = today + days + 1
    day = day_number(at).label("day")
    counted = select(day, func.count().label("rows")).where(at.is_not(None), at < date_of(end)).group_by(day)
    rows: Counter[int] = Counter()
    for row in session.connection().execute(counted):
        rows[max(row.day, today)] += row.rows
    return [Day(date_of(number).date(), rows[number]) for number in range(today, end)]
