"""One step at a time, or for as long as nobody says stop: what is due is moved, once, whatever happens."""

from __future__ import annotations

import io
import json
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from freezegun import freeze_time
from sqlalchemy import CheckConstraint, Column, MetaData, Table, Text, func, insert, select, true, update
from sqlmodel import Session
from statemachine import State

from statewright.chart import Chart
from statewright.clock import Clock
from statewright.daemon import Daemon, Tick, run, tick
from statewright.dialects import Identifier, Instant
from statewright.errors import DefinitionError, StoreError
from statewright.log import Entry, entries
from statewright.logs import JsonLines
from statewright.store import Schema, Store
from statewright.subscriber import Subscriber
from statewright.tables import heartbeat, transition
from statewright.testing import ManualClock
from statewright.transition import start
from statewright.workflow import Cascade, Deadline, Link, Workflow
from statewright.workflows import Workflows

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
LONG = 60
"""Seconds after which a machine is not slow but stuck."""

metadata = MetaData()
hall = Table(
    "hall",
    metadata,
    Column("id", Identifier, primary_key=True),
    Column("state", Text, nullable=False, default="open"),
    Column("closes_at", Instant),
    CheckConstraint("id <> 13 OR state = 'open'", name="unlucky"),
)
seat = Table(
    "seat",
    metadata,
    Column("id", Identifier, primary_key=True),
    Column("state", Text, nullable=False, default="taken"),
    Column("hall_id", Identifier),
)


class HallChart(Chart):
    open = State(initial=True)
    closed = State(final=True)
    close = open.to(closed)


class SeatChart(Chart):
    taken = State(initial=True)
    free = State(final=True)
    clear = taken.to(free)


halls = Workflow(
    hall,
    HallChart,
    deadlines=[Deadline("close", at=hall.c.closes_at)],
    cascades=[Cascade("seat", "clear", along=Link(seat.c.hall_id, seat.c.id), entering={"closed"})],
)
seats = Workflow(seat, SeatChart)
workflows = Workflows(halls, seats)


class FrozenClock:
    """Reads the machine's time, which freezegun sets."""

    def now(self) -> datetime:
        return datetime.now(UTC)


def opened(url: str, *, clock: Clock | None = None, busy_timeout: float = 5.0) -> Store:
    return Store(
        url,
        schema=Schema("halls", 1, metadata),
        clock=clock,
        synchronous="NORMAL",
        busy_timeout=busy_timeout,
    )


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON)


@pytest.fixture
def store(url: str, clock: ManualClock) -> Iterator[Store]:
    store = opened(url, clock=clock, busy_timeout=0.05)
    yield store
    store.close()


@pytest.fixture
def store_in_a_file(tmp_path: Path, clock: ManualClock) -> Iterator[Store]:
    """For what happens where only one can write at a time."""
    store = opened(f"sqlite:///{tmp_path}/halls.db", clock=clock, busy_timeout=0.05)
    yield store
    store.close()


def begin(store: Store, closing: dict[int, datetime | None]) -> None:
    """Halls with two seats each."""
    with store.transaction() as session:
        connection = session.connection()
        connection.execute(insert(hall), [{"id": each, "closes_at": at} for each, at in closing.items()])
        connection.execute(insert(seat), [{"hall_id": each} for each in closing for _ in range(2)])
        start(session, halls, true(), actor="ana")
        start(session, seats, true(), actor="ana")


def states(store: Store, table: Table) -> dict[str, int]:
    with store.reading() as session:
        counted = select(table.c.state, func.count()).group_by(table.c.state)
        return {row[0]: row[1] for row in session.connection().execute(counted)}


def beat(store: Store) -> tuple[str, datetime, int] | None:
    with store.reading() as session:
        row = session.connection().execute(select(heartbeat)).one_or_none()
        return None if row is None else (row.daemon, row.at, row.moved)


# One step


