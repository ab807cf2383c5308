"""The floor on PostgreSQL: hand-written statements over the plain psycopg module, one round trip where that is right."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import psycopg
from tests.benchmarks.floor import ACTOR, AD_CHART, AUTHORIZED_ADS, CODE_CHART, HELD, RUNNING, Unexpected
from tests.benchmarks.places import as_conninfo

_LOG = "INSERT INTO transition (batch, cause, workflow, row_id, event, source, target, at, due_at, actor, chart) "
_NOW = "statement_timestamp()"


def _ending(due: str, event: str, target: str) -> bytes:
    """End the codes that `due` selects and stop the ads on them, in one statement: no guard looks beyond its row.

    The arrays, and NOT IN, are for the planner: joined to what it knows nothing of, it would read whole tables.
    """
    return f"""
    WITH due AS MATERIALIZED ({due}),
    ended AS (
        UPDATE video_code AS c SET state = '{target}', expire_due_at = NULL, remind_due_at = NULL
        WHERE c.id = ANY (ARRAY(SELECT id FROM due))
    ),
    logged AS (
        {_LOG} SELECT %(batch)s, NULL, 'video_code', id, '{event}', state, '{target}', {_NOW}, due_at, %(actor)s,
        %(code_chart)s FROM due RETURNING id, row_id, source
    ),
    causes AS (
        SELECT u.ad_id, min(l.id) AS cause FROM logged AS l JOIN ad_code AS u ON u.code_id = l.row_id
        WHERE l.source IN {HELD} GROUP BY u.ad_id
    ),
    reached AS MATERIALIZED (
        SELECT a.id, a.state, causes.cause FROM causes JOIN spark_ad AS a ON a.id = causes.ad_id
        WHERE a.state IN {AUTHORIZED_ADS} FOR NO KEY UPDATE OF a
    ),
    stopped AS (
        UPDATE spark_ad AS a SET state = 'expired', end_due_at = NULL, stops_at = NULL
        WHERE a.id = ANY (ARRAY(SELECT id FROM reached))
    ),
    told AS (
        {_LOG} SELECT %(batch)s, cause, 'spark_ad', id, 'lose_authorization', state, 'expired', {_NOW}, NULL,
        %(actor)s, %(ad_chart)s FROM reached
    )
    SELECT (SELECT count(*) FROM due), (SELECT max(id) FROM due), EXISTS (SELECT 1 FROM set_aside),
        EXISTS (
            SELECT 1 FROM reached JOIN ad_code AS u ON u.ad_id = reached.id JOIN video_code AS c ON c.id = u.code_id
            WHERE c.state IN {HELD} AND c.id NOT IN (SELECT id FROM due)
        )
    """.encode()


def _due(where: str, order: str, limit: int) -> str:
    # The limit is a literal: a general plan for any number of rows would read whole tables.
    return (
        f"SELECT id, state, expire_due_at AS due_at FROM video_code WHERE {where} expire_due_at <= {_NOW} "
        f"AND expires_at <= {_NOW} AND state IN {RUNNING} ORDER BY {order} LIMIT {limit} FOR NO KEY UPDATE SKIP LOCKED"
    )


_REVOKE = _ending(
    f"SELECT id, state, NULL::timestamptz AS due_at FROM video_code WHERE id = %(row)s AND state IN {RUNNING} "
    "FOR NO KEY UPDATE",
    "revoke",
    "revoked",
)
_OTHER = (
    "SELECT EXISTS (SELECT 1 FROM video_code AS o JOIN video_code AS c ON c.id = %(row)s WHERE o.post_id = c.post_id "
    f"AND o.account_id = c.account_id AND o.state IN {RUNNING})"
).encode()

_AUTHORIZE = f"""
    WITH code AS MATERIALIZED (
        SELECT * FROM video_code WHERE id = %(row)s AND state = 'pending' AND expires_at > {_NOW} FOR NO KEY UPDATE
    ),
    moved AS (
        UPDATE video_code AS c SET state = 'authorized', expire_due_at = c.expires_at,
            authorized_at = coalesce(c.authorized_at, {_NOW}),
            remind_due_at = coalesce(c.remind_due_at, CASE
                WHEN c.expires_at - interval '168 hours' > {_NOW} THEN c.expires_at - interval '168 hours'
                WHEN c.expires_at - interval '72 hours' > {_NOW} THEN c.expires_at - interval '72 hours'
                WHEN c.expires_at - interval '24 hours' > {_NOW} THEN c.expires_at - interval '24 hours' END)
        FROM code WHERE c.id = code.id RETURNING c.*
    ),
    logged AS (
        {_LOG} SELECT %(batch)s, NULL, 'video_code', id, 'authorize', state, 'authorized', {_NOW}, NULL, %(actor)s,
        %(code_chart)s FROM code
    ),
    mended AS (DELETE FROM set_aside WHERE workflow = 'video_code' AND row_id = %(row)s)
    SELECT moved.*, EXISTS (SELECT 1 FROM ad_code AS u WHERE u.post_id = moved.post_id) FROM moved
