"""Row 9: what people and programs look at, over a large portfolio."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

from tests.benchmarks.bench import Bench
from tests.benchmarks.fill import YEARLY, Portfolio
from tests.benchmarks.floor import Unexpected
from tests.benchmarks.floor_forecast import forecasting_by_hand
from tests.benchmarks.measure import Figure, Line, Target, taking_turns, timed
from tests.benchmarks.places import Place, opened

from sparkads import SparkAds


def over_many(bench: Bench, place: Place) -> Iterator[Line]:
    url = place.filled(Portfolio(bench.read, ads=1, code_state="live", ad_state="live"))
    code = bench.read // 2

    def works(spark: SparkAds) -> dict[str, Callable[[], object]]:
        return {
            "can, with its reasons": lambda: spark.codes.can(code),
            "list, the first page": spark.codes.list,
            "list, a page in the middle": lambda: spark.codes.list(after=code),
            "show: the row, its history, what may come": lambda: (
                spark.codes.get(code),
                spark.codes.history(code),
                spark.codes.can(code),
            ),
        }

    forecasts = {
        "forecast of 30 days in which all end, each with an ad": 30,
        "forecast of 7 days in which none ends": 7,
    }
    yield from _lines(bench, place, url, works, forecasts)


def over_a_year(bench: Bench, place: Place) -> Iterator[Line]:
    grown = Portfolio(bench.read, ads=1, each=3, code_state="live", ad_state="live", due=YEARLY)
    forecasts = {f"forecast of {days} days, codes of a year, a third with ads": days for days in (30, 7)}
    yield from _lines(bench, place, place.filled(grown), lambda _: {}, forecasts)


def _lines(
    bench: Bench,
    place: Place,
    url: str,
    works: Callable[[SparkAds], Mapping[str, Callable[[], object]]],
    forecasts: Mapping[str, int],
) -> Iterator[Line]:
    """What is looked at, and forecasts of so many days, beside those by hand."""
    spark = opened(url)
    try:
        with forecasting_by_hand(url) as by_hand:
            ours: dict[str, Callable[[], object]] = {**works(spark)}
            floor: dict[str, Callable[[], object]] = {}
            for work, days in forecasts.items():
                _expect_same(spark, days, by_hand(days))
                ours[work], floor[work] = partial(spark.forecast, days=days), partial(by_hand, days)
            measured = [partial(timed, work) for work in (*ours.values(), *floor.values())]
            taking_turns(2, *measured)
            figures = [Figure(values) for values in taking_turns(min(bench.calls, 21), *measured)]
    finally:
        spark.close()
    beside = dict(zip(floor, figures[len(ours) :], strict=True))
    for work, figure in zip(ours, figures, strict=False):
        name = f"{work}, {bench.read:,} codes"
        yield Line(9, name, place.name, figure, beside.get(work), Target(0.02, absolute=True))


def _expect_same(spark: SparkAds, days: int, by_hand: list[list[int]]) -> None:
    """Both count the same, or what they cost is not to be compared."""
    told = spark.forecast(days=days)
    ours = [[day.codes for day in told], [day.ads for day in told]]
    if ours != by_hand:
        raise Unexpected(f"forecasts of {days} days differ: ours {ours}, by hand {by_hand}")
