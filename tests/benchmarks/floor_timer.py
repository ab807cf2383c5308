"""The floor of due timers: hand-written SQL that moves them and writes their history, 1,000 in a transaction."""

from __future__ import annotations

import random
from contextlib import closing
from datetime import UTC, datetime

import psycopg
from tests.benchmarks.fill import microseconds
from tests.benchmarks.floor import ACTOR, Unexpected
from tests.benchmarks.floor_sqlite import connected
from tests.benchmarks.places import as_conninfo
from tests.benchmarks.timer import timers

BATCH = 1_000
_FACTS = (
    f"'timer', id, 'expire', state, 'expired', {{now}}, expires_at, '{ACTOR}', '{timers.decisions.fingerprint}'"
)
_LOG = "INSERT INTO transition (batch, workflow, row_id, event, source, target, at, due_at, actor, chart) "

_LOGGED = (
    f"{_LOG} SELECT :batch, {_FACTS.format(now=':now')} FROM timer WHERE expires_at <= :now AND state = 'authorized' "
    f"ORDER BY expires_at LIMIT {BATCH}"
)
_EXPIRED = (
    "UPDATE timer SET state = 'expired', expires_at = NULL "
    "WHERE id IN (SELECT row_id FROM transition WHERE id > :after AND id <= :upto)"
)

_TOGETHER = f"""
    WITH due AS MATERIALIZED (
        SELECT id, state, expires_at FROM timer WHERE expires_at <= statement_timestamp() AND state = 'authorized'
        AND id > %(row)s ORDER BY id LIMIT {BATCH} FOR NO KEY UPDATE SKIP LOCKED
    ),
    logged AS ({_LOG} SELECT %(batch)s, {_FACTS.format(now="statement_timestamp()")} FROM due),
    expired AS (
        UPDATE timer SET state = 'expired', expires_at = NULL WHERE id = ANY (ARRAY(SELECT id FROM due))
    )
    SELECT count(*), max(id) FROM due
""".encode()


def expire_by_hand(url: str, count: int) -> None:
    """Move all timers, which are due; as many as are expected."""
    moved = _on_sqlite(url) if url.startswith("sqlite") else _on_a_server(url)
    if moved != count:
        raise Unexpected(f"{moved} timers were moved, expected {count}")


def _on_sqlite(url: str) -> int:
    moved = 0
    with closing(connected(url)) as connection:
        while True:
            connection.execute("BEGIN IMMEDIATE")
            told = {"batch": random.getrandbits(63), "now": microseconds(datetime.now(UTC))}
            logged = connection.execute(_LOGGED, told)
            last, rows = logged.lastrowid or 0, logged.rowcount
            connection.execute(_EXPIRED, {"after": last - rows, "upto": last})
            connection.execute("COMMIT")
            if not rows:
                return moved
            moved += rows


def _on_a_server(url: str) -> int:
    moved, row = 0, 0
    with psycopg.connect(as_conninfo(url), autocommit=True) as connection:
        while True:
            told = {"batch": random.getrandbits(63), "row": row}
            rows, last = connection.execute(_TOGETHER, told).fetchone() or (0, None)
            if not rows:
                return moved
            moved, row = moved + rows, last
