"""Rows of a sheet of codes: what each says, whether it is known, and how those that are not are taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlmodel import Session

from sparkads.errors import RuleBroken, WrongInput
from sparkads.importing.accounts import NamedAccounts, account_of, account_state
from sparkads.importing.beginning import Beginning, Done, Occasion, Outcome, Refused, begin, came_deleted, inserted
from sparkads.importing.cells import choice, days, instant, is_relative
from sparkads.importing.posts import NamedPosts, PostFacts, post_facts
from sparkads.secret import clean, fingerprint, hint
from sparkads.tables import BY_CODE, Post, table
from sparkads.video_code import HELD, codes

_code, _post = codes.table.c, table(Post).c
_STATES = tuple(state for state in codes.decisions.states if state not in HELD[1:])
"""`in_review` and `live` tell how a code is used; its ads decide that anew."""
_ALSO = {**dict.fromkeys(HELD[1:], "authorized"), "active": "authorized", "valid": "authorized"}
_MASK = "…"


@dataclass(frozen=True, slots=True)
class CodeRow:
    """What one row says.

    values:   the code's own columns; None for a masked code, of which only the fingerprint is known
    relative: its instant of issue is told as so long before the import, and differs from one to the next
    """

    account: str
    account_state: str
    post: PostFacts
    item: str
    fingerprint: str
    hint: str
    days: int
    issued_at: datetime
    relative: bool
    state: str
    reason: str | None
    values: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class _Known:
    """A code as it is stored, or as an earlier row has it.

    gone: it was deleted when it came, a record of the past that stands for no other life of the code
    """

    name: str
    item: str
    days: int
    issued_at: datetime
    gone: bool


class CodeRows:
    """Reads and takes rows of codes."""

    def __init__(self, occasion: Occasion) -> None:
        self._occasion = occasion

    def read(self, cells: Mapping[str, str]) -> CodeRow:
        """What a row says. Raises WrongInput."""
        given, issued = cells.get("code", ""), cells.get("issued_at", "")
        state = cells.get("state", "").strip()
        masked = _MASK in given
        secret = clean(given)
        mark = cells.get("fingerprint", "").strip() if masked else fingerprint(secret)
        if not mark:
            raise WrongInput(_MASKED)
        duration = days(cells.get("days", ""))
        issued_at = instant("issued_at", issued, now=self._occasion.now)
        post = post_facts(cells)
        return CodeRow(
            account=account_of(cells.get("account", ""), self._occasion.usual),
            account_state=account_state(cells.get("account_state", "")),
            post=post,
            item=post.item or "",
            fingerprint=mark,
            hint=secret if masked else hint(secret),
            days=duration,
            issued_at=issued_at,
            relative=is_relative(issued),
            state=choice("the state of the code", state, _STATES, also=_ALSO) if state else "pending",
            reason=cells.get("reason", "").strip() or None,
            values=None if masked else self._values(secret, cells, days=duration, issued_at=issued_at),
        )

    def take(self, session: Session, rows: Sequence[CodeRow]) -> list[Outcome]:
        """Take those that are not known yet; what became of each. Raises Refused."""
        accounts = NamedAccounts(session, {row.account for row in rows})
        posts = NamedPosts(session, [row.post for row in rows])
        known = self._known(session, accounts, rows)
        outcomes: list[Outcome] = []
        for row in rows:
            try:
                outcomes.append(self._judge(row, known, accounts, posts))
            except (WrongInput, RuleBroken) as problem:
                outcomes.append(problem.sentence)
        new = [number for number, outcome in enumerate(outcomes) if outcome is Done.TAKEN]
        if new:
            accounts.make(session, actor=self._occasion.actor)
            posts.make(session, actor=self._occasion.actor)
            self._insert(session, {number: rows[number] for number in new}, accounts, posts)
        return outcomes

    def _values(self, secret: str, cells: Mapping[str, str], *, days: int, issued_at: datetime) -> dict[str, Any]:
        values = self._occasion.spark.codes.values(secret, days=days, issued_at=issued_at, now=self._occasion.now)
        ends, authorized = cells.get("expires_at", ""), cells.get("authorized_at", "")
        if ends.strip():
            expires_at = instant("expires_at", ends, now=self._occasion.now)
            if expires_at < values["expires_at"]:
                raise WrongInput(
                    f"expected expires_at to be the end of its {days} days or, if it was extended, later; "
                    f"got {expires_at.isoformat()}, they end on {values['expires_at'].isoformat()}"
                )
            values["expires_at"] = expires_at
        values["authorized_at"] = (
            instant("authorized_at", authorized, now=self._occasion.now) if authorized.strip() else None
        )
        return values

    def _judge(
        self,
        row: CodeRow,
        known: dict[tuple[str, str], list[_Known]],
        accounts: NamedAccounts,
        posts: NamedPosts,
    ) -> Done:
        alike = known.setdefault((row.account, row.fingerprint), [])
        meant = [one for one in alike if row.state == "deleted" or not one.gone]
        if any(_same(one, row) for one in meant):
            return Done.UNCHANGED
        if meant:
            raise WrongInput(f"code {row.hint} is known {meant[-1].name}, but {_differences(meant[-1], row)}")
        if row.values is None:
            raise WrongInput(_MASKED)
        accounts.check(row.account, row.account_state, may_be_closed=row.account_state == "closed")
        posts.check(row.post)
        accounts.need(row.account, row.account_state)
        posts.need(row.post)
        alike.append(_Known("from an earlier row", row.item, row.days, row.issued_at, row.state == "deleted"))
        return Done.TAKEN

    def _known(
        self, session: Session, accounts: NamedAccounts, rows: Sequence[CodeRow]
    ) -> dict[tuple[str, str], list[_Known]]:
        names = {account_id: name for name, account_id in accounts.ids.items()}
        marks = {row.fingerprint for row in rows}
        known: dict[tuple[str, str], list[_Known]] = {}
        for stored in (_DELETED, _KEPT):
            chosen = {"accounts": list(names), "fingerprints": list(marks)}
            for row in session.connection().execute(stored, chosen):
                name = f"as video code {row.id} ({row.state.replace('_', ' ')})"
                one = _Known(name, row.item_id, row.days, row.issued_at, row.gone)
                known.setdefault((names[row.account_id], row.fingerprint), []).append(one)
        return known

    def _insert(
        self, session: Session, rows: Mapping[int, CodeRow], accounts: NamedAccounts, posts: NamedPosts
    ) -> None:
        values = [
            {
                **(row.values or {}),
                "account_id": accounts.ids[row.account],
                "post_id": posts.ids[row.item],
                # Until it is deleted, it would stand in the way of the same code received again.
                "fingerprint": f"{row.fingerprint} {number}" if row.state == "deleted" else row.fingerprint,
            }
            for number, row in rows.items()
        ]
        key = (_code.account_id, _code.fingerprint)
        stored = inserted(session, codes.table, values, _code.id, *key)
        made = {(account_id, mark): row_id for row_id, account_id, mark in stored}
        number_of = {
            made[each["account_id"], each["fingerprint"]]: number
            for number, each in zip(rows, values, strict=True)
        }
        actor, spark = self._occasion.actor, self._occasion.spark
        beginnings = [Beginning(row_id, rows[n].state, rows[n].reason) for row_id, n in number_of.items()]
        if refused := begin(session, codes, beginnings, actor=actor):
            raise Refused({number_of[row_id]: problem for row_id, problem in refused.items()})
        if marked := [
            {"code_id": row_id, "mark": rows[number].fingerprint}
            for row_id, number in number_of.items()
            if rows[number].state == "deleted"
        ]:
            remarked = (
                update(codes.table).where(_code.id == bindparam("code_id")).values(fingerprint=bindparam("mark"))
            )
            session.connection().execute(remarked, marked)
        creators = {(accounts.ids[row.account], posts.creators[row.item]) for row in rows.values()}
        spark.accounts.identities_for(session, creators, kind=BY_CODE, actor=actor)
        spark.codes.serve(session, _code.id.between(min(number_of), max(number_of)), actor=actor)


_STORED = (
    select(_code.id, _code.account_id, _code.fingerprint, _code.days, _code.issued_at, _code.state)
    .add_columns(_post.item_id, came_deleted(codes).label("gone"))
    .join_from(codes.table, table(Post), _post.id == _code.post_id)
    .where(_code.account_id.in_(bindparam("accounts", expanding=True)))
    .where(_code.fingerprint.in_(bindparam("fingerprints", expanding=True)))
)
# Asked apart, because each kind has an index of its own.
_KEPT = _STORED.where(_code.state != "deleted")
_DELETED = _STORED.where(_code.state == "deleted")


def _same(known: _Known, row: CodeRow) -> bool:
    return not _differences(known, row)


def _differences(known: _Known, row: CodeRow) -> str:
    """How a row differs from what is known of its code, in words; empty if it does not."""
    differences = []
    if known.days != row.days:
        differences.append(f"for {known.days} days, not {row.days}")
    if known.issued_at != row.issued_at and not row.relative:
        differences.append(f"issued on {known.issued_at.isoformat()}, not {row.issued_at.isoformat()}")
    if known.item != row.item:
        differences.append(f"for post {known.item}, not {row.item}")
    return " and ".join(differences)


_MASKED = "the code is masked; export with --reveal to have codes that can be imported"
