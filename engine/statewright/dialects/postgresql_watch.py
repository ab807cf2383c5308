"""How a daemon on PostgreSQL hears at once that others wrote: LISTEN, and writers who notify if somebody waits.

A transaction that notifies holds a lock of the whole server from before its commit until after it, so that
commits go to the disk one by one. Hence writers do it only while a daemon is idle, and it takes two looks for
nothing to be missed:

- Whoever writes the log takes a shared lock until the end of the transaction. One that cannot notifies.
- A daemon about to wait takes the same lock for itself alone, which it is given when everybody who did without a
  notice is over; then it looks once more, and waits. As soon as it hears something it gives the lock back.

Of several daemons one has the lock, and the others hear what it hears.
"""

from __future__ import annotations

import selectors
import socket
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Engine, Table

REST = 0.03
"""Seconds between two looks while others write: many commits are heard as one."""

ROUND = 15.0
"""Seconds after which a daemon that heard nothing asks whether its connection still stands."""

WARD = 1.0
"""Seconds after which one that only hears what another daemon hears asks whether that is still there."""

_LOCK = "hashtext('statewright watch')"
_TAKE = (
    f"SELECT CASE WHEN pg_try_advisory_lock({_LOCK}) THEN 'ours' "
    f"WHEN pg_try_advisory_lock_shared({_LOCK}) AND pg_advisory_unlock_shared({_LOCK}) THEN 'writing' "
    f"ELSE 'taken' END"
)
_GIVE_BACK = f"SELECT pg_advisory_unlock({_LOCK})"


def announcing(table: Table) -> list[str]:
    """The trigger by which whoever writes this table tells the daemons, as SQL.

    It runs for a statement that inserts nothing too, such as that of a daemon without anything to move, which
    must not wake itself: whoever has inserted something has a number as a transaction.
    """
    name = f"{table.name}_is_announced"
    function = (
        f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $rule$ BEGIN "
        f"IF pg_current_xact_id_if_assigned() IS NOT NULL AND NOT pg_try_advisory_xact_lock_shared({_LOCK}) "
        f"THEN PERFORM pg_notify('statewright', ''); END IF; RETURN NULL; END $rule$"
    )
    trigger = (
        f"CREATE OR REPLACE TRIGGER {name} AFTER INSERT ON {table.name} FOR EACH STATEMENT "
        f"EXECUTE FUNCTION {name}()"
    )
    return [function, trigger]


def wakeups(engine: Engine, stop: socket.socket) -> Iterator[None]:
    """Yields whenever others may have written something, and once in the beginning.

    stop: ends it as soon as something can be read from there
    """
    with engine.execution_options(bare=True).connect() as connection:
        link: Any = connection.connection.driver_connection
        # Not for the pool: the lock and the listening end with the connection.
        connection.detach()
        # Without one, the driver would keep every notice for somebody to ask.
        link.add_notify_handler(lambda _notice: None)
        connection.exec_driver_sql("LISTEN statewright")
        yield
        while not _readable(REST, stop):
            place: str = connection.exec_driver_sql(_TAKE).scalar_one()
            if place != "taken":
                yield
            heard = place != "writing" and _heard(link, ROUND if place == "ours" else WARD, stop)
            if place == "ours":
                connection.exec_driver_sql(_GIVE_BACK)
            if heard:
                yield


def _heard(link: Any, seconds: float, stop: socket.socket) -> bool:
    """Wait for a notice; it may have come together with an answer before it."""
    return link.pgconn.notifies() is not None or link.fileno() in _readable(seconds, link, stop)


def _readable(seconds: float, *files: Any) -> list[int]:
    with selectors.DefaultSelector() as selector:
        for file in files:
            selector.register(file, selectors.EVENT_READ)
        return [key.fd for key, _ in selector.select(seconds)]
