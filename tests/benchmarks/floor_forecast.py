"""The floor of a forecast: hand-written SQL that counts what is due in each day, a range of an index for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta

import psycopg
from tests.benchmarks.fill import microseconds
from tests.benchmarks.floor_sqlite import connected
from tests.benchmarks.places import as_conninfo

DUE = {"video_code": "expire_due_at", "spark_ad": "stops_at"}
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)

_ONE_DAY = "SELECT count(*) FROM {table} WHERE {at} >= ? AND {at} < ?"
_ALL_DAYS = """
    SELECT ordinality, (SELECT count(*) FROM {table} WHERE {at} >= since AND {at} < until)
    FROM unnest(%s::timestamptz[], %s::timestamptz[]) WITH ORDINALITY AS day (since, until, ordinality)
"""


@contextmanager
def forecasting_by_hand(url: str) -> Iterator[Callable[[int], list[list[int]]]]:
    """What tells, for so many days from today on, how many codes and how many ads end in each."""
    if url.startswith("sqlite"):
        with closing(connected(url)) as file:

            def one_by_one(days: int) -> list[list[int]]:
                ranges = [(microseconds(since), microseconds(until)) for since, until in _ranges(days)]
                said = [_ONE_DAY.format(table=table, at=at) for table, at in DUE.items()]
                return [[file.execute(words, each).fetchone()[0] for each in ranges] for words in said]

            yield one_by_one
        return
    with psycopg.connect(as_conninfo(url), autocommit=True) as server:

        def together(days: int) -> list[list[int]]:
            ranges = [*map(list, zip(*_ranges(days), strict=True))]
            said = [_ALL_DAYS.format(table=table, at=at).encode() for table, at in DUE.items()]
            return [[count for _, count in server.execute(words, ranges).fetchall()] for words in said]

        yield together


def _ranges(days: int) -> list[tuple[datetime, datetime]]:
    """Each day's beginning and end; what is overdue counts for the first."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    begin = [LONG_AGO, *(today + timedelta(days=day) for day in range(1, days + 1))]
    return [(since, today + timedelta(days=day + 1)) for day, since in enumerate(begin)]
