"""A daemon's ear: a thread that hears when other programs write, and connects again when it cannot."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from statewright.logs import logger
from statewright.store import Store
from statewright.subscriber import said

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 10.0
"""Seconds before it connects again: twice as long each time, up to this."""


@contextmanager
def listening(store: Store, wake: Callable[[], None]) -> Iterator[None]:
    """Within this, `wake` is called whenever others may have written to the log.

    Where the database cannot tell, or cannot be reached, it is not called: nobody may depend on it.
    """
    ours, theirs = socket.socketpair()
    thread = threading.Thread(target=_listen, args=(store, wake, theirs), name="statewright listener")
    thread.start()
    try:
        yield
    finally:
        ours.close()
        thread.join()
        theirs.close()


def _listen(store: Store, wake: Callable[[], None], stop: socket.socket) -> None:
    deaf = False
    pause = FIRST_PAUSE
    while True:
        try:
            for _ in store.wakeups(stop):
                if deaf:
                    logger.info("hearing of changes at once again", extra={"action": "recovery"})
                deaf, pause = False, FIRST_PAUSE
                wake()
        except Exception as error:  # noqa: BLE001 - whatever happens, it listens again
            if not deaf:
                sentence = "hearing of changes only at the next heartbeat: %s"
                logger.warning(sentence, said(error), extra={"action": "trouble"})
            deaf = True
        else:
            return
        stop.settimeout(pause)
        try:
            stop.recv(1)
        except TimeoutError:
            pause = min(pause * 2, LONGEST_PAUSE)
        else:
            return
