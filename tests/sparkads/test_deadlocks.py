"""A deadlock that another program forces: a verb begins again by itself, the caller's own transaction does not."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from tests.sparkads.conftest import Desk, opened_desk
from tests.sparkads.places import Database, on_server
from tests.sparkads.test_daemons import until

from sparkads.importing import import_file
from statewright.errors import StoreError


@pytest.fixture
def desk(postgres: str) -> Iterator[Desk]:
    """On a server: in a file, who writes is alone, and nobody waits for anybody's rows."""
    with on_server(postgres) as new_place:
        yield from opened_desk(new_place())


@contextmanager
def somebody_in_the_way(place: Database) -> Iterator[None]:
    """Another program locks the codes, then the posts; verbs lock the posts first.

    Both wait for each other, and the server ends what began to wait first: the verb.
    """
    done = threading.Event()
    holding = threading.Event()

    def lock() -> None:
        with place.connected() as other, other.transaction():
            other.execute("SET LOCAL deadlock_timeout = '1min'")
            other.execute("SELECT id FROM video_code FOR UPDATE")
            holding.set()
            until(lambda: done.is_set() or waited_for(other))
            other.execute("SELECT id FROM post FOR UPDATE")

    def waited_for(other: psycopg.Connection[Any]) -> bool:
        with place.connected() as observer:
            waiting = "SELECT 1 FROM pg_stat_activity WHERE %s = ANY(pg_blocking_pids(pid))"
            return observer.execute(waiting, (other.info.backend_pid,)).fetchone() is not None

    thread = threading.Thread(target=lock)
    thread.start()
    assert holding.wait(30)
    try:
        yield
    finally:
        done.set()
        thread.join()


def test_a_verb_that_a_deadlock_undid_is_begun_again(desk):
    code = desk.code(desk.post())
    with somebody_in_the_way(desk.place):
        extended = desk.spark.codes.extend(code, days=30, actor="mia")
    assert (extended.expires_at - code.expires_at).days == 30
    assert [entry.event for entry in desk.spark.codes.history(code)].count("extend") == 1


def test_a_callers_own_transaction_is_not_begun_again(desk):
    code = desk.code(desk.post())
    begun = []

    def caller() -> None:
        with desk.spark.transaction() as session:
            begun.append(session)
            desk.spark.codes.extend(code, days=30, actor="mia", session=session)

    with somebody_in_the_way(desk.place), pytest.raises(StoreError, match="ended a deadlock") as clash:
        caller()
    assert clash.value.clashed
    assert len(begun) == 1
    assert desk.spark.codes.get(code).expires_at == code.expires_at


def test_a_chunk_of_an_import_that_a_deadlock_undid_is_begun_again(desk, tmp_path):
    post = desk.post("mia")
    desk.code(post)
    sheet = tmp_path / "ads.csv"
    sheet.write_text(
        "campaign,ad_group,name,post,creator\n"
        f"Spring,Germany,first,{post.item_id},mia\n"
        f"Spring,Germany,second,{post.item_id},leo\n"
    )
    with somebody_in_the_way(desk.place):
        done = import_file(desk.spark, sheet, actor="ana")
    assert (done.taken, done.rejected) == (1, 1)
    assert done.rejects is not None
    assert len(done.rejects.read_text().splitlines()) == 2
    assert [(ad.name, ad.state) for ad in desk.spark.ads.list()] == [("first", "authorized")]
