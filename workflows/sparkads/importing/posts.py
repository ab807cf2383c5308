"""The posts that rows name: found and compared with what the row says of them, or made."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlmodel import Session

from sparkads.errors import WrongInput
from sparkads.importing.beginning import insert_begun
from sparkads.importing.cells import choice, if_any, shown, yes
from sparkads.importing.piece import Piece
from sparkads.portfolio.accounts import handle_of
from sparkads.portfolio.codes import hold_posts
from sparkads.portfolio.noun import lines
from sparkads.portfolio.posts import check_original, item_of
from sparkads.post import posts
from sparkads.tables import ORIGINAL, ORIGINS, POST_KINDS, PULLED
from statewright.dialects import among
from statewright.many import draw_ids
from statewright.session import by_index

_post = posts.table.c
_ROUNDED = re.compile(r"\d[.,]\d+E\+\d\d|\d{15}0{4,}", re.IGNORECASE)
"""What a spreadsheet makes of an id that it takes for a number: it keeps 15 digits. One id in 10,000 looks so."""
_handle = lru_cache(maxsize=1_000)(handle_of)
"""Most creators have several posts in a sheet."""
_SEEN_BY = ("public", "friends", "private")


@dataclass(slots=True)
class PostFacts:
    """What a row says of a post; None where it says nothing.

    item: TikTok's id; None for a video that is pushed
    """

    item: str | None
    creator: str | None
    kind: str | None = None
    original: str | None = None
    original_creator: str | None = None
    caption: str = ""
    visibility: str | None = None
    ads_only: bool = False
    origin: str = PULLED


def post_facts(piece: Piece) -> list[PostFacts]:
    """What rows say of their posts; None for one with a problem."""
    origins = piece.each("origin", if_any(partial(choice, "the origin of the post", known=ORIGINS), PULLED))
    items, creators = _named(piece, "post", "creator")
    originals, original_creators = _named(piece, "original", "original_creator")
    piece.map(_check_origin, origins, items, creators)
    return piece.made(
        PostFacts,
        item=items,
        creator=creators,
        kind=piece.each("kind", if_any(partial(choice, "the kind of post", known=POST_KINDS), None)),
        original=originals,
        original_creator=original_creators,
        caption=piece.each("caption", partial(lines, "the caption")),
        visibility=piece.map(_seen_by, piece.column("visibility"), origins),
        ads_only=piece.each("ads_only", partial(yes, "ads_only")),
        origin=origins,
    )


@dataclass(slots=True)
class _Known:
    """A post as it is stored, or as an earlier row has it."""

    item: str
    creator: str
    kind: str
    original: str | None
    origin: str = PULLED
    caption: str = ""


class NamedPosts:
    """The posts that rows name, and those that must be made for them."""

    def __init__(self, session: Session, facts: Iterable[PostFacts]) -> None:
        items = {item for each in facts for item in (each.item, each.original) if item}
        with by_index(session) as connection:
            rows = connection.execute(_STORED, {"items": list(items)}).all()
        self.ids: dict[str, int] = {row.item_id: row.id for row in rows}
        self.creators: dict[str, str] = {row.item_id: row.creator for row in rows}
        self._known = {
            row.item_id: _Known(row.item_id, row.creator, row.kind, row.original, row.origin, row.caption)
            for row in rows
        }
        self._around = {row.item_id: {row.id, row.original_id} - {None} for row in rows}
        self._new: dict[str, PostFacts] = {}
        # Posts that nothing is known of but that others were made of them.
        self._bare: set[str] = set()
        self._captions: dict[str, str] = {}

    def hold(self, session: Session, facts: Iterable[PostFacts]) -> None:
        """Lock those that are there of the posts that rows are about to use, with the originals behind them."""
        named = {item for each in facts for item in (each.item, each.original)}
        if ids := set().union(*(ids for item, ids in self._around.items() if item in named)):
            hold_posts(session, [*ids])

    def creator_of(self, facts: PostFacts) -> str | None:
        """Who made the post, as it is stored or else as the row says."""
        return self.creators.get(facts.item or "", facts.creator)

    def check(self, facts: PostFacts) -> None:
        """Raises WrongInput or RuleBroken unless this post is as the row says, or can be made."""
        known = self._known.get(facts.item or "")
        if known is None:
            self._check_new(facts)
            return
        says = (("by @{}", known.creator, facts.creator), ("a post of kind {}", known.kind, facts.kind))
        for words, stored, told in (*says, ("made of {}", known.original, facts.original)):
            if told is not None and told != stored:
                stored_in_words = words.format(stored) if stored else "no duet or stitch"
                raise WrongInput(f"post {known.item} is {stored_in_words}; the row says {words.format(told)}")

    def need(self, facts: PostFacts) -> None:
        """Have a post that was checked made if it is not there, or given the caption that it lacks."""
        item, original = facts.item or "", facts.original
        known = self._known.get(item)
        if known is not None and item not in self._bare:
            if facts.caption and not known.caption and item not in self._new:
                known.caption = self._captions[item] = facts.caption
            return
        if original and original not in self._known:
            self._note(PostFacts(original, facts.original_creator))
            self._bare.add(original)
        self._note(replace(facts, creator=known.creator) if known else facts)
        self._bare.discard(item)

    def make(self, session: Session, *, actor: str) -> None:
        """Make those that rows need, originals first."""
        if lacking := [{"item": item, "said": caption} for item, caption in self._captions.items()]:
            captioned = update(posts.table).where(_post.item_id == bindparam("item"))
            session.connection().execute(captioned.values(caption=bindparam("said")), lacking)
        for derived in (False, True):
            new = [facts for facts in self._new.values() if derived == (facts.original is not None)]
            ids = draw_ids(session, posts.table, len(new))
            columns: dict[str, list[Any]] = {
                "id": ids,
                "item_id": [facts.item for facts in new],
                "creator": [facts.creator for facts in new],
                "kind": [facts.kind or ORIGINAL for facts in new],
                "original_id": [self.ids[facts.original] if facts.original else None for facts in new],
                "caption": [facts.caption for facts in new],
                "ads_only": [facts.ads_only for facts in new],
            }
            states = [facts.visibility or "public" for facts in new]
            insert_begun(session, posts, columns, states=states, reasons=[None] * len(new), actor=actor)
            self.ids.update({facts.item or "": row_id for facts, row_id in zip(new, ids, strict=True)})

    def _check_new(self, facts: PostFacts) -> None:
        item, kind, original = facts.item, facts.kind or ORIGINAL, facts.original
        if facts.creator is None:
            raise WrongInput(f"expected the creator of post {item}: name them, or give the post's URL")
        if (kind == ORIGINAL) != (original is None):
            raise WrongInput("a duet or stitch needs its kind and its original post, and only those have one")
        if original is None:
            return
        if original == item:
            raise WrongInput(f"post {item} cannot be a {kind} of itself")
        known = self._known.get(original)
        if known is not None:
            check_original(kind, original, known.kind, known.origin)
        elif facts.original_creator is None:
            raise WrongInput(
                f"expected the creator of the original post {original}: name them as original_creator, "
                "or give the post's URL"
            )

    def _note(self, facts: PostFacts) -> None:
        item = facts.item or ""
        self._new[item] = facts
        self.creators[item] = facts.creator or ""
        self._known[item] = _Known(item, facts.creator or "", facts.kind or ORIGINAL, facts.original)


_made_of = posts.table.alias("made_of")
_STORED = (
    select(
        _post.id,
        _post.item_id,
        _post.creator,
        _post.kind,
        _post.origin,
        _post.caption,
        _post.original_id,
        _made_of.c.item_id.label("original"),
    )
    .outerjoin_from(posts.table, _made_of, _made_of.c.id == _post.original_id)
    .where(among(_post.item_id, "items"))
)


def push(session: Session, wanted: Sequence[PostFacts], *, actor: str) -> list[int]:
    """Make the posts of videos that are pushed; their ids, in the order of the facts."""
    ids = draw_ids(session, posts.table, len(wanted))
    columns: dict[str, list[Any]] = {"id": ids}
    for name in ("creator", "origin", "caption", "ads_only"):
        columns[name] = [getattr(each, name) for each in wanted]
    states = [each.visibility or "draft" for each in wanted]
    insert_begun(session, posts, columns, states=states, reasons=[None] * len(wanted), actor=actor)
    return ids


def _named(piece: Piece, post: str, creator: str) -> tuple[list[str | None], list[str | None]]:
    """TikTok's ids of posts, and who made them: from their URLs, or from a column of its own."""
    told = piece.each(creator, if_any(_handle, None))
    found = piece.map(partial(_found, post), piece.column(post))
    return piece.map(_item, found), piece.map(partial(_creator, post, creator), found, told)


