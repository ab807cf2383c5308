"""`db`: which version the tables are of, how they become those of this program, and what differs."""

from __future__ import annotations

import pytest
from tests.sparkads import first_release
from tests.sparkads.cli.conftest import Terminal

from sparkads.portfolio import SparkAds
from sparkads.settings import Settings
from sparkads.tables import SCHEMA
from statewright.migrations import ENGINE

VERSIONS = f"statewright {ENGINE.version}, sparkads {SCHEMA.version}"


@pytest.fixture
def older(terminal: Terminal, empty_url: str) -> Terminal:
    """A terminal beside a portfolio of the first release."""
    first_release.restore(empty_url)
    terminal.environment["SPARKADS_DB"] = empty_url
    return terminal


@pytest.fixture
def present(terminal: Terminal, empty_url: str) -> Terminal:
    """A terminal beside a new portfolio."""
    SparkAds(empty_url, settings=Settings()).close()
    terminal.environment["SPARKADS_DB"] = empty_url
    return terminal


@pytest.mark.parametrize(
    "words",
    [
        "codes list",
        "codes authorize 4",
        "accounts add Other",
        "export codes",
        "forecast",
        "status",
        "tick",
        "daemon --once",
        "force codes 4 expired --reason because",
    ],
)
def test_every_other_command_says_what_helps(older, words):
    said = older.refusal(*words.split(), code=3)
    assert said.endswith(
        f"its statewright tables are of version 1, this program expects {ENGINE.version}; "
        "run `sparkads db upgrade`"
    )


def test_an_upgrade_tells_its_steps_and_then_everything_works(older):
    *steps, last = older.lines("db", "upgrade")
    assert steps[0] == "statewright_2: The versions of the tables are kept in the table of Alembic alone."
    assert [step.partition(":")[0] for step in steps] == [
        *(f"statewright_{number}" for number in range(2, ENGINE.version + 1)),
        *(f"sparkads_{number}" for number in range(2, SCHEMA.version + 1)),
    ]
    assert last.startswith('the database "')
    assert last.endswith(f'" has the tables of this program: {VERSIONS}')
    assert len(older.json("codes", "list")) == 9
    assert older.lines("check")[-2].startswith("ok      schema: ")


def test_a_second_upgrade_has_nothing_to_do(older):
    older("db", "upgrade")
    (said,) = older.lines("db", "upgrade")
    assert said.startswith('nothing to do: the database "')
    assert older.json("db", "upgrade")["steps"] == []


def test_an_upgrade_answers_in_json(older):
    answer = older.json("db", "upgrade")
    assert answer["steps"][0] == {
        "revision": "statewright_2",
        "purpose": "The versions of the tables are kept in the table of Alembic alone.",
    }
    assert answer["versions"] == {"statewright": ENGINE.version, "sparkads": SCHEMA.version}


def test_an_upgrade_makes_the_tables_that_are_not_there(terminal, empty_url):
    terminal.environment["SPARKADS_DB"] = empty_url
    steps = terminal.lines("db", "upgrade")[:-1]
    assert steps[0].startswith("statewright_1: ")
    assert steps[-1].startswith(f"sparkads_{SCHEMA.version}: ")
    assert "as this program makes it" in terminal("db", "check")


def test_the_versions_found_stand_beside_those_expected(older):
    lines = older.lines("db", "current")
    assert [line.split() for line in lines] == [
        ["tables", "found", "expected"],
        ["statewright", "1", str(ENGINE.version)],
        ["sparkads", "1", str(SCHEMA.version)],
    ]
    assert older.json("db", "current")[0] == {"tables": "statewright", "found": 1, "expected": ENGINE.version}


def test_a_database_without_tables_has_no_version(terminal, empty_url):
    terminal.environment["SPARKADS_DB"] = empty_url
    assert [each["found"] for each in terminal.json("db", "current")] == [None, None]


def test_a_database_as_expected_is_called_that(present):
    assert present("db", "check").endswith('" is as this program makes it\n')
    assert present.json("db", "check")["differences"] == []


def test_each_difference_is_a_line(present, empty_url):
    first_release.tell(empty_url, "DROP INDEX ix_video_code_expire_due_at")
    first_release.tell(empty_url, "DROP INDEX ix_ad_code_code_id")
    result = present.run("db", "check")
    assert result.exit_code == 1
    assert sorted(result.stdout.splitlines()) == [
        "ix_ad_code_code_id is missing",
        "ix_video_code_expire_due_at is missing",
    ]


def test_an_older_database_differs(older):
    result = older.run("db", "check")
    assert result.exit_code == 1
    assert result.stdout.splitlines()[0] == f"the statewright tables are of version 1, expected {ENGINE.version}"


def test_the_tables_of_a_newer_program_are_left_alone(present, empty_url):
    newer = "UPDATE alembic_version SET version_num = 'sparkads_99' WHERE version_num LIKE 'sparkads%'"
    first_release.tell(empty_url, newer)
    for words in (["db", "upgrade"], ["codes", "list"]):
        said = present.refusal(*words, code=3)
        assert said.endswith(
            f"its sparkads tables are of version 99, this program expects {SCHEMA.version}; "
            "install the newer program"
        )
    assert present.json("db", "current")[1]["found"] == 99


def test_a_missing_file_is_not_made(terminal, tmp_path):
    for words in (["db", "upgrade"], ["db", "current"], ["db", "check"]):
        assert terminal.refusal(*words, code=3).startswith('there is no database at "sparkads.db"; ')
    assert not (tmp_path / "sparkads.db").exists()
