"""`sparkads campaigns`: an objective and a budget, under which ad groups run."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sparkads.cli import lives, moves, show, words
from sparkads.cli.moves import Page
from sparkads.cli.verb import Commands, Desk, Signed, verb

if TYPE_CHECKING:
    from sqlmodel import Session

    from sparkads.portfolio import SparkAds

app = Commands()

CAMPAIGN = Annotated[str, typer.Argument(metavar="CAMPAIGN", help="The campaign's id, as `list` shows it.")]
BUDGET_HELP = "What it may cost a day, in whole currency units."


@dataclass(frozen=True, slots=True)
class CampaignSelection(moves.Selection):
    """Options that choose campaigns."""

    state: Annotated[list[str] | None, typer.Option(metavar="STATE", help="open or deleted; may be repeated.")] = (
        None
    )
    account: Annotated[str | None, typer.Option(metavar="ACCOUNT", help="Only this account's: id or name.")] = None

    def asked(self, spark: SparkAds) -> dict[str, Any]:
        asked = {
            "state": words.states(spark.campaigns, self.state),
            "account": words.given(partial(words.account, spark), self.account),
        }
        return {name: value for name, value in asked.items() if value is not None}


COLUMNS = [
    show.Column("id", lambda row: row["id"], whole=True, right=True),
    show.Column("name", lambda row: row["name"]),
    show.Column("account", lambda row: row["account_id"], right=True),
    show.Column("objective", lambda row: row["objective"]),
    show.Column("budget", lambda row: row["budget"], right=True),
    show.Column("state", lambda row: show.state(row["state"])),
]


@verb(app, "sparkads campaigns list")
def list_(desk: Desk, chosen: CampaignSelection, page: Page) -> None:
    """List campaigns: objective, budget a day, state."""
    with desk.portfolio() as spark:
        found = moves.page(desk, spark.campaigns, page, chosen.asked(spark))
        moves.answer(desk, COLUMNS, [moves.columns_of(spark.campaigns, row) for row in found])


@verb(app, "sparkads campaigns show 3")
def show_(desk: Desk, campaign: CAMPAIGN) -> None:
    """Show one campaign and its ad groups."""
    with desk.portfolio() as spark, spark.reading() as session:
        row = spark.campaigns.get(words.row(spark.campaigns, campaign), session=session)
        groups = spark.ad_groups.list(limit=None, session=session, campaign=row)
        if desk.as_json:
            found = [moves.columns_of(spark.ad_groups, group) for group in groups]
            show.answer({**moves.columns_of(spark.campaigns, row), "ad_groups": found})
            return
        show.facts(
            {
                "campaign": f"{row.id} {row.name}",
                "state": show.state(row.state),
                "account": row.account_id,
                "objective": row.objective or "none yet",
                "budget a day": row.budget or "none yet",
                "ad groups": moves.in_words(groups),
            }
        )


lives.common(app, "campaigns", "a campaign", CAMPAIGN, "3")


@verb(app, 'sparkads campaigns create "Spring" --objective traffic --budget 200')
def create(
    desk: Signed,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The campaign's name.")],
    *,
    account: Annotated[
        str | None,
        typer.Option(metavar="ACCOUNT", help="For this account: id or name; the only one, unless given."),
    ] = None,
    objective: Annotated[
        str | None, typer.Option(metavar="TEXT", help="What it is to reach, e.g. traffic.")
    ] = None,
    budget: Annotated[str | None, typer.Option(metavar="N", help=BUDGET_HELP)] = None,
) -> None:
    """Make a campaign; objective and budget may come later, before an ad of it is submitted."""
    money = read_budget(budget) if budget is not None else None
    with desk.portfolio() as spark:
        owner = words.account(spark, account) if account is not None else None

        def act(session: Session) -> Any:
            return spark.campaigns.create(
                name, account=owner, objective=objective, budget=money, actor=desk.name, session=session
            )

        moves.do(desk, spark.campaigns, act)


@verb(app, "sparkads campaigns set-objective 3 conversions")
def set_objective(
    desk: Signed,
    campaign: CAMPAIGN,
    objective: Annotated[str, typer.Argument(metavar="TEXT", help="What it is to reach.")],
) -> None:
    """Say what a campaign is to reach."""
    with desk.portfolio() as spark:
        moves.move(desk, spark.campaigns, "set_objective", campaign, objective=objective)


@verb(app, "sparkads campaigns set-budget 3 500")
def set_budget(
    desk: Signed, campaign: CAMPAIGN, budget: Annotated[str, typer.Argument(metavar="N", help=BUDGET_HELP)]
) -> None:
    """Say what a campaign may cost a day."""
    money = read_budget(budget)
    with desk.portfolio() as spark:
        moves.move(desk, spark.campaigns, "set_budget", campaign, budget=money)


@verb(app, "sparkads campaigns delete 3")
def delete(desk: Signed, campaign: CAMPAIGN) -> None:
    """Remove a campaign; refused while it has ads that are not deleted."""
    with desk.portfolio() as spark:
        moves.move(desk, spark.campaigns, "delete", campaign)


def read_budget(text: str) -> int:
    """A budget a day, in whole currency units."""
    return words.number("the budget", text, least=1, most=10**12 - 1)
