"""The files that people have: how each is read, and what is said of those that cannot be."""

from __future__ import annotations

import csv
import gc
import io
import json
import re
import stat
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sparkads.errors import FileTrouble, WrongInput
from sparkads.importing import Imported, import_file
from statewright.errors import StatewrightError

MIA = "https://www.tiktok.com/@mia/video/7300000000000000001"
LEO = "https://www.tiktok.com/@leo/video/7300000000000000002"
HEAD = "code,post,days,issued_at,caption\n"
FIRST = f"#kZ7+q000001/aBcDeFg=,{MIA},30,2026-02-20T12:00:00Z,"
SECOND = f"#kZ7+q000002/aBcDeFg=,{LEO},30,2026-02-20T12:00:00Z,"


@pytest.fixture
def take(desk, tmp_path):
    def taken(content: str | bytes, name: str = "codes.csv", **options: Any) -> Imported:
        file = tmp_path / name
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return import_file(desk.spark, file, actor="ana", **options)

    return taken


@pytest.fixture
def refused(take):
    """What is said of a file that cannot be read as a whole."""

    def told(content: str | bytes, name: str = "codes.csv") -> str:
        with pytest.raises(WrongInput) as refusal:
            take(content, name)
        return str(refusal.value).partition(": ")[2]

    return told


def rejected(done: Imported) -> list[list[str]]:
    """The rows of a rejects file, without the one that names the columns."""
    assert done.rejects is not None
    text = done.rejects.read_bytes().decode(errors="surrogateescape")
    return list(csv.reader(io.StringIO(text, newline="")))[1:]


def captions(desk: Any) -> list[str]:
    return [post.caption for post in desk.spark.posts.list()]


class TestForms:
    @pytest.mark.parametrize("delimiter", [",", ";", "\t"])
    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
    @pytest.mark.parametrize("mark", ["", "\ufeff"])
    def test_spreadsheets_write_csv_their_own_way(self, take, desk, delimiter, end, mark):
        rows = [line.replace(",", delimiter) for line in (HEAD.rstrip(), f"{FIRST}née", f"{SECOND}二人")]
        assert take(mark + end.join(rows)).taken == 2
        assert captions(desk) == ["née", "二人"]

    def test_columns_go_by_the_names_that_people_use(self, take):
        heads = "Video Code;Post URL;DURATION;Issued on;Status"
        assert take(f"{heads}\n#kZ7+q000001/aBcDeFg=;{MIA};30 days;2026-02-20T12:00:00Z;Pending\n").taken == 1

    def test_columns_come_in_any_order_and_may_be_nameless_while_empty(self, take):
        rows = f"days,,issued_at,post,code,\n30,,2026-02-20T12:00:00Z,{MIA},#kZ7+q000001/aBcDeFg=,\n"
        assert take(rows).taken == 1
        (row,) = rejected(take(rows.replace("30,,", "30,oh,")))
        assert row[:2] == ["2", "it has something in a column without a name"]

    def test_numbers_may_carry_what_spreadsheets_put_behind_them(self, take):
        assert take(HEAD + FIRST.replace("30", "30.00")).taken == 1

    def test_empty_rows_are_passed_over(self, take):
        done = take(f"\n{HEAD},,,,\n\n{FIRST}\n , ,,,\n")
        assert (done.taken, done.rejected) == (1, 0)

    def test_a_file_with_nothing_but_columns_is_no_mistake(self, take):
        assert take(HEAD) == Imported("codes", 0, 0, 0, None)

    def test_json_lines_say_the_same(self, take, desk):
        row = {"code": "#kZ7+q000001/aBcDeFg=", "post": MIA, "days": 30, "issued_at": "2026-02-20T12:00:00Z"}
        lines = [{**row, "caption": "'=a\nb", "reason": None, "ads_only": True}, {**row, "post": LEO}]
        done = take("".join(json.dumps(line) + "\n\n" for line in lines), "codes.jsonl")
        assert (done.taken, done.rejected) == (1, 1)
        assert captions(desk) == ["'=a\nb"]
        assert done.rejects.name == "codes.rejects.jsonl"
        told = json.loads(done.rejects.read_text())
        assert told == {
            "line": 3,
            "problem": "code #kZ7…g= is known from an earlier row, but for post 7300000000000000001, "
            "not 7300000000000000002",
            **lines[1],
        }

    def test_lines_of_json_need_not_have_the_same_keys(self, take, desk):
        row = {"post": MIA, "days": 30, "issued_at": "now-1d"}
        rows = [
            {**row, "code": "#kZ7+q000001/aBcDeFg="},
            {"code": "#kZ7+q000002/aBcDeFg=", **row, "state": "authorized"},
            {**row, "code": "#kZ7+q000003/aBcDeFg=", "state": "revoked", "reason": "Mia changed her mind"},
            {"code": "#kZ7+q000004/aBcDeFg=", "days": 30, "issued_at": "now-1d"},
            {},
            {**row, "code": "#kZ7+q000005/aBcDeFg="},
        ]
        done = take("\n".join(map(json.dumps, rows)))
        assert (done.taken, done.rejected) == (4, 2)
        assert [code.state for code in desk.spark.codes.list()] == ["pending", "authorized", "revoked", "pending"]

    def test_lines_that_are_no_json_are_rejected_alone(self, take):
        row = json.dumps({"code": "#kZ7+q000001/aBcDeFg=", "post": MIA, "days": 30, "issued_at": "now-1d"})
        done = take(f'{row}\nnot json\n[1]\n{{"kode": 1}}\n{row}\n')
        assert (done.taken, done.unchanged, done.rejected) == (1, 1, 3)
        told = [json.loads(line) for line in done.rejects.read_text().splitlines()]
        assert told[0] == {"line": 2, "problem": "it is not JSON", "unreadable": "not json"}
        assert told[1]["problem"] == "it is not a JSON object, like {...}"
        assert told[2]["problem"].startswith('unknown column "kode"; did you mean code?')