""".encode()

# What waited for a lock sees the other tables as they were before: the decision is a statement of its own.
_LOCK_FOR_SUBMIT = (
    b"SELECT a.id, c.id FROM spark_ad AS a JOIN ad_code AS u ON u.ad_id = a.id JOIN video_code AS c ON c.id = u.code_id "
    b"WHERE a.id = %(row)s FOR NO KEY UPDATE OF a, c"
)
_SUBMIT = f"""
    WITH ad AS MATERIALIZED (
        SELECT a.*, g.ends_at, p.state AS shown FROM spark_ad AS a JOIN post AS p ON p.id = a.post_id
        JOIN identity AS i ON i.id = a.identity_id JOIN ad_group AS g ON g.id = a.ad_group_id
        JOIN campaign AS m ON m.id = g.campaign_id
        WHERE a.id = %(row)s AND a.state IN ('authorized', 'pending') AND i.state = 'usable'
        AND (g.ends_at IS NULL OR g.ends_at > {_NOW}) AND m.objective IS NOT NULL AND m.budget IS NOT NULL
        AND g.location IS NOT NULL AND g.budget IS NOT NULL AND g.starts_at IS NOT NULL
        AND NOT EXISTS (
            SELECT 1 FROM ad_code AS u LEFT JOIN video_code AS c ON c.id = u.code_id
            WHERE u.ad_id = a.id AND (c.id IS NULL OR c.state NOT IN {HELD} OR c.expires_at <= {_NOW})
        )
    ),
    moved AS (
        UPDATE spark_ad AS a SET state = 'in_review' FROM ad WHERE a.id = ad.id
    ),
    logged AS (
        {_LOG} SELECT %(batch)s, NULL, 'spark_ad', id, 'submit', state, 'in_review', {_NOW}, NULL, %(actor)s,
        %(ad_chart)s FROM ad RETURNING id
    ),
    used AS MATERIALIZED (
        SELECT c.id, c.state, CASE WHEN EXISTS (
            SELECT 1 FROM ad_code AS n JOIN spark_ad AS b ON b.id = n.ad_id
            WHERE n.code_id = c.id AND b.state = 'live') THEN 'live' ELSE 'in_review' END AS target
        FROM ad JOIN ad_code AS u ON u.ad_id = ad.id JOIN video_code AS c ON c.id = u.code_id WHERE c.state IN {HELD}
    ),
    followed AS (
        UPDATE video_code AS c SET state = used.target FROM used WHERE c.id = used.id AND used.state <> used.target
    ),
    told AS (
        {_LOG} SELECT %(batch)s, (SELECT id FROM logged), 'video_code', id, 'follow', state, target, {_NOW}, NULL,
        %(actor)s, %(code_chart)s FROM used WHERE state <> target
    ),
    mended AS (DELETE FROM set_aside WHERE workflow = 'spark_ad' AND row_id = %(row)s)
    SELECT * FROM ad
""".encode()


class PostgresqlFloor:
    """See `floor.Floor`."""

    def __init__(self, url: str, synchronous: str = "FULL") -> None:
        commit = "on" if synchronous == "FULL" else "off"
        options = f"-c synchronous_commit={commit} -c timezone=UTC"
        self._connection = psycopg.connect(as_conninfo(url), autocommit=True, options=options)
        self._run = self._connection.execute

    def expire_all(self, batch: int, *, walking: bool) -> int:
        due = _due("id > %(row)s AND", "id", batch) if walking else _due("", "expire_due_at, id", batch)
        statement = _ending(due, "expire", "expired")
        total, row = 0, 0
        while True:
            codes, last, aside, others = self._one(statement, row)
            if aside or others:
                raise Unexpected("rows are set aside, or ads have other codes")
            if not codes:
                return total
            total += codes
            row = last

    def authorize(self, code_id: int) -> object:
        moved = self._one(_AUTHORIZE, code_id)
        if moved[-1]:
            raise Unexpected("ads wait for this code")
        return moved

    def submit(self, ad_id: int) -> object:
        with self._connection.transaction():
            self._one(_LOCK_FOR_SUBMIT, ad_id)
            ad = self._one(_SUBMIT, ad_id)
        if ad[-1] != "public":
            raise Unexpected("the post is not public")
        return ad

    def revoke(self, code_id: int) -> object:
        with self._connection.transaction():
            ended = self._one(_REVOKE, code_id)
            (other,) = self._one(_OTHER, code_id)
        if ended[0] != 1 or ended[2] or ended[3] or other:
            raise Unexpected(f"code {code_id} cannot be revoked, or others are touched by that")
        return ended

    def nothing_due(self) -> object:
        return self._run(
            "SELECT (SELECT min(expire_due_at) FROM video_code WHERE expire_due_at IS NOT NULL), "
            "(SELECT min(remind_due_at) FROM video_code WHERE remind_due_at IS NOT NULL), "
            "(SELECT min(end_due_at) FROM spark_ad WHERE end_due_at IS NOT NULL), clock_timestamp()"
        ).fetchone()

    def rows(self, statement: str) -> Sequence[Any]:
        return self._run(statement.encode()).fetchall()

    def close(self) -> None:
        self._connection.close()

    def _one(self, statement: bytes, row: int) -> tuple[Any, ...]:
        facts = {"row": row, "batch": random.getrandbits(63), "actor": ACTOR}
        found = self._run(statement, {**facts, "code_chart": CODE_CHART, "ad_chart": AD_CHART}).fetchone()
        if found is None:
            raise Unexpected(f"row {row} cannot be moved")
        return found
