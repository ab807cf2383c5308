"""For whoever looks after a portfolio: `force`, `check` and `diagram`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sparkads.cli import ends, moves, show, words
from sparkads.cli.moves import NEEDED_REASON
from sparkads.cli.verb import Commands, Desk, Signed, verb

if TYPE_CHECKING:
    from sqlmodel import Session

    from sparkads.portfolio import SparkAds

app = Commands()

NOUNS = ("codes", "ads", "posts", "accounts", "campaigns", "groups")
CHARTS = {
    "code": "video_code",
    "ad": "spark_ad",
    "post": "post",
    "identity": "identity",
    "account": "ad_account",
    "campaign": "campaign",
    "group": "ad_group",
}


@verb(app, 'sparkads force codes 7 revoked --reason "the creator says so on the phone"')
def force(
    desk: Signed,
    noun: Annotated[str, typer.Argument(metavar="|".join(NOUNS), help="What kind of row.")],
    row: Annotated[str, typer.Argument(metavar="ID", help="Which row: its id.")],
    state: Annotated[str, typer.Argument(metavar="STATE", help="The state to put it into.")],
    *,
    reason: NEEDED_REASON,
) -> None:
    """Put a row into any state by hand, whatever the rules say.

    The history records it as that. What the state sets off still happens: a code's ads stop with it."""
    from sparkads.errors import WrongInput

    if noun not in NOUNS:
        raise WrongInput(f"expected one of {', '.join(NOUNS)}; got {noun[:80]!r}")
    with desk.portfolio() as spark:
        rows: Any = getattr(spark, "ad_groups" if noun == "groups" else noun)
        row_id, (target,) = words.row(rows, row), words.states(rows, [state]) or ("",)

        def act(session: Session) -> Any:
            return rows.force(row_id, target, reason=reason, actor=desk.name, session=session)

        moves.do(desk, rows, act)


@verb(app, "sparkads check", "sparkads check --json")
def check(desk: Desk) -> None:
    """Check configuration, charts and database; start nothing.

    Each thing that was checked is listed; exit code 3 when one is not as it should be."""
    found = list(_checks(desk))
    if desk.as_json:
        show.answer([{"check": what, "ok": ok, "found": said} for what, ok, said in found])
    else:
        for what, ok, said in found:
            mark = typer.style("ok", fg="green") if ok else typer.style("NOT OK", fg="red")
            typer.echo(f"{mark:{8 + len(mark) - (2 if ok else 6)}}{what}: {show.text(said)}")
    if not all(ok for _, ok, _ in found):
        raise typer.Exit(ends.TROUBLE)


@verb(app, "sparkads diagram code", "sparkads diagram ad --json")
def diagram(
    desk: Desk, chart: Annotated[str, typer.Argument(metavar="|".join(CHARTS), help="Whose life.")]
) -> None:
    """Draw the life of a code, ad or the like, as Mermaid and as a table."""
    from sparkads.errors import WrongInput

    if chart not in CHARTS:
        raise WrongInput(f"expected one of {', '.join(CHARTS)}; got {chart[:80]!r}")
    from sparkads.workflows import WORKFLOWS
    from statewright.diagram import markdown, mermaid

    drawn = WORKFLOWS[CHARTS[chart]].chart
    if desk.as_json:
        show.answer({"mermaid": mermaid(drawn), "table": markdown(drawn)})
    else:
        typer.echo(f"{mermaid(drawn)}\n{markdown(drawn)}", nl=False)


def _checks(desk: Desk) -> Iterator[tuple[str, bool, str]]:
    """What was looked at, whether it is as it should be, and what was found."""
    from statewright.errors import DefinitionError, StatewrightError, StoreError

    try:
        settings = desk.settings
    except DefinitionError as error:
        yield "configuration", False, error.sentence
        return
    yield "configuration", True, str(settings.config or "the defaults, and what the environment says")
    try:
        from sparkads.workflows import WORKFLOWS
    except DefinitionError as error:
        yield "charts", False, error.sentence
        return
    yield (
        "charts",
        True,
        ", ".join(f"{each.noun} ({len(each.decisions.states)} states)" for each in WORKFLOWS.values()),
    )
    try:
        with desk.portfolio() as spark:
            yield "database", True, spark.store.name
            yield from _database(spark)
    except StoreError as error:
        yield "database", False, error.sentence
    except StatewrightError as error:
        yield "database", False, error.sentence


def _database(spark: SparkAds) -> Iterator[tuple[str, bool, str]]:
    from statewright.errors import StoreError

    drift = spark.store.drift()
    yield "schema version", True, str(spark.store.schema.version)
    said = "; ".join(drift) or "tables, indexes, checks and triggers are as the code expects them"
    yield "schema", not drift, said
    try:
        with suppress(_TakenBack), spark.transaction():
            raise _TakenBack
    except StoreError as error:
        yield "writing", False, error.sentence
    else:
        yield "writing", True, "possible"


class _TakenBack(Exception):
    """Ends a transaction that was only begun to see whether it can be."""
