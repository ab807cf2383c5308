"""A call grows with the rows it touches, not with the portfolio: its statements find rows by an index."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.sparkads.conftest import Desk, opened_desk
from tests.sparkads.places import in_files
from tests.statewright.test_plan import explained

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


@pytest.mark.parametrize("call", CALLS)
def test_no_call_reads_a_whole_table(desk: Desk, call: str) -> None:
    post = desk.post()
    code, other = desk.code(post), desk.post()
    row: dict[str, Any] = {"post": post, "code": code, "ad": desk.ad(post), "pending": desk.pending_code(other)}
    with desk.spark.store.transaction() as session:
        row["session"] = session
        plans = explained(session, lambda: CALLS[call](desk, row))
    # What a cascade has reached, or was asked for by name, is a list; of what is set aside, one row is read.
    lists = ("SCAN reached", "SCAN json_each", "SCAN set_aside")
    scanned = [(line, words) for line, words in plans if line.startswith("SCAN") and not line.startswith(lists)]
    assert scanned == []
