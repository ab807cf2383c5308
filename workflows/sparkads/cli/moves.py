"""What the commands of every noun share: a page of rows, a move of one, a move of many."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sparkads.cli import show, words
from sparkads.cli.lives import told
from sparkads.cli.verb import Desk, Options, Signed

if TYPE_CHECKING:
    from sqlmodel import Session

    from sparkads.portfolio import SparkAds
    from sparkads.portfolio.noun import Noun
    from statewright.log import Entry

SHOWN = 10
"""How many rows that moved too are named before the rest is counted."""

REASON = Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Why, for the history.")]
NEEDED_REASON = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, for the history.")]


@dataclass(frozen=True, slots=True)
class Page(Options):
    """Which part of a long list."""

    limit: Annotated[str, typer.Option(metavar="N", help="At most so many rows.")] = "100"
    after: Annotated[str, typer.Option(metavar="ID", help="Only rows with higher ids.")] = "0"


@dataclass(frozen=True, slots=True)
class Bulk(Options):
    """Many rows instead of one."""

    every: Annotated[
        bool, typer.Option("--all", help="Every row of the selection; those that a rule keeps stay as they are.")
    ] = False
    preview: Annotated[
        bool, typer.Option("--preview", help="With --all: how many would move or stay, and why; writes nothing.")
    ] = False


@dataclass(frozen=True, slots=True)
class Selection(Options):
    """Options that choose rows; each noun has its own."""

    def asked(self, spark: SparkAds) -> dict[str, Any]:
        """The selection as the portfolio's nouns take it; empty when nothing was asked for."""
        raise NotImplementedError


def page(desk: Desk, noun: Noun[Any], chosen: Page, asked: Mapping[str, Any]) -> Sequence[Any]:
    """The rows of a page; tells on stderr when there is nothing, or more."""
    limit = words.number("--limit", chosen.limit, least=1, most=1_000_000)
    after = words.number("--after", chosen.after, least=0, most=10**13)
    found = list(noun.list(limit=limit + 1, after=after, **asked))
    if len(found) > limit:
        found.pop()
        typer.echo(f"the first {limit:,} are shown; for more: --after {found[-1].id}", err=True)
    none(desk, noun.workflow.noun, found)
    return found


def none(desk: Desk, noun: str, found: Sequence[Any]) -> None:
    """Say so on stderr when a list is empty."""
    if not found and not desk.as_json:
        typer.echo(f"no {noun}", err=True)


def answer(desk: Desk, columns: Sequence[show.Column], rows: Sequence[Any]) -> None:
    """Print rows as this desk wants them."""
    if desk.as_json:
        show.answer(rows)
    else:
        show.table(columns, rows)


def move(
    desk: Signed,
    noun: Noun[Any],
    event: str,
    which: str | None,
    *,
    chosen: Selection | None = None,
    bulk: Bulk | None = None,
    reason: str | None = None,
    **arguments: Any,
) -> None:
    """Send an event to the row that is meant, or to all of a selection, and tell what became of them."""
    from sparkads.errors import WrongInput

    spark = noun.spark
    asked = chosen.asked(spark) if chosen is not None else {}
    said = {"reason": reason} if reason is not None else {}
    if bulk is not None and bulk.every:
        if which is not None:
            raise WrongInput(f"expected one {noun.workflow.noun} or --all, got both")
        if bulk.preview:
            _preview(desk, noun, event, asked, arguments)
        else:
            _move_all(desk, noun, event, asked, arguments=arguments, said=said)
        return
    if asked or (bulk is not None and bulk.preview):
        raise WrongInput("options that select rows, and --preview, go together with --all")
    if which is None:
        raise WrongInput(f"expected the id of a {noun.workflow.noun}, or --all; see --help")
    row_id = words.row(noun, which)

    def act(session: Session) -> Any:
        return getattr(noun, event)(row_id, actor=desk.name, session=session, **said, **arguments)

    do(desk, noun, act)


def do(desk: Signed, noun: Noun[Any], act: Callable[[Session], Any]) -> None:
    """Do something that ends with a row of this noun, and tell what became of it and what moved with it."""
    from sparkads.portfolio.listing import labels
    from statewright.clash import attempt
    from statewright.log import entries, last_id
    from statewright.session import written

    spark = noun.spark

    def once() -> Any:
        with spark.transaction() as session:
            before = last_id(session)
            row = act(session)
            since = entries(session, written(session, after=before))
            followed = _net([entry for entry in since if not _about(entry, row)])
            names = labels(session, ((move["workflow"], move["row_id"]) for move in followed))
            return row, since, followed, names

    row, since, followed, names = attempt(once)
    for each in followed:
        each["label"] = names.get((each["workflow"], each["row_id"]), "")
    if desk.as_json:
        own = noun.workflow.table is row.__table__
        show.answer({**(columns_of(noun, row) if own else row.model_dump()), "followed": followed})
        return
    lines = [_sentence(noun, row, [entry for entry in since if _about(entry, row)])]
    for each in followed[:SHOWN]:
        was = f"{show.state(each['source'])} -> " if each["source"] else ""
        subject = f'{spark.workflows[each["workflow"]].noun} {each["row_id"]} "{each["label"]}"'
        lines.append(f"  with it, {subject}: {was}{show.state(each['target'])}")
    if len(followed) > SHOWN:
        lines.append(f"  and {len(followed) - SHOWN:,} more")
    typer.echo("\n".join(show.text(line) for line in lines))


