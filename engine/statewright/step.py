"""One step of a daemon: what is due is moved, who subscribed is told, a sign of life is left."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import Text, insert, select, update
from sqlalchemy.exc import IntegrityError

from statewright.errors import DefinitionError
from statewright.retention import Retention
from statewright.session import StoreSession, instant
from statewright.statement import Statement, parameter
from statewright.store import Store
from statewright.subscriber import Subscriber, counted, deliver
from statewright.sweep import Swept, next_due, sweep
from statewright.tables import heartbeat
from statewright.workflows import Workflows

ACTOR = "daemon"
BATCH = 1000
PAUSE = 0.005
"""SQLite serves writers in no order: without a pause between batches, the others would wait for the last."""

BEAT_EVERY = timedelta(seconds=10)
"""A tick that did nothing writes nothing, but for a sign of life now and then."""


@dataclass(frozen=True, slots=True)
class Tick:
    """What one step did.

    moved:       rows moved, by (workflow, event), cascades included
    batches:     transactions it took to move them
    set_aside:   rows that the database refused to move
    delivered:   log rows handed over, by subscriber
    failed:      the error that ended a subscriber's delivery, by subscriber; it is tried again later
    undelivered: log rows set aside, by subscriber
    next_due:    the earliest deadline still to come
    seconds:     how long it took
    stopped:     it was asked to stop, and may have left something to do
    """

    at: datetime
    moved: Mapping[tuple[str, str], int]
    batches: int
    set_aside: int
    delivered: Mapping[str, int]
    failed: Mapping[str, str]
    undelivered: Mapping[str, int]
    next_due: datetime | None
    seconds: float
    stopped: bool

    @property
    def idle(self) -> bool:
        """There was nothing to do."""
        return not (self.moved or self.delivered or self.trouble)

    @property
    def trouble(self) -> bool:
        """Something was refused or failed, and somebody should look."""
        return bool(self.set_aside or self.failed or self.undelivered)

    def sentence(self, workflows: Workflows) -> str:
        """What it did, for people: what it moved, or else whom it told, and what went wrong."""
        moved = [
            f"{event} {counted(rows, workflows[workflow].noun)}" for (workflow, event), rows in self.moved.items()
        ]
        told = [f"deliver {counted(rows, 'log row')} to {name}" for name, rows in self.delivered.items()]
        parts = [f"{', '.join(moved or told) or 'nothing done'} in {self.seconds:.1f} s"]
        if self.set_aside:
            parts.append(f"{counted(self.set_aside, 'row')} set aside, because the database refused the move")
        parts += [f"{name} failed and will be tried again: {error}" for name, error in self.failed.items()]
        parts += [f"{name} gave up on {counted(rows, 'log row')}" for name, rows in self.undelivered.items()]
        if self.stopped:
            parts.append("stopped on request")
        return "; ".join(parts)

    def as_json(self) -> dict[str, Any]:
        """The tick as plain data: instants as ISO 8601 in UTC, rows moved by `workflow.event`."""
        facts = {name: getattr(self, name) for name in self.__slots__}
        facts["moved"] = {f"{workflow}.{event}": rows for (workflow, event), rows in self.moved.items()}
        for name in ("at", "next_due"):
            facts[name] = facts[name] and facts[name].isoformat()
        return facts


def tick(
    store: Store,
    workflows: Workflows,
    *,
    subscribers: Sequence[Subscriber] = (),
    actor: str = ACTOR,
    batch: int = BATCH,
    pause: float = PAUSE,
    name: str | None = None,
    retention: Retention | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Tick:
    """Move all that is due, tell every subscriber, leave a sign of life.

    batch: rows in a transaction, at the most
    pause: seconds between two batches, in which other writers get in
    name:  what the sign of life is called; the machine's name unless given
    retention: what to archive, once a day; nothing unless given
    stop:  asked between batches; True ends the tick with what is done
    Raises StoreError when the database cannot be used, ArchiveError where the archive cannot be written; what was
    committed until then stays.
    """
    check(batch=batch, pause=pause)
    # How long it took is measured, not dated: the clock may be set, frozen or another machine's.
    began = time.perf_counter()
    heart = _Heart(store, name or platform.node() or ACTOR)
    with store.reading() as session:
        at = instant(session)
        coming = next_due(session, workflows)
        heart.listen(session)
    store.keep_ahead(at)
    swept = Swept()
    if coming is not None and coming <= at:
        swept = sweep(
            store,
            workflows,
            actor=actor,
            batch=batch,
            pause=pause,
            stop=stop,
            progress=lambda _: heart.beat(),
        )
        with store.reading() as session:
            coming = next_due(session, workflows, after=at)
    # A slow subscriber keeps no deadline waiting: the next tick goes on with it.
    hand_over = partial(deliver, store, pause=pause, stop=stop, until=coming, progress=heart.beat)
    told = {each.name: hand_over(each) for each in subscribers}
    done = Tick(
        at=at,
        moved={what: rows for what, rows in swept.moved.items() if rows},
        batches=swept.batches,
        set_aside=swept.set_aside,
        delivered={name: its.delivered for name, its in told.items() if its.delivered},
        failed={name: its.failed for name, its in told.items() if its.failed is not None},
        undelivered={name: its.set_aside for name, its in told.items() if its.set_aside},
        next_due=coming,
        seconds=time.perf_counter() - began,
        stopped=stop(),
    )
    heart.beat(sum(done.moved.values()), anyway=not done.idle)
    if retention is not None and not done.stopped:
        retention.keep(store, workflows, now=at, actor=actor)
    return done


def check(*, batch: int, pause: float) -> None:
    """Raise DefinitionError for settings that cannot be."""
    if batch < 1:
        raise DefinitionError("daemon", f"expected batch to be a positive whole number, got {batch}")
    if not pause >= 0:
        raise DefinitionError("daemon", f"expected pause to be 0 or more seconds, got {pause}")


class _Heart:
    """A daemon's sign of life, written when it did something or was silent for long."""

    def __init__(self, store: Store, name: str) -> None:
        self._store = store
        self._name = name
        self._last: datetime | None = None

    def listen(self, session: StoreSession) -> None:
        """Learn when the last sign was given, maybe by a process before this one."""
        found = session.driver.one(_LAST_BEAT, {"daemon": self._name})
        self._last = None if found is None else found["at"]

    def beat(self, moved: int = 0, *, anyway: bool = False) -> None:
        now = self._store.clock.now()
        # A sign from the future was given before the clock was set back.
        fresh = self._last is not None and timedelta() <= now - self._last < BEAT_EVERY
        if fresh and not anyway:
            return
        with self._store.transaction() as session:
            connection = session.connection()
            sign = {"at": now, "moved": moved} if moved else {"at": now}
            ours = update(heartbeat).where(heartbeat.c.daemon == self._name)
            if not connection.execute(ours.values(sign)).rowcount:
                # Another of the same name may give its first sign at this moment: that will do.
                with suppress(IntegrityError), session.begin_nested():
                    connection.execute(insert(heartbeat).values(daemon=self._name, at=now, moved=moved))
        self._last = now


_LAST_BEAT = Statement(select(heartbeat.c.at).where(heartbeat.c.daemon == parameter("daemon", Text())))
