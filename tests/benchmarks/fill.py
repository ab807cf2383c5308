"""Portfolios of any size in seconds: rows and their log made by a few statements, the same on both databases."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from sparkads.spark_ad import ads
from sparkads.video_code import codes

DAY = 86_400_000_000
"""Microseconds, in which all instants are reckoned here."""

OVERDUE, OVERDUE_AT_RANDOM, LATER = "overdue", "overdue at random", "later"
"""When codes are due: all of them, in the order of their rows or in another; or none for weeks."""


@dataclass(frozen=True, slots=True)
class Portfolio:
    """So many codes, each for a post of its own.

    ads:    how many ads run on each code
    soon:   seconds over which the first deadlines are spread, from a little after `begins` on, instead of `due`
    logged: every row has the log row with which its life began
    """

    codes: int
    ads: int = 0
    code_state: str = "authorized"
    ad_state: str = "authorized"
    due: str = LATER
    logged: bool = True
    first: int = 0
    soon: float = 0.0


def fill_sqlite(path: Path, portfolio: Portfolio) -> None:
    """Fill an empty database that the program made."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA cache_size = -200000")
    connection.execute("BEGIN")
    for statement in _statements(portfolio, _numbers_sqlite, lambda microseconds: f"({microseconds})"):
        connection.execute(statement)
    connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def fill_postgresql(conninfo: str, portfolio: Portfolio) -> None:
    """Fill an empty database that the program made; the user must be a superuser."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        with connection.transaction():
            # To look up every foreign key would take longer than all the rest, and they are right by construction.
            connection.execute("SET LOCAL session_replication_role = replica")
            for statement in _statements(portfolio, _numbers_postgresql, _instant_postgresql):
                connection.execute(statement.encode())
            for table in ("ad_account", "identity", "post", "video_code", "campaign", "ad_group", "spark_ad"):
                connection.execute(
                    f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), greatest(max(id), 1)) FROM {table}".encode()
                )
        connection.execute("VACUUM ANALYZE")


def _numbers_sqlite(last: int) -> str:
    return f"(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {last}) SELECT i FROM n)"


def _numbers_postgresql(last: int) -> str:
    return f"(SELECT i::bigint AS i FROM generate_series(1, {last}) AS g(i))"


def _instant_postgresql(microseconds: str) -> str:
    return f"(timestamptz 'epoch' + ({microseconds}) * interval '1 microsecond')"


def _statements(
    portfolio: Portfolio, numbers: Callable[[int], str], instant: Callable[[str], str]
) -> Iterator[str]:
    """Posts, codes, ads and the log of a portfolio, in an order that foreign keys allow."""
    now = int(datetime.now(UTC).timestamp() * 1_000_000)
    count, ads_each = portfolio.codes, portfolio.ads
    groups = count // 1000 + 1
    yield "INSERT INTO ad_account (id, name, state) VALUES (1, 'Bench', 'open')"
    yield "INSERT INTO identity (id, account_id, kind, handle, state) VALUES (1, 1, 'code', 'bench', 'usable')"
    yield (
        "INSERT INTO campaign (id, account_id, name, objective, budget, state) "
        "VALUES (1, 1, 'Bench', 'traffic', 100, 'open')"
    )
    yield (
        "INSERT INTO ad_group (id, campaign_id, name, location, budget, starts_at, state) "
        f"SELECT i, 1, 'Group ' || i, 'DE', 10, {instant(str(now - DAY))}, 'open' FROM {numbers(groups)} AS n"
    )
    yield (
        "INSERT INTO post (id, item_id, creator, kind, origin, caption, ads_only, posts_allowed, terms_accepted, "
        "ads_enabled, state) SELECT i, '73' || (10000000000000000 + i), 'bench', 'original', 'tiktok', '', FALSE, "
        f"TRUE, TRUE, TRUE, 'public' FROM {numbers(count)} AS n"
    )
    order = {
        OVERDUE: f"{now - 10 * DAY} + i",
        # A step that shares no factor with the number of rows meets every row once, far from the one before.
        OVERDUE_AT_RANDOM: f"{now - 10 * DAY} + (i * 7368787) % {count}",
        LATER: f"{now + 20 * DAY} + i * 1000",
    }
    end = order[portfolio.due]
    if portfolio.soon:
        step = int(portfolio.soon * 1_000_000 / count)
        end = f"{portfolio.first} + i * {step}"
    running = portfolio.code_state in ("pending", "authorized", "in_review", "live")
    due = instant(end) if running else "NULL"
    remind = instant(f"{end} - {7 * DAY}") if running and portfolio.due == LATER and not portfolio.soon else "NULL"
    authorized = "NULL" if portfolio.code_state == "pending" else instant(str(now - 30 * DAY))
    fingerprint = "substr('0000000000000000000000000000000' || i, -32)"
    if instant("0").startswith("(timestamptz"):
        fingerprint = "lpad(i::text, 32, '0')"
    yield (
        "INSERT INTO video_code (id, account_id, post_id, code, fingerprint, hint, days, issued_at, expires_at, "
        f"expire_due_at, remind_due_at, authorized_at, state) SELECT i, 1, i, '#bench/' || i || '=', {fingerprint}, "
        f"'#ben…', 30, {instant(f'{end} - {30 * DAY}')}, {instant(end)}, {due}, {remind}, {authorized}, "
        f"'{portfolio.code_state}' FROM {numbers(count)} AS n"
    )
    if ads_each:
        yield (
            "INSERT INTO spark_ad (id, account_id, ad_group_id, post_id, identity_id, name, state) "
            f"SELECT i, 1, 1 + i % {groups}, (i - 1) / {ads_each} + 1, 1, 'Ad ' || i, '{portfolio.ad_state}' "
            f"FROM {numbers(count * ads_each)} AS n"
        )
        yield (
            "INSERT INTO ad_code (ad_id, post_id, code_id) SELECT i, (i - 1) / "
            f"{ads_each} + 1, (i - 1) / {ads_each} + 1 FROM {numbers(count * ads_each)} AS n"
        )
    if portfolio.logged:
        for workflow, rows in ((codes, count), (ads, count * ads_each)):
            if rows:
                yield (
                    "INSERT INTO transition (batch, workflow, row_id, event, target, at, actor, chart) "
                    f"SELECT 1, '{workflow.name}', id, 'start', state, {instant(str(now - 30 * DAY))}, 'bench', "
                    f"'{workflow.decisions.fingerprint}' FROM {workflow.table.name} ORDER BY id"
                )
