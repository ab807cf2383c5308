"""`can` and `history`, which every noun has: what a row may do now, and what became of it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import typer

from sparkads.cli import show, words
from sparkads.cli.verb import Commands, Desk, verb

if TYPE_CHECKING:
    from sparkads.portfolio import SparkAds
    from sparkads.portfolio.noun import Noun
    from statewright.log import Entry

PAST = {
    "start": "was entered",
    "force": "was moved by hand",
    "authorize": "was authorized",
    "reject": "was rejected",
    "extend": "was extended",
    "expire": "expired",
    "revoke": "was revoked",
    "delete": "was deleted",
    "submit": "was submitted",
    "approve": "was approved",
    "resubmit": "was resubmitted",
    "appeal": "was appealed for",
    "pause": "was paused",
    "resume": "was resumed",
    "end": "ended with its schedule",
    "lose_authorization": "lost its authorization",
    "prolong": "was prolonged",
    "reschedule": "was rescheduled",
    "run_on": "was rescheduled",
    "grant": "became usable",
    "withdraw": "was withdrawn",
    "disable_ads": "had ad authorization switched off",
}
"""What an event did, in words, for "because video code 7 expired"."""


def common(app: Commands, noun: str, thing: str, argument: Any, example: str) -> None:
    """Give a noun its `can` and `history`, which are the same for all."""

    def can(desk: Desk, which: str) -> None:
        with desk.portfolio() as spark:
            _can(desk, _noun(spark, noun), which)

    def history(desk: Desk, which: str) -> None:
        with desk.portfolio() as spark:
            _history(desk, _noun(spark, noun), which)

    can.__doc__ = f"""Tell what can be done with {thing} now, and what not, and why.

    Where a deadline brings an event by itself, it is told when."""
    history.__doc__ = f"""Tell the life of {thing}: what happened, when, by whom and why.

    Where `sparkads archive` moved a part of it into a file, it is told which."""
    for function in (can, history):
        function.__annotations__ = {"desk": Desk, "which": argument, "return": None}
        verb(app, f"sparkads {noun} {function.__name__} {example}")(function)


def told(spark: SparkAds, entry: Entry) -> str:
    """What an event was told, its value alone when there is only one."""
    kinds = spark.workflows[entry.workflow].arguments.get(entry.event, {})
    told = sorted(entry.payload.items(), reverse=True)
    given = {name: _word(value, kinds.get(name, str)) for name, value in told}
    if len(given) == 1:
        return next(iter(given.values()))
    return ", ".join(f"{show.state(name)} {value}" for name, value in given.items())


def _word(value: Any, kind: type) -> str:
    if kind is bool:
        return "on" if value else "off"
    return show.text(datetime.fromisoformat(value)) if issubclass(kind, datetime) else str(value)


def _noun(spark: SparkAds, name: str) -> Noun[Any]:
    found: Noun[Any] = getattr(spark, "ad_groups" if name == "groups" else name)
    return found


def _can(desk: Desk, noun: Noun[Any], which: str) -> None:
    row_id = words.row(noun, which)
    with noun.spark.reading() as session:
        verdicts = noun.can(row_id, session=session)
        state = show.state(noun.get(row_id, session=session).state)
    now = noun.spark.now()
    if desk.as_json:
        show.answer(verdicts)
        return
    show.table(
        [
            show.Column("event", lambda each: show.state(each["it"].event), whole=True),
            show.Column("now", lambda each: "yes" if each["it"].possible else "no", whole=True),
            show.Column("", lambda each: _why(each["it"], state)),
            show.Column(
                "by itself",
                lambda each: show.both(each["it"].due_at, now) or ("yes" if each["it"].automatic else ""),
            ),
        ],
        [{"it": verdict} for verdict in verdicts],
    )


def _why(verdict: Any, state: str) -> str:
    if verdict.possible:
        target = show.state(verdict.target)
        return f"stays {target}" if target == state else f"becomes {target}"
    return verdict.because if verdict.refusals else f"not from {state}"


def _history(desk: Desk, noun: Noun[Any], which: str) -> None:
    from statewright.log import causes

    spark = noun.spark
    row_id = words.row(noun, which)
    with spark.reading() as session:
        life = noun.history(row_id, session=session)
        because = causes(session, life)
        archived = noun.archived(row_id, session=session)
    told = [(entry, _because(spark, entry, because.get(entry.cause or 0))) for entry in life]
    if desk.as_json:
        gone = [{"event": "archive", **show.plain(each)} for each in archived]
        show.answer([*gone, *({**entry.as_json(), "because": cause} for entry, cause in told)])
        return
    for each in archived:
        verb = "is" if each.moves == 1 else "are"
        typer.echo(f"{show.counted(each.moves, 'earlier move')} {verb} in {show.text(each.file)}")
    several = len({(entry.workflow, entry.row_id) for entry in life}) > 1
    of_whom = [show.Column("of", lambda each: f"{spark.workflows[each['it'].workflow].noun} {each['it'].row_id}")]
    show.table(
        [
            show.Column("when", lambda each: each["it"].at, whole=True),
            *(of_whom if several else []),
            show.Column("event", lambda each: show.state(each["it"].event)),
            show.Column("to", lambda each: show.state(each["it"].target)),
            show.Column("by", lambda each: each["it"].actor),
            show.Column("why", lambda each: _story(spark, each["it"], each["because"])),
        ],
        [{"it": entry, "because": cause} for entry, cause in told],
    )


def _because(spark: SparkAds, entry: Entry, cause: Entry | None) -> str:
    if cause is None:
        return "" if entry.cause is None else f"because of move {entry.cause}, which was archived"
    did = PAST.get(cause.event, f"had {show.state(cause.event)}")
    return f"because {spark.workflows[cause.workflow].noun} {cause.row_id} {did}"


def _story(spark: SparkAds, entry: Entry, cause: str) -> str:
    late = entry.due_at is not None and (entry.at - entry.due_at).total_seconds() >= 60
    return "; ".join(
        part
        for part in (
            cause,
            entry.reason or "",
            told(spark, entry),
            f"due {show.text(entry.due_at)}" if late else "",
        )
        if part
    )
