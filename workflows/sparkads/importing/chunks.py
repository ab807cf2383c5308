"""The chunks in which a sheet is taken: each is read while a server works on the one before it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sparkads.importing.piece import Piece
from sparkads.importing.reading import CsvSheet, JsonSheet, Names, Record

CHUNK = 2_000
"""Rows in a transaction, at the most: enough to be quick, few enough that other writers get in."""
PIECE = 100
"""Rows of which each column is read at once, at the most: a server's answer waits for them, half a millisecond."""
_HEAVY = 4_000_000
"""Characters after which a chunk ends early, so that memory stays bounded whatever the cells hold."""


@dataclass(slots=True)
class Chunk:
    """Records that are taken together, and what those of them say that have no problem."""

    records: list[Record] = field(default_factory=list)
    rows: list[Any] = field(default_factory=list)
    weight: int = 0


class Chunks:
    """The chunks of a sheet, read before others are kept from writing.

    ahead: the sheet is all there; to read on in one that somebody still writes would be to wait for them
    """

    def __init__(
        self, sheet: CsvSheet | JsonSheet, read: Callable[[Piece], Sequence[Any]], *, ahead: bool
    ) -> None:
        self._records = iter(sheet)
        self._read = read
        self._ahead = ahead
        self._next = Chunk()
        self._names: Names = ()
        self._unread: list[Record] = []
        self._cells: list[Sequence[str]] = []
        self._wrong: BaseException | None = None

    def __iter__(self) -> Iterator[Chunk]:
        while True:
            while self._read_one():
                pass
            self._read_piece()
            chunk, self._next = self._next, Chunk()
            if not chunk.records:
                return
            yield chunk

    def read_on(self) -> bool:
        """Read one more record of the next chunk; False if it is full, or the sheet at its end or not all there.

        Raises nothing, not even an interrupt, which would end an exchange with the server in the middle: what goes
        wrong is raised when it is that chunk's turn.
        """
        try:
            return self._ahead and self._read_one()
        except BaseException as wrong:  # noqa: BLE001 - raised again
            self._wrong = wrong
            return False

    def _read_one(self) -> bool:
        if self._wrong is not None:
            raise self._wrong
        chunk = self._next
        if len(chunk.records) >= CHUNK or chunk.weight > _HEAVY:
            return False
        if (found := next(self._records, None)) is None:
            return False
        record, names, cells = found
        chunk.records.append(record)
        chunk.weight += record.weight
        if record.problem is None:
            if names != self._names:
                self._read_piece()
                self._names = names
            self._unread.append(record)
            self._cells.append(cells)
            if len(self._unread) >= PIECE:
                self._read_piece()
        return True

    def _read_piece(self) -> None:
        if not self._unread:
            return
        piece = Piece(self._names, self._cells)
        rows = self._read(piece)
        for number, problem in piece.problems.items():
            self._unread[number].problem = problem
        self._next.rows += [row for row in rows if row is not None] if piece.problems else rows
        self._unread, self._cells = [], []
