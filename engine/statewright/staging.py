"""Many lives begun at once: rows enter their table in the states that their log rows tell, written once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import compress
from typing import Any

from sqlalchemy import Column, FromClause, Insert, Table, Text, and_, exists, func, insert, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql import visitors
from sqlmodel import Session

from statewright import dialects, outcome
from statewright.chain import Chain
from statewright.dialects import postgresql
from statewright.dialects.staging import Staging, staging
from statewright.errors import Conflict
from statewright.log import START
from statewright.many import as_the_driver_takes_them
from statewright.parameters import NOW
from statewright.plan import Plan
from statewright.reach import REACH
from statewright.session import StoreSession, expect_to_write
from statewright.statement import Statement, parameter
from statewright.tables import transition
from statewright.workflow import Workflow
from statewright.writes import facts_of, log_rows, together


def begin_all(
    session: Session,
    workflow: Workflow,
    columns: Mapping[str, Sequence[Any]],
    *,
    states: Sequence[str],
    reasons: Sequence[str | None],
    actor: str,
) -> list[int]:
    """Insert rows and begin their lives, each in its state; the ids of those whose entry guards say no.

    columns: the values of each, among them the ids, drawn by `many.draw_ids`; what is not given has its default
    A row costs half of what it costs to be inserted first and then moved. Guards see the other tables, but none of
    these rows in their own; those that may not begin are in it afterwards, as they would be after `start`.
    Raises Conflict for what the database refuses; some rows may then be written, for the caller to take back.
    """
    mine = expect_to_write(session)
    given = {**columns, _REASON: reasons}
    different = dict.fromkeys(states)
    refused: list[int] = []
    for state in different:
        some = given if len(different) == 1 else _those(given, [each == state for each in states])
        refused += _begin(mine, workflow, state, some, actor)
    return sorted(refused)


_REASON = "begun_why"


def _those(columns: Mapping[str, Sequence[Any]], chosen: Sequence[bool]) -> dict[str, Sequence[Any]]:
    return {name: [*compress(values, chosen)] for name, values in columns.items()}


def _begin(
    session: StoreSession, workflow: Workflow, state: str, columns: Mapping[str, Sequence[Any]], actor: str
) -> list[int]:
    """Begin in one state; the ids of those that may not."""
    connection = session.connection()
    how = staging(connection)
    stage = workflow.kept(("stage", type(how)), partial(_Stage, workflow, how))
    steps = workflow.kept(("stage", type(how), state), partial(stage.steps, state))
    values = as_the_driver_takes_them(connection, workflow.table, columns)
    step = {"step_batch": session.new_batch(), "actor": actor, "reason": None, "key": None, "payload": None}
    with how.told(connection, stage.rows, values) as told:
        chain = Chain(session, workflow, START, {**step, **told})
        try:
            begun = chain.run(steps, None).rows
        except DBAPIError as error:
            if not dialects.refused(error):
                raise
            why = f"cannot start {workflow.noun}: the database refused: {dialects.violated(error)}"
            raise Conflict(why, workflow=workflow.name, event=START, row_id=None) from None
        if begun == len(columns["id"]):
            return []
        left = [row_id for (row_id,) in session.driver.run(stage.left, told).fetchall()]
        session.driver.run(stage.enter, told)
        return left


class _Stage:
    """Rows that wait to enter their table, each with the reason why it begins as it does.

    left, enter: of those that are not in their table: their ids; have them enter as they are
    """

    def __init__(self, workflow: Workflow, how: Staging) -> None:
        self._workflow = workflow
        self._names = [each.name for each in workflow.table.columns]
        own = (
            Column(each.name, each.type, primary_key=each is workflow.id, autoincrement=False)
            for each in workflow.table.columns
        )
        self.rows = how.rows(f"{workflow.table.name}_to_begin", [*own, Column(_REASON, Text())])
        waiting = self.rows.c
        outside = ~exists(select(workflow.id).where(workflow.id == waiting.id)).correlate(self.rows)
        self.left = Statement(select(waiting.id).where(outside))
        self.enter = Statement(self._entering({}, self.rows, outside))

    def steps(self, state: str) -> Plan:
        """The statements by which rows begin in a state."""
        workflow, waiting = self._workflow, self.rows.c
        # Their ids are new, so there is no need to ask whether any of them has a life already.
        may = outcome.may_enter(workflow, state)
        followed = and_(REACH, transition.c.row_id == waiting.id)
        written = outcome.written(workflow, START, {state}, transition.c.target)
        # Chosen once for both, where they are one statement: what is not in a table has no index to be joined by.
        chosen = select(*waiting).where(_of(workflow, self.rows, may)).cte("chosen")
        both = together(self._log(state, chosen), lambda _: self._entering(written, chosen))
        return Plan(
            log=Statement(self._log(state, self.rows, may)),
            apply=Statement(self._entering(written, self.rows, followed)),
            both=Statement(both),
            timed=Statement(both, {NOW.key: postgresql.PRESENT}),
            leads_to=state,
        )

    def _log(self, state: str, rows: FromClause, *where: Any) -> Insert:
        chosen = select().select_from(self._workflow.table).where(*where)
        reason = func.coalesce(rows.c[_REASON], parameter("reason", Text()))
        log: Insert = _of(
            self._workflow, rows, log_rows(facts_of(self._workflow, START, state, reason=reason), chosen)
        )
        return log

    def _entering(self, written: Mapping[str, Any], rows: FromClause, *where: Any) -> Insert:
        """Rows enter their table with what is written as they begin, their state foremost."""
        values = [_of(self._workflow, rows, written.get(name, rows.c[name])) for name in self._names]
        return insert(self._workflow.table).from_select(self._names, select(*values).where(*where))


def _of(workflow: Workflow, rows: FromClause, clause: Any) -> Any:
    """The same clause of rows that are not in the workflow's table."""
    table = workflow.table
    if hasattr(clause, "__clause_element__"):
        clause = clause.__clause_element__()
    # Found by hash: what comes from a class of rows is the same column, though another object.
    columns = {column: rows.c[column.name] for column in table.columns}

    def there(element: Any, **_: Any) -> Any:
        if isinstance(element, Column):
            return columns.get(element)
        return rows if isinstance(element, Table) and element == table else None

    return visitors.replacement_traverse(clause, {}, there)
