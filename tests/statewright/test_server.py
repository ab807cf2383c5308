"""What a person reads when a PostgreSQL server does not let the program in, or is gone: one sentence."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Barrier
from typing import Any

import psycopg
import pytest
from sqlalchemy import MetaData, make_url, text
from tests.statewright.halls import SCHEMA

from statewright.errors import StoreError
from statewright.session import instant
from statewright.store import Schema, Store
from statewright.testing import ManualClock, temporary_database, temporary_store


def refusal(url: str) -> str:
    with pytest.raises(StoreError) as why:
        Store(url, schema=SCHEMA)
    said = str(why.value)
    assert "\n" not in said
    assert "s3cret" not in said
    return said


def changed(server: str, **parts: Any) -> str:
    return make_url(server).set(**parts).render_as_string(hide_password=False)


def test_a_database_that_is_not_there(postgres: str) -> None:
    said = refusal(changed(postgres, database="nowhere"))
    assert said.startswith('cannot open the database "nowhere on ')
    assert said.endswith("the server has no database of this name")


def test_a_user_whom_the_server_does_not_know(postgres: str) -> None:
    said = refusal(changed(postgres, username="nobody_here", password="s3cret"))
    assert said.endswith("the server does not know this user")


def test_a_host_that_is_not_there() -> None:
    said = refusal("postgresql://ana:s3cret@no-such-host.invalid/ads")
    assert said == 'cannot open the database "ads on no-such-host.invalid": there is no host of this name'


def test_a_server_that_does_not_answer() -> None:
    said = refusal("postgresql://ana:s3cret@127.0.0.1:1/ads")
    assert said == 'cannot open the database "ads on 127.0.0.1": no server answers there'


def test_the_driver_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    said = refusal("postgresql://ana:s3cret@127.0.0.1:1/ads")
    assert said.endswith("psycopg is not installed; run: pip install 'sparkads[postgres]'")


def test_a_user_without_permission(postgres: str) -> None:
    with temporary_database(postgres) as url:
        with temporary_store(SCHEMA, server=postgres) as other, other.transaction() as session:
            session.connection().execute(text("DROP ROLE IF EXISTS guest"))
            session.connection().execute(text("CREATE ROLE guest LOGIN"))
        Store(url, schema=SCHEMA).close()
        guest = Store(changed(url, username="postgres"), schema=SCHEMA)
        guest.close()
        said = refusal(changed(url, username="guest"))
        assert "this user has no permission" in said


def test_a_server_that_is_too_old(postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("statewright.dialects.postgresql.OLDEST", 99)
    assert refusal(postgres).endswith("; expected 99 or newer")


def test_a_plain_url_is_taken_as_the_drivers(postgres: str) -> None:
    with temporary_database(postgres) as url:
        store = Store(url.replace("postgresql+psycopg", "postgresql"), schema=SCHEMA, clock=ManualClock())
        with store.reading() as session:
            assert instant(session) == ManualClock().now()
        store.close()


def test_the_clock_is_the_servers_unless_one_is_given(postgres: str) -> None:
    with temporary_database(postgres) as url:
        store = Store(url, schema=SCHEMA)
        with store.transaction() as session:
            servers = text("SELECT clock_timestamp() - CAST(:told AS timestamptz) < interval '1 minute'")
            assert session.connection().execute(servers, {"told": instant(session)}).scalar_one()
            assert store.clock.now() >= instant(session).replace(year=2020)
        store.close()


def sql(url: str, statement: str) -> None:
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(statement.encode())


def test_the_database_of_another_application_is_not_taken_over(postgres: str) -> None:
    with temporary_database(postgres) as url:
        Store(url, schema=SCHEMA).close()
        with pytest.raises(StoreError, match="it holds no tables of circus"):
            Store(url, schema=Schema("circus", 1, MetaData()))


def test_a_table_of_somebody_else_is_not_taken_for_ours(postgres: str) -> None:
    with temporary_database(postgres) as url:
        sql(url, "CREATE TABLE hall (id integer)")
        assert refusal(url).endswith(': it has a table "hall" that this program did not make')


def test_whatever_drifted_is_named(postgres: str) -> None:
    with temporary_database(postgres) as url:
        store = Store(url, schema=SCHEMA)
        assert store.drift() == []
        sql(url, "DROP INDEX ix_hall_close_at")
        sql(url, "DROP TRIGGER transition_is_never_changed ON transition")
        sql(url, "ALTER TABLE seat ALTER COLUMN state DROP NOT NULL")
        assert sorted(store.drift()) == [
            "ix_hall_close_at is missing",
            "seat.state is not as the code expects it",
            "transition_is_never_changed is missing",
        ]
        store.close()


def test_nothing_drifts_in_a_schema_whose_name_has_capital_letters(postgres: str) -> None:
    with temporary_database(postgres) as url:
        sql(url, 'CREATE SCHEMA "Theatre"')
        sql(url, f'ALTER DATABASE "{make_url(url).database}" SET search_path = "Theatre"')
        with closing(Store(url, schema=SCHEMA)) as store:
            assert store.drift() == []


def test_programs_that_make_one_database_at_once_all_succeed(postgres: str) -> None:
    with temporary_database(postgres) as url, ThreadPoolExecutor(4) as programs:
        together = Barrier(4)

        def make(_number: int) -> list[str]:
            together.wait(timeout=30)
            with closing(Store(url, schema=SCHEMA)) as store:
                return store.drift()

        assert list(programs.map(make, range(4))) == [[]] * 4
