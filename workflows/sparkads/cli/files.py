"""Spreadsheets in and out: `import` and `export`."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from sparkads.cli import ends, show
from sparkads.cli.verb import Commands, Desk, Signed, verb

if TYPE_CHECKING:
    from sparkads.portfolio import SparkAds

app = Commands()

Progress = Callable[[int, int | None], None]


@verb(
    app,
    "sparkads import codes.csv ads.csv",
    "sparkads import codes.csv --strict",
    "cat codes.csv | sparkads import - --rejects rejected.csv",
)
def import_(
    desk: Signed,
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="CSV files, or JSON lines; `-` is standard input.")
    ],
    *,
    strict: Annotated[
        bool, typer.Option("--strict", help="Take all rows of a file or, if one is rejected, none.")
    ] = False,
    rejects: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="Where rejected rows go, with line and reason; FILE.rejects.csv unless given."
        ),
    ] = None,
    _columns: Annotated[
        bool,
        typer.Option(
            "--columns",
            help="Tell every column that a file may have.",
            is_eager=True,
            callback=lambda asked: _tell_columns(asked=asked),
        ),
    ] = False,
) -> None:
    """Take codes, ads or history from CSV files; what is there already stays as it is.

    A file of codes needs the columns code, post, days and issued_at; a file of ads needs the columns
    campaign, ad_group, name and post. Makes the database if there is none. Ends with exit code 1 when a row
    was rejected."""
    from sparkads.errors import WrongInput

    if rejects is not None and len(files) > 1:
        raise WrongInput("expected one file with --rejects, got several; import them one by one")
    for file in files:
        if file != "-" and not Path(file).exists():
            raise FileNotFoundError(2, "there is no such file", file)
    where = Path(rejects) if rejects is not None else None
    answers = []
    try:
        with desk.portfolio(create=True) as spark:
            for file in files:
                done = _import(spark, file, actor=desk.name, strict=strict, rejects=where)
                answers.append({"file": file, **done})
                if not desk.as_json:
                    _tell(answers[-1])
    finally:
        # Files before one that cannot be taken stay taken.
        if desk.as_json and answers:
            show.answer(answers)
    if any(each["rejected"] for each in answers):
        raise typer.Exit(ends.REFUSED)


@verb(
    app,
    "sparkads export codes --reveal -o codes.csv",
    "sparkads export history --format jsonl | head",
)
def export(
    desk: Desk,
    what: Annotated[str, typer.Argument(metavar="codes|ads|history", help="What to write.")],
    *,
    form: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="csv|jsonl",
            help="CSV, or a JSON object a line; CSV unless given, and JSON lines on standard output with --json.",
        ),
    ] = None,
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Write the codes themselves, which are secrets; masked unless given.")
    ] = False,
    out: Annotated[
        str | None, typer.Option("--output", "-o", metavar="FILE", help="Write here; whole, or not at all.")
    ] = None,
) -> None:
    """Write codes, ads or the history as CSV or JSON lines.

    What was written with --reveal can be imported again, elsewhere too."""
    from sparkads.errors import WrongInput

    if what not in ("codes", "ads", "history"):
        raise WrongInput(f"expected codes, ads or history, got {what[:80]!r}")
    if form is None:
        form = "jsonl" if desk.as_json and out is None else "csv"
    if form not in ("csv", "jsonl"):
        raise WrongInput(f"expected the format to be csv or jsonl, got {form[:80]!r}")
    from sparkads.exporting import export as write

    with desk.portfolio() as spark:
        if out is None:
            if isinstance(sys.stdout, io.TextIOWrapper):
                # What imports again is UTF-8, whatever the terminal speaks.
                sys.stdout.reconfigure(encoding="utf-8", newline="")
            write(spark, what, sys.stdout, form=form, reveal=reveal)
            _tell_archived(_archived(spark, what))
            return
        with _whole(Path(out)) as stream, bar(f"writing {Path(out).name}") as progress:
            rows = write(spark, what, stream, form=form, reveal=reveal, progress=progress)
        elsewhere = _archived(spark, what)
    if desk.as_json:
        show.answer({"file": out, "rows": rows, **({"archived": elsewhere} if elsewhere else {})})
    else:
        typer.echo(f"{out}: {show.counted(rows, 'row')}")
        _tell_archived(elsewhere)


@contextmanager
def bar(title: str) -> Iterator[Progress]:
    """A progress bar, when somebody watches."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(title, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def _archived(spark: SparkAds, what: str) -> list[str]:
    """The files with what an export of the history lacks."""
    if what != "history":
        return []
    from statewright.archive import files

    with spark.reading() as session:
        return files(session)


def _tell_archived(files: list[str]) -> None:
    if files:
        more = f" and {len(files) - 3:,} older files" if files[3:] else ""
        typer.echo(f"moves that were archived are not in it, but in {', '.join(files[-3:])}{more}", err=True)


def _import(spark: SparkAds, file: str, **options: Any) -> dict[str, Any]:
    from sparkads.importing import import_file

    source = sys.stdin.buffer if file == "-" else Path(file)
    name = "standard input" if file == "-" else Path(file).name
    with bar(f"reading {name}") as progress:
        done = import_file(spark, source, name=name, progress=progress, **options)
    facts = {field: getattr(done, field) for field in ("kind", "taken", "unchanged", "rejected")}
    return {**facts, "rejects": None if done.rejects is None else str(done.rejects)}


def _tell_columns(*, asked: bool) -> None:
    if asked:
        from sparkads.columns import KINDS

        for kind in KINDS:
            typer.echo(f"{kind.name}:")
            width = max(map(len, kind.names)) + 2
            for column in kind:
                if not column.told:
                    typer.echo(f"  {column.name:{width}}{column.meaning}{' (needed)' if column.required else ''}")
        raise typer.Exit


def _tell(done: dict[str, Any]) -> None:
    counted = ", ".join(f"{done[what]:,} {what}" for what in ("taken", "unchanged", "rejected"))
    typer.echo(f"{done['file']} ({done['kind']}): {counted}")
    if done["rejected"]:
        where = f"; see {done['rejects']}" if done["rejects"] else ""
        typer.echo(f"{done['file']}: {show.counted(done['rejected'], 'row')} rejected{where}", err=True)


@contextmanager
def _whole(out: Path) -> Iterator[TextIO]:
    """A file that appears when all of it is written, so that a failure leaves no half of one."""
    half = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        with half.open("x", encoding="utf-8", newline="") as stream:
            # It may hold secrets: nobody else reads it.
            half.chmod(0o600)
            yield stream
        half.replace(out)
    finally:
        with suppress(FileNotFoundError):
            half.unlink()
