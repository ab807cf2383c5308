"""What a person reads whom a PostgreSQL server does not let in: one sentence, and exit code 3."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url
from tests.postgres import NoServer, Server, server

from sparkads.portfolio import SparkAds
from sparkads.settings import Settings

PASSWORD = "s3cret"
ROLES = """
CREATE ROLE ana LOGIN PASSWORD 's3cret';
CREATE ROLE guest LOGIN PASSWORD 's3cret';
CREATE ROLE reader LOGIN PASSWORD 's3cret';
CREATE DATABASE ads OWNER ana;
CREATE DATABASE empty;
CREATE DATABASE closed;
REVOKE CONNECT ON DATABASE closed FROM PUBLIC;
CREATE ROLE retired NOLOGIN;
CREATE ROLE crowd LOGIN CONNECTION LIMIT 0;
CREATE DATABASE shut ALLOW_CONNECTIONS false;
"""


@pytest.fixture(scope="module")
def guarded() -> Iterator[Server]:
    """A server that asks these roles for their passwords, with ana's portfolio in the database ads."""
    try:
        with server() as own:
            with psycopg.connect(own.url.replace("+psycopg", ""), autocommit=True) as connection:
                for statement in ROLES.strip().split("\n"):
                    connection.execute(statement.encode())
            SparkAds(url(own), settings=Settings()).close()
            own.let_in("local all ana,guest,reader scram-sha-256", "local all stranger reject")
            yield own
    except NoServer as why:
        pytest.skip(f"no PostgreSQL of our own: {why}")


def url(own: Server, *, user: str = "ana", password: str | None = PASSWORD, **parts: Any) -> str:
    given = {"database": "ads", "username": user, "password": password, **parts}
    return make_url(own.url).set(**given).render_as_string(hide_password=False)


@pytest.mark.parametrize(
    ("parts", "database", "why"),
    [
        ({"password": "guess"}, "ads", "the password is wrong"),
        ({"password": None}, "ads", "it wants a password, and none was given"),
        ({"user": "nobody_here"}, "ads", "the server does not know this user"),
        ({"user": "retired"}, "ads", "the server does not let this user in"),
        ({"user": "crowd"}, "ads", "the server has too many connections of this user or to this database"),
        ({"database": "shut"}, "shut", "the server lets nobody into this database"),
        ({"user": "stranger"}, "ads", "the server does not let this user in from here"),
        ({"database": "nowhere"}, "nowhere", "the server has no database of this name"),
        ({"database": "closed", "user": "guest"}, "closed", "this user has no permission to connect"),
    ],
)
def test_who_is_not_let_in_is_told_why(terminal, guarded, parts, database, why):
    said = terminal.refusal("--db", url(guarded, **parts), "codes", "list", code=3)
    folder = make_url(guarded.url).query["host"]
    assert said == f'cannot open the database "{database} on {folder}": {why}'


@pytest.mark.parametrize(
    ("host", "why"),
    [("no-such-host.invalid", "there is no host of this name"), ("127.0.0.1:1", "no server answers there")],
)
def test_a_server_that_is_not_there_is_told(terminal, host, why):
    said = terminal.refusal("--db", f"postgresql://ana:{PASSWORD}@{host}/ads", "codes", "list", code=3)
    assert said == f'cannot open the database "ads on {host.partition(":")[0]}": {why}'


@pytest.mark.parametrize("words", [("codes", "list"), ("accounts", "add", "Brand"), ("daemon", "--once")])
def test_a_user_who_may_not_use_the_tables_is_told(terminal, guarded, words):
    said = terminal.refusal("--db", url(guarded, user="reader"), *words, code=3)
    assert said.startswith('cannot use the database "ads on ')
    assert "this user has no permission: permission denied for table " in said


def test_a_user_who_may_make_no_tables_is_told(terminal, guarded):
    with psycopg.connect(url(guarded, user="postgres", database="empty").replace("+psycopg", "")) as connection:
        # As every server does by itself, beginning with PostgreSQL 15.
        connection.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    said = terminal.refusal("--db", url(guarded, database="empty"), "accounts", "add", "Brand", code=3)
    assert said.startswith('cannot use the database "empty on ')
    assert "this user has no permission: permission denied for schema public; " in said


def test_a_server_that_is_too_old_is_told(terminal, guarded, monkeypatch):
    monkeypatch.setattr("statewright.dialects.postgresql.OLDEST", 99)
    said = terminal.refusal("--db", url(guarded), "codes", "list", code=3)
    assert said.startswith('cannot use the database "ads on ')
    assert said.endswith("; expected 99 or newer")


def test_the_driver_that_is_missing_is_told(terminal, monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    said = terminal.refusal("--db", f"postgresql://ana:{PASSWORD}@db.example.com/ads", "codes", "list", code=3)
    assert said == (
        'cannot open the database "ads on db.example.com": psycopg is not installed; '
        "run: pip install 'sparkads[postgres]'"
    )
