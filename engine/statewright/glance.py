"""How one row moves where who writes is alone: looked at once, then logged and written as it was seen.

Nobody can change it in between. A statement that finds its rows by itself has to be ready for any number of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from operator import itemgetter
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, Text, false, insert, null

from statewright.declaration import Cascade
from statewright.outcome import entered_by, written
from statewright.parameters import ROW, TARGET
from statewright.reach import ANY_ASIDE, foreseeable, reaching
from statewright.statement import Statement, parameter
from statewright.tables import transition
from statewright.workflow import Workflow
from statewright.writes import Facts, apply


@dataclass(frozen=True, slots=True)
class Glance:
    """The statements of one event for one row.

    look:  tells of each candidate whether any row at all is set aside, its id, source, target (NULL if the chart
           refuses it) and deadline, and whether nothing is left to do after its move; whether each of `reaches`
           would move any neighbour; what the event writes; then the rest of the row, if that is asked for
    names: what `apply` knows as what the event writes
    log, apply: write it, if it is the only candidate; `apply` by the state that the row leaves
    bare:  the same as `log`, for a call that is told no reason, key or payload: SQLite's driver takes longer to be
           told None than to be told anything else
    left:  of what `look` tells, the row as the event leaves it
    reaches:  cascades of which it can be told early whom they would move
    foreseen: the event sets no others off
    """

    look: Statement
    names: tuple[str, ...]
    log: Statement
    bare: Statement
    apply: Callable[[str | None], Statement]
    left: Callable[[Sequence[Any]], Sequence[Any]]
    reaches: tuple[Cascade, ...]
    foreseen: bool


def glance_at(
    workflow: Workflow,
    event: str,
    target: str | None,
    facts: Facts,
    chosen: Select[Any],
    *,
    whole: bool,
    done: ColumnElement[bool] | None = None,
) -> Glance:
    """See `Glance`.

    whole: the row is told with all its columns
    done:  after a move of which rows nothing is left to do; of none, unless given
    """
    reaches = foreseeable(workflow, event)
    entered = entered_by(workflow, event, target)
    values = {**written(workflow, event, entered, facts["target"])}
    # Which may take long to find, and is told as the target.
    del values["state"]
    named = {
        "step_aside": ANY_ASIDE,
        ROW.key: workflow.id,
        "step_source": facts["source"],
        TARGET.key: facts["target"],
        "step_due": facts["due_at"],
        "step_done": false() if done is None else done,
        **{f"step_reach_{place}": reaching(workflow, each) for place, each in enumerate(reaches)},
        **{_NEW + name: value for name, value in values.items()},
    }
    rest = [column for column in workflow.table.columns if whole and column.name not in {"state", *values}]
    places = [
        *("state" if name == TARGET.key else name.removeprefix(_NEW) for name in named),
        *(column.name for column in rest),
    ]
    logged = {**facts, "row_id": ROW, "source": parameter("step_source", Text()), "target": TARGET}
    if workflow.deadlines_of(event):
        logged["due_at"] = parameter("step_due", _AS_IT_IS)

    @cache
    def applied(source: str | None) -> Statement:
        changed = written(workflow, event, entered, TARGET, source)
        seen = {name: parameter(_NEW + name, _AS_IT_IS) for name in changed if name in values}
        return Statement(apply(workflow, {**changed, **seen}, workflow.id == ROW))

    return Glance(
        Statement(chosen.add_columns(*(value.label(name) for name, value in named.items()), *rest)),
        tuple(_NEW + name for name in values),
        Statement(insert(transition).values(logged)),
        Statement(insert(transition).values({**logged, "reason": null(), "key": null(), "payload": null()})),
        applied,
        itemgetter(*(places.index(column.name) for column in workflow.table.columns)) if whole else tuple,
        reaches,
        len(reaches) == len(workflow.cascades_of(event)),
    )


_NEW = "step_new_"
_AS_IT_IS = BigInteger()
"""What the database has told it is told again: it needs no converting, and SQLite takes anything for a number."""
