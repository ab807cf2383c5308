"""A connection to a PostgreSQL server that is given up when nothing comes back over it."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any, TypeVar

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.waiting import Ready

Result = TypeVar("Result")


class Link(psycopg.Connection[Any]):
    """The driver's connection, which by itself would wait for ever where something in between swallows all.

    The system finds out about a peer that is gone, the server about a statement that takes too long: neither
    helps while whatever stands between goes on saying "received".
    """

    silence: float = float("inf")
    """Seconds to wait for an answer outside a transaction: to its beginning, or to "are you there"."""
    longest: float = float("inf")
    """Seconds to wait for an answer inside one: a little longer than the server lets a statement run."""

    def wait(self, gen: Generator[Any, Any, Result], *how: Any, **options: Any) -> Result:
        """Everything that is sent passes through here. Raises OperationalError for a link that is silent."""
        idle = self.pgconn.transaction_status == TransactionStatus.IDLE
        try:
            return super().wait(_bounded(gen, self.silence if idle else self.longest), *how, **options)
        except _Silent:
            self.close()
            raise


class _Silent(psycopg.OperationalError):
    """Nothing came back in time."""


def _bounded(gen: Generator[Any, Any, Result], seconds: float) -> Generator[Any, Any, Result]:
    """The same exchange with the server, but for an end to it."""
    latest = time.monotonic() + seconds
    ready: Any = None
    while True:
        try:
            wanted = gen.send(ready)
        except StopIteration as done:
            result: Result = done.value
            return result
        ready = yield wanted
        # The driver looks around several times a second.
        if ready == Ready.NONE and time.monotonic() > latest:
            raise _Silent("the server gives no sign of life")
