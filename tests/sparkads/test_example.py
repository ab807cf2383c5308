"""The example portfolio shows everything that there is to see, soon after it is imported."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from tests.sparkads.conftest import BEGINNING

from sparkads.importing import Imported, import_file
from sparkads.portfolio import SparkAds
from sparkads.settings import Settings
from sparkads.spark_ad import ads
from sparkads.tables import IDENTITY_KINDS, POST_KINDS
from sparkads.video_code import codes
from statewright.testing import ManualClock

SHEETS = sorted((Path(__file__).parents[2] / "config/example").glob("*.csv"))


def imported(spark: SparkAds, folder: Path) -> list[Imported]:
    return [import_file(spark, sheet, actor="ana", rejects=folder / "rejects.csv") for sheet in SHEETS]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(BEGINNING)


@pytest.fixture
def spark(new_place, tmp_path, clock) -> Iterator[SparkAds]:
    """The example, just imported."""
    spark = SparkAds(new_place().url, settings=Settings(synchronous="NORMAL"), clock=clock)
    assert [(done.kind, done.rejected, done.taken > 10) for done in imported(spark, tmp_path)] == [
        *(("codes", 0, True), ("ads", 0, True)),
    ]
    yield spark
    spark.close()


@pytest.mark.parametrize("days", [0, 1, 40, 400])
def test_importing_it_again_and_again_is_harmless(spark, clock, tmp_path, days):
    before = [len(spark.codes.list(limit=None)), len(spark.ads.list(limit=None))]
    clock.advance(days=days, seconds=1)
    spark.tick(pause=0)
    assert [(done.taken, done.rejected) for done in imported(spark, tmp_path)] == [(0, 0), (0, 0)]
    assert [len(spark.codes.list(limit=None)), len(spark.ads.list(limit=None))] == before


def test_it_has_codes_and_ads_in_every_state(spark):
    assert {code.state for code in spark.codes.list(limit=None)} == set(codes.decisions.states)
    assert {ad.state for ad in spark.ads.list(limit=None)} == set(ads.decisions.states)


def test_it_says_of_each_code_and_ad_what_becomes_of_it(spark):
    for sheet in SHEETS:
        text = sheet.read_text()
        for state in (codes if "code," in text.splitlines()[0] else ads).decisions.states:
            assert f",{state}," in text


def test_it_has_posts_of_two_creators_and_every_kind_of_identity(spark):
    assert {post.kind for post in spark.posts.list(limit=None)} == set(POST_KINDS)
    assert {post.origin for post in spark.posts.list(limit=None)} >= {"tiktok", "uploaded", "creative_tools"}
    kinds = {one.kind for account in spark.accounts.list() for one in spark.accounts.identities(account)}
    assert kinds == set(IDENTITY_KINDS)


def test_an_ad_waits_for_the_code_of_the_second_creator(spark):
    (ad,) = (ad for ad in spark.ads.list(limit=None) if ad.name == "Painted train")
    assert ad.state == "pending"
    assert "the original post 7301000000000000015 by @kai.travels" in spark.ads.waiting_for(ad)


def test_some_ads_outlast_their_codes(spark):
    assert {"New shoes", "Onion"} <= {ad.name for ad in spark.ads.uncovered()}


def test_within_two_minutes_the_daemon_has_something_to_do(spark, clock):
    moved: dict[tuple[str, str], int] = {}
    for _ in range(12):
        clock.advance(seconds=10)
        for what, rows in spark.tick(pause=0).moved.items():
            moved[what] = moved.get(what, 0) + rows
    assert moved == {
        ("video_code", "expire"): 1,
        ("spark_ad", "lose_authorization"): 1,
        ("video_code", "remind"): 2,
        ("spark_ad", "end"): 1,
    }


def test_the_first_thing_happens_within_a_minute(spark, clock):
    status = spark.rehearse(clock.now() + timedelta(minutes=1))
    assert status.moved[("video_code", "expire")] == 1
