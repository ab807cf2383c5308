"""How the daemons are doing can be told from the database alone."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import CheckConstraint, Column, MetaData, Table, Text, insert, true
from sqlmodel import Session
from statemachine import State

from statewright.chart import Chart
from statewright.daemon import tick
from statewright.dialects import Identifier, Instant
from statewright.log import Entry
from statewright.status import Beat, SetAside, Status, Subscription, Timetable, Undelivered, status
from statewright.store import Schema, Store
from statewright.subscriber import Subscriber
from statewright.testing import ManualClock
from statewright.transition import start
from statewright.workflow import Deadline, Workflow
from statewright.workflows import Workflows

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)

metadata = MetaData()
video = Table(
    "video",
    metadata,
    Column("id", Identifier, primary_key=True),
    Column("state", Text, nullable=False, default="live"),
    Column("ends_at", Instant),
    CheckConstraint("id <> 13 OR state = 'live'", name="unlucky"),
)


class VideoChart(Chart):
    live = State(initial=True)
    expired = State(final=True)
    expire = live.to(expired)


videos = Workflow(video, VideoChart, deadlines=[Deadline("expire", at=video.c.ends_at)])
workflows = Workflows(videos)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON)


@pytest.fixture
def store(url: str, clock: ManualClock) -> Iterator[Store]:
    opened = Store(url, schema=Schema("videos", 1, metadata), clock=clock)
    yield opened
    opened.close()


def begin(store: Store, ends: dict[int, datetime]) -> None:
    with store.transaction() as session:
        rows = [{"id": each, "ends_at": at} for each, at in ends.items()]
        session.connection().execute(insert(video), rows)
        start(session, videos, true(), actor="ana")


def told(store: Store) -> Status:
    with store.reading() as session:
        return status(session, workflows)


def fail(batch: Sequence[Entry], session: Session) -> None:
    raise ValueError("no route to webhook")


def test_where_no_daemon_ever_ran_there_is_no_last_tick(store: Store) -> None:
    now = told(store)

    assert now.last_tick is None
    assert now.daemons == ()
    assert now.deadlines == (Timetable("video", "expire", 0, None, timedelta(), None),)


def test_each_daemon_says_when_it_last_ticked_and_what_it_moved(store: Store, clock: ManualClock) -> None:
    begin(store, {1: NOON, 2: NOON})
    tick(store, workflows, name="east")
    clock.advance(minutes=1)
    tick(store, workflows, name="west")

    now = told(store)

    assert now.daemons == (Beat("west", clock.now(), 0), Beat("east", NOON, 2))
    assert now.last_tick == clock.now()


def test_what_is_overdue_says_since_when(store: Store) -> None:
    begin(
        store,
        {1: NOON - timedelta(hours=2), 2: NOON - timedelta(hours=1), 3: NOON, 4: NOON + timedelta(days=1)},
    )

    now = told(store)

    assert now.deadlines == (
        Timetable(
            workflow="video",
            event="expire",
            overdue=3,
            oldest_due=NOON - timedelta(hours=2),
            late=timedelta(hours=2),
            next_due=NOON + timedelta(days=1),
        ),
    )
    assert now.late == timedelta(hours=2)


def test_a_row_that_the_database_refuses_is_shown_and_not_called_overdue(store: Store, clock: ManualClock) -> None:
    begin(store, {12: NOON, 13: NOON, 14: NOON})
    tick(store, workflows)
    clock.advance(seconds=30)

    now = told(store)

    assert now.deadlines[0].overdue == 0
    assert now.late == timedelta()
    assert now.rows_set_aside == 1
    assert now.set_aside == (
        SetAside(
            workflow="video",
            row_id=13,
            event="expire",
            at=NOON,
            attempts=1,
            retry_at=NOON + timedelta(minutes=1),
            error="cannot expire video: the database refused: CHECK constraint failed: unlucky",
        ),
    )


def test_a_subscriber_that_fails_is_shown_with_its_error_and_its_lag(store: Store) -> None:
    begin(store, {1: NOON + timedelta(days=1), 2: NOON + timedelta(days=1)})
    tick(store, workflows, subscribers=[Subscriber("lines", lambda batch, session: None)])
    tick(store, workflows, subscribers=[Subscriber("webhook", fail)])

    assert told(store).subscriptions == (
        Subscription("lines", 2, 0, 0, None, None),
        Subscription("webhook", 0, 2, 1, NOON + timedelta(seconds=1), "ValueError: no route to webhook"),
    )


def test_the_latest_undelivered_log_rows_are_listed_and_all_are_counted(store: Store) -> None:
    begin(store, dict.fromkeys(range(1, 26), NOON + timedelta(days=1)))
    tick(store, workflows, subscribers=[Subscriber("webhook", fail, batch=1, attempts=1)])

    now = told(store)

    assert now.rows_undelivered == 25
    assert len(now.undelivered) == 20
    assert now.undelivered[0] == Undelivered("webhook", 25, NOON, "ValueError: no route to webhook")


def test_the_status_is_plain_data_for_programs(store: Store) -> None:
    begin(store, {1: NOON - timedelta(hours=2), 13: NOON})
    tick(store, workflows, name="east", subscribers=[Subscriber("webhook", fail)])

    found = json.loads(json.dumps(told(store).as_json()))
    # On a server, moves that were taken back have taken ids with them.
    assert found["subscriptions"][0].pop("lag") >= 3
    assert found == {
        "at": "2026-03-02T12:00:00+00:00",
        "last_tick": "2026-03-02T12:00:00+00:00",
        "late": 0.0,
        "daemons": [{"daemon": "east", "at": "2026-03-02T12:00:00+00:00", "moved": 1}],
        "deadlines": [
            {
                "workflow": "video",
                "event": "expire",
                "overdue": 0,
                "oldest_due": None,
                "late": 0.0,
                "next_due": None,
            }
        ],
        "rows_set_aside": 1,
        "set_aside": [
            {
                "workflow": "video",
                "row_id": 13,
                "event": "expire",
                "at": "2026-03-02T12:00:00+00:00",
                "attempts": 1,
                "retry_at": "2026-03-02T12:01:00+00:00",
                "error": "cannot expire video: the database refused: CHECK constraint failed: unlucky",
            }
        ],
        "rows_undelivered": 0,
        "undelivered": [],
        "subscriptions": [
            {
                "name": "webhook",
                "position": 0,
                "attempts": 1,
                "retry_at": "2026-03-02T12:00:01+00:00",
                "error": "ValueError: no route to webhook",
            }
        ],
    }
