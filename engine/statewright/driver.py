"""A connection of the database's driver: what is run on it costs what the database takes, and little more."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, NoReturn

from sqlalchemy import Dialect, Engine, PoolProxiedConnection, text
from sqlalchemy.exc import DBAPIError

from statewright.dialects import in_words, of
from statewright.statement import Compiled, Statement

RESTING = 4
"""Connections that are kept for the next transaction; the pool has no more than a few others to give."""


class Drivers:
    """Connections between two transactions: the pool takes as long to give one out as it takes to write a move."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._kind = Sending if of(engine).WAITS_FOR_ANSWERS else Driver
        self._resting: deque[Driver] = deque()

    def take(self, *, writing: bool, by_index: bool = False, few: bool = False) -> Driver:
        """A connection on which a transaction begins that may write, or only reads.

        by_index: all its statements go to a few rows each
        few:      they change a few thousand each at the most
        """
        try:
            driver = self._resting.pop()
        except IndexError:
            driver = self._kind(self._engine)
        driver.begin(driver.database.BEGIN_WRITING if writing else driver.database.BEGIN_READING, few=few)
        if not by_index:
            driver.go_by_choice()
        return driver

    def give_back(self, driver: Driver) -> None:
        """Keep a connection whose transaction is over."""
        if len(self._resting) < RESTING:
            self._resting.append(driver)
        else:
            driver.pooled.close()

    def close(self) -> None:
        """Keep none any longer."""
        while self._resting:
            self._resting.pop().pooled.close()


class Driver:
    """A connection of the pool's; one that died there is replaced.

    Errors come as SQLAlchemy's, like those of any other statement.
    """

    answers_at_once = True
    """What is asked is answered by the time that `ask` returns."""

    def __init__(self, engine: Engine) -> None:
        self.dialect: Dialect = engine.dialect
        self.database = of(engine)
        self._engine = engine
        self._name = self.database.NAME
        self.in_words: Callable[[datetime], Any] = in_words(self._name)
        """An instant as the database keeps it."""
        self._take()

    def begin(self, words: str, *, few: bool = False) -> None:
        """Begin a transaction; few: of statements that change a few thousand rows each at the most."""
        try:
            self._link.begin(words, few=few)
        except self._error as error:
            self.pooled.close()
            self._fail(error)

    def one(self, statement: Statement, values: Mapping[str, Any]) -> dict[str, Any] | None:
        """The row that a SELECT finds, by column; None when there is none."""
        return self.read(statement, self.run(statement, values).fetchone())

    def say(self, words: str) -> Any:
        """Run words that are told nothing."""
        return self.run(_said(words), {})

    def announce(self, words: str) -> None:
        """Have words that are told nothing run together with the next statement that is run."""
        self.ask(_said(words), {})

    def run(self, statement: Statement, values: Mapping[str, Any]) -> Any:
        """Run a statement; what is returned has its answer. Raises KeyError for a value that is not told."""
        compiled = statement.compiled.get(self._name) or statement.on(self.dialect, self.database)
        told = compiled.bound(values) if compiled.puts else compiled.chosen(values)
        try:
            return self._execute(compiled.sql, told)
        except self._error as error:
            self._fail(error)

    ask = run
    """The same, but it may be run together with the next one; its answer is to be read after that."""

    def go_by_index(self) -> None:
        """Have the planner look rows up one by one, until the transaction ends or `go_by_choice`."""

    def go_by_choice(self) -> None:
        """Have the planner choose its ways again."""

    def read(self, statement: Statement, row: Sequence[Any] | None) -> dict[str, Any] | None:
        """A row that a SELECT finds, by column; None when there is none."""
        return None if row is None else statement.on(self.dialect, self.database).read(row)

    def answered(self) -> None:
        """Have everything run that was to run ahead."""

    def share(self) -> None:
        """Others run statements on this connection from here on: nothing may wait for the next one of ours."""

    def meanwhile(self, work: Callable[[], bool] | None) -> None:
        """Have this done, piece by piece until it tells that nothing is left, while an answer is waited for."""

    @property
    def fresh(self) -> bool:
        """Nothing of the transaction was sent yet, not even its beginning."""
        return False

    def finish(self, statement: Statement, values: Mapping[str, Any]) -> Any:
        """Run a statement of a fresh transaction, and COMMIT together with it: there is nothing more to do then.

        Where it tells no row, the transaction goes on, begun anew: all that was to be sent before is sent again.
        """
        raise NotImplementedError

    def end(self) -> None:
        """Run what was asked last, and COMMIT together with it; `commit` has nothing to do then."""
        raise NotImplementedError

    def commit(self) -> None:
        try:
            self._execute("COMMIT")
        except self._error as error:
            self._fail(error)

    def undo(self) -> bool:
        """End the transaction without a trace; tells whether the connection is good for another."""
        try:
            if self.pooled.is_valid:
                self.pooled.rollback()
        except self._error:
            return False
        return self.pooled.is_valid

    def _take(self) -> None:
        self._error: Any = self.dialect.loaded_dbapi.Error
        try:
            self.pooled: PoolProxiedConnection = self._engine.raw_connection()
        except self._error as error:
            raise self._told(error) from error
        link: Any = self.pooled.driver_connection
        self._link, self._execute = link, link.execute

    def _lost(self, error: Exception) -> bool:
        return self.dialect.is_disconnect(error, self.pooled.dbapi_connection, None)  # type: ignore[arg-type]

    def _fail(self, error: Exception) -> NoReturn:
        lost = self._lost(error)
        if lost:
            self.pooled.invalidate(error)
        raise self._told(error, lost=lost) from error

    def _told(self, error: Exception, *, lost: bool = False) -> BaseException:
        self.database.keep_values_out(error)
        return DBAPIError.instance(
            None,
            None,
            error,
            self._error,
            hide_parameters=True,
            connection_invalidated=lost,
            dialect=self.dialect,
        )


