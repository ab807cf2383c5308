"""Rows 1 and 2: a million due codes with an ad each, in the order of their rows and in another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.benchmarks.bench import Bench, floor_at
from tests.benchmarks.fill import OVERDUE, OVERDUE_AT_RANDOM, Portfolio
from tests.benchmarks.floor import expect_same, outcome
from tests.benchmarks.measure import BYTES, Figure, Line, Ran, Target, in_a_child, timed
from tests.benchmarks.places import Place, opened

BATCH = 1_000
"""Rows in a transaction: the program's own default."""


def in_row_order(bench: Bench, place: Place) -> Iterator[Line]:
    small = max(bench.swept // 10, BATCH)
    ours, floor, peaks = _measured(bench, place, OVERDUE, bench.swept)
    with place.copy(_portfolio(OVERDUE, small)) as url:
        peak = in_a_child(expire_ours, url).peak
    yield Line(
        1,
        f"expire {bench.swept:,} codes and their ads, in row order",
        place.name,
        ours,
        floor["by deadline"],
        Target(1.25),
    )
    memory = Target(120e6, absolute=True)
    yield Line(1, "the most memory held meanwhile", place.name, Figure(peaks, BYTES), None, memory)
    compared = Figure([peak], BYTES)
    yield Line(1, f"the same, against {small:,} codes", place.name, Figure(peaks, BYTES), compared, Target(1.1))


def in_random_order(bench: Bench, place: Place) -> Iterator[Line]:
    ours, floor, _ = _measured(bench, place, OVERDUE_AT_RANDOM, bench.swept)
    best = min(floor, key=lambda way: floor[way].median)
    others = ", ".join(f"{way} {figure}" for way, figure in floor.items() if way != best)
    work = f"expire {bench.swept:,} codes and their ads, in random order"
    yield Line(2, work, place.name, ours, floor[best], Target(1.25), f"the floor goes {best}; {others}")


def expire_ours(url: str) -> float:
    """One tick over all that is due, without pauses."""
    spark = opened(url)
    try:
        return timed(lambda: spark.tick(pause=0.0, batch=BATCH))
    finally:
        spark.close()


def expire_by_hand(url: str, walking: bool) -> float:
    floor = floor_at(url)
    try:
        return timed(lambda: floor.expire_all(BATCH, walking=walking))
    finally:
        floor.close()


def _measured(bench: Bench, place: Place, due: str, codes: int) -> tuple[Figure, dict[str, Figure], list[float]]:
    """Seconds of ours, seconds of each way to write the floor, and how much memory ours held."""
    portfolio = _portfolio(due, codes)
    ways = {"by deadline": False} if due == OVERDUE else {"by deadline": False, "by row": True}
    ours: list[Ran] = []
    floor: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(bench.runs):
        with place.copy(portfolio) as url:
            ours.append(in_a_child(expire_ours, url))
            done = _outcome(url)
        for way, walking in ways.items():
            with place.copy(portfolio) as url:
                floor[way].append(in_a_child(expire_by_hand, url, walking).value)
                expect_same(done, _outcome(url))
    figures = {way: Figure(values) for way, values in floor.items()}
    return Figure([ran.value for ran in ours]), figures, [float(ran.peak) for ran in ours]


def _portfolio(due: str, codes: int) -> Portfolio:
    return Portfolio(codes, ads=1, code_state="live", ad_state="live", due=due)


def _outcome(url: str) -> dict[str, list[Any]]:
    floor = floor_at(url)
    try:
        return outcome(floor)
    finally:
        floor.close()
