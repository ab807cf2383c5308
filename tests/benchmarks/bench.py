"""How much is measured: sizes, repetitions, and the floor for a place."""

from __future__ import annotations

from dataclasses import dataclass

from tests.benchmarks.floor import Floor
from tests.benchmarks.floor_postgresql import PostgresqlFloor
from tests.benchmarks.floor_sqlite import SqliteFloor


@dataclass(frozen=True, slots=True)
class Bench:
    """The sizes of one run; the defaults are the issue's.

    runs:  how often anything long is repeated; odd, so that a median is one of them
    calls: how often anything short is
    """

    runs: int = 3
    calls: int = 1_001
    swept: int = 1_000_000
    portfolio: int = 10_000
    cascades: tuple[int, ...] = (1, 10, 1_000)
    idle: tuple[int, ...] = (10_000, 1_000_000, 10_000_000)
    deadlines: int = 2_000
    seconds: float = 60.0
    imported: int = 100_000
    exported: int = 1_000_000
    read: int = 1_000_000
    processes: int = 31
    peer_calls: int = 1_000
    peer_timers: int = 100_000


QUICK = Bench(
    runs=3,
    calls=61,
    swept=20_000,
    portfolio=1_000,
    cascades=(1, 10, 100),
    idle=(1_000, 10_000, 100_000),
    deadlines=200,
    seconds=6.0,
    imported=10_000,
    exported=20_000,
    read=20_000,
    processes=5,
    peer_calls=100,
    peer_timers=10_000,
)


def floor_at(url: str, synchronous: str = "FULL") -> Floor:
    """The hand-written SQL for this database."""
    return (SqliteFloor if url.startswith("sqlite") else PostgresqlFloor)(url, synchronous)
