"""What people see: tables that fit the terminal, plain columns for a pipe, JSON for programs."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import date, datetime, timedelta
from typing import Any

import typer

STYLES = {
    **dict.fromkeys(("authorized", "live", "usable", "public", "open"), "green"),
    **dict.fromkeys(("pending", "in review", "paused", "draft", "friends"), "yellow"),
    **dict.fromkeys(("expired", "rejected", "revoked", "withdrawn", "closed"), "red"),
    "deleted": "dim",
}
"""The colours of states, as they are shown."""

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: its heading, and how a row's cell is found there.

    whole: never broken over two lines
    right: numbers, so that their digits stand below each other
    """

    heading: str
    cell: Callable[[Row], Any]
    whole: bool = False
    right: bool = False


def answer(value: Any) -> None:
    """Print anything as JSON: instants as ISO 8601 in UTC, rows as objects; never a code."""
    typer.echo(json.dumps(plain(value), indent=2))


def table(columns: Sequence[Column], rows: Sequence[Row]) -> None:
    """Print rows below headings: fitted to a terminal, in colour; into a pipe each row on one line, uncut."""
    cells = [[text(column.cell(row)).replace("\n", " ") for column in columns] for row in rows]
    if not cells:
        return
    if sys.stdout.isatty():
        _fitted(columns, cells)
    else:
        heads = [column.heading for column in columns]
        widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
        lines = [
            "  ".join(
                cell.rjust(width) if column.right else cell.ljust(width)
                for cell, width, column in zip(line, widths, columns, strict=True)
            ).rstrip()
            for line in (heads, *([cell or "-" for cell in line] for line in cells))
        ]
        typer.echo("\n".join(lines))


def facts(pairs: Mapping[str, Any]) -> None:
    """Print one thing's facts below each other; those that are not known are left out."""
    known = {name: said for name, value in pairs.items() if (said := text(value))}
    width = max(map(len, known)) + 2
    for name, value in known.items():
        first, *others = value.splitlines()
        coloured = typer.style(first, fg=_colour(first)) if _colour(first) else first
        typer.echo(f"{name:{width}}{coloured}")
        for other in others:
            typer.echo(f"{'':{width}}{other}")


def text(value: Any) -> str:
    """A value as people read it."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case datetime():
            return f"{value:%Y-%m-%d %H:%M}Z"
        case int():
            return str(value)
        case list() | tuple():
            return "\n".join(map(text, value))
        case _:
            return _printable(str(value))


def state(name: str) -> str:
    """A state as people call it."""
    return name.replace("_", " ")


def ahead(at: datetime | None, now: datetime) -> str:
    """How far away an instant is: "in 3 days", "2 hours ago"."""
    if at is None:
        return ""
    away = duration(abs(at - now))
    return f"in {away}" if at > now else f"{away} ago"


def both(at: datetime | None, now: datetime) -> str | None:
    """An instant, and how far away it is."""
    return None if at is None else f"{text(at)} ({ahead(at, now)})"


def duration(length: timedelta) -> str:
    """A length of time in its largest unit, rounded down."""
    seconds = int(length.total_seconds())
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= size:
            return counted(seconds // size, unit)
    return counted(seconds, "second")


def counted(number: int, noun: str) -> str:
    """A number of things: `1 video code`, `1,000 identities`, `2 lives`."""
    if number != 1:
        noun = f"{re.sub('fe$', 've', re.sub('ty$', 'tie', noun))}s"
    return f"{number:,} {noun}"


def plain(value: Any) -> Any:
    """A value as JSON has it."""
    match value:
        case datetime() | date():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case Mapping():
            return {str(key): plain(each) for key, each in value.items()}
        case list() | tuple():
            return [plain(each) for each in value]
        case _ if is_dataclass(value) and not isinstance(value, type):
            return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
        case _:
            return value


def _fitted(columns: Sequence[Column], cells: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        drawn.add_column(
            column.heading,
            no_wrap=column.whole,
            overflow="fold",
            justify="right" if column.right else "left",
        )
    for line in cells:
        # Text, not str: a name with brackets is no markup.
        drawn.add_row(*(Text(cell, style=STYLES.get(cell, "")) for cell in line))
    Console(highlight=False).print(drawn)


def _colour(value: str) -> str | None:
    style = STYLES.get(value)
    return None if style in (None, "dim") else style


def _printable(value: str) -> str:
    """Without what would steer a terminal; lines stay lines."""
    return "".join(letter if letter.isprintable() or letter == "\n" else " " for letter in value)
