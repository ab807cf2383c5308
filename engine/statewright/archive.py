"""Old moves of finished lives: written to a file, the file compared with the log, and only then removed."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, false, func, insert, or_, select
from sqlmodel import Session

from statewright import tables
from statewright.errors import ArchiveError, StoreError
from statewright.log import Entry, entries, forget
from statewright.session import instant
from statewright.store import Store
from statewright.tables import subscription, transition, undelivered
from statewright.workflow import Workflow
from statewright.workflows import Workflows

VERSION = 1
"""Of the files; the first line of each tells it."""

AT_ONCE = 500
"""Lives held in memory, and removed in one transaction."""

PAUSE = 0.005
"""Seconds between two transactions, in which other writers get in."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What there is to archive.

    lives:   rows in a final state whose last move was before the instant asked for
    moves:   their log rows
    waiting: more such lives, which stay until every subscriber has read them
    behind:  the subscribers that have not
    """

    lives: int
    moves: int
    waiting: int
    behind: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Archived:
    """What was archived, and what still waits.

    file:    where it is; None when there was nothing to archive
    sha256:  of the file, in hexadecimal
    dropped: parts of the log, by name, that held nothing any more and are gone
    """

    found: Finding
    file: Path | None = None
    sha256: str = ""
    dropped: tuple[str, ...] = ()


def find(store: Store, workflows: Workflows, *, before: datetime) -> Finding:
    """What `archive` would take; nothing is written."""
    settled = store.settled()
    with store.reading() as session:
        return _find(session, workflows, before, settled)


def files(session: Session) -> list[str]:
    """The names of all files that hold moves which are no longer in the log, the oldest first."""
    return [*session.connection().execute(select(tables.archive.c.file).order_by(tables.archive.c.id)).scalars()]


def archive(
    store: Store,
    workflows: Workflows,
    *,
    before: datetime,
    into: Path,
    actor: str,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Archived:
    """Move the log rows of lives that ended before an instant into a new file: gzip, a JSON object a line.

    The first line tells what the file is; then each life, its moves oldest first, as `Entry.as_json` has them.
    into:     a folder; the file is named after both instants, that of the cut and that of the writing
    progress: told moves done and moves in all; once for writing, once for comparing, once for removing
    A life that is moved by hand meanwhile has its moves until then archived. Whenever this is cut short, nothing
    is lost: the log rows are there, or the whole file is. Raises ArchiveError for trouble with the file,
    StoreError where this user may not remove log rows, or `busy` where somebody else archives just now.
    """
    with store.transaction() as session:
        # To be told that one may not, before a file is written.
        forget(session, select(transition.c.id).where(false()))
    settled = store.settled()
    with store.reading() as session:
        found, now = _find(session, workflows, before, settled), instant(session)
        if not found.lives:
            return Archived(found)
        before = before.astimezone(UTC)
        file = into / f"log-before-{before:%Y-%m-%dT%H%M%SZ}-of-{now:%Y-%m-%dT%H%M%SZ}.jsonl.gz"
        head = {"archive": VERSION, "database": store.name, "before": before.isoformat()}
        head |= {"at": now.isoformat(), "actor": actor}
        with _in_full(file) as part:
            _write(part, head, _lives(session, workflows, before, settled), now, _told(progress, found.moves))
            _compare(part, _lives(session, workflows, before, settled), _told(progress, found.moves))
    done = Archived(found, file, _digest(file))
    record = {"file": file.name, "before": before, "at": now, "actor": actor, "sha256": done.sha256}
    _remove(store, file, {**record, "lives": found.lives, "moves": found.moves}, progress)
    return replace(done, dropped=tuple(store.drop_empty(before)))


def _find(session: Session, workflows: Workflows, before: datetime, settled: int) -> Finding:
    upto = _read_by_all(session, settled)
    lives = moves = ended = 0
    connection = session.connection()
    for workflow in _with_ends(workflows):
        number = select(func.count()).select_from(workflow.table)
        ready = _ready(workflow, before, upto)
        ended += connection.execute(number.where(_ended(workflow, before))).scalar_one()
        lives += connection.execute(number.where(ready)).scalar_one()
        theirs = transition.c.workflow == workflow.name, transition.c.row_id.in_(select(workflow.id).where(ready))
        moves += connection.execute(select(func.count()).where(*theirs)).scalar_one()
    late = select(subscription.c.name).where(
        subscription.c.position < select(func.max(transition.c.id)).scalar_subquery()
    )
    behind = connection.execute(late.order_by(subscription.c.name)).scalars() if ended > lives else ()
    return Finding(lives, moves, ended - lives, tuple(behind))


def _read_by_all(session: Session, settled: int) -> int:
    """The last log row that every subscriber has read, and before which none can still appear."""
    slowest = session.connection().execute(select(func.min(subscription.c.position))).scalar()
    return settled if slowest is None else min(slowest, settled)


def _with_ends(workflows: Workflows) -> list[Workflow]:
    return [workflow for workflow in workflows.values() if workflow.decisions.finals]


def _ended(workflow: Workflow, before: datetime) -> ColumnElement[bool]:
    """Whether a row is in a final state, and the log has moves of it, the last of them before an instant."""
    return and_(
        workflow.state.in_(sorted(workflow.decisions.finals)),
        exists().where(*_its_moves(workflow)),
        ~exists().where(*_its_moves(workflow), transition.c.at >= before),
    )


def _ready(workflow: Workflow, before: datetime, upto: int) -> ColumnElement[bool]:
    set_aside = exists().where(undelivered.c.transition_id == transition.c.id)
    unread = exists().where(*_its_moves(workflow), or_(transition.c.id > upto, set_aside))
    return and_(_ended(workflow, before), ~unread)


def _its_moves(workflow: Workflow) -> tuple[ColumnElement[bool], ...]:
    return transition.c.workflow == workflow.name, transition.c.row_id == workflow.id


def _lives(session: Session, workflows: Workflows, before: datetime, settled: int) -> Iterator[Entry]:
    """The moves of every life to be archived, life by life; few of them are held at a time."""
    upto = _read_by_all(session, settled)
    for workflow in _with_ends(workflows):
        ready = select(workflow.id).where(_ready(workflow, before, upto)).order_by(workflow.id).limit(AT_ONCE)
        some = session.connection().execute(ready).scalars().all()
        while some:
            theirs = entries(session, transition.c.workflow == workflow.name, transition.c.row_id.in_(some))
            yield from sorted(theirs, key=lambda entry: (entry.row_id, entry.at, entry.id))
            some = session.connection().execute(ready.where(workflow.id > some[-1])).scalars().all()


def _write(
    part: Path, head: dict[str, Any], lives: Iterable[Entry], now: datetime, tell: Callable[[int], None]
) -> None:
    with part.open("xb") as out:
        # It holds what the log holds: nobody else reads it.
        part.chmod(0o600)
        with gzip.GzipFile("", "wb", 6, out, now.timestamp()) as packed:
            packed.write(_line(head))
            for done, entry in enumerate(lives, 1):
                packed.write(_line(entry.as_json()))
                tell(done)
        out.flush()
        os.fsync(out.fileno())


def _compare(part: Path, lives: Iterable[Entry], tell: Callable[[int], None]) -> None:
    """Read the file again beside the log. Raises ArchiveError where they differ."""
    with gzip.open(part) as packed:
        packed.readline()
        same = True
        for done, entry in enumerate(lives, 1):
            same = same and packed.readline() == _line(entry.as_json())
            tell(done)
        if not same or packed.readline():
            raise ArchiveError(f'cannot archive into "{part.parent}": what is read back is not what was written')


def _remove(store: Store, file: Path, record: dict[str, Any], progress: Callable[[int, int], None]) -> None:
    """Take out of the log what is in the file, some lives in a transaction, each with the note where it is."""
    archive_id: int | None = None
    done = 0
    for lives in _lives_in(file):
        ids = [id_ for theirs in lives.values() for id_ in theirs]
        with store.transaction() as session:
            connection = session.connection()
            if archive_id is None:
                noted = insert(tables.archive).values(record).returning(tables.archive.c.id)
                archive_id = connection.execute(noted).scalar_one()
            notes = [
                {"workflow": workflow, "row_id": row_id, "archive_id": archive_id, "moves": len(theirs)}
                for (workflow, row_id), theirs in lives.items()
            ]
            connection.execute(insert(tables.archived), notes)
            removed = sum(
                forget(session, select(transition.c.id).where(transition.c.id.in_(ids[first : first + _IDS])))
                for first in range(0, len(ids), _IDS)
            )
            if removed != len(ids):
                raise StoreError(
                    f'cannot remove from the log what is in "{file}": somebody else removes it too; '
                    "keep the file, and try again for the rest",
                    busy=True,
                )
        done += removed
        progress(done, record["moves"])
        time.sleep(PAUSE)


_IDS = 10_000
"""Parameters of one statement; a single life may have more moves."""


def _lives_in(file: Path) -> Iterator[dict[tuple[str, int], list[int]]]:
    """The ids of the moves in a file, by life; some lives at a time."""
    with gzip.open(file) as packed:
        packed.readline()
        some: dict[tuple[str, int], list[int]] = {}
        moves = map(json.loads, packed)
        for life, theirs in groupby(moves, key=lambda move: (move["workflow"], move["row_id"])):
            some[life] = [move["id"] for move in theirs]
            if len(some) == AT_ONCE:
                yield some
                some = {}
        if some:
            yield some


@contextmanager
def _in_full(file: Path) -> Iterator[Path]:
    """A file that has its name only when all of it is on the disk. Raises ArchiveError for what is in the way."""
    folder, part = file.parent, file.with_name(f".{file.name}.part")
    try:
        if file.exists():
            raise ArchiveError(f'cannot archive into "{file}": there is such a file already')
        try:
            yield part
            part.replace(file)
            _sync(folder)
        finally:
            with suppress(OSError):
                part.unlink()
    except OSError as error:
        why = "there is no such folder" if isinstance(error, FileNotFoundError) else (error.strerror or str(error))
        raise ArchiveError(f'cannot archive into "{folder}": {why.lower()}; the log is as it was') from None


def _sync(folder: Path) -> None:
    """Have the disk remember the name too, where a folder can be opened for that."""
    with suppress(PermissionError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _line(facts: dict[str, Any]) -> bytes:
    return f"{json.dumps(facts)}\n".encode()


def _told(progress: Callable[[int, int], None], total: int) -> Callable[[int], None]:
    """Tells now and then, and in the end."""

    def tell(done: int) -> None:
        if done % 1_000 == 0 or done == total:
            progress(done, total)

    return tell
