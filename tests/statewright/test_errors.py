"""Every error is of one tree, is one sentence, and survives a journey to another process with all it knows."""

from __future__ import annotations

import copy
import inspect
import pickle
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.statewright.halls import SCHEMA, add_halls, add_seats, add_ticket, halls, tickets

from statewright import errors
from statewright.archive import _in_full
from statewright.chart import tabulate
from statewright.errors import (
    ArchiveError,
    Blocker,
    Conflict,
    DefinitionError,
    EventNotPossible,
    GuardRefused,
    SchemaVersionError,
    StatewrightError,
    StoreError,
    TransitionError,
    UnknownEvent,
    UnknownRow,
    WrongArguments,
)
from statewright.store import Schema, Store
from statewright.transition import fire, force

Raised = Callable[[type[StatewrightError]], StatewrightError]
NEWER = Schema("theatre", 9, SCHEMA.tables)
KINDS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, Exception)]


@pytest.fixture
def raised(theatre: Store) -> Iterator[Raised]:
    """An error of a kind, as the engine raises it."""
    with theatre.transaction() as session:
        (hall,) = add_halls(session, {"name": "haunted"})
        (seat,) = add_seats(session, hall, "A1", state="taken")
        draft = add_ticket(session, seat, price=None)
        calls: dict[type[StatewrightError], Callable[[], object]] = {
            DefinitionError: lambda: tabulate(int),  # type: ignore[arg-type]
            StoreError: lambda: Store("nonsense", schema=SCHEMA),
            SchemaVersionError: lambda: Store(theatre.url, schema=NEWER),
            ArchiveError: lambda: ExitStack().enter_context(_in_full(Path(__file__))),
            UnknownRow: lambda: fire(session, halls, "close", 99, actor="ana"),
            UnknownEvent: lambda: fire(session, halls, "open", hall, actor="ana"),
            EventNotPossible: lambda: fire(session, halls, "launch", hall, actor="ana"),
            GuardRefused: lambda: fire(session, halls, "remove", hall, actor="ana"),
            WrongArguments: lambda: fire(session, tickets, "pay", draft, actor=""),
            Conflict: lambda: force(session, halls, hall, "closed", actor="ana", reason="rain"),
        }

        def provoke(kind: type[StatewrightError]) -> StatewrightError:
            with pytest.raises(kind) as why:
                calls[kind]()
            assert type(why.value) is kind
            return why.value

        yield provoke


def abstract(kind: type[Exception]) -> bool:
    return kind in (StatewrightError, TransitionError)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not abstract(kind)])
def test_an_error_survives_pickling_with_all_it_knows(raised: Raised, kind: type[StatewrightError]) -> None:
    error = raised(kind)
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):  # noqa: S301 - our own
        assert type(again) is kind
        assert (str(again), again.args) == (str(error), error.args)
        assert vars(again) == vars(error)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not abstract(kind)])
def test_an_error_is_one_sentence_in_lower_case(raised: Raised, kind: type[StatewrightError]) -> None:
    error = raised(kind)
    sentence = error.sentence
    assert sentence == str(error)
    assert "\n" not in sentence
    assert not sentence.endswith(".")
    assert sentence[0].islower() or kind is DefinitionError


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_is_of_one_tree_and_says_what_it_means(kind: type[Exception]) -> None:
    assert issubclass(kind, StatewrightError)
    assert (kind.__doc__ or "").endswith(("\n    ", "."))


@pytest.mark.parametrize(
    "kind", [UnknownRow, UnknownEvent, EventNotPossible, GuardRefused, WrongArguments, Conflict]
)
def test_a_refused_move_says_of_what(raised: Raised, kind: type[TransitionError]) -> None:
    error = raised(kind)
    assert isinstance(error, TransitionError)
    assert error.workflow in ("hall", "ticket")
    assert error.event
    assert error.row_id in (None, 1, 99)


def test_a_wrong_definition_says_where_and_what() -> None:
    error = DefinitionError("DoorChart", "it has no states")
    assert (error.where, error.problem, str(error)) == (
        *("DoorChart", "it has no states"),
        "DoorChart: it has no states",
    )


def test_a_blocking_row_is_told_as_people_need_it() -> None:
    assert str(Blocker("ad", 12, "Spring", "in_review")) == '12 "Spring" (in review)'
    assert str(Blocker("ad", 12, "", "live")) == "12 (live)"
