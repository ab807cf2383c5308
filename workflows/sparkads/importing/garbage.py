"""Python looks for garbage when much is left over, not in the middle of a chunk, where all is in use."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

ROOM = 100_000
"""Objects that are made and not yet let go before Python looks for garbage; a chunk has some fifteen thousand.

It usually looks after 700, and so would go through a chunk again and again: an eighth of the time of an import.
"""


@contextmanager
def room_for_a_chunk() -> Iterator[None]:
    """Have Python wait so long, in all of this process; not where it waits longer anyway, or never looks."""
    usual = gc.get_threshold()
    if not 0 < usual[0] < ROOM:
        yield
        return
    gc.set_threshold(ROOM, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)
