"""Rows of a sheet of codes: what each says, whether it is known, and how those that are not are taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Select, select
from sqlmodel import Session

from sparkads.errors import WrongInput
from sparkads.importing.accounts import NamedAccounts, account_of, account_state
from sparkads.importing.beginning import Done, Occasion, Outcome, Refused, came_deleted, insert_begun
from sparkads.importing.cells import choice, days, if_any, instant, is_relative
from sparkads.importing.piece import WRONG, Piece
from sparkads.importing.posts import NamedPosts, PostFacts, post_facts
from sparkads.secret import clean, fingerprint, hint
from sparkads.tables import BY_CODE, Post, table
from sparkads.video_code import HELD, codes
from statewright.dialects import among
from statewright.many import draw_ids
from statewright.session import by_index

_code, _post = codes.table.c, table(Post).c
_STATES = tuple(state for state in codes.decisions.states if state not in HELD[1:])
"""`in_review` and `live` tell how a code is used; its ads decide that anew."""
_ALSO = {**dict.fromkeys(HELD[1:], "authorized"), "active": "authorized", "valid": "authorized"}
_AS_TOLD = ("fingerprint", "hint", "days", "issued_at", "expires_at", "authorized_at")
_MASK = "…"


@dataclass(slots=True)
class CodeRow:
    """What one row says.

    secret: None for a masked code, of which only the fingerprint is known
    issued: the cell that tells the instant of issue, perhaps as so long before the import
    """

    account: str
    account_state: str
    post: PostFacts
    secret: str | None = field(repr=False)
    fingerprint: str
    hint: str
    days: int
    issued_at: datetime
    issued: str
    expires_at: datetime
    authorized_at: datetime | None
    state: str
    reason: str | None
    name = "from an earlier row"
    """What it is called by later rows that tell of the same code."""

    @property
    def gone(self) -> bool:
        return self.state == "deleted"

    deleted = gone

    @property
    def item(self) -> str:
        """TikTok's id of the post."""
        return self.post.item or ""


@dataclass(slots=True)
class _Stored:
    """A code as it is stored; a row that was read can stand for one.

    deleted: it is by now
    gone:    it was deleted when it came, a record of the past that stands for no other life of the code
    """

    name: str
    item: str
    days: int
    issued_at: datetime
    deleted: bool
    gone: bool


_Known = dict[tuple[str, str], list[_Stored | CodeRow]]
"""Codes by account and fingerprint."""