class TestWholeFiles:
    def test_of_an_empty_file_that_is_said(self, refused):
        assert refused("") == refused("\n \n") == "it is empty"

    @pytest.mark.parametrize(
        ("content", "sentence"),
        [
            (HEAD.encode("utf-16"), "it is UTF-16, expected UTF-8; save it as CSV UTF-8 and import that"),
            ("code,née\n".encode("latin-1"), "its first line is not UTF-8; save it as CSV UTF-8 and import that"),
            (b"PK\x03\x04rest", "it is an Excel workbook or another ZIP archive, expected text"),
            (b"SQLite format 3\0\1\2", "it is not text; save it as CSV UTF-8 and import that"),
            (b"x" * 1_200_000, "it is not text"),
            (b"[1, 2]\n", "it begins like JSON lines, but its first line is none"),
            (b"{\n", "it begins like JSON lines, but its first line is none: it is not JSON"),
        ],
    )
    def test_what_is_no_text_is_told_apart(self, refused, content, sentence):
        assert refused(content).startswith(sentence)

    def test_a_file_that_is_not_there_or_is_a_folder_is_said_to_be(self, desk, tmp_path):
        for path, why in ((tmp_path / "no.csv", "there is no such file"), (tmp_path, "it is a folder")):
            with pytest.raises(FileTrouble) as refusal:
                import_file(desk.spark, path, actor="ana")
            assert str(refusal.value) == f'cannot import "{path}": {why}'

    def test_a_column_that_is_missing_is_named(self, refused):
        assert refused("code,post\n") == (
            "the column days, issued_at is missing; codes need code, post, days, issued_at"
        )

    def test_for_a_column_that_is_unknown_the_nearest_is_suggested(self, refused):
        told = refused("code,post,days,isued_at\n")
        assert told.startswith('unknown column "isued_at"; did you mean issued_at? codes can have account, code, ')

    def test_a_column_that_is_there_twice_is_named(self, refused):
        assert refused("code,Video code,post\n") == 'it has the column code twice, as "Video code" and "code"'

    def test_codes_and_ads_do_not_share_a_file(self, refused):
        assert refused("code,post,days,issued_at,campaign\n") == (
            'it has columns of codes, but "campaign" is one of ads; keep them in two files'
        )

    def test_a_file_without_any_column_that_is_known_is_told_what_there_could_be(self, refused):
        assert refused("1,2,3\n").startswith(
            "its first line names no column that is known; codes need code, post, days, issued_at; ads need"
        )


