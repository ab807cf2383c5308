"""What bad input gets: one clear sentence, the right exit code, and nothing half written."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from sparkads.tables import SCHEMA

STATES = ("pending", "authorized", "in_review", "live", "expired", "rejected", "revoked", "deleted")
SECRET = "#kZ7+q81/aBcDeFgHiJk="
RECEIVE = ("codes", "receive", SECRET, "--post", "1", "--days", "7")


@pytest.fixture
def post(desk):
    return desk.post("mia")


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        # a wrong code
        (
            ["codes", "receive", "  ", "--post", "1", "--days", "7"],
            2,
            "expected a video code, got nothing; copy it again from the creator's message",
        ),
        (
            ["codes", "receive", "#abc def", "--post", "1", "--days", "7"],
            2,
            "expected one video code, got text with a gap or an invisible character inside; copy the code alone",
        ),
        # an unknown id
        (["codes", "show", "99"], 1, "there is no video code 99"),
        (["ads", "submit", "99"], 1, "cannot submit spark ad 99: there is no such spark ad"),
        (["posts", "show", "99"], 1, "there is no post 99"),
        (
            ["posts", "show", "7309999999999999999"],
            1,
            "there is no post 7309999999999999999; `sparkads posts add` enters it",
        ),
        (
            ["accounts", "show", "Nobody"],
            1,
            'there is no ad account "Nobody"; `sparkads accounts list` shows them',
        ),
        (["groups", "create", "99", "G"], 1, "there is no campaign 99"),
        # no id at all
        (
            ["codes", "show", SECRET],
            2,
            "expected the id of a video code, a whole number such as 7; `list` shows them",
        ),
        (
            ["codes", "show", "0"],
            2,
            "expected the id of a video code, a whole number such as 7; `list` shows them",
        ),
        (["ads", "show", "٣"], 2, "expected the id of a spark ad, a whole number such as 7; `list` shows them"),
        (
            ["ads", "show", "9" * 50],
            2,
            "expected the id of a spark ad, a whole number such as 7; `list` shows them",
        ),
        # a wrong duration
        (
            ["codes", "receive", SECRET, "--post", "1", "--days", "8"],
            2,
            "expected the days to be one of 7, 30, 60, 365; got 8",
        ),
        (["codes", "extend", "1", "--days", "8"], 2, "expected the days to be one of 7, 30, 60, 365; got 8"),
        (
            ["codes", "extend", "1", "--days", "a week"],
            2,
            "expected --days to be a whole number from 1 to 3,650, got 'a week'",
        ),
        # a date without a zone, in 9999, or none at all
        (
            [*RECEIVE, "--issued", "2026-03-01"],
            2,
            "expected the instant of issue to have a time zone, got 2026-03-01; write 2026-03-01T00:00Z for UTC",
        ),
        (
            [*RECEIVE, "--issued", "9999-12-31T23:59:59Z"],
            2,
            "expected the instant of issue to be in the years 1970 to 8999, got 9999-12-31T23:59:59+00:00",
        ),
        (
            [*RECEIVE, "--issued", "9999-12-31T23:59:59-23:00"],
            2,
            "expected the instant of issue to be in the years 1970 to 8999, got 9999-12-31T23:59:59-23:00",
        ),
        (
            [*RECEIVE, "--issued", "now-999999999d"],
            2,
            "expected the instant of issue to be in the years 1970 to 8999, got now-999999999d",
        ),
        (
            [*RECEIVE, "--issued", "yesterday"],
            2,
            "expected the instant of issue as in 2026-03-01T10:00Z, or now, or now-3d; got 'yesterday'",
        ),
        (
            [*RECEIVE, "--issued", "now+1d"],
            2,
            "expected the code to be issued already, got 2026-03-02T12:30:15.123456+00:00, which is yet to come",
        ),
        (
            ["tick", "--dry-run", "--at", "9999-01-01T00:00Z"],
            2,
            "expected the instant of the rehearsal to be in the years 1970 to 8999, got 9999-01-01T00:00:00+00:00",
        ),
        # a negative number
        (
            ["campaigns", "create", "C", "--budget", "-5"],
            2,
            "expected the budget to be a whole number from 1 to 999,999,999,999, got '-5'",
        ),
        (["campaigns", "set-budget", "1", "-5"], 2, "expected no negative number here, got -5"),
        (["forecast", "--days", "-1"], 2, "expected --days to be a whole number from 0 to 36,500, got '-1'"),
        (
            ["codes", "list", "--limit", "-1"],
            2,
            "expected --limit to be a whole number from 1 to 1,000,000, got '-1'",
        ),
        (
            ["codes", "expiring", "--within", "-1"],
            2,
            "expected --within to be a whole number from 0 to 36,500, got '-1'",
        ),
        (
            ["codes", "list", "--limit", "9" * 5000],
            2,
            f"expected --limit to be a whole number from 1 to 1,000,000, got '{'9' * 80}'",
        ),
        # a wrong state, kind or handle
        (
            ["codes", "list", "--state", "dead"],
            2,
            f"expected a state of {', '.join(STATES)}; got 'dead'",
        ),
        (["codes", "list", "--creator", "mia; --"], 2, "expected a TikTok handle like @mia, got 'mia; --'"),
        # an option that is empty, as from a variable that was never set: it does not mean all there are
        (["codes", "revoke", "--all", "--creator", ""], 2, "expected a TikTok handle like @mia, got ''"),
        (["ads", "delete", "--all", "--creator", ""], 2, "expected a TikTok handle like @mia, got ''"),
        (["posts", "list", "--creator", ""], 2, "expected a TikTok handle like @mia, got ''"),
        (["codes", "delete", "--all", "--post", ""], 2, "expected a post's id or URL, got nothing"),
        (
            ["ads", "delete", "--all", "--campaign", ""],
            2,
            "expected the id of a campaign, a whole number such as 7; `list` shows them",
        ),
        (
            ["codes", "extend", "--all", "--days", "7", "--within", ""],
            2,
            "expected --within to be a whole number from 0 to 36,500, got ''",
        ),
        (["campaigns", "create", "C", "--objective", ""], 2, "expected an objective, got nothing"),
        # a code in the wrong place is not repeated
        (
            ["codes", "list", "--post", SECRET],
            2,
            (
                "expected a post as its id (about 19 digits) or its URL like "
                "https://www.tiktok.com/@mia/video/7301234567890123456, got '#kZ7…k='"
            ),
        ),
        (["accounts", "show", SECRET], 1, 'there is no ad account "#kZ7…k="; `sparkads accounts list` shows them'),
        (
            ["codes", "show", "1", SECRET],
            2,
            "got unexpected extra argument(s) (#kZ7…=); see `sparkads codes show --help`",
        ),
        (
            ["posts", "add", "7300000000000000009", "--creator", "mia", "--kind", "remix"],
            2,
            "expected the kind of post to be one of original, duet, stitch; got 'remix'",
        ),
        (
            ["force", "codes", "1", "dead", "--reason", "x"],
            2,
            f"expected a state of {', '.join(STATES)}; got 'dead'",
        ),
        (
            ["force", "codes", "1", "live", "--reason", " "],
            2,
            "cannot force video code 1: a move by hand needs a reason",
        ),
        (
            ["codes", "authorize", "1", "--actor", " "],
            2,
            "expected a name for the history; give it with --actor or SPARKADS_ACTOR",
        ),
    ],
)
def test_wrong_input_gets_one_sentence_and_changes_nothing(sparkads, desk, words, code, sentence):
    desk.pending_code(desk.post("mia"))
    before = desk.everything()
    assert sparkads.refusal(*words, code=code) == sentence
    assert SECRET not in sentence
    assert desk.everything() == before


@pytest.mark.parametrize("name", ["Robert'); DROP TABLE ad_account;--", '"; --', "%s %(x)s {0}", "[bold]B[/bold]"])
def test_sql_and_markup_in_a_name_are_a_name(sparkads, name):
    sparkads("accounts", "add", name)
    assert name in sparkads("accounts", "list")
    assert sparkads.json("accounts", "show", name)["name"] == name


def test_a_name_that_would_steer_the_terminal_is_refused(sparkads):
    assert sparkads.refusal("accounts", "add", "a\x1b[31mb", code=2) == (
        "expected a name for the account to be plain text, got control characters in it"
    )


def test_a_caption_that_would_steer_the_terminal_is_shown_harmless(sparkads, desk):
    desk.post("mia", caption="a\x1b[31mb\nc")
    assert "\x1b" not in sparkads("posts", "show", "1")


def test_text_that_is_not_utf_8_is_refused(sparkads):
    assert sparkads.refusal("accounts", "add", "caf\udce9", code=2) == (
        "expected text in UTF-8, got other bytes in argument 3"
    )


def test_a_code_that_is_not_utf_8_is_refused(sparkads, post):
    words = ("codes", "receive", "-", "--post", "1", "--days", "7")
    assert sparkads.refusal(*words, stdin=b"\xff\xfe\xe9", code=2) == (
        "expected a video code in UTF-8 on standard input, got other bytes"
    )


def test_a_code_that_is_there_already_is_refused_without_being_told(sparkads, desk, post):
    sparkads(*RECEIVE)
    said = sparkads.refusal(*RECEIVE)
    assert said == 'cannot receive code #kZ7…k=: account "Brand" has it already, as video code 1 (pending)'


def test_a_missing_database_is_not_made_by_asking(terminal, tmp_path):
    for words in (["codes", "list"], ["codes", "authorize", "1"], ["tick"], ["status"], ["forecast"]):
        assert terminal.refusal(*words, code=3) == (
            'there is no database at "sparkads.db"; '
            "`sparkads import FILE` and `sparkads accounts add NAME` make one"
        )
    assert list(tmp_path.iterdir()) == []


def test_an_empty_file_is_no_portfolio(terminal, tmp_path):
    (tmp_path / "sparkads.db").touch()
    assert terminal.refusal("codes", "list", code=3).startswith(
        'the database "sparkads.db" holds no tables of sparkads'
    )


def test_a_database_in_a_missing_folder_is_told(terminal):
    said = terminal.refusal("accounts", "add", "Brand", "--db", "sqlite:///missing/sparkads.db", code=3)
    assert said == 'cannot make the database "missing/sparkads.db": there is no folder "missing"'


def test_a_file_that_is_no_database_is_told(terminal, tmp_path):
    (tmp_path / "sparkads.db").write_text("Dear diary, " * 100)
    assert terminal.refusal("codes", "list", code=3) == (
        'cannot use "sparkads.db": the file is not an SQLite database'
    )


def test_a_database_of_somebody_else_is_left_alone(terminal, tmp_path):
    with closing(sqlite3.connect(tmp_path / "sparkads.db")) as theirs:
        theirs.execute("CREATE TABLE campaign (id INTEGER)")
    said = terminal.refusal("accounts", "add", "Brand", code=3)
    assert (
        said == 'cannot use the database "sparkads.db": it has a table "campaign" that this program did not make'
    )


def test_a_database_of_a_newer_program_is_told(terminal, own_desk):
    own_desk.sql("UPDATE alembic_version SET version_num = 'sparkads_99' WHERE version_num LIKE 'sparkads%'")
    said = terminal.refusal("codes", "list", code=3)
    assert f"of version 99, this program expects {SCHEMA.version}; install the newer program" in said


@pytest.fixture
def somebody() -> Iterator[None]:
    """Somebody without the rights of root, whom no file's mode stops."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def read_only(terminal, desk_in_a_file, monkeypatch) -> Iterator[Path]:
    """The desk's database, where everybody may look at it and nobody may write."""
    desk_in_a_file.pending_code(desk_in_a_file.post("mia"))
    desk_in_a_file.spark.close()
    with TemporaryDirectory() as folder:
        file = Path(folder) / "sparkads.db"
        shutil.copy(desk_in_a_file.file, file)
        file.chmod(0o444)
        Path(folder).chmod(0o555)
        monkeypatch.chdir(folder)
        terminal.environment["SPARKADS_DB"] = f"sqlite:///{file}"
        yield file
        Path(folder).chmod(0o700)


