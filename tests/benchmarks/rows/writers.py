"""Row 7: how long others wait who write while a million rows are moved."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from functools import partial

from tests.benchmarks.bench import Bench
from tests.benchmarks.fill import OVERDUE, Portfolio
from tests.benchmarks.measure import Figure, Line, Target, timed
from tests.benchmarks.places import Place, opened

BETWEEN = 0.01
"""Seconds between two calls of the other writer."""
WAITING = 100_000
"""Codes that it can authorize; more than it has time for."""


def beside_a_sweep(bench: Bench, place: Place) -> Iterator[Line]:
    codes = bench.swept
    portfolio = Portfolio(
        codes, ads=1, code_state="live", ad_state="live", due=OVERDUE, waiting=min(codes, WAITING)
    )
    with place.copy(portfolio) as url:
        calls = _calls_beside(url, portfolio)
    limit = 0.05 if place.name == "SQLite" else 0.1
    remark = (
        f"{len(calls.values):,} calls; median {calls.median * 1e3:.1f} ms, most {max(calls.values) * 1e3:.0f} ms"
    )
    work = f"p99 of authorize during a sweep of {codes:,}"
    p99 = Figure([calls.at(0.99)])
    details = {"calls": list(calls.values)}
    yield Line(7, work, place.name, p99, None, Target(limit, absolute=True), remark, details)


def sweep_ours(url: str) -> None:
    """One tick over all that is due, with every setting as it comes."""
    spark = opened(url)
    try:
        spark.tick()
    finally:
        spark.close()


def _calls_beside(url: str, portfolio: Portfolio) -> Figure:
    """The seconds of each call that was made while another process swept."""
    spark = opened(url)
    rows = iter(range(portfolio.codes + 1, portfolio.codes + portfolio.waiting + 1))
    calls: list[float] = []
    try:
        for _ in range(10):
            spark.codes.authorize(next(rows), actor="bench")
        sweeping = multiprocessing.get_context("spawn").Process(target=sweep_ours, args=(url,))
        sweeping.start()
        try:
            _wait_for_the_first_batch(url)
            while sweeping.is_alive():
                row = next(rows)
                calls.append(timed(partial(spark.codes.authorize, row, actor="bench")))
                time.sleep(BETWEEN)
        finally:
            sweeping.join()
    finally:
        spark.close()
    if sweeping.exitcode:
        raise RuntimeError(f"expected the sweep to end well, got exit code {sweeping.exitcode}")
    return Figure(calls)


def _wait_for_the_first_batch(url: str) -> None:
    spark = opened(url)
    try:
        while not spark.codes.list(state="expired", limit=1):
            time.sleep(0.01)
    finally:
        spark.close()
