"""A row as it is in the database, as an object of its class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from sqlalchemy import BigInteger, select
from sqlalchemy.orm import Mapper, class_mapper
from sqlalchemy.orm.attributes import instance_state
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
    return None if found is None else _filled(mapper.class_manager.new_instance(), mapper, row_id, found)


def left(session: StoreSession, row: type[R], row_id: int, told: Sequence[Any] = ()) -> R:
    """A row that is there, as this transaction leaves it.

    told: its columns, where they were told already; else it is empty until it is read together with the end
    """
    driver = session.driver
    chosen, mapper = _known(row)
    made: R = mapper.class_manager.new_instance()
    if told:
        return _filled(made, mapper, row_id, driver.read(chosen, told) or {})
    answer = driver.ask(chosen, {"wanted": row_id})
    session.in_the_end(lambda: _filled(made, mapper, row_id, driver.read(chosen, answer.fetchone()) or {}))
    return made


def _filled(made: R, mapper: Mapper[Any], row_id: int, found: dict[str, Any]) -> R:
    vars(made).update(found)
    # That is what tells a row which was loaded from one that is new.
    instance_state(made).key = mapper.identity_key_from_primary_key((row_id,))
    return made


_WANTED = parameter("wanted", BigInteger())
_KNOWN: dict[type[SQLModel], tuple[Statement, Mapper[Any]]] = {}


def _known(row: type[SQLModel]) -> tuple[Statement, Mapper[Any]]:
    """How to find a row, and what makes an object of it."""
    if row not in _KNOWN:
        _KNOWN[row] = Statement(select(table(row)).where(table(row).c.id == _WANTED)), class_mapper(row)
    return _KNOWN[row]
