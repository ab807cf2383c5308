"""The shop of docs/migrations.md in two versions: its charts, its tables, and the revision between them."""

from __future__ import annotations

import re
from pathlib import Path

from sqlalchemy import Column, ForeignKey, MetaData, Table, Text, UniqueConstraint
from statemachine import State

from statewright.chart import Chart
from statewright.dialects import Identifier, Instant
from statewright.store import Schema
from statewright.tables import NAMES
from statewright.workflow import Deadline, Workflow

PAGE = Path(__file__).parents[2] / "docs/migrations.md"

FIRST = """
revision = "shop_1"
down_revision = None
branch_labels = ("shop",)
def upgrade(): pass
"""
SECOND = re.search(r"```python\n(# shop/migrations/versions/shop_2.py\n.*?)```", PAGE.read_text(), re.DOTALL)[1]  # type: ignore[index]
"""As it stands in the page."""


class ParcelChart(Chart):
    packed = State(initial=True)
    sent = State()
    delivered = State(final=True)

    ship = packed.to(sent)
    deliver = sent.to(delivered)


class ParcelThatMayBeLost(Chart):
    packed = State(initial=True)
    sent = State()
    delivered = State(final=True)
    lost = State(final=True)

    ship = packed.to(sent)
    deliver = sent.to(delivered)
    give_up = sent.to(lost)


def parcels(chart: type[Chart], *, lost: bool) -> Workflow:
    """The parcels in one version, as the shop declares them."""
    table = Table(
        "parcel",
        MetaData(naming_convention=NAMES),
        Column("id", Identifier, primary_key=True),
        Column("state", Text, nullable=False),
        Column("carrier", Text, nullable=False),
        Column("box_id", ForeignKey("parcel.id")),
        *([Column("give_up_at", Instant)] if lost else []),
        UniqueConstraint("box_id", "carrier"),
    )
    return Workflow(table, chart, deadlines=[Deadline("give_up", at=table.c.give_up_at)] if lost else [])


THEN = parcels(ParcelChart, lost=False)
NOW = parcels(ParcelThatMayBeLost, lost=True)
SCHEMA_THEN = Schema("shop", version=1, tables=THEN.table.metadata)
SCHEMA_NOW = Schema(
    "shop", version=2, tables=NOW.table.metadata, migrations="shop.migrations", command="shop upgrade"
)
