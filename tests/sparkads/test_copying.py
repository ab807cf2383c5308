"""A portfolio moves to another database with its whole history, and lives on there as it would have here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select
from tests.sparkads.conftest import Desk
from tests.sparkads.places import File
from tests.sparkads.test_example import SHEETS
from tests.statewright.test_copying import everything

from sparkads.importing import import_file
from sparkads.portfolio import SparkAds
from sparkads.settings import Settings
from sparkads.tables import VideoCode
from statewright.copying import copy
from statewright.testing import temporary_database


@pytest.fixture
def full(desk: Desk, tmp_path: Path) -> Desk:
    """The example, a post whose first code was deleted with its ad, a duet of it, keys, reminders and causes."""
    spark = desk.spark
    for sheet in SHEETS:
        import_file(spark, sheet, actor="ana", rejects=tmp_path / "rejects.csv")
    post = desk.post()
    first = desk.code(post)
    spark.ads.delete(desk.live(post), actor="ana")
    spark.codes.delete(first, actor="ana")
    spark.codes.extend(desk.code(post, days=7), days=30, actor="mia", key="mail 17")
    desk.live(post)
    desk.duet(post)
    desk.pass_time(days=31)
    return desk


@pytest.fixture
def moved(full: Desk, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SparkAds]:
    """Its copy in a database of the other kind."""
    there: Any = nullcontext(f"sqlite:///{tmp_path}/copy.db")
    if isinstance(full.place, File):
        there = temporary_database(request.getfixturevalue("postgres"))
    with there as url:
        spark = SparkAds(url, settings=Settings(synchronous="NORMAL"), clock=full.clock)
        copy(full.spark.store, spark.store)
        yield spark
        spark.close()


def secrets(spark: SparkAds) -> list[str]:
    with spark.reading() as session:
        return [
            code.code.get_secret_value() for code in session.exec(select(VideoCode).order_by(col(VideoCode.id)))
        ]


def states_of(spark: SparkAds) -> list[str]:
    return [code.state for code in spark.codes.list(limit=None)] + [ad.state for ad in spark.ads.list(limit=None)]


def histories(spark: SparkAds) -> list[Any]:
    nouns: list[Any] = [spark.accounts, spark.posts, spark.codes, spark.campaigns, spark.ad_groups, spark.ads]
    return [noun.history(row) for noun in nouns for row in noun.list(limit=None)]


def test_rows_histories_and_secrets_are_the_same_on_both_sides(full: Desk, moved: SparkAds) -> None:
    assert everything(moved.store) == everything(full.spark.store)
    assert histories(moved) == histories(full.spark)
    assert secrets(moved) == secrets(full.spark)
    told = [entry for history in histories(moved) for entry in history]
    assert {"start", "authorize", "remind", "expire", "delete"} <= {entry.event for entry in told}
    assert any(entry.key == "mail 17" and entry.payload for entry in told)
    assert any(entry.cause for entry in told)


def test_time_ends_the_same_codes_and_ads_on_both_sides(full: Desk, moved: SparkAds) -> None:
    full.clock.advance(days=300)
    here, there = (spark.tick(pause=0) for spark in (full.spark, moved))
    assert here.moved == there.moved
    assert here.moved["video_code", "expire"] > 1
    assert here.moved["spark_ad", "lose_authorization"] > 1
    assert states_of(moved) == states_of(full.spark)


def test_work_goes_on_with_new_ids_and_known_keys(full: Desk, moved: SparkAds) -> None:
    last = max(code.id or 0 for code in moved.codes.list(limit=None))
    (extended,) = {entry.row_id for history in histories(moved) for entry in history if entry.key == "mail 17"}
    moved.codes.extend(extended, days=30, actor="mia", key="mail 17")
    assert histories(moved) == histories(full.spark)

    post = moved.posts.list(limit=1)[0]
    facts: dict[str, Any] = {"days": 30, "issued_at": full.now, "account": full.brand.id, "actor": "ana"}
    code = moved.codes.receive(full.secret(), post=post, **facts)

    assert code.id is not None
    assert code.id > last
    assert [entry.event for entry in moved.codes.history(code)] == ["start"]


def test_no_sql_gets_round_the_rules_of_a_copy(moved: SparkAds) -> None:
    for statement in (
        "UPDATE video_code SET state = 'deleted', deleted_at = issued_at",
        "UPDATE transition SET actor = 'nobody'",
    ):
        with pytest.raises(IntegrityError), moved.transaction() as session:
            session.connection().exec_driver_sql(statement)
    assert moved.store.drift() == []
