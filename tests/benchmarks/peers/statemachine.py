"""python-statemachine on SQLModel, written the usual way: a machine and an object a row, a transaction a move."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, Session, SQLModel, create_engine, select
from statemachine import State, StateChart
from tests.benchmarks.peers.common import SINGLE, Asked, answer, asked

VERSION = sa.Column("version", sa.Integer, nullable=False)


class Code(SQLModel, table=True):
    __mapper_args__ = {"version_id_col": VERSION}

    id: int | None = Field(default=None, primary_key=True)
    state: str = "pending"
    version: int = Field(sa_column=VERSION)
    expires_at: datetime = Field(index=True)


class History(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    code_id: int = Field(index=True)
    source: str
    target: str
    actor: str
    at: datetime


class Chart(StateChart[Any]):
    pending = State(initial=True)
    authorized = State()
    expired = State(final=True)
    authorize = pending.to(authorized, cond="ready")
    expire = authorized.to(expired, cond="ready")

    def ready(self) -> bool:
        return True


def measure(it: Asked) -> None:
    engine = create_engine(it.url)
    if it.on_sqlite:

        @sa.event.listens_for(engine, "connect")
        def prepare(connection: Any, _record: Any) -> None:
            connection.isolation_level = "IMMEDIATE"
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")

    SQLModel.metadata.create_all(engine)
    state, event = ("pending", "authorize") if it.scenario == SINGLE else ("authorized", "expire")
    row = {"state": state, "version": 1, "expires_at": datetime.now(UTC) - timedelta(days=1)}
    with engine.begin() as connection:
        connection.execute(sa.insert(Code), [row] * it.count)
    began = time.perf_counter()
    with Session(engine) as session:
        due = session.exec(select(Code.id).where(Code.state == state, Code.expires_at <= datetime.now(UTC))).all()
    for key in filter(None, due):
        with Session(engine) as session:
            code = session.get_one(Code, key)
            source = code.state
            Chart(model=code).send(event)
            session.add(code)
            session.add(
                History(code_id=key, source=source, target=code.state, actor="bench", at=datetime.now(UTC))
            )
            session.commit()
    seconds = time.perf_counter() - began
    with Session(engine) as session:
        moved = session.exec(select(sa.func.count()).select_from(History)).one()
    answer(it, moved, seconds)


if __name__ == "__main__":
    measure(asked())
