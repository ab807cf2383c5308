"""Arrays in the words of PostgreSQL: its driver takes several times as long to write them, value by value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any


def array(values: Sequence[Any]) -> str | list[Any]:
    """The text that a server reads as an array of these values; a list, for the driver, if it knows them better.

    values: numbers, truths, texts or instants, all of one kind, or NULL
    """
    kinds = {*map(type, values)}
    if len(kinds) == 1:
        (kind,) = kinds
        if write := _ALL_OF.get(kind):
            return f"{{{write(values)}}}"
    if not kinds - {type(None)} <= _ALL_OF.keys():
        return list(values)
    return "{" + ",".join(["NULL" if value is None else _ALL_OF[type(value)]([value]) for value in values]) + "}"


def _texts(texts: Sequence[str]) -> str:
    together = '","'.join(texts)
    if "\\" in together or together.count('"') > 2 * len(texts) - 2:
        together = '","'.join([text.replace("\\", "\\\\").replace('"', '\\"') for text in texts])
    return f'"{together}"'


_ALL_OF: dict[type, Callable[[Sequence[Any]], str]] = {
    int: lambda numbers: ",".join(map(str, numbers)),
    bool: lambda truths: ",".join(map(str, truths)),
    str: _texts,
    datetime: lambda instants: ",".join([f'"{instant.isoformat()}"' for instant in instants]),
}
