"""What the tests of the command line start from: a desk, and a terminal of its own beside it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from freezegun import freeze_time
from freezegun.api import FrozenDateTimeFactory
from tests.sparkads.conftest import BEGINNING, Desk, OpenDesk, opened_desk
from tests.sparkads.places import in_files
from typer.testing import CliRunner, Result

from sparkads.cli.app import app
from statewright.clock import SystemClock

ROOT = Path(__file__).parents[3]


@dataclass
class Terminal:
    """Somebody at a terminal, in a folder of their own, on a day that the test decides."""

    frozen: Any
    environment: dict[str, str] = field(default_factory=dict)

    def __call__(self, *words: object, code: int = 0, stdin: str | bytes | None = None) -> str:
        """Run a command that ends with this exit code; what it printed, or for a failure its complaint."""
        result = self.run(*words, stdin=stdin)
        said = result.stderr if code else result.stdout
        assert result.exit_code == code, f"{words}: exit {result.exit_code}: {result.stdout}{result.stderr}"
        assert "Traceback" not in result.output
        return said

    def run(self, *words: object, stdin: str | bytes | None = None) -> Result:
        """Run a command, whatever comes of it."""
        return CliRunner(env=self.environment).invoke(app, [*map(str, words)], input=stdin)

    def lines(self, *words: object) -> list[str]:
        return self(*words).splitlines()

    def json(self, *words: object, stdin: str | bytes | None = None) -> Any:
        return json.loads(self(*words, "--json", stdin=stdin))

    def refusal(self, *words: object, code: int = 1, stdin: str | bytes | None = None) -> str:
        """What a person reads when a command fails: one line."""
        said = self(*words, code=code, stdin=stdin)
        assert said.count("\n") == 1, said
        return said.rstrip("\n")

    def travel(self, **duration: float) -> None:
        self.frozen.tick(timedelta(**duration))


@pytest.fixture(scope="module")
def frozen() -> Iterator[FrozenDateTimeFactory]:
    """The time of a whole file of tests: to stop it takes longer than most of them."""
    with freeze_time(BEGINNING) as frozen:
        assert isinstance(frozen, FrozenDateTimeFactory)
        yield frozen


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, frozen: FrozenDateTimeFactory) -> Terminal:
    """A terminal in an empty folder, at the instant at which every test begins."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPARKADS_SYNCHRONOUS", "NORMAL")
    # The server's own clock cannot be stopped.
    monkeypatch.setattr("statewright.dialects.postgresql.clock", lambda _engine, _name: SystemClock())
    frozen.move_to(BEGINNING)
    return Terminal(frozen, {"SPARKADS_ACTOR": "ana"})


@pytest.fixture
def sparkads(terminal: Terminal, desk: Desk) -> Terminal:
    """A terminal beside the desk: both work on one portfolio, which has the account Brand."""
    terminal.environment["SPARKADS_DB"] = desk.place.url
    return terminal


@pytest.fixture
def fresh(terminal: Terminal, kept: Desk) -> Terminal:
    """A terminal beside a portfolio with nothing in it."""
    kept.spark.close()
    kept.place.empty()
    terminal.environment["SPARKADS_DB"] = kept.place.url
    return terminal


@pytest.fixture
def own_desk(terminal: Terminal, open_desk: OpenDesk) -> Desk:
    """For tests that leave a portfolio in no state to be used again; the terminal is beside it."""
    desk = open_desk()
    terminal.environment["SPARKADS_DB"] = desk.place.url
    return desk


@pytest.fixture
def desk_in_a_file(terminal: Terminal, tmp_path: Path, blank: Path) -> Iterator[Desk]:
    """For what only a file does; the terminal is beside it."""
    with in_files(tmp_path, blank) as new_place:
        place = new_place()
        terminal.environment["SPARKADS_DB"] = place.url
        yield from opened_desk(place)


Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts `sparkads` as a process of its own; whatever still runs in the end is killed."""
    running: list[subprocess.Popen[str]] = []
    # Tests that run in the background ignore Ctrl-C, and so would whatever they start.
    usual = signal.signal(signal.SIGINT, signal.default_int_handler)

    def start_one(*words: object, terminal: int = subprocess.PIPE, **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "sparkads.cli", *map(str, words)],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
            text=True,
            cwd=tmp_path,
            env={**_clean_environment(), "SPARKADS_ACTOR": "ana", **environment},
        )
        running.append(process)
        return process

    yield start_one
    for process in running:
        process.kill()
        process.communicate()
    signal.signal(signal.SIGINT, usual)


def _clean_environment() -> dict[str, str]:
    paths = [str(ROOT / "engine"), str(ROOT / "workflows")]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SPARKADS_")}
    return {**kept, "PYTHONPATH": os.pathsep.join(paths), "PYTHONIOENCODING": "utf-8"}
