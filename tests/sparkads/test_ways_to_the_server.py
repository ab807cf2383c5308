"""A call goes to a server and back as seldom as it can, and is still made as a whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.sparkads.conftest import Desk, opened_desk
from tests.sparkads.places import on_server

from statewright.errors import Conflict


@pytest.fixture
def desk(postgres: str) -> Iterator[Desk]:
    with on_server(postgres) as new_place:
        yield from opened_desk(new_place())


def test_a_code_that_no_ad_waits_for_is_authorized_in_one(desk, ways):
    code = desk.pending_code(desk.post())
    ways.clear()
    assert desk.spark.codes.authorize(code, actor="tiktok").state == "authorized"
    assert len(ways) == 1
    assert desk.state(code) == "authorized"


def test_ads_that_wait_for_it_go_with_it(desk, ways):
    post = desk.post()
    code, ad = desk.pending_code(post), desk.ad(post)
    desk.sql("ALTER TABLE spark_ad ADD CONSTRAINT nobody CHECK (state <> 'authorized') NOT VALID")
    with pytest.raises(Conflict, match="nobody"):
        desk.spark.codes.authorize(code, actor="tiktok")
    assert desk.states(code, ad) == ["pending", "pending"]

    desk.sql("ALTER TABLE spark_ad DROP CONSTRAINT nobody")
    ways.clear()
    desk.spark.codes.authorize(code, actor="tiktok")
    assert len(ways) > 1
    assert desk.states(code, ad) == ["authorized", "authorized"]


def test_an_ad_is_submitted_in_two_and_its_code_with_it(desk, ways):
    post = desk.post()
    code = desk.code(post)
    ad = desk.ad(post)
    desk.sql("ALTER TABLE video_code ADD CONSTRAINT nobody CHECK (state <> 'in_review') NOT VALID")
    with pytest.raises(Conflict, match="nobody"):
        desk.spark.ads.submit(ad, actor="alice")
    assert desk.states(code, ad) == ["authorized", "authorized"]

    desk.sql("ALTER TABLE video_code DROP CONSTRAINT nobody")
    ways.clear()
    assert desk.spark.ads.submit(ad, actor="alice").state == "in_review"
    assert len(ways) == 2
    assert desk.states(code, ad) == ["in_review", "in_review"]


def test_what_is_called_in_a_transaction_of_the_callers_own_ends_with_that(desk):
    codes = [desk.pending_code(desk.post()) for _ in range(2)]
    with desk.spark.transaction() as session:
        for each in codes:
            desk.spark.codes.authorize(each, actor="tiktok", session=session)
        session.rollback()
    assert desk.states(*codes) == ["pending", "pending"]