def test_a_tick_moves_what_is_due_and_what_follows_from_it(store: Store) -> None:
    begin(store, {1: NOON - timedelta(days=1), 2: NOON, 3: NOON + timedelta(seconds=1)})

    done = tick(store, workflows)

    assert done.moved == {("hall", "close"): 2, ("seat", "clear"): 4}
    assert done.at == NOON
    assert done.next_due == NOON + timedelta(seconds=1)
    assert states(store, hall) == {"open": 1, "closed": 2}
    assert states(store, seat) == {"taken": 2, "free": 4}


def test_a_tick_says_what_it_did(store: Store) -> None:
    begin(store, dict.fromkeys(range(100, 1100), NOON))

    assert (
        tick(store, workflows, pause=0).sentence(workflows).startswith("close 1,000 halls, clear 2,000 seats in ")
    )


def test_a_tick_with_nothing_to_do_is_idle(store: Store) -> None:
    begin(store, {1: NOON + timedelta(days=1), 2: None})

    done = tick(store, workflows)

    assert done.idle
    assert done.moved == {}
    assert done.sentence(workflows).startswith("nothing done in ")


def test_a_tick_moves_no_more_rows_in_a_transaction_than_it_may(store: Store) -> None:
    begin(store, dict.fromkeys(range(100, 110), NOON))

    assert tick(store, workflows, batch=4, pause=0).batches == 3


def test_a_tick_tells_every_subscriber_what_it_moved(store: Store) -> None:
    begin(store, {1: NOON})
    heard: dict[str, list[str]] = {"east": [], "west": []}

    def hear(name: str) -> Subscriber:
        return Subscriber(name, lambda batch, _: heard[name].extend(entry.event for entry in batch))

    done = tick(store, workflows, subscribers=[hear("east"), hear("west")])

    assert done.delivered == {"east": 6, "west": 6}
    assert heard["east"] == heard["west"] == ["start", "start", "start", "close", "clear", "clear"]


def test_a_tick_that_only_tells_says_so(store: Store) -> None:
    begin(store, {1: None})

    done = tick(store, workflows, subscribers=[Subscriber("webhook", lambda batch, session: None)])

    assert not done.idle
    assert done.sentence(workflows).startswith("deliver 3 log rows to webhook in ")


def test_a_subscriber_that_fails_stops_no_other_and_no_row(store: Store) -> None:
    begin(store, {1: NOON})
    heard: list[int] = []

    def fail(batch: Sequence[Entry], session: Session) -> None:
        raise ValueError("no route to webhook")

    done = tick(
        store,
        workflows,
        subscribers=[
            Subscriber("webhook", fail),
            Subscriber("lines", lambda batch, _: heard.extend(entry.id for entry in batch)),
        ],
    )

    assert states(store, hall) == {"closed": 1}
    assert len(heard) == 6
    assert done.failed == {"webhook": "ValueError: no route to webhook"}
    assert done.sentence(workflows).endswith(
        "; webhook failed and will be tried again: ValueError: no route to webhook"
    )


def test_a_slow_subscriber_keeps_no_deadline_waiting(store: Store, clock: ManualClock) -> None:
    begin(store, {1: NOON, 2: NOON + timedelta(minutes=90)})

    def handle(batch: Sequence[Entry], _session: Session) -> None:
        heard.extend(batch)
        clock.advance(hours=1)

    heard: list[Entry] = []
    slow = Subscriber("slow", handle, batch=1)

    assert tick(store, workflows, subscribers=[slow]).delivered == {"slow": 2}
    beaten = beat(store)
    assert beaten is not None
    assert beaten[1] == clock.now()

    done = tick(store, workflows, subscribers=[slow])
    assert done.moved[("hall", "close")] == 1
    with store.reading() as session:
        assert heard == entries(session)


def test_a_row_that_the_database_refuses_is_set_aside_and_told(store: Store) -> None:
    begin(store, {12: NOON, 13: NOON, 14: NOON})

    done = tick(store, workflows)

    assert done.moved == {("hall", "close"): 2, ("seat", "clear"): 4}
    assert done.trouble
    assert done.sentence(workflows).endswith("; 1 row set aside, because the database refused the move")


