"""Rows of a sheet of history: moves made elsewhere, added to the log of rows that are here; nothing moves."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, Select, select, tuple_
from sqlmodel import Session

from sparkads.errors import WrongInput
from sparkads.importing.beginning import Done, Occasion, Outcome
from sparkads.importing.cells import choice, instant, shown, yes
from sparkads.importing.piece import Piece
from sparkads.portfolio.accounts import handle_of
from sparkads.portfolio.noun import text
from sparkads.portfolio.posts import item_of
from sparkads.tables import (
    AdAccount,
    AdGroup,
    Campaign,
    Identity,
    Post,
    SparkAd,
    VideoCode,
    table,
)
from sparkads.workflows import WORKFLOWS
from statewright.log import FORCE, START, Elsewhere, Entry, append, elsewhere
from statewright.parameters import LARGEST
from statewright.tables import archived, idempotency_key, transition

REMEMBERED = 100_000
"""Entries of the file whose place in the log is kept, so that what they led to can name them."""

_account, _campaign, _group = table(AdAccount).c, table(Campaign).c, table(AdGroup).c
_ad, _code, _post, _identity = table(SparkAd).c, table(VideoCode).c, table(Post).c, table(Identity).c


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """What one row says: a move, and the names of what moved.

    kind:  how the row that moved is found by its names
    batch: whether the row tells which moves belong together
    """

    kind: str
    names: tuple[object, ...]
    move: Entry
    batch: bool


@dataclass(frozen=True, slots=True)
class _Finder:
    """How rows of one kind are found: a select of an id and then the names, some of which narrow the search."""

    chosen: Select[*tuple[Any, ...]]
    narrow: Mapping[int, Column[Any]]


class HistoryRows:
    """Reads and takes rows of history."""

    def __init__(self, occasion: Occasion) -> None:
        self._occasion = occasion
        self._causes: dict[int, int] = {}

    def read(self, piece: Piece) -> list[HistoryRow]:
        """What each row says; None for one with a problem."""
        return piece.map(self._read, piece.by_row())

    def take(self, session: Session, rows: Sequence[HistoryRow]) -> list[Outcome]:
        """Add those moves that the log has not; what became of each."""
        found = _found(session, rows)
        logged = _logged(session, rows, found)
        keys = _used_keys(session, rows)
        gone = _archived(session, rows, found)
        outcomes: list[Outcome] = []
        new: list[Entry] = []
        for row in rows:
            ids = found.get((row.kind, row.names), [])
            batches = [batch for id_ in ids if (batch := logged.get(_mark(row.move, id_))) is not None]
            known = next((one for one in batches if not row.batch or row.move.batch in one), None)
            if not ids:
                outcomes.append(f"there is no such {WORKFLOWS[row.move.workflow].noun} here; import that first")
            elif known is not None:
                outcomes.append(Done.UNCHANGED)
                if row.move.id and (at := known.get(row.move.batch) or next(iter(known.values()))):
                    self._causes[row.move.id] = at
            elif file := _file_of(gone, row.move, ids):
                outcomes.append(
                    f"it was archived with all that was before it, into {file}, and is not taken again"
                )
            elif row.move.key in keys:
                outcomes.append(f"its key {shown(row.move.key or '')} is another entry's already")
            else:
                outcomes.append(Done.TAKEN)
                new.append(replace(row.move, row_id=ids[0]))
                logged.setdefault(_mark(row.move, ids[0]), {})[row.move.batch] = 0
                keys |= {row.move.key} - {None}
        append(session, new, causes=self._causes)
        for old in list(self._causes)[: max(len(self._causes) - REMEMBERED, 0)]:
            del self._causes[old]
        return outcomes

    def _read(self, cells: Mapping[str, str]) -> HistoryRow:
        workflow = WORKFLOWS[choice("the workflow", cells.get("workflow", ""), tuple(WORKFLOWS))]
        chart = workflow.decisions
        event = choice("the event", cells.get("event", ""), (*chart.events, START, FORCE))
        target = choice("the state after", cells.get("target", ""), chart.states)
        source = cells.get("source", "").strip()
        if (event == START) == bool(source):
            raise WrongInput("expected the state before, which only the beginning of a life has not")
        at, due_at = cells.get("at", ""), cells.get("due_at", "").strip()
        happened = instant("at", at, now=self._occasion.now)
        if happened > self._occasion.now:
            raise WrongInput(f"expected what has happened, got {shown(at)}, which is yet to come")
        kind, names = _named(workflow.name, cells)
        batch = cells.get("batch", "").strip()
        move = Entry(
            id=_number(cells, "id"),
            batch=_number(cells, "batch") or random.getrandbits(63),
            cause=_number(cells, "cause") or None,
            workflow=workflow.name,
            row_id=0,
            event=event,
            source=choice("the state before", source, chart.states) if source else None,
            target=target,
            at=happened,
            due_at=instant("due_at", due_at, now=self._occasion.now) if due_at else None,
            actor=text("the actor", cells.get("actor", "")),
            reason=cells.get("reason", "").strip() or None,
            chart=cells.get("chart", "").strip() or "imported",
            key=cells.get("key", "").strip() or None,
            payload=_payload(cells.get("payload", "").strip()),
        )
        return HistoryRow(kind, names, move, bool(batch))


def _named(workflow: str, cells: Mapping[str, str]) -> tuple[str, tuple[object, ...]]:
    """How what moved is found, and by which names. Raises WrongInput when one is missing."""
    kind, columns = workflow, _NAMES[workflow]
    post = cells.get("post", "").strip()
    item = item_of(post)[0] if post else None
    gone = yes("deleted", cells.get("deleted", ""))
    if workflow == "video_code" and gone:
        kind = "deleted code"
    if workflow == "post":
        kind, columns = ("post", ()) if item else ("pushed post", _NAMES["spark_ad"])
    names: list[object] = []
    for column in columns:
        cell = cells.get(column, "").strip()
        if not cell:
            raise WrongInput(f"expected {column}, to know which {WORKFLOWS[workflow].noun} it is, got nothing")
        names.append(handle_of(cell) if column == "handle" else cell)
    if columns == _NAMES["spark_ad"]:
        names.append(gone)
    if workflow == "spark_ad" or kind == "post":
        names.append(item)
    return kind, tuple(names)


_NAMES: dict[str, tuple[str, ...]] = {
    "ad_account": ("account",),
    "campaign": ("account", "campaign"),
    "ad_group": ("account", "campaign", "ad_group"),
    "spark_ad": ("account", "campaign", "ad_group", "name"),
    "identity": ("account", "identity", "handle"),
    "video_code": ("account", "fingerprint"),
    "post": (),
}
_ads = (
    table(SparkAd)
    .join(table(AdGroup), _group.id == _ad.ad_group_id)
    .join(table(Campaign), _campaign.id == _group.campaign_id)
    .join(table(AdAccount), _account.id == _campaign.account_id)
    .join(table(Post), _post.id == _ad.post_id)
)
_codes = table(VideoCode).join(table(AdAccount), _account.id == _code.account_id)
_names = (_account.name, _campaign.name, _group.name)
_ad_names = (*_names, _ad.name, (_ad.state == "deleted").label("deleted"))
_of_ad: dict[int, Column[Any]] = {0: _account.name, 1: _campaign.name, 2: _group.name, 3: _ad.name}
_campaigns = table(Campaign).join(table(AdAccount), _account.id == _campaign.account_id)
_groups = table(AdGroup).join(_campaigns, _campaign.id == _group.campaign_id)
_identities = table(Identity).join(table(AdAccount), _account.id == _identity.account_id)


def _by_fingerprint(condition: ColumnElement[bool]) -> _Finder:
    chosen = select(_code.id, _account.name, _code.fingerprint).select_from(_codes).where(condition)
    return _Finder(chosen, {0: _account.name, 1: _code.fingerprint})


_FINDERS = {
    "ad_account": _Finder(select(_account.id, _account.name), {0: _account.name}),
    "campaign": _Finder(
        select(_campaign.id, *_names[:2]).select_from(_campaigns), {0: _account.name, 1: _campaign.name}
    ),
    "ad_group": _Finder(
        select(_group.id, *_names).select_from(_groups), {0: _account.name, 1: _campaign.name, 2: _group.name}
    ),
    "identity": _Finder(
        select(_identity.id, _account.name, _identity.kind, _identity.handle).select_from(_identities),
        {0: _account.name, 2: _identity.handle},
    ),
    "video_code": _by_fingerprint(_code.deleted_at.is_(None)),
    "deleted code": _by_fingerprint(_code.deleted_at.is_not(None)),
    "spark_ad": _Finder(select(_ad.id, *_ad_names, _post.item_id).select_from(_ads), _of_ad),
    "post": _Finder(select(_post.id, _post.item_id), {0: _post.item_id}),
    "pushed post": _Finder(select(_post.id, *_ad_names).select_from(_ads).where(_post.item_id.is_(None)), _of_ad),
}


def _found(session: Session, rows: Sequence[HistoryRow]) -> dict[tuple[str, tuple[object, ...]], list[int]]:
    """The ids of all that go by these names; a name may have been a deleted ad's more than once."""
    found: dict[tuple[str, tuple[object, ...]], list[int]] = {}
    for kind in dict.fromkeys(row.kind for row in rows):
        finder = _FINDERS[kind]
        names = [row.names for row in rows if row.kind == kind]
        narrowed = (column.in_({each[number] for each in names}) for number, column in finder.narrow.items())
        for id_, *place in session.connection().execute(finder.chosen.where(*narrowed)):
            found.setdefault((kind, tuple(place)), []).append(id_)
    return found


