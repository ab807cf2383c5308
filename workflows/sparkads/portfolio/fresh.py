"""A row as it is in the database now, as an object of its class."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import BigInteger, select
from sqlalchemy.orm import class_mapper, make_transient_to_detached
from sqlmodel import Session, SQLModel

from sparkads.tables import table
from statewright.session import of_a_store
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
    chosen, make = _known(row)
    found = mine.driver.one(chosen, {"wanted": row_id})
    if found is None:
        return None
    made: R = make()
    made.__dict__.update(found)
    make_transient_to_detached(made)
    return made


_WANTED = parameter("wanted", BigInteger())


@cache
def _known(row: type[SQLModel]) -> tuple[Statement, Callable[[], Any]]:
    """How to find a row, and how to make an object for it."""
    return Statement(select(table(row)).where(table(row).c.id == _WANTED)), class_mapper(
        row
    ).class_manager.new_instance
