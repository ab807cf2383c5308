"""Rows 3 and 4: one call alone, and one that takes ads with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TypeVar

from tests.benchmarks.bench import Bench, floor_at
from tests.benchmarks.fill import Portfolio
from tests.benchmarks.floor import Floor, expect_same, outcome
from tests.benchmarks.measure import Figure, Line, Target, taking_turns, timed
from tests.benchmarks.places import Place, opened

from sparkads import SparkAds

S = TypeVar("S")

WARM = 10
"""Calls before the first that counts, in which statements are compiled and prepared."""

OURS: dict[str, Callable[[SparkAds, int], object]] = {
    "authorize": lambda spark, row: spark.codes.authorize(row, actor="bench"),
    "submit": lambda spark, row: spark.ads.submit(row, actor="bench"),
    "revoke": lambda spark, row: spark.codes.revoke(row, actor="bench"),
}
BY_HAND: dict[str, Callable[[Floor, int], object]] = {
    "authorize": lambda floor, row: floor.authorize(row),
    "submit": lambda floor, row: floor.submit(row),
    "revoke": lambda floor, row: floor.revoke(row),
}


def alone(bench: Bench, place: Place) -> Iterator[Line]:
    codes = max(bench.portfolio, bench.calls + WARM)
    for verb, portfolio in (
        ("authorize", Portfolio(codes, code_state="pending")),
        ("submit", Portfolio(codes, ads=1)),
    ):
        for synchronous, target in (("FULL", 1.5), ("NORMAL", 2.0)):
            ours, floor = _measured(place, verb, portfolio, bench.calls, synchronous)
            yield Line(3, f"{verb}, {_durability(place, synchronous)}", place.name, ours, floor, Target(target))


def with_cascades(bench: Bench, place: Place) -> Iterator[Line]:
    for ads in bench.cascades:
        calls = max(bench.calls // (1 + ads // 10), 31)
        codes = max(bench.portfolio // ads, calls + WARM)
        portfolio = Portfolio(codes, ads=ads, code_state="live", ad_state="live")
        ours, floor = _measured(place, "revoke", portfolio, calls)
        yield Line(4, f"revoke a code with {ads:,} live ads", place.name, ours, floor, Target(1.5))
    few, many = bench.cascades[1], bench.swept
    large = Portfolio(many // few, ads=few, code_state="live", ad_state="live")
    ours, floor = _measured(place, "revoke", large, min(bench.calls, many // few - WARM))
    yield Line(4, f"revoke a code with {few} live ads among {many:,}", place.name, ours, floor, Target(1.5))


def _measured(
    place: Place, verb: str, portfolio: Portfolio, calls: int, synchronous: str = "FULL"
) -> tuple[Figure, Figure]:
    """Our calls and the floor's, one after the other, each on a copy of its own; both have done the same in the end."""
    with place.copy(portfolio) as mine, place.copy(portfolio) as theirs, ExitStack() as stack:
        spark = opened(mine, synchronous)
        stack.callback(spark.close)
        floor = floor_at(theirs, synchronous)
        stack.callback(floor.close)
        ours, by_hand = _by_turns(calls, _calls(spark, OURS[verb]), _calls(floor, BY_HAND[verb]))
        looking = floor_at(mine)
        stack.callback(looking.close)
        expect_same(outcome(looking), outcome(floor))
    return ours, by_hand


def _calls(subject: S, call: Callable[[S, int], object]) -> Callable[[], float]:
    """A call on the next row each time, with the seconds that it took."""
    rows = iter(range(1, 1_000_000_000))
    return lambda: timed(lambda: call(subject, next(rows)))


def _by_turns(calls: int, *works: Callable[[], float]) -> list[Figure]:
    taking_turns(WARM, *works)
    return [Figure(values) for values in taking_turns(calls, *works)]


def _durability(place: Place, synchronous: str) -> str:
    if place.name == "SQLite":
        return f"synchronous={synchronous}"
    return f"synchronous_commit={'on' if synchronous == 'FULL' else 'off'}"
