"""The root of all commands: what there is, loaded only when it is asked for, and how it ends."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import Annotated, Any, NoReturn

import typer
import typer.main

from sparkads.cli import ends
from sparkads.cli.verb import ACTOR, AS_JSON, CONFIG, DB, Command, Group

NOUNS = {
    "codes": ("codes", "Video codes: received from creators, authorized, extended, over."),
    "ads": ("ads", "Spark Ads: created, submitted to review, live, paused, stopped."),
    "posts": ("posts", "Posts: creators' videos on TikTok, and videos pushed from Ads Manager."),
    "accounts": ("accounts", "Ad accounts, and the TikTok accounts in whose name they advertise."),
    "campaigns": ("campaigns", "Campaigns: an objective and a budget for ad groups."),
    "groups": ("groups", "Ad groups: where, when and for how much a campaign's ads run."),
}
ERRANDS = {
    "import": ("files", "Take codes, ads or history from CSV files; what is there already stays as it is."),
    "export": ("files", "Write codes, ads or the history as CSV or JSON lines."),
    "archive": ("retention", "Move the history of what is long over into a file."),
    "forecast": ("time", "Show which codes will end and which ads will stop, day by day."),
    "tick": ("time", "Do what is due now, once: expire codes, stop their ads."),
    "daemon": ("time", "Do what is due whenever it is due, until it is told to stop."),
    "status": ("time", "Show how the daemon is doing, and how many codes and ads there are."),
    "force": ("care", "Put a row into any state by hand, whatever the rules say."),
    "copy": ("copying", "Copy a whole portfolio with its history into another database, such as a server's."),
    "check": ("care", "Check configuration, charts and database; start nothing."),
    "diagram": ("care", "Draw the life of a code, ad or the like, as Mermaid and as a table."),
}
DATABASE = {"db": ("db", "The database: of which version its tables are, and how they become those of this one.")}
PLACES = {**NOUNS, **ERRANDS, **DATABASE}
"""Each command with the module that it lives in and its purpose: enough for help, without loading it."""

EPILOG = """\b
Exit codes:
  0  done
  1  refused by a rule, or there is no such row
  2  wrong use: a wrong option, id, date, duration or code
  3  trouble with the database, the configuration or a file
"""


class Root(Group):
    """Loads a command when it is called, and turns whatever happens into an exit code."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, (_, purpose) in PLACES.items():
            self.commands[name] = Command(name, help=purpose)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args[0] in PLACES:
            self.commands[args[0]] = load(args[0], *args[1:2])
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        for heading, places in (
            ("What is kept", NOUNS),
            ("What is done", ERRANDS),
            ("Where it is kept", DATABASE),
        ):
            with formatter.section(heading):
                formatter.write_dl([(name, purpose) for name, (_, purpose) in places.items()])

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: FBT001, FBT002 - the base class's signature
        windows_expand_args: bool = True,  # noqa: FBT001, FBT002
        **extra: Any,
    ) -> NoReturn:
        arguments = sys.argv[1:] if args is None else list(args)
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                # A terminal that lacks a letter shows its number.
                stream.reconfigure(errors="backslashreplace")
        try:
            ends.check_encoding(arguments)
            code = super().main(
                arguments, prog_name="sparkads", complete_var=complete_var, standalone_mode=False, **extra
            )
        except Exception as error:  # noqa: BLE001 - a stack trace reaches nobody
            code = ends.tell(error, as_json="--json" in arguments)
        except KeyboardInterrupt:
            code = ends.INTERRUPTED
        sys.exit(code or ends.DONE)

    def invoke(self, ctx: Any) -> Any:
        try:
            done = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            # Whoever read the output has seen enough; the interpreter must not try to write the rest.
            with suppress(io.UnsupportedOperation):
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(ends.READER_GONE) from None
        return done


def load(name: str, verb: str | None = None) -> Any:
    """The whole command behind one of the names in `PLACES`; of a noun, no other than this verb, if it has it."""
    commands = import_module(f"sparkads.cli.{PLACES[name][0]}").app
    if name in ERRANDS:
        return commands.group(name).commands[name]
    group = commands.group(verb)
    group.name, group.help = name, PLACES[name][1]
    return group


app = typer.Typer(cls=Root, no_args_is_help=True, rich_markup_mode=None, epilog=EPILOG)


@app.callback()
def sparkads(
    ctx: typer.Context,
    *,
    db: DB = None,
    config: CONFIG = None,
    actor: ACTOR = None,
    as_json: AS_JSON = False,
    _version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Show the version and exit.",
            is_eager=True,
            callback=lambda asked: _tell_version(asked=asked),
        ),
    ] = False,
) -> None:
    """Keep a portfolio of TikTok Spark Ads alive.

    Every video code and every Spark Ad is a persisted state machine; the daemon moves them when their time comes.
    The options below may also stand after the command.

    \b
    Examples:
      sparkads import codes.csv
      sparkads codes list --state live
      sparkads codes expiring --within 7
      sparkads daemon
    """
    ctx.obj = {"db": db, "config": config, "actor": actor, "as_json": as_json}


def run() -> NoReturn:
    """Do what the command line of this process asks for."""
    typer.main.get_command(app).main()
    raise AssertionError("unreachable: the root exits")


def _tell_version(*, asked: bool) -> None:
    if asked:
        from importlib.metadata import PackageNotFoundError, version

        try:
            typer.echo(f"sparkads {version('sparkads')}")
        except PackageNotFoundError:
            typer.echo("sparkads, run from its sources")
        raise typer.Exit