_Mark = tuple[str, int, datetime, str, str | None, str]


def _mark(move: Entry, row_id: int) -> _Mark:
    """What makes two entries the same."""
    return move.workflow, row_id, move.at, move.event, move.source, move.target


def _logged(
    session: Session, rows: Sequence[HistoryRow], found: Mapping[tuple[str, tuple[object, ...]], list[int]]
) -> dict[_Mark, dict[int, int]]:
    """The entries that the log has of these rows in this time: their ids by batch."""
    logged: dict[_Mark, dict[int, int]] = {}
    log = transition.c
    for workflow in dict.fromkeys(row.move.workflow for row in rows):
        ours = [row for row in rows if row.move.workflow == workflow]
        times = [row.move.at for row in ours]
        ids = {id_ for row in ours for id_ in found.get((row.kind, row.names), [])}
        chosen = select(log.row_id, log.at, log.event, log.source, log.target, log.batch, log.id).where(
            log.workflow == workflow, log.row_id.in_(ids), log.at.between(min(times), max(times))
        )
        for row_id, at, event, source, target, batch, id_ in session.connection().execute(chosen):
            logged.setdefault((workflow, row_id, at, event, source, target), {})[batch] = id_
    return logged


def _archived(
    session: Session, rows: Sequence[HistoryRow], found: Mapping[tuple[str, tuple[object, ...]], list[int]]
) -> dict[tuple[str, int], list[Elsewhere]]:
    """Where earlier moves of these rows are."""
    ours = {(row.move.workflow, id_) for row in rows for id_ in found.get((row.kind, row.names), [])}
    life = archived.c.workflow, archived.c.row_id
    noted = session.connection().execute(select(*life).where(tuple_(*life).in_(ours)).distinct()) if ours else ()
    return {(workflow, row_id): elsewhere(session, workflow, row_id) for workflow, row_id in noted}


def _file_of(gone: Mapping[tuple[str, int], list[Elsewhere]], move: Entry, ids: Sequence[int]) -> str | None:
    """The file that a move is in, if the row's moves of that time were archived."""
    theirs = (each for id_ in ids for each in gone.get((move.workflow, id_), ()))
    return next((each.file for each in theirs if move.at < each.before), None)


def _used_keys(session: Session, rows: Sequence[HistoryRow]) -> set[str | None]:
    keys = {row.move.key for row in rows if row.move.key is not None}
    if not keys:
        return set()
    used = select(idempotency_key.c.key).where(idempotency_key.c.key.in_(keys))
    return set(session.connection().execute(used).scalars())


def _number(cells: Mapping[str, str], column: str) -> int:
    cell = cells.get(column, "").strip()
    if cell and not (cell.isascii() and cell.isdigit() and int(cell) <= LARGEST):
        raise WrongInput(f"expected {column} to be a number as an export writes it, got {shown(cell)}")
    return int(cell) if cell else 0


def _payload(cell: str) -> Mapping[str, Any]:
    try:
        found = json.loads(cell) if cell else {}
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise WrongInput(f"expected the payload to be a JSON object, got {shown(cell)}")
    return found
