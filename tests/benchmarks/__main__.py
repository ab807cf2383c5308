"""`python -m tests.benchmarks`: measure, print a table, and keep what was measured."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path

from tests.benchmarks import report
from tests.benchmarks.bench import QUICK, Bench
from tests.benchmarks.measure import Line
from tests.benchmarks.places import add_places, places
from tests.benchmarks.table import ROWS

SIZES = [field.name for field in dataclasses.fields(Bench) if field.type in ("int", "float")]


def main() -> None:
    asked = _arguments().parse_args()
    bench = _bench(asked)
    lines: list[Line] = []
    with places(asked) as every:
        for row in asked.rows or ROWS:
            for measure in ROWS[row]:
                for place in every:
                    for line in measure(bench, place):
                        lines.append(line)
                        report.say(line)
            for place in every:
                place.drop()
    lines.sort(key=lambda line: line.row)
    sys.stdout.write("\n" + report.table(lines) + "\n")
    facts = report.as_json(lines, bench)
    if asked.json:
        asked.json.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    if asked.report:
        report.write(asked.report, facts, lines)


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    # Not by choices: Python 3.11 looks for the empty list among them when no row is named.
    parser.add_argument("rows", nargs="*", type=_row, metavar="ROW", help="1 to 12; all unless given")
    parser.add_argument("--quick", action="store_true", help="small sizes: to see that it runs, not how fast")
    add_places(parser)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every single measurement")
    parser.add_argument("--report", type=Path, metavar="FILE", help="fill its table, and draw the plot beside it")
    for name in SIZES:
        kind = float if name == "seconds" else int
        parser.add_argument(f"--{name.replace('_', '-')}", type=kind, metavar="N", help=argparse.SUPPRESS)
    return parser


def _row(word: str) -> int:
    if not word.isdecimal() or int(word) not in ROWS:
        raise argparse.ArgumentTypeError(f'expected a row of the table, 1 to {max(ROWS)}, got "{word}"')
    return int(word)


def _bench(asked: argparse.Namespace) -> Bench:
    given = {name: getattr(asked, name) for name in SIZES if getattr(asked, name) is not None}
    return dataclasses.replace(QUICK if asked.quick else Bench(), **given)


if __name__ == "__main__":
    main()
