"""A row as it is in the database, as an object of its class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from sqlalchemy import BigInteger, select
from sqlalchemy.orm import Mapper, class_mapper
from sqlalchemy.orm.base import DEFAULT_STATE_ATTR
from sqlalchemy.orm.state import InstanceState
from sqlmodel import Session, SQLModel

from sparkads.tables import table
from statewright.session import StoreSession, of_a_store
from statewright.statement import Statement, parameter

R = TypeVar("R", bound=SQLModel)


def fresh(session: Session, row: type[R], row_id: int) -> R | None:
    """The row with this id, or None when there is none.

    In a session that nobody else sees, it is made by hand: to load one through the ORM takes as long as
    everything else that a call does. It is then just as any row is whose session was closed.
    """
    mine = of_a_store(session)
    if not (mine.untouched and (mine.whole or not mine.writing)):
        return mine.get(row, row_id, populate_existing=True)
    chosen, mapper = _known(row)
    found = mine.driver.one(chosen, {"wanted": row_id})
    if found is None:
        return None
    made = _made(row, mapper, row_id)
    vars(made).update(found)
    return made


def left(session: StoreSession, row: type[R], row_id: int, told: Sequence[Any] = ()) -> R:
    """A row that is there, as this transaction leaves it.

    told: its columns, where they were told already; else it is empty until it is read together with the end
    """
    driver = session.driver
    chosen, mapper = _known(row)
    made = _made(row, mapper, row_id)
    if told:
        vars(made).update(driver.read(chosen, told) or {})
    else:
        answer = driver.ask(chosen, {"wanted": row_id})
        session.in_the_end(lambda: vars(made).update(driver.read(chosen, answer.fetchone()) or {}))
    return made


def _made(row: type[R], mapper: Mapper[Any], row_id: int) -> R:
    """A row without its columns, as the ORM makes one that it loads; SQLModel takes long to set this attribute."""
    made: R = row.__new__(row)
    state = vars(made)[DEFAULT_STATE_ATTR] = InstanceState(made, mapper.class_manager)
    # That is what tells a row which was loaded from one that is new.
    state.key = mapper.identity_key_from_primary_key((row_id,))
    return made


_WANTED = parameter("wanted", BigInteger())
_KNOWN: dict[type[SQLModel], tuple[Statement, Mapper[Any]]] = {}


def _known(row: type[SQLModel]) -> tuple[Statement, Mapper[Any]]:
    """How to find a row, and what makes an object of it."""
    if row not in _KNOWN:
        _KNOWN[row] = Statement(select(table(row)).where(table(row).c.id == _WANTED)), class_mapper(row)
    return _KNOWN[row]
