"""`copy`, as somebody uses it whose file has become too small."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from statewright.testing import temporary_database


@pytest.fixture
def server(postgres: str) -> Iterator[str]:
    """The URL of an empty database on a server."""
    with temporary_database(postgres) as url:
        yield url


def test_a_portfolio_is_copied_to_a_server_and_counted_on_both_sides(sparkads, desk, server):
    post = desk.post()
    desk.code(post)
    desk.live(post)
    desk.code(desk.post(), account=desk.spark.accounts.add("Other", actor="ana"))

    lines = sparkads.lines("copy", "--to", server)

    assert [line.split()[:3] for line in lines if line.startswith(("ad_account", "video_code", "spark_ad"))] == [
        ["ad_account", "2", "2"],
        ["video_code", "2", "2"],
        ["spark_ad", "1", "1"],
    ]
    assert "1 authorized, 1 live" in "\n".join(lines)
    name = desk.spark.store.name
    assert lines[-1].startswith(
        f"{sum(int(line.split()[1]) for line in lines[1:-1])} rows of {name}, and the same in "
    )
    history = sparkads.json("codes", "history", 1)
    assert [entry["event"] for entry in history[:2]] == ["start", "authorize"]
    assert sparkads.json("--db", server, "codes", "history", 1) == history


def test_programs_are_told_what_was_copied(sparkads, desk, tmp_path):
    told = sparkads.json("copy", "--to", f"sqlite:///{tmp_path}/copy.db")
    assert (told["source"], told["target"]) == (desk.spark.store.name, f"{tmp_path}/copy.db")
    assert {"table": "ad_account", "rows": 1, "last": 1, "states": {"open": 1}} in told["tables"]


def test_a_full_database_is_left_alone(sparkads, desk, tmp_path):
    there = f"sqlite:///{tmp_path}/copy.db"
    sparkads("copy", "--to", there)
    assert sparkads.refusal("copy", "--to", there, code=3) == (
        f'cannot copy into the database "{tmp_path}/copy.db": it is not empty, transition has rows; name a new one'
    )


def test_a_portfolio_is_not_copied_into_itself(sparkads, desk):
    assert sparkads.refusal("copy", "--to", sparkads.environment["SPARKADS_DB"], code=3) == (
        f'cannot copy the database "{desk.spark.store.name}" into itself; name another one'
    )


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        ([], 2, "missing option --to; see `sparkads copy --help`"),
        (["--to", "copy.db"], 3, 'cannot read the database URL "copy.db"; expected one like sqlite:///file.db'),
        (
            ["--to", "postgresql:/ana:s3cret@db/ads"],
            3,
            'cannot read the database URL "***"; expected one like sqlite:///file.db',
        ),
        (
            ["--to", "mysql://db/ads"],
            3,
            'cannot open the database "mysql://db/ads": expected a URL that begins with',
        ),
        (["--to", "sqlite:///no/copy.db"], 3, 'cannot make the database "no/copy.db": there is no folder "no"'),
        (
            ["--to", "postgresql://127.0.0.1:1/x"],
            3,
            'cannot open the database "x on 127.0.0.1": no server answers',
        ),
    ],
)
def test_what_cannot_be_copied_to_is_told(sparkads, words, code, sentence):
    assert sparkads.refusal("copy", *words, code=code).startswith(sentence)


def test_there_must_be_something_to_copy(terminal, tmp_path):
    said = terminal.refusal("--db", "sqlite:///none.db", "copy", "--to", "sqlite:///copy.db", code=3)
    assert said.startswith('there is no database at "none.db"')
    assert not (tmp_path / "copy.db").exists()
