"""Row 11: other people's programs on the same work, in an environment that the benchmark makes for them.

The work is the peers': rows with a state and an instant, of no portfolio. So ours is the engine alone.
"""

from __future__ import annotations

import json
import os
import subprocess
import venv
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from tests.benchmarks.bench import Bench
from tests.benchmarks.floor_timer import expire_by_hand
from tests.benchmarks.measure import PER_SECOND, Figure, Line, Target, taking_turns, timed
from tests.benchmarks.places import Place
from tests.benchmarks.timer import WORKFLOWS, filled, timers

from statewright.sweep import sweep
from statewright.transition import fire

HERE = Path(__file__).parents[1] / "peers"
ENVIRONMENT = Path(".bench-venv")
"""Kept from one run to the next, in the folder where the benchmark is started."""

PEERS = {
    "django_fsm": "django-fsm-2 + Django",
    "statemachine": "python-statemachine + SQLModel",
    "dbos": "DBOS",
    "apscheduler": "APScheduler with an SQL job store",
    "pgqueuer": "pgqueuer",
    "procrastinate": "procrastinate",
}
ONLY_POSTGRESQL = ("pgqueuer", "procrastinate")
ONLY_TIMERS = ("apscheduler",)
LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)
BY_WORKERS = {"pgqueuer": 8}
"""Those whose own workers make the calls, several at once; ours are then made by so many threads."""


def single_calls(bench: Bench, place: Place) -> Iterator[Line]:
    """A row moved with its history, durably; as the peer does it best: one by one, or by its own workers."""
    for peer in _peers_on(place):
        if peer not in ONLY_TIMERS:
            calls = partial(_calls, threads=BY_WORKERS.get(peer, 1))
            ours, theirs = _compared(bench, place, peer, "single", bench.peer_calls, calls)
            yield Line(
                11, f"single calls, against {PEERS[peer]}", place.name, ours, theirs, Target(1.0, at_least=True)
            )


def due_timers(bench: Bench, place: Place) -> Iterator[Line]:
    """Timers that came due during a downtime; each moves its row and writes its history."""
    for peer in _peers_on(place):
        # They would need minutes for as many as we move in a second or two.
        ours, theirs = _compared(bench, place, peer, "timers", bench.peer_timers // 100, _timers)
        yield Line(11, f"due timers, against {PEERS[peer]}", place.name, ours, theirs, Target(10, at_least=True))
    count = bench.peer_timers
    if place.name == "PostgreSQL":
        ours, theirs = _compared(bench, place, "pgqueuer", "bare", count, _timers)
        yield Line(11, "due timers, against jobs of pgqueuer that move no row", place.name, ours, theirs)
    turns = taking_turns(bench.runs, partial(_timers, place, count), partial(_by_hand, place, count))
    ours, by_hand = (Figure([count / seconds for seconds in values], PER_SECOND) for values in turns)
    yield Line(11, "due timers, against SQL by hand", place.name, ours, by_hand)


def _peers_on(place: Place) -> list[str]:
    return [peer for peer in PEERS if place.name == "PostgreSQL" or peer not in ONLY_POSTGRESQL]


def _compared(
    bench: Bench, place: Place, peer: str, scenario: str, count: int, ours: Callable[[Place, int], float]
) -> list[Figure]:
    """How many a second, ours and theirs, in turns."""
    works = (partial(ours, place, count), partial(_theirs, place, peer, scenario, count))
    return [
        Figure([count / seconds for seconds in values], PER_SECOND) for values in taking_turns(bench.runs, *works)
    ]


def _calls(place: Place, count: int, *, threads: int) -> float:
    with (
        place.new() as url,
        closing(filled(url, count, state="pending")) as store,
        ThreadPoolExecutor(threads) as pool,
    ):

        def authorize(row: int) -> None:
            with store.transaction(whole=True) as session:
                fire(session, timers, "authorize", row, actor="bench")

        return timed(lambda: [*pool.map(authorize, range(1, count + 1))])


def _timers(place: Place, count: int) -> float:
    with place.new() as url, closing(filled(url, count, state="authorized", expires_at=LONG_AGO)) as store:
        return timed(lambda: sweep(store, WORKFLOWS, actor="bench", batch=1_000))


def _by_hand(place: Place, count: int) -> float:
    with place.new() as url:
        filled(url, count, state="authorized", expires_at=LONG_AGO).close()
        return timed(lambda: expire_by_hand(url, count))


def _theirs(place: Place, peer: str, scenario: str, count: int) -> float:
    """The seconds that a peer needed, by its own clock, from when all was ready until all was done."""
    with place.new() as url:
        command = [str(_python()), "-m", f"tests.benchmarks.peers.{peer}", scenario, str(count), url]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=900)
    if done.returncode:
        raise RuntimeError(f"{PEERS[peer]} failed: {(done.stderr or done.stdout).strip()[-2000:]}")
    seconds: float = json.loads(done.stdout.splitlines()[-1])["seconds"]
    return seconds


def _python() -> Path:
    """The Python of the peers' environment, which is made when it is not there or other versions are wanted."""
    python = ENVIRONMENT / ("Scripts" if os.name == "nt" else "bin") / "python"
    wanted = (HERE / "requirements.txt").read_text(encoding="utf-8")
    installed = ENVIRONMENT / "installed.txt"
    if not installed.exists() or installed.read_text(encoding="utf-8") != wanted:
        venv.create(ENVIRONMENT, clear=True, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", HERE / "requirements.txt"], check=True)
        installed.write_text(wanted, encoding="utf-8")
    return python
