"""`force`, `check` and `diagram`: for whoever looks after a portfolio."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from tests.sparkads.places import File

from sparkads.cli.lives import PAST
from sparkads.workflows import WORKFLOWS
from statewright.diagram import markdown, mermaid


def test_a_move_by_hand_is_recorded_as_that_and_takes_the_ads_along(sparkads, desk):
    post = desk.post("mia")
    desk.code(post)
    desk.live(post, name="Spring")
    assert sparkads.lines("force", "codes", "1", "expired", "--reason", "TikTok says so") == [
        'video code 1 "#kZ7…g=" is expired',
        '  with it, spark ad 1 "Spring": live -> expired',
    ]
    last = sparkads.json("codes", "history", "1")[-1]
    assert (last["event"], last["reason"], last["actor"]) == ("force", "TikTok says so", "ana")
    assert sparkads.json("ads", "history", "1")[-1]["because"] == "because video code 1 was moved by hand"


@pytest.mark.parametrize(
    ("noun", "row", "state"),
    [
        ("ads", "1", "paused"),
        ("posts", "7300000000000000001", "private"),
        ("accounts", "Brand", "closed"),
        ("campaigns", "1", "deleted"),
        ("groups", "1", "deleted"),
    ],
)
def test_any_row_can_be_moved_by_hand(sparkads, desk, noun, row, state):
    post = desk.post("mia")
    desk.code(post)
    desk.live(post)
    assert f"is {state}" in sparkads("force", noun, row, state, "--reason", "because")


def test_a_move_by_hand_needs_a_reason(sparkads):
    assert sparkads.refusal("force", "codes", "1", "expired", code=2) == (
        "missing option --reason; see `sparkads force --help`"
    )


def test_a_move_to_where_it_is_already_is_refused(sparkads, desk):
    desk.code(desk.post("mia"))
    assert sparkads.refusal("force", "codes", "1", "authorized", "--reason", "x") == (
        "cannot force video code 1: it is authorized already"
    )


def test_a_kind_of_row_that_is_none_is_told(sparkads):
    assert sparkads.refusal("force", "code", "1", "live", "--reason", "x", code=2) == (
        "expected one of codes, ads, posts, accounts, campaigns, groups; got 'code'"
    )


def test_everything_that_is_checked_is_listed(sparkads, desk):
    lines = sparkads.lines("check")
    assert [line.split()[0] for line in lines] == ["ok"] * 6
    assert [line.split(":")[0].split(maxsplit=1)[1] for line in lines] == [
        "configuration",
        "charts",
        "database",
        "schema version",
        "schema",
        "writing",
    ]
    assert all(each["ok"] for each in sparkads.json("check"))


@pytest.mark.parametrize(
    ("statement", "missing"),
    [
        ("DROP INDEX ix_video_code_expire_due_at", "ix_video_code_expire_due_at"),
        ("DROP TRIGGER video_code_is_kept_while_used{on_its_table}", "video_code_is_kept_while_used"),
    ],
)
def test_a_database_that_drifted_is_found(terminal, own_desk, statement, missing):
    on_its_table = "" if isinstance(own_desk.place, File) else " ON video_code"
    own_desk.sql(statement.format(on_its_table=on_its_table))
    result = terminal.run("check")
    assert result.exit_code == 3
    assert f"NOT OK  schema: {missing} is missing" in result.stdout


def test_a_check_that_somebody_dropped_is_found(terminal, own_desk):
    if isinstance(own_desk.place, File):
        with closing(sqlite3.connect(own_desk.file, isolation_level=None)) as connection:
            (words,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'video_code'").fetchone()
            changed = "\n".join(line for line in words.splitlines() if "ck_video_code_state" not in line)
            assert changed != words
            connection.execute("PRAGMA writable_schema = ON")
            connection.execute("UPDATE sqlite_master SET sql = ? WHERE name = 'video_code'", (changed,))
        problem = "video_code is not as the code expects it"
    else:
        own_desk.sql("ALTER TABLE video_code DROP CONSTRAINT ck_video_code_state")
        problem = "ck_video_code_state is missing"
    result = terminal.run("check")
    assert result.exit_code == 3
    assert f"NOT OK  schema: {problem}" in result.stdout


def test_wrong_settings_are_found(sparkads, tmp_path):
    (tmp_path / "sparkads.toml").write_text("hartbeat = 1\n")
    result = sparkads.run("check")
    assert result.exit_code == 3
    assert result.stdout == (
        "NOT OK  configuration: sparkads.toml: there is no setting 'hartbeat'; did you mean heartbeat?\n"
    )


def test_a_missing_database_is_found_and_not_made(terminal, tmp_path):
    result = terminal.run("check")
    assert result.exit_code == 3
    assert result.stdout.splitlines()[-1].startswith('NOT OK  database: there is no database at "sparkads.db"')
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "workflow"),
    [
        ("code", "video_code"),
        ("ad", "spark_ad"),
        ("post", "post"),
        ("identity", "identity"),
        ("account", "ad_account"),
        ("campaign", "campaign"),
        ("group", "ad_group"),
    ],
)
def test_a_diagram_is_drawn_from_the_chart(terminal, name, workflow):
    chart = WORKFLOWS[workflow].chart
    assert terminal("diagram", name) == f"{mermaid(chart)}\n{markdown(chart)}"
    assert terminal.json("diagram", name) == {"mermaid": mermaid(chart), "table": markdown(chart)}


def test_whatever_can_cause_a_move_has_its_words_in_history():
    causing = {
        event
        for workflow in WORKFLOWS.values()
        for event in (*workflow.decisions.events, "start", "force")
        if workflow.cascades_of(event)
    }
    assert causing - {"follow"} <= set(PAST)
