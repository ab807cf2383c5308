"""Portfolios of any size in seconds: rows and their log made by a few statements, the same on both databases."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg

from sparkads.spark_ad import ads
from sparkads.video_code import codes

DAY = 86_400_000_000
"""Microseconds, in which all instants are reckoned here."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

OVERDUE, OVERDUE_AT_RANDOM, SOON, LATER = "overdue", "overdue at random", "soon", "later"
"""When codes are due: all of them, in the order of their rows or in another; one after the other; none for weeks."""
YEARLY = "yearly"
"""As in a portfolio that has grown for a year, every day alike, by codes for 7, 30, 60 and 365 days: most are over."""


@dataclass(frozen=True, slots=True)
class Portfolio:
    """So many codes, each for a post of its own.

    ads:     how many ads run on each code
    each:    only each so many codes have ads
    begins:  the instant, in microseconds, from which on codes are due that are due soon
    seconds: how long it takes until the last of them is
    waiting: further codes, pending, without ads, due later
    logged:  every row has the log row with which its life began
    """

    codes: int
    ads: int = 0
    each: int = 1
    code_state: str = "authorized"
    ad_state: str = "authorized"
    due: str = LATER
    begins: int = 0
    seconds: float = 0.0
    waiting: int = 0
    logged: bool = True


def microseconds(at: datetime) -> int:
    """An instant as SQLite keeps it."""
    return (at - _EPOCH) // _MICROSECOND


def fill_sqlite(path: Path, portfolio: Portfolio) -> None:
    """Fill an empty database that the program made."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous = OFF")
    # A write-ahead log would hold all of it before the file does, and be searched for every page.
    connection.execute("PRAGMA journal_mode = OFF")
    connection.execute("PRAGMA cache_size = -200000")
    connection.execute("BEGIN")
    for statement in _statements(portfolio, _SQLITE):
        connection.execute(statement)
    connection.execute("COMMIT")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()


def fill_postgresql(conninfo: str, portfolio: Portfolio) -> None:
    """Fill an empty database that the program made; the user must be a superuser."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        with connection.transaction():
            # To look up every foreign key would take longer than all the rest, and they are right by construction.
            connection.execute("SET LOCAL session_replication_role = replica")
            for statement in _statements(portfolio, _POSTGRESQL):
                connection.execute(statement.encode())
            for table in ("ad_account", "identity", "post", "video_code", "campaign", "ad_group", "spark_ad"):
                connection.execute(
                    f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), greatest(max(id), 1)) FROM {table}".encode()
                )
        connection.execute("VACUUM ANALYZE")


@dataclass(frozen=True, slots=True)
class _Words:
    """What the databases say differently."""

    numbers: Callable[[int, int], str]
    instant: Callable[[str], str]
    padded: str


_SQLITE = _Words(
    numbers=lambda first, last: (
        f"(WITH RECURSIVE n(i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM n WHERE i < {last}) SELECT i FROM n) AS n"
    ),
    instant=lambda microseconds: f"({microseconds})",
    padded="printf('%032d', i)",
)
_POSTGRESQL = _Words(
    numbers=lambda first, last: f"(SELECT i::bigint FROM generate_series({first}, {last}) AS i) AS n",
    instant=lambda microseconds: f"(timestamptz 'epoch' + ({microseconds}) * interval '1 microsecond')",
    padded="lpad(i::text, 32, '0')",
)


