"""When ads will stop, worked out from their codes and schedules, beside what they themselves say."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlmodel import Session

from sparkads.spark_ad import AUTHORIZED
from sparkads.tables import AdCode, SparkAd, VideoCode, table


def worked_out(session: Session) -> dict[int, tuple[datetime | None, datetime | None]]:
    """By ad: when it says that it will stop, and when it will."""
    ad, need, code = table(SparkAd).c, table(AdCode).c, table(VideoCode).c
    joined = table(SparkAd).outerjoin(table(AdCode), need.ad_id == ad.id)
    joined = joined.outerjoin(table(VideoCode), code.id == need.code_id)
    chosen = select(ad.id, ad.state, ad.stops_at, ad.end_due_at, code.expire_due_at).select_from(joined)
    said: dict[int, datetime | None] = {}
    ends: dict[int, list[datetime]] = {}
    for row_id, state, stops_at, schedule, authorization in session.connection().execute(chosen):
        said[row_id] = stops_at
        known = ends.setdefault(row_id, [])
        known += [schedule] if schedule and state in ("pending", *AUTHORIZED) else []
        known += [authorization] if authorization and state in AUTHORIZED else []
    return {row_id: (said[row_id], min(known, default=None)) for row_id, known in ends.items()}
