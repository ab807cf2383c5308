"""Many values in one parameter are what they were, however they are written down on the way."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import ARRAY, BigInteger, Boolean, DateTime, Text, bindparam, cast, select
from tests.statewright.halls import halls, insert_rows

from statewright.dialects import among
from statewright.dialects.arrays import array
from statewright.statement import Statement
from statewright.store import Store

AWKWARD = ["", "NULL", '"', "\\", '\\"', '","', "a,b", "{}", "it's 50 %", "new\nline", "Ünïcode 🎭"]
NOON = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (BigInteger(), [1, -2, 2**63 - 1]),
        (Boolean(), [True, False]),
        (Text(), AWKWARD),
        (DateTime(timezone=True), [NOON, datetime(1970, 1, 1, tzinfo=UTC)]),
    ],
)
@pytest.mark.parametrize("others", [[], [None]])
def test_a_server_reads_an_array_as_the_values_it_was_made_of(
    theatre_on_a_server: Store, kind: Any, values: list[Any], others: list[None]
) -> None:
    told = cast(bindparam("told", array([*others, *values]), type_=Text()), ARRAY(kind))
    with theatre_on_a_server.reading() as session:
        assert session.connection().execute(select(told)).scalar_one() == [*others, *values]


def test_what_is_of_another_kind_is_left_to_the_driver() -> None:
    assert array([1.5, 2.5]) == [1.5, 2.5]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), max_size=5))
def test_texts_are_told_apart_by_their_quotes(texts: list[str]) -> None:
    assert _read(array(texts)) == texts


def _read(told: str | list[Any]) -> list[str]:
    """An array of texts, read as the server's manual says (Arrays, input and output syntax)."""
    assert isinstance(told, str)
    found: list[str] = []
    rest = iter(told[1:-1])
    for mark in rest:
        if mark == ",":
            continue
        assert mark == '"'
        text = ""
        for character in rest:
            if character == '"':
                break
            text += next(rest) if character == "\\" else character
        found.append(text)
    return found


def test_rows_are_found_among_many_by_texts_and_by_numbers(theatre: Store) -> None:
    with theatre.transaction() as session:
        ids = insert_rows(session, halls, [{"name": name} for name in AWKWARD])
        name, connection = halls.table.c.name, session.connection()
        wanted = AWKWARD[::2]
        assert {*connection.execute(select(name).where(among(name, wanted))).scalars()} == {*wanted}
        assert {*connection.execute(select(halls.id).where(among(halls.id, ids[1::2]))).scalars()} == {*ids[1::2]}
        literally = session.driver.run(Statement(select(name).where(among(name, wanted))), {}).fetchall()
        assert {found for (found,) in literally} == {*wanted}
