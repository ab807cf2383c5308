"""What was measured, for people: a table in the terminal and in a page, a plot, and the machine it was measured on."""

from __future__ import annotations

import os
import platform
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.benchmarks.bench import Bench
from tests.benchmarks.measure import Line
from tests.postgres import NoServer, find_binaries

BEGIN, END = "<!-- begin: {} -->", "<!-- end: {} -->"
"""Between these two, a page holds what is written here; the rest of it is written by people."""

HEADS = ("#", "work", "database", "ours", "floor", "ratio", "target", "met")
LIBRARIES = ("sqlalchemy", "sqlmodel", "psycopg", "python-statemachine")
MET = {True: "yes", False: "no", None: ""}


def say(line: Line) -> None:
    """One line as soon as it is known."""
    remark = f"  ({line.remark})" if line.remark else ""
    sys.stdout.write("  ".join(filter(None, _cells(line))) + remark + "\n")
    sys.stdout.flush()


def table(lines: Sequence[Line]) -> str:
    """All lines, in columns."""
    return in_columns([HEADS, *map(_cells, lines)])


def in_columns(rows: Sequence[Sequence[str]]) -> str:
    """Rows, the first of them the headings, in columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def as_json(lines: Sequence[Line], bench: Bench) -> dict[str, Any]:
    """Everything that was measured, and on what."""
    return {
        "machine": machine(),
        "sizes": asdict(bench),
        "lines": [{**asdict(line), "ratio": line.ratio, "met": line.met} for line in lines],
    }


def machine() -> dict[str, str]:
    """The machine and the versions on it; no name and no path of it."""
    facts = {
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "Python": platform.python_version(),
        "SQLite": sqlite3.sqlite_version,
        "PostgreSQL": _postgresql(),
    }
    return {**facts, **{name: version(name) for name in LIBRARIES}}


def write(page: Path, facts: dict[str, Any], lines: Sequence[Line]) -> None:
    """Fill the machine and the table into a page, between its markers, and draw the plot beside it."""
    plot = page.with_suffix(".svg")
    fill(
        page,
        machine=as_list(facts["machine"]),
        table=as_markdown([HEADS, *map(_cells, lines)]),
        plot=f"![How many times the floor each line takes, with its target]({plot.name})",
    )
    _plot(plot, [line for line in lines if line.ratio is not None and line.target is not None])


def fill(page: Path, **contents: str) -> None:
    """Write each of these between its markers in a page."""
    words = page.read_text(encoding="utf-8")
    for name, content in contents.items():
        words = _filled(words, name, content)
    page.write_text(words, encoding="utf-8")


def as_list(facts: dict[str, str]) -> str:
    """Facts as a list of Markdown."""
    return "\n".join(f"- {name}: {fact}" for name, fact in facts.items())


def as_markdown(rows: Sequence[Sequence[str]]) -> str:
    """Rows, the first of them the headings, as a table of Markdown."""
    head, *others = ("| " + " | ".join(row) + " |" for row in rows)
    return "\n".join((head, "|" + " --- |" * len(rows[0]), *others))


def _cells(line: Line) -> tuple[str, ...]:
    return (
        str(line.row),
        line.work,
        line.database,
        str(line.ours),
        "" if line.floor is None else str(line.floor),
        "" if line.ratio is None else f"{line.ratio:.2f}",
        "" if line.target is None else line.target.in_words(line.ours.unit),
        MET[line.met],
    )


def _filled(words: str, name: str, content: str) -> str:
    begin, end = BEGIN.format(name), END.format(name)
    if begin not in words or end not in words:
        raise ValueError(f"expected the page to have the lines {begin} and {end}")
    before, _, rest = words.partition(begin)
    return f"{before}{begin}\n{content}\n{end}{rest.partition(end)[2]}"


def _plot(path: Path, lines: Sequence[Line]) -> None:
    """The ratios, on a scale on which twice and half are equally far from once, each with its target."""
    import matplotlib as mpl

    mpl.use("svg")
    # The same figures give the same file: no date, and no random names in it.
    mpl.rcParams.update({"svg.hashsalt": "sparkads", "svg.fonttype": "none", "font.size": 9})
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(9, 1.2 + 0.27 * len(lines)), layout="constrained")
    for place, line in enumerate(reversed(lines)):
        colour = "tab:green" if line.met else "tab:red"
        axes.barh(place, line.ratio or 0.0, color=colour, height=0.6)
        if line.target is not None and not line.target.absolute:
            axes.plot([line.target.limit] * 2, [place - 0.45, place + 0.45], color="black", linewidth=2)
    axes.set_yticks(range(len(lines)), [f"{line.row}. {line.work} ({line.database})" for line in reversed(lines)])
    axes.set_xscale("log", base=2)
    axes.axvline(1, color="grey", linewidth=0.8)
    axes.set_xlabel("ours / compared with; the black stroke is the target")
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _postgresql() -> str:
    try:
        said = subprocess.check_output([str(find_binaries() / "initdb"), "--version"], text=True)
    except NoServer:
        return "none"
    return said.split()[2]
