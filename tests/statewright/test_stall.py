"""A connection over which nothing comes back is given up, and another one takes its place."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import make_url, text
from tests.postgres import NoServer, server
from tests.proxy import Proxy, free_port, proxy
from tests.statewright.test_daemon import begin, busy, opened, running, until

from statewright.errors import StoreError
from statewright.store import Store
from statewright.testing import temporary_database


@pytest.fixture(scope="module")
def over_tcp() -> Iterator[tuple[str, int]]:
    """A server's URL, and the port on which it may be reached too."""
    try:
        port = free_port()
        with server(port=port) as own:
            yield own.url, port
    except NoServer as why:
        pytest.skip(f"no PostgreSQL of our own: {why}")


@pytest.fixture
def url(over_tcp: tuple[str, int]) -> Iterator[str]:
    with temporary_database(over_tcp[0]) as url:
        yield url


@pytest.fixture
def between(over_tcp: tuple[str, int]) -> Iterator[Proxy]:
    with proxy(over_tcp[1]) as between:
        yield between


@pytest.fixture
def store(url: str, between: Proxy, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A store that reaches its server through the proxy, and has little patience."""
    for bound, seconds in (("SILENCE", 3), ("CONNECT_TIMEOUT", 2)):
        monkeypatch.setattr(f"statewright.dialects.postgresql.{bound}", seconds)
    through = make_url(url).set(host="127.0.0.1", port=between.port, query={})
    store = opened(through.render_as_string(hide_password=False))
    yield store
    store.close()


@pytest.mark.parametrize("asked", ["through SQLAlchemy", "through the driver"])
def test_a_statement_that_is_never_answered_is_given_up(store: Store, between: Proxy, asked: str) -> None:
    def ask() -> None:
        with store.transaction() as session:
            said = (
                (lambda: session.connection().execute(text("SELECT 1")))
                if asked == "through SQLAlchemy"
                else (lambda: session.driver.say("SELECT 1"))
            )
            assert said().fetchone() == (1,)
            between.stall()
            said()

    with pytest.raises(StoreError) as given_up:
        ask()
    assert str(given_up.value) == f'lost the connection to the database "{store.name}": the server does not answer'


def test_a_statement_that_takes_its_time_is_waited_for(store: Store) -> None:
    with store.reading() as session:
        slow = text("SELECT 1 FROM (SELECT pg_sleep(5)) AS slept")
        assert session.connection().execute(slow).scalar() == 1


def test_a_connection_that_went_silent_while_it_rested_is_replaced(store: Store, between: Proxy) -> None:
    with store.reading() as session:
        session.connection()
    between.stall()
    between.heal()
    with store.reading() as session:
        assert session.connection().execute(text("SELECT 1")).scalar() == 1


def test_a_server_that_lets_in_and_says_nothing_is_given_up(store: Store, between: Proxy) -> None:
    between.stall()
    with pytest.raises(StoreError, match="the server does not answer in time"):
        opened(store.url)


def test_a_daemon_outlives_a_connection_that_goes_silent(
    store: Store, url: str, between: Proxy, caplog: pytest.LogCaptureFixture
) -> None:
    other = opened(url)
    caplog.set_level(logging.INFO, logger="statewright")
    with running(store, heartbeat=0.1) as (_, reports):
        reports.next()
        between.stall()
        until(lambda: "tick failed" in caplog.text and "hearing of changes only" in caplog.text)
        begin(other, {1: other.clock.now() - timedelta(seconds=1)})
        between.heal()
        assert reports.next(busy).moved == {("hall", "close"): 1, ("seat", "clear"): 2}
        until(lambda: "recovered after" in caplog.text and "hearing of changes at once again" in caplog.text)
    other.close()
