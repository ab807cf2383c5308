"""The ad accounts that rows name: found, or made."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select
from sqlmodel import Session

from sparkads.campaign import accounts
from sparkads.errors import RuleBroken, WrongInput
from sparkads.importing.beginning import Beginning, begin
from sparkads.importing.cells import choice
from sparkads.portfolio.noun import text
from statewright.dialects import among
from statewright.many import insert_all

USUAL = "default"
"""What the account is called that an import makes when there is none and no row names one."""

_account = accounts.table.c
_STORED = select(_account.name, _account.id, _account.state).where(among(_account.name, "names"))


def usual_account(session: Session) -> str | None:
    """The account of rows that name none: the only one, or `default`; None when there are several others."""
    names = session.connection().execute(select(_account.name).where(_account.state == "open").limit(2))
    found = names.scalars().all()
    if len(found) == 1:
        return str(found[0])
    usual = select(_account.id).where(_account.name == USUAL, _account.state == "open")
    return USUAL if not found or session.connection().execute(usual).first() else None


def account_of(cell: str, usual: str | None) -> str:
    """The account that a row means. Raises WrongInput when it names none and there are several."""
    if cell.strip():
        return text("the account", cell)
    if usual is None:
        raise WrongInput("there are several accounts; say which, in the column account")
    return usual


def account_state(cell: str) -> str:
    """The state that a row says its account is in. Raises WrongInput."""
    return choice("the state of the account", cell, ("open", "closed")) if cell.strip() else "open"


class NamedAccounts:
    """The accounts that rows name, and those that must be made for them."""

    def __init__(self, session: Session, names: Iterable[str]) -> None:
        rows = session.connection().execute(_STORED, {"names": [*set(names)]}).all()
        self.ids: dict[str, int] = {row.name: row.id for row in rows}
        self._states: dict[str, str] = {row.name: row.state for row in rows}

    def check(self, name: str, state: str, *, may_be_closed: bool) -> None:
        """Raises RuleBroken for an account that is closed, or of which the row says so."""
        if self._states.get(name, state) == "closed" and not may_be_closed:
            raise RuleBroken(f'account "{name}" is closed; name another')

    def need(self, name: str, state: str) -> None:
        """Have the account made if it is not there."""
        self._states.setdefault(name, state)

    def make(self, session: Session, *, actor: str) -> None:
        """Make those that rows need."""
        names = [name for name in self._states if name not in self.ids]
        made = dict(zip(names, insert_all(session, accounts.table, {"name": names}), strict=True))
        self.ids.update(made)
        begin(session, accounts, [Beginning(id_, self._states[name]) for name, id_ in made.items()], actor=actor)
