"""Rows of a sheet of ads: what each says, whether it is known, and how those that are not are taken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, bindparam, func, select, update
from sqlmodel import Session

from sparkads.errors import WrongInput
from sparkads.importing.accounts import NamedAccounts, account_of, account_state
from sparkads.importing.beginning import Beginning, Done, Occasion, Outcome, Refused, begin, came_deleted
from sparkads.importing.cells import choice, if_any
from sparkads.importing.groups import COLUMNS, GroupFacts, NamedGroups, group_facts
from sparkads.importing.identities import Key, NamedIdentities
from sparkads.importing.piece import WRONG, Piece
from sparkads.importing.posts import NamedPosts, PostFacts, post_facts, push
from sparkads.portfolio.accounts import handle_of
from sparkads.portfolio.ads import over_cap
from sparkads.portfolio.noun import text
from sparkads.spark_ad import ads
from sparkads.tables import (
    BUSINESS_CENTER,
    BY_CODE,
    IDENTITY_KINDS,
    LINKED,
    PULLED,
    AdCode,
    Identity,
    Post,
    VideoCode,
    table,
)
from sparkads.video_code import OVER
from statewright.dialects import among
from statewright.many import insert_all

if TYPE_CHECKING:
    from sparkads.portfolio import SparkAds

_ad, _need, _code = ads.table.c, table(AdCode).c, table(VideoCode).c
_post, _identity = table(Post).c, table(Identity).c
_IDENTITIES = {
    **dict.fromkeys(("linked_account", "business_account", "own"), LINKED),
    **dict.fromkeys(("video_code", "authorized_post", "post"), BY_CODE),
    "bc": BUSINESS_CENTER,
}
REMEMBERED = 1_000
"""Ad groups of which it is remembered what rows say, so that it need not be read again for each ad."""
_STATES = {"active": "live", "running": "live", "approved": "live", "review": "in_review"}


@dataclass(frozen=True, slots=True)
class AdRow:
    """What one row says; identity, handle and codes are None where it says nothing of them."""

    account: str
    account_state: str
    group: GroupFacts
    name: str
    post: PostFacts
    identity: str | None
    handle: str | None
    identity_state: str
    state: str
    reason: str | None
    codes: tuple[str, ...] | None

    @property
    def place(self) -> tuple[str, str, str, str]:
        return self.account, self.group.campaign, self.group.name, self.name

    @property
    def deleted(self) -> bool:
        return self.state == "deleted"


@dataclass(frozen=True, slots=True)
class _Known:
    """An ad as it is stored, or as an earlier row has it.

    item:    TikTok's id of its post, or where its pushed video came from
    creator: of its post
    gone:    it was deleted when it came, a record of the past that keeps its name from nobody
    """

    name: str
    item: str
    creator: str
    identity: str | None
    handle: str | None
    gone: bool


class AdRows:
    """Reads and takes rows of ads."""

    def __init__(self, occasion: Occasion) -> None:
        self._occasion = occasion
        self._groups: dict[tuple[str, ...], GroupFacts] = {}

    def read(self, piece: Piece) -> list[AdRow]:
        """What each row says; None for one with a problem."""
        accounts = piece.each("account", partial(account_of, usual=self._occasion.usual))
        kind = partial(choice, "the identity", known=IDENTITY_KINDS, also=_IDENTITIES)
        usable = partial(choice, "the state of the identity", known=("usable", "pending", "withdrawn"))
        state = partial(choice, "the state of the ad", known=ads.decisions.states, also=_STATES)
        return piece.made(
            AdRow,
            account=accounts,
            account_state=piece.each("account_state", account_state),
            group=piece.map(self._group, accounts, piece.by_row()),
            name=piece.each("name", partial(text, "a name for the ad")),
            post=post_facts(piece),
            identity=piece.each("identity", if_any(kind, None)),
            handle=piece.each("handle", if_any(handle_of, None)),
            identity_state=piece.each("identity_state", if_any(usable, "usable")),
            state=piece.each("state", if_any(state, "pending")),
            reason=piece.each("reason", if_any(str.strip, None)),
            codes=piece.each("codes", lambda cell: tuple(cell.split()) if "codes" in piece else None),
        )

    def take(self, session: Session, rows: Sequence[AdRow]) -> list[Outcome]:
        """Take those that are not known yet; what became of each. Raises Refused."""
        chunk = _Chunk(session, self._occasion.spark, rows)
        outcomes: list[Outcome] = []
        new: dict[int, tuple[AdRow, Key | None]] = {}
        for number, row in enumerate(rows):
            try:
                if chunk.knows(row):
                    outcomes.append(Done.UNCHANGED)
                else:
                    new[number] = row, chunk.expect(row)
                    outcomes.append(Done.TAKEN)
            except WRONG as problem:
                outcomes.append(problem.sentence)
        if new:
            chunk.make(session, new, actor=self._occasion.actor)
        return outcomes

    def _group(self, account: str, cells: Mapping[str, str]) -> GroupFacts:
        """What a row says of its ad group: mostly what the row before it said."""
        said = (account, *(cells.get(column, "") for column in COLUMNS))
        found = self._groups.get(said)
        if found is None:
            if len(self._groups) == REMEMBERED:
                self._groups.clear()
            found = self._groups[said] = group_facts(account, cells, now=self._occasion.now)
        return found


class _Chunk:
    """Rows that are taken together, and what the portfolio knows of all that they name."""

    def __init__(self, session: Session, spark: SparkAds, rows: Sequence[AdRow]) -> None:
        self._spark = spark
        # What is there is locked before it is looked at, so that none of it is closed, filled or moved meanwhile.
        self._groups = NamedGroups(session, [row.group for row in rows])
        self._accounts = NamedAccounts(session, {row.account for row in rows})
        self._posts = NamedPosts(session, [row.post for row in rows])
        self._known = self._stored(session, rows)
        self._posts.hold(
            session, [row.post for row in rows if all(one.gone for one in self._known.get(row.place, ()))]
        )
        handles = {row.handle for row in rows if row.handle}
        handles |= {creator for row in rows if (creator := self._posts.creator_of(row.post))}
        self._identities = NamedIdentities(session, spark, self._accounts.ids, handles)
        self._in_account = _not_deleted(session, _ad.account_id, self._accounts.ids)
        self._under_identity = _not_deleted(session, _ad.identity_id, self._identities.ids)

    def knows(self, row: AdRow) -> bool:
        """Whether the portfolio has this ad already. Raises WrongInput when it has another one of its name."""
        alike = self._known.get(row.place, [])
        if row.deleted:
            return any(known.item == _item(row.post) for known in alike)
        meant = [known for known in alike if not known.gone]
        if any(not _differences(known, row) for known in meant):
            return True
        if meant:
            raise WrongInput(f'ad "{row.name}" is known {meant[-1].name}, but {_differences(meant[-1], row)}')
        return False

    def expect(self, row: AdRow) -> Key | None:
        """Note what a new ad needs; the identity that it appears under. Raises WrongInput or RuleBroken."""
        self._accounts.check(row.account, row.account_state, may_be_closed=row.deleted)
        self._groups.check(row.group, deleted=row.deleted)
        if row.post.item is not None:
            self._posts.check(row.post)
        creator = self._posts.creator_of(row.post) or ""
        identity = None
        if row.identity is not None or not row.deleted:
            identity = self._identities.meant(row.account, row.identity, row.handle, creator)
        if not row.deleted:
            self._expect_room(row, identity)
        self._accounts.need(row.account, row.account_state)
        self._groups.need(row.group)
        if row.post.item is not None:
            self._posts.need(row.post)
        if identity is not None:
            self._identities.need(identity, row.identity_state)
        kind, handle = (identity[1], identity[2]) if identity else (None, None)
        known = _Known("from an earlier row", _item(row.post), creator, kind, handle, row.deleted)
        self._known.setdefault(row.place, []).append(known)
        return identity

    def make(self, session: Session, rows: Mapping[int, tuple[AdRow, Key | None]], *, actor: str) -> None:
        """Make what rows need, then the ads themselves. Raises Refused."""
        self._accounts.make(session, actor=actor)
        account_ids = self._accounts.ids
        self._groups.make(session, account_ids, actor=actor)
        self._posts.make(session, actor=actor)
        self._identities.make(session, account_ids, actor=actor)
        pushed = [number for number, (row, _) in rows.items() if row.post.item is None]
        made = push(session, [rows[number][0].post for number in pushed], actor=actor)
        pushed_ids = dict(zip(pushed, made, strict=True))
        columns: dict[str, list[Any]] = {
            "account_id": [account_ids[row.account] for row, _ in rows.values()],
            "ad_group_id": [self._groups.id_of(row.group) for row, _ in rows.values()],
            "post_id": [
                pushed_ids[number] if row.post.item is None else self._posts.ids[row.post.item]
                for number, (row, _) in rows.items()
            ],
            "identity_id": [identity and self._identities.ids[identity] for _, identity in rows.values()],
            # Until it is deleted, it would stand in the way of a living ad of its name.
            "name": [f"{row.name}\n{number}" if row.deleted else row.name for number, (row, _) in rows.items()],
        }
        number_of = dict(zip(insert_all(session, ads.table, columns), rows, strict=True))
        self._spark.ads.need_codes(session, _ad.id.between(min(number_of), max(number_of)))
        _serve(session, {id_: rows[number][0] for id_, number in number_of.items()}, account_ids)
        beginnings = [Beginning(id_, rows[n][0].state, rows[n][0].reason) for id_, n in number_of.items()]
        if refused := begin(session, ads, beginnings, actor=actor):
            raise Refused({number_of[id_]: problem for id_, problem in refused.items()})
        if named := [
            {"ad": id_, "called": rows[number][0].name}
            for id_, number in number_of.items()
            if rows[number][0].deleted
        ]:
            renamed = update(ads.table).where(_ad.id == bindparam("ad")).values(name=bindparam("called"))
            session.connection().execute(renamed, named)

    def _stored(self, session: Session, rows: Sequence[AdRow]) -> dict[tuple[str, str, str, str], list[_Known]]:
        places = {id_: row.place[:3] for row in rows if (id_ := self._groups.id_of(row.group)) is not None}
        chosen = {"groups": list(places), "names": list({row.name for row in rows})}
        known: dict[tuple[str, str, str, str], list[_Known]] = {}
        for row in session.connection().execute(_STORED, chosen):
            name = f"as spark ad {row.id} ({row.state.replace('_', ' ')})"
            one = _Known(name, row.item_id or _made(row.origin), row.creator, row.kind, row.handle, row.gone)
            known.setdefault((*places[row.ad_group_id], row.name), []).append(one)
        return known

    def _expect_room(self, row: AdRow, identity: Key | None) -> None:
        settings = self._spark.settings
        tried = "it is one too many"
        if self._in_account[row.account] >= settings.ads_per_account:
            raise over_cap(tried, f'account "{row.account}"', settings.ads_per_account)
        if identity and self._under_identity[identity] >= settings.ads_per_identity:
            raise over_cap(tried, f"identity @{identity[2]}", settings.ads_per_identity)
        self._in_account[row.account] += 1
        if identity:
            self._under_identity[identity] += 1


_STORED = (
    select(_ad.id, _ad.ad_group_id, _ad.name, _ad.state, came_deleted(ads).label("gone"))
    .add_columns(_post.item_id, _post.origin, _post.creator, _identity.kind, _identity.handle)
    .join_from(ads.table, table(Post), _post.id == _ad.post_id)
    .outerjoin(table(Identity), _identity.id == _ad.identity_id)
    .where(among(_ad.ad_group_id, "groups"), among(_ad.name, "names"))
)


def _not_deleted(session: Session, column: Column[int], ids: Mapping[Any, int]) -> Counter[Any]:
    """How many ads that are not deleted each account or identity has."""
    names = {id_: name for name, id_ in ids.items()}
    counted = select(column, func.count()).where(column.in_(names), _ad.deleted_at.is_(None)).group_by(column)
    return Counter({names[id_]: rows for id_, rows in session.connection().execute(counted)})


def _serve(session: Session, rows: Mapping[int, AdRow], account_ids: Mapping[str, int]) -> None:
    """Let ads be served by the codes that their rows name, deleted ones by no other.

    An expired ad of whose codes nothing is said had one that is over, if none authorizes.
    """
    connection = session.connection()
    particular = {id_: row for id_, row in rows.items() if row.codes or row.deleted or row.state == "expired"}
    if not particular:
        return
    needs = select(_need.ad_id, _need.post_id, _need.code_id).where(_need.ad_id.in_(particular))
    needed = connection.execute(needs).all()
    chosen = select(_code.account_id, _code.post_id, _code.fingerprint, _code.state, _code.id).where(
        _code.account_id.in_({account_ids[row.account] for row in particular.values()}),
        _code.post_id.in_({need.post_id for need in needed}),
        _code.state != "deleted",
    )
    codes: dict[tuple[int, int], list[Any]] = {}
    for code in connection.execute(chosen.order_by(_code.id)):
        codes.setdefault((code.account_id, code.post_id), []).append(code)
    others = []
    for ad_id, post_id, code_id in needed:
        row = particular[ad_id]
        there = codes.get((account_ids[row.account], post_id), [])
        wanted = None if row.deleted else code_id
        ended = row.state == "expired" and row.codes is None and code_id is None
        for code in there:
            if code.fingerprint in (row.codes or ()) or (ended and code.state in OVER):
                wanted = code.id
        if wanted != code_id:
            others.append({"ad": ad_id, "post": post_id, "serving": wanted})
    if others:
        served = update(table(AdCode)).values(code_id=bindparam("serving"))
        connection.execute(
            served.where(_need.ad_id == bindparam("ad"), _need.post_id == bindparam("post")), others
        )


def _item(post: PostFacts) -> str:
    return post.item or _made(post.origin)


def _made(origin: str) -> str:
    return f"a pushed video ({origin.replace('_', ' ')})" if origin != PULLED else "nothing"


def _differences(known: _Known, row: AdRow) -> str:
    """How a row differs from the ad of its name, in words; empty if it does not."""
    differences = []
    if known.item != _item(row.post):
        differences.append(f"shows {known.item}, not {_item(row.post)}")
    # An ad that waits for its creator's code takes whatever identity its creator has first.
    taken = row.identity == BY_CODE and known.handle == known.creator
    if row.identity and known.identity and row.identity != known.identity and not taken:
        differences.append(f"appears by identity {known.identity}, not {row.identity}")
    if row.handle and known.handle and row.handle != known.handle:
        differences.append(f"appears as @{known.handle}, not as @{row.handle}")
    return " and ".join(differences)
