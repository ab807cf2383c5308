"""A connection of the database's driver: what is run on it costs what the database takes, and little more."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any, NoReturn

from sqlalchemy import Dialect, Engine, PoolProxiedConnection
from sqlalchemy.exc import DBAPIError

from statewright.dialects import of
from statewright.statement import Statement

RESTING = 4
"""Connections that are kept for the next transaction; the pool has no more than a few others to give."""


class Drivers:
    """Connections between two transactions: the pool takes as long to give one out as it takes to write a move."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._resting: deque[Driver] = deque()

    def take(self, begin: str) -> Driver:
        """A connection on which a transaction begins with these words."""
        try:
            driver = self._resting.pop()
        except IndexError:
            driver = Driver(self._engine)
        driver.begin(begin)
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

    def __init__(self, engine: Engine) -> None:
        self.dialect: Dialect = engine.dialect
        self.database = of(engine)
        self._engine = engine
        self._ahead: list[tuple[str, dict[str, Any] | None]] = []
        self._fresh = True
        self._take()

    def begin(self, words: str) -> None:
        """Begin a transaction."""
        self._fresh = True
        self._ahead = [(words, None)]
        if not self.database.WAITS_FOR_ANSWERS:
            try:
                self.answered()
            except BaseException:
                self.pooled.close()
                raise

    def run(self, statement: Statement, values: Mapping[str, Any]) -> Any:
        """Run a statement; the driver's cursor has its answer. Raises KeyError for a value that is not told."""
        compiled = statement.on(self.dialect)
        return self._send(compiled.sql, compiled.bound(values))

    def one(self, statement: Statement, values: Mapping[str, Any]) -> dict[str, Any] | None:
        """The row that a SELECT finds, by column; None when there is none."""
        row = self.run(statement, values).fetchone()
        return None if row is None else statement.on(self.dialect).read(row)

    def say(self, words: str) -> Any:
        """Run words that are told nothing."""
        return self._send(words, None)

    def run_ahead(self, statement: Statement, values: Mapping[str, Any]) -> None:
        """Run a statement whose answer nobody reads, together with the next one."""
        compiled = statement.on(self.dialect)
        self._ahead.append((compiled.sql, compiled.bound(values)))

    def say_ahead(self, words: str) -> None:
        """The same for words that are told nothing."""
        self._ahead.append((words, None))

    def answered(self) -> None:
        """Have everything run that was to run ahead."""
        if self._ahead:
            self._send(*self._ahead.pop(), together=True)

    def commit(self) -> None:
        self.answered()
        try:
            self.pooled.commit()
        except self._error as error:
            self._fail(error)

    def undo(self) -> bool:
        """End the transaction without a trace; tells whether the connection is good for another."""
        self._ahead.clear()
        try:
            if self.pooled.is_valid:
                self.pooled.rollback()
        except self._error:
            return False
        return self.pooled.is_valid

    def _send(self, words: str, values: dict[str, Any] | None, *, together: bool = False) -> Any:
        try:
            if together or self._ahead:
                return self._send_together(words, values)
            return self._execute(words, values) if values else self._execute(words)
        except self._error as error:
            self._fail(error)
        finally:
            self._fresh = False

    def _send_together(self, words: str, values: dict[str, Any] | None) -> Any:
        ahead, self._ahead = self._ahead, []
        try:
            return self.database.together(self.pooled.driver_connection, [*ahead, (words, values)])
        except self._error as error:
            if not self._fresh or not self._lost(error):
                raise
            # It died in the pool, and so did whatever else lies there. Nothing was done yet.
            self.pooled.invalidate(error)
            self._engine.dispose()
            self._take()
            return self.database.together(self.pooled.driver_connection, [*ahead, (words, values)])

    def _take(self) -> None:
        self._error: Any = self.dialect.loaded_dbapi.Error
        try:
            self.pooled: PoolProxiedConnection = self._engine.raw_connection()
        except self._error as error:
            raise self._told(error) from error
        self._execute: Any = getattr(self.pooled.driver_connection, "execute")  # noqa: B009 - no driver has a type

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