class CodeRows:
    """Reads and takes rows of codes."""

    def __init__(self, occasion: Occasion) -> None:
        self._occasion = occasion

    def read(self, piece: Piece) -> list[CodeRow]:
        """What each row says; None for one with a problem."""
        told = partial(instant, now=self._occasion.now)
        cleaned = piece.map(clean, piece.column("code"))
        fingerprints = piece.map(_fingerprint, cleaned, piece.each("fingerprint", str.strip))
        durations = piece.each("days", days)
        issued = piece.column("issued_at")
        issued_at = piece.map(partial(told, "issued_at"), issued)
        posts = post_facts(piece)
        piece.map(self._check_issue, cleaned, durations, issued_at)
        state = partial(choice, "the state of the code", known=_STATES, also=_ALSO)
        return piece.made(
            CodeRow,
            account=piece.each("account", partial(account_of, usual=self._occasion.usual)),
            account_state=piece.each("account_state", account_state),
            post=posts,
            secret=piece.map(_secret, cleaned),
            fingerprint=fingerprints,
            hint=piece.map(_hint, cleaned),
            days=durations,
            issued_at=issued_at,
            issued=issued,
            expires_at=piece.map(
                _end, piece.each("expires_at", if_any(partial(told, "expires_at"), None)), durations, issued_at
            ),
            authorized_at=piece.each("authorized_at", if_any(partial(told, "authorized_at"), None)),
            state=piece.each("state", if_any(state, "pending")),
            reason=piece.each("reason", if_any(str.strip, None)),
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
            except WRONG as problem:
                outcomes.append(problem.sentence)
        new = [number for number, outcome in enumerate(outcomes) if outcome is Done.TAKEN]
        if new:
            posts.hold(session, [rows[number].post for number in new])
            accounts.make(session, actor=self._occasion.actor)
            posts.make(session, actor=self._occasion.actor)
            self._insert(session, {number: rows[number] for number in new}, accounts, posts)
        return outcomes

    def _check_issue(self, code: str, days: int, issued_at: datetime) -> None:
        if _MASK not in code:
            self._occasion.spark.codes.check_issue(days, issued_at, now=self._occasion.now)

    def _judge(
        self,
        row: CodeRow,
        known: _Known,
        accounts: NamedAccounts,
        posts: NamedPosts,
    ) -> Done:
        mark = row.account, row.fingerprint
        alike = known.get(mark)
        if alike and (meant := [one for one in alike if row.gone or not one.gone]):
            if not all(_differences(one, row) for one in meant):
                return Done.UNCHANGED
            # A code that was deleted twice had two lives, perhaps with other days.
            if not (row.gone and all(one.deleted for one in meant)):
                raise WrongInput(f"code {row.hint} is known {meant[-1].name}, but {_differences(meant[-1], row)}")
        if row.secret is None:
            raise WrongInput(_MASKED)
        accounts.check(row.account, row.account_state, may_be_closed=row.account_state == "closed")
        posts.check(row.post)
        accounts.need(row.account, row.account_state)
        posts.need(row.post)
        if alike:
            alike.append(row)
        else:
            known[mark] = [row]
        return Done.TAKEN

    def _known(self, session: Session, accounts: NamedAccounts, rows: Sequence[CodeRow]) -> _Known:
        names = {account_id: name for name, account_id in accounts.ids.items()}
        known: _Known = {}
        chosen = {"accounts": list(names), "fingerprints": list({row.fingerprint for row in rows})}
        with by_index(session) as connection:
            stored = connection.execute(_STORED, chosen).all()
        for row in stored:
            name = f"as video code {row.id} ({row.state.replace('_', ' ')})"
            one = _Stored(name, row.item_id, row.days, row.issued_at, row.state == "deleted", row.gone)
            known.setdefault((names[row.account_id], row.fingerprint), []).append(one)
        return known

    def _insert(
        self, session: Session, rows: Mapping[int, CodeRow], accounts: NamedAccounts, posts: NamedPosts
    ) -> None:
        columns: dict[str, list[Any]] = {
            "id": draw_ids(session, codes.table, len(rows)),
            "account_id": [accounts.ids[row.account] for row in rows.values()],
            "post_id": [posts.ids[row.item] for row in rows.values()],
            "code": [row.secret for row in rows.values()],
            **{name: [getattr(row, name) for row in rows.values()] for name in _AS_TOLD},
        }
        number_of = dict(zip(columns["id"], rows, strict=True))
        actor, spark = self._occasion.actor, self._occasion.spark
        states = [row.state for row in rows.values()]
        reasons = [row.reason for row in rows.values()]
        if refused := insert_begun(session, codes, columns, states=states, reasons=reasons, actor=actor):
            raise Refused({number_of[row_id]: problem for row_id, problem in refused.items()})
        creators = {(accounts.ids[row.account], posts.creators[row.item]) for row in rows.values()}
        spark.accounts.identities_for(session, creators, kind=BY_CODE, actor=actor)
        spark.codes.serve_new(session, min(number_of), max(number_of), actor=actor)


def _fingerprint(code: str, told: str) -> str:
    mark = told if _MASK in code else fingerprint(code)
    if not mark:
        raise WrongInput(_MASKED)
    return mark


def _secret(code: str) -> str | None:
    return None if _MASK in code else code


def _hint(code: str) -> str:
    return code if _MASK in code else hint(code)


def _end(told: datetime | None, days: int, issued_at: datetime) -> datetime:
    end = issued_at + timedelta(days=days)
    if told is not None and told < end:
        raise WrongInput(
            f"expected expires_at to be the end of its {days} days or, if it was extended, later; "
            f"got {told.isoformat()}, they end on {end.isoformat()}"
        )
    return told or end


def _stored(condition: ColumnElement[bool]) -> Select[Any]:
    return (
        select(_code.id, _code.account_id, _code.fingerprint, _code.days, _code.issued_at, _code.state)
        .add_columns(_post.item_id, came_deleted(codes).label("gone"))
        .join_from(codes.table, table(Post), _post.id == _code.post_id)
        .where(among(_code.account_id, "accounts"), among(_code.fingerprint, "fingerprints"), condition)
    )


# Two parts, because each kind has an index of its own.
_STORED = _stored(_code.deleted_at.is_not(None)).union_all(_stored(_code.deleted_at.is_(None)))


def _differences(known: _Stored | CodeRow, row: CodeRow) -> str:
    """How a row differs from what is known of its code, in words; empty if it does not."""
    differences = []
    if known.days != row.days:
        differences.append(f"for {known.days} days, not {row.days}")
    if known.issued_at != row.issued_at and not is_relative(row.issued):
        differences.append(f"issued on {known.issued_at.isoformat()}, not {row.issued_at.isoformat()}")
    if known.item != row.item:
        differences.append(f"for post {known.item}, not {row.item}")
    return " and ".join(differences)


_MASKED = "the code is masked; export with --reveal to have codes that can be imported"
