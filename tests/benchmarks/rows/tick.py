"""Row 5: a tick with nothing to do, in portfolios of every size."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

from tests.benchmarks.bench import Bench, floor_at
from tests.benchmarks.fill import Portfolio
from tests.benchmarks.measure import Figure, Line, Target, taking_turns, timed
from tests.benchmarks.places import Place, opened


def with_nothing_due(bench: Bench, place: Place) -> Iterator[Line]:
    found: dict[int, Figure] = {}
    with ExitStack() as stack:
        works = []
        for codes in bench.idle:
            # Without their log, which no tick reads.
            url = place.filled(Portfolio(codes, logged=False))
            spark, floor = opened(url), floor_at(url)
            stack.callback(spark.close)
            stack.callback(floor.close)
            works += [lambda spark=spark: timed(spark.tick), lambda floor=floor: timed(floor.nothing_due)]
        taking_turns(10, *works)
        figures = [Figure(values) for values in taking_turns(bench.calls, *works)]
    for codes, ours, floor_took in zip(bench.idle, figures[::2], figures[1::2], strict=True):
        found[codes] = ours
        target = Target(0.0003, absolute=True) if place.name == "SQLite" else None
        yield Line(5, f"a tick with nothing due among {codes:,} codes", place.name, ours, floor_took, target)
    least, most = bench.idle[0], bench.idle[-1]
    work = f"the same, {most:,} against {least:,} codes"
    yield Line(5, work, place.name, found[most], found[least], Target(1.3))
