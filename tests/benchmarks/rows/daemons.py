"""Row 12: how much more of one backlog two daemons move than one; on a server only, which several may share."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from multiprocessing.synchronize import Barrier

from tests.benchmarks.bench import Bench
from tests.benchmarks.fill import OVERDUE, Portfolio
from tests.benchmarks.measure import PER_SECOND, Figure, Line, Target
from tests.benchmarks.places import Place, Sqlite, opened


def together(bench: Bench, place: Place) -> Iterator[Line]:
    if isinstance(place, Sqlite):
        return
    portfolio = Portfolio(bench.swept // 5, ads=1, code_state="live", ad_state="live", due=OVERDUE)
    alone, both = (
        Figure([_rate(place, portfolio, each) for _ in range(bench.runs)], PER_SECOND) for each in (1, 2)
    )
    work = f"expire {portfolio.codes:,} codes and their ads by two daemons, against one"
    yield Line(12, work, place.name, both, alone, Target(1.4, at_least=True))


def sweep_ours(url: str, begun: Barrier) -> None:
    """One tick over all that is due, with every setting as it comes; together with the others."""
    spark = opened(url)
    try:
        begun.wait()
        spark.tick()
    finally:
        spark.close()


def _rate(place: Place, portfolio: Portfolio, daemons: int) -> float:
    """Codes moved per second by so many daemons that begin at once, until the last of them is done."""
    processes = multiprocessing.get_context("spawn")
    begun = processes.Barrier(daemons + 1)
    with place.copy(portfolio) as url:
        running = [processes.Process(target=sweep_ours, args=(url, begun)) for _ in range(daemons)]
        for process in running:
            process.start()
        begun.wait()
        began = time.perf_counter()
        for process in running:
            process.join()
        seconds = time.perf_counter() - began
    if any(process.exitcode for process in running):
        raise RuntimeError(f"expected the daemons to end well, got {[process.exitcode for process in running]}")
    return portfolio.codes / seconds
