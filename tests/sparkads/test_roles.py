"""The roles of docs/roles.md, made by its very words: what the runtime role can do, and what it cannot."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege
from sqlalchemy import make_url
from tests.sparkads import first_release
from typer.testing import CliRunner, Result

from sparkads.cli.app import app
from sparkads.importing import import_file
from sparkads.portfolio import SparkAds
from sparkads.settings import Settings
from statewright.errors import StoreError
from statewright.subscriber import Subscriber
from statewright.testing import BEGINNING, ManualClock, temporary_database

ROOT = Path(__file__).parents[2]
ROLES = "sparkads_owner", "sparkads_runtime"
FORBIDDEN = (
    b"UPDATE transition SET actor = 'nobody'",
    b"DELETE FROM transition",
    b"TRUNCATE transition",
    b"INSERT INTO retention VALUES (1)",
    b"UPDATE alembic_version SET version_num = 'sparkads_99'",
    b"DELETE FROM video_code",
    b"DELETE FROM spark_ad",
    b"ALTER TABLE transition DISABLE TRIGGER ALL",
    b"ALTER TABLE video_code DROP CONSTRAINT ck_video_code_state",
    b"DROP TRIGGER transition_is_never_changed ON transition",
    b"CREATE OR REPLACE FUNCTION transition_is_never_changed() RETURNS trigger LANGUAGE plpgsql AS ''",
    b"SELECT setval('transition_id_seq', 1)",
    b"CREATE TABLE mine (id INTEGER)",
    b"CREATE TEMPORARY TABLE mine (id INTEGER)",
    b"DROP TABLE heartbeat",
    b"SET session_replication_role = replica",
)


@dataclass(frozen=True)
class Server:
    """A database with the two roles, as the page has them made."""

    admin: str

    def url(self, role: str) -> str:
        return make_url(self.admin).set(username=role, password=role).render_as_string(hide_password=False)

    @property
    def owner(self) -> str:
        return self.url("sparkads_owner")

    @property
    def runtime(self) -> str:
        return self.url("sparkads_runtime")

    def grant(self) -> None:
        sql(self.owner, blocks()["by sparkads_owner, in the database ads"])


def blocks() -> dict[str, str]:
    """The statements of the page, by who runs them."""
    page = (ROOT / "docs/roles.md").read_text(encoding="utf-8")
    return dict(re.findall(r"```sql\n-- (.*?)\n(.*?)```", page, flags=re.DOTALL))


def sql(url: str, statements: str) -> None:
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        for statement in filter(None, map(str.strip, statements.split(";"))):
            connection.execute(statement.encode())


def sparkads(url: str, *words: str) -> Result:
    return CliRunner(env={"SPARKADS_DB": url, "SPARKADS_ACTOR": "ana"}).invoke(app, words)


@pytest.fixture
def server(postgres: str) -> Iterator[Server]:
    drop = "".join(f"DROP ROLE IF EXISTS {role};" for role in ROLES)
    sql(postgres, drop)
    with temporary_database(postgres) as url:
        named = re.sub(r"DATABASE ads", f"DATABASE {make_url(url).database}", blocks()["by an administrator"])
        once = re.sub(r"CREATE DATABASE (\w+) OWNER (\w+)", r"ALTER DATABASE \1 OWNER TO \2", named)
        sql(postgres, once + "".join(f"ALTER ROLE {role} PASSWORD '{role}';" for role in ROLES))
        sql(url, blocks()["by an administrator, in the database ads"])
        yield Server(url)
    sql(postgres, drop)


@pytest.fixture
def ready(server: Server) -> Server:
    """The owner has made the tables, and granted what the page says."""
    done = sparkads(server.owner, "db", "upgrade")
    assert done.exit_code == 0, done.output
    server.grant()
    return server


@contextmanager
def at_work(server: Server, clock: ManualClock) -> Iterator[SparkAds]:
    with closing(SparkAds(server.runtime, settings=Settings(), clock=clock, create=False)) as spark:
        yield spark


def test_the_runtime_role_does_the_whole_work_of_a_day(ready: Server) -> None:
    clock = ManualClock()
    with at_work(ready, clock) as spark:
        spark.accounts.add("Brand", actor="ana")
        campaign = spark.campaigns.create("Spring", objective="traffic", budget=500, actor="ana")
        group = spark.ad_groups.create(
            campaign, "Germany", location="DE", budget=50, starts_at=clock.now(), actor="ana"
        )
        post = spark.posts.add("7300000000000000001", creator="mia", actor="ana")
        code = spark.codes.receive(
            "#kZ7+v08a/b+cQ=", post=post, days=30, issued_at=clock.now(), actor="ana", key="a key"
        )
        ad = spark.ads.create("Dance", ad_group=group, post=post, actor="ana")
        spark.codes.authorize(code, actor="tiktok")
        spark.ads.submit(ad, actor="ana")
        spark.ads.approve(ad, actor="tiktok")
        clock.advance(days=30)
        assert spark.tick(pause=0).moved["video_code", "expire"] == 1
        assert spark.ads.get(ad).state == "expired"
        spark.codes.extend(code, days=30, actor="mia")
        spark.ads.delete(ad, actor="ana")
        spark.codes.delete(code, actor="ana")
        assert spark.codes.history(code)[-1].event == "delete"
        assert spark.status().last_tick == clock.now()


def test_the_runtime_role_takes_and_writes_files(ready: Server) -> None:
    with at_work(ready, ManualClock(BEGINNING)) as spark:
        for file in sorted((ROOT / "config/example").glob("*.csv")):
            assert import_file(spark, file, actor="ana").rejected == 0
    assert sparkads(ready.runtime, "export", "ads").exit_code == 0
    assert sparkads(ready.runtime, "forecast").exit_code == 0
    assert sparkads(ready.runtime, "status").exit_code == 0
    assert sparkads(ready.runtime, "daemon", "--once").exit_code == 0
    assert sparkads(ready.runtime, "db", "current").exit_code == 0


def test_the_runtime_role_sets_aside_what_fails_and_takes_it_up_again(ready: Server) -> None:
    def full(*_: object) -> None:
        raise OSError("the mailbox is full")

    clock = ManualClock()
    mail = Subscriber("mail", full, attempts=1)
    with at_work(ready, clock) as spark:
        spark.accounts.add("Brand", actor="ana")
        post = spark.posts.add("7300000000000000001", creator="mia", actor="ana")
        spark.codes.receive("#kZ7+v08a/b+cQ=", post=post, days=7, issued_at=clock.now(), actor="ana")
        sql(ready.owner, "ALTER TABLE video_code ADD CONSTRAINT stuck CHECK (state <> 'expired')")
        clock.advance(days=7)
        stuck = spark.tick(subscribers=[mail], pause=0)
        assert stuck.set_aside == 1
        assert stuck.failed == {"mail": "OSError: the mailbox is full"}
        sql(ready.owner, "ALTER TABLE video_code DROP CONSTRAINT stuck")
        clock.advance(days=1)
        again = spark.tick(subscribers=[mail], pause=0)
        assert again.moved["video_code", "expire"] == 1
        assert again.undelivered["mail"] > 0
        assert spark.status().rows_set_aside == 0


def test_the_runtime_role_can_neither_change_the_log_nor_the_tables(ready: Server) -> None:
    with psycopg.connect(ready.runtime.replace("+psycopg", ""), autocommit=True) as runtime:
        for statement in FORBIDDEN:
            with pytest.raises(InsufficientPrivilege):
                runtime.execute(statement)


def test_the_runtime_role_cannot_upgrade(server: Server) -> None:
    first_release.restore(server.owner)
    sql(server.owner, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO sparkads_runtime")
    done = sparkads(server.runtime, "db", "upgrade")
    assert done.exit_code == 3
    assert done.stderr.count("\n") == 1
    assert "this user has no permission: permission denied for schema public" in done.stderr
    assert done.stderr.endswith("; let the owner of the tables do it, or grant it\n")
    assert sparkads(server.owner, "db", "upgrade").exit_code == 0
    server.grant()
    assert sparkads(server.runtime, "codes", "list").exit_code == 0


def test_the_runtime_role_does_not_make_the_tables(server: Server) -> None:
    with pytest.raises(StoreError, match="this user has no permission"):
        SparkAds(server.runtime, settings=Settings())


def test_the_owner_compares_the_tables(ready: Server) -> None:
    assert sparkads(ready.owner, "db", "check").exit_code == 0
    done = sparkads(ready.runtime, "db", "check")
    assert done.exit_code == 3
    assert "permission denied for database" in done.stderr
