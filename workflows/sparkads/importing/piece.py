"""Some rows of a sheet that are read together, column by column: a quarter quicker than row by row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from sparkads.errors import RuleBroken, WrongInput

T = TypeVar("T")

WRONG = (WrongInput, RuleBroken)
"""What tells that a row cannot be as it is."""


class Piece:
    """Rows with the same columns, and what is wrong with them.

    Whatever reads a cell returns what it says or raises WrongInput or RuleBroken. A row's first problem is noted,
    and from there on it says None in every column.
    """

    def __init__(self, names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        self._names = names
        self._rows = rows
        self._columns = dict(zip(names, zip(*rows, strict=True), strict=True))
        self.problems: dict[int, str] = {}

    def __contains__(self, name: str) -> bool:
        """Whether the sheet has such a column."""
        return name in self._columns

    def column(self, name: str) -> Sequence[str]:
        """The cells of a column; empty ones if there is none."""
        return self._columns.get(name) or ("",) * len(self._rows)

    def each(self, name: str, read: Callable[[str], T]) -> list[T]:
        """What the cells of a column say; those that are alike are read once."""
        cells = self.column(name)
        try:
            said = {cell: read(cell) for cell in set(cells)}
        except WRONG:
            return self.map(read, cells)
        return [said[cell] for cell in cells]

    def map(self, read: Callable[..., T], *columns: Sequence[Any]) -> list[T]:
        """What `read` makes of the values that a row has in these columns."""
        if not self.problems:
            try:
                return [*map(read, *columns)]
            except WRONG:
                pass
        said: list[Any] = [None] * len(self._rows)
        for number, values in enumerate(zip(*columns, strict=True)):
            if number not in self.problems:
                try:
                    said[number] = read(*values)
                except WRONG as wrong:
                    self.problems[number] = wrong.sentence
        return said

    def made(self, kind: type[T], /, **columns: Sequence[Any]) -> list[T]:
        """An instance of a dataclass for each row, its fields taken from the columns of their names."""
        return self.map(kind, *(columns[field] for field in kind.__match_args__))  # type: ignore[attr-defined]

    def by_row(self) -> Sequence[Mapping[str, str]]:
        """The cells of each row by the names of their columns."""
        return [dict(zip(self._names, row, strict=True)) for row in self._rows]
