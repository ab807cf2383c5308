"""`sparkads ads`: Spark Ads, from their creation to their end."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sparkads.cli import lives, moves, show, words
from sparkads.cli.moves import NEEDED_REASON, REASON, Bulk, Page
from sparkads.cli.verb import Commands, Desk, Signed, verb

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlmodel import Session

    from sparkads.portfolio import SparkAds
    from sparkads.tables import SparkAd

app = Commands()

AD = Annotated[str, typer.Argument(metavar="AD", help="The ad's id, as `list` shows it.")]
ONE = Annotated[str | None, typer.Argument(metavar="AD", help="The ad's id, unless --all.", show_default=False)]


@dataclass(frozen=True, slots=True)
class AdSelection(moves.Selection):
    """Options that choose ads."""

    state: Annotated[
        list[str] | None,
        typer.Option(
            metavar="STATE",
            help="pending, authorized, in_review, live, paused, rejected, expired or deleted; may be repeated.",
        ),
    ] = None
    creator: Annotated[str | None, typer.Option(metavar="@NAME", help="Only ads of this creator's posts.")] = None
    account: Annotated[str | None, typer.Option(metavar="ACCOUNT", help="Only this account's: id or name.")] = None
    campaign: Annotated[str | None, typer.Option(metavar="CAMPAIGN", help="Only this campaign's: id.")] = None
    group: Annotated[str | None, typer.Option(metavar="GROUP", help="Only this ad group's: id.")] = None
    post: Annotated[str | None, typer.Option(metavar="POST", help="Only this post's: id, TikTok's id or URL.")] = (
        None
    )
    code: Annotated[str | None, typer.Option(metavar="CODE", help="Only ads that this code serves: id.")] = None

    def asked(self, spark: SparkAds) -> dict[str, Any]:
        asked = {
            "state": words.states(spark.ads, self.state),
            "creator": self.creator,
            "account": words.given(partial(words.account, spark), self.account),
            "campaign": words.given(partial(words.row, spark.campaigns), self.campaign),
            "ad_group": words.given(partial(words.row, spark.ad_groups), self.group),
            "post": words.given(partial(words.post, spark), self.post),
            "code": words.given(partial(words.row, spark.codes), self.code),
        }
        return {name: value for name, value in asked.items() if value is not None}


def _remarks(row: show.Row) -> str:
    waits = f"waits: {row['waiting_for']}" if row["waiting_for"] else ""
    return "; ".join(part for part in ("uncovered" if row["uncovered"] else "", waits) if part)


COLUMNS = [
    show.Column("id", lambda row: row["id"], whole=True, right=True),
    show.Column("name", lambda row: row["name"]),
    show.Column("campaign / group", lambda row: f"{row['campaign']} / {row['ad_group']}"),
    show.Column("post", lambda row: row["post"], whole=True, right=True),
    show.Column("state", lambda row: show.state(row["state"])),
    show.Column("covered until", lambda row: row["covered_until"]),
    show.Column("remarks", _remarks),
]


@verb(app, "sparkads ads list --state live", "sparkads ads list --campaign 3 --json")
def list_(desk: Desk, chosen: AdSelection, page: Page) -> None:
    """List Spark Ads: campaign, post, state, until when their codes last, and what they wait for."""
    with desk.portfolio() as spark:
        _print(desk, spark, moves.page(desk, spark.ads, page, chosen.asked(spark)))


@verb(app, "sparkads ads uncovered")
def uncovered(desk: Desk, chosen: AdSelection) -> None:
    """List the ads whose schedule outlasts their codes: they stop early unless a code is extended."""
    with desk.portfolio() as spark:
        found = spark.ads.uncovered(**chosen.asked(spark))
        moves.none(desk, "uncovered spark ad", found)
        _print(desk, spark, found)


@verb(app, "sparkads ads show 12")
def show_(desk: Desk, ad: AD) -> None:
    """Show one Spark Ad: where it runs, which codes it stands on, what it waits for."""
    from sparkads.portfolio.listing import codes_of
    from sparkads.tables import Identity

    with desk.portfolio() as spark, spark.reading() as session:
        row = spark.ads.get(words.row(spark.ads, ad), session=session)
        group = spark.ad_groups.get(row.ad_group_id, session=session)
        campaign = spark.campaigns.get(group.campaign_id, session=session)
        post = spark.posts.get(row.post_id, session=session)
        identity = row.identity_id and session.get(Identity, row.identity_id)
        codes = codes_of(session, row.id or 0)
        until = spark.ads.covered_until(row, session=session)
        short = spark.ads.is_uncovered(row, session=session)
        lacking = spark.ads.waiting_for(row, session=session)
        now = spark.now(session)
        if desk.as_json:
            show.answer(
                {
                    **moves.columns_of(spark.ads, row),
                    "campaign": {"id": campaign.id, "name": campaign.name},
                    "ad_group": {name: getattr(group, name) for name in ("id", "name", "starts_at", "ends_at")},
                    "creator": post.creator,
                    "identity": identity
                    and {name: getattr(identity, name) for name in ("id", "kind", "handle", "state")},
                    "covered_until": until,
                    "uncovered": short,
                    "waiting_for": lacking,
                    "codes": codes,
                }
            )
            return
        show.facts(
            {
                "spark ad": f"{row.id} {row.name}",
                "state": show.state(row.state),
                "waits for": lacking,
                "campaign": f"{campaign.id} {campaign.name}",
                "ad group": f"{group.id} {group.name}",
                "starts": show.both(group.starts_at, now) or "no start yet",
                "ends": show.both(group.ends_at, now) or "runs on",
                "post": f"{post.id} by @{post.creator}",
                "identity": identity
                and f"@{identity.handle}, {show.state(identity.kind)} ({show.state(identity.state)})",
                "covered until": show.both(until, now),
                "attention": "its schedule outlasts its codes" if short else None,
                "codes": [_code_in_words(code) for code in codes],
            }
        )


lives.common(app, "ads", "a Spark Ad", AD, "12")


@verb(
    app,
    'sparkads ads create "Spring" --group 2 --post 4',
    "sparkads ads create Push --group 2 --post 5 --identity linked",
)
def create(
    desk: Signed,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The ad's name, another one in each ad group.")],
    *,
    group: Annotated[str, typer.Option(metavar="GROUP", help="The ad group it belongs to: id.")],
    post: Annotated[str, typer.Option(metavar="POST", help="The post it is made of: id, TikTok's id or URL.")],
    identity: Annotated[
        str | None,
        typer.Option(
            metavar="KIND",
            help="In whose name: linked, business_center or code, or an identity's id; "
            "the first that the account has for the post's creator, unless given.",
        ),
    ] = None,
) -> None:
    """Make a Spark Ad of a post: authorized at once if its codes are, else pending until they are."""
    with desk.portfolio() as spark:
        about, where = words.post(spark, post), words.row(spark.ad_groups, group)
        chosen = words.row_id("identity", identity) if identity and identity.isdigit() else identity

        def act(session: Session) -> Any:
            return spark.ads.create(
                name, ad_group=where, post=about, identity=chosen, actor=desk.name, session=session
            )

        moves.do(desk, spark.ads, act)


@verb(app, "sparkads ads submit 12", "sparkads ads submit --all --state authorized --preview")
def submit(desk: Signed, chosen: AdSelection, bulk: Bulk, ad: ONE = None) -> None:
    """Hand an ad in for review; if something is missing, all of it is listed."""
    with desk.portfolio() as spark:
        moves.move(desk, spark.ads, "submit", ad, chosen=chosen, bulk=bulk)


@verb(app, "sparkads ads approve 12", "sparkads ads approve --all --campaign 3")
def approve(desk: Signed, chosen: AdSelection, bulk: Bulk, ad: ONE = None) -> None:
    """Note that review passed: the ad is live."""
    with desk.portfolio() as spark:
        moves.move(desk, spark.ads, "approve", ad, chosen=chosen, bulk=bulk)


@verb(app, 'sparkads ads reject 12 --reason "misleading claim"')
def reject(desk: Signed, ad: AD, *, reason: NEEDED_REASON) -> None:
    """Note that review failed, at first or later."""
    with desk.portfolio() as spark:
        moves.move(desk, spark.ads, "reject", ad, reason=reason)


@verb(app, "sparkads ads resubmit 12")
def resubmit(desk: Signed, ad: AD) -> None:
    """Hand a rejected ad in again, changed."""
    with desk.portfolio() as spark:
        moves.move(desk, spark.ads, "resubmit", ad)


@verb(app, 'sparkads ads appeal 12 --reason "the claim is documented"')
def appeal(desk: Signed, ad: AD, *, reason: REASON = None) -> None:
    """Ask for another look at a rejected ad as it is."""
    with desk.portfolio() as spark:
        moves.move(desk, spark.ads, "appeal", ad, reason=reason)


@verb(app, "sparkads ads pause 12", "sparkads ads pause --all --creator @mia")
def pause(desk: Signed, chosen: AdSelection, bulk: Bulk, ad: ONE = None) -> None:
    """Stop a live ad for a while."""
    with desk.portfolio() as spark:
        moves.move(desk, spark.ads, "pause", ad, chosen=chosen, bulk=bulk)


@verb(app, "sparkads ads resume 12", "sparkads ads resume --all --campaign 3")
def resume(desk: Signed, chosen: AdSelection, bulk: Bulk, ad: ONE = None) -> None:
    """Let a paused ad run again; refused once its codes or its schedule are over."""
    with desk.portfolio() as spark:
        moves.move(desk, spark.ads, "resume", ad, chosen=chosen, bulk=bulk)


@verb(app, "sparkads ads delete 12", "sparkads ads delete --all --state expired --preview")
def delete(desk: Signed, chosen: AdSelection, bulk: Bulk, ad: ONE = None) -> None:
    """Remove an ad, from any state."""
    with desk.portfolio() as spark:
        moves.move(desk, spark.ads, "delete", ad, chosen=chosen, bulk=bulk)


def _print(desk: Desk, spark: SparkAds, found: Sequence[SparkAd]) -> None:
    from sparkads.portfolio.listing import ad_lines, batched

    with spark.reading() as session:
        short = [
            ad.id or 0
            for some in batched(found)
            for ad in spark.ads.list(limit=None, session=session, ids=[ad.id for ad in some], uncovered=True)
        ]
        lines = ad_lines(session, found, short)
        moves.answer(desk, COLUMNS, [asdict(line) for line in lines])


def _code_in_words(code: show.Row) -> str:
    if code["code"] is None:
        return f"none yet for post {code['post']} of @{code['creator']}"
    ends = show.text(code["ends"])
    return f"{code['code']} {code['hint']} of @{code['creator']} ({show.state(code['state'])}), until {ends}"
