"""An application whose chart has changed opens its database again, with every row, after an upgrade."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from tests.statewright import shop
from tests.statewright.conftest import Revise
from tests.statewright.halls import insert_rows

from statewright.errors import DefinitionError, SchemaVersionError, StoreError
from statewright.log import history
from statewright.migrations import ENGINE, Step
from statewright.step import tick
from statewright.store import Schema, Store
from statewright.testing import BEGINNING, ManualClock, temporary_database
from statewright.transition import fire, start
from statewright.workflows import Workflows

LOSSES = Step("shop_2", "A parcel may be lost, and is given up some day.")
BREAK = """
revision = "shop_2"
down_revision = "shop_1"
from alembic import op
def upgrade():
    op.execute("UPDATE parcel SET state = 'stolen'")
"""
UNLINKED = shop.SECOND.replace('down_revision = "shop_1"', "down_revision = None")
LOOK_AT_THE_TIMEOUTS = """
revision = "shop_2"
down_revision = "shop_1"
from alembic import op
def upgrade():
    op.execute(
        "CREATE TABLE timeouts AS SELECT setting FROM pg_settings WHERE name IN "
        "('lock_timeout', 'statement_timeout', 'idle_in_transaction_session_timeout')"
    )
"""
THIRD = """
revision = "shop_3"
down_revision = "shop_2"
def upgrade(): pass
"""
STOP_BEFORE_THE_THIRD = """
import sys
from tests.statewright.shop import NOW
from statewright.store import Schema, Store

def tell(step):
    if step.revision == "shop_3":
        print("nearly done", flush=True)
        sys.stdin.read()

