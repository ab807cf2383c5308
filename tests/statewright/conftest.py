"""A theatre for every test: an empty one, and a clock that stands still."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from tests.statewright.halls import SCHEMA

from statewright.migrations import Line
from statewright.store import Store
from statewright.testing import ManualClock, temporary_database, temporary_store


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(params=["sqlite", "postgresql"])
def server(request: pytest.FixtureRequest) -> str | None:
    """Where `temporary_store` puts a store: into a file, or on a PostgreSQL server."""
    return request.getfixturevalue("postgres") if request.param == "postgresql" else None


@pytest.fixture
def url(server: str | None, tmp_path: Path) -> Iterator[str]:
    """An empty database, of either kind."""
    with nullcontext(f"sqlite:///{tmp_path}/log.db") if server is None else temporary_database(server) as found:
        yield found


@pytest.fixture
def theatre(clock: ManualClock, server: str | None) -> Iterator[Store]:
    with temporary_store(SCHEMA, clock=clock, server=server) as store:
        yield store


@pytest.fixture
def theatre_in_a_file(clock: ManualClock) -> Iterator[Store]:
    """For what only SQLite does."""
    with temporary_store(SCHEMA, clock=clock) as store:
        yield store


@pytest.fixture
def theatre_on_a_server(clock: ManualClock, postgres: str) -> Iterator[Store]:
    """For what only PostgreSQL does."""
    with temporary_store(SCHEMA, clock=clock, server=postgres) as store:
        yield store


Revise = Callable[..., Line]


@pytest.fixture
def revise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Revise:
    """Gives an application migrations, `revise("shop", ...)`: each a revision's source, the first numbered 1."""
    code = tmp_path / "code"
    monkeypatch.syspath_prepend(str(code))

    def write(name: str, *revisions: str) -> Line:
        folder = code / name / "migrations" / "versions"
        folder.mkdir(parents=True)
        for module in (name, f"{name}.migrations"):
            monkeypatch.delitem(sys.modules, module, raising=False)
        for number, source in enumerate(revisions, 1):
            (folder / f"{name}_{number}.py").write_text(source)
        return Line(name, len(revisions), f"{name}.migrations")

    return write