def test_a_tick_is_plain_data_for_programs(store: Store) -> None:
    begin(store, {1: NOON, 2: NOON + timedelta(days=1)})

    told = json.loads(json.dumps(tick(store, workflows).as_json()))

    assert told.pop("seconds") >= 0
    assert told == {
        "at": "2026-03-02T12:00:00+00:00",
        "moved": {"hall.close": 1, "seat.clear": 2},
        "batches": 1,
        "set_aside": 0,
        "delivered": {},
        "failed": {},
        "undelivered": {},
        "next_due": "2026-03-03T12:00:00+00:00",
        "stopped": False,
    }


def test_a_tick_that_is_told_to_stop_leaves_whole_batches(store: Store) -> None:
    begin(store, dict.fromkeys(range(100, 110), NOON))
    heard: list[int] = []
    asked = iter([False, True, True, True])

    done = tick(
        store,
        workflows,
        subscribers=[Subscriber("lines", lambda batch, _: heard.append(len(batch)))],
        batch=3,
        pause=0,
        stop=lambda: next(asked),
    )

    assert done.stopped
    assert done.sentence(workflows).endswith("; stopped on request")
    assert states(store, hall) == {"open": 4, "closed": 6}
    assert states(store, seat) == {"taken": 8, "free": 12}
    assert heard == []


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"batch": 0}, "daemon: expected batch to be a positive whole number, got 0"),
        ({"pause": -1}, "daemon: expected pause to be 0 or more seconds, got -1"),
        ({"heartbeat": 0}, "daemon: expected heartbeat to be a positive number of seconds, got 0"),
    ],
)
def test_a_wrong_setting_is_refused_before_anything_moves(
    store: Store, settings: dict[str, Any], words: str
) -> None:
    with pytest.raises(DefinitionError, match=words):
        Daemon(store, workflows, **settings)


# Signs of life


def test_a_tick_that_moved_rows_leaves_a_sign_of_life(store: Store) -> None:
    begin(store, {1: NOON})

    tick(store, workflows, name="east")

    assert beat(store) == ("east", NOON, 3)


def test_an_idle_tick_leaves_a_sign_of_life_every_ten_seconds_only(store: Store, clock: ManualClock) -> None:
    seen = []
    for _ in range(25):
        tick(store, workflows, name="east")
        sign = beat(store)
        assert sign is not None
        seen.append(int((sign[1] - NOON).total_seconds()))
        clock.advance(seconds=1)

    assert seen == [0] * 10 + [10] * 10 + [20] * 5


def test_an_idle_tick_keeps_what_the_last_busy_one_moved(store: Store, clock: ManualClock) -> None:
    begin(store, {1: NOON})
    tick(store, workflows, name="east")
    clock.advance(minutes=1)

    tick(store, workflows, name="east")

    assert beat(store) == ("east", clock.now(), 3)


def test_a_clock_that_was_set_back_silences_no_daemon(store: Store, clock: ManualClock) -> None:
    tick(store, workflows, name="east")
    clock.set(clock.now() - timedelta(days=1), backwards=True)

    tick(store, workflows, name="east")

    assert beat(store) == ("east", clock.now(), 0)


def test_an_idle_tick_waits_for_no_writer(store: Store, clock: ManualClock) -> None:
    begin(store, {1: NOON + timedelta(days=1)})
    subscriber = Subscriber("lines", lambda batch, session: None)
    tick(store, workflows, subscribers=[subscriber])

    with store.transaction() as session:
        session.connection()  # locks
        assert tick(store, workflows, subscribers=[subscriber]).idle


# The daemon


