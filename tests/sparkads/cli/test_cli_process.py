"""`sparkads` as a process: exit codes, pipes, signals, terminals, and no stack trace."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import sqlite3
import subprocess
import sys
import termios
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sparkads.portfolio import SparkAds
from sparkads.settings import Settings
from sparkads.workflows import WORKFLOWS

SECRET = "#kZ7+q81/aBcDeFgHiJk="


@pytest.fixture
def portfolio(tmp_path) -> Path:
    """A file with an account and a code that ended a day ago, by the machine's own clock."""
    file = tmp_path / "sparkads.db"
    fill(f"sqlite:///{file}")
    return Path(file)


@pytest.fixture
def anywhere(new_place) -> str:
    """The same in any database: its URL."""
    url: str = new_place().url
    fill(url)
    return url


def fill(url: str) -> None:
    spark = SparkAds(url, settings=Settings())
    spark.accounts.add("Brand", actor="ana")
    post = spark.posts.add("7301234567890123456", creator="mia", actor="ana")
    spark.codes.receive(SECRET, post=post, days=7, issued_at=datetime.now(UTC) - timedelta(days=8), actor="ana")
    spark.close()


def ended(process: subprocess.Popen[str], *, stdin: str = "") -> tuple[int, str, str]:
    out, err = process.communicate(stdin, timeout=60)
    return process.returncode, out, err


def left_behind(url: str, told: str) -> str:
    """Show a code of a database, and tell something about the process afterwards."""
    program = (
        f"import gc, sys; sys.argv[1:] = ['--db', {url!r}, 'codes', 'show', '1']\n"
        f"from sparkads.cli import main\ntry: main()\nfinally: print({told}, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    return done.stderr.strip()


def test_a_database_is_read_without_loading_what_is_known_of_the_other_kind(anywhere):
    others = "sqlalchemy.dialects.sqlite", "sqlite3"
    if anywhere.startswith("sqlite"):
        others = "sqlalchemy.dialects.postgresql", "psycopg"
    assert left_behind(anywhere, f"[name for name in {others} if name in sys.modules]") == "[]"


def test_garbage_is_looked_for_once_all_is_loaded(portfolio):
    assert left_behind(f"sqlite:///{portfolio}", "gc.isenabled(), gc.get_freeze_count() > 0") == "True True"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["codes", "list"], 0),
        (["codes", "show", "1"], 0),
        (["codes", "show", "2"], 1),
        (["codes", "authorize", "1"], 1),
        (["codes", "show", "x"], 2),
        (["codes", "sow"], 2),
        ([], 2),
        (["--db", "sqlite:///other.db", "codes", "list"], 3),
    ],
)
def test_the_exit_code_tells_how_it_ended(start, portfolio, words, code):
    found, out, err = ended(start(*words))
    assert (found, bool(err)) == (code, code != 0), err
    assert "Traceback" not in out + err


def test_a_bug_is_told_without_a_stack_trace(start, portfolio):
    with closing(sqlite3.connect(portfolio)) as connection:
        connection.execute("UPDATE video_code SET days = 'seven', issued_at = 'never'")
        connection.commit()
    code, out, err = ended(start("codes", "show", "1"))
    assert (code, out) == (3, "")
    assert err.count("\n") == 1
    assert err.startswith("unexpected: ")
    assert err.endswith("; please report\n")


def test_whoever_looks_for_a_bug_sees_the_stack_trace(start, portfolio):
    _, _, err = ended(start("codes", "show", "2", SPARKADS_DEBUG="1"))
    assert "Traceback (most recent call last)" in err
    assert err.endswith("there is no video code 2\n")


def test_a_reader_who_has_seen_enough_is_no_error(start, portfolio):
    process = start("codes", "show", "1", PYTHONUNBUFFERED="1")
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (141, "")


def test_codes_go_from_hand_to_hand_through_pipes(start, portfolio):
    words = ("--post", "1", "--days", "7", "--json")
    code, out, err = ended(start("codes", "receive", "-", *words), stdin="#another+code/abcdef=\n")
    assert (code, err) == (0, "")
    assert json.loads(out)["state"] == "pending"


def test_the_daemon_writes_what_moved_and_how_it_fares(start, anywhere):
    code, out, err = ended(start("daemon", "--once", SPARKADS_DB=anywhere))
    assert code == 0
    assert "video_code 1: pending -> expired by expire" in out
    assert "expire 1 video code" in err
    assert SECRET not in out + err
    code, out, err = ended(start("daemon", "--once", SPARKADS_DB=anywhere))
    assert (code, out, err) == (0, "", "")