schema = Schema("shop", 3, NOW.table.metadata, migrations="shop.migrations")
Store(sys.argv[1], schema=schema, any_version=True).upgrade(tell=tell)
"""


@pytest.fixture
def old(url: str) -> str:
    """The database of a shop of version 1: three parcels, one of them sent without a carrier."""
    with closing(opened(url, shop.SCHEMA_THEN)) as store, store.transaction() as session:
        insert_rows(session, shop.THEN, [{"carrier": carrier} for carrier in ("post", "none", "bike")])
        start(session, shop.THEN, shop.THEN.id > 0, actor="ana")
        fire(session, shop.THEN, "ship", 2, actor="ana")
        fire(session, shop.THEN, "ship", 3, actor="ana")
    return url


def opened(url: str, schema: Schema, **options: Any) -> Store:
    return Store(url, **{"schema": schema, "clock": ManualClock(), "synchronous": "NORMAL", **options})


def state_of_parcels(store: Store) -> list[str]:
    with store.reading() as session:
        return list(session.connection().execute(text("SELECT state FROM parcel ORDER BY id")).scalars())


def test_a_chart_with_a_new_state_and_a_new_deadline_is_lived_by_after_an_upgrade(
    old: str, revise: Revise
) -> None:
    revise("shop", shop.FIRST, shop.SECOND)
    with closing(opened(old, shop.SCHEMA_NOW, any_version=True)) as store:
        told: list[Step] = []
        assert store.versions() == {"statewright": ENGINE.version, "shop": 1}
        assert store.upgrade(tell=told.append) == told == [LOSSES]
        assert store.versions() == store.expected == {"statewright": ENGINE.version, "shop": 2}
        assert store.upgrade() == []
    clock = ManualClock()
    with closing(opened(old, shop.SCHEMA_NOW, clock=clock)) as store:
        assert store.drift() == []
        assert state_of_parcels(store) == ["packed", "lost", "sent"]
        with store.transaction() as session:
            session.connection().execute(shop.NOW.table.update().values(give_up_at=BEGINNING))
            assert [entry.event for entry in history(session, "parcel", 3)] == ["start", "ship"]
        clock.advance(days=1)
        assert tick(store, Workflows(shop.NOW)).moved == {("parcel", "give_up"): 1}
        assert state_of_parcels(store) == ["packed", "lost", "lost"]
        with pytest.raises(IntegrityError), store.transaction() as session:
            session.connection().execute(text("UPDATE parcel SET state = 'stolen'"))


def test_whoever_opens_older_tables_is_told_what_to_run(old: str) -> None:
    with pytest.raises(SchemaVersionError) as why:
        opened(old, shop.SCHEMA_NOW)
    assert str(why.value).endswith(
        '": its shop tables are of version 1, this program expects 2; run `shop upgrade`'
    )
    assert (why.value.found, why.value.expected) == (1, 2)


def test_older_tables_are_compared_with_todays(old: str) -> None:
    with closing(opened(old, shop.SCHEMA_NOW, any_version=True)) as store:
        said = store.drift()
    assert said[0] == "the shop tables are of version 1, expected 2"
    assert "ix_parcel_give_up_at is missing" in said


def test_a_rule_that_the_rows_break_is_named(old: str, revise: Revise) -> None:
    revise("shop", shop.FIRST, BREAK)
    with closing(opened(old, shop.SCHEMA_NOW, any_version=True)) as store:
        with pytest.raises(StoreError) as why:
            store.upgrade()
        assert str(why.value) == (
            f'cannot upgrade the database "{store.name}": CHECK constraint failed: ck_parcel_state'
        )
        assert store.versions()["shop"] == 1


@pytest.mark.parametrize("revisions", [[shop.FIRST], [shop.FIRST, UNLINKED]])
def test_revisions_that_do_not_lead_to_the_version_are_named(
    old: str, revise: Revise, revisions: list[str]
) -> None:
    revise("shop", *revisions)
    with closing(opened(old, shop.SCHEMA_NOW, any_version=True)) as store:
        with pytest.raises(DefinitionError) as why:
            store.upgrade()
        assert str(why.value) == (
            "schema shop: the revisions of shop.migrations do not lead from shop_1 to shop_2"
        )


def test_an_upgrade_that_is_killed_leaves_the_old_database_in_use(old: str, revise: Revise) -> None:
    revise("shop", shop.FIRST, shop.SECOND, THIRD)
    process = subprocess.Popen(
        [sys.executable, "-c", STOP_BEFORE_THE_THIRD, old],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"nearly done\n"
        process.kill()
    with closing(opened(old, shop.SCHEMA_THEN)) as store:
        assert store.drift() == []
        assert state_of_parcels(store) == ["packed", "sent", "sent"]
        with store.transaction() as session:
            fire(session, shop.THEN, "ship", 1, actor="ana")
    with closing(opened(old, shop.SCHEMA_NOW, any_version=True)) as store:
        assert store.upgrade() == [LOSSES]
        assert state_of_parcels(store) == ["sent", "lost", "sent"]


def test_an_upgrade_may_take_longer_than_anything_else_on_a_server(postgres: str, revise: Revise) -> None:
    revise("shop", shop.FIRST, LOOK_AT_THE_TIMEOUTS)
    with temporary_database(postgres) as url:
        opened(url, shop.SCHEMA_THEN).close()
        with closing(opened(url, shop.SCHEMA_NOW, any_version=True)) as store:
            store.upgrade()
            with store.transaction() as session:
                found = session.connection().execute(text("SELECT setting FROM timeouts")).scalars().all()
                assert found == ["0", "0", "0"]
                assert session.connection().execute(text("SHOW lock_timeout")).scalar_one() == "5s"


def test_a_database_of_somebody_else_is_not_filled_with_tables(url: str, revise: Revise) -> None:
    revise("shop", shop.FIRST)
    with closing(opened(url, shop.SCHEMA_THEN, any_version=True)) as store:
        with store.transaction() as session:
            session.connection().execute(text("CREATE TABLE parcel (id INTEGER)"))
        with pytest.raises(StoreError, match='it has a table "parcel" that this program did not make'):
            store.upgrade()
        assert store.versions() == {}
