"""A connection of the database's driver: what is run on it costs what the database takes, and little more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from sqlalchemy import Dialect, Engine, PoolProxiedConnection
from sqlalchemy.exc import DBAPIError

from statewright.dialects import of
from statewright.statement import Statement


class Driver:
    """A pooled connection on which `begin` was said; a connection that died in the pool is replaced.

    Errors come as SQLAlchemy's, like those of any other statement.
    """

    def __init__(self, engine: Engine, begin: str) -> None:
        self.dialect: Dialect = engine.dialect
        self.database = of(engine)
        self._take(engine)
        try:
            self.say(begin)
        except DBAPIError as error:
            if not error.connection_invalidated:
                self.pooled.close()
                raise
            # Whatever else lies in the pool died with it.
            engine.dispose()
            self._take(engine)
            self.say(begin)

    def run(self, statement: Statement, values: Mapping[str, Any]) -> Any:
        """Run a statement; the driver's cursor has its answer. Raises KeyError for a value that is not told."""
        compiled = statement.on(self.dialect)
        bound = compiled.bound(values)
        try:
            return self._execute(compiled.sql, bound)
        except self._error as error:
            self._fail(error)

    def one(self, statement: Statement, values: Mapping[str, Any]) -> dict[str, Any] | None:
        """The row that a SELECT finds, by column; None when there is none."""
        row = self.run(statement, values).fetchone()
        return None if row is None else statement.on(self.dialect).read(row)

    def say(self, words: str) -> Any:
        """Run words that are told nothing."""
        try:
            return self._execute(words)
        except self._error as error:
            self._fail(error)

    def commit(self) -> None:
        try:
            self.pooled.commit()
        except self._error as error:
            self._fail(error)

    def _take(self, engine: Engine) -> None:
        self._error: Any = self.dialect.loaded_dbapi.Error
        try:
            self.pooled: PoolProxiedConnection = engine.raw_connection()
        except self._error as error:
            raise self._told(error) from error
        self._execute: Any = getattr(self.pooled.driver_connection, "execute")  # noqa: B009 - no driver has a type

    def _fail(self, error: Exception) -> NoReturn:
        lost = self.dialect.is_disconnect(error, self.pooled.dbapi_connection, None)  # type: ignore[arg-type]
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