def _statements(portfolio: Portfolio, words: _Words) -> Iterator[str]:
    """Posts, codes, ads and the log of a portfolio, in an order that foreign keys allow."""
    now = microseconds(datetime.now(UTC))
    numbers, instant = words.numbers, words.instant
    codes_all = portfolio.codes + portfolio.waiting
    ads_all = portfolio.codes // portfolio.each * portfolio.ads
    code = f"((i - 1) / {max(portfolio.ads, 1)} * {portfolio.each} + 1)"
    groups = codes_all // 1000 + 1
    yield "INSERT INTO ad_account (id, name, state) VALUES (1, 'Bench', 'open')"
    yield "INSERT INTO identity (id, account_id, kind, handle, state) VALUES (1, 1, 'code', 'bench', 'usable')"
    yield (
        "INSERT INTO campaign (id, account_id, name, objective, budget, state) "
        "VALUES (1, 1, 'Bench', 'traffic', 100, 'open')"
    )
    yield (
        "INSERT INTO ad_group (id, campaign_id, name, location, budget, starts_at, state) "
        f"SELECT i, 1, 'Group ' || i, 'DE', 10, {instant(str(now - DAY))}, 'open' FROM {numbers(1, groups)}"
    )
    yield (
        "INSERT INTO post (id, item_id, creator, kind, origin, caption, ads_only, posts_allowed, terms_accepted, "
        "ads_enabled, state) SELECT i, '73' || (10000000000000000 + i), 'bench', 'original', 'tiktok', '', FALSE, "
        f"TRUE, TRUE, TRUE, 'public' FROM {numbers(1, codes_all)}"
    )
    state = _state(portfolio, portfolio.code_state, "i", now)
    yield _codes(words, 1, portfolio.codes, state, _end(portfolio, "i", now), now)
    if portfolio.waiting:
        yield _codes(words, portfolio.codes + 1, codes_all, "'pending'", _end(Portfolio(1), "i", now), now)
    if ads_all:
        yield (
            "INSERT INTO spark_ad (id, account_id, ad_group_id, post_id, identity_id, name, state, stops_at) "
            f"SELECT i, 1, 1 + i % {groups}, {code}, 1, 'Ad ' || i, {_state(portfolio, portfolio.ad_state, code, now)}, "
            f"(SELECT expire_due_at FROM video_code WHERE id = {code}) FROM {numbers(1, ads_all)}"
        )
        yield (
            f"INSERT INTO ad_code (ad_id, post_id, code_id) SELECT i, {code}, {code} FROM {numbers(1, ads_all)}"
        )
    if portfolio.logged:
        for workflow in (codes, ads):
            yield (
                "INSERT INTO transition (batch, workflow, row_id, event, target, at, actor, chart) "
                f"SELECT 1, '{workflow.name}', id, 'start', state, {instant(str(now - 30 * DAY))}, 'bench', "
                f"'{workflow.decisions.fingerprint}' FROM {workflow.table.name} ORDER BY id"
            )


def _state(portfolio: Portfolio, running: str, code: str, now: int) -> str:
    """The state of a code or of an ad on it, as SQL over the code's number."""
    if portfolio.due != YEARLY:
        return f"'{running}'"
    return f"CASE WHEN {_end(portfolio, code, now)} > {now} THEN '{running}' ELSE 'expired' END"


def _end(portfolio: Portfolio, code: str, now: int) -> str:
    """When a code's days are over, in microseconds, as SQL over its number."""
    days = f"CASE {code} / 7 % 4 WHEN 0 THEN 7 WHEN 1 THEN 30 WHEN 2 THEN 60 ELSE 365 END"
    return {
        OVERDUE: f"{now - 10 * DAY} + {code}",
        # A step that shares no factor with the number of rows meets every row once, far from the one before.
        OVERDUE_AT_RANDOM: f"{now - 10 * DAY} + ({code} * 7368787) % {portfolio.codes}",
        SOON: f"{portfolio.begins} + {code} * {int(portfolio.seconds * 1_000_000 / portfolio.codes)}",
        LATER: f"{now + 20 * DAY} + {code} * 1000",
        YEARLY: f"({now - 365 * DAY} + {code} * {365 * DAY // portfolio.codes} + {days} * {DAY})",
    }[portfolio.due]


def _codes(words: _Words, first: int, last: int, state: str, end: str, now: int) -> str:
    """Codes from one number to another, whose state and end are SQL over their number `i`."""
    authorized = "NULL" if state == "'pending'" else words.instant(str(now - 30 * DAY))
    # Whoever is reminded a week before the end is reminded only of an end that is further away.
    remind = f"CASE WHEN {end} > {now + 7 * DAY} THEN {words.instant(f'{end} - {7 * DAY}')} END"
    due = f"CASE WHEN {state} <> 'expired' THEN {words.instant(end)} END"
    return (
        "INSERT INTO video_code (id, account_id, post_id, code, fingerprint, hint, days, issued_at, expires_at, "
        f"expire_due_at, remind_due_at, authorized_at, state) SELECT i, 1, i, '#bench/' || i || '=', {words.padded}, "
        f"'#ben…', 30, {words.instant(f'{end} - {30 * DAY}')}, {words.instant(end)}, {due}, {remind}, "
        f"{authorized}, {state} FROM {words.numbers(first, last)}"
    )
