"""What a person wrote into a cell, as a value; or one sentence that says what to write instead."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from sparkads.errors import WrongInput
from sparkads.portfolio.noun import aware
from sparkads.secret import masked

T = TypeVar("T")
U = TypeVar("U")

_RELATIVE = re.compile(r"now(?:[+-]\d{1,9}[smhdw])*", re.ASCII | re.IGNORECASE)
_STEP = re.compile(r"([+-]\d+)([smhdw])", re.ASCII | re.IGNORECASE)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_WHOLE = re.compile(r"([+-]?\d{1,15})(?:\.0{1,2})?", re.ASCII)
_DAYS = re.compile(r"\s*d(?:ays?)?$", re.IGNORECASE)
_LIKE = "2026-03-01T12:00:00Z"


def instant(name: str, cell: str, *, now: datetime) -> datetime:
    """An instant: ISO 8601 with a time zone, or relative to the import, such as `now-3d` or `now+12h+30m`.

    Raises WrongInput; nothing before 1970 or after 8999 is taken.
    """
    given = cell.strip()
    try:
        told = _told(given, now)
        utc = told.astimezone(UTC) if told.tzinfo else told
    except OverflowError:
        raise WrongInput(f"expected {name} to be in the years 1970 to 8999, got {shown(given)}") from None
    except ValueError:
        raise WrongInput(f"expected {name} to be a date and time like {_LIKE}, got {shown(given)}") from None
    if utc.tzinfo is None:
        raise WrongInput(
            f"expected {name} to have a time zone, got {shown(given)}; "
            f"write {told:%Y-%m-%dT%H:%M:%S}Z if that is UTC, or +02:00 and the like in place of Z"
        )
    aware(name, utc)
    return utc


def is_relative(cell: str) -> bool:
    """Whether an instant is told as so long before or after the import."""
    return _RELATIVE.fullmatch(cell.replace(" ", "")) is not None


def whole(name: str, cell: str) -> int:
    """A whole number; spreadsheets may have put `.00` behind it. Raises WrongInput."""
    found = _WHOLE.fullmatch(cell.strip())
    if found is None:
        raise WrongInput(f"expected {name} to be a whole number, got {shown(cell.strip())}")
    return int(found[1])


def days(cell: str) -> int:
    """So many days, with or without the word. Raises WrongInput."""
    return whole("the days", _DAYS.sub("", cell.strip()))


def yes(name: str, cell: str) -> bool:
    """Yes or no; an empty cell says no. Raises WrongInput."""
    word = cell.strip().lower()
    if word in ("yes", "y", "true", "1", "x"):
        return True
    if word in ("", "no", "n", "false", "0"):
        return False
    raise WrongInput(f"expected {name} to be yes or no, got {shown(cell.strip())}")


def if_any(read: Callable[[str], T], blank: U) -> Callable[[str], T | U]:
    """A way to read cells by which one with nothing in it says `blank`."""
    return lambda cell: read(cell) if cell.strip() else blank


def choice(name: str, cell: str, known: Collection[str], *, also: Mapping[str, str] | None = None) -> str:
    """One of several words, however spaced and spelt in capitals. Raises WrongInput.

    also: other words that people use, and what they mean
    """
    if cell in known:
        return cell
    word = re.sub(r"[\s_\-]+", "_", cell.strip().lower())
    word = (also or {}).get(word, word)
    if word not in known:
        raise WrongInput(f"expected {name} to be one of {', '.join(known)}; got {shown(cell.strip())}")
    return word


def shown(text: str) -> str:
    """A cell as an error shows it: in quotes, cut short, what cannot be printed as its number, codes masked."""
    text = masked(text)
    short = text if len(text) <= 80 else f"{text[:77]}..."
    safe = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in short)
    return f'"{safe}"'


def _told(given: str, now: datetime) -> datetime:
    try:
        return datetime.fromisoformat(given)
    except ValueError:
        if not is_relative(given):
            return datetime.fromisoformat(re.sub(r"\s*(?:UTC|GMT)$", "Z", given))
    steps = _STEP.findall(given.replace(" ", ""))
    return now + sum((_step(number, unit) for number, unit in steps), timedelta())


def _step(number: str, unit: str) -> timedelta:
    return timedelta(**{_UNITS[unit.lower()]: int(number)})
