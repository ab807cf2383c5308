"""What stands between a program and its server, and may one day swallow all that is said."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Proxy:
    """Passes on what is said on one port to another; once stalled, it goes on saying "received", and no more."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._sockets: list[socket.socket] = []
        self._flowing = threading.Event()
        self._flowing.set()

    def stall(self) -> None:
        """Swallow whatever is said on the connections there are, for ever, and on new ones until `heal`."""
        self._flowing.clear()
        self._flowing = threading.Event()

    def heal(self) -> None:
        """Pass on what is said on new connections."""
        self._flowing = threading.Event()
        self._flowing.set()

    def serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                self._sockets += [client, server]
                for source, sink in ((client, server), (server, client)):
                    threading.Thread(target=_pass_on, args=(source, sink, self._flowing), daemon=True).start()

    def close(self) -> None:
        for each in (self._listening, *self._sockets):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


@contextmanager
def proxy(target: int) -> Iterator[Proxy]:
    """A proxy for a port of this machine."""
    between = Proxy(target)
    serving = threading.Thread(target=between.serve)
    serving.start()
    try:
        yield between
    finally:
        between.close()
        serving.join()


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def _pass_on(source: socket.socket, sink: socket.socket, flowing: threading.Event) -> None:
    with suppress(OSError):
        while said := source.recv(65536):
            if flowing.is_set():
                sink.sendall(said)
        if flowing.is_set():
            sink.shutdown(socket.SHUT_WR)
