"""Campaigns and their ad groups: what must be complete before an ad is submitted."""

from __future__ import annotations

import reprlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, true
from sqlmodel import Session, col
from sqlmodel import select as select_rows

from sparkads.campaign import ad_groups, campaigns
from sparkads.errors import RuleBroken, WrongInput
from sparkads.portfolio.noun import Noun, aware, id_of, matching, text
from sparkads.tables import AdAccount, AdGroup, Campaign


class Campaigns(Noun[Campaign]):
    """Campaigns. Every verb raises UnknownRow for an id that is not there."""

    workflow = campaigns
    row = Campaign

    def create(
        self,
        name: str,
        *,
        actor: str,
        account: AdAccount | int | None = None,
        objective: str | None = None,
        budget: int | None = None,
        key: str | None = None,
        session: Session | None = None,
    ) -> Campaign:
        """A new campaign; what is left out must be set before an ad of it is submitted.

        account:   the only one, unless given
        objective: e.g. "traffic", "conversions", "reach"
        budget:    a day, in whole currency units, 1 or more
        """
        name = text("a name for the campaign", name)
        objective = text("an objective", objective) if objective is not None else None
        with self.spark.call(session) as writing:
            if replayed := self._replayed(writing, key):
                return replayed
            account_id = id_of(self.spark.accounts.meant(account, session=writing))
            if self.named(account_id, name, session=writing):
                raise RuleBroken(f'cannot create campaign "{name}": the account has one of this name')
            values = {"account_id": account_id, "name": name, "objective": objective, "budget": money(budget)}
            return self._begin(writing, self._insert(writing, values), actor=actor, key=key)

    def named(self, account: AdAccount | int, name: str, *, session: Session | None = None) -> Campaign | None:
        """The account's campaign of this name, if there is one."""
        with self.spark.reading(session) as reading:
            return reading.exec(
                select_rows(Campaign).where(col(Campaign.account_id) == id_of(account), col(Campaign.name) == name)
            ).one_or_none()

    def set_objective(
        self, campaign: Campaign | int, objective: str, *, actor: str, session: Session | None = None
    ) -> Campaign:
        """What the campaign is to reach."""
        objective = text("an objective", objective)
        return self._fire("set_objective", campaign, actor=actor, session=session, objective=objective)

    def set_budget(
        self, campaign: Campaign | int, budget: int, *, actor: str, session: Session | None = None
    ) -> Campaign:
        """What it may cost a day, in whole currency units."""
        return self._fire("set_budget", campaign, actor=actor, session=session, budget=money(budget))

    def delete(self, campaign: Campaign | int, *, actor: str, session: Session | None = None) -> Campaign:
        """Remove it. Raises GuardRefused while it has ads that are not deleted."""
        return self._fire("delete", campaign, actor=actor, session=session)

    def _where(self, session: Session, **selection: Any) -> ColumnElement[bool]:
        return _selected_campaigns(**selection)


