"""Posts: a creator's videos on TikTok, and those pushed from Ads Manager."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, select, true
from sqlmodel import Session, col
from sqlmodel import select as select_rows

from sparkads.errors import RuleBroken, WrongInput
from sparkads.portfolio.accounts import handle_of
from sparkads.portfolio.noun import Noun, lines, matching, text
from sparkads.post import posts
from sparkads.tables import ORIGINAL, POST_KINDS, PULLED, PUSHED, Post, table

_URL = re.compile(r"(?:https?://)?(?:www\.|m\.)?tiktok\.com/@([\w.\-]+)/(?:video|photo)/(\d+)", re.ASCII)
_ITEM = re.compile(r"\d{15,25}", re.ASCII)
"""TikTok's item ids have 19 digits today; our own row ids are far shorter."""


class Posts(Noun[Post]):
    """Posts. Every verb raises UnknownRow for an id that is not there."""

    workflow = posts
    row = Post

    def add(
        self,
        item: str,
        *,
        actor: str,
        creator: str | None = None,
        kind: str = ORIGINAL,
        original: Post | int | None = None,
        caption: str = "",
        visibility: str = "public",
        key: str | None = None,
        session: Session | None = None,
    ) -> Post:
        """A creator's post on TikTok.

        item:       its id or its URL; a URL names the creator too
        kind:       "original", or "duet" or "stitch" of `original`
        visibility: "public", "friends" or "private"
        Raises WrongInput, or RuleBroken for a post that is there already and for a duet of a duet.
        """
        item_id, in_url = item_of(item)
        if creator is None and in_url is None:
            raise WrongInput(f"expected the creator of post {item_id}: name them, or give the post's URL")
        handle = handle_of(creator or in_url or "")
        if in_url is not None and handle != handle_of(in_url):
            raise WrongInput(f"expected one creator of post {item_id}, got @{handle} and, in the URL, @{in_url}")
        if kind not in POST_KINDS:
            raise WrongInput(f"expected the kind of post to be one of {', '.join(POST_KINDS)}; got {kind!r}")
        if visibility not in ("public", "friends", "private"):
            raise WrongInput(f"expected who sees it to be public, friends or private; got {visibility!r}")
        if (kind == ORIGINAL) != (original is None):
            raise WrongInput("a duet or stitch needs its original post, and only those have one")
        with self.spark.call(session) as writing:
            if replayed := self._replayed(writing, key):
                return replayed
            if self.find(item_id, session=writing):
                raise RuleBroken(f"cannot add post {item_id}: it is there already")
            values = {
                "item_id": item_id,
                "creator": handle,
                "kind": kind,
                "original_id": self._original(writing, kind, original),
                "caption": lines("a caption", caption),
            }
            row_id = self._insert(writing, values)
            return self._begin(writing, row_id, actor=actor, key=key, state=visibility)

    def push(
        self,
        creator: str,
        *,
        actor: str,
        source: str = "uploaded",
        caption: str = "",
        ads_only: bool = False,
        key: str | None = None,
        session: Session | None = None,
    ) -> Post:
        """A video from Ads Manager, to be published under a linked account once an ad of it passes review.

        creator:  the linked account's handle
        source:   "uploaded", "library" or "creative_tools"
        ads_only: keep it off the page, search and recommendations
        """
        if source not in PUSHED:
            raise WrongInput(f"expected the video to be one of {', '.join(PUSHED)}; got {source!r}")
        with self.spark.call(session) as writing:
            if replayed := self._replayed(writing, key):
                return replayed
            values = {
                "creator": handle_of(creator),
                "origin": source,
                "caption": lines("a caption", caption),
                "ads_only": ads_only,
            }
            return self._begin(writing, self._insert(writing, values), actor=actor, key=key)

    def find(self, item: str, *, session: Session | None = None) -> Post | None:
        """The post with this TikTok id or URL, if it is known."""
        item_id, _ = item_of(item)
        with self.spark.reading(session) as reading:
            return reading.exec(select_rows(Post).where(col(Post.item_id) == item_id)).one_or_none()

    def edit_caption(
        self,
        post: Post | int,
        caption: str,
        *,
        actor: str,
        key: str | None = None,
        session: Session | None = None,
    ) -> Post:
        """Another caption. Raises GuardRefused once the post was authorized as an ad (the article)."""
        caption = lines("a caption", caption)
        return self._fire("edit_caption", post, actor=actor, key=key, session=session, caption=caption)

    def make_public(self, post: Post | int, *, actor: str, session: Session | None = None) -> Post:
        """Everybody sees it. The owner's to decide, also for a pushed video that is being promoted."""
        return self._fire("make_public", post, actor=actor, session=session)

    def make_private(self, post: Post | int, *, actor: str, session: Session | None = None) -> Post:
        """Only its owner sees it. Raises GuardRefused while an ad promotes it."""
        return self._fire("make_private", post, actor=actor, session=session)

    def show_to_friends(self, post: Post | int, *, actor: str, session: Session | None = None) -> Post:
        """Only friends see it. Raises GuardRefused while an ad promotes it."""
        return self._fire("show_to_friends", post, actor=actor, session=session)

    def set_ads_only(self, post: Post | int, *, on: bool, actor: str, session: Session | None = None) -> Post:
        """Show it only as an ad, or everywhere again; possible at any time."""
        return self._fire("set_ads_only", post, actor=actor, session=session, on=on)

    def allow_posts(self, post: Post | int, *, on: bool, actor: str, session: Session | None = None) -> Post:
        """The creator's privacy setting "authorized posts"; without it no code can be issued."""
        return self._fire("allow_posts", post, actor=actor, session=session, on=on)

    def accept_terms(self, post: Post | int, *, on: bool, actor: str, session: Session | None = None) -> Post:
        """The creator's consent to the advertising content terms; without it no code can be issued."""
        return self._fire("accept_terms", post, actor=actor, session=session, on=on)

    def enable_ads(self, post: Post | int, *, actor: str, session: Session | None = None) -> Post:
        """The creator switches ad authorization on."""
        return self._fire("enable_ads", post, actor=actor, session=session)

    def disable_ads(
        self, post: Post | int, *, actor: str, reason: str | None = None, session: Session | None = None
    ) -> Post:
        """The creator switches ad authorization off: the post's codes are revoked and their ads stop."""
        return self._fire("disable_ads", post, actor=actor, reason=reason, session=session)

    def _original(self, session: Session, kind: str, original: Post | int | None) -> int | None:
        if original is None:
            return None
        found = self._fresh(session, self._id_of(original))
        check_original(kind, found.item_id or str(found.id), found.kind, found.origin)
        return found.id

    def _where(self, session: Session, **selection: Any) -> ColumnElement[bool]:
        return _selected(**selection)


