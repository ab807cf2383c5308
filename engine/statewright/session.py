"""The session that a Store opens: begun on the driver at once, and given to SQLAlchemy when that is asked for."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Self

from sqlalchemy import Column, ColumnElement, Connection, Engine, and_, select
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

from statewright import dialects
from statewright.clock import Clock
from statewright.dialects.begin import BEGUN
from statewright.dialects.postgresql import DatabaseClock
from statewright.driver import Driver, Drivers
from statewright.errors import StoreError
from statewright.statement import Statement
from statewright.tables import transition
from statewright.trouble import Troubles


class StoreSession(Session):
    """A session inside a transaction: begun as it is entered, over when it is left.

    writing: it may write, and is committed in the end, unless an exception ends it
    whole:   an error anywhere in it undoes all of it, so no part of it needs a savepoint of its own
    few:     each statement of it changes a few thousand rows at the most
    """

    def __init__(
        self,
        engine: Engine,
        drivers: Drivers,
        troubles: Troubles,
        *,
        clock: Clock,
        writing: bool,
        whole: bool = False,
        few: bool = False,
    ) -> None:
        self._engine = engine
        self._drivers = drivers
        self._troubles = troubles
        self._wrapped: Connection | None = None
        self._clock = clock
        self.writing = writing
        self.whole = whole
        self._few = few
        self._committed = self._given_back = False
        self.untouched = True
        """Nobody has used SQLAlchemy on it: it holds no rows."""
        self.batches: list[int] = []
        """The steps that were taken in it, as their log rows name them."""
        self._last: list[Callable[[], object]] = []

    def __enter__(self) -> Self:
        try:
            self._driver = self._drivers.take(writing=self.writing, by_index=self.whole, few=self._few)
        except DBAPIError as error:
            self._troubles.tell(error)
            raise
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        try:
            try:
                if error is None and self.writing:
                    self._finish()
            finally:
                self.close()
        except DBAPIError as trouble:
            self._troubles.tell(trouble)
            raise
        if error is not None:
            self._troubles.tell(error)

    @property
    def driver(self) -> Driver:
        """The driver's connection, inside the transaction."""
        if not self.untouched:
            # A savepoint of the caller's own begins here, and after a commit or a rollback the next transaction.
            self.connection()
        return self._driver

    @property
    def server_time(self) -> bool:
        """The store goes by the database's own clock, which a statement can read for itself."""
        return isinstance(self._clock, DatabaseClock)

    def new_batch(self) -> int:
        """What the log rows of one more step share."""
        batch = random.getrandbits(63)
        self.batches.append(batch)
        return batch

    def instant(self) -> datetime:
        """The present instant, by the store's clock."""
        clock = self._clock
        return clock.now_on(self.driver.say) if isinstance(clock, DatabaseClock) else clock.now()

    def touch(self) -> None:
        """Begin SQLAlchemy's part, when it is first asked for: a call that moves one row never does."""
        self.untouched = False
        super().__init__(self._engine, expire_on_commit=False)

    def get_bind(self, *_arguments: Any, **_options: Any) -> Connection:
        if self._wrapped is None:
            self._driver.share()
            self._driver.pooled.info[BEGUN] = True
            self._wrapped = Connection(self._engine, connection=self._driver.pooled)
        return self._wrapped

    def commit(self) -> None:
        self.connection()
        super().commit()

    def rollback(self) -> None:
        self.connection()
        super().rollback()

    def in_the_end(self, do: Callable[[], object]) -> None:
        """Have an answer read that was asked for last: after COMMIT, if it comes with that."""
        if self._driver.answers_at_once:
            do()
        else:
            self._last.append(do)

    def close(self) -> None:
        if not self.untouched:
            super().close()
        if self._given_back:
            return
        if self._wrapped is not None:
            self._wrapped.close()
        elif self._committed or (not self.writing and self._driver.undo()):
            self._given_back = True
            self._drivers.give_back(self._driver)
        else:
            self._driver.pooled.close()

    def _finish(self) -> None:
        """Commit what was done, if it was not rolled back: the only place in the program that commits."""
        if not self.untouched and self.in_transaction():
            super().commit()
        if self._wrapped is None:
            self._driver.commit()
            self._committed = True
        for do in self._last:
            do()


class _Late:
    """An attribute of SQLAlchemy's part: a `__getattr__` for all of them would slow down any look at a session."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, session: StoreSession, _owner: type) -> Any:
        session.touch()
        return vars(session)[self._name]


for _name in vars(Session()):
    setattr(StoreSession, _name, _Late(_name))


def of_a_store(session: Session) -> StoreSession:
    """The session, known to be one that a Store opened. Raises StoreError for any other."""
    if not isinstance(session, StoreSession):
        raise StoreError("expected a session that a Store opened, got one of another engine")
    return session


def instant(session: Session) -> datetime:
    """The present instant, by the clock of the store that this session belongs to."""
    return of_a_store(session).instant()


def written(session: Session, *, after: int) -> ColumnElement[bool]:
    """Which log rows this transaction has written after the one with this id.

    A server shows what others commit meanwhile as well, so the ids alone do not tell.
    """
    mine = dialects.among(transition.c.batch, of_a_store(session).batches)
    return and_(transition.c.id > after, mine)


@contextmanager
def by_index(session: Session) -> Iterator[Connection]:
    """A connection on which each row is looked up by an index: for statements that look for some among many.

    Left to choose, a planner would read a table of a hundred thousand rows to find two thousand of them.
    """
    mine = of_a_store(session)
    connection, driver = mine.connection(), mine.driver
    driver.go_by_index()
    yield connection
    driver.go_by_choice()


@contextmanager
def meanwhile(session: Session, work: Callable[[], bool]) -> Iterator[None]:
    """Have something done, piece by piece, while a server's answers are waited for.

    work: does a short piece and raises nothing; False when there is nothing left to do for now
    """
    driver = of_a_store(session).driver
    driver.meanwhile(work)
    try:
        yield
    finally:
        driver.meanwhile(None)


def expect_to_write(session: Session) -> StoreSession:
    """The session, known to be one that may write. Raises StoreError for one whose writes would be lost."""
    if not (mine := of_a_store(session)).writing:
        raise StoreError("cannot move rows in a session that only reads; open it with Store.transaction()")
    return mine


def locking(ids: Column[int], where: ColumnElement[bool]) -> Statement:
    """What locks rows in the order of their ids; for `hold`."""
    return Statement(select(ids).where(where).order_by(ids).with_for_update(of=ids.table, key_share=True))


def hold(session: Session, *locks: Statement, **told: Any) -> Any:
    """Lock rows before looking at them, where several write at once; whoever else locks them waits until the end.

    locks: made by `locking`, each told these values. To stay clear of deadlocks, the outermost table comes first.
    Returns what the last one locks, to be read after the next statement that is run; None where nothing is locked.
    """
    answer, driver = None, expect_to_write(session).driver
    if driver.database.LOCKS_ROWS:
        for lock in locks:
            answer = driver.ask(lock, told)
    return answer


def take_turns(session: Session) -> None:
    """Wait until no other transaction that takes turns is under way; where one writes at a time, there is none."""
    dialects.of(session.connection()).take_turns(session.connection())


def take_your_time(session: Session) -> None:
    """Let this transaction wait for locks, and for whoever uses it, as long as it takes."""
    dialects.of(session.connection()).take_your_time(session.connection())
