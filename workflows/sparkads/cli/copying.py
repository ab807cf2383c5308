"""From one database into another: `copy`."""

from __future__ import annotations

from typing import Annotated

import typer

from sparkads.cli import show
from sparkads.cli.files import bar
from sparkads.cli.show import Column
from sparkads.cli.verb import Commands, Desk, verb

app = Commands()

COLUMNS = (
    Column("table", lambda row: row["table"], whole=True),
    Column("rows", lambda row: f"{row['rows']:,}", right=True),
    Column("last id", lambda row: row["last"], right=True),
    Column(
        "states", lambda row: ", ".join(f"{rows:,} {show.state(state)}" for state, rows in row["states"].items())
    ),
)


@verb(
    app,
    "sparkads copy --to postgresql://ana@db.example/sparkads",
    "sparkads --db postgresql://ana@db.example/sparkads copy --to sqlite:///portfolio.db",
)
def copy(
    desk: Desk,
    *,
    to: Annotated[str, typer.Option("--to", metavar="URL", help="The database to fill, which must be empty.")],
) -> None:
    """Copy a whole portfolio with its history into another database, such as a server's.

    All rows with their ids, of one moment, in one transaction: if it fails, the other database stays empty.
    Before it ends, the rows of both sides are counted and compared. What is written to the portfolio
    meanwhile and afterwards is not in the copy, so stop the daemons first."""
    from sparkads.portfolio import SparkAds
    from statewright.copying import copy as write

    with desk.portfolio() as spark:
        target = SparkAds(to, settings=desk.settings)
        try:
            with bar(f"copying to {target.store.name}") as progress:
                copied = write(spark.store, target.store, progress=progress)
            sides = {"source": spark.store.name, "target": target.store.name}
        finally:
            target.close()
    rows = [show.plain(each) for each in copied]
    if desk.as_json:
        show.answer({**sides, "tables": rows})
        return
    show.table(COLUMNS, rows)
    total = show.counted(sum(each.rows for each in copied), "row")
    typer.echo(f"{total} of {sides['source']}, and the same in {sides['target']}")
