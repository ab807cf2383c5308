"""Where it is measured: databases filled once, and a fresh copy of one for everything that changes it."""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import psycopg
from sqlalchemy import make_url
from tests.benchmarks.fill import Portfolio, fill_postgresql, fill_sqlite
from tests.postgres import server

from sparkads import SparkAds
from sparkads.settings import Settings


class Place(Protocol):
    """A kind of database."""

    name: str

    def filled(self, portfolio: Portfolio) -> str:
        """The URL of a database with this portfolio, which is made once, and only read."""
        ...

    def copy(self, portfolio: Portfolio) -> Any:
        """A context with the URL of a fresh copy of it, which may be changed."""
        ...

    def new(self) -> Any:
        """A context with the URL of a new, empty database."""
        ...

    def size(self, url: str) -> int:
        """Bytes that it takes on the disk."""
        ...

    def drop(self) -> None:
        """Forget what was filled."""


def add_places(parser: argparse.ArgumentParser) -> None:
    """The options that choose among the places."""
    parser.add_argument("--sqlite", action="store_true", help="only SQLite")
    parser.add_argument("--postgresql", action="store_true", help="only PostgreSQL")
    parser.add_argument(
        "--folder", type=Path, help="where the databases are made; a temporary folder unless given"
    )


@contextmanager
def places(asked: argparse.Namespace) -> Iterator[list[Place]]:
    """Those that were chosen, both if none was, with a server of our own where one is needed."""
    every = not (asked.sqlite or asked.postgresql)
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        chosen: list[Place] = [Sqlite(Path(folder))] if every or asked.sqlite else []
        if not (every or asked.postgresql):
            yield chosen
            return
        # As a server comes, but for the folder and the socket: what it promises to keep, it keeps.
        with server("fsync=on") as own:
            yield [*chosen, Postgresql(own.url)]


def opened(url: str, synchronous: str = "FULL") -> SparkAds:
    """The program on a database, with every setting as it comes."""
    return SparkAds(url, settings=Settings.model_validate({"synchronous": synchronous}))


class Sqlite:
    """Files in a folder."""

    name = "SQLite"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._filled: dict[Portfolio, Path] = {}
        self._numbers = count()

    def filled(self, portfolio: Portfolio) -> str:
        if portfolio not in self._filled:
            path = self._path()
            opened(f"sqlite:///{path}").close()
            fill_sqlite(path, portfolio)
            self._filled[portfolio] = path
        return f"sqlite:///{self._filled[portfolio]}"

    @contextmanager
    def copy(self, portfolio: Portfolio) -> Iterator[str]:
        self.filled(portfolio)
        path = Path(shutil.copyfile(self._filled[portfolio], self._path()))
        # What the copy left to be written must not be written by what is measured.
        os.sync()
        try:
            yield f"sqlite:///{path}"
        finally:
            _remove(path)

    @contextmanager
    def new(self) -> Iterator[str]:
        path = self._path()
        try:
            yield f"sqlite:///{path}"
        finally:
            _remove(path)

    def size(self, url: str) -> int:
        return as_path(url).stat().st_size

    def drop(self) -> None:
        """Forget what was filled."""
        for path in self._filled.values():
            _remove(path)
        self._filled.clear()

    def _path(self) -> Path:
        return self._folder / f"{next(self._numbers)}.db"


class Postgresql:
    """Databases on a server whose user may make and copy them."""

    name = "PostgreSQL"

    def __init__(self, server: str) -> None:
        self._server = make_url(server)
        self._filled: dict[Portfolio, str] = {}
        self._numbers = count()

    def filled(self, portfolio: Portfolio) -> str:
        if portfolio not in self._filled:
            name = self._name()
            self._run(f"CREATE DATABASE {name}")
            opened(self._url(name)).close()
            fill_postgresql(as_conninfo(self._url(name)), portfolio)
            self._filled[portfolio] = name
        return self._url(self._filled[portfolio])

    @contextmanager
    def copy(self, portfolio: Portfolio) -> Iterator[str]:
        self.filled(portfolio)
        with self._made(f" TEMPLATE {self._filled[portfolio]} STRATEGY file_copy") as url:
            yield url

    @contextmanager
    def new(self) -> Iterator[str]:
        with self._made("") as url:
            yield url

    def size(self, url: str) -> int:
        with psycopg.connect(as_conninfo(url)) as connection:
            row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
        assert row is not None
        found: int = row[0]
        return found

    def drop(self) -> None:
        """Forget what was filled."""
        for name in self._filled.values():
            self._run(f"DROP DATABASE {name} WITH (FORCE)")
        self._filled.clear()

    @contextmanager
    def _made(self, how: str) -> Iterator[str]:
        name = self._name()
        self._run(f"CREATE DATABASE {name}{how}")
        # As for a file: nothing is left over for what is measured.
        self._run("CHECKPOINT")
        try:
            yield self._url(name)
        finally:
            self._run(f"DROP DATABASE {name} WITH (FORCE)")

    def _name(self) -> str:
        return f"bench_{os.getpid()}_{next(self._numbers)}"

    def _url(self, name: str) -> str:
        return self._server.set(database=name).render_as_string(hide_password=False)

    def _run(self, statement: str) -> None:
        with psycopg.connect(as_conninfo(self._url("postgres")), autocommit=True) as connection:
            connection.execute(statement.encode())


def as_conninfo(url: str) -> str:
    """The URL as the plain driver takes it."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def as_path(url: str) -> Path:
    """The file behind an SQLite URL."""
    return Path(str(make_url(url).database))


def _remove(path: Path) -> None:
    for ending in ("", "-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
