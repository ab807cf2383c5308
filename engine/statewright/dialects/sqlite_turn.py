"""A connection to a file that waits for its turn to write by looking again and again.

SQLite itself waits longer each time, up to a tenth of a second, and so misses the few milliseconds in which a
sweep lets others in between two batches.

And it says where SQLite keeps what a statement may have to undo, a copy of each page that it changes: in memory,
that would be the more, the more rows change; in files, it takes a quarter of the time of a sweep.
"""

from __future__ import annotations

import sqlite3
import time

from statewright.dialects.begin import IMMEDIATE

BETWEEN_LOOKS = 0.001
"""Seconds between two looks."""


class Patient(sqlite3.Connection):
    """The driver's connection.

    patience: seconds that it waits for another writer
    room:     where it keeps what a large change may undo, "FILE" or "MEMORY"
    """

    patience: float = 0.0
    room: str = "FILE"
    _waiting: float | None = None
    _kept_in: str | None = None

    def be_patient(self) -> None:
        """Have SQLite itself wait so long for whatever others have locked."""
        self._wait(self.patience)

    def be_roomy(self) -> None:
        """Have room for changes of any size; not within a transaction."""
        self._keep_in(self.room)

    def begin(self, words: str, *, few: bool = False) -> sqlite3.Cursor:
        """Begin a transaction. Raises OperationalError when the patience is over.

        few: each of its statements changes a few thousand rows at the most
        """
        if words != IMMEDIATE:
            self.be_patient()
            return self.execute(words)
        self._keep_in("MEMORY" if few else self.room)
        # It stays so until this connection begins to read: with write-ahead logging, who writes waits for nobody.
        self._wait(0)
        looks = 0
        while True:
            try:
                return self.execute(IMMEDIATE)
            except sqlite3.OperationalError as error:
                # Counted, not timed: a program's tests may have the clock stand still.
                over = looks * BETWEEN_LOOKS >= self.patience
                if over or error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    raise
            looks += 1
            time.sleep(BETWEEN_LOOKS)

    def _wait(self, seconds: float) -> None:
        if seconds != self._waiting:
            self.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")
            self._waiting = seconds

    def _keep_in(self, where: str) -> None:
        if where != self._kept_in:
            self.execute(f"PRAGMA temp_store = {where}")
            self._kept_in = where
