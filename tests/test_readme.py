"""What the README shows is what happens: its Python runs, and its commands answer as printed."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def test_the_library_call_of_the_readme_runs_and_prints_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    source = "".join(blocks("python"))
    promised = re.findall(r"^ *# > (.*)", source, flags=re.MULTILINE)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(source, "README.md", "exec"), {})  # noqa: S102 - our own text
    assert printed.getvalue().splitlines() == promised
    assert promised


def test_the_commands_of_the_readme_answer_as_it_says(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "config", tmp_path / "config")
    steps = re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", "".join(blocks("console")), flags=re.MULTILINE)
    assert steps
    for command, promised in steps:
        said = run(command, tmp_path)
        assert fits(promised, said), f"$ {command}\nshould say\n{promised}\nsaid\n{said}"


def run(command: str, folder: Path) -> str:
    """What a `sparkads` command prints, on a terminal of 100 columns and with no settings from outside."""
    program, *arguments = shlex.split(command)
    assert program == "sparkads"
    done = subprocess.run(
        [sys.executable, "-m", "sparkads.cli", *arguments],
        cwd=folder,
        env={**os.environ, "COLUMNS": "100", "SPARKADS_ACTOR": "ana"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    return done.stdout + done.stderr


def fits(promised: str, said: str) -> bool:
    """Whether a text is as promised; `...` stands for anything, and blanks at the ends of lines do not count."""
    pattern = ".*?".join(map(re.escape, "\n".join(map(str.rstrip, promised.splitlines())).split("...")))
    return re.fullmatch(pattern, "\n".join(map(str.rstrip, said.splitlines())), flags=re.DOTALL) is not None
