"""The lives of accounts, campaigns and ad groups: short, but what changed and by whom is kept as for the rest."""

from datetime import datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, and_, exists, null, select
from statemachine import State

from sparkads.tables import AdAccount, AdGroup, Campaign, SparkAd, table
from statewright.chart import Chart
from statewright.workflow import Assign, Cascade, Guard, Link, Workflow, argument

_account = table(AdAccount).c
_campaign = table(Campaign).c
_group = table(AdGroup).c
_ad = table(SparkAd).c


class AccountChart(Chart):
    open = State(initial=True)
    closed = State(final=True)

    rename = open.to.itself()
    close = open.to(closed, unless="has_ads")


class CampaignChart(Chart):
    open = State(initial=True)
    deleted = State(final=True)

    set_objective = open.to.itself()
    set_budget = open.to.itself()
    delete = open.to(deleted, unless="has_ads")


class AdGroupChart(Chart):
    open = State(initial=True)
    deleted = State(final=True)

    set_budget = open.to.itself()
    set_location = open.to.itself()
    reschedule = open.to.itself()
    run_on = open.to.itself()
    delete = open.to(deleted, unless="has_ads")


def _has_ads(*of_us: ColumnElement[bool]) -> Guard:
    mine = and_(_ad.state != "deleted", *of_us)
    return Guard(
        "has_ads",
        exists(select(_ad.id).where(mine)),
        "it still has {blockers}; delete those first",
        blockers=select(_ad.id, _ad.name.label("label"), _ad.state).where(mine),
        noun="ad",
    )


def _set(column: Column[Any], kind: type, event: str) -> Assign:
    return Assign(column, argument(column.key, kind), on={event})


accounts = Workflow(
    AdAccount,
    AccountChart,
    guards=[_has_ads(_ad.account_id == _account.id)],
    arguments={"rename": {"name": str}},
    assigns=[_set(_account.name, str, "rename")],
)

campaigns = Workflow(
    Campaign,
    CampaignChart,
    guards=[_has_ads(_ad.ad_group_id == _group.id, _group.campaign_id == _campaign.id)],
    arguments={"set_objective": {"objective": str}, "set_budget": {"budget": int}},
    assigns=[_set(_campaign.objective, str, "set_objective"), _set(_campaign.budget, int, "set_budget")],
)

ad_groups = Workflow(
    AdGroup,
    AdGroupChart,
    guards=[_has_ads(_ad.ad_group_id == _group.id)],
    arguments={
        "set_budget": {"budget": int},
        "set_location": {"location": str},
        "reschedule": {"starts_at": datetime, "ends_at": datetime},
        "run_on": {"starts_at": datetime},
    },
    assigns=[
        _set(_group.budget, int, "set_budget"),
        _set(_group.location, str, "set_location"),
        Assign(_group.starts_at, argument("starts_at", datetime), on={"reschedule", "run_on"}),
        _set(_group.ends_at, datetime, "reschedule"),
        Assign(_group.ends_at, null(), on={"run_on"}),
    ],
    cascades=[
        Cascade(
            "spark_ad",
            "reschedule",
            along=Link(_ad.ad_group_id, _ad.id),
            on={"reschedule", "run_on"},
        ),
    ],
)
