"""Row 9: what people and programs look at, over a large portfolio."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

from tests.benchmarks.bench import Bench
from tests.benchmarks.fill import YEARLY, Portfolio
from tests.benchmarks.measure import Figure, Line, Target, taking_turns, timed
from tests.benchmarks.places import Place, opened

from sparkads import SparkAds


def over_many(bench: Bench, place: Place) -> Iterator[Line]:
    spark = opened(place.filled(Portfolio(bench.read, ads=1, code_state="live", ad_state="live")))
    code = bench.read // 2
    works: dict[str, Callable[[], object]] = {
        "can, with its reasons": lambda: spark.codes.can(code),
        "list, the first page": spark.codes.list,
        "list, a page in the middle": lambda: spark.codes.list(after=code),
        "show: the row, its history, what may come": lambda: (
            spark.codes.get(code),
            spark.codes.history(code),
            spark.codes.can(code),
        ),
        "forecast of 30 days in which all end, each with an ad": lambda: spark.forecast(days=30),
        "forecast of 7 days in which none ends": lambda: spark.forecast(days=7),
    }
    yield from _lines(bench, place, spark, works)


def over_a_year(bench: Bench, place: Place) -> Iterator[Line]:
    grown = Portfolio(bench.read, ads=1, each=3, code_state="live", ad_state="live", due=YEARLY)
    spark = opened(place.filled(grown))
    works: dict[str, Callable[[], object]] = {
        f"forecast of {days} days, codes of a year, a third with ads": partial(spark.forecast, days=days)
        for days in (30, 7)
    }
    yield from _lines(bench, place, spark, works)


def _lines(
    bench: Bench, place: Place, spark: SparkAds, works: Mapping[str, Callable[[], object]]
) -> Iterator[Line]:
    try:
        measured = [lambda work=work: timed(work) for work in works.values()]
        taking_turns(2, *measured)
        figures = taking_turns(min(bench.calls, 21), *measured)
    finally:
        spark.close()
    for work, values in zip(works, figures, strict=True):
        name = f"{work}, {bench.read:,} codes"
        yield Line(9, name, place.name, Figure(values), None, Target(0.02, absolute=True))
