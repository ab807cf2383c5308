"""Whatever goes wrong with the database meanwhile, told as a StoreError; but for a broken constraint."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError, IntegrityError

from statewright.dialects import Database


class Troubles:
    """A context for work on one database; name: the database as a person knows it."""

    __slots__ = ("_database", "_name")

    def __init__(self, database: Database, name: str) -> None:
        self._database = database
        self._name = name

    def __enter__(self) -> None:
        """Nothing is needed beforehand."""

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if error is not None:
            self.tell(error)

    def tell(self, error: BaseException) -> None:
        """Raise StoreError if this is trouble with the database."""
        if isinstance(error, DBAPIError) and not isinstance(error, IntegrityError):
            raise self._database.trouble(error, self._name) from error
