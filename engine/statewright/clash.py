"""Two programs in each other's way: the database undoes the work of one, which begins again, but not for ever."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from statewright.errors import StoreError

TRIES = 3

LONGEST_PAUSE = 0.05
"""Seconds before the second try, at the most, and twice as many before the third: two must not meet again."""

Facts = ParamSpec("Facts")
Result = TypeVar("Result")


def attempt(work: Callable[Facts, Result], *given: Facts.args, **facts: Facts.kwargs) -> Result:
    """What `work` returns, which opens a transaction of its own; done again from the beginning after a clash.

    Raises StoreError when three tries clashed.
    """
    for tried in range(1, TRIES):
        try:
            return work(*given, **facts)
        except StoreError as error:
            if not error.clashed:
                raise
        time.sleep(random.uniform(0, LONGEST_PAUSE * tried))  # noqa: S311 - no key
    return work(*given, **facts)
