"""How a file becomes records: any CSV that a spreadsheet writes, or JSON lines, a bounded piece at a time."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, BinaryIO

from sparkads.columns import KINDS, Column, Kind, unguarded
from sparkads.errors import WrongInput
from sparkads.importing.cells import shown
from statewright.parameters import storable

LONGEST_LINE = 1_000_000
"""Characters; what is longer is no row of a spreadsheet."""
KEPT_OF_A_CELL = 1_000
"""Characters of a cell that a rejects file keeps of a line that is too long."""


@dataclass(slots=True)
class Record:
    """One row of a file; not frozen, nor are the facts read from it: to make them would take three times as long.

    line:    where it begins in the file
    raw:     what was read, for the rejects file: cells, a JSON object, or a line that is none
    weight:  how many characters that were
    problem: why it cannot be a row, if it cannot
    """

    line: int
    raw: Sequence[str] | dict[str, Any] | str
    weight: int
    problem: str | None = None


Names = Sequence[str]
"""What the columns of a record are called, in the order of its cells; a column of a CSV file may have no name."""
Read = tuple[Record, Names, Sequence[str]]
"""A record, and its cells with their names; none if it has a problem. They are read, not kept."""


@contextmanager
def open_sheet(source: BinaryIO, name: str) -> Iterator[CsvSheet | JsonSheet]:
    """Read the file's beginning, and tell what it holds.

    Raises WrongInput when it is empty, not text, or has columns that are unknown, missing or there twice.
    """
    # Bytes that are no UTF-8 become half characters, which the row that has them is rejected for.
    text = io.TextIOWrapper(source, encoding="utf-8-sig", errors="surrogateescape", newline="")
    try:
        lines = _Lines(text)
        tried = f'cannot import "{name}"'
        first = next(filter(str.strip, lines), None)
        if first is None:
            raise WrongInput(f"{tried}: it is empty")
        if problem := _no_text(first):
            raise WrongInput(f"{tried}: {problem}; save it as CSV UTF-8 and import that")
        lines.give_back(1)
        if first.lstrip().startswith(("{", "[")):
            yield JsonSheet(lines, tried)
        else:
            yield CsvSheet(lines, first, tried)
    finally:
        # Left to itself, it would close what the caller opened.
        text.detach()


class CsvSheet:
    """A CSV file: its first row names the columns."""

    def __init__(self, lines: _Lines, first: str, tried: str) -> None:
        self.delimiter = max(",;\t", key=lambda delimiter: _known(_split(first, delimiter)))
        self._lines = lines
        self._reader = csv.reader(lines, delimiter=self.delimiter, strict=True)
        try:
            self.headings = [heading.strip() for heading in next(self._reader)]
        except csv.Error as error:
            raise WrongInput(f"{tried}: its first line cannot be read: {error}") from None
        self.kind = _kind(self.headings, tried)
        self.columns = _columns(self.headings, self.kind, tried)

    def __iter__(self) -> Iterator[Read]:
        names = tuple(column.name if column else "" for column in self.columns)
        nameless = [number for number, name in enumerate(names) if not name]
        lines, width = self._lines, len(names)
        while True:
            line = lines.begin()
            try:
                cells = next(self._reader)
            except StopIteration:
                return
            except csv.Error:
                yield self._unreadable(line), (), ()
                continue
            joined = "".join(cells)
            weight = len(joined)
            if lines.length_of(line) or not joined.strip():
                if joined.strip():
                    yield self._unreadable(line), (), ()
                continue
            if problem := _wrong(cells, joined, width):
                yield Record(line, cells, weight, problem), (), ()
            elif nameless and any(cells[number].strip() for number in nameless):
                yield Record(line, cells, weight, "it has something in a column without a name"), (), ()
            else:
                record = Record(line, cells, weight)
                yield record, names, [unguarded(cell) for cell in cells] if "'" in joined else cells

    def _unreadable(self, line: int) -> Record:
        """A record that cannot be read: only its first line is to blame, the others are read anew."""
        lines = self._lines
        first = lines.taken[0]
        lines.give_back(len(lines.taken) - 1)
        length = lines.length_of(line) or len(first)
        if length > csv.field_size_limit():
            cells = [cell[:KEPT_OF_A_CELL] for cell in _split(first, self.delimiter)]
            return Record(line, cells, len(first), _TOO_LONG.format(length=length))
        cells = first.rstrip("\r\n").split(self.delimiter)
        return Record(
            line,
            cells,
            len(first),
            "its quotes do not match; a cell with a quote in it stands in quotes, and that quote is written twice",
        )


class JsonSheet:
    """JSON lines: an object a line, its keys named like the columns."""

    def __init__(self, lines: _Lines, tried: str) -> None:
        self._lines = lines
        line = lines.begin()
        first = self._record(line, next(lines))
        if first.problem or not isinstance(first.raw, dict):
            problem = first.problem or "expected an object"
            raise WrongInput(f"{tried}: it begins like JSON lines, but its first line is none: {problem}")
        self.kind = _kind(list(first.raw), tried)
        _columns(list(first.raw), self.kind, tried)
        lines.give_back(1)

    def __iter__(self) -> Iterator[Read]:
        while True:
            line = self._lines.begin()
            text = next(self._lines, None)
            if text is None:
                return
            if not text.strip():
                continue
            record = self._record(line, text)
            cells = self._named(record, record.raw) if isinstance(record.raw, dict) else {}
            yield record, tuple(cells), tuple(cells.values())

    def _record(self, line: int, text: str) -> Record:
        if length := self._lines.length_of(line):
            return Record(line, text[:KEPT_OF_A_CELL], KEPT_OF_A_CELL, _TOO_LONG.format(length=length))
        text = text.rstrip("\r\n")
        if not storable(text):
            return Record(line, text, len(text), _UNPRINTABLE)
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            return Record(line, text, len(text), "it is not JSON")
        if not isinstance(found, dict):
            return Record(line, text, len(text), "it is not a JSON object, like {...}")
        return Record(line, found, len(text))

    def _named(self, record: Record, found: dict[str, Any]) -> dict[str, str]:
        """The values of an object by the names of their columns; what is wrong with them, the record tells."""
        cells = {}
        for heading, value in found.items():
            column = self.kind.named(heading)
            if column is None:
                record.problem = _unknown(heading, self.kind)
                return {}
            cells[column.name] = _plain(value)
        if not storable("".join(cells.values())):
            record.problem = _UNPRINTABLE
            return {}
        return cells


class _Lines:
    """The lines of a text, which remembers those of the record at hand and takes some of them back."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self._number = 0
        self._back: list[str] = []
        self._cut: dict[int, int] = {}
        self.taken: list[str] = []

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._back.pop() if self._back else self._next()
        self._number += 1
        self.taken.append(line)
        return line

    def begin(self) -> int:
        """Forget the record at hand; the number of the line that comes next."""
        self.taken.clear()
        if self._cut and not self._back:
            self._cut.clear()
        return self._number + 1

    def length_of(self, line: int) -> int:
        """How many characters a line has of which only the beginning was kept; 0 for any other line."""
        return self._cut.get(line, 0)

    def give_back(self, number: int) -> None:
        """Hand out the last lines once more."""
        if number:
            self._back += reversed(self.taken[-number:])
            self._number -= number

    def _next(self) -> str:
        line = self._text.readline(LONGEST_LINE)
        if not line:
            raise StopIteration
        if len(line) == LONGEST_LINE and not line.endswith(_ENDS):
            length = len(line)
            while more := self._text.readline(LONGEST_LINE):
                length += len(more)
                if more.endswith(_ENDS):
                    break
            self._cut[self._number + 1] = length
        return line