class AdGroups(Noun[AdGroup]):
    """Ad groups. Every verb raises UnknownRow for an id that is not there."""

    workflow = ad_groups
    row = AdGroup

    def create(
        self,
        campaign: Campaign | int,
        name: str,
        *,
        actor: str,
        location: str | None = None,
        budget: int | None = None,
        starts_at: datetime | None = None,
        ends_at: datetime | None = None,
        key: str | None = None,
        session: Session | None = None,
    ) -> AdGroup:
        """A new ad group; location, budget and start must be set before an ad of it is submitted.

        starts_at, ends_at: its schedule, with time zone; without an end it runs on
        """
        name = text("a name for the ad group", name)
        location = text("a location", location) if location is not None else None
        check_schedule(starts_at, ends_at)
        with self.spark.call(session) as writing:
            if replayed := self._replayed(writing, key):
                return replayed
            owner = self.spark.campaigns.get(campaign, session=writing)
            if owner.state != "open":
                raise RuleBroken(f'cannot create ad group "{name}": its campaign "{owner.name}" is deleted')
            if self.named(owner, name, session=writing):
                raise RuleBroken(f'cannot create ad group "{name}": the campaign has one of this name')
            values = {
                "campaign_id": id_of(owner),
                "name": name,
                "location": location,
                "budget": money(budget),
                "starts_at": starts_at,
                "ends_at": ends_at,
            }
            return self._begin(writing, self._insert(writing, values), actor=actor, key=key)

    def named(self, campaign: Campaign | int, name: str, *, session: Session | None = None) -> AdGroup | None:
        """The campaign's ad group of this name, if there is one."""
        with self.spark.reading(session) as reading:
            return reading.exec(
                select_rows(AdGroup).where(col(AdGroup.campaign_id) == id_of(campaign), col(AdGroup.name) == name)
            ).one_or_none()

    def set_budget(
        self, ad_group: AdGroup | int, budget: int, *, actor: str, session: Session | None = None
    ) -> AdGroup:
        """What it may cost a day, in whole currency units."""
        return self._fire("set_budget", ad_group, actor=actor, session=session, budget=money(budget))

    def set_location(
        self, ad_group: AdGroup | int, location: str, *, actor: str, session: Session | None = None
    ) -> AdGroup:
        """Where its ads are shown."""
        location = text("a location", location)
        return self._fire("set_location", ad_group, actor=actor, session=session, location=location)

    def reschedule(
        self,
        ad_group: AdGroup | int,
        *,
        starts_at: datetime,
        ends_at: datetime | None,
        actor: str,
        session: Session | None = None,
    ) -> AdGroup:
        """Another schedule; ads that had ended with the old one are authorized again if their codes are.

        ends_at: None lets it run on
        """
        check_schedule(starts_at, ends_at)
        if ends_at is None:
            return self._fire("run_on", ad_group, actor=actor, session=session, starts_at=starts_at)
        return self._fire(
            "reschedule", ad_group, actor=actor, session=session, starts_at=starts_at, ends_at=ends_at
        )

    def delete(self, ad_group: AdGroup | int, *, actor: str, session: Session | None = None) -> AdGroup:
        """Remove it. Raises GuardRefused while it has ads that are not deleted."""
        return self._fire("delete", ad_group, actor=actor, session=session)

    def _where(self, session: Session, **selection: Any) -> ColumnElement[bool]:
        return _selected_groups(**selection)


def money(budget: int | None) -> int | None:
    """A daily budget in whole currency units, 1 or more. Raises WrongInput."""
    if budget is not None and (type(budget) is not int or not 0 < budget < 10**12):
        raise WrongInput(f"expected a budget a day of 1 or more, a whole number, got {reprlib.repr(budget)}")
    return budget


def check_schedule(starts_at: datetime | None, ends_at: datetime | None) -> None:
    """Raises WrongInput for instants that cannot be, or an end before the start."""
    aware("the start of the schedule", starts_at)
    aware("the end of the schedule", ends_at)
    if starts_at and ends_at and ends_at <= starts_at:
        raise WrongInput(
            f"expected the schedule to end after it starts, got {starts_at.isoformat()} to {ends_at.isoformat()}"
        )


def _selected_campaigns(
    *,
    ids: Sequence[int] | None = None,
    state: str | Sequence[str] | None = None,
    account: AdAccount | int | None = None,
    name: str | None = None,
) -> ColumnElement[bool]:
    return and_(
        true(),
        *([col(Campaign.id).in_(ids)] if ids is not None else []),
        *matching(Campaign.state, state),
        *([col(Campaign.account_id) == id_of(account)] if account is not None else []),
        *matching(Campaign.name, name),
    )


def _selected_groups(
    *,
    ids: Sequence[int] | None = None,
    state: str | Sequence[str] | None = None,
    campaign: Campaign | int | None = None,
    name: str | None = None,
) -> ColumnElement[bool]:
    return and_(
        true(),
        *([col(AdGroup.id).in_(ids)] if ids is not None else []),
        *matching(AdGroup.state, state),
        *([col(AdGroup.campaign_id) == id_of(campaign)] if campaign is not None else []),
        *matching(AdGroup.name, name),
    )
