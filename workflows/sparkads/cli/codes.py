"""`sparkads codes`: video codes, from the moment a creator hands one over."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sparkads.cli import lives, moves, show, words
from sparkads.cli.moves import NEEDED_REASON, REASON, Bulk, Page
from sparkads.cli.verb import Commands, Desk, Signed, verb

if TYPE_CHECKING:
    from sqlmodel import Session

    from sparkads.portfolio import SparkAds

app = Commands()

CODE = Annotated[str, typer.Argument(metavar="CODE", help="The code's id, as `list` shows it.")]
ONE = Annotated[
    str | None, typer.Argument(metavar="CODE", help="The code's id, unless --all.", show_default=False)
]
DAYS = Annotated[str, typer.Option(metavar="DAYS", help="7, 30, 60 or 365 (the setting `durations`).")]


@dataclass(frozen=True, slots=True)
class CodeSelection(moves.Selection):
    """Options that choose codes."""

    state: Annotated[
        list[str] | None,
        typer.Option(
            metavar="STATE",
            help="pending, authorized, in_review, live, expired, rejected, revoked or deleted; may be repeated.",
        ),
    ] = None
    creator: Annotated[str | None, typer.Option(metavar="@NAME", help="Only codes of this creator's posts.")] = (
        None
    )
    account: Annotated[str | None, typer.Option(metavar="ACCOUNT", help="Only this account's: id or name.")] = None
    post: Annotated[str | None, typer.Option(metavar="POST", help="Only this post's: id, TikTok's id or URL.")] = (
        None
    )
    within: Annotated[
        str | None, typer.Option(metavar="DAYS", help="Only codes that end within so many days.")
    ] = None

    def asked(self, spark: SparkAds) -> dict[str, Any]:
        asked = {
            "state": words.states(spark.codes, self.state),
            "creator": self.creator,
            "account": words.given(partial(words.account, spark), self.account),
            "post": words.given(partial(words.post, spark), self.post),
            "expiring_within": words.given(_within, self.within),
        }
        return {name: value for name, value in asked.items() if value is not None}


COLUMNS = [
    show.Column("id", lambda row: row["id"], whole=True, right=True),
    show.Column("code", lambda row: row["hint"], whole=True),
    show.Column("post", lambda row: row["post"], whole=True, right=True),
    show.Column("creator", lambda row: f"@{row['creator']}"),
    show.Column("state", lambda row: show.state(row["state"])),
    show.Column("ends", lambda row: row["ends"], whole=True),
    show.Column("days left", lambda row: row["left"], right=True),
    show.Column("ads", lambda row: row["ads"], whole=True, right=True),
]


@verb(app, "sparkads codes list --state live --state in_review", "sparkads codes list --creator @mia --json")
def list_(desk: Desk, chosen: CodeSelection, page: Page) -> None:
    """List video codes: post, creator, state, when each ends, how many ads it serves."""
    with desk.portfolio() as spark:
        _print(desk, spark, moves.page(desk, spark.codes, page, chosen.asked(spark)))


@verb(app, "sparkads codes expiring --within 7")
def expiring(
    desk: Desk,
    *,
    within: Annotated[str, typer.Option(metavar="DAYS", help="So many days ahead.")] = "7",
    creator: Annotated[
        str | None, typer.Option(metavar="@NAME", help="Only codes of this creator's posts.")
    ] = None,
) -> None:
    """List the codes that end soon, the soonest first: whom to ask for an extension."""
    ahead = _within(within)
    with desk.portfolio() as spark:
        found = spark.codes.expiring(within=ahead, creator=creator)
        moves.none(desk, "video code", found)
        _print(desk, spark, found)


@verb(app, "sparkads codes show 7", "sparkads codes show 7 --reveal")
def show_(
    desk: Desk,
    code: CODE,
    *,
    reveal: Annotated[bool, typer.Option("--reveal", help="Show the code itself, which is a secret.")] = False,
) -> None:
    """Show one video code: its days, its post, and the ads that it serves."""
    with desk.portfolio() as spark, spark.reading() as session:
        row = spark.codes.get(words.row(spark.codes, code), session=session)
        post = spark.posts.get(row.post_id, session=session)
        account = spark.accounts.get(row.account_id, session=session)
        served = spark.ads.list(limit=None, session=session, code=row)
        now = spark.now(session)
        secret = row.code.get_secret_value() if reveal else None
        if desk.as_json:
            about = {"creator": post.creator, "item_id": post.item_id, "account": account.name}
            shown = {**moves.columns_of(spark.codes, row), **about, "ads": moves.brief(served)}
            show.answer({**shown, "code": secret} if reveal else shown)
            return
        show.facts(
            {
                "video code": row.id,
                "code": secret or row.hint,
                "state": show.state(row.state),
                "post": f"{post.id} by @{post.creator}, {post.item_id}",
                "account": account.name,
                "days": row.days,
                "issued": show.both(row.issued_at, now),
                "authorized": show.both(row.authorized_at, now),
                "ends" if row.expires_at > now else "ended": show.both(row.expires_at, now),
                "next reminder": show.both(row.remind_due_at, now),
                "ads": moves.in_words(served),
            }
        )


lives.common(app, "codes", "a video code", CODE, "7")


@verb(
    app,
    "sparkads codes receive --post 7301234567890123456 --days 30 --issued now-2h",
    "pbpaste | sparkads codes receive - --post 4 --days 7 --issued 2026-03-01T10:00Z",
)
def receive(
    desk: Signed,
    code: Annotated[
        str | None,
        typer.Argument(
            metavar="CODE",
            show_default=False,
            help="The code; `-` reads it from standard input. Left out, it is asked for and not shown, "
            "which keeps it out of the shell's history.",
        ),
    ] = None,
    *,
    post: Annotated[str, typer.Option(metavar="POST", help="Its post: id, TikTok's id or URL.")],
    days: DAYS,
    issued: Annotated[
        str, typer.Option(metavar="WHEN", help="When the creator made it: 2026-03-01T10:00Z, now, now-3d.")
    ] = "now",
    account: Annotated[
        str | None, typer.Option(metavar="ACCOUNT", help="For this account; the only one, unless given.")
    ] = None,
) -> None:
    """Enter a code that a creator handed over; ads that lack one for the post take it."""
    lasting = _days(days)
    with desk.portfolio() as spark:
        about, now = words.post(spark, post), spark.now()
        issued_at = words.instant("the instant of issue", issued, now)
        owner = words.account(spark, account) if account is not None else None
        secret = _secret(code)

        def act(session: Session) -> Any:
            return spark.codes.receive(
                secret,
                post=about,
                days=lasting,
                issued_at=issued_at,
                account=owner,
                actor=desk.name,
                session=session,
            )

        moves.do(desk, spark.codes, act)


@verb(app, "sparkads codes authorize 7", "sparkads codes authorize --all --creator @mia --preview")
def authorize(desk: Signed, chosen: CodeSelection, bulk: Bulk, code: ONE = None) -> None:
    """Note that TikTok accepted a code; ads that waited for it are authorized with it."""
    with desk.portfolio() as spark:
        moves.move(desk, spark.codes, "authorize", code, chosen=chosen, bulk=bulk)


@verb(app, 'sparkads codes reject 7 --reason "the code is for another post"')
def reject(desk: Signed, code: CODE, *, reason: NEEDED_REASON) -> None:
    """Note that TikTok did not accept a code."""
    with desk.portfolio() as spark:
        moves.move(desk, spark.codes, "reject", code, reason=reason)


@verb(app, "sparkads codes extend 7 --days 30", "sparkads codes extend --all --within 3 --days 30 --preview")
def extend(desk: Signed, chosen: CodeSelection, bulk: Bulk, code: ONE = None, *, days: DAYS) -> None:
    """Note that the creator added days, to what is left or to now; an expired code and its ads come back."""
    more = _days(days)
    with desk.portfolio() as spark:
        spark.codes.check_days(more)
        moves.move(desk, spark.codes, "extend", code, chosen=chosen, bulk=bulk, days=more)


@verb(app, "sparkads codes revoke 7", "sparkads codes revoke --all --creator @mia --reason 'left the programme'")
def revoke(desk: Signed, chosen: CodeSelection, bulk: Bulk, code: ONE = None, *, reason: REASON = None) -> None:
    """Note that the creator took a code back; the ads on it stop with it."""
    with desk.portfolio() as spark:
        moves.move(desk, spark.codes, "revoke", code, chosen=chosen, bulk=bulk, reason=reason)


@verb(app, "sparkads codes delete 7", "sparkads codes delete --all --state expired --preview")
def delete(desk: Signed, chosen: CodeSelection, bulk: Bulk, code: ONE = None) -> None:
    """Remove a code; refused while any ad that is not deleted uses its video."""
    with desk.portfolio() as spark:
        moves.move(desk, spark.codes, "delete", code, chosen=chosen, bulk=bulk)


def _print(desk: Desk, spark: SparkAds, found: Any) -> None:
    from sparkads.portfolio.listing import code_lines

    with spark.reading() as session:
        moves.answer(desk, COLUMNS, [asdict(line) for line in code_lines(session, found)])


def _within(text: str) -> timedelta:
    return timedelta(days=words.days("--within", text))


def _days(text: str) -> int:
    return words.number("--days", text, least=1, most=3650)


def _secret(given: str | None) -> str:
    """The code, from where it does not stay in the shell's history unless somebody typed it there."""
    from sparkads.errors import WrongInput

    if given == "-":
        try:
            return sys.stdin.read(100_000)
        except UnicodeDecodeError:
            raise WrongInput("expected a video code in UTF-8 on standard input, got other bytes") from None
    if given is not None:
        return given
    if not sys.stdin.isatty():
        raise WrongInput("expected the code as an argument, or - to read it from standard input")
    secret: str = typer.prompt("video code", hide_input=True)
    return secret
