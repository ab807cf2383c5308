"""`import` and `export`, as somebody with a spreadsheet uses them."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from sparkads import exporting

CODES = """\
account,code,post,creator,days,issued_at,state
Brand,#kZ7+q000001/aBcDeFg=,7301234567890123456,@mia,30,2026-02-20T10:00:00Z,authorized
Brand,#kZ7+q000002/aBcDeFg=,7301234567890123457,@leo,7,2026-02-28T10:00:00Z,pending
"""
WRONG = CODES + "Brand,#kZ7+q000003/aBcDeFg=,7301234567890123458,@zoe,8,2026-02-28T10:00:00Z,pending\n"
ADS = """\
account,campaign,ad_group,name,post,creator,state
Brand,Spring,DE,One,7301234567890123456,@mia,authorized
"""


@pytest.fixture
def write(tmp_path):
    def write_one(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_text(text)
        return Path(path)

    return write_one


def test_files_are_imported_into_a_new_database(fresh, write):
    write("codes.csv", CODES)
    write("ads.csv", ADS)
    assert fresh.lines("import", "codes.csv", "ads.csv") == [
        "codes.csv (codes): 2 taken, 0 unchanged, 0 rejected",
        "ads.csv (ads): 1 taken, 0 unchanged, 0 rejected",
    ]
    assert [row["state"] for row in fresh.json("codes", "list")] == ["authorized", "pending"]
    assert fresh.json("ads", "list")[0]["campaign"] == "Spring"


def test_a_file_may_be_imported_again(fresh, write):
    write("codes.csv", CODES)
    fresh("import", "codes.csv")
    assert fresh.lines("import", "codes.csv") == ["codes.csv (codes): 0 taken, 2 unchanged, 0 rejected"]


def test_standard_input_is_imported(fresh):
    answer = fresh.json("import", "-", stdin=CODES)
    assert answer == [{"file": "-", "kind": "codes", "taken": 2, "unchanged": 0, "rejected": 0, "rejects": None}]


def test_rejected_rows_are_kept_with_their_reason_and_told(fresh, write, tmp_path):
    write("codes.csv", WRONG)
    result = fresh.run("import", "codes.csv", "--rejects", "wrong.csv")
    assert result.exit_code == 1
    assert result.stdout == "codes.csv (codes): 2 taken, 0 unchanged, 1 rejected\n"
    assert result.stderr == "codes.csv: 1 row rejected; see wrong.csv\n"
    (rejected,) = csv.DictReader(io.StringIO((tmp_path / "wrong.csv").read_text()))
    assert rejected["line"] == "4"
    assert "expected the days to be one of 7, 30, 60, 365" in rejected["problem"]


def test_all_or_nothing_is_taken_on_request(fresh, write):
    write("codes.csv", WRONG)
    said = fresh.refusal("import", "codes.csv", "--strict", code=1)
    assert said.startswith('cannot import "codes.csv": line 4: ')
    assert said.endswith("; nothing was taken")
    assert fresh.json("codes", "list") == []


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["none.csv"], 3, 'cannot use "none.csv": there is no such file'),
        (["."], 3, "cannot import "),
        (
            ["a.csv", "b.csv", "--rejects", "r.csv"],
            2,
            "expected one file with --rejects, got several; import them one by one",
        ),
    ],
)
def test_a_file_that_cannot_be_read_is_told(terminal, write, words, code, sentence):
    write("codes.csv", CODES)
    assert terminal.refusal("import", *words, code=code).startswith(sentence)


def test_rejects_that_cannot_be_written_are_trouble_with_a_file(fresh, write):
    write("codes.csv", WRONG)
    said = fresh.refusal("import", "codes.csv", "--rejects", "no/r.csv", code=3)
    assert said == 'cannot write the rejects file "no/r.csv": no such file or directory; name another'


def test_what_was_taken_before_a_file_that_cannot_be_is_told(fresh, write):
    write("codes.csv", CODES)
    write("broken.csv", CODES.replace("creator", "color"))
    result = fresh.run("import", "codes.csv", "broken.csv", "--json")
    assert result.exit_code == 2
    assert [(each["file"], each["taken"]) for each in json.loads(result.stdout)] == [("codes.csv", 2)]
    assert "color" in json.loads(result.stderr)["error"]


def test_a_missing_file_is_told_before_the_others_are_taken(terminal, write, tmp_path):
    write("codes.csv", CODES)
    terminal("import", "codes.csv", "none.csv", code=3)
    assert not (tmp_path / "sparkads.db").exists()


def test_an_unknown_column_is_told(terminal, write):
    write("codes.csv", CODES.replace("creator", "color"))
    assert "color" in terminal.refusal("import", "codes.csv", code=2)


def test_a_portfolio_is_exported_and_imported_elsewhere(fresh, write, new_place):
    write("codes.csv", CODES)
    write("ads.csv", ADS)
    fresh("import", "codes.csv", "ads.csv")
    for what in ("codes", "ads"):
        assert fresh("export", what, "--reveal", "-o", f"{what}.out.csv").startswith(f"{what}.out.csv: ")
    there = ("--db", new_place().url)
    fresh("import", "codes.out.csv", "ads.out.csv", *there)
    for noun in ("codes", "ads"):
        assert fresh.json(noun, "list", *there) == fresh.json(noun, "list")


def test_codes_are_exported_masked_unless_asked_for_by_name(fresh, write):
    write("codes.csv", CODES)
    fresh("import", "codes.csv")
    assert "q000001" not in fresh("export", "codes")
    assert "q000001" in fresh("export", "codes", "--reveal")


@pytest.mark.parametrize("what", ["codes", "ads", "history"])
def test_json_lines_are_exported(fresh, write, what):
    write("codes.csv", CODES)
    write("ads.csv", ADS)
    fresh("import", "codes.csv", "ads.csv")
    rows = [json.loads(line) for line in fresh.lines("export", what, "--format", "jsonl")]
    table = list(csv.DictReader(io.StringIO(fresh("export", what))))
    assert len(rows) == len(table) > 0


def test_an_export_into_a_pipe_is_json_where_everything_is(fresh, write):
    write("codes.csv", CODES)
    fresh("import", "codes.csv")
    assert fresh("export", "codes", "--json") == fresh("export", "codes", "--format", "jsonl")
    assert fresh("export", "codes", "--json", "--format", "csv") == fresh("export", "codes")


def test_a_failure_leaves_no_half_file(terminal, write, tmp_path, monkeypatch):
    write("codes.csv", CODES)
    terminal("import", "codes.csv")
    (tmp_path / "codes.out.csv").write_text("from yesterday")

    def fail(spark, what, out, **options):
        out.write("half")
        raise OSError(28, "No space left on device", "codes.out.csv")

    monkeypatch.setattr(exporting, "export", fail)
    before = sorted(tmp_path.iterdir())
    assert terminal.refusal("export", "codes", "-o", "codes.out.csv", code=3) == (
        'cannot use "codes.out.csv": no space left on device'
    )
    assert (tmp_path / "codes.out.csv").read_text() == "from yesterday"
    assert sorted(tmp_path.iterdir()) == before


def test_an_export_is_for_its_owners_eyes(terminal, write, tmp_path):
    write("codes.csv", CODES)
    terminal("import", "codes.csv")
    terminal("export", "codes", "--reveal", "-o", "codes.out.csv")
    assert (tmp_path / "codes.out.csv").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["posts"], 2, "expected codes, ads or history, got 'posts'"),
        (["codes", "--format", "xml"], 2, "expected the format to be csv or jsonl, got 'xml'"),
        (["codes", "-o", "missing/codes.csv"], 3, 'cannot use "missing/'),
    ],
)
def test_what_cannot_be_exported_is_told(sparkads, words, code, sentence):
    assert sparkads.refusal("export", *words, code=code).startswith(sentence)


def test_an_export_is_utf_8_whatever_the_terminal_speaks(start, tmp_path):
    (tmp_path / "codes.csv").write_text(CODES.replace("Brand", "Bränd"))
    first = start("import", "codes.csv")
    first.communicate(timeout=60)
    out, _ = start("export", "codes", PYTHONIOENCODING="ascii").communicate(timeout=60)
    assert "Bränd" in out
