"""A connection to a file that waits for its turn to write by looking again and again.

SQLite itself waits longer each time, up to a tenth of a second, and so misses the few milliseconds in which a
sweep lets others in between two batches.
"""

from __future__ import annotations

import sqlite3
import time

BETWEEN_LOOKS = 0.001
"""Seconds between two looks."""

BEGIN = "BEGIN IMMEDIATE"
"""sqlite3's own BEGIN comes too late: two writers would both read before either locks."""


class Patient(sqlite3.Connection):
    """The driver's connection; patience: seconds that it waits for another writer."""

    patience: float = 0.0

    def be_patient(self, patience: float) -> None:
        """Wait so long for whatever others have locked."""
        self.patience = patience
        self.execute(f"PRAGMA busy_timeout = {int(patience * 1000)}")

    def begin(self, words: str) -> sqlite3.Cursor:
        """Begin a transaction. Raises OperationalError when the patience is over."""
        if words != BEGIN:
            return self.execute(words)
        self.execute("PRAGMA busy_timeout = 0")
        try:
            # Counted, not timed: a program's tests may have the clock stand still.
            for _ in range(round(self.patience / BETWEEN_LOOKS)):
                try:
                    return self.execute(BEGIN)
                except sqlite3.OperationalError as error:
                    if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                        raise
                time.sleep(BETWEEN_LOOKS)
            return self.execute(BEGIN)
        finally:
            self.be_patient(self.patience)