def check_original(kind: str, item: str, its_kind: str, its_origin: str) -> None:
    """Raises RuleBroken unless a duet or stitch can be made of this post."""
    if its_kind != ORIGINAL:
        raise RuleBroken(
            f"cannot add a {kind} of post {item}: that is itself a {its_kind}, "
            "and TikTok takes no duet or stitch of one; name an original post"
        )
    if its_origin != PULLED:
        raise RuleBroken(f"cannot add a {kind} of post {item}: it was never a post on TikTok")


def item_of(item: str) -> tuple[str, str | None]:
    """TikTok's id of a post given as id or URL, and the creator if the URL names one. Raises WrongInput."""
    given = text("a post's id or URL", item, longest=2000)
    if found := _URL.match(given):
        return found[2], found[1]
    if _ITEM.fullmatch(given):
        return given, None
    raise WrongInput(
        "expected a post as its id (about 19 digits) or its URL like "
        f"https://www.tiktok.com/@mia/video/7301234567890123456, got {given[:100]!r}"
    )


def url_of(item: str, creator: str) -> str:
    """TikTok's URL of a post; its id alone for a creator whose handle no URL can hold."""
    url = f"https://www.tiktok.com/@{creator}/video/{item}"
    return url if _URL.match(url) else item


def posts_of(creator: str) -> Select[Any]:
    """The ids of a creator's posts. Raises WrongInput for what is no handle."""
    return select(table(Post).c.id).where(table(Post).c.creator == handle_of(creator))


def _selected(
    *,
    ids: Sequence[int] | None = None,
    state: str | Sequence[str] | None = None,
    creator: str | None = None,
    kind: str | Sequence[str] | None = None,
) -> ColumnElement[bool]:
    return and_(
        true(),
        *([col(Post.id).in_(ids)] if ids is not None else []),
        *matching(Post.state, state),
        *matching(Post.creator, handle_of(creator) if creator is not None else None),
        *matching(Post.kind, kind),
    )
