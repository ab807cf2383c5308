"""The life of a video code: received, authorized, used by ads, and over when its days are."""

from datetime import datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, and_, case, exists, func, null, select
from statemachine import State

from sparkads.deletion import since_when, tell_since_when
from sparkads.post import uses_post
from sparkads.tables import AdCode, Post, SparkAd, VideoCode, table
from statewright.chart import Chart
from statewright.dialects import days_after, latest
from statewright.log import FORCE, START
from statewright.workflow import NOW, Assign, Cascade, Deadline, Guard, Link, Workflow, argument

_code = table(VideoCode).c
_post = table(Post).c
_ad = table(SparkAd).c
_use = table(AdCode).c

HELD = ("authorized", "in_review", "live")
"""The states in which a code authorizes; the last two tell how it is used."""
RUNNING = ("pending", *HELD)
"""The states in which a code's days run."""
OVER = ("rejected", "revoked", "expired", "deleted")

REMINDERS = (7, 3, 1)
"""Days before the end at which the log says that it is near."""


class VideoCodeChart(Chart):
    pending = State(initial=True)
    authorized = State()
    in_review = State()
    live = State()
    expired = State()
    rejected = State()
    revoked = State()
    deleted = State(final=True)

    authorize = pending.to(authorized, cond="running")
    reject = pending.to(rejected)
    follow = (
        authorized.to(live, cond="live_ads")
        | authorized.to(in_review, cond="reviewed_ads and not live_ads")
        | in_review.to(live, cond="live_ads")
        | in_review.to(authorized, cond="not live_ads and not reviewed_ads")
        | live.to(in_review, cond="reviewed_ads and not live_ads")
        | live.to(authorized, cond="not live_ads and not reviewed_ads")
    )
    extend = (
        pending.to.itself()
        | authorized.to.itself()
        | in_review.to.itself()
        | live.to.itself()
        | expired.to(authorized, cond="ads_enabled")
    )
    remind = pending.to.itself() | authorized.to.itself() | in_review.to.itself() | live.to.itself()
    expire = (
        pending.to(expired, cond="over")
        | authorized.to(expired, cond="over")
        | in_review.to(expired, cond="over")
        | live.to(expired, cond="over")
    )
    revoke = pending.to(revoked) | authorized.to(revoked) | in_review.to(revoked) | live.to(revoked)
    delete = (
        pending.to(deleted, unless="in_use")
        | authorized.to(deleted, unless="in_use")
        | in_review.to(deleted, unless="in_use")
        | live.to(deleted, unless="in_use")
        | expired.to(deleted, unless="in_use")
        | rejected.to(deleted, unless="in_use")
        | revoked.to(deleted, unless="in_use")
    )


def _used_by(state: str) -> ColumnElement[bool]:
    joined = table(AdCode).join(table(SparkAd), _ad.id == _use.ad_id)
    return exists(select(_ad.id).select_from(joined).where(_use.code_id == _code.id, _ad.state == state))


def _next_reminder(end: ColumnElement[datetime]) -> ColumnElement[Any]:
    """The first reminder still to come before this end; NULL when the last one is past."""
    moments = [days_after(end, -days) for days in REMINDERS]
    return case(*((moment > NOW, moment) for moment in moments), else_=null())


def _creators(column: Column[bool]) -> ColumnElement[bool]:
    return exists(select(_post.id).where(_post.id == _code.post_id, column))


_extended = days_after(latest(_code.expires_at, NOW), argument("days", int))
_using = and_(uses_post, _ad.state != "deleted")
_creator = {"creator": select(_post.creator).where(_post.id == _code.post_id).scalar_subquery()}
_CREATORS_SIDE = ("posts_allowed", "terms_accepted", "ads_enabled")
_DAYS = _code.expire_due_at, _code.remind_due_at, _code.authorized_at

codes = Workflow(
    VideoCode,
    VideoCodeChart,
    guards=[
        Guard(
            "running",
            _code.expires_at > NOW,
            "its authorization ended on {expires_at:%Y-%m-%d %H:%M} UTC; ask @{creator} to extend it",
            facts=_creator,
        ),
        Guard(
            "over",
            _code.expires_at <= NOW,
            "its authorization runs until {expires_at:%Y-%m-%d %H:%M} UTC",
        ),
        Guard("live_ads", _used_by("live"), "no ad is live on it"),
        Guard("reviewed_ads", _used_by("in_review"), "no ad on it is in review"),
        Guard(
            "in_use",
            exists(select(_ad.id).where(_using)),
            "its video is still used by {blockers}; delete those first",
            blockers=select(_ad.id, _ad.name.label("label"), _ad.state).where(_using),
            noun="ad",
        ),
        Guard(
            "posts_allowed",
            _creators(_post.posts_allowed),
            "@{creator} does not allow authorized posts; "
            "ask them to switch that on in TikTok under Settings and privacy, Privacy",
            facts=_creator,
        ),
        Guard(
            "terms_accepted",
            _creators(_post.terms_accepted),
            "@{creator} has not agreed to the advertising content terms",
            facts=_creator,
        ),
        Guard(
            "ads_enabled",
            _creators(_post.ads_enabled),
            "ad authorization is switched off for the post; ask @{creator} to switch it on in its ad settings",
            facts=_creator,
        ),
    ],
    entry=dict.fromkeys(RUNNING, _CREATORS_SIDE),
    arguments={"extend": {"days": int}},
    assigns=[
        Assign(_code.expires_at, _extended, on={"extend"}),
        Assign(_code.expire_due_at, _extended, on={"extend"}),
        Assign(_code.remind_due_at, _next_reminder(_extended), on={"extend"}),
        Assign(_code.remind_due_at, _next_reminder(_code.expires_at), on={"remind"}),
        # How a code is used changes nothing about its days.
        *(Assign(column, column, on={"follow"}) for column in _DAYS),
        Assign(_code.expire_due_at, _code.expires_at, entering=RUNNING),
        Assign(
            _code.remind_due_at,
            func.coalesce(_code.remind_due_at, _next_reminder(_code.expires_at)),
            entering=RUNNING,
        ),
        Assign(_code.authorized_at, func.coalesce(_code.authorized_at, NOW), entering=HELD),
        *since_when(VideoCode, {*RUNNING, *OVER} - {"deleted"}),
    ],
    deadlines=[
        # The end comes before the reminder: after a long downtime nobody is reminded of what is over.
        Deadline("expire", at=_code.expire_due_at),
        Deadline("remind", at=_code.remind_due_at),
    ],
    cascades=[
        # Before others are authorized, which know the new end by themselves.
        Cascade("spark_ad", "prolong", along=Link(_use.code_id, _use.ad_id), on={"extend"}),
        Cascade(
            "spark_ad",
            "authorize",
            along=Link(_use.code_id, _use.ad_id),
            on={"authorize", "extend", START, FORCE},
            entering=HELD,
        ),
        Cascade(
            "spark_ad",
            "lose_authorization",
            along=Link(_use.code_id, _use.ad_id),
            leaving=HELD,
            entering={"pending", *OVER},
        ),
    ],
    automatic={"follow"},
)
tell_since_when(VideoCode)
