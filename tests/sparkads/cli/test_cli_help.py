"""Help that teaches, and that is quick."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer.main

from sparkads.cli.app import DATABASE, ERRANDS, NOUNS, PLACES, app, load
from sparkads.columns import ADS, CODES
from sparkads.workflows import WORKFLOWS

HEAVY = ("sqlmodel", "sqlalchemy", "statemachine", "pydantic", "apscheduler", "rich")
WORKFLOW = {
    "codes": "video_code",
    "ads": "spark_ad",
    "posts": "post",
    "accounts": "ad_account",
    "campaigns": "campaign",
    "groups": "ad_group",
}

COMMANDS: list[tuple[str, ...]] = [
    *((errand,) for errand in ERRANDS),
    *((noun, verb) for noun in (*NOUNS, *DATABASE) for verb in load(noun).commands),
]


def test_help_lists_every_command_with_its_purpose(terminal):
    said = terminal("--help")
    for name, (_, purpose) in PLACES.items():
        assert name in said
        assert purpose in " ".join(said.split())


def test_help_explains_the_exit_codes(terminal):
    said = terminal("--help")
    for line in ("0  done", "1  refused by a rule", "2  wrong use", "3  trouble with the database"):
        assert line in said


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_has_a_purpose_an_example_and_its_environment_variables(terminal, words):
    said = terminal(*words, "--help")
    purpose = said.split("\n\n")[1]
    assert purpose.strip()[0].isupper()
    assert "\n  Example" in said
    assert f"    sparkads {' '.join(words)}" in said or "| sparkads" in said
    assert "SPARKADS_DB" in said
    assert "--json" in said


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_purpose_is_one_line_of_a_list(words):
    command: Any = load(words[0])
    if len(words) > 1:
        command = command.commands[words[1]]
    assert len(command.short_help) < 110
    if len(words) == 1:
        assert command.short_help == ERRANDS[words[0]][1]


@pytest.mark.parametrize("noun", NOUNS)
def test_a_noun_alone_shows_its_commands(terminal, noun):
    said = terminal(noun, code=2)
    for verb in load(noun).commands:
        assert verb in said


@pytest.mark.parametrize("noun", NOUNS)
def test_every_event_that_people_send_is_a_command(noun):
    workflow = WORKFLOWS[WORKFLOW[noun]]
    sent = {event.replace("_", "-") for event in workflow.decisions.events if event not in workflow.automatic}
    # a group that runs on is rescheduled without an end
    assert sent - {"run-on"} <= set(load(noun).commands)
    assert {"list", "show", "can", "history"} <= set(load(noun).commands)


@pytest.mark.parametrize("noun", NOUNS)
def test_the_help_of_list_names_every_state(terminal, noun):
    said = " ".join(terminal(noun, "list", "--help").split())
    *others, last = WORKFLOWS[WORKFLOW[noun]].decisions.states
    assert f"{', '.join(others)} or {last}" in said


def test_the_help_of_import_names_the_columns_that_must_be_there(terminal):
    said = " ".join(terminal("import", "--help").split())
    for kind in (CODES, ADS):
        *others, last = kind.required
        assert f"{', '.join(others)} and {last}" in said


def test_import_tells_every_column(terminal):
    said = terminal("import", "--columns")
    for kind in (CODES, ADS):
        for column in kind:
            assert column.told or f"  {column.name} " in said
            assert column.told or column.meaning in said


def test_a_misspelt_command_is_told_from_one_that_exists(terminal):
    assert terminal.refusal("code", code=2) == (
        "no such command 'code'. Did you mean 'codes'?; see `sparkads --help`"
    )


def test_the_version_is_told(terminal):
    assert terminal("--version").startswith("sparkads")


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["--version"],
        ["codes"],
        ["codes", "--help"],
        ["codes", "list", "--help"],
        ["import", "--help"],
        ["nope"],
        ["codes", "nope"],
        ["codes", "list", "--nope"],
        ["codes", "show"],
        ["codes", "receive", "x"],
        ["codes", "extend", "1", "--days", "many"],
        ["forecast", "--days", "-1"],
        ["force", "nothing", "1", "live", "--reason", "x"],
        ["diagram", "nothing"],
        ["db", "upgrade", "--help"],
    ],
    ids=" ".join,
)
def test_help_and_wrong_use_load_nothing_heavy(tmp_path, words):
    program = (
        "import sys; sys.argv[1:] = " + repr(words) + "\n"
        "from sparkads.cli import main\n"
        "try: main()\n"
        "finally: print('loaded', sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"PYTHONPATH": f"{root / 'engine'}:{root / 'workflows'}"},
        check=False,
    )
    loaded = done.stderr.splitlines()[-1]
    assert loaded.startswith("loaded")
    assert [name for name in HEAVY if f"'{name}'" in loaded] == []


def test_the_library_finds_every_command_for_completion():
    root: Any = typer.main.get_command(app)
    context = root.make_context("sparkads", ["codes"], resilient_parsing=True)
    _, group, _ = root.resolve_command(context, ["codes"])
    assert "receive" in group.commands
