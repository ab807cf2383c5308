"""Idempotency keys: what a call did, kept under the name that its caller gave to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Connection, Row, Text, bindparam, insert, select

from statewright.dialects import Instant
from statewright.tables import idempotency_key, transition


def recall(connection: Connection, key: str) -> Row[Any] | None:
    """What the call with this key did, as the table of keys tells it; None when the key is new."""
    return connection.execute(_RECALL, {"known": key}).one_or_none()


def keep(connection: Connection, *, after: int, batch: int, at: datetime, moved: int) -> None:
    """Remember the key in the log rows that a call has just written, those of this batch behind `after`.

    Raises IntegrityError when another call was quicker to use it.
    """
    connection.execute(_KEEP, {"log_after": after, "log_batch": batch, "log_at": at, "call_moved": moved})


def adopt(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Remember the keys in log rows that were written elsewhere, and are about to be added to this log.

    Of a call that moved many rows, those count that are among these. Raises IntegrityError for a known key.
    """
    keyed = [row for row in rows if row["key"] is not None]
    if keyed:
        moved = Counter(row["batch"] for row in rows if row["cause"] is None)
        connection.execute(
            insert(idempotency_key),
            [{**{name: row[name] for name in _FACTS}, "moved": max(moved[row["batch"]], 1)} for row in keyed],
        )


_FACTS = ("key", "workflow", "event", "row_id", "payload", "batch")
_RECALL = select(idempotency_key).where(idempotency_key.c.key == bindparam("known", type_=Text()))
_KEEP = insert(idempotency_key).from_select(
    [*_FACTS, "moved"],
    select(*(transition.c[name] for name in _FACTS), bindparam("call_moved", type_=BigInteger())).where(
        transition.c.id > bindparam("log_after", type_=BigInteger()),
        transition.c.batch == bindparam("log_batch", type_=BigInteger()),
        # All rows of a step have one instant: a log kept by month is asked in one month alone.
        transition.c.at == bindparam("log_at", type_=Instant()),
        transition.c.key.is_not(None),
    ),
)
