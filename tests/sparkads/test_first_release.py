"""What the first release has written comes to today's tables: every row, every move, every deadline."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from tests.sparkads import first_release
from tests.sparkads.first_release import ENDS_AT, LEFT_AT
from tests.sparkads.stops import worked_out

from sparkads.portfolio import SparkAds
from sparkads.settings import Settings
from sparkads.tables import SCHEMA
from statewright.errors import SchemaVersionError
from statewright.log import entries
from statewright.store import Store
from statewright.subscriber import deliver
from statewright.testing import ManualClock, Recorder, replay, states


@pytest.fixture
def released(empty_url: str) -> str:
    first_release.restore(empty_url)
    return empty_url


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(LEFT_AT)


@pytest.fixture
def upgraded(released: str, clock: ManualClock) -> Iterator[SparkAds]:
    upgrade(released)
    with closing(SparkAds(released, settings=Settings(synchronous="NORMAL"), clock=clock)) as spark:
        yield spark


def upgrade(url: str) -> None:
    with closing(Store(url, schema=SCHEMA, any_version=True)) as store:
        taken = [step.revision for step in store.upgrade()]
        assert {f"{name}_{version}" for name, version in store.expected.items()} <= {*taken}


def test_the_program_says_which_command_helps(released: str) -> None:
    with pytest.raises(SchemaVersionError) as why:
        SparkAds(released, settings=Settings())
    said = str(why.value)
    assert "its statewright tables are of version 1, this program expects " in said
    assert said.endswith("; run `sparkads db upgrade`")


def test_every_row_is_there_as_it_was(released: str) -> None:
    tables = first_release.columns(released)
    before = first_release.contents(released, tables)
    assert len(before["transition"]) == 95
    assert len(before["video_code"]) == 9
    upgrade(released)
    assert first_release.contents(released, tables) == before


def test_the_tables_are_those_of_a_new_portfolio_even_in_the_words_of_a_dump(upgraded: SparkAds) -> None:
    assert upgraded.store.drift() == []
    assert upgraded.store.versions() == upgraded.store.expected


def test_the_history_is_told_and_leads_to_the_present(upgraded: SparkAds) -> None:
    moves = [(move.event, move.target, move.actor) for move in upgraded.codes.history(2)]
    assert moves[0] == ("start", "pending", "ana")
    assert moves[-1] == ("expire", "expired", "daemon")
    (stop,) = [move for move in upgraded.ads.history(2) if move.target == "expired"]
    assert stop.at == upgraded.codes.history(2)[-1].at
    with upgraded.reading() as session:
        assert replay(entries(session)) == states(session, upgraded.workflows)


def test_every_ad_knows_when_it_will_stop(upgraded: SparkAds) -> None:
    with upgraded.reading() as session:
        stops = worked_out(session)
    assert stops[6] == (ENDS_AT, ENDS_AT)
    assert [ad for ad, (said, found) in stops.items() if said != found] == []


def test_what_was_deleted_tells_since_when(released: str, clock: ManualClock) -> None:
    first_release.tell(released, "UPDATE video_code SET state = 'deleted' WHERE id = 8")
    upgrade(released)
    with closing(SparkAds(released, settings=Settings(synchronous="NORMAL"), clock=clock)) as spark:
        assert spark.codes.get(7).deleted_at == spark.codes.history(7)[-1].at
        assert spark.ads.get(9).deleted_at == spark.ads.history(9)[-1].at
        assert spark.codes.get(8).deleted_at is not None, "its history knows nothing of it"
        assert spark.codes.get(1).deleted_at is None


def test_a_tick_moves_what_is_due(upgraded: SparkAds, clock: ManualClock) -> None:
    assert upgraded.tick(pause=0).moved == {}
    clock.set(ENDS_AT - timedelta(microseconds=1))
    upgraded.tick(pause=0)
    assert [upgraded.codes.get(code).state for code in (4, 6)] == ["pending", "live"]
    clock.set(ENDS_AT)
    moved = upgraded.tick(pause=0).moved
    assert moved["video_code", "expire"] == 2
    assert [upgraded.codes.get(code).state for code in (1, 4, 6)] == ["live", "expired", "expired"]
    assert upgraded.ads.get(6).state == "expired"


def test_a_call_that_was_made_before_is_not_made_again(upgraded: SparkAds) -> None:
    before = upgraded.codes.get(1).expires_at
    upgraded.codes.extend(1, days=30, actor="mia", key="extend-mia")
    assert upgraded.codes.get(1).expires_at == before
    upgraded.codes.extend(1, days=30, actor="mia", key="another")
    assert upgraded.codes.get(1).expires_at == before + timedelta(days=30)


def test_a_subscriber_goes_on_where_it_was(upgraded: SparkAds) -> None:
    ledger = Recorder("ledger")
    deliver(upgraded.store, ledger)
    assert [entry.id for entry in ledger.entries] == [94, 95]
    assert [row.transition_id for row in upgraded.status().undelivered] == [70]


def test_the_rules_of_the_database_stand(upgraded: SparkAds) -> None:
    for broken in (
        "UPDATE transition SET actor = 'nobody'",
        "DELETE FROM transition",
        "UPDATE video_code SET state = 'deleted', deleted_at = issued_at WHERE id = 1",
        "UPDATE spark_ad SET state = 'lost' WHERE id = 1",
    ):
        with pytest.raises(IntegrityError), upgraded.transaction() as session:
            session.connection().execute(text(broken))
