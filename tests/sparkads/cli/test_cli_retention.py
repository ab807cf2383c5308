"""`archive`: what is long over goes into a file, and everybody is told where it is."""

from __future__ import annotations

import gzip
import json

import pytest

NAME = "log-before-2026-05-01T000000Z-of-2026-06-01T123015Z.jsonl.gz"


@pytest.fixture
def over(sparkads, desk):
    """A code and its ad that were deleted in March, a code that goes on; it is June."""
    post = desk.post("mia")
    code = desk.code(post, days=365)
    ad = desk.live(post, name="Spring")
    desk.spark.ads.delete(ad, actor="ana")
    desk.spark.codes.delete(code, actor="ana")
    desk.code(desk.post("leo"), days=365)
    desk.clock.advance(days=92)
    sparkads.travel(days=92)
    return sparkads


def test_what_is_over_goes_into_a_file_and_the_history_says_where(over, tmp_path):
    assert over.lines("archive", "--before", "2026-05-01") == [
        f"{NAME}: 11 moves of 2 finished lives, no longer in the database"
    ]
    assert over.lines("codes", "history", "1") == [f"6 earlier moves are in {NAME}"]
    assert over.lines("ads", "history", "1") == [f"5 earlier moves are in {NAME}"]
    assert over.lines("codes", "history", "2")[0].startswith("when")
    with gzip.open(tmp_path / NAME, "rt") as lines:
        head, *moves = map(json.loads, lines)
    assert head["actor"] == "ana"
    last = {(move["workflow"], move["row_id"]): move["event"] for move in moves}
    assert last == {("spark_ad", 1): "delete", ("video_code", 1): "delete"}


def test_programs_are_told_the_same(over, tmp_path):
    done = over.json("archive", "--before", "2026-05-01T00:00Z", "--into", tmp_path, "--actor", "keeper")
    assert done.pop("sha256")
    assert done == {
        "file": str(tmp_path / NAME),
        "lives": 2,
        "moves": 11,
        "waiting": 0,
        "behind": [],
        "dropped": [],
    }
    assert over.json("codes", "history", "1") == [
        {
            "event": "archive",
            "moves": 6,
            "file": NAME,
            "before": "2026-05-01T00:00:00+00:00",
            "at": "2026-06-01T12:30:15.123456+00:00",
            "actor": "keeper",
        }
    ]


def test_a_life_that_goes_on_after_its_archive_is_told_from_there(over):
    over("archive", "--before", "2026-05-01")
    over("force", "codes", "1", "revoked", "--reason", "deleted by mistake")
    first, _, move = over.lines("codes", "history", "1")
    assert first == f"6 earlier moves are in {NAME}"
    assert "revoked" in move


def test_a_rehearsal_tells_how_much_there_is_and_writes_nothing(over, tmp_path):
    assert over.lines("archive", "--before", "now-31d", "--dry-run") == [
        "11 moves of 2 finished lives to archive; nothing was written"
    ]
    assert over.json("archive", "--before", "now-31d", "--dry-run")["moves"] == 11
    assert list(tmp_path.glob("*.gz")) == []
    assert len(over.json("codes", "history", "1")) == 6


def test_where_nothing_is_over_that_is_said(over, tmp_path):
    for rehearse in [], ["--dry-run"]:
        assert over.lines("archive", "--before", "2026-03-01", *rehearse) == [
            "nothing to archive that ended before 2026-03-01 00:00Z"
        ]
    assert over.json("archive", "--before", "2026-03-01")["file"] is None
    assert list(tmp_path.glob("*.gz")) == []


def test_what_the_daemon_has_not_told_yet_waits(over):
    over("daemon", "--once")
    over("codes", "delete", "2")
    over.travel(seconds=1)
    assert over.lines("archive", "--before", "now", "--dry-run") == [
        "11 moves of 2 finished lives to archive; nothing was written",
        "1 finished life more, not yet read by lines",
    ]


def test_an_export_of_the_history_says_what_it_lacks(over, tmp_path):
    over("archive", "--before", "2026-05-01")
    lacking = f"moves that were archived are not in it, but in {NAME}\n"
    done = over.run("export", "history")
    assert done.stderr == lacking
    assert "Spring" not in done.stdout
    done = over.run("export", "history", "-o", "history.csv")
    assert done.stderr == lacking
    assert over.json("export", "history", "-o", "history.csv")["archived"] == [NAME]
    assert over.run("export", "codes").stderr == ""


def test_a_daemon_archives_when_it_is_set_to(over, tmp_path):
    (tmp_path / "old").mkdir()
    over("daemon", "--once")
    assert len(over.json("codes", "history", "1")) == 6
    over.environment |= {"SPARKADS_ARCHIVE_AFTER": "60", "SPARKADS_ARCHIVE_INTO": "old"}
    over("daemon", "--once")
    (file,) = (tmp_path / "old").iterdir()
    assert over.json("codes", "history", "1")[0]["file"] == file.name


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        ([], 2, "missing option --before; see `sparkads archive --help`"),
        (["--before", "soon"], 2, "expected --before as in 2026-03-01T10:00Z, or now, or now-3d; got 'soon'"),
        (
            ["--before", "2027-01-01"],
            2,
            "cannot archive what ends before 2027-01-01 00:00Z: that is yet to come",
        ),
        (["--before", "2027-01-01", "--dry-run"], 2, "cannot archive what ends before 2027-01-01 00:00Z: "),
        (
            ["--before", "2026-05-01", "--into", "attic"],
            3,
            'cannot archive into "attic": there is no such folder; the log is as it was',
        ),
    ],
)
def test_what_cannot_be_archived_is_told(over, words, code, sentence):
    assert over.refusal("archive", *words, code=code).startswith(sentence)


def test_a_folder_that_may_not_be_written_to_is_told(over, tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied", str(tmp_path))

    monkeypatch.setattr("pathlib.Path.open", refuse)
    assert over.refusal("archive", "--before", "2026-05-01", code=3) == (
        'cannot archive into ".": permission denied; the log is as it was'
    )
