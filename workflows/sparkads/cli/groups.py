"""`sparkads groups`: ad groups, where and when and for how much a campaign's ads run."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sparkads.cli import lives, moves, show, words
from sparkads.cli.campaigns import BUDGET_HELP, read_budget
from sparkads.cli.moves import Page
from sparkads.cli.verb import Commands, Desk, Signed, verb

if TYPE_CHECKING:
    from sqlmodel import Session

    from sparkads.portfolio import SparkAds

app = Commands()

GROUP = Annotated[str, typer.Argument(metavar="GROUP", help="The ad group's id, as `list` shows it.")]
LOCATION = "Where its ads are shown, e.g. DE."
START = "When it starts: 2026-03-01T10:00Z, now, now+2d."
END = "When it ends, likewise; without it the group runs on."


@dataclass(frozen=True, slots=True)
class GroupSelection(moves.Selection):
    """Options that choose ad groups."""

    state: Annotated[list[str] | None, typer.Option(metavar="STATE", help="open or deleted; may be repeated.")] = (
        None
    )
    campaign: Annotated[str | None, typer.Option(metavar="CAMPAIGN", help="Only this campaign's: id.")] = None

    def asked(self, spark: SparkAds) -> dict[str, Any]:
        asked = {
            "state": words.states(spark.ad_groups, self.state),
            "campaign": words.given(partial(words.row, spark.campaigns), self.campaign),
        }
        return {name: value for name, value in asked.items() if value is not None}


COLUMNS = [
    show.Column("id", lambda row: row["id"], whole=True, right=True),
    show.Column("name", lambda row: row["name"]),
    show.Column("campaign", lambda row: row["campaign_id"], right=True),
    show.Column("location", lambda row: row["location"]),
    show.Column("budget", lambda row: row["budget"], right=True),
    show.Column("starts", lambda row: row["starts_at"]),
    show.Column("ends", lambda row: row["ends_at"]),
    show.Column("state", lambda row: show.state(row["state"])),
]


@verb(app, "sparkads groups list --campaign 3")
def list_(desk: Desk, chosen: GroupSelection, page: Page) -> None:
    """List ad groups: location, budget a day, schedule."""
    with desk.portfolio() as spark:
        found = moves.page(desk, spark.ad_groups, page, chosen.asked(spark))
        moves.answer(desk, COLUMNS, [moves.columns_of(spark.ad_groups, row) for row in found])


@verb(app, "sparkads groups show 2")
def show_(desk: Desk, group: GROUP) -> None:
    """Show one ad group and its ads."""
    with desk.portfolio() as spark, spark.reading() as session:
        row = spark.ad_groups.get(words.row(spark.ad_groups, group), session=session)
        campaign = spark.campaigns.get(row.campaign_id, session=session)
        ads = spark.ads.list(limit=None, session=session, ad_group=row)
        now = spark.now(session)
        if desk.as_json:
            found = {"campaign": campaign.name, "ads": moves.brief(ads)}
            show.answer({**moves.columns_of(spark.ad_groups, row), **found})
            return
        show.facts(
            {
                "ad group": f"{row.id} {row.name}",
                "state": show.state(row.state),
                "campaign": f"{campaign.id} {campaign.name}",
                "location": row.location or "none yet",
                "budget a day": row.budget or "none yet",
                "starts": show.both(row.starts_at, now) or "no start yet",
                "ends": show.both(row.ends_at, now) or "runs on",
                "ads": moves.in_words(ads),
            }
        )


lives.common(app, "groups", "an ad group", GROUP, "2")


@verb(app, 'sparkads groups create 3 "Germany" --location DE --budget 50 --starts now --ends now+30d')
def create(
    desk: Signed,
    campaign: Annotated[str, typer.Argument(metavar="CAMPAIGN", help="The campaign it belongs to: id.")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="The ad group's name.")],
    *,
    location: Annotated[str | None, typer.Option(metavar="TEXT", help=LOCATION)] = None,
    budget: Annotated[str | None, typer.Option(metavar="N", help=BUDGET_HELP)] = None,
    starts: Annotated[str | None, typer.Option(metavar="WHEN", help=START)] = None,
    ends: Annotated[str | None, typer.Option(metavar="WHEN", help=END)] = None,
) -> None:
    """Make an ad group; location, budget and start may come later, before an ad of it is submitted."""
    money = read_budget(budget) if budget is not None else None
    with desk.portfolio() as spark:
        owner, now = words.row(spark.campaigns, campaign), spark.now()
        starts_at = words.instant("the start", starts, now) if starts is not None else None
        ends_at = words.instant("the end", ends, now) if ends is not None else None

        def act(session: Session) -> Any:
            return spark.ad_groups.create(
                owner,
                name,
                location=location,
                budget=money,
                starts_at=starts_at,
                ends_at=ends_at,
                actor=desk.name,
                session=session,
            )

        moves.do(desk, spark.ad_groups, act)


@verb(app, "sparkads groups set-budget 2 80")
def set_budget(
    desk: Signed, group: GROUP, budget: Annotated[str, typer.Argument(metavar="N", help=BUDGET_HELP)]
) -> None:
    """Say what an ad group may cost a day."""
    money = read_budget(budget)
    with desk.portfolio() as spark:
        moves.move(desk, spark.ad_groups, "set_budget", group, budget=money)


@verb(app, "sparkads groups set-location 2 AT")
def set_location(
    desk: Signed, group: GROUP, location: Annotated[str, typer.Argument(metavar="TEXT", help=LOCATION)]
) -> None:
    """Say where the ads of a group are shown."""
    with desk.portfolio() as spark:
        moves.move(desk, spark.ad_groups, "set_location", group, location=location)


@verb(app, "sparkads groups reschedule 2 --starts now --ends now+30d", "sparkads groups reschedule 2 --starts now")
def reschedule(
    desk: Signed,
    group: GROUP,
    *,
    starts: Annotated[str, typer.Option(metavar="WHEN", help=START)],
    ends: Annotated[str | None, typer.Option(metavar="WHEN", help=END)] = None,
) -> None:
    """Give an ad group another schedule; ads that ended with the old one come back if their codes allow."""
    with desk.portfolio() as spark:
        now = spark.now()
        moves.move(
            desk,
            spark.ad_groups,
            "reschedule",
            group,
            starts_at=words.instant("the start", starts, now),
            ends_at=words.instant("the end", ends, now) if ends is not None else None,
        )


@verb(app, "sparkads groups delete 2")
def delete(desk: Signed, group: GROUP) -> None:
    """Remove an ad group; refused while it has ads that are not deleted."""
    with desk.portfolio() as spark:
        moves.move(desk, spark.ad_groups, "delete", group)
