"""Row 8: spreadsheets in and out, in memory that does not grow with them."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.benchmarks.bench import Bench, floor_at
from tests.benchmarks.fill import Portfolio
from tests.benchmarks.floor import expect_same, outcome
from tests.benchmarks.floor_files import import_by_hand
from tests.benchmarks.measure import BYTES, PER_SECOND, Figure, Line, Ran, Target, in_a_child, timed
from tests.benchmarks.places import Place, opened

from sparkads.exporting import export
from sparkads.importing import import_file


def taken_in(bench: Bench, place: Place) -> Iterator[Line]:
    few = bench.imported // 10
    by_hand: list[Ran] = []
    with TemporaryDirectory() as folder:
        sheets = {rows: _sheet(Path(folder), rows) for rows in (few, bench.imported)}
        ran: dict[int, list[Ran]] = {few: [], bench.imported: []}
        for _ in range(bench.runs):
            for rows, sheet in sheets.items():
                with place.new() as url, place.new() as other:
                    ran[rows].append(in_a_child(import_ours, url, sheet, rows))
                    if rows == bench.imported:
                        by_hand.append(in_a_child(import_theirs, other, sheet, rows))
                        with closing(floor_at(url)) as ours, closing(floor_at(other)) as theirs:
                            expect_same(outcome(ours), outcome(theirs))
    yield from _lines(
        place, f"import {bench.imported:,} codes", bench.imported, ran[bench.imported], few, ran[few], by_hand
    )


def written_out(bench: Bench, place: Place) -> Iterator[Line]:
    few = bench.exported // 10
    urls = {rows: place.filled(Portfolio(rows)) for rows in (few, bench.exported)}
    ran: dict[int, list[Ran]] = {few: [], bench.exported: []}
    for _ in range(bench.runs):
        for rows, url in urls.items():
            ran[rows].append(in_a_child(export_ours, url, rows))
    yield from _lines(
        place, f"export {bench.exported:,} codes", bench.exported, ran[bench.exported], few, ran[few]
    )


def import_ours(url: str, sheet: Path, rows: int) -> float:
    spark = opened(url)
    try:
        done = []
        took = timed(lambda: done.append(import_file(spark, sheet, actor="bench")))
        if done[0].taken != rows:
            raise AssertionError(f"expected {rows} rows to be taken, got {done[0]}")
        return took
    finally:
        spark.close()


def import_theirs(url: str, sheet: Path, rows: int) -> float:
    with closing(opened(url)) as spark:
        spark.accounts.add("Bench", actor="bench")
    done = []
    took = timed(lambda: done.append(import_by_hand(url, sheet)))
    if done != [rows]:
        raise AssertionError(f"expected {rows} rows to be taken, got {done[0]}")
    return took


def export_ours(url: str, rows: int) -> float:
    spark = opened(url)
    try:
        with (
            TemporaryDirectory() as folder,
            Path(folder, "codes.csv").open("w", encoding="utf-8", newline="") as out,
        ):
            written: list[int] = []
            took = timed(lambda: written.append(export(spark, "codes", out, reveal=True)))
        if written != [rows]:
            raise AssertionError(f"expected {rows} rows to be written, got {written}")
        return took
    finally:
        spark.close()


def _lines(
    place: Place,
    work: str,
    rows: int,
    ran: list[Ran],
    few: int,
    compared: list[Ran],
    by_hand: Sequence[Ran] = (),
) -> Iterator[Line]:
    rates, floor = (Figure([rows / each.value for each in those], PER_SECOND) for those in (ran, by_hand))
    target = Target(20_000, absolute=True, at_least=True)
    yield Line(8, work, place.name, rates, floor if by_hand else None, target)
    peak, before = (Figure([float(each.peak) for each in those], BYTES) for those in (ran, compared))
    yield Line(8, f"the most memory held meanwhile, against {few:,}", place.name, peak, before, Target(1.1))


def _sheet(folder: Path, rows: int) -> Path:
    """A file of codes, each for a video of its own, as a spreadsheet writes it."""
    path = folder / f"{rows}.csv"
    issued = datetime.now(UTC).replace(microsecond=0) - timedelta(days=2)
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(("account", "code", "post", "creator", "days", "issued_at", "state"))
        for row in range(rows):
            post = f"https://www.tiktok.com/@creator{row % 500}/video/{7301000000000000000 + row}"
            at = (issued - timedelta(seconds=row % 86_400)).isoformat()
            creator = f"creator{row % 500}"
            writer.writerow(("Bench", f"#bench/{row:012d}=", post, creator, 30, at, "authorized"))
    return path
