"""Spark Ads: made of posts, reviewed, live, and stopped or restored with what authorizes them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, and_, case, exists, func, insert, or_, select, true, union_all
from sqlmodel import Session, col
from sqlmodel import select as select_rows

from sparkads.errors import RuleBroken, WrongInput
from sparkads.identity import identities
from sparkads.portfolio.codes import around
from sparkads.portfolio.noun import Noun, id_of, matching, text
from sparkads.portfolio.posts import posts_of
from sparkads.spark_ad import ads
from sparkads.tables import (
    BUSINESS_CENTER,
    BY_CODE,
    IDENTITY_KINDS,
    LINKED,
    AdAccount,
    AdCode,
    AdGroup,
    Campaign,
    Identity,
    Post,
    SparkAd,
    VideoCode,
    table,
)
from sparkads.video_code import HELD, RUNNING
from statewright.dialects import Identifier
from statewright.errors import UnknownRow
from statewright.session import hold, locking
from statewright.statement import Statement, parameter
from statewright.transition import Moved

_ad, _need, _code, _group = table(SparkAd).c, table(AdCode).c, table(VideoCode).c, table(AdGroup).c

outlasted = exists(
    select(_need.ad_id)
    .select_from(table(AdCode).join(table(VideoCode), _code.id == _need.code_id))
    .join(table(AdGroup), _group.id == _ad.ad_group_id)
    .where(_need.ad_id == _ad.id, or_(_group.ends_at.is_(None), _group.ends_at > _code.expires_at))
)


class Ads(Noun[SparkAd]):
    """Spark Ads. Every verb raises UnknownRow for an id that is not there."""

    workflow = ads
    row = SparkAd

    def create(
        self,
        name: str,
        *,
        ad_group: AdGroup | int,
        post: Post | int,
        actor: str,
        identity: Identity | int | str | None = None,
        key: str | None = None,
        session: Session | None = None,
    ) -> SparkAd:
        """A new ad: authorized at once if its identity and codes are, else pending until they are.

        identity: an identity or its id; or a kind, "linked", "business_center" or "code", for the post's
                  creator; unless given, the first of these that the account has for the creator
        Raises WrongInput; RuleBroken at the cap, without a linked account, or for a name that the ad group
        has already; GuardRefused for somebody else's post or a pushed video under the wrong identity.
        """
        name = text("a name for the ad", name)
        with self.spark.call(session) as writing:
            hold(writing, *_place(), ad_group=id_of(ad_group), post=id_of(post))
            if replayed := self._replayed(writing, key):
                return replayed
            group = self.spark.ad_groups.get(ad_group, session=writing)
            account_id = self._open_account(writing, group, f'cannot create ad "{name}"')
            about = self.spark.posts.get(post, session=writing)
            chosen = self._identity(writing, account_id, about, identity)
            self.check_caps(writing, account_id, [chosen.id] if chosen and chosen.id else [])
            if self.named(group, name, session=writing):
                raise RuleBroken(f'cannot create ad "{name}": its ad group has one of this name')
            row_id = self._insert(
                writing,
                {
                    "account_id": account_id,
                    "ad_group_id": group.id,
                    "post_id": about.id,
                    "identity_id": chosen and chosen.id,
                    "name": name,
                },
            )
            self.need_codes(writing, _ad.id == row_id)
            return self._begin(writing, row_id, actor=actor, key=key)

    def submit(
        self, ad: SparkAd | int, *, actor: str, key: str | None = None, session: Session | None = None
    ) -> SparkAd:
        """Hand it in for review. Raises GuardRefused, listing everything that is missing."""
        return self._fire("submit", ad, actor=actor, key=key, session=session)

    def approve(
        self, ad: SparkAd | int, *, actor: str, key: str | None = None, session: Session | None = None
    ) -> SparkAd:
        """Review passed: it is live; a pushed video is published, in private."""
        return self._fire("approve", ad, actor=actor, key=key, session=session)

    def reject(
        self,
        ad: SparkAd | int,
        *,
        reason: str,
        actor: str,
        key: str | None = None,
        session: Session | None = None,
    ) -> SparkAd:
        """Review failed, at first or later; the reason is what TikTok said."""
        return self._fire("reject", ad, actor=actor, reason=reason, key=key, session=session)

    def resubmit(
        self, ad: SparkAd | int, *, actor: str, key: str | None = None, session: Session | None = None
    ) -> SparkAd:
        """Hand a rejected ad in again, changed."""
        return self._fire("resubmit", ad, actor=actor, key=key, session=session)

    def appeal(
        self,
        ad: SparkAd | int,
        *,
        actor: str,
        reason: str | None = None,
        key: str | None = None,
        session: Session | None = None,
    ) -> SparkAd:
        """Ask for another look at a rejected ad as it is."""
        return self._fire("appeal", ad, actor=actor, reason=reason, key=key, session=session)

    def pause(
        self, ad: SparkAd | int, *, actor: str, key: str | None = None, session: Session | None = None
    ) -> SparkAd:
        """Stop delivery for a while."""
        return self._fire("pause", ad, actor=actor, key=key, session=session)

    def resume(
        self, ad: SparkAd | int, *, actor: str, key: str | None = None, session: Session | None = None
    ) -> SparkAd:
        """Deliver again. Refused once its authorization or schedule is over."""
        return self._fire("resume", ad, actor=actor, key=key, session=session)

    def delete(
        self, ad: SparkAd | int, *, actor: str, key: str | None = None, session: Session | None = None
    ) -> SparkAd:
        """Remove it, from any state."""
        return self._fire("delete", ad, actor=actor, key=key, session=session)

    def force(
        self, subject: SparkAd | int, state: str, *, actor: str, reason: str, session: Session | None = None
    ) -> SparkAd:
        """As for any row; but a deleted ad comes back only where there is room for it. Raises RuleBroken."""
        with self.spark.call(session) as writing:
            accounts = select(_ad.account_id).where(_ad.id == self._id_of(subject))
            hold(writing, locking(table(AdAccount).c.id, table(AdAccount).c.id.in_(accounts)))
            ad = self.get(subject, session=writing)
            if ad.state == "deleted":
                identities = [] if ad.identity_id is None else [ad.identity_id]
                tried = f"cannot force spark ad {ad.id}"
                self.check_caps(writing, ad.account_id, identities, tried=tried)
            return super().force(subject, state, actor=actor, reason=reason, session=writing)

    def submit_all(
        self, *, actor: str, key: str | None = None, session: Session | None = None, **selection: Any
    ) -> Moved:
        """`submit` every ad of a selection that is ready."""
        return self._fire_all("submit", selection, actor=actor, key=key, session=session)

    def approve_all(
        self, *, actor: str, key: str | None = None, session: Session | None = None, **selection: Any
    ) -> Moved:
        """`approve` every ad of a selection that is in review."""
        return self._fire_all("approve", selection, actor=actor, key=key, session=session)

    def pause_all(
        self, *, actor: str, key: str | None = None, session: Session | None = None, **selection: Any
    ) -> Moved:
        """`pause` every live ad of a selection."""
        return self._fire_all("pause", selection, actor=actor, key=key, session=session)

    def resume_all(
        self, *, actor: str, key: str | None = None, session: Session | None = None, **selection: Any
    ) -> Moved:
        """`resume` every paused ad of a selection."""
        return self._fire_all("resume", selection, actor=actor, key=key, session=session)

    def delete_all(
        self, *, actor: str, key: str | None = None, session: Session | None = None, **selection: Any
    ) -> Moved:
        """`delete` every ad of a selection."""
        return self._fire_all("delete", selection, actor=actor, key=key, session=session)

    def uncovered(self, **selection: Any) -> Sequence[SparkAd]:
        """Ads whose schedule outlasts their codes: they will stop early unless a code is extended."""
        return self.list(limit=None, uncovered=True, **selection)

    def is_uncovered(self, ad: SparkAd | int, *, session: Session | None = None) -> bool:
        """Whether the ad's schedule outlasts its codes."""
        return bool(self.list(limit=1, session=session, ids=[id_of(ad)], uncovered=True))

    def covered_until(self, ad: SparkAd | int, *, session: Session | None = None) -> datetime | None:
        """When the first of its codes ends; None while it needs none or lacks one."""
        with self.spark.reading(session) as reading:
            joined = table(AdCode).outerjoin(table(VideoCode), _code.id == _need.code_id)
            ends = select(func.count() - func.count(_code.id), func.min(_code.expires_at)).select_from(joined)
            missing, earliest = reading.connection().execute(ends.where(_need.ad_id == id_of(ad))).one()
            until: datetime | None = None if missing else earliest
            return until

    def codes(self, ad: SparkAd | int, *, session: Session | None = None) -> Sequence[VideoCode]:
        """The codes that serve the ad, by id."""
        with self.spark.reading(session) as reading:
            serving = select(_need.code_id).where(_need.ad_id == id_of(ad))
            codes = select_rows(VideoCode).where(col(VideoCode.id).in_(serving))
            return reading.exec(codes.order_by(col(VideoCode.id))).all()

    def named(self, ad_group: AdGroup | int, name: str, *, session: Session | None = None) -> SparkAd | None:
        """The ad group's ad of this name that is not deleted, if there is one."""
        with self.spark.reading(session) as reading:
            return reading.exec(
                select_rows(SparkAd).where(
                    col(SparkAd.ad_group_id) == id_of(ad_group),
                    col(SparkAd.name) == name,
                    col(SparkAd.deleted_at).is_(None),
                )
            ).one_or_none()

    def check_caps(
        self,
        session: Session,
        account_id: int,
        identity_ids: Sequence[int],
        *,
        tried: str = "cannot create a Spark Ad",
    ) -> None:
        """Raises RuleBroken when the account, or one of these identities, can take no further ad."""
        settings = self.spark.settings
        for what, column, value, cap in (
            ("account", _ad.account_id, account_id, settings.ads_per_account),
            *(("identity", _ad.identity_id, found, settings.ads_per_identity) for found in identity_ids),
        ):
            counted = select(func.count()).where(column == value, _ad.deleted_at.is_(None))
            if session.connection().execute(counted).scalar_one() >= cap:
                name = (
                    f'account "{self.spark.accounts.get(value, session=session).name}"'
                    if what == "account"
                    else f"identity @{session.get_one(Identity, value).handle}"
                )
                raise over_cap(tried, name, cap)

    def need_codes(self, session: Session, chosen: ColumnElement[bool]) -> None:
        """Note which posts of these new ads need a code, and the best code that their account has for each.

        Best is what authorizes longest; else what still may. What the identity stands for needs none.
        """
        own, post, identity = table(Post).alias("own"), table(Post).c, table(Identity).c
        best = (
            select(_code.id)
            .where(_code.account_id == _ad.account_id, _code.post_id == post.id, _code.state.in_(RUNNING))
            .order_by(case((_code.state.in_(HELD), 0), else_=1), _code.expires_at.desc(), _code.id)
            .limit(1)
            .scalar_subquery()
        )
        needed = (
            select(_ad.id, post.id, best)
            .select_from(table(SparkAd))
            .join(own, own.c.id == _ad.post_id)
            .join(table(Post), post.id.in_([own.c.id, own.c.original_id]))
            .outerjoin(table(Identity), identity.id == _ad.identity_id)
            .where(chosen)
            .where(or_(identity.id.is_(None), identity.kind == BY_CODE, identity.handle != post.creator))
        )
        columns = [_need.ad_id, _need.post_id, _need.code_id]
        session.connection().execute(insert(table(AdCode)).from_select(columns, needed))

    def _open_account(self, session: Session, group: AdGroup, tried: str) -> int:
        """The ad group's account. Raises RuleBroken unless group, campaign and account can still take ads."""
        campaign = self.spark.campaigns.get(group.campaign_id, session=session)
        account = self.spark.accounts.get(campaign.account_id, session=session)
        for what, name, state in (
            ("ad group", group.name, group.state),
            ("campaign", campaign.name, campaign.state),
            ("account", account.name, account.state),
        ):
            if state != "open":
                raise RuleBroken(f'{tried}: its {what} "{name}" is {state}')
        return id_of(account)

    def _identity(
        self, session: Session, account_id: int, post: Post, wanted: Identity | int | str | None
    ) -> Identity | None:
        if wanted is None or isinstance(wanted, str):
            if wanted is not None and wanted not in IDENTITY_KINDS:
                raise WrongInput(
                    f"expected the identity to be one of {', '.join(IDENTITY_KINDS)}, or an id; got {wanted!r}"
                )
            return self._identity_of_kind(session, account_id, post, wanted)
        found = session.get(Identity, id_of(wanted), populate_existing=True)
        if found is None:
            raise UnknownRow(
                f"there is no identity {id_of(wanted)}; `accounts show` lists them",
                workflow=identities.name,
                event="",
                row_id=id_of(wanted),
            )
        return found

    def _identity_of_kind(
        self, session: Session, account_id: int, post: Post, kind: str | None
    ) -> Identity | None:
        mine = select_rows(Identity).where(
            col(Identity.account_id) == account_id, col(Identity.state) != "withdrawn"
        )
        if kind in (LINKED, BUSINESS_CENTER):
            # The post may be somebody else's; then the account's identity is named, and the rule refuses it.
            own = mine.where(col(Identity.kind) == kind)
            found = session.exec(own.order_by(col(Identity.handle) != post.creator).limit(1)).first()
            if found is None:
                what = (
                    "no linked Business Account; link one with `accounts link`"
                    if kind == LINKED
                    else "no account authorized through Business Center; add it with `accounts grant`"
                )
                name = self.spark.accounts.get(account_id, session=session).name
                raise RuleBroken(f'cannot create a Spark Ad with identity {kind}: account "{name}" has {what}')
            return found
        theirs = mine.where(col(Identity.handle) == post.creator)
        if kind is not None:
            theirs = theirs.where(col(Identity.kind) == kind)
        rank = case((col(Identity.kind) == LINKED, 0), (col(Identity.kind) == BUSINESS_CENTER, 1), else_=2)
        return session.exec(theirs.order_by(rank).limit(1)).first()

    def _where(self, session: Session, **selection: Any) -> ColumnElement[bool]:
        return _selected(**selection)


