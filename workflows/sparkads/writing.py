"""How rows become the text of a spreadsheet: a thousand at a time, one column after the other."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TextIO

from sqlalchemy import Boolean, ColumnElement

from sparkads.columns import guarded
from sparkads.portfolio.posts import url_of
from statewright.dialects import Instant

Values = Sequence[Any]
"""One column of some rows."""


class Sheet:
    """A spreadsheet that is being written.

    form:    one of FORMS
    names:   its columns
    columns: what is selected, by their names; a post's URL is made of its id and its creator
    """

    def __init__(
        self, out: TextIO, form: str, names: Sequence[str], columns: Iterable[ColumnElement[Any]]
    ) -> None:
        self._names = names
        self._selected = [(str(column.key), _SHOWN.get(type(column.type))) for column in columns]
        self._write = FORMS[form](out, names)

    def write(self, rows: Sequence[Sequence[Any]]) -> None:
        """Write rows of what is selected."""
        told: dict[str, Values] = {}
        for (name, shown), values in zip(self._selected, zip(*rows, strict=True), strict=True):
            told[name] = [None if value is None else shown(value) for value in values] if shown else values
        self._write([_COMBINED[name](told) if name in _COMBINED else told[name] for name in self._names])


def _instant(value: datetime) -> str:
    return value.isoformat().replace("+00:00", "Z")


_SHOWN: dict[type, Callable[[Any], Any]] = {Instant: _instant, Boolean: bool}


def _post(item: str, creator: str) -> Callable[[Mapping[str, Values]], Values]:
    """A post as its URL, of the columns that tell its id and its creator."""
    return lambda told: [id_ and url_of(id_, by) for id_, by in zip(told[item], told[creator], strict=True)]


def _words(name: str) -> Callable[[Mapping[str, Values]], Values]:
    """Each of several words once."""
    return lambda told: [words and " ".join(sorted(set(words.split()))) for words in told[name]]


_COMBINED = {
    "post": _post("item_id", "creator"),
    "original": _post("original", "original_creator"),
    "codes": _words("codes"),
    "missing": _words("missing"),
}


def _csv(out: TextIO, names: Sequence[str]) -> Callable[[Sequence[Values]], None]:
    plain = csv.writer(out, lineterminator="\n")
    # The library leaves a lone carriage return without quotes when lines end otherwise.
    careful = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL)
    plain.writerow(names)

    def write(columns: Sequence[Values]) -> None:
        # Most columns hold few different values.
        different = [set(values) for values in columns]
        cells = [_cells(*both) for both in zip(columns, different, strict=True)]
        if not any(isinstance(value, str) and "\r" in value for values in different for value in values):
            plain.writerows(zip(*cells, strict=True))
            return
        for row in zip(*cells, strict=True):
            returns = any(isinstance(cell, str) and "\r" in cell for cell in row)
            (careful if returns else plain).writerow(row)

    return write


def _cells(values: Values, different: set[Any]) -> Values:
    """The values as a spreadsheet shows them, but for those that the library writes so by itself."""
    told = {value: cell for value in different if (cell := _cell(value)) is not value}
    return [told.get(value, value) for value in values] if told else values


def _cell(value: object) -> object:
    match value:
        case False:
            return None
        case True:
            return "yes"
        case str():
            return guarded(value)
        case _:
            return value


def _jsonl(out: TextIO, names: Sequence[str]) -> Callable[[Sequence[Values]], None]:
    encode = json.JSONEncoder(ensure_ascii=False).encode

    def write(columns: Sequence[Values]) -> None:
        rows = (dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True))
        out.writelines(f"{encode(row)}\n" for row in rows)

    return write


FORMS = {"csv": _csv, "jsonl": _jsonl}
"""How a spreadsheet may be written."""
