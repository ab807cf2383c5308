"""The identities that ads appear under: the one that a row names, or the best that there is."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from sqlalchemy import or_, select
from sqlmodel import Session

from sparkads.errors import WrongInput
from sparkads.identity import identities
from sparkads.tables import BUSINESS_CENTER, BY_CODE, LINKED

if TYPE_CHECKING:
    from sparkads.portfolio import SparkAds

_identity = identities.table.c

Key = tuple[str, str, str]
"""An account by name, the kind of identity, and its handle."""


class NamedIdentities:
    """The identities that rows name, and those that must be made for them."""

    def __init__(
        self, session: Session, spark: SparkAds, account_ids: Mapping[str, int], handles: Collection[str]
    ) -> None:
        self._spark = spark
        names = {account_id: name for name, account_id in account_ids.items()}
        mine = select(_identity.id, _identity.account_id, _identity.kind, _identity.handle, _identity.state).where(
            _identity.account_id.in_(names), or_(_identity.handle.in_(handles), _identity.kind == LINKED)
        )
        rows = session.connection().execute(mine).all()
        keys = [(names[row.account_id], row.kind, row.handle) for row in rows]
        self.ids: dict[Key, int] = {key: row.id for key, row in zip(keys, rows, strict=True)}
        self._states: dict[Key, str] = {key: row.state for key, row in zip(keys, rows, strict=True)}

    def meant(self, account: str, kind: str | None, handle: str | None, creator: str) -> Key | None:
        """The identity that a row means for its creator's post; None when there is none yet, and none is named.

        Raises WrongInput for a code's identity that is not the creator's.
        """
        if kind is None:
            best = ((account, kind, creator) for kind in (LINKED, BUSINESS_CENTER, BY_CODE))
            return next(filter(self._usable, best), None)
        if kind == BY_CODE:
            if handle not in (None, creator):
                raise WrongInput(f"an ad by video code appears as its post's creator @{creator}, not as @{handle}")
            return (account, kind, creator) if (account, kind, creator) in self._states else None
        if handle is None and kind == LINKED and (account, kind, creator) not in self._states:
            # A linked account is the advertiser's own: who it is is not to be guessed from somebody's post.
            own = (key for key in self._states if key[:2] == (account, LINKED) and self._usable(key))
            return next(own, (account, kind, creator))
        return account, kind, handle or creator

    def _usable(self, key: Key) -> bool:
        return self._states.get(key, "withdrawn") != "withdrawn"

    def need(self, key: Key, state: str) -> None:
        """Have an identity made if it is not there."""
        self._states.setdefault(key, state)

    def make(self, session: Session, account_ids: Mapping[str, int], *, actor: str) -> None:
        """Make those that rows need."""
        wanted: dict[tuple[str, str], list[Key]] = {}
        for key, state in self._states.items():
            if key not in self.ids:
                wanted.setdefault((key[1], state), []).append(key)
        for (kind, state), keys in wanted.items():
            made = self._spark.accounts.identities_for(
                session,
                [(account_ids[account], handle) for account, _, handle in keys],
                kind=kind,
                actor=actor,
                state=state,
            )
            self.ids.update({key: made[account_ids[key[0]], key[2]] for key in keys})
