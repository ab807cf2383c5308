"""What is coming to a portfolio: the codes that will end and the ads that will stop, day by day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlalchemy import func, select, union_all
from sqlmodel import Session

from sparkads.spark_ad import AUTHORIZED
from sparkads.tables import AdCode, SparkAd, VideoCode, table
from sparkads.video_code import codes
from statewright.dialects import DAY, EPOCH, date_of, day_number
from statewright.forecast import forecast as rows_due
from statewright.session import instant

_ad, _need, _code = table(SparkAd).c, table(AdCode).c, table(VideoCode).c


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
    expire = next(deadline for deadline in codes.deadlines if deadline.event == "expire")
    ending = rows_due(session, codes, expire, days=days)
    stopping = _stopping(session, days=days)
    today = ending[0].date
    stops: dict[date, int] = {}
    for on, ads in stopping.items():
        day = max(on, today)
        stops[day] = stops.get(day, 0) + ads
    return [Day(day.date, day.rows, stops.get(day.date, 0)) for day in ending]


def _stopping(session: Session, *, days: int) -> dict[date, int]:
    """Ads by the day in which they stop."""
    end = date_of((instant(session) - EPOCH) // DAY + days + 1)
    joined = table(VideoCode).join(table(AdCode), _need.code_id == _code.id)
    joined = joined.join(table(SparkAd), _ad.id == _need.ad_id)
    with_codes = (
        select(_ad.id.label("id"), _code.expire_due_at.label("at"))
        .select_from(joined)
        .where(_code.expire_due_at < end, _ad.state.in_(AUTHORIZED))
    )
    with_schedules = select(_ad.id, _ad.end_due_at).where(_ad.end_due_at < end)
    each = union_all(with_codes, with_schedules).subquery()
    first = select(func.min(each.c.at, type_=_ad.end_due_at.type).label("at")).group_by(each.c.id).subquery()
    day = day_number(first.c.at).label("day")
    counted = select(day, func.count().label("ads")).group_by(day)
    return {date_of(row.day).date(): row.ads for row in session.connection().execute(counted)}
