"""What every test starts from."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, NoReturn

import pytest
from hypothesis import settings
from tests.postgres import NoServer, any_server

from statewright.dialects.postgresql_wire import Wire

# A deadline would measure the machine; what hypothesis chooses for CI stays.
settings.register_profile("patient", settings(), deadline=None)
settings.load_profile("patient")


REQUIRED = os.environ.get("SPARKADS_TEST_POSTGRES") == "required"


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL server; without one, tests that need it are skipped, or fail if required."""
    try:
        with any_server() as url:
            yield url
    except NoServer as why:
        without_a_server(why, required=REQUIRED)


def without_a_server(why: NoServer, *, required: bool) -> NoReturn:
    """Skip the test, or fail it where nothing may be skipped: in CI."""
    (pytest.fail if required else pytest.skip)(f"no PostgreSQL: {why}")


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings of whoever runs the tests decide nothing in them."""
    for variable in [name for name in os.environ if name.startswith("SPARKADS_")]:
        monkeypatch.delenv(variable)


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many statements went with each way to the server."""
    sent: list[int] = []
    exchange = Wire.exchange

    def watched(link: Wire, said: Any) -> Any:
        sent.append(len(said))
        return exchange(link, said)

    monkeypatch.setattr(Wire, "exchange", watched)
    return sent
