"""A portfolio as the first release left it, of version 1 throughout, at noon of 2026-03-08 and a little.

What its program wrote is kept in `released`, word for word: tables and rows as each database dumps them.
Of nine codes one has expired, with its ad; two end on 2026-03-31, of which one is live with an ad. The subscriber
`mail` was not told of log row 70, `ledger` has come to row 93 of 95; a move of code 5 was set aside.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import make_url

LEFT_AT = datetime(2026, 3, 8, 12, 42, 15, 123456, tzinfo=UTC)
ENDS_AT = datetime(2026, 3, 31, 12, 30, 15, 123456, tzinfo=UTC)
"""When codes 4 and 6 end."""

TABLES = (
    *("ad_account", "identity", "post", "campaign", "ad_group", "spark_ad", "video_code", "ad_code"),
    *("transition", "subscription", "undelivered", "set_aside", "heartbeat"),
)
"""All that hold more than what they are themselves."""

_RELEASED = Path(__file__).parent / "released"


def restore(url: str) -> None:
    """Put the portfolio into an empty database."""
    if file := _file(url):
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript((_RELEASED / "sparkads_1.sqlite.sql").read_text())
    else:
        with psycopg.connect(url.replace("+psycopg", "")) as server:
            server.execute((_RELEASED / "sparkads_1.postgresql.sql").read_bytes())


def contents(url: str, tables: dict[str, list[str]]) -> dict[str, list[Any]]:
    """The rows of these tables, by the columns named, as another program sees them."""
    return {
        name: sorted(map(repr, ask(url, f"SELECT {', '.join(columns)} FROM {name}")))
        for name, columns in tables.items()
    }


def columns(url: str) -> dict[str, list[str]]:
    """The columns of each of the tables."""
    if _file(url):
        return {name: [column[1] for column in ask(url, f"PRAGMA table_info({name})")] for name in TABLES}
    found = "SELECT attname FROM pg_attribute WHERE attrelid = '{}'::regclass AND attnum > 0 AND NOT attisdropped"
    return {name: [column for (column,) in ask(url, found.format(name))] for name in TABLES}


def ask(url: str, question: str) -> list[Any]:
    """What another program is answered."""
    if file := _file(url):
        with closing(sqlite3.connect(file)) as connection:
            return connection.execute(question).fetchall()
    with psycopg.connect(url.replace("+psycopg", "")) as server:
        return server.execute(question.encode()).fetchall()


def tell(url: str, order: str) -> None:
    """What another program has the database do."""
    if file := _file(url):
        with closing(sqlite3.connect(file, isolation_level=None)) as connection:
            connection.execute(order)
    else:
        with psycopg.connect(url.replace("+psycopg", "")) as server:
            server.execute(order.encode())


def _file(url: str) -> str | None:
    parsed = make_url(url)
    return parsed.database if parsed.drivername == "sqlite" else None