class Reports:
    """The ticks of a daemon, one after the other, as they come."""

    def __init__(self) -> None:
        self.queue: queue.Queue[Tick] = queue.Queue()

    def __call__(self, done: Tick) -> None:
        self.queue.put(done)

    def next(self, wanted: Callable[[Tick], bool] = lambda done: True) -> Tick:
        while not wanted(done := self.queue.get(timeout=LONG)):
            pass
        return done

    def run_dry(self) -> None:
        """Wait until no more come; on a server it looks once or twice more before it waits to be told."""
        for _ in range(10):
            try:
                self.queue.get(timeout=0.3)
            except queue.Empty:
                return
        pytest.fail("it goes on and on")


@contextmanager
def running(store: Store, **settings: Any) -> Iterator[tuple[Daemon, Reports]]:
    """A daemon in another thread; whatever happens, it is stopped."""
    reports = Reports()
    daemon = Daemon(store, workflows, report=reports, pause=0, **settings)
    thread = threading.Thread(target=daemon.run)
    thread.start()
    try:
        yield daemon, reports
    finally:
        daemon.stop()
        thread.join(LONG)
        assert not thread.is_alive()


def busy(done: Tick) -> bool:
    return not done.idle


def at(instant: datetime) -> Callable[[Tick], bool]:
    return lambda done: done.at == instant


def test_a_daemon_moves_at_once_what_fell_due_while_it_was_away(store: Store) -> None:
    begin(store, dict.fromkeys(range(100, 110), NOON - timedelta(days=60)))

    with running(store, heartbeat=LONG, batch=4) as (_, reports):
        assert reports.next().moved == {("hall", "close"): 10, ("seat", "clear"): 20}


def test_a_daemon_ticks_when_the_next_deadline_comes_not_at_the_next_heartbeat(url: str) -> None:
    store = opened(url)
    soon = store.clock.now() + timedelta(milliseconds=300)
    begin(store, {1: soon})

    with running(store, heartbeat=10 * LONG) as (_, reports):
        done = reports.next(busy)

    assert done.moved == {("hall", "close"): 1, ("seat", "clear"): 2}
    assert done.at >= soon
    store.close()


def test_a_daemon_whose_next_tick_went_far_away_as_the_clock_was_set_back_aims_anew(store: Store) -> None:
    with running(store, heartbeat=0.3) as (daemon, reports):
        reports.next()
        for _ in range(3):
            daemon._scheduler.modify_job("tick", next_run_time=datetime.now(UTC) + timedelta(hours=1))
            reports.next()


def test_a_daemon_notices_at_a_heartbeat_what_another_process_armed(store: Store) -> None:
    begin(store, {1: None})

    with running(store, heartbeat=0.01) as (_, reports):
        reports.next()
        with store.transaction() as session:
            session.connection().execute(update(hall).values(closes_at=NOON))
        assert reports.next(busy).moved == {("hall", "close"): 1, ("seat", "clear"): 2}


def test_a_daemon_that_is_woken_looks_again_at_once(store: Store, clock: ManualClock) -> None:
    begin(store, {1: NOON + timedelta(days=30)})

    with running(store, heartbeat=10 * LONG) as (daemon, reports):
        assert reports.next().idle
        clock.advance(days=30)
        daemon.wake()
        assert reports.next(busy).moved == {("hall", "close"): 1, ("seat", "clear"): 2}


def test_a_wake_during_a_tick_is_not_lost(store: Store) -> None:
    begin(store, {1: None})
    daemons: queue.Queue[Daemon] = queue.Queue()
    heard: list[int] = []

    def arm_another(batch: Sequence[Entry], session: Session) -> None:
        heard.append(len(batch))
        if len(heard) == 1:
            session.connection().execute(update(hall).values(closes_at=NOON))
            daemons.get(timeout=LONG).wake()

    subscriber = Subscriber("arming", arm_another)
    with running(store, heartbeat=10 * LONG, subscribers=[subscriber]) as (daemon, reports):
        daemons.put(daemon)
        reports.next()
        assert reports.next().moved == {("hall", "close"): 1, ("seat", "clear"): 2}


