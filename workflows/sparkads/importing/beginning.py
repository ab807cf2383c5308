"""How rows of a sheet become rows of the portfolio: inserted and begun many at a time, or refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import ColumnElement, exists, select
from sqlmodel import Session

from statewright.dialects import among
from statewright.explain import refused_to_begin
from statewright.log import START
from statewright.session import instant
from statewright.staging import begin_all
from statewright.tables import transition
from statewright.transition import start
from statewright.workflow import Workflow

if TYPE_CHECKING:
    from sparkads.portfolio import SparkAds


@dataclass(frozen=True, slots=True)
class Occasion:
    """One import: into which portfolio, by whom, and when.

    usual: the account of rows that name none; None when there are several
    now:   one instant for the whole file
    """

    spark: SparkAds
    actor: str
    usual: str | None
    now: datetime


class Done(Enum):
    """What became of a row that was not rejected."""

    TAKEN = "taken"
    UNCHANGED = "unchanged"


Outcome = Done | str
"""Done, or the problem for which the row is rejected."""


class Refused(Exception):
    """Rules forbid some of the rows that were begun; nothing of the attempt may stay.

    problems: why, by the row's place among those that were tried
    """

    def __init__(self, problems: Mapping[int, str]) -> None:
        super().__init__(f"{len(problems):,} rows")
        self.problems = problems


class Beginning(NamedTuple):
    """How a row that was just inserted is to begin its life."""

    row_id: int
    state: str
    reason: str | None = None


def came_deleted(workflow: Workflow) -> ColumnElement[bool]:
    """A row was deleted when it came: a record of the past, not a life that ended here."""
    return exists().where(
        transition.c.workflow == workflow.name,
        transition.c.row_id == workflow.id,
        transition.c.event == START,
        transition.c.target == "deleted",
    )


def begin(session: Session, workflow: Workflow, beginnings: Iterable[Beginning], *, actor: str) -> dict[int, str]:
    """Begin the lives of these rows, a step for each state; why not, for those that rules forbid."""
    alike: dict[str, list[Beginning]] = {}
    for each in beginnings:
        alike.setdefault(each.state, []).append(each)
    refused: dict[int, str] = {}
    for state, some in alike.items():
        ids = [each.row_id for each in some]
        reasons = {each.row_id: each.reason for each in some if each.reason is not None}
        # Mostly they follow each other, and to say so is shorter than to count them up.
        together = ids[-1] - ids[0] == len(ids) - 1
        chosen = workflow.id.between(ids[0], ids[-1]) if together else among(workflow.id, ids)
        begun = start(session, workflow, chosen, actor=actor, target=state, reasons=reasons)
        if begun.rows < len(ids):
            refused.update(_refused(session, workflow, ids, state))
    return refused


def insert_begun(
    session: Session,
    workflow: Workflow,
    columns: Mapping[str, Sequence[Any]],
    *,
    states: Sequence[str],
    reasons: Sequence[str | None],
    actor: str,
) -> dict[int, str]:
    """`begin` for rows that are inserted by it, where no guard looks at others of them; in half of the time."""
    left = begin_all(session, workflow, columns, states=states, reasons=reasons, actor=actor)
    if not left:
        return {}
    state_of = dict(zip(columns["id"], states, strict=True))
    alike: dict[str, list[int]] = {}
    for row_id in left:
        alike.setdefault(state_of[row_id], []).append(row_id)
    return {
        row_id: why
        for state, ids in alike.items()
        for row_id, why in _refused(session, workflow, ids, state).items()
    }


def _refused(session: Session, workflow: Workflow, ids: Sequence[int], state: str) -> dict[int, str]:
    mine = among(transition.c.row_id, ids)
    lives = select(transition.c.row_id).where(transition.c.workflow == workflow.name, mine)
    begun = set(session.connection().execute(lives).scalars())
    why = refused_to_begin(
        session, workflow, [id_ for id_ in ids if id_ not in begun], state, now=instant(session)
    )
    return {
        row_id: f"it cannot be {state.replace('_', ' ')}: {'; '.join(each.sentence for each in refusals)}"
        for row_id, refusals in why.items()
    }