_Found = tuple[str | None, str | None]
"""TikTok's id of a post, and the handle in its URL; None for what is not told."""


def _found(post: str, cell: str) -> _Found:
    given = cell.strip()
    if not given:
        return None, None
    if _ROUNDED.fullmatch(given):
        raise WrongInput(
            f"the {post} {shown(given)} looks as if a spreadsheet had rounded it; write its URL, or the id as text"
        )
    return item_of(given)


def _item(found: _Found) -> str | None:
    return found[0]


def _creator(post: str, creator: str, found: _Found, told: str | None) -> str | None:
    in_url = found[1]
    if in_url is None or in_url == told:
        return told
    in_url = _handle(in_url)
    if told is not None and told != in_url:
        raise WrongInput(f"the URL of the {post} names @{in_url}, the column {creator} @{told}")
    return in_url


def _check_origin(origin: str, item: str | None, creator: str | None) -> None:
    pushed = origin != PULLED
    if pushed and item is not None:
        raise WrongInput(f"expected no post for a video that is pushed from Ads Manager, got {item}")
    if not pushed and item is None:
        raise WrongInput("expected a post's id or URL, got nothing")
    if pushed and creator is None:
        raise WrongInput("expected the creator of the pushed video: the linked account that it is published under")


def _seen_by(cell: str, origin: str) -> str | None:
    known = _SEEN_BY if origin == PULLED else (*_SEEN_BY, "draft")
    return choice("who sees the post", cell, known) if cell.strip() else None
