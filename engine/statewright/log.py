"""The log of every move: read as history, read as a stream, never changed."""

from __future__ import annotations

import json
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, delete, func, insert, select
from sqlmodel import Session

from statewright import tables
from statewright.dialects import of
from statewright.keys import adopt
from statewright.tables import retention, transition

FORCE = "force"
START = "start"
"""Two events that no chart may name: a move by hand, and the beginning of a row's life."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the log: what moved, from where to where, when, by whom and why."""

    id: int
    batch: int
    cause: int | None
    workflow: str
    row_id: int
    event: str
    source: str | None
    target: str
    at: datetime
    due_at: datetime | None
    actor: str
    reason: str | None
    chart: str
    key: str | None
    payload: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        """The entry as plain data, instants as ISO 8601 in UTC."""
        facts = {name: getattr(self, name) for name in self.__slots__}
        for name in ("at", "due_at"):
            facts[name] = facts[name] and facts[name].isoformat()
        return facts


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Moves of one row that were archived: how many, in which file, before which instant, when and by whom."""

    moves: int
    file: str
    before: datetime
    at: datetime
    actor: str


def entries(session: Session, *where: ColumnElement[bool], limit: int | None = None) -> list[Entry]:
    """The log's rows that meet these conditions, oldest first."""
    rows = session.connection().execute(select(transition).where(*where).order_by(transition.c.id).limit(limit))
    return [_entry(row) for row in rows]


def last_id(session: Session) -> int:
    """The id of the log's last row; 0 while there is none."""
    last: int | None = session.connection().execute(select(func.max(transition.c.id))).scalar_one()
    return last or 0


def history(session: Session, workflow: str, row_id: int) -> list[Entry]:
    """The life of one row, oldest first; `elsewhere` tells where moves are that were archived."""
    life = entries(session, transition.c.workflow == workflow, transition.c.row_id == row_id)
    # Moves that were appended have later ids than what they led to.
    return sorted(life, key=lambda entry: (entry.at, entry.id))


def causes(session: Session, life: Sequence[Entry]) -> dict[int, Entry]:
    """What led to these entries, by the id of the cause; a cause that was archived is left out."""
    wanted = {entry.cause for entry in life if entry.cause is not None}
    return {entry.id: entry for entry in entries(session, transition.c.id.in_(wanted))} if wanted else {}


def elsewhere(session: Session, workflow: str, row_id: int) -> list[Elsewhere]:
    """Where the earlier moves of a row are that were archived, the oldest file first."""
    chosen = (
        select(tables.archived.c.moves, *(tables.archive.c[name] for name in ("file", "before", "at", "actor")))
        .join_from(tables.archived, tables.archive)
        .where(tables.archived.c.workflow == workflow, tables.archived.c.row_id == row_id)
        .order_by(tables.archive.c.id)
    )
    return [Elsewhere(**row) for row in session.connection().execute(chosen).mappings()]


def append(session: Session, moves: Sequence[Entry], *, causes: MutableMapping[int, int]) -> None:
    """Add moves that were made elsewhere, just as they were; no row moves, and no state is written.

    Each gets an id of its own. causes: where the entries with these ids are in this log; it learns of those
    that are added. A cause that it does not know is left out.
    """
    if not moves:
        return
    connection = session.connection()
    rows = []
    for move, number in zip(moves, of(connection).numbers(connection, transition, len(moves)), strict=True):
        facts: dict[str, Any] = {name: getattr(move, name) for name in move.__slots__}
        facts["id"] = number
        facts["cause"] = None if move.cause is None else causes.get(move.cause)
        facts["payload"] = json.dumps(dict(move.payload), sort_keys=True) if move.payload else None
        rows.append(facts)
        causes[move.id] = number
    adopt(connection, rows)
    connection.execute(insert(transition), rows)


def forget(session: Session, ids: Select[Any]) -> int:
    """Remove log rows, the only way there is; returns how many. `ids` selects the rows' ids.

    Meant for retention, after the rows were archived. The caller's transaction decides whether it lasts.
    """
    connection = session.connection()
    # Undone as a whole when it fails: the log must not stay open to deletion.
    with connection.begin_nested():
        connection.execute(insert(retention).values(id=1))
        removed = connection.execute(delete(transition).where(transition.c.id.in_(ids))).rowcount
        connection.execute(delete(retention))
    return removed


def _entry(row: Row[Any]) -> Entry:
    # By position, twice as quick as by name: an entry has the table's columns in the table's order.
    facts: list[Any] = list(row)
    facts[-1] = json.loads(facts[-1]) if facts[-1] else {}
    return Entry(*facts)