def columns_of(noun: Noun[Any], row: Any) -> dict[str, Any]:
    """A row's own columns, without what tells a code."""
    return {
        column.key: getattr(row, column.key)
        for column in noun.workflow.table.c
        if column.key not in ("code", "fingerprint")
    }


def brief(rows: Iterable[Any]) -> list[dict[str, Any]]:
    """Other rows, as JSON tells them beside the one that is asked for."""
    return [{"id": row.id, _label(row): getattr(row, _label(row)), "state": row.state} for row in rows]


def in_words(rows: Iterable[Any]) -> list[str]:
    """The same for people, a line each."""
    return [f"{row.id} {getattr(row, _label(row))} ({show.state(row.state)})" for row in rows]


def _label(row: Any) -> str:
    """The column by which people know a row; a code by what is shown of it."""
    return next(name for name in ("hint", "name") if hasattr(row, name))


def _about(entry: Entry, row: Any) -> bool:
    return (entry.workflow, entry.row_id) == (row.__tablename__, row.id)


def _net(followed: Sequence[Entry]) -> list[dict[str, Any]]:
    """Where each row came from and where it is now, whatever it went through in between."""
    moves: dict[tuple[str, int], dict[str, Any]] = {}
    for entry in followed:
        move = moves.setdefault(
            (entry.workflow, entry.row_id),
            {"workflow": entry.workflow, "row_id": entry.row_id, "source": entry.source},
        )
        move["target"] = entry.target
    return [move for move in moves.values() if move["source"] != move["target"]]


def _sentence(noun: Noun[Any], row: Any, own: Sequence[Entry]) -> str:
    """What became of a row, for whoever moved it."""
    label = next((getattr(row, name) for name in ("hint", "name") if hasattr(row, name)), None)
    handle = next((getattr(row, name) for name in ("creator", "handle") if hasattr(row, name)), None)
    called = f' "{label}"' if label else f" of @{handle}" if handle else ""
    kind = show.state(row.__tablename__)
    said = f"{kind} {row.id}{called} is {show.state(row.state)}"
    end = getattr(row, "expire_due_at", None)
    if end is not None:
        return f"{said}; it ends {show.both(end, noun.spark.now())}"
    if own and own[-1].source == own[-1].target:
        given = told(noun.spark, own[-1])
        return f"{kind} {row.id}{called}: {show.state(own[-1].event)} {given}".rstrip()
    if kind == noun.workflow.noun and row.state in noun.workflow.waits:
        lacking = noun.waiting_for(row)
        return f"{said}: {lacking}" if lacking else said
    return said


def _preview(desk: Desk, noun: Noun[Any], event: str, asked: dict[str, Any], arguments: dict[str, Any]) -> None:
    seen = noun.preview(event, arguments=arguments, **asked)
    if desk.as_json:
        show.answer({"event": event, "moving": seen.moving, "refused": seen.refused})
        return
    moving = sum(seen.moving.values())
    lines = [f"would {show.state(event)} {show.counted(moving, noun.workflow.noun)}"]
    lines += [f"would not move {rows:,}: {reason}" for reason, rows in seen.refused.items()]
    typer.echo("\n".join(lines))


def _move_all(
    desk: Signed,
    noun: Noun[Any],
    event: str,
    asked: dict[str, Any],
    *,
    arguments: dict[str, Any],
    said: dict[str, Any],
) -> None:
    refused = noun.preview(event, arguments=arguments, **asked).refused
    moved = getattr(noun, f"{event}_all")(actor=desk.name, **arguments, **asked, **said)
    if desk.as_json:
        cascaded = {f"{workflow}.{name}": rows for (workflow, name), rows in moved.cascaded.items() if rows}
        show.answer({"event": event, "moved": moved.rows, "cascaded": cascaded, "refused": refused})
        return
    lines = [f"{show.state(event)}: {show.counted(moved.rows, noun.workflow.noun)}"]
    lines += [
        f"  with them, {show.state(name)}: {show.counted(rows, noun.spark.workflows[workflow].noun)}"
        for (workflow, name), rows in moved.cascaded.items()
        if rows and name != "follow"
    ]
    lines += [f"  did not move {rows:,}: {reason}" for reason, rows in refused.items()]
    typer.echo("\n".join(lines))