def test_the_daemon_writes_lines_for_programs(start, anywhere):
    _, out, err = ended(start("daemon", "--once", "--json-logs", SPARKADS_DB=anywhere))
    assert [json.loads(line)["event"] for line in out.splitlines()][-1] == "expire"
    (line,) = map(json.loads, err.splitlines())
    assert line["moved"] == {"video_code.expire": 1}


def test_the_daemon_writes_as_the_settings_say(start, anywhere):
    _, out, _ = ended(start("daemon", "--once", SPARKADS_LOG_FORMAT="json", SPARKADS_DB=anywhere))
    assert json.loads(out.splitlines()[0])["event"] == "start"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_daemon_ends_when_it_is_told_to(start, anywhere, number):
    process = start("daemon", SPARKADS_DB=anywhere)
    assert process.stderr is not None
    assert "watching" in process.stderr.readline()
    assert "expire 1 video code" in process.stderr.readline()
    process.send_signal(number)
    code, _, err = ended(process)
    assert code == 0
    spark = SparkAds(anywhere, settings=Settings())
    assert err.rstrip().endswith(f"stopped watching {spark.store.name}")
    assert spark.codes.get(1).state == "expired"
    spark.close()


def test_the_daemon_makes_the_database_that_is_missing(start, tmp_path):
    code, _, _ = ended(start("daemon", "--once"))
    assert code == 0
    assert (tmp_path / "sparkads.db").exists()


def at_a_terminal(
    start, *words: str, typed: str = "", interrupted: bool = False, columns: int = 80
) -> tuple[int, str]:
    """Run `sparkads` at a terminal, and read the screen.

    typed, interrupted: what is done once the terminal no longer shows what is typed
    """
    screen, keyboard = pty.openpty()
    process = start(*words, terminal=keyboard, COLUMNS=str(columns), TERM="xterm")
    os.close(keyboard)
    said = b""
    asked = False
    try:
        while True:
            if not asked and not termios.tcgetattr(screen)[3] & termios.ECHO:
                asked = True
                os.write(screen, typed.encode())
                if interrupted:
                    process.send_signal(signal.SIGINT)
            if select.select([screen], [], [], 0.01)[0]:
                said += os.read(screen, 10_000)
    except OSError:
        pass  # the other end of the terminal is gone
    os.close(screen)
    return process.wait(60), said.decode()


def test_ctrl_c_is_quiet(start, portfolio):
    words = ("codes", "receive", "--post", "1", "--days", "7")
    code, screen = at_a_terminal(start, *words, interrupted=True)
    assert code == 130
    assert screen.strip() == "video code:"


def test_at_a_terminal_the_code_is_asked_for_and_not_shown(start, portfolio):
    words = ["codes", "receive", "--post", "1", "--days", "7"]
    code, screen = at_a_terminal(start, *words, typed="#another+code/abcdef=\n")
    assert code == 0
    assert "video code:" in screen
    assert "another" not in screen.replace("#ano", "")
    assert "is pending" in screen


def test_tables_fit_a_terminal_and_show_states_in_colour(start, portfolio):
    code, screen = at_a_terminal(start, "codes", "list")
    assert code == 0
    assert "\x1b[33mpending" in screen
    lines = [strip(line) for line in screen.splitlines()]
    assert max(map(len, lines)) <= 80
    assert "#kZ7…k=" in lines[1]
    assert "@mia" in lines[1]


def test_nothing_is_cut_where_a_terminal_is_narrow(start, portfolio):
    _, screen = at_a_terminal(start, "codes", "list", columns=60)
    joined = "".join(strip(line) for line in screen.splitlines()).replace(" ", "")
    for word in ("#kZ7…k=", "@mia", "pendi"):
        assert word in joined


def strip(line: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", line).rstrip()


def test_a_terminal_without_the_letters_is_no_error(start, portfolio):
    code, out, _ = ended(start("codes", "list", PYTHONIOENCODING="ascii"))
    assert code == 0
    assert "#kZ7" in out


def test_the_states_that_have_colours_are_states():
    from sparkads.cli.show import STYLES, state

    known = {state(name) for workflow in WORKFLOWS.values() for name in workflow.decisions.states}
    assert set(STYLES) <= known
    assert known - set(STYLES) <= {"private"}
