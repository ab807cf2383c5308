"""What every test starts from."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

# A deadline would measure the machine; what hypothesis chooses for CI stays.
settings.register_profile("patient", settings(), deadline=None)
settings.load_profile("patient")


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings of whoever runs the tests decide nothing in them."""
    for variable in [name for name in os.environ if name.startswith("SPARKADS_")]:
        monkeypatch.delenv(variable)
