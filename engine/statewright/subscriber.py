"""Whoever wants to know what happened: reads the log in order, each row at least once."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, Literal, TextIO

from sqlalchemy import Row, Text, bindparam, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from statewright.errors import DefinitionError, StatewrightError
from statewright.log import START, Entry, entries
from statewright.session import instant, take_your_time
from statewright.store import Store
from statewright.tables import subscription, transition, undelivered

FIRST_RETRY = timedelta(seconds=1)
LONGEST_RETRY = timedelta(hours=1)
"""A failed delivery is tried again after a second, then after twice as long each time, up to an hour."""

DIGESTED = 20
"""More log rows than this, alike and in a row, are told as one line of text."""


@dataclass(frozen=True, slots=True)
class Subscriber:
    """A name, under which the database keeps the position reached, and what to do with the log rows.

    handle:   gets log rows in their order, and the session of the transaction in which the position moves:
              what it writes there happens exactly once, what it does elsewhere at least once. It neither
              commits nor rolls back. On SQLite no one else can write while it runs: let it be quick
    outside:  call it with a session that only reads, and move the position afterwards: it may take its time
              and holds nobody up, but two daemons may both tell the same
    batch:    log rows handed over at once, at the most
    attempts: failures after which a single log row is set aside, so that the stream goes on
    A new subscriber begins with the first row of the log.
    """

    name: str
    handle: Callable[[Sequence[Entry], Session], None]
    outside: bool = False
    batch: int = 1000
    attempts: int = 8

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise DefinitionError("subscriber", "expected a name, got an empty one")
        for setting in ("batch", "attempts"):
            if getattr(self, setting) < 1:
                raise DefinitionError(
                    f"subscriber {self.name}",
                    f"expected {setting} to be a positive whole number, got {getattr(self, setting)}",
                )


@dataclass(frozen=True, slots=True)
class Delivered:
    """What a delivery did: log rows handed over, log rows set aside, and the error that ended it, if any."""

    delivered: int = 0
    set_aside: int = 0
    failed: str | None = None


def deliver(
    store: Store,
    subscriber: Subscriber,
    *,
    pause: float = 0.0,
    stop: Callable[[], bool] = lambda: False,
    until: datetime | None = None,
    progress: Callable[[], None] = lambda: None,
) -> Delivered:
    """Hand over every log row that the subscriber has not had, each batch in a transaction of its own.

    pause: seconds between two batches, in which other writers get in
    stop:  asked between batches; True ends the delivery with what is done
    until: from this instant on, no other batch is begun after the first
    progress: called after every batch
    A handler that fails is no error here: it is noted, and called again when its time has come, then with
    one log row at a time until the batch that failed is through, so that the culprit is known.
    """
    delivered = set_aside = one_by_one = 0
    while not stop():
        upto = store.settled()
        with store.reading() as session:
            place = _place(session, subscriber)
            wanting = place is not None and _wanting(place, upto, instant(session))
        if place is None:
            _begin(store, subscriber)
            continue
        if not wanting:
            break
        if place.attempts:
            one_by_one = subscriber.batch
        try:
            handed = _hand_over(store, subscriber, upto=upto, limit=1 if one_by_one else subscriber.batch)
        except _HandlerFailed as failure:
            if not _note(store, subscriber, failure):
                return Delivered(delivered, set_aside, failure.error)
            set_aside += 1
        else:
            if not handed:
                break
            delivered += handed
            one_by_one = max(one_by_one - handed, 0)
        progress()
        if until is not None and store.clock.now() >= until:
            break
        if pause:
            time.sleep(pause)
    return Delivered(delivered, set_aside)


def lines(stream: TextIO, *, form: Literal["text", "json"] = "text") -> Subscriber:
    """A subscriber, named "lines", that writes the log to a stream as it grows, a line for each row.

    form: "text" for people, who are told of many rows alike in one line; "json" for programs
    """
    if form not in _FORMS:
        raise DefinitionError("lines", f"expected form to be text or json, got {form!r}")
    encoding = getattr(stream, "encoding", None) or "utf-8"

    def handle(batch: Sequence[Entry], _session: Session) -> None:
        text = "".join(f"{line}\n" for line in _FORMS[form](batch))
        # A terminal that lacks a letter shows its number instead of holding up the stream.
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        stream.flush()

    # A terminal that is paused, or a pipe nobody reads, must not hold up those who write to the database.
    return Subscriber("lines", handle, outside=True)


def counted(number: int, noun: str) -> str:
    """A number of things as people say it: `1 video code`, `1,000 identities`."""
    if number != 1:
        noun = f"{noun[:-1]}ies" if noun.endswith("y") and noun[-2:-1] not in set("aeiou") else f"{noun}s"
    return f"{number:,} {noun}"


def said(error: BaseException) -> str:
    """An error as one sentence that any database can keep."""
    if isinstance(error, StatewrightError):
        sentence = error.sentence
    else:
        # SQLAlchemy repeats the statement below its first line.
        first = next(iter(str(error).splitlines()), "")
        sentence = f"{type(error).__name__}: {first}" if first else type(error).__name__
    return sentence.encode("utf-8", "backslashreplace").decode()


class _HandlerFailed(Exception):
    """A subscriber's own failure, told apart from trouble with the database."""

    def __init__(self, batch: Sequence[Entry], position: int, error: BaseException) -> None:
        super().__init__(said(error))
        self.batch = batch
        self.position = position
        self.error = said(error)


_Place = Row[*tuple[Any, ...]]
_NAME = bindparam("name", type_=Text())
_PLACE = select(
    subscription.c.position,
    subscription.c.attempts,
    subscription.c.retry_at,
    select(func.max(transition.c.id)).scalar_subquery().label("end"),
).where(subscription.c.name == _NAME)


