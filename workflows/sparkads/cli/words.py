"""What people write on the command line, read: ids, posts, accounts, states, instants."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from sparkads.errors import WrongInput

if TYPE_CHECKING:
    from sparkads.portfolio import SparkAds
    from sparkads.portfolio.noun import Noun

_UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
_RELATIVE = re.compile(rf"now(?:([+-])(\d{{1,9}})([{''.join(_UNITS)}]))?", re.ASCII)
_LONGEST_ID = 14
"""Digits; what is longer is TikTok's id of a post."""


def given(read: Callable[[str], Any], text: str | None) -> Any:
    """What an option says, if there is one: an empty one is wrong, not absent."""
    return None if text is None else read(text)


def row_id(noun: str, text: str) -> int:
    """An id of ours. The sentence of the error does not repeat it: a video code may have been pasted instead."""
    if not (text.isascii() and text.isdigit() and len(text) <= _LONGEST_ID and int(text) > 0):
        raise WrongInput(f"expected the id of a {noun}, a whole number such as 7; `list` shows them")
    return int(text)


def row(noun: Noun[Any], text: str) -> int:
    """The id of the row that is meant: by its id, a post also by TikTok's id or URL, an account by its name."""
    spark = noun.spark
    if noun is spark.posts:
        return post(spark, text)
    if noun is spark.accounts:
        return account(spark, text)
    return row_id(noun.workflow.noun, text)


def post(spark: SparkAds, text: str) -> int:
    """The id of a post given by our id, TikTok's id or its URL."""
    if text.isascii() and text.isdigit() and len(text) <= _LONGEST_ID:
        return row_id("post", text)
    found = spark.posts.find(text)
    if found is None or found.id is None:
        raise _unknown(spark.posts, f"there is no post {text}; `sparkads posts add` enters it")
    return found.id


def account(spark: SparkAds, text: str) -> int:
    """The id of an account given by its id or name."""
    if text.isascii() and text.isdigit() and len(text) <= _LONGEST_ID:
        return row_id("ad account", text)
    found = spark.accounts.named(text)
    if found is None or found.id is None:
        raise _unknown(spark.accounts, f'there is no ad account "{text}"; `sparkads accounts list` shows them')
    return found.id


def states(noun: Noun[Any], texts: Sequence[str] | None) -> Sequence[str] | None:
    """States of a noun's rows; `in review` and `in-review` are `in_review`."""
    known = noun.workflow.decisions.states
    read = [re.sub(r"[\s-]", "_", text.strip().lower()) for text in texts or ()]
    for text, state in zip(texts or (), read, strict=True):
        if state not in known:
            raise WrongInput(f"expected a state of {', '.join(known)}; got {text[:80]!r}")
    return read or None


def instant(what: str, text: str, now: datetime) -> datetime:
    """An instant: ISO 8601 with its zone, or `now`, `now-3d`, `now+2h`."""
    if relative := _RELATIVE.fullmatch(text.strip().replace(" ", "")):
        sign, number, unit = relative.groups()
        if number is None:
            return now
        try:
            away = timedelta(**{_UNITS[unit]: int(number)})
            return now - away if sign == "-" else now + away
        except OverflowError:
            raise WrongInput(f"expected {what} to be in the years 1970 to 8999, got {text}") from None
    try:
        read = datetime.fromisoformat(text.strip())
    except ValueError:
        raise WrongInput(
            f"expected {what} as in 2026-03-01T10:00Z, or now, or now-3d; got {text[:80]!r}"
        ) from None
    if read.tzinfo is None:
        raise WrongInput(f"expected {what} to have a time zone, got {text}; write {read:%Y-%m-%dT%H:%M}Z for UTC")
    try:
        return read.astimezone(UTC)
    except OverflowError:
        raise WrongInput(f"expected {what} to be in the years 1970 to 8999, got {text}") from None


def day(what: str, text: str, now: datetime) -> datetime:
    """An instant, or a day alone: its beginning in UTC."""
    try:
        return datetime.combine(date.fromisoformat(text.strip()), time(), UTC)
    except ValueError:
        return instant(what, text, now)


def number(what: str, text: str, *, least: int, most: int) -> int:
    """A whole number within bounds."""
    if text.isascii() and text.removeprefix("-").isdigit() and len(text) <= _LONGEST_ID:
        read = int(text)
        if least <= read <= most:
            return read
    raise WrongInput(f"expected {what} to be a whole number from {least:,} to {most:,}, got {text[:80]!r}")


def days(what: str, text: str) -> int:
    """A number of days ahead."""
    return number(what, text, least=0, most=36_500)


def on_or_off(text: str) -> bool:
    """A switch, as a word."""
    if text.lower() not in ("on", "off"):
        raise WrongInput(f"expected on or off, got {text[:80]!r}")
    return text.lower() == "on"


def _unknown(noun: Noun[Any], sentence: str) -> Exception:
    from statewright.errors import UnknownRow

    return UnknownRow(sentence, workflow=noun.workflow.name, event="", row_id=None)
