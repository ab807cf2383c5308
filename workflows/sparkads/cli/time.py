"""What time brings: `forecast`, `tick`, `daemon` and `status`."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sparkads.cli import ends, moves, show, words
from sparkads.cli.verb import Commands, Desk, verb

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement
    from sqlmodel import Session

    from sparkads.portfolio import SparkAds
    from sparkads.portfolio.forecast import Day
    from statewright.retention import Retention
    from statewright.status import Status
    from statewright.step import Tick

app = Commands()

PLOT = 32
"""Letters of the longest bar of the plot."""


@verb(app, "sparkads forecast --days 30", "sparkads forecast --days 90 --json")
def forecast(
    desk: Desk,
    *,
    days: Annotated[str, typer.Option(metavar="DAYS", help="So many days ahead.")] = "30",
) -> None:
    """Show which codes will end and which ads will stop, day by day.

    Days are days in UTC; what is overdue counts for today. An ad counts once, by whatever stops it first."""
    ahead = words.days("--days", days)
    with desk.portfolio() as spark:
        found = spark.forecast(days=ahead)
    if desk.as_json:
        show.answer(found)
        return
    codes, ads = sum(day.codes for day in found), sum(day.ads for day in found)
    if codes or ads:
        _plot(found)
    span = "today" if ahead == 0 else f"today and the {show.counted(ahead, 'day')} after it"
    typer.echo(f"{span}: {_end(codes)}, {_stop(ads)}")


@verb(app, "sparkads tick", "sparkads tick --dry-run --at now+7d")
def tick(
    desk: Desk,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Do it, tell what it did, and take it back. Others wait meanwhile.")
    ] = False,
    at: Annotated[
        str | None,
        typer.Option(metavar="WHEN", help="With --dry-run: as if it were then: 2026-04-01T00:00Z, now+7d."),
    ] = None,
) -> None:
    """Do what is due now, once: expire codes, stop their ads.

    Ends with exit code 3 when a row was refused and set aside."""
    from sparkads.errors import WrongInput

    if at is not None and not dry_run:
        raise WrongInput("--at is for rehearsals; add --dry-run")
    with desk.portfolio() as spark:
        if dry_run:
            now = spark.now()
            _rehearse(desk, spark, now, now if at is None else words.instant("the instant", at, now))
            return
        done = spark.tick()
    if desk.as_json:
        show.answer(done.as_json())
    else:
        typer.echo(done.sentence(spark.workflows))
    if done.set_aside:
        raise typer.Exit(ends.TROUBLE)


@verb(app, "sparkads daemon", "sparkads daemon --json-logs", "sparkads daemon --once")
def daemon(
    desk: Desk,
    *,
    once: Annotated[bool, typer.Option("--once", help="Do what is due, tell it, and end.")] = False,
    json_logs: Annotated[
        bool, typer.Option("--json-logs", help="Write lines for programs. [env: SPARKADS_LOG_FORMAT=json]")
    ] = False,
) -> None:
    """Do what is due whenever it is due, until it is told to stop.

    What moves is written to standard output, a line each; how the daemon fares, to standard error.
    SIGTERM and Ctrl-C end it after the batch at hand. Makes the database if there is none.
    With --once it ends with exit code 3 when a row was refused and set aside, as `tick` does."""
    import logging

    from statewright.daemon import run
    from statewright.logs import JsonLines, TextLines, logger
    from statewright.subscriber import lines

    with desk.portfolio(create=True) as spark:
        form = "json" if json_logs or desk.as_json else spark.settings.log_format
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(JsonLines() if form == "json" else TextLines())
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        refused = 0

        def note(done: Tick) -> None:
            nonlocal refused
            refused += done.set_aside

        try:
            run(
                spark.store,
                spark.workflows,
                subscribers=[lines(sys.stdout, form=form)],
                heartbeat=spark.settings.heartbeat,
                batch=spark.settings.batch,
                pause=spark.settings.pause,
                retention=_retention(spark),
                once=once,
                report=note,
            )
        finally:
            logger.removeHandler(handler)
    if once and refused:
        raise typer.Exit(ends.TROUBLE)


@verb(app, "sparkads status", "sparkads status --json")
def status(desk: Desk) -> None:
    """Show how the daemon is doing, and how many codes and ads there are.

    It asks the database alone: when the last tick was, what is overdue and for how long, what was set aside."""
    from sparkads.portfolio.listing import counts

    with desk.portfolio() as spark, spark.reading() as session:
        health = spark.status()
        codes, ads = (counts(session, noun.workflow) for noun in (spark.codes, spark.ads))
    if desk.as_json:
        show.answer({**health.as_json(), "codes": codes, "ads": ads})
        return
    show.facts(
        {
            "last tick": show.both(health.last_tick, health.at) or "never; start `sparkads daemon`",
            "overdue": list(_overdue(spark, health)) or "nothing",
            "next": list(_next(spark, health)) or "nothing",
            "set aside": list(_set_aside(spark, health)),
            "undelivered": [
                f"log row {each.transition_id} to {each.subscriber}: {each.error}" for each in health.undelivered
            ],
            "subscribers": [
                f"{each.name}, {show.counted(each.lag, 'log row')} behind"
                + (f": {each.error}" if each.error else "")
                for each in health.subscriptions
            ],
            "codes": _counted(codes),
            "ads": _counted(ads),
        }
    )


def _retention(spark: SparkAds) -> Retention | None:
    from pathlib import Path

    from statewright.retention import Retention

    after = spark.settings.archive_after
    return Retention(timedelta(days=after), Path(spark.settings.archive_into)) if after else None


@dataclass(slots=True)
class _Stopped:
    """What a rehearsal found: codes that end and ads that stop, in all, and the first of them by name."""

    codes: int = 0
    ads: int = 0
    first_codes: list[dict[str, Any]] = field(default_factory=list)
    first_ads: list[dict[str, Any]] = field(default_factory=list)

    def look(self, session: Session, written: ColumnElement[bool]) -> None:
        self.codes, self.first_codes = _ended(session, written, "video_code")
        self.ads, self.first_ads = _ended(session, written, "spark_ad")


def _ended(session: Session, written: ColumnElement[bool], workflow: str) -> tuple[int, list[dict[str, Any]]]:
    from sqlalchemy import and_, func, select

    from sparkads.portfolio.listing import labels
    from statewright.log import entries
    from statewright.tables import transition

    log = transition.c
    ended = and_(written, log.workflow == workflow, log.target == "expired")
    number = session.connection().execute(select(func.count()).where(ended)).scalar_one()
    first = entries(session, ended, limit=moves.SHOWN)
    names = labels(session, ((workflow, entry.row_id) for entry in first))
    return number, [
        {"id": entry.row_id, "label": names[workflow, entry.row_id], "state": entry.source} for entry in first
    ]


def _rehearse(desk: Desk, spark: SparkAds, now: datetime, at: datetime) -> None:
    found = _Stopped()
    swept = spark.rehearse(at, look=found.look)
    if desk.as_json:
        moved = {f"{workflow}.{event}": rows for (workflow, event), rows in swept.moved.items() if rows}
        stopped = {"codes": found.codes, "ads": found.ads}
        named = {"first_codes": found.first_codes, "first_ads": found.first_ads}
        show.answer({"at": at, "moved": moved, "set_aside": swept.set_aside, **stopped, **named})
        return
    when = "now" if at == now else f"at {show.both(at, now)}"
    lines = [f"a tick {when}: {_end(found.codes)}, {_stop(found.ads)}"]
    for noun, first, number in (
        ("video code", found.first_codes, found.codes),
        ("spark ad", found.first_ads, found.ads),
    ):
        lines += [f'  {noun} {row["id"]} "{row["label"]}", {show.state(row["state"])}' for row in first]
        lines += [f"  and {show.counted(number - len(first), f'more {noun}')}"] if number > len(first) else []
    reminders = swept.moved["video_code", "remind"]
    lines += [f"  {show.counted(reminders, 'reminder')} that an end is near"] if reminders else []
    lines += [f"  {show.counted(swept.set_aside, 'row')} set aside: refused"] if swept.set_aside else []
    typer.echo("\n".join([*map(show.text, lines), "nothing was written"]))


def _plot(days: Sequence[Day]) -> None:
    """A row for each day with its bar; quiet days in a row take one."""
    full, light = "█", "░"
    try:
        full.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        full, light = "#", "-"
    most = max(day.codes + day.ads for day in days)

    def bar(day: Day) -> str:
        codes, both = (-(-number * PLOT // max(most, PLOT)) for number in (day.codes, day.codes + day.ads))
        return full * codes + light * (both - codes)

    rows: list[dict[str, Any]] = []
    quiet = 0
    for day in days:
        if day.codes or day.ads:
            rows += _quiet(quiet)
            rows.append({"day": day.date, "codes": day.codes, "ads": day.ads, "bar": bar(day)})
        quiet = 0 if day.codes or day.ads else quiet + 1
    rows += _quiet(quiet)
    show.table(
        [
            show.Column("day", lambda row: row["day"], whole=True),
            show.Column("codes end", lambda row: row["codes"], whole=True, right=True),
            show.Column("ads stop", lambda row: row["ads"], whole=True, right=True),
            show.Column(f"{full} codes  {light} ads", lambda row: row["bar"], whole=True),
        ],
        rows,
    )


def _quiet(days: int) -> list[dict[str, Any]]:
    return [{"day": show.counted(days, "quiet day"), "codes": 0, "ads": 0, "bar": ""}] if days else []


def _end(number: int) -> str:
    return f"{show.counted(number, 'video code')} end{'s' if number == 1 else ''}"


def _stop(number: int) -> str:
    return f"{show.counted(number, 'spark ad')} stop{'s' if number == 1 else ''}"


def _overdue(spark: SparkAds, health: Status) -> Iterator[str]:
    for each in health.deadlines:
        if each.overdue:
            rows = show.counted(each.overdue, spark.workflows[each.workflow].noun)
            yield f"{rows} to {show.state(each.event)}, the oldest {show.duration(each.late)} late"


def _next(spark: SparkAds, health: Status) -> Iterator[str]:
    for each in health.deadlines:
        if each.next_due is not None:
            noun = spark.workflows[each.workflow].noun
            yield f"{show.state(each.event)} a {noun}: {show.both(each.next_due, health.at)}"


def _set_aside(spark: SparkAds, health: Status) -> Iterator[str]:
    for each in health.set_aside:
        noun = spark.workflows[each.workflow].noun
        again = show.both(each.retry_at, health.at)
        yield f"{noun} {each.row_id}, {show.state(each.event)}: {each.error}; tried again {again}"
    if health.rows_set_aside > len(health.set_aside):
        yield f"and {health.rows_set_aside - len(health.set_aside):,} more"


def _counted(by_state: dict[str, int]) -> str:
    return ", ".join(f"{rows:,} {show.state(state)}" for state, rows in by_state.items()) or "none"