@cache
def _place() -> tuple[Statement, ...]:
    """What locks all that a new ad will stand on: its account, which counts its ads, its group, posts, codes."""
    campaign, account, own = table(Campaign).c, table(AdAccount).c, table(Post).alias("own").c
    campaigns = select(_group.campaign_id).where(_group.id == parameter("ad_group", Identifier))
    accounts = select(campaign.account_id).where(campaign.id.in_(campaigns))
    post = parameter("post", Identifier)
    original = select(own.original_id).where(own.id == post, own.original_id.is_not(None))
    return (
        locking(_group.id, _group.id == parameter("ad_group", Identifier)),
        locking(campaign.id, campaign.id.in_(campaigns)),
        locking(account.id, account.id.in_(accounts)),
        *around(union_all(select(post), original)),
    )


def over_cap(tried: str, name: str, cap: int) -> RuleBroken:
    """The refusal of one ad too many for this account or identity."""
    return RuleBroken(
        f"{tried}: {name} has {cap:,} that are not deleted, the most that TikTok takes; delete some first"
    )


def _selected(
    *,
    ids: Sequence[int] | None = None,
    state: str | Sequence[str] | None = None,
    account: AdAccount | int | None = None,
    campaign: Campaign | int | None = None,
    ad_group: AdGroup | int | None = None,
    creator: str | None = None,
    post: Post | int | None = None,
    code: VideoCode | int | None = None,
    uncovered: bool = False,
) -> ColumnElement[bool]:
    posts = posts_of(creator) if creator is not None else None
    groups = select(_group.id).where(_group.campaign_id == id_of(campaign)) if campaign is not None else None
    served = select(_need.ad_id).where(_need.code_id == id_of(code)) if code is not None else None
    return and_(
        true(),
        *([_ad.id.in_(ids)] if ids is not None else []),
        *matching(_ad.state, state),
        *([_ad.account_id == id_of(account)] if account is not None else []),
        *([_ad.ad_group_id.in_(groups)] if groups is not None else []),
        *([_ad.ad_group_id == id_of(ad_group)] if ad_group is not None else []),
        *([_ad.post_id.in_(posts)] if posts is not None else []),
        *([_ad.post_id == id_of(post)] if post is not None else []),
        *([_ad.id.in_(served)] if served is not None else []),
        *([_ad.state.not_in(("deleted", "expired")), outlasted] if uncovered else []),
    )
