"""What is coming is counted by day, before it comes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Column, MetaData, Table, Text, insert, true
from statemachine import State

from statewright.chart import Chart
from statewright.dialects import Identifier, Instant
from statewright.errors import StatewrightError
from statewright.forecast import Day, forecast
from statewright.store import Schema, Store
from statewright.testing import temporary_store
from statewright.transition import start
from statewright.workflow import Deadline, Workflow
from statewright.workflows import Workflows

NOON = datetime(2026, 2, 27, 12, tzinfo=UTC)

metadata = MetaData()
video = Table(
    "video",
    metadata,
    Column("id", Identifier, primary_key=True),
    Column("state", Text, nullable=False, default="live"),
    Column("ends_at", Instant),
)


class VideoChart(Chart):
    live = State(initial=True)
    expired = State(final=True)
    expire = live.to(expired)


videos = Workflow(video, VideoChart, deadlines=[Deadline("expire", at=video.c.ends_at)])
Workflows(videos)
(expire,) = videos.deadlines


class Stopped:
    def now(self) -> datetime:
        return NOON


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    opened = Store(url, schema=Schema("videos", 1, metadata), clock=Stopped())
    yield opened
    opened.close()


def begin(store: Store, *ends: datetime | None) -> None:
    with store.transaction() as session:
        session.connection().execute(insert(video), [{"ends_at": each} for each in ends])
        start(session, videos, true(), actor="ana")


def coming(store: Store, *, days: int) -> list[Day]:
    with store.reading() as session:
        return forecast(session, videos, expire, days=days)


def test_every_day_is_told_the_quiet_ones_too(store: Store) -> None:
    begin(store, NOON + timedelta(days=1), NOON + timedelta(days=1, hours=3), NOON + timedelta(days=3))

    assert coming(store, days=3) == [
        Day(date(2026, 2, 27), 0),
        Day(date(2026, 2, 28), 2),
        Day(date(2026, 3, 1), 0),
        Day(date(2026, 3, 2), 1),
    ]


def test_a_day_goes_from_midnight_to_midnight_in_utc(store: Store) -> None:
    midnight = datetime(2026, 2, 28, tzinfo=UTC)
    begin(store, midnight - timedelta(microseconds=1), midnight)

    assert coming(store, days=1) == [Day(date(2026, 2, 27), 1), Day(date(2026, 2, 28), 1)]


def test_the_last_day_is_told_whole_and_no_more(store: Store) -> None:
    after = datetime(2026, 3, 1, tzinfo=UTC)
    begin(store, after - timedelta(microseconds=1), after)

    assert coming(store, days=1)[-1] == Day(date(2026, 2, 28), 1)


def test_what_is_overdue_counts_for_today(store: Store) -> None:
    begin(store, NOON - timedelta(hours=1), NOON - timedelta(days=400), datetime(1969, 1, 1, tzinfo=UTC))

    assert coming(store, days=0) == [Day(date(2026, 2, 27), 3)]


def test_what_has_no_deadline_is_not_counted(store: Store) -> None:
    begin(store, None, None)

    assert [day.rows for day in coming(store, days=7)] == [0] * 8


def test_an_empty_table_has_quiet_days(store: Store) -> None:
    assert [day.rows for day in coming(store, days=30)] == [0] * 31


@pytest.mark.parametrize("days", [-1, 36_501])
def test_a_span_that_no_calendar_has_is_refused(store: Store, days: int) -> None:
    with pytest.raises(
        StatewrightError, match="cannot forecast expire: expected days to be from 0 to 36,500, got"
    ):
        coming(store, days=days)


def test_the_index_of_the_deadline_answers_without_a_look_at_the_table() -> None:
    schema = Schema("videos", 1, metadata)
    with temporary_store(schema, clock=Stopped()) as store, store.reading() as session:
        connection = session.connection()
        asked: list[str] = []
        file: Any = connection.connection.driver_connection
        file.set_trace_callback(asked.append)
        forecast(session, videos, expire, days=30)
        file.set_trace_callback(None)
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {asked[0]}").all()

    looks = [row.detail for row in plan if "video" in row.detail]
    assert looks == ["SEARCH video USING COVERING INDEX ix_video_ends_at (ends_at>? AND ends_at<?)"]
