"""What is coming to a portfolio: the codes that will end and the ads that will stop, day by day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlmodel import Session

from sparkads.tables import SparkAd, table
from sparkads.video_code import codes
from statewright.forecast import by_day
from statewright.forecast import forecast as rows_due


@dataclass(frozen=True, slots=True)
class Day:
    """A calendar day in UTC: how many codes end in it, and how many ads stop for whatever reason."""

    date: date
    codes: int
    ads: int


def forecast(session: Session, *, days: int) -> list[Day]:
    """Today and as many days after it, quiet ones too; what is overdue counts for today.

    An ad stops with the first of its codes or with its schedule, whichever comes first, and counts once.
    Raises StatewrightError for days that nobody plans ahead.
    """
    (expire,) = codes.deadlines_of("expire")
    ending = rows_due(session, codes, expire, days=days)
    stopping = by_day(session, table(SparkAd).c.stops_at, days=days)
    return [Day(each.date, each.rows, ads.rows) for each, ads in zip(ending, stopping, strict=True)]
