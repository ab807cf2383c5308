"""One step with all that it sets off: log, apply, cascade, in a few statements for one row or a million."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import delete, or_, select, tuple_

from statewright import plan
from statewright.declaration import Cascade
from statewright.glance import Glance
from statewright.parameters import UPTO
from statewright.plan import Plan
from statewright.reach import REACH
from statewright.session import StoreSession
from statewright.statement import Statement
from statewright.tables import set_aside, transition
from statewright.workflow import Workflow


class Chain:
    """The steps of one call; every statement of it is told the same.

    told:     by the names that the statements know, but for the instant
    now:      None where it is the database's to tell
    waiting:  for neighbours that somebody else has locked; otherwise it fails at once
    bare:     it is told no reason, key or payload
    cascaded: how many rows moved, by (workflow, event), other than those of the call's own event
    came_back: some of these were of the call's own workflow
    """

    def __init__(
        self,
        session: StoreSession,
        workflow: Workflow,
        event: str,
        told: dict[str, Any],
        *,
        now: datetime | None = None,
        waiting: bool = True,
    ) -> None:
        self.session = session
        self.driver = session.driver
        self.alone = not self.driver.database.LOCKS_ROWS
        self.workflow = workflow
        self.event = event
        self.told = told
        self.bare = told["reason"] is None and told["key"] is None and told["payload"] is None
        self._now = now
        self.waiting = waiting
        self.cascaded: dict[tuple[str, str], int] = {}
        self.came_back = False
        self.by_index = session.whole

    @property
    def now(self) -> datetime:
        """The instant of the call; where no statement has taken it yet, it is taken now."""
        if self._now is None:
            self._now = self.session.instant()
        return self._now

    def run(self, steps: Plan, row: int | None) -> Logged:
        """Log, then apply, then whatever that set off, each move with all that follows from it.

        row: the only one that is moved, or the last one that a walk has passed
        """
        timed = not self.alone and steps.one and self._now is None and self.session.server_time
        self.told["now"] = None if timed else self.driver.in_words(self.now)
        if not steps.one:
            self._go_by_index()
        own = _Ahead(self.workflow, self.event, steps, {"step_row": row})
        ahead: list[_Ahead] = []
        # Not kept: a method that its own object holds is garbage that has to be looked for.
        step = self._step_alone if self.alone else self._step_among_others
        moved = step(own, ahead)
        aside, last = moved.aside, moved.last
        while ahead:
            following = ahead.pop()
            if following.reach is not None and not following.reach:
                continue
            following.last = steps.ends and not self.alone and not aside and self._is_last(following, ahead)
            rows = step(following, ahead)
            if rows.rows:
                name = following.workflow.name, following.event
                self.cascaded[name] = self.cascaded.get(name, 0) + rows.rows
                self.came_back = self.came_back or following.workflow is self.workflow
                aside, last = aside or rows.aside, max(last, rows.last)
        if self.by_index and not self.session.whole:
            self.driver.go_by_choice()
        if moved.rows and (self._anything_aside() if aside is None else aside):
            mended = _DONE_OR_CHANGED if self.workflow.deadlines_of(self.event) else _MOVED
            self.driver.run(mended, {**self.told, **_reach(moved.first, last)})
        return moved

    def _is_last(self, following: _Ahead, ahead: Sequence[_Ahead]) -> bool:
        """Whether nothing can come after this step of the chain, whatever it moves."""
        moved = following.workflow
        return not (
            moved.cascades_of(following.event)
            # The row that the call returns would have to be read anew.
            or self.workflow in (moved, *(each.workflow for each in ahead))
            or any(each.reach is None or each.reach or each.workflow is moved for each in ahead)
        )

    def passed(self, moved: Logged) -> int:
        """The id of the last of the rows that a walk moved, the highest."""
        if moved.row is not None:
            return moved.row
        passed: int = self.driver.run(_PASSED, {"step_upto": moved.last}).fetchone()[0]
        return passed

    def _go_by_index(self) -> None:
        """For statements that join rows of the log; a session of one call alone goes so from its beginning."""
        if not self.by_index:
            self.by_index = True
            self.driver.go_by_index()

    def _anything_aside(self) -> bool:
        # Where nothing is, SQLite would look through all log rows of the move to find it out.
        return self.driver.run(_ASIDE, {}).fetchone() is not None

    def _step_alone(self, own: _Ahead, ahead: list[_Ahead]) -> Logged:
        """A step where who writes is alone: log, then apply. The ids of the log rows follow each other.

        What may be one row is looked at first. What it sets off is added to what is ahead.
        """
        run, steps = self.driver.run, own.steps
        told = own.told = {**self.told, **own.told}
        if steps.glance is not None:
            glance = steps.glance()
            found = run(glance.look, told).fetchall()
            if len(found) < 2:
                return self._move_one(own, glance, found[0], ahead) if found else _NOTHING
        logged = run(steps.log, told)
        rows, last = logged.rowcount, logged.lastrowid
        if not rows:
            return _NOTHING
        moved = Logged(rows, last - rows + 1, last)
        run(steps.apply, {**told, **_reach(moved.first, last)})
        _forget(own.workflow, ahead)
        ahead += self._set_off(own, moved, {})
        return moved

    def _move_one(self, own: _Ahead, glance: Glance, found: Sequence[Any], ahead: list[_Ahead]) -> Logged:
        """Log and apply for the one row that was found, as it was seen, if the chart lets it move."""
        known = 6 + len(glance.reaches)
        aside, row, source, target, due, done = found[:6]
        if target is None:
            return _NOTHING
        run, told = self.driver.run, own.told
        told["step_row"], told["step_source"], told["step_target"], told["step_due"] = row, source, target, due
        if glance.names:
            # It tells more than has a name.
            told.update(zip(glance.names, found[known:], strict=False))
        last = run(glance.bare if self.bare else glance.log, told).lastrowid
        run(glance.apply(source), told)
        if ahead:
            _forget(own.workflow, ahead)
        moved = Logged(1, last, last, aside, row, source, target, left=glance.left(found), done=bool(done))
        reach = found[6:known]
        # Where none of them would move anybody, none changes whom the next one would move.
        if not glance.foreseen or any(reach):
            ahead += self._set_off(own, moved, dict(zip(glance.reaches, reach, strict=True)))
        return moved

    def _step_among_others(self, own: _Ahead, ahead: list[_Ahead]) -> Logged:
        """A step where several write at once: lock, then log and apply as one statement.

        What is ahead of one row is locked with it, to save the server's answers a way.
        """
        ask, steps = self.driver.ask, own.steps
        told = own.told = {**self.told, **own.told}
        row = told["step_row"] if steps.one else None
        for each in steps.ahead:
            ask(each, told)
        if steps.lock is not None and steps.one:
            ask(steps.lock, told)
        elif steps.lock is not None:
            told["step_locked"] = ids = own.reach or self._locked(own)
            if not ids:
                return _NOTHING
            row = ids[0] if len(ids) == 1 else None
            self._go_by_index()
        if steps.finish is not None and self.driver.fresh and (finish := steps.finish()) is not None:
            finishing = finish.timed if told["now"] is None else finish.both
            if (found := self.driver.finish(finishing, told).fetchone()) is not None:
                moved, _ = self._told(found, finish)
                moved.done = True
                return moved
        answer = ask(steps.timed if told["now"] is None else steps.both, told)
        _forget(own.workflow, ahead)
        foreseen = self._set_off_by_one(own, steps.leads_to, row) if row is not None and steps.leads_to else None
        for following in [*ahead, *(foreseen or ())]:
            # Asked anew after each step, which may have changed what the next one reaches.
            lock = following.steps.lock if following.reach is None and following.one not in steps.holds else None
            if lock is not None and following.one is not None:
                following.locked = ask(lock, {**self.told, **following.told})
        if own.last:
            self.driver.end()
        self.driver.answered()
        if (found := answer.fetchone()) is None or not found[0]:
            return _NOTHING
        moved, reach = self._told(found, steps)
        ahead += self._set_off(own, moved, dict(zip(steps.holds, reach, strict=True)), foreseen)
        return moved

    def _told(self, found: Sequence[Any], steps: Plan) -> tuple[Logged, Sequence[Any]]:
        """What a move made as one statement tells of itself, and whom each of `holds` would move."""
        rows, first, last, aside, highest, source, target, at, *more = found
        reach, left = more[: len(steps.holds)], more[len(steps.holds) :]
        if self.told["now"] is None:
            self.told["now"] = self._now = at
        return Logged(rows, first, last, aside, highest, source, target, at, left), reach

    def _locked(self, own: _Ahead) -> list[int]:
        """The rows that a step may move, locked before it: here, or when the step before it was run."""
        lock: Any = own.steps.lock
        answer = own.locked or self.driver.run(lock, own.told)
        return [row_id for (row_id, *_) in answer.fetchall()]

    def _set_off(
        self, own: _Ahead, moved: Logged, reach: Mapping[Any, Any], foreseen: list[_Ahead] | None = None
    ) -> list[_Ahead]:
        """The cascades that a move sets off, the last first.

        reach: what is known of whom they would move
        """
        if moved.rows > 1 or moved.row is None:
            told = _reach(moved.first, moved.last)
            return [
                _Ahead(own.workflow.neighbour(each), each.event, self._cascade(own, each, one=False), told)
                for each in reversed(own.workflow.cascades_of(own.event))
            ]
        following = self._set_off_by_one(own, moved.target, moved.row) if foreseen is None else foreseen
        for each in following:
            each.told["step_cause"] = moved.first
            each.reach = reach.get(each.one)
        return [each for each in following if not each.leaving or moved.source in each.leaving]

    def _set_off_by_one(self, own: _Ahead, target: str | None, row: int | None) -> list[_Ahead]:
        """Those that one row sets off by entering a state, if it leaves the right one."""
        cascades = own.workflow.kept(
            ("set off", own.event, target, self.waiting),
            lambda: [
                (own.workflow.neighbour(each), each, self._cascade(own, each, one=True))
                for each in reversed(own.workflow.cascades_of(own.event, target))
            ],
        )
        return [
            _Ahead(neighbour, each.event, steps, {"step_row": row}, each.leaving, one=each)
            for neighbour, each, steps in cascades
        ]

    def _cascade(self, own: _Ahead, cascade: Cascade, *, one: bool) -> Plan:
        return plan.for_cascade(own.workflow, cascade, one=one, waiting=self.waiting)


@dataclass(slots=True)
class Logged:
    """The log rows of one move: how many, and the ids of the first and the last.

    aside: whether any row at all is set aside; None where it was not looked for
    row:   the row with the highest id; None where that takes a look
    source, target, at: of the only one
    left:  the row itself, as it then was, in the database's words; empty where it was not told
    done:  it was seen that nothing is left to do after it
    """

    rows: int
    first: int
    last: int
    aside: bool | None = None
    row: int | None = None
    source: str | None = None
    target: str | None = None
    at: datetime | None = None
    left: Sequence[Any] = field(default=(), repr=False)
    done: bool = False


@dataclass(slots=True)
class _Ahead:
    """A step that is to be run: the call's own, or a cascade.

    told:    beside what every statement of the call is told; together with that, once it runs
    leaving: from which states a row sets it off; any, if there are none
    one:     the cascade, if it starts from one row, whose neighbours are few
    reach:   whether it would move any, or, where rows are locked, the ids of those, which are; None if unknown
    locked:  the answer to `steps.lock`, if it was asked
    last:    nothing comes after it, and COMMIT may go with it
    """

    workflow: Workflow
    event: str
    steps: Plan
    told: dict[str, Any]
    leaving: Collection[str] = ()
    one: Cascade | None = None
    reach: Any = None
    locked: Any = None
    last: bool = False


def _forget(moved: Workflow, ahead: list[_Ahead]) -> None:
    """What was known of the rows that were just moved is no longer."""
    for following in ahead:
        if following.workflow is moved:
            following.reach = None


def _reach(first: int, last: int) -> dict[str, Any]:
    """What a statement is told that is about these log rows."""
    return {"step_after": first - 1, "step_upto": last}


_NOTHING = Logged(0, 0, 0)
_ROW = tuple_(set_aside.c.workflow, set_aside.c.row_id)
_ROWS = select(transition.c.workflow, transition.c.row_id).where(REACH)
_PASSED = Statement(select(transition.c.row_id).where(transition.c.id == UPTO))
_ASIDE = Statement(select(set_aside.c.row_id).limit(1))
_MOVED = Statement(delete(set_aside).where(_ROW.in_(_ROWS)))
# A reminder, which leaves a row where it is, does not mend the expiry that the database refused.
_DONE_OR_CHANGED = Statement(
    delete(set_aside).where(
        or_(
            _ROW.in_(_ROWS.where(transition.c.source != transition.c.target)),
            tuple_(set_aside.c.workflow, set_aside.c.row_id, set_aside.c.event).in_(
                _ROWS.add_columns(transition.c.event)
            ),
        )
    )
)
