"""`python -m tests.benchmarks`: measure, print a table, and keep what was measured."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks import report
from tests.benchmarks.bench import QUICK, Bench
from tests.benchmarks.measure import Line
from tests.benchmarks.places import Place, Postgresql, Sqlite
from tests.benchmarks.table import ROWS
from tests.postgres import server

SIZES = [field.name for field in dataclasses.fields(Bench) if field.type in ("int", "float")]


def main() -> None:
    asked = _arguments().parse_args()
    bench = _bench(asked)
    lines: list[Line] = []
    with _places(asked) as places:
        for row in asked.rows or ROWS:
            for measure in ROWS[row]:
                for place in places:
                    for line in measure(bench, place):
                        lines.append(line)
                        report.say(line)
            for place in places:
                place.drop()
    sys.stdout.write("\n" + report.table(lines) + "\n")
    facts = report.as_json(lines, bench)
    if asked.json:
        asked.json.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    if asked.report:
        report.write(asked.report, facts, lines)


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument(
        "rows", nargs="*", type=int, choices=[*ROWS], metavar="ROW", help="1 to 12; all unless given"
    )
    parser.add_argument("--quick", action="store_true", help="small sizes: to see that it runs, not how fast")
    parser.add_argument("--sqlite", action="store_true", help="only SQLite")
    parser.add_argument("--postgresql", action="store_true", help="only PostgreSQL")
    parser.add_argument(
        "--folder", type=Path, help="where the databases are made; a temporary folder unless given"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every single measurement")
    parser.add_argument("--report", type=Path, metavar="FILE", help="fill its table, and draw the plot beside it")
    for name in SIZES:
        kind = float if name == "seconds" else int
        parser.add_argument(f"--{name.replace('_', '-')}", type=kind, metavar="N", help=argparse.SUPPRESS)
    return parser


def _bench(asked: argparse.Namespace) -> Bench:
    given = {name: getattr(asked, name) for name in SIZES if getattr(asked, name) is not None}
    return dataclasses.replace(QUICK if asked.quick else Bench(), **given)


@contextmanager
def _places(asked: argparse.Namespace) -> Iterator[list[Place]]:
    every = not (asked.sqlite or asked.postgresql)
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        places: list[Place] = [Sqlite(Path(folder))] if every or asked.sqlite else []
        if not (every or asked.postgresql):
            yield places
            return
        # As a server comes, but for the folder and the socket: what it promises to keep, it keeps.
        with server("fsync=on") as own:
            yield [*places, Postgresql(own.url)]


if __name__ == "__main__":
    main()
