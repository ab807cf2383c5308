"""Which neighbours a move reaches: found from its log rows, or from the one row that moved."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, and_, exists, func, select, true

from statewright.parameters import AFTER, BATCH, CAUSE, NOW, ROW, UPTO
from statewright.tables import set_aside, transition
from statewright.workflow import Cascade, Workflow

ALONE = and_(transition.c.id > AFTER, transition.c.id <= UPTO)
"""The log rows of the move just made, where nobody else writes meanwhile."""

REACH = and_(ALONE, transition.c.batch == BATCH, transition.c.at == NOW)
"""The same anywhere: of one instant, so that a log kept by month is asked in one month alone."""

ANY_ASIDE = exists(select(set_aside.c.row_id))
"""Whether any row at all is set aside: most often none is, and then nobody looks which."""

Source = tuple[FromClause, ColumnElement[Any], ColumnElement[bool]]
"""Where neighbours are chosen from, the log row that is the cause of each, and a condition."""


def from_the_log(cascade: Cascade, neighbour: Workflow) -> Source:
    """What the log rows of a move reach, each with the first of them that does."""
    here, there = cascade.along.here, cascade.along.there
    joined = transition.join(here.table, here == transition.c.row_id)
    found = select(func.min(transition.c.id).label("cause"), there.label("id")).select_from(joined)
    found = found.where(REACH, there.is_not(None), *_set_off_by(transition, cascade))
    reached = found.group_by(there).subquery("reached")
    return reached.join(neighbour.table, neighbour.id == reached.c.id), reached.c.cause, true()


def from_the_log_alone(cascade: Cascade, neighbour: Workflow) -> Source:
    """The same, to be grouped by the neighbour once it is known to move: rows that are to be locked cannot be."""
    # The table of the link may be the neighbour's own, and guards may look into either.
    moved, link = transition.alias("moved"), cascade.along.here.table.alias("link")
    here, there = link.c[cascade.along.here.key], link.c[cascade.along.there.key]
    near = and_(moved.c.id > AFTER, moved.c.id <= UPTO, *_set_off_by(moved, cascade))
    joined = moved.join(link, here == moved.c.row_id).join(neighbour.table, neighbour.id == there)
    return joined, func.min(moved.c.id), near


def from_one(cascade: Cascade, neighbour: Workflow) -> Source:
    """What the row told as `step_row` reaches: that is few, and nothing is joined."""
    ids = select(cascade.along.there).where(cascade.along.here == ROW).correlate(None)
    return neighbour.table, CAUSE, neighbour.id.in_(ids)


def along_the_link(
    cascade: Cascade, neighbour: Workflow, row: ColumnElement[Any]
) -> tuple[FromClause, ColumnElement[bool]]:
    """What one row reaches, and by which condition; a neighbour that it is linked to twice, twice."""
    if row is cascade.along.here:
        # The row itself names its only neighbour.
        return neighbour.table, neighbour.id == cascade.along.there
    # The table of the link may be the neighbour's own.
    link = cascade.along.here.table.alias("link")
    here, there = link.c[cascade.along.here.key], link.c[cascade.along.there.key]
    return link.join(neighbour.table, neighbour.id == there), here == row


def foreseeable(workflow: Workflow, event: str) -> tuple[Cascade, ...]:
    """Cascades of which can be told early whom they would move: only moves of those neighbours change it.

    Without those that follow every move: they are there because they find somebody.
    """
    if workflow.together is None:
        return ()
    assigned = {assign.column for each in workflow.together.values() for assign in each.assigns}
    return tuple(
        cascade
        for cascade in workflow.cascades_of(event)
        if cascade.to != workflow.name
        and not assigned & {cascade.along.here, cascade.along.there}
        and (cascade.on or cascade.entering or cascade.leaving)
    )


def reaching(workflow: Workflow, cascade: Cascade) -> ColumnElement[bool]:
    """Whether a cascade from a row of this table would move any neighbour."""
    return exists(_movable(workflow, cascade, workflow.id).correlate(workflow.table))


def movable(workflow: Workflow, cascade: Cascade) -> ColumnElement[Any]:
    """The ids of the neighbours that a cascade from the row told as `step_row` may move, as an array."""
    found = _movable(workflow, cascade, ROW)
    return func.array(found.order_by(found.selected_columns.id).correlate(None).scalar_subquery())


def quiet(workflow: Workflow, event: str) -> ColumnElement[bool] | None:
    """Whether a move of the row told as `step_row` sets nothing off; None where that cannot be told early."""
    cascades = foreseeable(workflow, event)
    if len(cascades) < len(workflow.cascades_of(event)):
        return None
    return and_(~ANY_ASIDE, *(~exists(_movable(workflow, each, ROW).correlate(None)) for each in cascades))


def _set_off_by(log: FromClause, cascade: Cascade) -> Iterator[ColumnElement[bool]]:
    """Which log rows of a move set a cascade off."""
    if cascade.entering:
        yield log.c.target.in_(cascade.entering)
    if cascade.leaving:
        yield log.c.source.in_(cascade.leaving)


def _movable(workflow: Workflow, cascade: Cascade, row: ColumnElement[Any]) -> Select[Any]:
    neighbour = workflow.neighbour(cascade)
    source, near = along_the_link(cascade, neighbour, row)
    return (
        select(neighbour.id)
        .select_from(source)
        .where(near, neighbour.state.in_(neighbour.decisions.sources(cascade.event)))
    )
