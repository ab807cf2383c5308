"""The campaigns and ad groups that rows name: found and compared with what the rows say of them, or made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import and_, select
from sqlmodel import Session

from sparkads.campaign import accounts, ad_groups, campaigns
from sparkads.errors import RuleBroken, WrongInput
from sparkads.importing.beginning import Beginning, begin
from sparkads.importing.cells import choice, instant, is_relative, whole
from sparkads.portfolio.campaigns import check_schedule, money
from sparkads.portfolio.noun import text
from statewright.dialects import among
from statewright.many import insert_all
from statewright.session import hold, locking
from statewright.transition import fire
from statewright.workflow import Workflow

_account, _campaign, _group = accounts.table.c, campaigns.table.c, ad_groups.table.c
_OF_GROUP = (_group.location, _group.budget, _group.starts_at, _group.ends_at)
_accounts = select(_account.id).where(among(_account.name, "accounts"))
_campaigns = select(_campaign.id).where(_campaign.account_id.in_(_accounts), among(_campaign.name, "campaigns"))
_LOCKS = (
    locking(_group.id, and_(_group.campaign_id.in_(_campaigns), among(_group.name, "groups"))),
    locking(_campaign.id, _campaign.id.in_(_campaigns)),
    locking(_account.id, _account.id.in_(_accounts)),
)
"""In the order of the verb that makes an ad."""
_Place = tuple[str, ...]
"""Names from the account downwards."""
_WORDS = {"starts_at": "start", "ends_at": "end"}


@dataclass(frozen=True, slots=True)
class GroupFacts:
    """What a row says of its campaign and ad group; facts are None where it says nothing.

    fixed: whether its instants are told as such, and not as so long before or after the import
    """

    account: str
    campaign: str
    name: str
    campaign_state: str
    state: str
    of_campaign: Mapping[str, Any]
    of_group: Mapping[str, Any]
    fixed: bool


def group_facts(account: str, cells: Mapping[str, str], *, now: datetime) -> GroupFacts:
    """What the cells of a row say of its campaign and ad group. Raises WrongInput."""

    def told(column: str, read: Callable[[str, str], Any]) -> Any:
        cell = cells.get(column, "")
        return read(column, cell) if cell.strip() else None

    def state(column: str) -> str:
        return told(column, lambda name, cell: choice(name, cell, ("open", "deleted"))) or "open"

    starts_at, ends_at = (
        told(column, lambda name, cell: instant(name, cell, now=now)) for column in ("starts_at", "ends_at")
    )
    check_schedule(starts_at, ends_at)
    return GroupFacts(
        account=account,
        campaign=text("the campaign's name", cells.get("campaign", "")),
        name=text("the ad group's name", cells.get("ad_group", "")),
        campaign_state=state("campaign_state"),
        state=state("ad_group_state"),
        of_campaign={
            "objective": told("objective", text),
            "budget": money(told("campaign_budget", whole)),
        },
        of_group={
            "location": told("location", text),
            "budget": money(told("ad_group_budget", whole)),
            "starts_at": starts_at,
            "ends_at": ends_at,
        },
        fixed=not any(is_relative(cells.get(column, "")) for column in ("starts_at", "ends_at")),
    )


COLUMNS = (
    *("campaign", "campaign_state", "objective", "campaign_budget"),
    *("ad_group", "ad_group_state", "location", "ad_group_budget", "starts_at", "ends_at"),
)
"""What `group_facts` reads."""


@dataclass(slots=True)
class _Known:
    """A campaign or ad group as it is stored, or is going to be; `missing` is what rows know better."""

    id: int | None
    state: str
    facts: dict[str, Any]
    missing: dict[str, Any] = field(default_factory=dict)


class NamedGroups:
    """The campaigns and ad groups that rows name, and those that must be made for them."""

    def __init__(self, session: Session, facts: Iterable[GroupFacts]) -> None:
        """Those that are there are locked, with their accounts, before they are looked at."""
        facts = list(facts)
        connection = session.connection()
        hold(
            session,
            *_LOCKS,
            groups=[*{each.name for each in facts}],
            campaigns=[*{each.campaign for each in facts}],
            accounts=[*{each.account for each in facts}],
        )
        named = (
            select(_account.name, _campaign.name, _campaign.id, _campaign.state)
            .add_columns(_campaign.objective, _campaign.budget)
            .join_from(campaigns.table, accounts.table, _account.id == _campaign.account_id)
            .where(_account.name.in_({each.account for each in facts}))
            .where(_campaign.name.in_({each.campaign for each in facts}))
        )
        self._campaigns: dict[_Place, _Known] = {}
        self._groups: dict[_Place, _Known] = {}
        places: dict[int, _Place] = {}
        for account, name, id_, state, objective, budget in connection.execute(named):
            places[id_] = (account, name)
            self._campaigns[places[id_]] = _Known(id_, state, {"objective": objective, "budget": budget})
        groups = select(_group.campaign_id, _group.name, _group.id, _group.state, *_OF_GROUP).where(
            _group.campaign_id.in_(places), _group.name.in_({each.name for each in facts})
        )
        for campaign_id, name, id_, state, *stored in connection.execute(groups):
            told = {column.key: value for column, value in zip(_OF_GROUP, stored, strict=True)}
            self._groups[*places[campaign_id], name] = _Known(id_, state, told)

    def id_of(self, facts: GroupFacts) -> int | None:
        """The ad group's id; None while it is not there."""
        known = self._groups.get(_place(facts))
        return known.id if known else None

    def check(self, facts: GroupFacts, *, deleted: bool) -> None:
        """Raises RuleBroken or WrongInput unless the campaign and ad group are as the row says.

        deleted: the row's ad is; one that is not cannot stand in a deleted campaign or ad group
        """
        for what, name, known, told, state in (
            ("ad group", facts.name, self._groups.get(_place(facts)), facts.of_group, facts.state),
            ("campaign", facts.campaign, self._campaign(facts), facts.of_campaign, facts.campaign_state),
        ):
            if (known.state if known else state) == "deleted" and not deleted:
                raise RuleBroken(f'its {what} "{name}" is deleted')
            if known:
                _compare(f'{what} "{name}"', known.facts, told, fixed=facts.fixed)
                if known.state != "deleted":
                    _check_completed(f'{what} "{name}"', known, told)

    def need(self, facts: GroupFacts) -> None:
        """Have a campaign and ad group that were checked made if they are not there, or completed."""
        campaign = self._campaigns.setdefault(
            (facts.account, facts.campaign), _Known(None, facts.campaign_state, dict(facts.of_campaign))
        )
        group = self._groups.setdefault(_place(facts), _Known(None, facts.state, dict(facts.of_group)))
        for known, told in ((campaign, facts.of_campaign), (group, facts.of_group)):
            missing = {
                name: value for name, value in told.items() if value is not None and known.facts[name] is None
            }
            known.facts.update(missing)
            if known.id is not None and known.state != "deleted":
                known.missing.update(missing)

    def make(self, session: Session, account_ids: Mapping[str, int], *, actor: str) -> None:
        """Make those that rows need, and set what rows know of those that are there."""
        above: dict[_Place, int] = {(name,): id_ for name, id_ in account_ids.items()}
        _make(session, campaigns, "account_id", above, self._campaigns, actor=actor)
        above = {place: known.id or 0 for place, known in self._campaigns.items()}
        _make(session, ad_groups, "campaign_id", above, self._groups, actor=actor)
        for workflow, known_ones in ((campaigns, self._campaigns), (ad_groups, self._groups)):
            for known in known_ones.values():
                for event, arguments in _completing(known):
                    fire(session, workflow, event, known.id or 0, actor=actor, arguments=arguments)

    def _campaign(self, facts: GroupFacts) -> _Known | None:
        return self._campaigns.get((facts.account, facts.campaign))


