"""What hand-written SQL has to do, whatever the database: the rules of a floor, and the check that it kept them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from sparkads.spark_ad import ads
from sparkads.video_code import codes

ACTOR = "bench"
CODE_CHART = codes.decisions.fingerprint
AD_CHART = ads.decisions.fingerprint
RUNNING = "('pending', 'authorized', 'in_review', 'live')"
HELD = "('authorized', 'in_review', 'live')"
AUTHORIZED_ADS = "('authorized', 'in_review', 'live', 'paused', 'rejected')"


class Unexpected(Exception):
    """A floor met rows that its benchmark does not have: it would leave work undone."""


class Differs(Exception):
    """Ours and the floor did not do the same."""


class Floor(Protocol):
    """The same durable work as the program's, written by hand for one database.

    It moves the same rows, writes the same log, and looks for every row that the program would cascade to. It
    explains no refusal, and asks no question whose answer it has.
    """

    def expire_all(self, batch: int, *, walking: bool) -> int:
        """Move all codes that are due with the ads on them, a transaction a batch; how many codes.

        walking: by row instead of by deadline
        """
        ...

    def authorize(self, code_id: int) -> object: ...

    def submit(self, ad_id: int) -> object: ...

    def revoke(self, code_id: int) -> object: ...

    def nothing_due(self) -> object:
        """Ask whether anything is."""
        ...

    def rows(self, statement: str) -> Sequence[Any]: ...

    def close(self) -> None: ...


def outcome(floor: Floor) -> dict[str, list[Any]]:
    """States, armed deadlines and log rows of a database, counted."""
    counted = {
        "codes": "SELECT state, count(*), count(expire_due_at), count(remind_due_at), count(authorized_at) "
        "FROM video_code GROUP BY state ORDER BY state",
        "ads": "SELECT state, count(*), count(end_due_at), count(stops_at) FROM spark_ad GROUP BY state ORDER BY state",
        "posts": "SELECT state, count(*) FROM post GROUP BY state ORDER BY state",
        "log": "SELECT workflow, event, source, target, count(*), count(due_at), count(chart), "
        "count(DISTINCT row_id), count(DISTINCT cause) FROM transition GROUP BY workflow, event, source, target "
        "ORDER BY workflow, event, source, target",
    }
    return {name: sorted(map(repr, floor.rows(statement))) for name, statement in counted.items()}


def expect_same(ours: dict[str, list[Any]], floor: dict[str, list[Any]]) -> None:
    """Raises Differs."""
    for name, found in ours.items():
        if found != floor[name]:
            raise Differs(f"expected the same {name}, got {found} of ours and {floor[name]} of the floor")
