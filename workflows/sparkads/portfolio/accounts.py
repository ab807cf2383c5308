"""Accounts: an advertiser's, and the identities in whose name it may advertise."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, delete, func, insert, select, true, update
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
    table,
)
from statewright.dialects import among
from statewright.log import Entry, entries
from statewright.tables import transition
from statewright.transition import fire, fire_all, start

_identity = identities.table.c
_KEY = (_identity.account_id, _identity.handle)
_NAMED = select(*_KEY, _identity.id).where(
    _identity.kind == bindparam("kind"),
    among(_identity.account_id, "accounts"),
    among(_identity.handle, "handles"),
)
_HANDLE = re.compile(r"[\w.\-]{1,64}")
_VERBS = {LINKED: "linked", BUSINESS_CENTER: "authorized through Business Center"}


class Accounts(Noun[AdAccount]):
    """Ad accounts. Every verb raises UnknownRow for an id that is not there."""

    workflow = accounts
    row = AdAccount
    begun_by = "add"

    def add(self, name: str, *, actor: str, key: str | None = None, session: Session | None = None) -> AdAccount:
        """A new ad account. Raises RuleBroken when there is one of this name."""
        name = text("a name for the account", name)
        with self.spark.call(session) as writing:
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
        """The account given, or the only one when none is.

        Raises WrongInput when there are several or none, RuleBroken when it is closed.
        """
        with self.spark.reading(session) as reading:
            if account is not None:
                given = self._fresh(reading, self._id_of(account))
                if given.state != "open":
                    raise RuleBroken(f'account "{given.name}" is closed; name another')
                return given
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
        """Another name. Raises RuleBroken when another account has it."""
        name = text("a name for the account", name)
        with self.spark.call(session) as writing:
            renamed, other = self.get(account, session=writing), self.named(name, session=writing)
            if other is not None and other.id != renamed.id:
                raise RuleBroken(f'cannot rename account "{renamed.name}": there is one named "{name}" already')
            return self._fire("rename", account, actor=actor, session=writing, name=name)

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
            return sorted([*own, *entries(reading, of_identities)], key=lambda entry: (entry.at, entry.id))

    def identity_for(self, session: Session, account_id: int, handle: str, *, kind: str, actor: str) -> Identity:
        """The identity of this kind and handle, made and usable if it is not there yet."""
        made = self.identities_for(session, [(account_id, handle)], kind=kind, actor=actor)
        return session.get_one(Identity, made[account_id, handle], populate_existing=True)

    def identities_for(
        self,
        session: Session,
        wanted: Collection[tuple[int, str]],
        *,
        kind: str,
        actor: str,
        state: str = "usable",
    ) -> dict[tuple[int, str], int]:
        """The ids of the identities of this kind, by account and handle; those not there yet are made.

        state: in which a new one begins, "usable", "pending" or "withdrawn"
        """
        connection = session.connection()
        named = {
            "kind": kind,
            "accounts": [*{account_id for account_id, _ in wanted}],
            "handles": [*{handle for _, handle in wanted}],
        }
        found = {(account_id, handle): id_ for account_id, handle, id_ in connection.execute(_NAMED, named)}
        values = [
            {"account_id": account_id, "handle": handle, "kind": kind}
            for account_id, handle in dict.fromkeys(wanted)
            if (account_id, handle) not in found
        ]
        if not values:
            return found
        rows = connection.execute(insert(identities.table).returning(*_KEY, _identity.id), values)
        made = {(account_id, handle): id_ for account_id, handle, id_ in rows}
        fresh = identities.id.in_(made.values())
        if state == "withdrawn":
            start(session, identities, fresh, actor=actor, target=state)
            return {**found, **made}
        start(session, identities, fresh, actor=actor)
        self._adopt(session, list(made.values()))
        if state == "usable":
            fire_all(session, identities, "grant", fresh, actor=actor)
        return {**found, **made}

    def _grant(
        self, account: AdAccount | int, kind: str, handle: str, *, actor: str, session: Session | None
    ) -> Identity:
        handle = handle_of(handle)
        with self.spark.call(session) as writing:
            owner = self.meant(account, session=writing)
            account_id = id_of(owner)
            identity = self._identity(writing, account_id, kind, handle)
            if identity is None:
                return self.identity_for(writing, account_id, handle, kind=kind, actor=actor)
            if identity.state == "usable":
                raise RuleBroken(f'@{handle} is {_VERBS[kind]} with account "{owner.name}" already')
            self._adopt(writing, [id_of(identity)])
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
        with self.spark.call(session) as writing:
            owner = self._fresh(writing, self._id_of(account))
            identity = self._identity(writing, id_of(owner), kind, handle)
            if identity is None or identity.state != "usable":
                raise RuleBroken(f'@{handle} is not {_VERBS[kind]} with account "{owner.name}"')
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

    def _adopt(self, session: Session, ids: Sequence[int]) -> None:
        """Give these identities to ads of their creators' posts that have none, and drop the needs they cover.

        No more of them than an identity can take.
        """
        connection, ad, need = session.connection(), table(SparkAd).c, table(AdCode).c
        identity, post, other = identities.table.c, table(Post).c, table(SparkAd).alias("other")
        has = select(func.count()).where(other.c.identity_id == identity.id, other.c.state != "deleted")
        orphans = (
            select(
                ad.id.label("ad_id"),
                identity.id.label("identity"),
                func.row_number().over(partition_by=identity.id, order_by=ad.id).label("place"),
                has.scalar_subquery().label("taken"),
            )
            .select_from(identities.table)
            .join(table(Post), post.creator == identity.handle)
            .join(table(SparkAd), and_(ad.post_id == post.id, ad.account_id == identity.account_id))
            .where(identity.id.in_(ids), ad.identity_id.is_(None), ad.state != "deleted")
            .subquery()
        )
        room = self.spark.settings.ads_per_identity - orphans.c.taken
        taken = connection.execute(select(orphans.c.ad_id, orphans.c.identity).where(orphans.c.place <= room))
        adopted = [{"ad": ad_id, "identity": identity_id} for ad_id, identity_id in taken]
        if not adopted:
            return
        connection.execute(
            update(table(SparkAd)).where(ad.id == bindparam("ad")).values(identity_id=bindparam("identity")),
            adopted,
        )
        covered = select(post.id).where(
            identity.id == bindparam("identity"), identity.kind != BY_CODE, post.creator == identity.handle
        )
        connection.execute(
            delete(table(AdCode)).where(need.ad_id == bindparam("ad"), need.post_id.in_(covered)), adopted
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
    if not _HANDLE.fullmatch(cleaned):
        raise WrongInput(f"expected a TikTok handle like @mia, got {handle[:80]!r}")
    return cleaned