_ENDS = ("\n", "\r")
_TOO_LONG = "its line has {length:,} characters, far too many; here it is cut short"
_UNPRINTABLE = "it is not UTF-8, or has NUL characters in it; save the file as CSV UTF-8"


def _no_text(first: str) -> str | None:
    if first.startswith(("\udcff\udcfe", "\udcfe\udcff")):
        return "it is UTF-16, expected UTF-8"
    if first.startswith("PK\x03\x04"):
        return "it is an Excel workbook or another ZIP archive, expected text"
    if "\0" in first or len(first) >= LONGEST_LINE:
        return "it is not text"
    if not storable(first):
        return "its first line is not UTF-8"
    return None


def _wrong(cells: list[str], joined: str, width: int) -> str | None:
    if len(cells) != width:
        more = "a comma, semicolon or tab inside a cell needs quotes around the cell" if len(cells) > width else ""
        return f"it has {len(cells)} cells, expected {width}" + (f"; {more}" if more else "")
    return None if storable(joined) else _UNPRINTABLE


def _split(line: str, delimiter: str) -> list[str]:
    """The cells of one line, roughly."""
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return line.rstrip("\r\n").split(delimiter)


def _known(headings: Sequence[str]) -> int:
    return max(sum(kind.named(heading) is not None for heading in headings) for kind in KINDS)


def _kind(headings: Sequence[str], tried: str) -> Kind:
    """The kind of sheet that knows most of these headings."""
    known = {kind.name: sum(kind.named(heading) is not None for heading in headings) for kind in KINDS}
    kind = max(KINDS, key=lambda kind: known[kind.name])
    if not known[kind.name]:
        needs = "; ".join(f"{kind.name} need {', '.join(kind.required)}" for kind in KINDS)
        raise WrongInput(f"{tried}: its first line names no column that is known; {needs}")
    return kind


def _columns(headings: Sequence[str], kind: Kind, tried: str) -> list[Column | None]:
    """The column that each heading means; None for one without a name."""
    found: dict[str, str] = {}
    columns: list[Column | None] = []
    for heading in headings:
        column = kind.named(heading)
        if column is None and heading:
            raise WrongInput(f"{tried}: {_unknown(heading, kind)}")
        if column is not None and column.name in found:
            both = sorted({shown(found[column.name]), shown(heading)})
            raise WrongInput(f"{tried}: it has the column {column.name} twice, as {' and '.join(both)}")
        if column is not None:
            found[column.name] = heading
        columns.append(column)
    if missing := [name for name in kind.required if name not in found]:
        raise WrongInput(
            f"{tried}: the column {', '.join(missing)} is missing; {kind.name} need {', '.join(kind.required)}"
        )
    return columns


def _unknown(heading: str, kind: Kind) -> str:
    for other in KINDS:
        if other is not kind and other.named(heading):
            return (
                f"it has columns of {kind.name}, but {shown(heading)} is one of {other.name}; "
                "keep them in two files"
            )
    words = {name: column.name for column in kind for name in (column.name, *column.also)}
    close = get_close_matches(heading.lower(), words, n=1)
    meant = f"did you mean {words[close[0]]}? " if close else ""
    usual = ", ".join(column.name for column in kind if not column.told)
    return f"unknown column {shown(heading)}; {meant}{kind.name} can have {usual}"


def _plain(value: object) -> str:
    """A JSON value as the cell of a spreadsheet."""
    match value:
        case None:
            return ""
        case str():
            return value
        case bool():
            return "yes" if value else "no"
        case _:
            return json.dumps(value)
