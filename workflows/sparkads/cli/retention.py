"""What is long over, out of the way: `archive`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from sparkads.cli import show, words
from sparkads.cli.files import bar
from sparkads.cli.verb import Commands, Signed, verb

if TYPE_CHECKING:
    from datetime import datetime

    from statewright.archive import Archived, Finding

app = Commands()


@verb(
    app,
    "sparkads archive --before 2025-01-01 --into /backup/sparkads",
    "sparkads archive --before now-365d --dry-run",
)
def archive(
    desk: Signed,
    *,
    before: Annotated[
        str, typer.Option("--before", metavar="DATE", help="What ended before then: 2025-01-01, now-365d.")
    ],
    into: Annotated[
        str, typer.Option("--into", metavar="FOLDER", help="Where the file goes; this folder unless given.")
    ] = ".",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell how much there is to archive.")] = False,
) -> None:
    """Move the history of what is long over into a file.

    What was deleted or closed before the date stays as it is, but its moves go from the database into a new
    file: JSON lines, compressed. The file is compared with the database before anything is removed there, and
    `history` says where the moves are."""
    with desk.portfolio() as spark:
        cut = words.day("--before", before, spark.now())
        if dry_run:
            found = spark.archivable(before=cut)
            if desk.as_json:
                show.answer(found)
            else:
                typer.echo("\n".join(_told(found, cut, f"{_much(found)} to archive; nothing was written")))
            return
        with bar("archiving") as progress:
            done = spark.archive(before=cut, into=into, actor=desk.name, progress=progress)
    if desk.as_json:
        show.answer(_facts(done))
    else:
        sentence = f"{done.file}: {_much(done.found)}, no longer in the database"
        typer.echo("\n".join(_told(done.found, cut, sentence)))


def _much(found: Finding) -> str:
    return f"{show.counted(found.moves, 'move')} of {show.counted(found.lives, 'finished life')}"


def _told(found: Finding, cut: datetime, sentence: str) -> list[str]:
    lines = [sentence if found.lives else f"nothing to archive that ended before {show.text(cut)}"]
    if found.waiting:
        who = " and ".join(found.behind) or "a subscriber that gave up on some of it"
        lines.append(f"{show.counted(found.waiting, 'finished life')} more, not yet read by {who}")
    return list(map(show.text, lines))


def _facts(done: Archived) -> dict[str, Any]:
    file = None if done.file is None else str(done.file)
    return {"file": file, "sha256": done.sha256, **show.plain(done.found), "dropped": list(done.dropped)}
