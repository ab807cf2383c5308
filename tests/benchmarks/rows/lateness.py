"""Row 6: how long after its due instant a deadline is done, as others see it, while calls go on."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime

from sqlalchemy import select
from tests.benchmarks.bench import Bench
from tests.benchmarks.fill import SOON, Portfolio
from tests.benchmarks.measure import Figure, Line, Target
from tests.benchmarks.places import Place, opened

from sparkads import SparkAds
from statewright.daemon import run
from statewright.tables import transition

CALLS_A_SECOND = 50
LOOK_EVERY = 0.003
"""Seconds between two looks at the log: what is seen is at most so much later than it was there."""
AHEAD = 10.0
"""Seconds from the filling until the first deadline: a copy is made, a daemon is started."""


def under_calls(bench: Bench, place: Place) -> Iterator[Line]:
    # Filled once in vain: whatever is made only once must not use up the time that is left.
    place.filled(Portfolio(1))
    began = datetime.now(UTC).timestamp() + AHEAD
    calls = int(bench.seconds * CALLS_A_SECOND * 2)
    portfolio = Portfolio(
        bench.deadlines, due=SOON, begins=int(began * 1_000_000), seconds=bench.seconds, waiting=calls
    )
    with place.copy(portfolio) as url:
        late = _lateness(url, portfolio, ends=began + bench.seconds)
    name = f"lateness of {bench.deadlines:,} deadlines in {bench.seconds:g} s under {CALLS_A_SECOND} calls/s"
    remark = f"most {max(late.values) * 1e3:.0f} ms; seen from outside, looking every {LOOK_EVERY * 1e3:g} ms"
    details = {"late": list(late.values)}
    target = Target(0.02, absolute=True)
    yield Line(6, f"{name}: median", place.name, Figure([late.median]), None, target, remark, details)
    yield Line(6, f"{name}: p99", place.name, Figure([late.at(0.99)]), None, Target(0.2, absolute=True))


def watch_ours(url: str) -> None:
    """The daemon, with every setting as it comes."""
    spark = opened(url)
    try:
        run(spark.store, spark.workflows, batch=spark.settings.batch, pause=spark.settings.pause)
    finally:
        spark.close()


def _lateness(url: str, portfolio: Portfolio, *, ends: float) -> Figure:
    """Seconds from the due instant of each deadline until another connection saw it done."""
    daemon = multiprocessing.get_context("spawn").Process(target=watch_ours, args=(url,))
    daemon.start()
    stop = threading.Event()
    spark = opened(url)
    calling = threading.Thread(target=_call, args=(spark, portfolio, stop))
    calling.start()
    try:
        return _seen(spark, portfolio.codes, until=ends + 30)
    finally:
        stop.set()
        calling.join()
        daemon.terminate()
        daemon.join()
        spark.close()


def _call(spark: SparkAds, portfolio: Portfolio, stop: threading.Event) -> None:
    rows = iter(range(portfolio.codes + 1, portfolio.codes + portfolio.waiting + 1))
    following = time.monotonic()
    while not stop.wait(max(0.0, following - time.monotonic())):
        following += 1 / CALLS_A_SECOND
        spark.codes.authorize(next(rows), actor="bench")


def _seen(spark: SparkAds, expected: int, *, until: float) -> Figure:
    late: dict[int, float] = {}
    last = 0
    log = transition.c
    while len(late) < expected:
        with spark.store.reading() as session:
            # What is committed late may have a lower id.
            chosen = select(log.id, log.row_id, log.due_at).where(log.id > last - 200, log.event == "expire")
            found = session.connection().execute(chosen).all()
        now = datetime.now(UTC)
        for id_, row, due in found:
            late.setdefault(row, (now - due).total_seconds())
            last = max(last, id_)
        if now.timestamp() > until:
            raise TimeoutError(f"expected {expected} deadlines to be done, got {len(late)}")
        time.sleep(LOOK_EVERY)
    return Figure(list(late.values()))
