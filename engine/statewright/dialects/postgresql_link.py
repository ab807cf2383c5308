"""A connection to a PostgreSQL server that is given up when nobody is at work at its other end."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from selectors import EVENT_READ, DefaultSelector
from typing import Any, TypeVar

import psycopg
from psycopg.waiting import Ready, Wait

from statewright.dialects.postgresql_wire import Wire

Result = TypeVar("Result")

_AT_WORK = "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND state = 'active'"


class Link(Wire):
    """The driver's connection, which by itself would wait for ever where something in between swallows all.

    The system finds out about a peer that is gone, the server about a statement that takes too long: neither
    helps while whatever stands between goes on saying "received". So after some silence the server is asked, by
    another connection, whether it is at work for this one.
    """

    silence: float = float("inf")
    reached_by: dict[str, Any]
    meanwhile: Callable[[], bool] | None = None
    """What to do, piece by piece, while an answer is waited for; it tells whether anything is left."""
    asking: bool = False
    """It is the other connection itself, for which no further one is asked."""

    @classmethod
    def to(cls, *words: Any, silence: float, **options: Any) -> Link:
        """Connect, as the driver does; silence: seconds without an answer before the server is asked."""
        link = cls.connect(*words, **options)
        link.silence, link.reached_by = silence, options
        return link

    def wait(self, gen: Generator[Any, Any, Result], *how: Any, **options: Any) -> Result:
        """Everything that is sent passes through here. Raises OperationalError for a link that is silent."""
        try:
            return super().wait(self._watched(gen), *how, **options)
        except _Silent:
            self.close()
            raise

    def _watched(self, gen: Generator[Any, Any, Result]) -> Generator[Any, Any, Result]:
        """The same exchange with the server, but for an end to it."""
        latest = time.monotonic() + self.silence
        given_up = False
        ready: Any = None
        while True:
            try:
                wanted = gen.send(ready)
            except StopIteration as done:
                result: Result = done.value
                return result
            if self.meanwhile is not None and wanted == Wait.R:
                self._work_until_answered(self.meanwhile)
            ready = yield wanted
            # The driver looks around several times a second.
            if ready == Ready.NONE and time.monotonic() > latest:
                if given_up:
                    raise _Silent("the server gives no sign of life")
                # The answer may come while the server is asked: there is one more look for it.
                given_up = not self._is_answered()
                latest = time.monotonic() + (0 if given_up else self.silence)

    def _work_until_answered(self, work: Callable[[], bool]) -> None:
        with DefaultSelector() as answers:
            answers.register(self.fileno(), EVENT_READ)
            while not answers.select(0) and work():
                pass

    def _is_answered(self) -> bool:
        """Whether the server is at work for this connection, as far as can be found out."""
        if self.asking:
            return False
        pid = self.pgconn.backend_pid
        try:
            with self.to(silence=self.silence, **{**self.reached_by, "autocommit": True}) as other:
                other.asking = True
                return other.execute(_AT_WORK, (pid,)).fetchone() is not None
        except psycopg.OperationalError as error:
            # It answered, if only to say that it lets nobody else in.
            return "FATAL" in str(error)


class _Silent(psycopg.OperationalError):
    """Nothing came back in time."""
