"""Work that clashed with somebody else's is begun again, a few times."""

from __future__ import annotations

import pytest

from statewright.clash import attempt
from statewright.errors import StoreError

CLASH = StoreError("ended a deadlock", busy=True, clashed=True)


class Work:
    """Fails with these errors, one after the other, and then succeeds."""

    def __init__(self, *errors: Exception) -> None:
        self._errors = list(errors)
        self.tries = 0

    def __call__(self) -> str:
        self.tries += 1
        if self._errors:
            raise self._errors.pop(0)
        return "done"


def test_work_that_clashed_is_begun_again() -> None:
    work = Work(CLASH, CLASH)

    assert attempt(work) == "done"
    assert work.tries == 3


def test_who_clashes_three_times_is_told() -> None:
    work = Work(CLASH, CLASH, CLASH)

    with pytest.raises(StoreError, match="ended a deadlock"):
        attempt(work)
    assert work.tries == 3


@pytest.mark.parametrize("error", [StoreError("is locked", busy=True), StoreError("is gone"), KeyError("x")])
def test_whatever_else_goes_wrong_is_told_at_once(error: Exception) -> None:
    work = Work(error)

    with pytest.raises(type(error)):
        attempt(work)
    assert work.tries == 1
