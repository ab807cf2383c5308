"""The floor on SQLite: hand-written statements over the plain sqlite3 module."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from tests.benchmarks.fill import DAY, microseconds
from tests.benchmarks.floor import ACTOR, AD_CHART, AUTHORIZED_ADS, CODE_CHART, HELD, RUNNING, Unexpected
from tests.benchmarks.places import as_path

from statewright.dialects.sqlite import CACHE, CHECKPOINT_AFTER

_LOG = "INSERT INTO transition (batch, cause, workflow, row_id, event, source, target, at, due_at, actor, chart) "
_VALUES = _LOG + "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"

_EXPIRING = (
    _LOG
    + "SELECT :batch, NULL, 'video_code', id, 'expire', state, 'expired', :now, expire_due_at, :actor, :code_chart "
    f"FROM video_code WHERE expire_due_at <= :now AND expires_at <= :now AND state IN {RUNNING} "
)
_EXPIRE_BY_DEADLINE = _EXPIRING + "ORDER BY expire_due_at, id LIMIT :limit"
_EXPIRE_BY_ROW = _EXPIRING.replace("video_code WHERE", "video_code NOT INDEXED WHERE id > :row AND") + (
    "ORDER BY id LIMIT :limit"
)
_LOGGED = "SELECT row_id FROM transition WHERE id > :after AND id <= :upto"
_END_CODES = (
    f"UPDATE video_code SET state = 'expired', expire_due_at = NULL, remind_due_at = NULL WHERE id IN ({_LOGGED})"
)
# The log's new rows drive the join: without statistics, the planner would not see that they are few.
_STOP_ADS = (
    _LOG + "SELECT :batch, min(t.id), 'spark_ad', a.id, 'lose_authorization', a.state, 'expired', :now, NULL, "
    ":actor, :ad_chart FROM transition AS t CROSS JOIN ad_code AS u CROSS JOIN spark_ad AS a "
    "WHERE t.id > :after AND t.id <= :upto AND u.code_id = t.row_id AND a.id = u.ad_id "
    f"AND t.source IN {HELD} AND a.state IN {AUTHORIZED_ADS} GROUP BY a.id"
)
_END_ADS = f"UPDATE spark_ad SET state = 'expired', end_due_at = NULL, stops_at = NULL WHERE id IN ({_LOGGED})"
_USED = "EXISTS (SELECT 1 FROM ad_code AS n JOIN spark_ad AS b ON b.id = n.ad_id WHERE n.code_id = c.id AND b.state = '{state}')"
_USE = (
    f"CASE WHEN {_USED.format(state='live')} THEN 'live' "
    f"WHEN {_USED.format(state='in_review')} THEN 'in_review' ELSE 'authorized' END"
)
_FOLLOW = (
    _LOG
    + f"SELECT :batch, min(t.id), 'video_code', c.id, 'follow', c.state, {_USE} AS target, :now, NULL, :actor, "
    ":code_chart FROM transition AS t CROSS JOIN ad_code AS u CROSS JOIN video_code AS c "
    "WHERE t.id > :after AND t.id <= :upto AND u.ad_id = t.row_id AND c.id = u.code_id "
    f"AND c.state IN {HELD} AND c.state <> {_USE} GROUP BY c.id"
)
_FOLLOWED = (
    "UPDATE video_code SET state = (SELECT target FROM transition WHERE id > :after AND id <= :upto "
    f"AND row_id = video_code.id) WHERE id IN ({_LOGGED})"
)
_READY = (
    "SELECT a.state, a.post_id, p.state, p.origin, i.state, g.ends_at, m.objective, m.budget, g.location, g.budget, "
    "g.starts_at FROM spark_ad AS a JOIN post AS p ON p.id = a.post_id JOIN identity AS i ON i.id = a.identity_id "
    "JOIN ad_group AS g ON g.id = a.ad_group_id JOIN campaign AS m ON m.id = g.campaign_id WHERE a.id = ?"
)
_CODES_OF = (
    f"SELECT c.id, c.state, c.expires_at, {_USED.format(state='live')} "
    "FROM ad_code AS u LEFT JOIN video_code AS c ON c.id = u.code_id WHERE u.ad_id = ?"
)
_NOTHING_ASIDE = "DELETE FROM set_aside WHERE workflow = ? AND row_id = ?"


def connected(url: str, synchronous: str = "FULL") -> sqlite3.Connection:
    """A connection that is set up as the program sets up its own."""
    connection = sqlite3.connect(as_path(url), isolation_level=None)
    for pragma in (
        "busy_timeout = 5000",
        "foreign_keys = ON",
        "recursive_triggers = ON",
        f"synchronous = {synchronous}",
        "temp_store = MEMORY",
        f"cache_size = -{CACHE}",
        f"wal_autocheckpoint = {CHECKPOINT_AFTER}",
    ):
        connection.execute(f"PRAGMA {pragma}")
    return connection


class SqliteFloor:
    """See `floor.Floor`."""

    def __init__(self, url: str, synchronous: str = "FULL") -> None:
        self._connection = connected(url, synchronous)
        self._run = self._connection.execute

    def expire_all(self, batch: int, *, walking: bool) -> int:
        run = self._run
        log = _EXPIRE_BY_ROW if walking else _EXPIRE_BY_DEADLINE
        shared = {"actor": ACTOR, "code_chart": CODE_CHART, "ad_chart": AD_CHART, "limit": batch, "row": 0}
        total = 0
        while True:
            shared |= {"batch": random.getrandbits(63), "now": _now()}
            run("BEGIN IMMEDIATE")
            codes, reach = self._logged(log, shared)
            if not codes:
                run("COMMIT")
                return total
            total += codes
            run(_END_CODES, reach)
            ads, reached = self._logged(_STOP_ADS, shared | reach)
            if ads:
                run(_END_ADS, reached)
                self._follow(shared | reached)
            if walking:
                (shared["row"],) = run("SELECT row_id FROM transition WHERE id = :upto", reach).fetchone()
            if run("SELECT EXISTS (SELECT 1 FROM set_aside)").fetchone() != (0,):
                raise Unexpected("rows are set aside")
            run("COMMIT")

    def authorize(self, code_id: int) -> object:
        run, now = self._run, _now()
        run("BEGIN IMMEDIATE")
        code = run("SELECT * FROM video_code WHERE id = ?", (code_id,)).fetchone()
        post, expires, remind, authorized, state = code[2], code[8], code[10], code[11], code[12]
        if state != "pending" or expires <= now:
            raise Unexpected(f"code {code_id} cannot be authorized")
        if remind is None:
            remind = next((at for days in (7, 3, 1) if (at := expires - days * DAY) > now), None)
        run(
            _VALUES,
            (
                random.getrandbits(63),
                None,
                "video_code",
                code_id,
                "authorize",
                state,
                "authorized",
                now,
                None,
                ACTOR,
                CODE_CHART,
            ),
        )
        run(
            "UPDATE video_code SET state = 'authorized', expire_due_at = expires_at, remind_due_at = ?, "
            "authorized_at = ? WHERE id = ?",
            (remind, now if authorized is None else authorized, code_id),
        )
        if run("SELECT ad_id FROM ad_code WHERE post_id = ?", (post,)).fetchone():
            raise Unexpected("ads wait for this code")
        run(_NOTHING_ASIDE, ("video_code", code_id))
        run("COMMIT")
        return code

    def submit(self, ad_id: int) -> object:
        run, now, batch = self._run, _now(), random.getrandbits(63)
        run("BEGIN IMMEDIATE")
        ad = run(_READY, (ad_id,)).fetchone()
        state, _, post_state, origin, identity, ends_at, *needed = ad
        codes = run(_CODES_OF, (ad_id,)).fetchall()
        covered = all(held in ("authorized", "in_review", "live") and end > now for _, held, end, _ in codes)
        scheduled = ends_at is None or ends_at > now
        complete = all(value is not None for value in needed)
        if state not in ("authorized", "pending") or not (
            covered and scheduled and complete and identity == "usable"
        ):
            raise Unexpected(f"ad {ad_id} cannot be submitted")
        cause = run(
            _VALUES,
            (batch, None, "spark_ad", ad_id, "submit", state, "in_review", now, None, ACTOR, AD_CHART),
        ).lastrowid
        run("UPDATE spark_ad SET state = 'in_review' WHERE id = ?", (ad_id,))
        for code_id, held, _, live in codes:
            use = "live" if live else "in_review"
            if held != use:
                run(
                    _VALUES,
                    (batch, cause, "video_code", code_id, "follow", held, use, now, None, ACTOR, CODE_CHART),
                )
                run("UPDATE video_code SET state = ? WHERE id = ?", (use, code_id))
        if origin == "tiktok" and post_state in ("private", "friends"):
            raise Unexpected("the post is not public")
        run(_NOTHING_ASIDE, ("spark_ad", ad_id))
        run("COMMIT")
        return ad

    def revoke(self, code_id: int) -> object:
        run, now = self._run, _now()
        shared = {"batch": random.getrandbits(63), "now": now, "actor": ACTOR}
        shared |= {"code_chart": CODE_CHART, "ad_chart": AD_CHART}
        run("BEGIN IMMEDIATE")
        code = run("SELECT * FROM video_code WHERE id = ?", (code_id,)).fetchone()
        account, post, state = code[1], code[2], code[12]
        if state not in ("pending", "authorized", "in_review", "live"):
            raise Unexpected(f"code {code_id} cannot be revoked")
        last = run(
            _VALUES,
            (
                shared["batch"],
                None,
                "video_code",
                code_id,
                "revoke",
                state,
                "revoked",
                now,
                None,
                ACTOR,
                CODE_CHART,
            ),
        ).lastrowid
        assert last is not None
        run(
            "UPDATE video_code SET state = 'revoked', expire_due_at = NULL, remind_due_at = NULL WHERE id = ?",
            (code_id,),
        )
        ads, reached = self._logged(_STOP_ADS, {**shared, "after": last - 1, "upto": last})
        if ads:
            run(_END_ADS, reached)
            self._follow(shared | reached)
        others = f"SELECT id FROM video_code WHERE post_id = ? AND account_id = ? AND state IN {RUNNING}"
        if run(others, (post, account)).fetchone():
            raise Unexpected("another code could serve these ads")
        run(_NOTHING_ASIDE, ("video_code", code_id))
        run("COMMIT")
        return code

    def nothing_due(self) -> object:
        return self._run(
            "SELECT (SELECT min(expire_due_at) FROM video_code WHERE expire_due_at IS NOT NULL), "
            "(SELECT min(remind_due_at) FROM video_code WHERE remind_due_at IS NOT NULL), "
            "(SELECT min(end_due_at) FROM spark_ad WHERE end_due_at IS NOT NULL)"
        ).fetchone()

    def rows(self, statement: str) -> Sequence[Any]:
        return self._run(statement).fetchall()

    def close(self) -> None:
        self._connection.close()

    def _follow(self, facts: dict[str, Any]) -> None:
        """Have the codes of the ads just moved tell again how they are used."""
        followed, reached = self._logged(_FOLLOW, facts)
        if followed:
            self._run(_FOLLOWED, reached)

    def _logged(self, statement: str, facts: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Write log rows: how many, and the ids they got, which follow each other while nobody else writes."""
        done = self._run(statement, facts)
        last = done.lastrowid or 0
        return done.rowcount, {"after": last - done.rowcount, "upto": last}


def _now() -> int:
    return microseconds(datetime.now(UTC))
