"""A call grows with the rows it touches, not with the portfolio: its statements find rows by an index."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from psycopg import RawCursor
from sqlalchemy import text
from sqlmodel import Session
from tests.sparkads.conftest import Desk, opened_desk
from tests.sparkads.places import in_files, on_server
from tests.statewright.test_plan import driving, explained

from statewright.driver import Driver

CALLS: dict[str, Callable[[Desk, dict[str, Any]], object]] = {
    "authorize": lambda desk, row: desk.spark.codes.authorize(
        row["pending"], actor="tiktok", session=row["session"]
    ),
    "extend": lambda desk, row: desk.spark.codes.extend(row["code"], days=7, actor="ana", session=row["session"]),
    "revoke": lambda desk, row: desk.spark.codes.revoke(row["code"], actor="ana", session=row["session"]),
    "submit": lambda desk, row: desk.spark.ads.submit(row["ad"], actor="ana", session=row["session"]),
    "delete an ad": lambda desk, row: desk.spark.ads.delete(row["ad"], actor="ana", session=row["session"]),
    "delete a code": lambda desk, row: desk.spark.codes.delete(
        row["pending"], actor="ana", session=row["session"]
    ),
    "receive a code": lambda desk, row: desk.spark.codes.receive(
        desk.secret(),
        post=row["post"],
        days=30,
        issued_at=desk.now,
        account=desk.brand,
        actor="ana",
        session=row["session"],
    ),
    "create an ad": lambda desk, row: desk.spark.ads.create(
        "another", ad_group=row["ad"].ad_group_id, post=row["post"], actor="ana", session=row["session"]
    ),
}


@pytest.fixture(scope="module")
def kept(blank: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """On a file only: a server plans by what is in its tables, and reads those whole that are nearly empty."""
    with in_files(tmp_path_factory.mktemp("desk"), blank) as new_place:
        yield from opened_desk(new_place())


@pytest.fixture(scope="module")
def desk_on_a_server(postgres: str) -> Iterator[Desk]:
    """Among so many others that nothing is worth reading whole."""
    with on_server(postgres) as new_place:
        for desk in opened_desk(new_place()):
            with desk.spark.transaction() as session:
                # A server that happened to count so few rows just now would rightly read them all.
                for name in ("post", "video_code", "spark_ad", "ad_code"):
                    session.connection().execute(text(f"ALTER TABLE {name} SET (autovacuum_enabled = off)"))
            for _ in range(OTHERS):
                post = desk.post()
                desk.code(post)
                desk.ad(post)
            yield desk


OTHERS = 60


def rows_of(desk: Desk) -> dict[str, Any]:
    """What the calls are about: a code with an ad, and a pending code of another post."""
    post = desk.post()
    code, other = desk.code(post), desk.post()
    return {"post": post, "code": code, "ad": desk.ad(post), "pending": desk.pending_code(other)}


@pytest.mark.parametrize("call", CALLS)
def test_no_call_reads_a_whole_table(desk: Desk, call: str) -> None:
    row = rows_of(desk)
    with desk.spark.store.transaction() as session:
        row["session"] = session
        plans = explained(session, lambda: CALLS[call](desk, row))
    # What a cascade has reached, or was asked for by name, is a list; of what is set aside, one row is read.
    lists = ("SCAN reached", "SCAN json_each", "SCAN set_aside")
    scanned = [(line, words) for line, words in plans if line.startswith("SCAN") and not line.startswith(lists)]
    assert scanned == []


def test_no_index_names_the_state_of_a_row_that_moves_often(desk: Desk) -> None:
    """Even in its condition alone: each move would write it anew, half of all that a sweep has to write."""
    asked = "SELECT sql FROM sqlite_master WHERE type = 'index' AND tbl_name IN ('video_code', 'spark_ad')"
    indexes = [words for (words,) in desk.sql(asked)]
    assert len(indexes) > 8
    assert [words for words in indexes if "state" in words] == []


@pytest.mark.parametrize("call", ["authorize", "submit", "revoke"])
def test_a_call_collects_nothing_in_a_table_of_its_own(desk: Desk, call: str) -> None:
    """SQLite makes one for what a statement finds, and for an IN of three values, be it of a constraint."""
    row = rows_of(desk)
    made: list[str] = []

    def look(driver: Driver, statement: str, parameters: Any) -> None:
        steps = driver.pooled.cursor().execute(f"EXPLAIN {statement}", parameters)
        made.extend(statement for step in steps if step[1] == "OpenEphemeral")

    with desk.spark.store.transaction(whole=True) as session, driving(look):
        row["session"] = session
        CALLS[call](desk, row)
    assert made == []


@pytest.mark.parametrize("call", ["delete a code", "say what can be done with a code"])
def test_who_uses_a_code_is_not_looked_for_among_all_ads_of_a_server(desk_on_a_server: Desk, call: str) -> None:
    desk = desk_on_a_server
    row = rows_of(desk)
    ask = CALLS.get(call, lambda desk, row: desk.spark.codes.can(row["code"], session=row["session"]))
    with desk.spark.store.transaction() as session:
        row["session"] = session
        # Tables that are no larger are read whole if they may be.
        session.connection().execute(text("SET LOCAL enable_seqscan = off"))
        before = looked_at(session)
        ask(desk, row)
        many = {table: rows for table, rows in (looked_at(session) - before).items() if rows >= OTHERS}
    assert many == {}


@pytest.mark.parametrize("call", ["submit", "delete an ad"])
def test_a_call_does_not_collect_what_all_rows_have(desk_on_a_server: Desk, call: str) -> None:
    """Where the planner expects few ads to be live, it would collect them all, to look one up among them."""
    row = rows_of(desk_on_a_server)
    plans: list[str] = []

    def look(driver: Driver, statement: str, parameters: Any) -> None:
        if statement.startswith("WITH"):
            driver.answered()
            cursor: Any = RawCursor(driver.pooled.driver_connection)  # type: ignore[arg-type]
            plans.extend(line for (line,) in cursor.execute(f"EXPLAIN {statement}", parameters))

    with desk_on_a_server.spark.store.transaction(whole=True) as session, driving(look):
        row["session"] = session
        CALLS[call](desk_on_a_server, row)
    assert [line for line in plans if "SubPlan" in line] != []
    assert [line for line in plans if "hashed SubPlan" in line] == []


def looked_at(session: Session) -> Counter[str]:
    """How many rows of each table this transaction has looked at; what triggers looked at is among them."""
    counted = session.connection().execute(
        text(
            "SELECT relname, seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables "
            "WHERE relname IN ('post', 'video_code', 'spark_ad', 'ad_code')"
        )
    )
    return Counter(dict(counted.all()))
