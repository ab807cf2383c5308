"""Tables of another version: `db upgrade`, `db current` and `db check`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from sparkads.cli import ends, show
from sparkads.cli.verb import Commands, Desk, verb

if TYPE_CHECKING:
    from statewright.migrations import Step

app = Commands()


@verb(app, "sparkads db upgrade")
def upgrade(desk: Desk) -> None:
    """Make the tables of an older version those of this program, all of it or nothing.

    Where a database has no tables, they are made. Stop the programs of the older version first, and back the
    database up. On a server, only the owner of the tables can do this."""

    def tell(step: Step) -> None:
        if not desk.as_json:
            typer.echo(show.text(f"{step.revision}: {step.purpose}"))

    with desk.tables() as store:
        steps = store.upgrade(tell=tell)
    versions, name = store.expected, store.name
    if desk.as_json:
        show.answer({"database": name, "steps": steps, "versions": versions})
        return
    said = ", ".join(f"{tables} {version}" for tables, version in versions.items())
    done = "" if steps else "nothing to do: "
    typer.echo(f'{done}the database "{show.text(name)}" has the tables of this program: {said}')


@verb(app, "sparkads db current", "sparkads db current --json")
def current(desk: Desk) -> None:
    """Show which versions of the tables the database has, and which this program expects."""
    with desk.tables() as store:
        found = store.versions()
        rows = [
            {"tables": name, "found": found.get(name), "expected": version}
            for name, version in store.expected.items()
        ]
    if desk.as_json:
        show.answer(rows)
        return
    show.table(
        [
            show.Column("tables", lambda row: row["tables"], whole=True),
            show.Column("found", lambda row: row["found"], whole=True, right=True),
            show.Column("expected", lambda row: row["expected"], whole=True, right=True),
        ],
        rows,
    )


@verb(app, "sparkads db check", "sparkads db check --json")
def check(desk: Desk) -> None:
    """Compare tables, indexes, checks and triggers with those that this program makes.

    A line for each difference, and exit code 1 if there is one. On a server, only the owner of the database can
    do this."""
    with desk.tables() as store:
        drift = store.drift()
        name = store.name
    if desk.as_json:
        show.answer({"database": name, "differences": drift})
    else:
        typer.echo(show.text(drift or f'the database "{name}" is as this program makes it'))
    if drift:
        raise typer.Exit(ends.REFUSED)