class Answer:
    """What a statement found that is sent together with others; to be read once they were sent."""

    __slots__ = ("rowcount", "rows")

    rows: list[tuple[Any, ...]]
    rowcount: int

    def fetchone(self) -> tuple[Any, ...] | None:
        return self.rows[0] if self.rows else None

    def fetchall(self) -> list[tuple[Any, ...]]:
        return self.rows


class Sending(Driver):
    """A connection on which statements are sent together, and answered together."""

    answers_at_once = False

    def __init__(self, engine: Engine) -> None:
        self._ahead: list[tuple[Compiled, Sequence[Any], Answer]] = []
        super().__init__(engine)

    def begin(self, words: str, *, few: bool = False) -> None:
        self._unsent = True
        self._over = False
        self._shared = False
        self._ahead.clear()
        self.announce(words)

    def run(self, statement: Statement, values: Mapping[str, Any]) -> Any:
        answer = self.ask(statement, values)
        self.answered()
        return answer

    def ask(self, statement: Statement, values: Mapping[str, Any]) -> Any:
        compiled = statement.compiled.get(self._name) or statement.on(self.dialect, self.database)
        answer = Answer()
        self._ahead.append((compiled, compiled.bound(values), answer))
        if self._shared:
            self.answered()
        return answer

    @property
    def fresh(self) -> bool:
        return self._unsent and not self._shared

    def finish(self, statement: Statement, values: Mapping[str, Any]) -> Any:
        before = [*self._ahead]
        answer = self.ask(statement, values)
        self.end()
        self.answered()
        if not answer.rows:
            self._over, self._ahead = False, before
        return answer

    def end(self) -> None:
        self.announce("COMMIT")
        self._over = True

    def commit(self) -> None:
        if not self._over:
            self.announce("COMMIT")
        self.answered()

    def go_by_index(self) -> None:
        self.announce(self.database.BY_INDEX)

    def go_by_choice(self) -> None:
        self.announce(self.database.BY_CHOICE)

    def share(self) -> None:
        self.answered()
        self._shared = True

    def meanwhile(self, work: Callable[[], bool] | None) -> None:
        self._link.meanwhile = work

    def answered(self) -> None:
        if not self._ahead:
            return
        ahead, self._ahead = self._ahead, []
        said = [(compiled, values) for compiled, values, _ in ahead]
        try:
            found = self._link.exchange(said)
        except self._error as error:
            if not self._unsent or not self._lost(error):
                self._fail(error)
            # It died in the pool, and so did whatever else lies there. Nothing was done yet.
            self.pooled.invalidate(error)
            self._engine.dispose()
            self._take()
            try:
                found = self._link.exchange(said)
            except self._error as again:
                self._fail(again)
        finally:
            self._unsent = False
        for (_, _, answer), (rows, rowcount) in zip(ahead, found, strict=True):
            answer.rows, answer.rowcount = rows, rowcount

    def undo(self) -> bool:
        self._ahead.clear()
        return super().undo()


@cache
def _said(words: str) -> Statement:
    """Words that are said again and again, and so prepared."""
    return Statement(text(words))
