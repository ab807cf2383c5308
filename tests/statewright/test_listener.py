"""A daemon on a server hears at once what others wrote, and does without it when it cannot."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, text
from sqlmodel import Session
from tests.statewright.test_daemon import LONG, busy, hall, halls, opened, running, states, until

from statewright import dialects
from statewright.dialects import postgresql, postgresql_watch
from statewright.log import Entry
from statewright.store import Store
from statewright.subscriber import Subscriber
from statewright.testing import temporary_database
from statewright.transition import start

HEARTBEAT = 10 * LONG
SOON = 5.0
"""Seconds: what takes milliseconds, on a machine that has much else to do; nothing beside a heartbeat."""

LISTENERS = (
    "FROM pg_stat_activity WHERE datname = current_database() "
    "AND query LIKE '%pg_try_advisory_lock%' AND query NOT LIKE '%pg_stat_activity%'"
)
"""Not whoever asks for them, nor a connection that rests after asking."""


@pytest.fixture
def url(postgres: str) -> Iterator[str]:
    with temporary_database(postgres) as url:
        yield url


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """The daemon's; its clock is the server's."""
    store = opened(url)
    yield store
    store.close()


@pytest.fixture
def other(url: str) -> Iterator[Store]:
    """Another program's."""
    other = opened(url)
    yield other
    other.close()


def add(session: Session, number: int, closes_at: datetime | None = None) -> None:
    session.connection().execute(insert(hall).values(id=number, closes_at=closes_at))
    start(session, halls, hall.c.id == number, actor="ana")


def sql(store: Store, statement: str) -> Sequence[Any]:
    with store.reading() as session:
        return session.connection().execute(text(statement)).all()


def waiting(store: Store) -> bool:
    """Whether a daemon waits to be told: it alone has the lock that writers share."""
    locked = "SELECT 1 FROM pg_locks l JOIN pg_database d ON d.oid = l.database WHERE datname = current_database()"
    return bool(sql(store, f"{locked} AND locktype = 'advisory' AND mode = 'ExclusiveLock' AND granted"))


def test_a_daemon_keeps_a_deadline_that_another_program_arms_while_it_waits(store: Store, other: Store) -> None:
    with running(store, heartbeat=HEARTBEAT) as (_, reports):
        until(lambda: waiting(other))
        with other.transaction() as session:
            due = other.clock.now() + timedelta(seconds=0.2)
            add(session, 1, due)
        done = reports.next(busy)

    assert done.moved == {("hall", "close"): 1}
    assert due <= done.at < due + timedelta(seconds=SOON)


def test_a_subscriber_is_told_what_another_program_wrote(store: Store, other: Store) -> None:
    heard = threading.Event()
    subscriber = Subscriber("lines", lambda _batch, _session: heard.set())
    with running(store, heartbeat=HEARTBEAT, subscribers=[subscriber]):
        until(lambda: waiting(other))
        with other.transaction() as session:
            add(session, 1)
        assert heard.wait(SOON)


def test_what_was_begun_before_the_daemon_waits_and_committed_late_is_not_missed(
    store: Store, other: Store
) -> None:
    entries: list[Entry] = []
    subscriber = Subscriber("lines", lambda batch, _session: entries.extend(batch))
    with other.transaction() as session:
        add(session, 1)
        with running(store, heartbeat=HEARTBEAT, subscribers=[subscriber]) as (_, reports):
            for _ in range(3):
                # It looks again and again, and does not wait to be told: this writer will tell nobody.
                assert reports.next().idle
            assert not waiting(store)
            session.commit()
            until(lambda: [entry.row_id for entry in entries] == [1])
            until(lambda: waiting(store))


def test_a_daemon_that_waits_does_nothing(store: Store, other: Store) -> None:
    with running(store, heartbeat=HEARTBEAT) as (_, reports):
        until(lambda: waiting(other))
        reports.run_dry()


def test_two_daemons_wait_and_either_may_be_told(store: Store, other: Store, url: str) -> None:
    second = opened(url)
    try:
        with running(store, heartbeat=HEARTBEAT, name="east"), running(second, heartbeat=HEARTBEAT, name="west"):
            until(lambda: waiting(other) and len(sql(other, f"SELECT 1 {LISTENERS}")) == 2)
            with other.transaction() as session:
                add(session, 1, other.clock.now())
            until(lambda: states(other, hall) == {"closed": 1})
    finally:
        second.close()


def test_a_daemon_whose_listening_is_cut_off_says_so_once_and_listens_again(
    store: Store, other: Store, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="statewright")
    with running(store, heartbeat=HEARTBEAT) as (_, reports):
        until(lambda: waiting(other))
        assert sql(other, f"SELECT pg_terminate_backend(pid) {LISTENERS}")
        until(lambda: "hearing of changes at once again" in caplog.text)
        until(lambda: waiting(other))
        with other.transaction() as session:
            add(session, 1, other.clock.now())
        assert reports.next(busy).moved == {("hall", "close"): 1}

    (told,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert told == (
        "hearing of changes only at the next heartbeat: "
        f'lost the connection to the database "{store.name}": the server is shutting down'
    )


def test_a_daemon_that_cannot_listen_looks_at_every_heartbeat(
    store: Store, other: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    database, nowhere = dialects.named_by("postgresql://postgres@127.0.0.1:1/nowhere")
    engine = database.open_engine(nowhere, create=False, synchronous="FULL", busy_timeout=1)
    monkeypatch.setattr(postgresql, "wakeups", lambda _engine, stop: postgresql_watch.wakeups(engine, stop))
    with running(store, heartbeat=0.05) as (_, reports):
        until(lambda: "hearing of changes only at the next heartbeat" in caplog.text)
        with other.transaction() as session:
            add(session, 1, other.clock.now())
        assert reports.next(busy).moved == {("hall", "close"): 1}
