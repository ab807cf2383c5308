"""What the house forbids, looked for in the source itself."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted(path for folder in ("engine", "workflows") for path in (ROOT / folder).rglob("*.py"))
CLOCK = ROOT / "engine/statewright/clock.py"
DATABASES = {
    *(ROOT / "engine/statewright/dialects").glob("*.py"),
    ROOT / "engine/statewright/store.py",
    # Each database changes its tables in another way.
    ROOT / "engine/statewright/migrations/revision.py",
}

each_module = pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))


@each_module
def test_only_the_clock_reads_the_time(path: Path) -> None:
    readings = "\n".join(readings_of_the_time(tree(path)))
    assert path == CLOCK or not readings, readings


@each_module
def test_only_the_dialects_and_the_store_know_which_database_it_is(path: Path) -> None:
    names = "\n".join(names_of_databases(tree(path)))
    assert path in DATABASES or not names, names


@each_module
def test_a_file_is_read_in_one_sitting(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 500


@each_module
def test_a_module_opens_with_one_sentence(path: Path) -> None:
    first_line = (ast.get_docstring(tree(path)) or "").partition("\n")[0]
    assert first_line.endswith("."), f"expected a sentence on the first line, got {first_line!r}"


@pytest.mark.parametrize(
    "code",
    [
        "datetime.now(UTC)",
        "datetime.datetime.now()",
        "date.today()",
        "Field(default_factory=datetime.utcnow)",
        "time.time()",
        "func.now()",
        "sa.func.current_timestamp()",
        "text('CURRENT_TIMESTAMP')",
        "text(f'SELECT {x}, now()')",
        "execute(\"SELECT datetime('now')\")",
        "from datetime import datetime as dt; dt.now()",
        "from time import time",
    ],
)
def test_every_way_to_read_the_time_is_seen(code: str) -> None:
    assert [*readings_of_the_time(ast.parse(code))] != []


@pytest.mark.parametrize("code", ["'never datetime.now()'", "clock.now()", "# CURRENT_TIMESTAMP", "time.sleep(1)"])
def test_talking_about_the_time_is_no_reading(code: str) -> None:
    assert [*readings_of_the_time(ast.parse(code))] == []


@pytest.mark.parametrize(
    "code",
    [
        "dialect == 'sqlite'",
        "text('x').ddl_if(dialect='postgresql')",
        "text('PRAGMA foreign_keys')",
        "text('SELECT name FROM sqlite_master')",
        "import sqlite3",
        "from sqlalchemy.dialects import postgresql",
    ],
)
def test_every_way_to_name_a_database_is_seen(code: str) -> None:
    assert [*names_of_databases(ast.parse(code))] != []


@pytest.mark.parametrize(
    "code", ["open('sqlite:///a.db')", "f'sqlite:///{path}'", "'postgresql+psycopg://db/ads'"]
)
def test_a_url_may_be_passed_on_by_anybody(code: str) -> None:
    assert [*names_of_databases(ast.parse(code))] == []


TIME = {
    *("datetime.now", "datetime.today", "datetime.utcnow", "date.today"),
    *("time.time", "time.time_ns", "time.localtime", "time.gmtime"),
    *("func.now", "func.current_timestamp", "func.current_date", "func.current_time", "func.sysdate"),
}
TIME_IN_SQL = re.compile(r"CURRENT_(TIMESTAMP|DATE|TIME)\b|\bnow\(\)|'now'", re.IGNORECASE)
DATABASE = re.compile(r"\b(sqlite|postgresql)\b(?!(\+\w+)?:)|\bsqlite_(master|schema)\b|\bPRAGMA\b")


def readings_of_the_time(module: ast.Module) -> Iterator[str]:
    """What in the code, not in its prose, asks what time it is."""
    imported = {
        (alias.asname or alias.name): f"{node.module}.{alias.name}"
        for node in ast.walk(module)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    yield from (name for name in imported.values() if name in TIME)
    for node in code(module):
        if isinstance(node, ast.Attribute):
            owner = last_name(node.value)
            name = f"{last_name(imported.get(owner, owner))}.{node.attr}"
            if name in TIME or node.attr == "utcnow":
                yield f"line {node.lineno}: {name}"
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and TIME_IN_SQL.search(node.value):
            yield f"line {node.lineno}: {node.value}"


def names_of_databases(module: ast.Module) -> Iterator[str]:
    """What in the code, not in its prose, holds for one database only."""
    for node in code(module):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and DATABASE.search(node.value):
            yield f"line {node.lineno}: {node.value}"
        elif isinstance(node, ast.Import | ast.ImportFrom):
            modules = [getattr(node, "module", None) or "", *(alias.name for alias in node.names)]
            if any(name.startswith(("sqlite3", "psycopg", "sqlalchemy.dialects")) for name in modules):
                yield f"line {node.lineno}: import of {' '.join(filter(None, modules))}"


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def code(module: ast.Module) -> Iterator[ast.AST]:
    """Every node but docstrings and the strings below attributes that explain them."""
    prose = {id(node.value) for node in ast.walk(module) if isinstance(node, ast.Expr)}
    return (node for node in ast.walk(module) if not (isinstance(node, ast.Constant) and id(node) in prose))


def last_name(node: ast.expr | str) -> str:
    """`now` of `datetime.datetime.now`."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case str():
            return node.rpartition(".")[2]
        case _:
            return ""
