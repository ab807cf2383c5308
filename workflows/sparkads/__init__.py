"""sparkads keeps a portfolio of TikTok Spark Ads alive.

    from sparkads import SparkAds

    spark = SparkAds("sqlite:///sparkads.db")

Its parts, from the bottom: `tables` (the rows), `post`, `identity`, `video_code`, `spark_ad`, `campaign` (their
lives), `portfolio` (the verbs, grouped by noun), `importing` and `exporting` (spreadsheets), `cli` (the commands).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sparkads.errors import RuleBroken, WrongInput
    from sparkads.portfolio import SparkAds
    from sparkads.settings import Settings, load_settings

_HOMES = {
    "RuleBroken": "sparkads.errors",
    "Settings": "sparkads.settings",
    "SparkAds": "sparkads.portfolio",
    "WrongInput": "sparkads.errors",
    "load_settings": "sparkads.settings",
}

__all__ = ["RuleBroken", "Settings", "SparkAds", "WrongInput", "load_settings"]


def __getattr__(name: str) -> Any:
    # Imported on first use, so that `sparkads --help` need not wait for the database libraries.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