def _place(facts: GroupFacts) -> _Place:
    return facts.account, facts.campaign, facts.name


def _compare(what: str, stored: Mapping[str, Any], told: Mapping[str, Any], *, fixed: bool) -> None:
    runs_on = stored.get("starts_at") is not None and stored.get("ends_at") is None
    for name, value in told.items():
        before = stored[name]
        if value is None:
            continue
        if name == "ends_at" and runs_on:
            raise WrongInput(f"{what} has no end, the row says {_shown(value)}")
        if before not in (None, value) and (fixed or not isinstance(value, datetime)):
            raise WrongInput(
                f"{what} has the {_WORDS.get(name, name)} {_shown(before)}, the row says {_shown(value)}"
            )


def _check_completed(what: str, known: _Known, told: Mapping[str, Any]) -> None:
    """Raises WrongInput unless the schedule can be completed by what a row knows better."""
    starts_at, ends_at = (known.facts.get(name) or told.get(name) for name in ("starts_at", "ends_at"))
    # One that is there can only be given a whole schedule.
    if known.id is not None and ends_at and not starts_at and not known.facts.get("ends_at"):
        raise WrongInput(f"{what} has no start yet; say when it starts, too, in the column starts_at")
    check_schedule(starts_at, ends_at)


def _make(
    session: Session,
    workflow: Workflow,
    column: str,
    above: Mapping[_Place, int],
    known: Mapping[_Place, _Known],
    *,
    actor: str,
) -> None:
    new = {place: one for place, one in known.items() if one.id is None}
    if not new:
        return
    columns: dict[str, list[Any]] = {
        column: [above[place[:-1]] for place in new],
        "name": [place[-1] for place in new],
        **{name: [one.facts[name] for one in new.values()] for name in next(iter(new.values())).facts},
    }
    for one, id_ in zip(new.values(), insert_all(session, workflow.table, columns), strict=True):
        one.id = id_
    begin(session, workflow, [Beginning(one.id or 0, one.state) for one in new.values()], actor=actor)


def _completing(known: _Known) -> Iterable[tuple[str, dict[str, Any]]]:
    """The events that set what was missing."""
    for name in known.missing.keys() & {"objective", "budget", "location"}:
        yield f"set_{name}", {name: known.missing[name]}
    if "starts_at" in known.missing or "ends_at" in known.missing:
        if known.facts["ends_at"] is None:
            yield "run_on", {"starts_at": known.facts["starts_at"]}
        elif known.facts["starts_at"] is not None:
            yield "reschedule", {"starts_at": known.facts["starts_at"], "ends_at": known.facts["ends_at"]}


def _shown(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
