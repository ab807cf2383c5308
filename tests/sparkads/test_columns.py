"""The columns of spreadsheets: named once, understood by many names, listed in the document."""

from __future__ import annotations

from pathlib import Path

import pytest

from sparkads.columns import KINDS, Kind, guarded, unguarded

DOCUMENT = Path(__file__).parents[2] / "docs/spreadsheets.md"

each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)


@each_kind
def test_the_document_lists_every_column(kind: Kind) -> None:
    text = DOCUMENT.read_text()
    table = text.partition(f"### {kind.name.capitalize()}\n")[2].partition("\n### ")[0]
    for column in kind:
        if column.told:
            assert f"`{column.name}`" in table
        else:
            name = f"**{column.name}**" if column.required else column.name
            assert f"| {name} | {column.meaning} | {', '.join(column.also)} |" in table


@each_kind
def test_no_name_means_two_columns(kind: Kind) -> None:
    for column in kind:
        assert kind.named(column.name) is column
        for other in column.also:
            assert kind.named(other) in (column, *(one for one in kind if one.name == other))


@pytest.mark.parametrize("heading", ["issued_at", "Issued at", " ISSUED-AT ", "issued   at"])
def test_a_heading_may_be_written_in_any_way(heading: str) -> None:
    column = KINDS[0].named(heading)
    assert column is not None
    assert column.name == "issued_at"


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("plain", "plain"),
        ("", ""),
        ("#abc=", "#abc="),
        ("=1+1", "'=1+1"),
        ("+abc/=", "'+abc/="),
        ("-1", "'-1"),
        ("@mia", "'@mia"),
        ("\tx", "'\tx"),
        ("'=1", "''=1"),
        ("'quoted'", "'quoted'"),
    ],
)
def test_what_a_spreadsheet_would_run_is_guarded_and_comes_back_as_it_was(text: str, cell: str) -> None:
    assert guarded(text) == cell
    assert unguarded(cell) == text
