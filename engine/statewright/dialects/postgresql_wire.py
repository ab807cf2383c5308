"""How statements go to a PostgreSQL server and their answers come back: several together, each prepared once.

For a short statement, the driver's cursors take longer than the server. So this goes below them, to the same
connection: a few statements that a program runs all the time, with values of a few types.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import Any

import psycopg
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus
from psycopg.waiting import Ready, Wait

SENT_UNPREPARED = 2
"""How often a statement is sent before each connection that sends it again prepares it: some are sent once."""

Found = tuple[list[tuple[Any, ...]], int]
"""The rows that a statement tells, and how many it wrote or told."""


class Wire(psycopg.Connection[Any]):
    """The driver's connection; `exchange` is quicker than its cursors, and leaves it as they do."""

    def __init__(self, *words: Any, **options: Any) -> None:
        super().__init__(*words, **options)
        self._kept: dict[Any, bytes] = {}
        self._numbering = count(1)
        self._reader, self._writer = Transformer(self), Transformer(self)

    def exchange(self, said: Sequence[tuple[Any, Sequence[Any]]]) -> list[Found]:
        """Send several statements at once, each run after the other is done, and read all their answers.

        said: each a compiled statement with its values by number
        Raises the error of the first that fails; those after it are not run then.
        """
        preparing: dict[Any, bytes] = {}
        self.pgconn.enter_pipeline_mode()
        try:
            wanted = [each for words, values in said for each in self._send(words, values, preparing)]
            self.pgconn.pipeline_sync()
            results = self.wait(_results(self.pgconn))
        finally:
            # Where this does not go, the connection is lost, and the error says so.
            with suppress(psycopg.Error):
                self.pgconn.exit_pipeline_mode()
        self._kept.update(preparing)
        return [self._found(result) for result, each in zip(results, wanted, strict=True) if each]

    def _send(self, words: Any, values: Sequence[Any], preparing: dict[Any, bytes]) -> tuple[bool, ...]:
        """Put a statement on its way; tells for each answer that will come whether it is wanted."""
        if words.native is None:
            words.native = _Native(words.sql.encode(), [PyFormat.TEXT] * len(words.names))
        native: _Native = words.native
        told = self._writer.dump_sequence(values, native.formats)
        if name := self._kept.get(words) or preparing.get(words):
            self.pgconn.send_query_prepared(name, told)
            return (True,)
        if native.sent < SENT_UNPREPARED:
            native.sent += 1
            self.pgconn.send_query_params(native.sql, told)
            return (True,)
        # Never the same name twice: of what was sent with something that failed, nobody knows if it was prepared.
        name = preparing[words] = b"statewright_%d" % next(self._numbering)
        self.pgconn.send_prepare(name, native.sql)
        self.pgconn.send_query_prepared(name, told)
        return False, True

    def _found(self, result: Any) -> Found:
        if not result.ntuples:
            return [], result.command_tuples or 0
        self._reader.set_pgresult(result)
        return self._reader.load_rows(0, result.ntuples, tuple), result.command_tuples or 0


@dataclass(slots=True)
class _Native:
    """A statement as it is sent, and how often it was sent without being prepared."""

    sql: bytes
    formats: list[PyFormat]
    sent: int = 0


def _results(pgconn: Any) -> Generator[Wait, Ready | int, list[Any]]:
    """Everything that comes back, up to the end of what was sent together. Raises what went wrong first."""
    while pgconn.flush():
        if (yield Wait.RW) & Ready.R:
            pgconn.consume_input()
    found: list[Any] = []
    wrong: psycopg.Error | None = None
    ended = False
    while True:
        while pgconn.is_busy():
            if (yield Wait.R):
                pgconn.consume_input()
        result = pgconn.get_result()
        if result is None:
            if ended:
                # One answer ends with nothing; nothing after nothing is a connection that ended.
                raise wrong or psycopg.OperationalError("the connection is closed")
            ended = True
            continue
        ended = False
        status = result.status
        if status == ExecStatus.PIPELINE_SYNC:
            if wrong:
                raise wrong
            return found
        if status == ExecStatus.FATAL_ERROR:
            wrong = wrong or error_from_result(result)
        found.append(result)
