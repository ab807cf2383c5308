"""The rows of the issue's table: which benchmark measures each."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.benchmarks.bench import Bench
from tests.benchmarks.measure import Line
from tests.benchmarks.places import Place
from tests.benchmarks.rows import bulk, call, daemons, files, lateness, peers, processes, reads, tick, writers

ROWS: dict[int, tuple[Callable[[Bench, Place], Iterator[Line]], ...]] = {
    1: (bulk.in_row_order,),
    2: (bulk.in_random_order,),
    3: (call.alone,),
    4: (call.with_cascades,),
    5: (tick.with_nothing_due,),
    6: (lateness.under_calls,),
    7: (writers.beside_a_sweep,),
    8: (files.taken_in, files.written_out),
    9: (
        reads.over_many,
        reads.over_a_year,
    ),
    10: (processes.whole,),
    11: (peers.single_calls, peers.due_timers),
    12: (daemons.together,),
}
