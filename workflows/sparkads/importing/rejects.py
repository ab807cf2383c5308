"""The rejects file: every row that was not taken, with its line, the reason, and all that was read."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from sparkads.errors import FileTrouble
from sparkads.importing.reading import CsvSheet, JsonSheet, Record
from statewright.parameters import storable

_Write = Callable[[Record], None]


class Rejects:
    """A file in the form of the one imported, made when the first row is rejected.

    It can be corrected and imported as it is: `line` and `problem` are passed over. Video codes stand in it as
    they stand in the source, so only its owner may read it.
    Every call raises FileTrouble when the file cannot be written.
    """

    def __init__(self, path: Path, sheet: CsvSheet | JsonSheet) -> None:
        self.path = path
        self._sheet = sheet
        self._file: TextIO | None = None
        self._write: _Write | None = None

    @property
    def written(self) -> bool:
        """A row was rejected."""
        return self._file is not None

    def add(self, record: Record) -> None:
        """Write one row, with its problem."""
        with self._troubles():
            if self._write is None:
                self._write = self._open()
            self._write(record)

    def flush(self) -> None:
        """Have all that was added reach the file."""
        if self._file is not None:
            with self._troubles():
                self._file.flush()

    def close(self) -> None:
        """Close the file, if there is one."""
        if self._file is not None:
            with self._troubles():
                self._file.close()

    def _open(self) -> _Write:
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        if self.path.is_file():
            # An older file of this name may have been made for everybody's eyes.
            self.path.chmod(0o600)
        # Bytes that were no UTF-8 are written as they were read.
        self._file = os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape", newline="")
        return _csv(self._sheet, self._file) if isinstance(self._sheet, CsvSheet) else _json(self._file)

    @contextmanager
    def _troubles(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            raise FileTrouble(f'cannot write the rejects file "{self.path}": {why}; name another') from None


def _csv(sheet: CsvSheet, file: TextIO) -> _Write:
    writer = csv.writer(file, delimiter=sheet.delimiter)
    # What is imported may be a rejects file itself.
    kept = [
        number
        for number, column in enumerate(sheet.columns)
        if column is None or column.name not in ("line", "problem")
    ]
    writer.writerow(["line", "problem", *(sheet.headings[number] for number in kept)])

    def write(record: Record) -> None:
        cells = list(record.raw)
        if len(cells) == len(sheet.headings):
            cells = [cells[number] for number in kept]
        writer.writerow([record.line, record.problem, *cells])

    return write


def _json(file: TextIO) -> _Write:
    def write(record: Record) -> None:
        facts = record.raw if isinstance(record.raw, dict) else {"unreadable": record.raw}
        told = {"line": record.line, "problem": record.problem}
        others = {name: value for name, value in facts.items() if name not in told}
        line = json.dumps({**told, **others}, ensure_ascii=False)
        file.write((line if storable(line) else json.dumps({**told, **others})) + "\n")

    return write