def _place(session: Session, subscriber: Subscriber, *, locked: bool = False) -> _Place | None:
    """Where the subscriber stands; None before its first delivery."""
    chosen = _PLACE.with_for_update(of=subscription) if locked else _PLACE
    return session.connection().execute(chosen, {"name": subscriber.name}).one_or_none()


def _wanting(place: _Place, upto: int, now: datetime) -> bool:
    return min(place.end or 0, upto) > place.position and (place.retry_at is None or place.retry_at <= now)


def _begin(store: Store, subscriber: Subscriber) -> None:
    # Another daemon may have begun it at the same moment.
    with suppress(IntegrityError), store.transaction() as session:
        session.connection().execute(insert(subscription).values(name=subscriber.name, position=0, attempts=0))


def _hand_over(store: Store, subscriber: Subscriber, *, upto: int, limit: int) -> int:
    """Deliver one batch; returns how many log rows that were, 0 when somebody else was here first."""
    batch: Sequence[Entry] = ()
    position = 0
    try:
        if subscriber.outside:
            with store.reading() as session:
                take_your_time(session)
                position, batch = _next(session, subscriber, upto=upto, limit=limit)
                _handle(subscriber, session, position, batch)
        with store.transaction() as session:
            if not subscriber.outside:
                position, batch = _next(session, subscriber, upto=upto, limit=limit, locked=True)
                _handle(subscriber, session, position, batch)
            if batch and not _move(session, subscriber, position, to=batch[-1].id):
                session.rollback()
                return 0
    except IntegrityError as error:
        # The handler broke a constraint that the database only checks at the end.
        raise _HandlerFailed(batch, position, error) from error
    return len(batch)


def _next(
    session: Session, subscriber: Subscriber, *, upto: int, limit: int, locked: bool = False
) -> tuple[int, Sequence[Entry]]:
    """Where the subscriber stands, and the log rows that it wants now."""
    place = _place(session, subscriber, locked=locked)
    if place is None or not _wanting(place, upto, instant(session)):
        return 0, ()
    coming = transition.c.id > place.position, transition.c.id <= upto
    return place.position, entries(session, *coming, limit=limit)


def _handle(subscriber: Subscriber, session: Session, position: int, batch: Sequence[Entry]) -> None:
    if not batch:
        return
    try:
        subscriber.handle(batch, session)
        session.flush()
    except Exception as error:
        raise _HandlerFailed(batch, position, error) from error


def _note(store: Store, subscriber: Subscriber, failure: _HandlerFailed) -> bool:
    """Remember a failure and when to try again; True when the log row was set aside instead."""
    with store.transaction() as session:
        connection = session.connection()
        now = instant(session)
        place = _place(session, subscriber, locked=True)
        if place is None or place.position != failure.position:
            return False
        attempts = place.attempts + 1
        if len(failure.batch) == 1 and attempts >= subscriber.attempts:
            culprit = failure.batch[0].id
            key = {"subscriber": subscriber.name, "transition_id": culprit}
            # It is there already when somebody moved the position back to try again.
            connection.execute(delete(undelivered).filter_by(**key))
            connection.execute(insert(undelivered).values(**key, at=now, error=failure.error))
            return _move(session, subscriber, failure.position, to=culprit)
        connection.execute(
            update(subscription)
            .where(subscription.c.name == subscriber.name)
            .values(
                attempts=attempts,
                retry_at=now + min(FIRST_RETRY * 2 ** min(attempts - 1, 20), LONGEST_RETRY),
                error=failure.error,
            )
        )
        return False


def _move(session: Session, subscriber: Subscriber, position: int, *, to: int) -> bool:
    """Move the position; False when somebody else moved it first."""
    moved = session.connection().execute(
        update(subscription)
        .where(subscription.c.name == subscriber.name, subscription.c.position == position)
        .values(position=to, attempts=0, retry_at=None, error=None)
    )
    return moved.rowcount == 1


def _as_text(batch: Sequence[Entry]) -> Iterator[str]:
    for _, run in groupby(batch, key=lambda entry: (entry.batch, entry.workflow, entry.event)):
        alike = list(run)
        if len(alike) <= DIGESTED:
            yield from map(_line, alike)
        else:
            yield from _digest(alike)


def _as_json(batch: Sequence[Entry]) -> Iterator[str]:
    return (json.dumps(entry.as_json()) for entry in batch)


_FORMS: dict[str, Callable[[Sequence[Entry]], Iterable[str]]] = {"text": _as_text, "json": _as_json}


def _line(entry: Entry) -> str:
    due = f" (due {_second(entry.due_at)})" if entry.due_at else ""
    return f"{_second(entry.at)} {entry.workflow} {entry.row_id}: {_arrow(entry)}{due}, {_whose(entry)}"


def _digest(alike: Sequence[Entry]) -> Iterator[str]:
    """One line for each arrow that rows moved along."""
    arrows = Counter(map(_arrow, alike))
    first = alike[0]
    noun = first.workflow.replace("_", " ")
    for arrow, number in arrows.items():
        yield f"{_second(first.at)} {counted(number, noun)}: {arrow}, {_whose(first)}"


def _arrow(entry: Entry) -> str:
    if entry.event == START:
        return f"begins as {entry.target}"
    return f"{entry.source} -> {entry.target} by {entry.event}"


def _whose(entry: Entry) -> str:
    return _plain(f"{entry.actor}: {entry.reason}" if entry.reason else entry.actor)


def _plain(text: str) -> str:
    """On one line, and without what would steer a terminal."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def _second(instant: datetime) -> str:
    return f"{instant:%Y-%m-%dT%H:%M:%SZ}"