class TestRows:
    def test_a_row_that_is_not_utf8_is_rejected_with_its_bytes(self, take, desk):
        good, bad = f"{FIRST}née\n".encode(), f"{SECOND}née\n".encode("latin-1")
        done = take(HEAD.encode() + bad + good)
        assert (done.taken, done.rejected) == (1, 1)
        assert captions(desk) == ["née"]
        assert b"n\xe9e" in done.rejects.read_bytes()
        (row,) = rejected(done)
        assert row[:2] == ["2", "it is not UTF-8, or has NUL characters in it; save the file as CSV UTF-8"]

    def test_a_row_with_a_nul_is_rejected(self, take):
        done = take(f"{HEAD}{FIRST}a\0b\n{SECOND}\n")
        assert (done.taken, rejected(done)[0][0]) == (1, "2")

    def test_a_cell_of_ten_megabytes_costs_only_its_row(self, take):
        done = take(f"{HEAD}{FIRST}{'x' * 10_000_000}\n{SECOND}\n")
        assert (done.taken, done.rejected) == (1, 1)
        (row,) = rejected(done)
        length = 10_000_000 + len(FIRST) + len("\n")
        assert row[:2] == ["2", f"its line has {length:,} characters, far too many; here it is cut short"]
        assert row[2] == "#kZ7+q000001/aBcDeFg="
        assert len(row[6]) == 1_000

    def test_a_cell_too_large_for_a_cell_costs_only_its_row(self, take):
        done = take(f"{HEAD}{FIRST}{'x' * 200_000}\n{SECOND}\n")
        assert (done.taken, [row[0] for row in rejected(done)]) == (1, ["2"])

    def test_a_line_of_json_that_is_too_long_costs_only_its_row(self, take):
        row = {"code": "#kZ7+q000001/aBcDeFg=", "post": MIA, "days": 30, "issued_at": "now-1d"}
        long = json.dumps({**row, "caption": "x" * 2_000_000})
        done = take(f"{json.dumps(row)}\n{long}\n{json.dumps(row)}\n")
        assert (done.taken, done.unchanged, done.rejected) == (1, 1, 1)
        assert done.rejects.stat().st_size < 2_000

    @pytest.mark.parametrize(
        ("row", "problem"),
        [
            ("a,b,c", "it has 3 cells, expected 5"),
            (
                f"{FIRST}one, two",
                "it has 6 cells, expected 5; a comma, semicolon or tab inside a cell needs quotes around the cell",
            ),
        ],
    )
    def test_a_row_with_too_few_or_too_many_cells_is_rejected(self, take, row, problem):
        done = take(f"{HEAD}{row}\n{SECOND}\n")
        assert done.taken == 1
        assert rejected(done) == [["2", problem, *row.split(",")]]

    def test_a_quote_that_is_never_closed_costs_only_its_row(self, take):
        rows = "".join(f"#kZ7+q{n:06}/aBcDeFg=,73{n:017},30,now-1d,\n" for n in range(3, 200))
        done = take(f'{HEAD}{FIRST}"oh\n{SECOND}\n{rows.replace(",73", ",https://www.tiktok.com/@mia/video/73")}')
        assert (done.taken, done.rejected) == (198, 1)
        (row,) = rejected(done)
        assert row[0] == "2"
        assert row[1].startswith("its quotes do not match")

    def test_lines_are_counted_as_an_editor_counts_them(self, take, desk):
        done = take(f'{HEAD}{FIRST}"one\ntwo, ""three"""\n\nbad\n{SECOND}"four\r\nfive"\nworse\n')
        assert captions(desk) == ['one\ntwo, "three"', "four\r\nfive"]
        assert [row[0] for row in rejected(done)] == ["5", "8"]

    def test_a_quote_inside_an_unquoted_cell_is_only_a_quote(self, take, desk):
        take(f'{HEAD}{FIRST}5" screen\n')
        assert captions(desk) == ['5" screen']


PIECES = [
    HEAD,
    FIRST,
    SECOND,
    *"\",;\t\n\r{}[]'=",
    "\r\n",
    '""',
    "\0",
    "\udcff",
    "née",
    "\u2028",
    "now-1d",
    "…",
    "line",
]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(begins=st.sampled_from(["", HEAD, "\ufeff" + HEAD]), pieces=st.lists(st.sampled_from(PIECES), max_size=40))
def test_whatever_a_file_holds_is_taken_rejected_or_refused(desk, tmp_path, begins, pieces):
    content = (begins + "".join(pieces)).encode(errors="surrogateescape")
    rejects = tmp_path / "rejects"
    rejects.unlink(missing_ok=True)
    done = None
    try:
        done = import_file(desk.spark, io.BytesIO(content), actor="ana", rejects=rejects)
    except WrongInput as error:
        sentence = error.sentence
    if done is None:
        assert sentence.startswith('cannot import "standard input": ')
    elif done.rejected:
        assert rejects.read_bytes().startswith((b"line,problem", b"line;problem", b"line\tproblem", b'{"line": '))
    else:
        assert not rejects.exists()


