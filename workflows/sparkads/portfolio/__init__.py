"""SparkAds: a portfolio of Spark Ads, its verbs grouped by noun."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement
from sqlmodel import Session

from sparkads.errors import WrongInput
from sparkads.portfolio.accounts import Accounts
from sparkads.portfolio.ads import Ads
from sparkads.portfolio.campaigns import AdGroups, Campaigns
from sparkads.portfolio.codes import Codes
from sparkads.portfolio.noun import aware
from sparkads.portfolio.posts import Posts
from sparkads.settings import Settings, load_settings
from sparkads.tables import SCHEMA
from sparkads.workflows import WORKFLOWS
from statewright.clock import Clock
from statewright.session import instant, of_a_store
from statewright.store import Store

if TYPE_CHECKING:
    from sparkads.portfolio.forecast import Day
    from statewright.archive import Archived, Finding
    from statewright.status import Status
    from statewright.step import Tick
    from statewright.sweep import Swept


class SparkAds:
    """A portfolio of Spark Ads in a database.

    database: its URL, such as `sqlite:///sparkads.db`; the settings' unless given
    settings: see `config/default.toml`; read from the environment and files unless given
    create:   False refuses a database that does not exist yet
    Raises DefinitionError for wrong settings, StoreError for a database that cannot be used.

    Verbs take a row or its id; `actor`, the name that goes into the history, is required. `key` makes a
    call idempotent, `session` puts it into the caller's own transaction. Verbs return the fresh row.
    """

    def __init__(
        self,
        database: str | None = None,
        *,
        settings: Settings | None = None,
        clock: Clock | None = None,
        create: bool = True,
    ) -> None:
        self.settings = settings or load_settings()
        self.store = Store(
            database or self.settings.database,
            schema=SCHEMA,
            clock=clock,
            create=create,
            synchronous=self.settings.synchronous,
        )
        self.workflows = WORKFLOWS
        self.accounts = Accounts(self)
        self.posts = Posts(self)
        self.codes = Codes(self)
        self.campaigns = Campaigns(self)
        self.ad_groups = AdGroups(self)
        self.ads = Ads(self)

    def __repr__(self) -> str:
        return f"SparkAds({self.store.name!r})"

    @contextmanager
    def transaction(self, session: Session | None = None) -> Iterator[Session]:
        """A transaction for several calls and the caller's own rows; all of it lasts or none.

        Given a session that is open already, it becomes a part of that one: undone alone if it fails,
        committed with the rest by whoever began it.
        """
        if session is None:
            with self.store.transaction() as mine:
                yield mine
        else:
            with session.begin_nested():
                yield session

    def call(self, session: Session | None) -> AbstractContextManager[Session]:
        """A transaction for one verb: its own, or a part of the caller's; undone as a whole if it fails."""
        if session is None:
            return self.store.transaction(whole=True)
        # A verb within a verb fails with it.
        return nullcontext(session) if of_a_store(session).whole else self.transaction(session)

    def reading(self, session: Session | None = None) -> AbstractContextManager[Session]:
        """A session for reading; the one given, if any."""
        return self.store.reading() if session is None else nullcontext(session)

    def now(self, session: Session | None = None) -> datetime:
        """The present instant by the portfolio's clock."""
        with self.reading(session) as reading:
            return instant(reading)

    def tick(self, **options: Any) -> Tick:
        """Do what is due now: expire codes, stop their ads, tell subscribers. See `statewright.step.tick`."""
        from statewright.step import tick

        options.setdefault("batch", self.settings.batch)
        options.setdefault("pause", self.settings.pause)
        return tick(self.store, self.workflows, **options)

    def rehearse(
        self,
        at: datetime | None = None,
        *,
        look: Callable[[Session, ColumnElement[bool]], None] = lambda session, written: None,
    ) -> Swept:
        """What a tick at this instant would do, with nothing written.

        look: reads what became of the rows before it is taken back; given which log rows the tick wrote
        """
        from statewright.sweep import rehearse

        return rehearse(
            self.store,
            self.workflows,
            actor="rehearsal",
            batch=self.settings.batch,
            now=aware("the instant of the rehearsal", at),
            look=look,
        )

    def forecast(self, *, days: int) -> Sequence[Day]:
        """Which codes will end and which ads will stop, day by day: today, and so many days after it."""
        from sparkads.portfolio.forecast import forecast

        with self.reading() as session:
            return forecast(session, days=days)

    def status(self) -> Status:
        """How the daemons are doing, from the database alone."""
        from statewright.status import status

        with self.reading() as session:
            return status(session, self.workflows)

    def archivable(self, *, before: datetime) -> Finding:
        """What `archive` would take; nothing is written. Raises WrongInput as it does."""
        from statewright.archive import find

        return find(self.store, self.workflows, before=self._past(before))

    def archive(
        self,
        *,
        before: datetime,
        into: str | Path = ".",
        actor: str,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> Archived:
        """Move the history of what was deleted or closed before an instant into a new file in a folder.

        See `statewright.archive.archive`. Raises WrongInput for an instant that is yet to come, ArchiveError for
        trouble with the file, StoreError where this user may not remove log rows.
        """
        from statewright.archive import archive

        cut = self._past(before)
        return archive(self.store, self.workflows, before=cut, into=Path(into), actor=actor, progress=progress)

    def _past(self, before: datetime) -> datetime:
        """An instant that is over: a life that ends today is not old, whatever the calendar of the caller says."""
        cut, now = aware("the instant before which lives ended", before), self.now()
        if cut is None or cut > now:
            raise WrongInput(f"cannot archive what ends before {before:%Y-%m-%d %H:%M}Z: that is yet to come")
        return cut

    def close(self) -> None:
        """Give the database's connections back."""
        self.store.close()
