"""What keeps the rows moving: a tick whenever a deadline comes, until it is told to stop."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any

from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_EXECUTED  # type: ignore[import-untyped]
from apscheduler.executors.pool import ThreadPoolExecutor  # type: ignore[import-untyped]
from apscheduler.schedulers.background import BackgroundScheduler  # type: ignore[import-untyped]
from apscheduler.triggers.base import BaseTrigger  # type: ignore[import-untyped]

from statewright.clock import SystemClock
from statewright.errors import DefinitionError, StatewrightError
from statewright.listener import listening
from statewright.logs import logger
from statewright.retention import Retention
from statewright.step import ACTOR, BATCH, PAUSE, Tick, check, tick
from statewright.store import Store
from statewright.subscriber import Subscriber, counted, said
from statewright.workflows import Workflows

__all__ = ["HEARTBEAT", "Daemon", "Tick", "run", "tick"]

HEARTBEAT = 1.0

LONGEST_PAUSE = timedelta(seconds=10)
"""A tick that failed is tried again after two heartbeats, then after twice as long each time, up to this."""


def run(
    store: Store,
    workflows: Workflows,
    *,
    subscribers: Sequence[Subscriber] = (),
    heartbeat: float = HEARTBEAT,
    actor: str = ACTOR,
    batch: int = BATCH,
    pause: float = PAUSE,
    name: str | None = None,
    retention: Retention | None = None,
    once: bool = False,
    report: Callable[[Tick], None] = lambda tick: None,
) -> None:
    """Tick until SIGTERM or SIGINT comes; then finish the batch at hand and return.

    once: take a single tick, whose errors are raised; for the rest see `Daemon`
    Only the main thread hears signals: elsewhere, use a `Daemon` and stop it.
    """
    daemon = Daemon(
        store,
        workflows,
        subscribers=subscribers,
        heartbeat=heartbeat,
        actor=actor,
        batch=batch,
        pause=pause,
        name=name,
        retention=retention,
        report=report,
    )
    with _on_signals(daemon.stop):
        if once:
            daemon.tick()
        else:
            daemon.run()


class Daemon:
    """Ticks whenever a deadline comes, and at every heartbeat; goes on through trouble until it is stopped.

    On PostgreSQL it also ticks as soon as another process wrote to the log.

    heartbeat: seconds between two ticks, at the most: how late it may notice what it is not told
    report:    called with every tick
    The rest is as for `tick`. Any number of daemons may share a database.
    """

    def __init__(
        self,
        store: Store,
        workflows: Workflows,
        *,
        subscribers: Sequence[Subscriber] = (),
        heartbeat: float = HEARTBEAT,
        actor: str = ACTOR,
        batch: int = BATCH,
        pause: float = PAUSE,
        name: str | None = None,
        retention: Retention | None = None,
        report: Callable[[Tick], None] = lambda tick: None,
    ) -> None:
        check(batch=batch, pause=pause)
        if not heartbeat > 0:
            raise DefinitionError(
                "daemon", f"expected heartbeat to be a positive number of seconds, got {heartbeat}"
            )
        self._store = store
        self._workflows = workflows
        self._heartbeat = timedelta(seconds=heartbeat)
        self._report = report
        self._stopping = False
        self._calls: SimpleQueue[None] = SimpleQueue()
        self._woken = False
        self._delay = timedelta()
        self._troubles: set[str] = set()
        self._failures = 0
        self._tick = partial(
            tick,
            store,
            workflows,
            subscribers=subscribers,
            actor=actor,
            batch=batch,
            pause=pause,
            name=name,
            retention=retention,
            stop=lambda: self._stopping,
        )
        # The library would warn at every heartbeat of a long tick that the tick is still running.
        quiet = logger.getChild("scheduler")
        quiet.setLevel(logging.ERROR)
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            logger=quiet,
            executors={"default": ThreadPoolExecutor(max_workers=1)},
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )

    def run(self) -> None:
        """Tick until somebody calls `stop`; once only for each daemon."""
        self._scheduler.add_listener(self._call, EVENT_JOB_EXECUTED | EVENT_JOB_ERROR)
        self._scheduler.add_job(
            self._beat, _Heartbeat(self._heartbeat), id=_JOB, next_run_time=SystemClock().now()
        )
        seconds = self._heartbeat.total_seconds()
        logger.info("watching %s, at least every %g s", self._store.name, seconds, extra={"action": "start"})
        self._scheduler.start()
        try:
            with listening(self._store, self.wake):
                self._aim_until_stopped()
        finally:
            self._stopping = True
            self._scheduler.shutdown(wait=True)
            logger.info("stopped watching %s", self._store.name, extra={"action": "stop"})

    def stop(self, *_: Any) -> None:
        """Have `run` finish the batch at hand and return; from any thread, or as a signal's handler."""
        self._stopping = True
        self._call()

    def wake(self) -> None:
        """Have `run` look again now, because something was armed or moved; from any thread."""
        self._woken = True
        self._call()

    def tick(self) -> Tick:
        """One tick, logged if it did something, and reported; its errors are raised."""
        done = self._tick()
        if not done.idle:
            level = logging.WARNING if done.trouble else logging.INFO
            sentence = done.sentence(self._workflows)
            logger.log(level, "%s", sentence, extra={"action": "tick", **done.as_json()})
        self._report(done)
        return done

    def _beat(self) -> None:
        self._woken = False
        self._delay = self._heartbeat
        if self._stopping:
            return
        try:
            done = self.tick()
        except Exception as error:  # noqa: BLE001 - whatever happens, deadlines go on coming
            self._complain(error)
            # Whoever is in trouble is not helped by many who ask.
            self._delay = min(self._heartbeat * 2 ** min(self._failures, 16), max(LONGEST_PAUSE, self._heartbeat))
        else:
            self._recover()
            if done.next_due is not None:
                wait = done.next_due - self._store.clock.now()
                self._delay = max(min(wait, self._heartbeat), timedelta())

    def _call(self, _event: Any = None) -> None:
        # A signal may interrupt anything: this waits for no lock that the interrupted code may hold.
        self._calls.put(None)

    def _aim_until_stopped(self) -> None:
        """Aim at the next tick after every tick and every call.

        Not where a tick ends: that may be within the scheduler's own step, which would then undo the aim,
        or while the scheduler shuts down, which waits for the tick and holds the lock that aiming needs.
        """
        while True:
            try:
                self._calls.get(timeout=self._heartbeat.total_seconds())
            except Empty:
                if not self._stopping and not self._far_off():
                    continue
            if self._stopping:
                return
            # The store's clock says how long to wait, the scheduler's when that will be: they may differ.
            delay = timedelta() if self._woken else self._delay
            self._scheduler.modify_job(_JOB, next_run_time=SystemClock().now() + delay)

    def _far_off(self) -> bool:
        """The next tick is further away than any may be: the clock was set back since it was aimed at."""
        job = self._scheduler.get_job(_JOB)
        latest = SystemClock().now() + max(self._delay, self._heartbeat) + self._heartbeat
        return job is not None and job.next_run_time > latest

    def _complain(self, error: Exception) -> None:
        """Tell of a trouble when it begins, not at every heartbeat."""
        self._failures += 1
        sentence = said(error)
        if sentence in self._troubles:
            return
        self._troubles.add(sentence)
        logger.error(
            "tick failed, trying again: %s",
            sentence,
            extra={"action": "trouble"},
            # The engine's own errors say it all; of others one must know where they came from.
            exc_info=None if isinstance(error, StatewrightError) else error,
        )

    def _recover(self) -> None:
        if self._troubles:
            failures = counted(self._failures, "failed tick")
            logger.info("recovered after %s", failures, extra={"action": "recovery"})
            self._troubles.clear()
            self._failures = 0


_JOB = "tick"


class _Heartbeat(BaseTrigger):  # type: ignore[misc]
    """The next beat counts from now: the library would list every one missed while the machine slept."""

    def __init__(self, every: timedelta) -> None:
        self.every = every

    def get_next_fire_time(  # pyright: ignore[reportIncompatibleMethodOverride] - the base tells no types
        self, previous_fire_time: datetime | None, now: datetime
    ) -> datetime:
        return now + self.every


@contextmanager
def _on_signals(stop: Callable[..., None]) -> Iterator[None]:
    """Have SIGTERM and SIGINT call `stop`, and afterwards what they called before."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
