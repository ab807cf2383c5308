"""Why a row may move or may not: asked of the database after the fact, told in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations, product
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, func, select
from sqlmodel import Session

from statewright.errors import (
    Blocker,
    Conflict,
    EventNotPossible,
    GuardRefused,
    Refusal,
    TransitionError,
    UnknownRow,
)
from statewright.log import FORCE, START
from statewright.parameters import LARGEST, arguments_in, bound
from statewright.session import instant
from statewright.workflow import Guard, Workflow

SHOWN = 10
"""How many blocking rows a sentence names before it counts the rest."""


@dataclass(frozen=True, slots=True)
class Possibility:
    """Whether an event is possible for a row now, and if not, why not.

    target:    where it would lead; None when it is not possible
    because:   in words, why not; empty when it is possible
    due_at:    when a deadline brings the event by itself, if one is armed
    automatic: the engine fires it; people need not
    """

    event: str
    possible: bool
    target: str | None
    because: str
    refusals: tuple[Refusal, ...]
    due_at: datetime | None
    automatic: bool


def can(session: Session, workflow: Workflow, row_id: int) -> list[Possibility]:
    """Every event of the chart for one row: possible or not, and why not.

    Guards that depend on an event's arguments are taken to say what lets it happen. Raises UnknownRow.
    """
    row = _Row(session, workflow, row_id, now=instant(session), arguments={})
    return [row.possibility(event) for event in workflow.decisions.events]


def waiting_for(session: Session, workflow: Workflow, row_id: int) -> str:
    """What a row in its present state still lacks, in words; empty when it waits for nothing."""
    row = _Row(session, workflow, row_id, now=instant(session), arguments={})
    return row.lacking()


def refusal(
    session: Session,
    workflow: Workflow,
    event: str,
    row_id: int,
    *,
    now: datetime,
    arguments: Mapping[str, Any],
    target: str | None = None,
) -> TransitionError:
    """The error that tells why an event did not move this row.

    target: the state in which a row was to begin its life; only START has one
    """
    tried = f"cannot {event.replace('_', ' ')} {workflow.noun} {row_id}"
    facts: dict[str, Any] = {"workflow": workflow.name, "event": event, "row_id": row_id}
    try:
        row = _Row(session, workflow, row_id, now=now, arguments=arguments)
    except UnknownRow:
        return UnknownRow(f"{tried}: there is no such {workflow.noun}", **facts)
    if event == FORCE:
        return Conflict(f"{tried}: it is {_words(row.state)} already", **facts)
    if event == START:
        refusals = tuple(row.refusals_to_begin(target or workflow.decisions.initial))
        if not refusals:
            return Conflict(f"{tried}: its life has begun already, it is {_words(row.state)}", **facts)
        because = "; ".join(each.sentence for each in refusals)
        return GuardRefused(f"{tried}: {because}", **facts, state=row.state, refusals=refusals)
    verdict = row.possibility(event)
    if verdict.possible:
        return Conflict(f"{tried}: it was changed at the same moment; try again", **facts)
    kind = GuardRefused if verdict.refusals else EventNotPossible
    return kind(
        f"{tried}: {verdict.because}",
        **facts,
        state=row.state,
        **({"refusals": verdict.refusals} if verdict.refusals else {"possible": row.offered()}),
    )


def refused_to_begin(
    session: Session, workflow: Workflow, ids: Sequence[int], target: str, *, now: datetime
) -> dict[int, tuple[Refusal, ...]]:
    """Which guards keep new rows from beginning their lives in a state, by id; each is asked once for all rows."""
    execute = session.connection().execute
    parameters = bound(now, {})
    guards = [workflow.guards[name] for name in workflow.entry.get(target, ())]
    columns = [guard.holds.label(f"guard_{guard.name}") for guard in guards]
    found = execute(select(workflow.table, *columns).where(workflow.id.in_(ids)), parameters).mappings().all()
    refusals: dict[int, list[Refusal]] = {row["id"]: [] for row in found}
    for guard in guards:
        rows = {row["id"]: row for row in found if not row[f"guard_{guard.name}"]}
        theirs = workflow.id.in_(rows)
        facts: dict[int, Mapping[str, Any]] = {}
        if rows and guard.facts:
            told = [value.label(name) for name, value in guard.facts.items()]
            chosen = select(workflow.id.label("blocked_row"), *told).select_from(workflow.table).where(theirs)
            facts = {row["blocked_row"]: dict(row) for row in execute(chosen, parameters).mappings()}
        blockers: dict[int, list[Blocker]] = {}
        if rows and guard.blockers is not None:
            tied = guard.blockers.add_columns(workflow.id.label("blocked_row")).where(theirs)
            tied = tied.order_by(tied.selected_columns["id"])
            for row in execute(tied, parameters).mappings():
                blockers.setdefault(row["blocked_row"], []).append(_blocker(guard, row))
        for row_id, row in rows.items():
            standing = tuple(blockers.get(row_id, ()))
            words = {**row, **facts.get(row_id, {})}
            refusals[row_id].append(Refusal(guard.name, _told(guard, words, standing), standing))
    return {row_id: tuple(some) for row_id, some in refusals.items()}


@dataclass(frozen=True, slots=True)
class Preview:
    """What a bulk call would do: rows that would move, by target, and rows refused, by reason."""

    moving: Mapping[str, int]
    refused: Mapping[str, int]


def preview(
    session: Session,
    workflow: Workflow,
    event: str,
    where: ColumnElement[bool],
    *,
    arguments: Mapping[str, Any] | None = None,
) -> Preview:
    """How many rows of a selection an event would move, and how many it would not, and why; writes nothing.

    Raises UnknownEvent or WrongArguments.
    """
    workflow.check_call(event, arguments or {})
    session.flush()
    decisions = workflow.decisions
    named = (name for state in decisions.sources(event) for name in decisions.decisions[state, event].guards)
    guards = list(dict.fromkeys(named))
    columns = [workflow.guards[name].holds.label(f"guard_{name}") for name in guards]
    counted = select(workflow.state, *columns, func.count().label("rows")).where(workflow.alone(where))
    counted = counted.group_by(workflow.state, *(column.name for column in columns))
    moving: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    for row in session.connection().execute(counted, bound(instant(session), arguments or {})).mappings():
        facts = {name: bool(row[f"guard_{name}"]) for name in guards}
        if (row["state"], event) not in decisions.decisions:
            refused[f"is {_words(row['state'])}"] += row["rows"]
        elif target := decisions.decide(row["state"], event, facts):
            moving[target] += row["rows"]
        else:
            blamed = _blamed(workflow, row["state"], event, facts)
            refused[" and ".join(_fact(name, holds=facts[name]) for name in blamed)] += row["rows"]
    return Preview(dict(moving), dict(refused))


class _Row:
    """One row as the guards see it."""

    def __init__(
        self,
        session: Session,
        workflow: Workflow,
        row_id: int,
        *,
        now: datetime,
        arguments: Mapping[str, Any],
    ) -> None:
        # What the caller has not written yet counts too.
        session.flush()
        self.session = session
        self.workflow = workflow
        self.bound = bound(now, arguments)
        answerable = [
            guard for guard in workflow.guards.values() if arguments_in(guard.holds).keys() <= arguments.keys()
        ]
        columns = [guard.holds.label(f"guard_{guard.name}") for guard in answerable]
        chosen = select(workflow.table, *columns).where(workflow.id == row_id)
        row = None
        if abs(row_id) <= LARGEST:
            row = session.connection().execute(chosen, self.bound).mappings().one_or_none()
        if row is None:
            raise UnknownRow(
                f"there is no {workflow.noun} {row_id}", workflow=workflow.name, event="", row_id=row_id
            )
        self.row: RowMapping = row
        self.state: str = row["state"]
        self.facts = {guard.name: bool(row[f"guard_{guard.name}"]) for guard in answerable}

    def possibility(self, event: str) -> Possibility:
        workflow, decisions = self.workflow, self.workflow.decisions
        armed = [self.row[d.at.key] for d in workflow.deadlines if d.event == event]
        target = self.target(event)
        because = ""
        refusals: tuple[Refusal, ...] = ()
        if (self.state, event) not in decisions.decisions:
            because = self._no_such_arrow()
        elif target is None:
            refusals = tuple(self._refusals(event))
            because = "; ".join(refusal.sentence for refusal in refusals)
        return Possibility(
            event=event,
            possible=target is not None,
            target=target,
            because=because,
            refusals=refusals,
            due_at=armed[0] if armed else None,
            automatic=event in workflow.automatic,
        )

    def target(self, event: str) -> str | None:
        """Where the event would lead, whatever the guards that cannot be asked yet would have to say for it."""
        return _best(self.workflow, self.state, event, self.facts)

    def lacking(self) -> str:
        """What the event that this state waits for still lacks."""
        event = self.workflow.waits.get(self.state)
        if event is None or self.target(event) is not None:
            return ""
        return "; ".join(refusal.sentence for refusal in self._refusals(event))

    def offered(self) -> tuple[str, ...]:
        """The events that a person could send now with success."""
        return tuple(
            event
            for event in self.workflow.decisions.possible(self.state)
            if event not in self.workflow.automatic and self.target(event) is not None
        )

    def refusals_to_begin(self, target: str) -> Iterator[Refusal]:
        """The guards that keep a new row from beginning its life in a state."""
        for name in self.workflow.entry.get(target, ()):
            if not self.facts[name]:
                yield self._refusal(name)

    def _no_such_arrow(self) -> str:
        lacking = self.lacking()
        because = f"it is {_words(self.state)}" + (f" ({lacking})" if lacking else "")
        if offered := self.offered():
            return f"{because}; possible now: {', '.join(offered)}"
        final = self.state in self.workflow.decisions.finals
        return f"{because}; {'that is final' if final else 'nothing is possible now'}"

    def _refusals(self, event: str) -> Iterator[Refusal]:
        return map(self._refusal, _blamed(self.workflow, self.state, event, self.facts))

    def _refusal(self, name: str) -> Refusal:
        guard = self.workflow.guards[name]
        blockers = tuple(self._blockers(guard))
        return Refusal(name, _told(guard, self._words_of(guard), blockers), blockers)

    def _blockers(self, guard: Guard) -> Iterator[Blocker]:
        if guard.blockers is None:
            return
        chosen = guard.blockers.where(self.workflow.id == self.row["id"])
        chosen = chosen.order_by(chosen.selected_columns["id"])
        for row in self.session.connection().execute(chosen, self.bound).mappings():
            yield _blocker(guard, row)

    def _words_of(self, guard: Guard) -> dict[str, Any]:
        words: dict[str, Any] = dict(self.row)
        if guard.facts:
            facts = [value.label(name) for name, value in guard.facts.items()]
            chosen = select(*facts).select_from(self.workflow.table).where(self.workflow.id == self.row["id"])
            words.update(self.session.connection().execute(chosen, self.bound).mappings().one())
        return words


def _blocker(guard: Guard, row: RowMapping) -> Blocker:
    return Blocker(guard.noun, row["id"], row["label"] or "", row["state"])


def _told(guard: Guard, words: Mapping[str, Any], blockers: tuple[Blocker, ...]) -> str:
    """The guard's sentence about one row."""
    known = {name: _Nothing() if value is None else value for name, value in words.items()}
    return guard.refusal.format_map({**known, "blockers": _listed(guard.noun, blockers)})


