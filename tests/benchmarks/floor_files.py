"""The floor of an import: a script that somebody writes for one file, over the plain csv, sqlite3 and psycopg.

It writes the same rows and the same log, a transaction for 2,000, and asks of each row what makes it one of this
file. It knows no other columns, keeps no rejects, and explains nothing: that no code is there twice, the database
sees to, and ends it.
"""

from __future__ import annotations

import csv
import random
import re
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import chain, islice
from pathlib import Path
from typing import Any

import psycopg
from tests.benchmarks.fill import microseconds
from tests.benchmarks.floor import ACTOR, Unexpected
from tests.benchmarks.floor_sqlite import connected
from tests.benchmarks.places import as_conninfo

from sparkads.identity import identities
from sparkads.post import posts
from sparkads.secret import fingerprint, hint
from sparkads.video_code import codes

CHUNK = 2_000
AT_ONCE = 500
COLUMNS = {
    "identity": ("id", "account_id", "kind", "handle", "state"),
    "post": (
        "id",
        "item_id",
        "creator",
        "kind",
        "origin",
        "caption",
        "ads_only",
        "posts_allowed",
        "terms_accepted",
        "ads_enabled",
        "state",
    ),
    "video_code": (
        "id",
        "account_id",
        "post_id",
        "code",
        "fingerprint",
        "hint",
        "days",
        "issued_at",
        "expires_at",
        "expire_due_at",
        "remind_due_at",
        "authorized_at",
        "state",
    ),
    "transition": ("batch", "workflow", "row_id", "event", "source", "target", "at", "actor", "chart"),
}
"""In the order in which foreign keys let rows in."""

Rows = dict[str, list[Sequence[Any]]]
Kept = Callable[[datetime], Any]
"""An instant as the database's driver takes it."""
_POST = re.compile(r"https://www\.tiktok\.com/@([\w.]+)/video/(\d{19})")


def import_by_hand(url: str, sheet: Path) -> int:
    """Take the codes of a file into a database that holds one account; how many."""
    if url.startswith("sqlite"):
        with closing(connected(url)) as connection:
            return _import(sheet, microseconds, lambda rows: _put_sqlite(connection, rows))
    with psycopg.connect(as_conninfo(url), autocommit=True) as server:
        return _import(sheet, lambda at: at, lambda rows: _put_postgresql(server, rows))


def _import(sheet: Path, kept: Kept, put: Callable[[Rows], object]) -> int:
    creators: dict[str, int] = {}
    taken = 0
    with sheet.open(encoding="utf-8", newline="") as file:
        lines = csv.reader(file)
        headings = next(lines)
        if headings != ["account", "code", "post", "creator", "days", "issued_at", "state"]:
            raise Unexpected(f"the file has other columns: {headings}")
        while chunk := [*islice(lines, CHUNK)]:
            put(_made(chunk, taken, creators, kept))
            taken += len(chunk)
    return taken


def _made(chunk: list[list[str]], taken: int, creators: dict[str, int], kept: Kept) -> Rows:
    """The rows that those of the file become; ids count up, as nobody else writes."""
    rows: Rows = {table: [] for table in COLUMNS}
    begun = datetime.now(UTC)
    now, batch = kept(begun), random.getrandbits(63)

    def log(workflow: Any, row_id: int, event: str, source: str | None, target: str) -> None:
        chart = workflow.decisions.fingerprint
        rows["transition"].append((batch, workflow.name, row_id, event, source, target, now, ACTOR, chart))

    for row_id, (account, code, post, creator, days, issued, state) in enumerate(chunk, taken + 1):
        named, length = _POST.fullmatch(post), int(days)
        issued_at = datetime.fromisoformat(issued)
        if (
            named is None
            or named[1] != creator
            or account != "Bench"
            or length not in (7, 30, 60, 365)
            or issued_at.tzinfo is None
            or issued_at > begun
            or state != "authorized"
            or not (code.isascii() and code.isprintable() and 0 < len(code) < 1_000)
        ):
            raise Unexpected(f"row {row_id} cannot be taken")
        rows["post"].append(
            (row_id, named[2], creator, "original", "tiktok", "", False, True, True, True, "public")
        )
        log(posts, row_id, "start", None, "public")
        ends_at = issued_at + timedelta(days=length)
        remind = next((kept(at) for ahead in (7, 3, 1) if (at := ends_at - timedelta(ahead)) > begun), None)
        facts = (row_id, 1, row_id, code, fingerprint(code), hint(code), length)
        end = kept(ends_at)
        rows["video_code"].append((*facts, kept(issued_at), end, end, remind, now, state))
        log(codes, row_id, "start", None, state)
        if creator not in creators:
            creators[creator] = number = len(creators) + 1
            rows["identity"].append((number, 1, "code", creator, "usable"))
            log(identities, number, "start", None, "pending")
            log(identities, number, "grant", "pending", "usable")
    return rows


def _put_sqlite(connection: sqlite3.Connection, rows: Rows) -> None:
    connection.execute("BEGIN IMMEDIATE")
    for table, columns in COLUMNS.items():
        # Many rows in a statement: where a table has triggers, one by one takes twice as long.
        holes = f"({', '.join('?' * len(columns))})"
        for first in range(0, len(rows[table]), AT_ONCE):
            some = rows[table][first : first + AT_ONCE]
            insert = f"INSERT INTO {table} ({', '.join(columns)}) VALUES {', '.join([holes] * len(some))}"
            connection.execute(insert, [*chain.from_iterable(some)])
    connection.execute("COMMIT")


def _put_postgresql(connection: psycopg.Connection[Any], rows: Rows) -> None:
    with connection.transaction(), connection.cursor() as cursor:
        for table, columns in COLUMNS.items():
            with cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN".encode()) as copy:
                for row in rows[table]:
                    copy.write_row(row)
