"""What is measured: figures with their spread, lines with their targets, and work done in a process of its own."""

from __future__ import annotations

import multiprocessing
import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SECONDS, PER_SECOND, BYTES = "s", "/s", "B"


@dataclass(frozen=True, slots=True)
class Figure:
    """The same thing measured several times, in seconds, per second, or in bytes."""

    values: Sequence[float]
    unit: str = SECONDS

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def spread(self) -> float:
        """Half the distance between the quartiles, as a part of the median."""
        if len(self.values) < 2 or not self.median:
            return 0.0
        low, _, high = statistics.quantiles(self.values, n=4, method="inclusive")
        return (high - low) / 2 / self.median

    def at(self, part: float) -> float:
        """The value below which this part of all values lies."""
        ranked = sorted(self.values)
        return ranked[min(len(ranked) - 1, int(part * len(ranked)))]

    def __str__(self) -> str:
        spread = f" ±{self.spread:.0%}" if len(self.values) > 1 else ""
        return in_words(self.median, self.unit) + spread


@dataclass(frozen=True, slots=True)
class Target:
    """What is aimed at: a limit for the ratio to the floor, or for our own figure."""

    limit: float
    absolute: bool = False
    at_least: bool = False

    def met(self, line: Line) -> bool | None:
        found = line.ours.median if self.absolute else line.ratio
        if found is None:
            return None
        return found >= self.limit if self.at_least else found <= self.limit

    def in_words(self, unit: str) -> str:
        limit = in_words(self.limit, unit) if self.absolute else f"{self.limit:g} times"
        return ("≥ " if self.at_least else "≤ ") + limit


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table.

    row:    its number in the issue's table
    floor:  hand-written SQL, or whatever else stands for what can be had; None where there is nothing
    target: None where the line is only a remark
    """

    row: int
    work: str
    database: str
    ours: Figure
    floor: Figure | None = None
    target: Target | None = None
    remark: str = ""
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def ratio(self) -> float | None:
        return self.ours.median / self.floor.median if self.floor and self.floor.median else None

    @property
    def met(self) -> bool | None:
        return self.target.met(self) if self.target else None


@dataclass(frozen=True, slots=True)
class Ran:
    """What a child process answered, and the most memory that it held."""

    value: Any
    peak: int


def in_words(value: float, unit: str) -> str:
    """A figure as people read it."""
    if unit == BYTES:
        return f"{value / 1e6:,.0f} MB"
    if unit == PER_SECOND:
        return f"{value:,.0f}/s"
    if value >= 1:
        return f"{value:,.2f} s"
    return f"{value * 1e3:,.2f} ms" if value >= 1e-3 else f"{value * 1e6:,.0f} µs"


def timed(work: Callable[[], object]) -> float:
    """Seconds that it took."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def taking_turns(times: int, *works: Callable[[], float]) -> list[list[float]]:
    """Measure several things so many times, one after the other, so that the machine's moods fall on all alike."""
    found: list[list[float]] = [[] for _ in works]
    for _ in range(times):
        for values, work in zip(found, works, strict=True):
            values.append(work())
    return found


def in_a_child(work: Callable[..., Any], *arguments: Any) -> Ran:
    """Do it in a fresh process, whose memory is all its own. Raises whatever the work raises."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        value, peak = pool.apply(_watched, (work, arguments))
    return Ran(value, peak)


def peak_memory() -> int:
    """The most memory, in bytes, that this process has held."""
    status = Path("/proc/self/status")
    if status.exists():
        # Linux hands what getrusage tells down from the process that started this one.
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _watched(work: Callable[..., Any], arguments: Sequence[Any]) -> tuple[Any, int]:
    return work(*arguments), peak_memory()
