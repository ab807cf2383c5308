"""What is written of a move: its rows of the log, and then what the event does to the rows that they are of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Insert,
    Select,
    Text,
    Update,
    case,
    func,
    insert,
    literal,
    null,
    select,
    update,
)

from statewright.log import START
from statewright.outcome import destination
from statewright.parameters import BATCH, NOW
from statewright.reach import ANY_ASIDE
from statewright.statement import parameter
from statewright.tables import transition
from statewright.workflow import Workflow

TEXTS = {name: parameter(name, Text()) for name in ("actor", "reason", "key", "payload")}

Facts = Mapping[str, ColumnElement[Any]]
"""What the log says of a row that moves, by the log's columns."""


def facts_of(
    workflow: Workflow,
    event: str,
    target: str | None,
    *,
    cause: ColumnElement[Any] | None = None,
    reason: ColumnElement[Any] | None = None,
    key: ColumnElement[Any] | None = None,
) -> Facts:
    """What an event's rows of the log say, as expressions over the rows that move."""
    ends = [deadline.at for deadline in workflow.deadlines_of(event)]
    return {
        "batch": BATCH,
        "cause": null() if cause is None else cause,
        "workflow": literal(workflow.name, Text()),
        "row_id": workflow.id,
        "event": literal(event, Text()),
        "source": null() if event == START else workflow.state,
        "target": destination(workflow, event, target),
        "at": NOW,
        "due_at": case((ends[0] <= NOW, ends[0])) if ends else null(),
        "actor": TEXTS["actor"],
        "reason": TEXTS["reason"] if reason is None else reason,
        "chart": literal(workflow.decisions.fingerprint, Text()),
        "key": TEXTS["key"] if key is None else key,
        "payload": TEXTS["payload"] if cause is None else null(),
    }


def log_rows(facts: Facts, chosen: Select[Any]) -> Insert:
    """The log rows of all that are chosen; the selection has no columns yet."""
    return insert(transition).from_select(list(facts), chosen.add_columns(*facts.values()))


def apply(workflow: Workflow, values: Mapping[str, Any], *where: ColumnElement[bool]) -> Update:
    """The one statement that writes the `state` of rows that are there: each follows its log row."""
    return update(workflow.table).values(values).where(*where)


def together(log: Insert, applied_to: Callable[[Any], Update | Insert]) -> Select[*tuple[Any, ...]]:
    """Log and apply as one statement; what it tells is in `Plan`.

    applied_to: is given the columns of the log rows
    """
    logged = log.returning(*_LOGGED).cte("logged")
    applied = applied_to(logged.c).cte("applied")
    ends = func.min(logged.c.id), func.max(logged.c.id)
    rest = (func.max(logged.c[name]) for name in ("row_id", "source", "target", "at"))
    return select(func.count(), *ends, ANY_ASIDE, *rest).select_from(logged).add_cte(applied)


def one_together(
    workflow: Workflow,
    log: Insert,
    applied_to: Callable[[Any], Update],
    told: Sequence[ColumnElement[Any]],
    *,
    aside: ColumnElement[bool],
) -> Select[*tuple[Any, ...]]:
    """The same of one row, which is told too; nothing where it does not move.

    aside: whether any row at all is set aside
    """
    logged = log.returning(*_LOGGED).cte("logged")
    applied = applied_to(logged.c).returning(*workflow.table.c).cte("applied")
    ends = logged.c.id, logged.c.id.label("last")
    rest = (logged.c[name] for name in ("row_id", "source", "target", "at"))
    return select(literal(1), *ends, aside, *rest, *told, *applied.c).join_from(
        logged, applied, applied.c.id == logged.c.row_id
    )


_LOGGED = (transition.c.id, transition.c.row_id, transition.c.source, transition.c.target, transition.c.at)