def test_a_read_only_file_is_told(terminal, read_only, somebody):
    said = terminal.refusal("codes", "authorize", "1", code=3)
    assert said == f'cannot write to the database "{read_only}": it or its folder is read-only'


def test_a_locked_database_is_told_after_a_while(sparkads, desk):
    desk.pending_code(desk.post("mia"))
    with desk.place.locked():
        said = sparkads.refusal("codes", "authorize", "1", code=3)
        name = desk.spark.store.name
        assert said == f'the database "{name}" is locked by another program; try again when it is done'
        assert len(sparkads.json("codes", "list")) == 1
    assert "is authorized" in sparkads("codes", "authorize", "1")


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        (
            "portfolio.db",
            "settings: expected database to be a URL such as sqlite:///sparkads.db, got 'portfolio.db'",
        ),
        ("sqlite:///:memory:", "cannot keep rows in memory: name a file, as in sqlite:///file.db"),
    ],
)
def test_a_wrong_url_is_told(terminal, url, sentence):
    assert terminal.refusal("--db", url, "codes", "list", code=3) == sentence


def test_wrong_settings_are_told(terminal, tmp_path):
    (tmp_path / "sparkads.toml").write_text("batch = 0\n")
    assert terminal.refusal("codes", "list", code=3) == (
        "sparkads.toml: expected batch to be a whole number from 1 to 1000000, got 0"
    )
    assert terminal.refusal("codes", "list", "--config", "other.toml", code=3) == (
        "other.toml: there is no such file; create it or name another"
    )
