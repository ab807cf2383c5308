"""`python -m tests.benchmarks.scaling`: what one machine does with portfolios of three sizes, for docs/scaling.md."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from sqlalchemy import update
from tests.benchmarks import report
from tests.benchmarks.fill import Portfolio
from tests.benchmarks.measure import BYTES, Figure, in_a_child, in_words, timed
from tests.benchmarks.places import Place, add_places, opened, places

from sparkads import SparkAds
from sparkads.tables import VideoCode, table
from statewright.step import Tick

SIZES = (10_000, 1_000_000, 10_000_000)
CALLS, WARM = 301, 10
TICKS = 101
SHARES = 3
"""How often one per cent is made due, each time another one."""

HEADS = (
    "database",
    "codes, with an ad each",
    "size",
    "a tick with nothing due",
    "a tick with 1 % due",
    "that is, a code with its ad",
    "one call",
    "most memory held",
)


@dataclass(frozen=True, slots=True)
class Measured:
    """What was found in one portfolio; `size` and `memory` in bytes, `due` how many codes a tick with work had."""

    database: str
    codes: int
    size: int
    idle: Figure
    working: Figure
    due: int
    call: Figure
    memory: int

    def cells(self) -> tuple[str, ...]:
        return (
            self.database,
            f"{self.codes:,}",
            in_words(self.size, BYTES),
            str(self.idle),
            str(self.working),
            in_words(self.working.median / self.due, self.working.unit),
            str(self.call),
            in_words(self.memory, BYTES),
        )


def main() -> None:
    asked = _arguments().parse_args()
    rows: list[tuple[str, ...]] = [HEADS]
    with places(asked) as every:
        for place in every:
            for codes in asked.sizes:
                rows.append(_measured(place, codes).cells())
                sys.stdout.write("  ".join(rows[-1]) + "\n")
                sys.stdout.flush()
    sys.stdout.write("\n" + report.in_columns(rows) + "\n")
    if asked.report:
        report.fill(asked.report, machine=report.as_list(report.machine()), table=report.as_markdown(rows))


def _measured(place: Place, codes: int) -> Measured:
    # It is measured where it was filled: a copy of the largest would take as much of the disk again.
    url = place.filled(Portfolio(codes, ads=1, code_state="live", ad_state="live", waiting=CALLS + WARM))
    try:
        size = place.size(url)
        ran = in_a_child(_worked, url, codes)
        idle, working, call = map(Figure, ran.value)
        return Measured(place.name, codes, size, idle, working, codes // 100, call, ran.peak)
    finally:
        place.drop()


def _worked(url: str, codes: int) -> tuple[list[float], list[float], list[float]]:
    """Seconds of ticks with nothing due, of ticks with one per cent due, and of calls, all in one process."""
    spark = opened(url)
    try:
        waiting = iter(range(codes + 1, codes + WARM + CALLS + 1))

        def call() -> object:
            return spark.codes.authorize(next(waiting), actor="bench")

        for _ in range(WARM):
            spark.tick()
            call()
        idle = [timed(spark.tick) for _ in range(TICKS)]
        calls = [timed(call) for _ in range(CALLS)]
        return idle, [_working(spark, codes, share) for share in range(SHARES)], calls
    finally:
        spark.close()


def _working(spark: SparkAds, codes: int, share: int) -> float:
    """Seconds of a tick with one per cent of all codes due, which came in one after the other."""
    due = codes // 100
    _arm(spark, share * due, (share + 1) * due)
    done: list[Tick] = []
    took = timed(lambda: done.append(spark.tick()))
    if done[0].moved["video_code", "expire"] != due:
        raise AssertionError(f"expected {due} codes to expire, got {done[0].moved}")
    return took


def _arm(spark: SparkAds, after: int, upto: int) -> None:
    """Let the codes with these ids be due, a few at a time: what one UPDATE holds is memory that is measured."""
    past = spark.now() - timedelta(seconds=1)
    code = table(VideoCode)
    due = update(code).values(expires_at=past, expire_due_at=past, remind_due_at=None)
    for first in range(after, upto, 1_000):
        with spark.store.transaction() as session:
            chosen = code.c.id > first, code.c.id <= min(first + 1_000, upto)
            session.connection().execute(due.where(*chosen))


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.scaling", description=__doc__)
    parser.add_argument(
        "sizes", nargs="*", type=int, default=SIZES, metavar="CODES", help="10k, 1M and 10M unless given"
    )
    parser.add_argument(
        "--report", type=Path, metavar="PAGE", help="fill the machine and the table into this page"
    )
    add_places(parser)
    return parser


if __name__ == "__main__":
    main()