class TestRejects:
    def test_each_row_stands_there_with_its_line_and_its_problem_for_its_owner_only(self, take):
        done = take(
            HEAD.replace(",", ";") + f"{FIRST};\n".replace(",", ";") + SECOND.replace("30", "31").replace(",", ";")
        )
        assert done.rejects.read_text().splitlines()[0] == "line;problem;code;post;days;issued_at;caption"
        assert "#kZ7+q000002/aBcDeFg=" in done.rejects.read_text()
        assert stat.S_IMODE(done.rejects.stat().st_mode) == 0o600

    def test_it_can_be_corrected_and_imported_as_it_is(self, take, desk):
        done = take(HEAD + SECOND.replace("30", "31"))
        assert take(done.rejects.read_text(), "again.csv").rejected == 1
        again = take(done.rejects.read_text().replace(",31,", ",30,"), "again.csv")
        assert (again.taken, again.rejected) == (1, 0)
        assert len(desk.spark.codes.list()) == 1

    def test_the_rejects_of_rejects_have_each_column_once(self, take):
        first = take(HEAD + SECOND.replace("30", "31")).rejects
        second = take(first.read_text(), "again.csv").rejects
        assert second.read_text() == first.read_text()

    def test_an_earlier_file_is_never_written_over_unless_it_is_named(self, take, tmp_path):
        bad = HEAD + SECOND.replace("30", "31")
        names = [take(bad).rejects.name for _ in range(3)]
        assert names == ["codes.rejects.csv", "codes.rejects-2.csv", "codes.rejects-3.csv"]
        named = tmp_path / "named.csv"
        named.write_text("old")
        named.chmod(0o644)
        assert take(bad, rejects=named).rejects == named
        assert named.read_text().startswith("line,problem,")
        assert stat.S_IMODE(named.stat().st_mode) == 0o600

    def test_it_is_not_written_over_the_file_that_is_read(self, take, tmp_path):
        with pytest.raises(WrongInput, match=r"cannot write the rejects over .* while it is read"):
            take(HEAD, rejects=tmp_path / "codes.csv")

    def test_where_it_cannot_be_written_the_import_says_so_and_takes_nothing_beside(self, take, desk, tmp_path):
        with pytest.raises(StatewrightError, match=re.escape("cannot write the rejects file")):
            take(f"{HEAD}{FIRST}\nbad\n", rejects=tmp_path / "no" / "rejects.csv")
        assert not desk.spark.codes.list()

    def test_nothing_is_made_when_all_is_taken(self, take, tmp_path):
        assert take(HEAD + FIRST).rejects is None
        assert not list(tmp_path.glob("*rejects*"))


class TestGarbage:
    """Python looks through all that is held, again and again, unless it is told that a chunk is much."""

    def test_none_is_looked_for_in_the_middle_of_a_chunk(self, take):
        row = "#kZ7+q{0:06d}/aBcDeFg=,73000000000000{0:05d},@mia,30,2026-02-20T12:00:00Z"
        looks: list[str] = []

        def look(phase: str, _found: dict[str, int]) -> None:
            looks.append(phase)

        gc.callbacks.append(look)
        try:
            done = take("\n".join(["code,post,creator,days,issued_at", *map(row.format, range(1, 3001))]))
        finally:
            gc.callbacks.remove(look)
        assert done.taken == 3000
        # In the end, at the most.
        assert looks.count("start") <= 1

    @pytest.mark.parametrize("usual", [700, 0, 1_000_000], ids=["often", "never", "rarely"])
    @pytest.mark.parametrize("content", [HEAD + FIRST, "no,columns,of,ours"], ids=["taken", "refused"])
    def test_it_is_looked_for_afterwards_as_before(self, take, usual, content):
        before = gc.get_threshold()
        gc.set_threshold(usual, *before[1:])
        try:
            with suppress(WrongInput):
                take(content)
            assert gc.get_threshold() == (usual, *before[1:])
        finally:
            gc.set_threshold(*before)
