"""The only reader of the time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Whoever can say what time it is; one is injected into a `Store` and asked once a step."""

    def now(self) -> datetime:
        """The present instant: aware, UTC, with microseconds."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)
