"""`sparkads posts`: creators' videos on TikTok, and videos pushed from Ads Manager."""

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

POST = Annotated[str, typer.Argument(metavar="POST", help="The post: its id, TikTok's id or its URL.")]
SWITCH = Annotated[str, typer.Argument(metavar="on|off", help="On or off.")]
CAPTION = Annotated[str, typer.Option(metavar="TEXT", help="Its caption.")]


@dataclass(frozen=True, slots=True)
class PostSelection(moves.Selection):
    """Options that choose posts."""

    state: Annotated[
        list[str] | None,
        typer.Option(metavar="STATE", help="draft, private, friends or public; may be repeated."),
    ] = None
    creator: Annotated[str | None, typer.Option(metavar="@NAME", help="Only this creator's.")] = None
    kind: Annotated[
        list[str] | None, typer.Option(metavar="KIND", help="original, duet or stitch; may be repeated.")
    ] = None

    def asked(self, spark: SparkAds) -> dict[str, Any]:
        states = words.states(spark.posts, self.state)
        asked = {"state": states, "creator": self.creator, "kind": self.kind or None}
        return {name: value for name, value in asked.items() if value is not None}


def _kind(row: show.Row) -> str:
    if row["original_id"] is not None:
        return f"{row['kind']} of {row['original_id']}"
    return row["kind"] if row["origin"] == "tiktok" else show.state(row["origin"])


def _missing(row: show.Row) -> str:
    switches = {
        "posts_allowed": "authorized posts off",
        "terms_accepted": "terms not accepted",
        "ads_enabled": "ad authorization off",
    }
    return ", ".join(words for name, words in switches.items() if not row[name])


COLUMNS = [
    show.Column("id", lambda row: row["id"], whole=True, right=True),
    show.Column("tiktok id", lambda row: row["item_id"], whole=True),
    show.Column("creator", lambda row: f"@{row['creator']}"),
    show.Column("kind", _kind),
    show.Column("seen by", lambda row: show.state(row["state"])),
    show.Column("not ready", _missing),
]


@verb(app, "sparkads posts list --creator @mia")
def list_(desk: Desk, chosen: PostSelection, page: Page) -> None:
    """List posts: creator, kind, who sees them, and what its creator has not switched on."""
    with desk.portfolio() as spark:
        found = moves.page(desk, spark.posts, page, chosen.asked(spark))
        moves.answer(desk, COLUMNS, [moves.columns_of(spark.posts, row) for row in found])


@verb(app, "sparkads posts show 4", "sparkads posts show 7301234567890123456")
def show_(desk: Desk, post: POST) -> None:
    """Show one post: its creator's switches, its codes, its ads."""
    with desk.portfolio() as spark, spark.reading() as session:
        row = spark.posts.get(words.row(spark.posts, post), session=session)
        codes = spark.codes.list(limit=None, session=session, post=row)
        ads = spark.ads.list(limit=None, session=session, post=row)
        if desk.as_json:
            found = {"codes": moves.brief(codes), "ads": moves.brief(ads)}
            show.answer({**moves.columns_of(spark.posts, row), **found})
            return
        show.facts(
            {
                "post": row.id,
                "tiktok id": row.item_id,
                "creator": f"@{row.creator}",
                "kind": _kind(moves.columns_of(spark.posts, row)),
                "caption": row.caption,
                "seen by": show.state(row.state),
                "only as ad": row.ads_only,
                "authorized posts": row.posts_allowed,
                "terms accepted": row.terms_accepted,
                "ad authorization": row.ads_enabled,
                "codes": moves.in_words(codes),
                "ads": moves.in_words(ads),
            }
        )


lives.common(app, "posts", "a post", POST, "4")


@verb(
    app,
    "sparkads posts add https://www.tiktok.com/@mia/video/7301234567890123456",
    "sparkads posts add 7301234567890123457 --creator @leo --kind duet --original 4",
)
def add(
    desk: Signed,
    item: Annotated[str, typer.Argument(metavar="POST", help="TikTok's id of the post, or its URL.")],
    *,
    creator: Annotated[
        str | None, typer.Option(metavar="@NAME", help="Whose it is; a URL says so itself.")
    ] = None,
    kind: Annotated[str, typer.Option(metavar="KIND", help="original, duet or stitch.")] = "original",
    original: Annotated[
        str | None, typer.Option(metavar="POST", help="What it is a duet or stitch of: id, TikTok's id or URL.")
    ] = None,
    caption: CAPTION = "",
    visibility: Annotated[str, typer.Option(metavar="WHO", help="public, friends or private.")] = "public",
) -> None:
    """Enter a creator's post on TikTok."""
    with desk.portfolio() as spark:
        source = words.post(spark, original) if original is not None else None

        def act(session: Session) -> Any:
            return spark.posts.add(
                item,
                creator=creator,
                kind=kind,
                original=source,
                caption=caption,
                visibility=visibility,
                actor=desk.name,
                session=session,
            )

        moves.do(desk, spark.posts, act)