def test_a_row_that_cannot_move_makes_no_daemon_restless(store: Store) -> None:
    begin(store, {13: NOON})

    with running(store, heartbeat=10 * LONG) as (_, reports):
        assert reports.next(busy).set_aside == 1
        reports.run_dry()


def test_deadlines_are_kept_across_months_of_frozen_time(url: str) -> None:
    # The library's own threads are woken by hand: freezegun moves the time, not those who wait for it.
    with freeze_time(NOON) as frozen:
        store = opened(url, clock=FrozenClock())
        begin(store, {days: NOON + timedelta(days=days) for days in (7, 30, 60, 365)})
        closed = []
        with running(store, heartbeat=1) as (daemon, reports):
            for days in (6, 1, 23, 30, 305):
                frozen.tick(timedelta(days=days))
                daemon.wake()
                reports.next(at(datetime.now(UTC)))
                closed.append(states(store, hall).get("closed", 0))
        store.close()

    assert closed == [0, 1, 2, 3, 4]


def test_trouble_is_told_once_and_so_is_its_end(
    store_in_a_file: Store, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    begin(store_in_a_file, {1: NOON})
    caplog.set_level(logging.INFO, logger="statewright")

    with running(store_in_a_file, heartbeat=0.01) as (_, reports):
        reports.next(busy)
        with store_in_a_file.transaction() as session:
            session.connection()  # locks
            clock.advance(minutes=1)
            until(lambda: "tick failed" in caplog.text)
            while not reports.queue.empty():
                reports.next()
            # It goes on failing for some heartbeats more.
            with pytest.raises(queue.Empty):
                reports.queue.get(timeout=0.5)
        reports.next()

    told = [record.getMessage() for record in caplog.records if record.name == "statewright"]
    assert told[0] == f"watching {store_in_a_file.name}, at least every 0.01 s"
    assert told[1].startswith("close 1 hall, clear 2 seats in ")
    assert told[2] == (
        "tick failed, trying again: "
        f'the database "{store_in_a_file.name}" is locked by another program; try again when it is done'
    )
    assert told[3].startswith("recovered after ")
    assert told[4:] == [f"stopped watching {store_in_a_file.name}"]


def test_a_bug_in_what_a_daemon_calls_is_told_with_its_place_and_stops_nothing(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    begin(store, {1: NOON})
    ticks = 0
    recovered = threading.Event()

    def stumble(done: Tick) -> None:
        nonlocal ticks
        ticks += 1
        if ticks <= 3:
            raise KeyError("no such account")
        recovered.set()

    daemon = Daemon(store, workflows, heartbeat=0.01, report=stumble)
    thread = threading.Thread(target=daemon.run)
    thread.start()
    assert recovered.wait(LONG)
    daemon.stop()
    thread.join(LONG)

    (told,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert told.getMessage() == "tick failed, trying again: KeyError: 'no such account'"
    assert told.exc_info is not None


def test_once_is_a_single_tick(store: Store) -> None:
    begin(store, {1: NOON})
    reports = Reports()

    run(store, workflows, once=True, report=reports)

    assert reports.queue.qsize() == 1
    assert states(store, hall) == {"closed": 1}


def test_once_raises_its_trouble(store_in_a_file: Store) -> None:
    begin(store_in_a_file, {1: NOON})

    with store_in_a_file.transaction() as session:
        session.connection()  # locks
        with pytest.raises(StoreError, match="is locked by another program"):
            run(store_in_a_file, workflows, once=True)


def test_the_signals_are_given_back_to_whoever_had_them(store: Store) -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    heard = []

    def report(done: Tick) -> None:
        heard.append(signal.getsignal(signal.SIGTERM) != before[0])
        os.kill(os.getpid(), signal.SIGTERM)

    run(store, workflows, report=report, heartbeat=10 * LONG)

    assert heard == [True]
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


# As processes


def start_daemon(url: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, __file__, url, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def until(true: Callable[[], bool]) -> None:
    """Wait for what another thread or process is about to do."""
    waiting = threading.Event()
    for _ in range(LONG * 100):
        if true():
            return
        waiting.wait(0.01)
    pytest.fail(f"nothing happened in {LONG} s")


def closings(store: Store) -> list[int]:
    """How often each hall was closed, according to the log."""
    with store.reading() as session:
        closed = select(func.count()).where(transition.c.event == "close").group_by(transition.c.row_id)
        return list(session.connection().execute(closed).scalars())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_daemon_that_is_told_to_stop_in_a_backlog_finishes_its_batch_and_exits_with_0(
    url: str, number: signal.Signals
) -> None:
    store = opened(url)
    begin(store, dict.fromkeys(range(100, 2100), NOON - timedelta(days=365)))
    # Small batches and long pauses: it cannot be done before it is stopped.
    daemon = start_daemon(url, "5", "0.05")
    try:
        until(lambda: "closed" in states(store, hall))
        daemon.send_signal(number)
        output, errors = daemon.communicate(timeout=LONG)
    finally:
        daemon.kill()

    assert daemon.returncode == 0, errors
    assert "Traceback" not in errors
    assert "stopped on request" in output
    closed = states(store, hall)["closed"]
    assert 0 < closed < 2000
    assert closed % 5 == 0
    assert states(store, seat)["free"] == 2 * closed
    assert closings(store) == [1] * closed
    store.close()


def test_two_daemons_share_one_backlog_and_move_every_row_once(url: str) -> None:
    store = opened(url)
    begin(store, dict.fromkeys(range(100, 3100)))
    daemons = [start_daemon(url, "20", "0.005", name) for name in ("east", "west")]
    try:
        until(lambda: signs_of_life(store) == {"east", "west"})
        with store.transaction() as session:
            session.connection().execute(update(hall).values(closes_at=NOON - timedelta(days=365)))
        until(lambda: states(store, hall) == {"closed": 3000})
        for daemon in daemons:
            daemon.send_signal(signal.SIGTERM)
        outputs = [daemon.communicate(timeout=LONG) for daemon in daemons]
    finally:
        for daemon in daemons:
            daemon.kill()

    assert [daemon.returncode for daemon in daemons] == [0, 0], outputs
    assert states(store, seat) == {"free": 6000}
    assert closings(store) == [1] * 3000
    with store.reading() as session:
        actors = session.connection().execute(select(transition.c.actor).distinct()).scalars()
        assert set(actors) == {"ana", "east", "west"}
    store.close()


def signs_of_life(store: Store) -> set[str]:
    with store.reading() as session:
        return set(session.connection().execute(select(heartbeat.c.daemon)).scalars())


def main(url: str, batch: str, pause: str, name: str = "daemon") -> None:
    """What the tests above start as a process of its own."""
    logging.basicConfig(stream=sys.stdout, level=logging.INFO)
    run(
        opened(url),
        workflows,
        heartbeat=0.05,
        actor=name,
        name=name,
        batch=int(batch),
        pause=float(pause),
    )


# What is logged


def test_the_log_is_told_to_programs_as_json_lines(store: Store) -> None:
    begin(store, {1: NOON})
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    logger = logging.getLogger("statewright")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        run(store, workflows, once=True)
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)

    (line,) = stream.getvalue().splitlines()
    told = json.loads(line)
    assert told["level"] == "info"
    assert told["action"] == "tick"
    assert told["message"].startswith("close 1 hall, clear 2 seats in ")
    assert told["moved"] == {"hall.close": 1, "seat.clear": 2}


def test_an_error_in_json_carries_its_place_on_the_same_line() -> None:
    error = ValueError("no route to webhook")
    failed = (ValueError, error, None)
    record = logging.LogRecord("statewright", logging.ERROR, __file__, 1, "tick %d failed", (7,), failed)

    (line,) = JsonLines().format(record).splitlines()

    told = json.loads(line)
    assert told["message"] == "tick 7 failed"
    assert told["traceback"] == "ValueError: no route to webhook"


if __name__ == "__main__":
    main(*sys.argv[1:])
