"""Accounts: an advertiser's, and the identities in whose name it may advertise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, select, true, update
from sqlmodel import Session, col
from sqlmodel import select as select_rows

from sparkads.campaign import accounts
from sparkads.errors import RuleBroken, WrongInput
from sparkads.identity import identities
from sparkads.portfolio.noun import Noun, id_of, matching, text
from sparkads.tables import (
    BUSINESS_CENTER,
    BY_CODE,
    LINKED,
    AdAccount,
    AdCode,
    Identity,
    Post,
    SparkAd,
)
from statewright.log import Entry, entries
from statewright.tables import transition
from statewright.transition import fire, start


class Accounts(Noun[AdAccount]):
    """Ad accounts. Every verb raises UnknownRow for an id that is not there."""

    workflow = accounts
    row = AdAccount

    def add(self, name: str, *, actor: str, key: str | None = None, session: Session | None = None) -> AdAccount:
        """A new ad account. Raises RuleBroken when there is one of this name."""
        name = text("a name for the account", name)
        with self.spark.transaction(session) as writing:
            if replayed := self._replayed(writing, key):
                return replayed
            if self.named(name, session=writing):
                raise RuleBroken(f'cannot add account "{name}": there is one of this name')
            return self._begin(writing, self._insert(writing, {"name": name}), actor=actor, key=key)

    def named(self, name: str, *, session: Session | None = None) -> AdAccount | None:
        """The account of this name, if there is one."""
        with self.spark.reading(session) as reading:
            return reading.exec(select_rows(AdAccount).where(col(AdAccount.name) == name)).one_or_none()

    def meant(self, account: AdAccount | int | None, *, session: Session | None = None) -> AdAccount:
        """The account given, or the only one when none is. Raises WrongInput when there are several or none."""
        with self.spark.reading(session) as reading:
            if account is not None:
                return self._fresh(reading, id_of(account))
            found = reading.exec(select_rows(AdAccount).where(col(AdAccount.state) == "open").limit(2)).all()
        if len(found) != 1:
            problem = (
                "there are several accounts; say which" if found else "there is no account yet; add one first"
            )
            raise WrongInput(problem)
        return found[0]

    def rename(
        self, account: AdAccount | int, name: str, *, actor: str, session: Session | None = None
    ) -> AdAccount:
        """Another name."""
        return self._fire(
            "rename", account, actor=actor, session=session, name=text("a name for the account", name)
        )

    def close(self, account: AdAccount | int, *, actor: str, session: Session | None = None) -> AdAccount:
        """No longer used. Raises GuardRefused while it has ads that are not deleted."""
        return self._fire("close", account, actor=actor, session=session)

    def link(
        self, account: AdAccount | int, handle: str, *, actor: str, session: Session | None = None
    ) -> Identity:
        """Link the advertiser's own TikTok Business Account: identity type 1."""
        return self._grant(account, LINKED, handle, actor=actor, session=session)

    def unlink(
        self,
        account: AdAccount | int,
        handle: str,
        *,
        actor: str,
        reason: str | None = None,
        session: Session | None = None,
    ) -> Identity:
        """Undo the link; the ads under it stop, as they do when a code ends."""
        return self._withdraw(account, LINKED, handle, actor=actor, reason=reason, session=session)

    def grant(
        self, account: AdAccount | int, handle: str, *, actor: str, session: Session | None = None
    ) -> Identity:
        """Use a TikTok account authorized through Business Center: identity type 2."""
        return self._grant(account, BUSINESS_CENTER, handle, actor=actor, session=session)

    def withdraw(
        self,
        account: AdAccount | int,
        handle: str,
        *,
        actor: str,
        reason: str | None = None,
        session: Session | None = None,
    ) -> Identity:
        """The Business Center permission is gone; the ads under it stop."""
        return self._withdraw(account, BUSINESS_CENTER, handle, actor=actor, reason=reason, session=session)

    def identities(self, account: AdAccount | int, *, session: Session | None = None) -> Sequence[Identity]:
        """Every identity of the account."""
        with self.spark.reading(session) as reading:
            mine = select_rows(Identity).where(col(Identity.account_id) == id_of(account))
            return reading.exec(mine.order_by(col(Identity.id))).all()

    def history(self, subject: AdAccount | int, *, session: Session | None = None) -> Sequence[Entry]:
        """What became of the account and of its identities, oldest first. Raises UnknownRow."""
        with self.spark.reading(session) as reading:
            own = super().history(subject, session=reading)
            mine = select(identities.id).where(identities.table.c.account_id == id_of(subject))
            of_identities = and_(transition.c.workflow == identities.name, transition.c.row_id.in_(mine))
            return sorted([*own, *entries(reading, of_identities)], key=lambda entry: entry.id)

    def identity_for(self, session: Session, account_id: int, handle: str, *, kind: str, actor: str) -> Identity:
        """The identity of this kind and handle, made and usable if it is not there yet."""
        found = self._identity(session, account_id, kind, handle)
        if found is None:
            table = identities.table
            row_id = (
                session.connection()
                .execute(
                    table.insert().values(account_id=account_id, kind=kind, handle=handle).returning(table.c.id)
                )
                .scalar_one()
            )
            start(session, identities, identities.id == row_id, actor=actor)
            self._adopt(session, account_id, row_id, kind, handle)
            fire(session, identities, "grant", row_id, actor=actor)
            found = session.get_one(Identity, row_id, populate_existing=True)
        return found

    def _grant(
        self, account: AdAccount | int, kind: str, handle: str, *, actor: str, session: Session | None
    ) -> Identity:
        handle = handle_of(handle)
        with self.spark.transaction(session) as writing:
            account_id = id_of(self._fresh(writing, id_of(account)))
            identity = self._identity(writing, account_id, kind, handle)
            if identity is None:
                return self.identity_for(writing, account_id, handle, kind=kind, actor=actor)
            self._adopt(writing, account_id, id_of(identity), kind, handle)
            fire(writing, identities, "grant", id_of(identity), actor=actor)
            return writing.get_one(Identity, identity.id, populate_existing=True)

    def _withdraw(
        self,
        account: AdAccount | int,
        kind: str,
        handle: str,
        *,
        actor: str,
        reason: str | None,
        session: Session | None,
    ) -> Identity:
        handle = handle_of(handle)
        with self.spark.transaction(session) as writing:
            name = self._fresh(writing, id_of(account)).name
            identity = self._identity(writing, id_of(account), kind, handle)
            if identity is None:
                verb = "linked" if kind == LINKED else "authorized through Business Center"
                raise WrongInput(f'@{handle} is not {verb} with account "{name}"')
            fire(writing, identities, "withdraw", id_of(identity), actor=actor, reason=reason)
            return writing.get_one(Identity, identity.id, populate_existing=True)

    def _identity(self, session: Session, account_id: int, kind: str, handle: str) -> Identity | None:
        return session.exec(
            select_rows(Identity).where(
                col(Identity.account_id) == account_id,
                col(Identity.kind) == kind,
                col(Identity.handle) == handle,
            )
        ).one_or_none()

    def _adopt(self, session: Session, account_id: int, identity_id: int, kind: str, handle: str) -> None:
        """Give the identity to ads of this creator's posts that have none, and drop the needs it covers."""
        orphans = select(col(SparkAd.id)).where(
            col(SparkAd.account_id) == account_id,
            col(SparkAd.identity_id).is_(None),
            col(SparkAd.state) != "deleted",
            col(SparkAd.post_id).in_(select(col(Post.id)).where(col(Post.creator) == handle)),
        )
        orphaned = session.connection().execute(orphans).scalars().all()
        if not orphaned:
            return
        if kind != BY_CODE:
            own = select(col(Post.id)).where(col(Post.creator) == handle)
            session.connection().execute(
                delete(AdCode).where(col(AdCode.ad_id).in_(orphaned), col(AdCode.post_id).in_(own))
            )
        session.connection().execute(
            update(SparkAd).where(col(SparkAd.id).in_(orphaned)).values(identity_id=identity_id)
        )

    def _where(self, session: Session, **selection: Any) -> ColumnElement[bool]:
        return _selected(**selection)


def _selected(
    *, ids: Sequence[int] | None = None, state: str | Sequence[str] | None = None, name: str | None = None
) -> ColumnElement[bool]:
    return and_(
        true(),
        *([col(AdAccount.id).in_(ids)] if ids is not None else []),
        *matching(AdAccount.state, state),
        *matching(AdAccount.name, name),
    )


def handle_of(handle: str) -> str:
    """A TikTok handle without its `@`, in lower case, as TikTok treats it. Raises WrongInput."""
    cleaned = handle.strip().removeprefix("@").lower()
    if not cleaned or len(cleaned) > 64 or not all(c.isalnum() or c in "._-" for c in cleaned):
        raise WrongInput(f"expected a TikTok handle like @mia, got {handle[:80]!r}")
    return cleaned