@verb(app, 'sparkads posts push @brand --source library --caption "New in store" --ads-only')
def push(
    desk: Signed,
    creator: Annotated[
        str, typer.Argument(metavar="@NAME", help="The linked account that it is published under.")
    ],
    *,
    source: Annotated[
        str, typer.Option(metavar="SOURCE", help="uploaded, library or creative_tools.")
    ] = "uploaded",
    caption: CAPTION = "",
    ads_only: Annotated[
        bool, typer.Option("--ads-only", help="Keep it off the page, search and recommendations.")
    ] = False,
) -> None:
    """Enter a video from Ads Manager, published once an ad of it passes review."""
    with desk.portfolio() as spark:

        def act(session: Session) -> Any:
            return spark.posts.push(
                creator,
                source=source,
                caption=caption,
                ads_only=ads_only,
                actor=desk.name,
                session=session,
            )

        moves.do(desk, spark.posts, act)


@verb(app, 'sparkads posts edit-caption 4 "New in store"')
def edit_caption(
    desk: Signed, post: POST, caption: Annotated[str, typer.Argument(metavar="TEXT", help="The new caption.")]
) -> None:
    """Change the caption; refused once the post was authorized as an ad."""
    with desk.portfolio() as spark:
        moves.move(desk, spark.posts, "edit_caption", post, caption=caption)


@verb(app, "sparkads posts make-public 4")
def make_public(desk: Signed, post: POST) -> None:
    """Let everybody see the post."""
    with desk.portfolio() as spark:
        moves.move(desk, spark.posts, "make_public", post)


@verb(app, "sparkads posts make-private 4")
def make_private(desk: Signed, post: POST) -> None:
    """Let only its owner see the post; refused while an ad promotes it."""
    with desk.portfolio() as spark:
        moves.move(desk, spark.posts, "make_private", post)


@verb(app, "sparkads posts show-to-friends 4")
def show_to_friends(desk: Signed, post: POST) -> None:
    """Let only friends see the post; refused while an ad promotes it."""
    with desk.portfolio() as spark:
        moves.move(desk, spark.posts, "show_to_friends", post)


@verb(app, "sparkads posts set-ads-only 4 on")
def set_ads_only(desk: Signed, post: POST, switch: SWITCH) -> None:
    """Show the post only as an ad, or everywhere again."""
    with desk.portfolio() as spark:
        moves.move(desk, spark.posts, "set_ads_only", post, on=words.on_or_off(switch))


@verb(app, "sparkads posts allow-posts 4 on")
def allow_posts(desk: Signed, post: POST, switch: SWITCH) -> None:
    """Note whether its creator allows authorized posts; without it no code can be issued."""
    with desk.portfolio() as spark:
        moves.move(desk, spark.posts, "allow_posts", post, on=words.on_or_off(switch))


@verb(app, "sparkads posts accept-terms 4 on")
def accept_terms(desk: Signed, post: POST, switch: SWITCH) -> None:
    """Note whether its creator accepts the advertising content terms; without it no code can be issued."""
    with desk.portfolio() as spark:
        moves.move(desk, spark.posts, "accept_terms", post, on=words.on_or_off(switch))


@verb(app, "sparkads posts enable-ads 4")
def enable_ads(desk: Signed, post: POST) -> None:
    """Note that its creator switched ad authorization on."""
    with desk.portfolio() as spark:
        moves.move(desk, spark.posts, "enable_ads", post)


@verb(app, "sparkads posts disable-ads 4")
def disable_ads(desk: Signed, post: POST, *, reason: REASON = None) -> None:
    """Note that its creator switched ad authorization off: its codes are revoked and their ads stop."""
    with desk.portfolio() as spark:
        moves.move(desk, spark.posts, "disable_ads", post, reason=reason)
