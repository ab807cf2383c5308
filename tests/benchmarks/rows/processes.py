"""Row 10: whole processes, from the shell's prompt to the shell's prompt."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from tests.benchmarks.bench import Bench
from tests.benchmarks.fill import Portfolio
from tests.benchmarks.measure import Figure, Line, Target, taking_turns, timed
from tests.benchmarks.places import Place


def whole(bench: Bench, place: Place) -> Iterator[Line]:
    python, program = sys.executable, str(Path(sys.executable).with_name("sparkads"))
    url = place.filled(Portfolio(bench.portfolio))
    compared = [python, "-c", "import sqlmodel, statemachine, typer"]
    works = {
        "sparkads --help": ([program, "--help"], 0.4),
        "import sparkads": ([python, "-c", "import sparkads"], 1.0),
        "sparkads codes show ID": ([program, "--db", url, "codes", "show", "7"], 1.4),
    }
    commands = [compared, *(command for command, _ in works.values())]
    measured = [partial(_run, command) for command in commands]
    taking_turns(1, *measured)
    floor, *figures = (Figure(values) for values in taking_turns(bench.processes, *measured))
    for (work, (_, limit)), ours in zip(works.items(), figures, strict=True):
        yield Line(10, work, place.name, ours, floor, Target(limit), "against the imports of three libraries")


def _run(command: list[str]) -> float:
    # What is installed has its bytecode beside it, like the libraries that it is compared with.
    unwanted = ("SPARKADS_", "PYTHONDONTWRITEBYTECODE")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
    return timed(
        lambda: subprocess.run(command, env=clean, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    )
