"""`sparkads accounts`: ad accounts, and the TikTok accounts in whose name they advertise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sparkads.cli import lives, moves, show, words
from sparkads.cli.moves import REASON, Page
from sparkads.cli.verb import Commands, Desk, Signed, verb

if TYPE_CHECKING:
    from sqlmodel import Session

    from sparkads.portfolio import SparkAds

app = Commands()

ACCOUNT = Annotated[str, typer.Argument(metavar="ACCOUNT", help="The account: its id or name.")]
HANDLE = Annotated[str, typer.Argument(metavar="@NAME", help="The TikTok account's handle.")]
NAME = Annotated[str, typer.Argument(metavar="NAME", help="The account's name.")]


@dataclass(frozen=True, slots=True)
class AccountSelection(moves.Selection):
    """Options that choose accounts."""

    state: Annotated[list[str] | None, typer.Option(metavar="STATE", help="open or closed; may be repeated.")] = (
        None
    )

    def asked(self, spark: SparkAds) -> dict[str, Any]:
        state = words.states(spark.accounts, self.state)
        return {"state": state} if state else {}


COLUMNS = [
    show.Column("id", lambda row: row["id"], whole=True, right=True),
    show.Column("name", lambda row: row["name"]),
    show.Column("state", lambda row: show.state(row["state"])),
]


@verb(app, "sparkads accounts list")
def list_(desk: Desk, chosen: AccountSelection, page: Page) -> None:
    """List ad accounts."""
    with desk.portfolio() as spark:
        found = moves.page(desk, spark.accounts, page, chosen.asked(spark))
        moves.answer(desk, COLUMNS, [moves.columns_of(spark.accounts, row) for row in found])


@verb(app, "sparkads accounts show Brand")
def show_(desk: Desk, account: ACCOUNT) -> None:
    """Show one account, and the identities under which its ads appear."""
    with desk.portfolio() as spark, spark.reading() as session:
        row = spark.accounts.get(words.row(spark.accounts, account), session=session)
        identities = spark.accounts.identities(row, session=session)
        if desk.as_json:
            found = [each.model_dump() for each in identities]
            show.answer({**moves.columns_of(spark.accounts, row), "identities": found})
            return
        show.facts(
            {
                "account": f"{row.id} {row.name}",
                "state": show.state(row.state),
                "identities": [
                    f"{each.id} @{each.handle}, {show.state(each.kind)} ({show.state(each.state)})"
                    for each in identities
                ],
            }
        )


lives.common(app, "accounts", "an account", ACCOUNT, "Brand")


@verb(app, "sparkads accounts add Brand")
def add(desk: Signed, name: NAME) -> None:
    """Enter an ad account; makes the database if there is none."""
    with desk.portfolio(create=True) as spark:

        def act(session: Session) -> Any:
            return spark.accounts.add(name, actor=desk.name, session=session)

        moves.do(desk, spark.accounts, act)


@verb(app, 'sparkads accounts rename Brand "Brand Europe"')
def rename(desk: Signed, account: ACCOUNT, name: NAME) -> None:
    """Give an account another name."""
    with desk.portfolio() as spark:
        moves.move(desk, spark.accounts, "rename", account, name=name)


@verb(app, "sparkads accounts close Brand")
def close(desk: Signed, account: ACCOUNT) -> None:
    """Close an account; refused while it has ads that are not deleted."""
    with desk.portfolio() as spark:
        moves.move(desk, spark.accounts, "close", account)


@verb(app, "sparkads accounts link Brand @brand")
def link(desk: Signed, account: ACCOUNT, handle: HANDLE) -> None:
    """Link the advertiser's own TikTok Business Account: identity type 1."""
    with desk.portfolio() as spark:
        moves.move(desk, spark.accounts, "link", account, handle=handle)


@verb(app, "sparkads accounts unlink Brand @brand")
def unlink(desk: Signed, account: ACCOUNT, handle: HANDLE, *, reason: REASON = None) -> None:
    """Undo the link; the ads under it stop."""
    with desk.portfolio() as spark:
        moves.move(desk, spark.accounts, "unlink", account, handle=handle, reason=reason)


@verb(app, "sparkads accounts grant Brand @partner")
def grant(desk: Signed, account: ACCOUNT, handle: HANDLE) -> None:
    """Use a TikTok account authorized through Business Center: identity type 2."""
    with desk.portfolio() as spark:
        moves.move(desk, spark.accounts, "grant", account, handle=handle)


@verb(app, "sparkads accounts withdraw Brand @partner")
def withdraw(desk: Signed, account: ACCOUNT, handle: HANDLE, *, reason: REASON = None) -> None:
    """Note that the Business Center permission is gone; the ads under it stop."""
    with desk.portfolio() as spark:
        moves.move(desk, spark.accounts, "withdraw", account, handle=handle, reason=reason)