class _Nothing:
    """NULL in a sentence, whatever format the sentence wants it in."""

    def __format__(self, spec: str) -> str:
        return "nothing"


def _best(workflow: Workflow, state: str, event: str, facts: Mapping[str, bool]) -> str | None:
    """Where an event leads if the guards that `facts` leave out say what lets it happen; None if it is refused."""
    decision = workflow.decisions.decisions.get((state, event))
    if decision is None:
        return None
    open_ = [guard for guard in decision.guards if guard not in facts]
    guesses = (dict(zip(open_, values, strict=True)) for values in product((True, False), repeat=len(open_)))
    targets = (decision.decide({**facts, **guess}) for guess in guesses)
    return next((target for target in targets if target is not None), None)


def _blamed(workflow: Workflow, state: str, event: str, facts: Mapping[str, bool]) -> tuple[str, ...]:
    """The fewest guards that would have to answer otherwise for the event to be possible."""
    guards = [guard for guard in workflow.decisions.decisions[state, event].guards if guard in facts]
    for number in range(1, len(guards) + 1):
        for changed in combinations(guards, number):
            otherwise = {**facts, **{name: not facts[name] for name in changed}}
            if _best(workflow, state, event, otherwise) is not None:
                return changed
    return tuple(guards)


def _fact(name: str, *, holds: bool) -> str:
    return f"{'' if holds else 'not '}{name.replace('_', ' ')}"


def _listed(noun: str, blockers: tuple[Blocker, ...]) -> str:
    number = f"{len(blockers):,} {noun}{'' if len(blockers) == 1 else 's'}"
    shown = ", ".join(str(blocker) for blocker in blockers[:SHOWN])
    more = f" and {len(blockers) - SHOWN:,} more" if len(blockers) > SHOWN else ""
    return f"{number}: {shown}{more}" if blockers else number


def _words(state: str) -> str:
    return state.replace("_", " ")
