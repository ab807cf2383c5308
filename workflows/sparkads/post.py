"""The life of a post: who sees it, and what may still be changed about it."""

from sqlalchemy import and_, exists, or_, select
from statemachine import State

from sparkads.tables import PULLED, Post, SparkAd, VideoCode, table
from statewright.chart import Chart
from statewright.workflow import Assign, Cascade, Guard, Link, Workflow, argument

_post = table(Post).c
_code = table(VideoCode).c
_ad = table(SparkAd).c

PROMOTED = ("in_review", "live", "paused")
"""The states of an ad that promotes its post."""

_promoting = and_(_ad.post_id == _post.id, _ad.state.in_(PROMOTED))
_accepted = and_(_code.post_id == _post.id, _code.authorized_at.is_not(None))
_advertising = and_(_ad.post_id == _post.id, _ad.state.not_in(("pending", "deleted")))


class PostChart(Chart):
    draft = State(initial=True)
    private = State()
    friends = State()
    public = State()

    publish = draft.to(private)
    promote = private.to(public, cond="pulled") | friends.to(public, cond="pulled")
    make_public = private.to(public) | friends.to(public)
    make_private = public.to(private, unless="promoted") | friends.to(private, unless="promoted")
    show_to_friends = public.to(friends, unless="promoted") | private.to(friends, unless="promoted")
    edit_caption = (
        draft.to.itself(unless=["authorized_by_code", "advertised"])
        | private.to.itself(unless=["authorized_by_code", "advertised"])
        | friends.to.itself(unless=["authorized_by_code", "advertised"])
        | public.to.itself(unless=["authorized_by_code", "advertised"])
    )
    set_ads_only = draft.to.itself() | private.to.itself() | friends.to.itself() | public.to.itself()
    allow_posts = draft.to.itself() | private.to.itself() | friends.to.itself() | public.to.itself()
    accept_terms = draft.to.itself() | private.to.itself() | friends.to.itself() | public.to.itself()
    enable_ads = draft.to.itself() | private.to.itself() | friends.to.itself() | public.to.itself()
    disable_ads = draft.to.itself() | private.to.itself() | friends.to.itself() | public.to.itself()


posts = Workflow(
    Post,
    PostChart,
    guards=[
        Guard("pulled", _post.origin == PULLED, "it was pushed from Ads Manager; its owner makes it public"),
        Guard(
            "promoted",
            exists(select(_ad.id).where(_promoting)),
            "its privacy cannot change while it is promoted by {blockers}",
            blockers=select(_ad.id, _ad.name.label("label"), _ad.state).where(_promoting),
            noun="ad",
        ),
        Guard(
            "authorized_by_code",
            exists(select(_code.id).where(_accepted)),
            "its caption is final since the post was authorized as an ad by {blockers}",
            blockers=select(_code.id, _code.hint.label("label"), _code.state).where(_accepted),
            noun="video code",
        ),
        Guard(
            "advertised",
            exists(select(_ad.id).where(_advertising)),
            "its caption is final since it is used as an ad by {blockers}",
            blockers=select(_ad.id, _ad.name.label("label"), _ad.state).where(_advertising),
            noun="ad",
        ),
    ],
    arguments={
        "edit_caption": {"caption": str},
        "set_ads_only": {"on": bool},
        "allow_posts": {"on": bool},
        "accept_terms": {"on": bool},
    },
    assigns=[
        Assign(_post.caption, argument("caption", str), on={"edit_caption"}),
        Assign(_post.ads_only, argument("on", bool), on={"set_ads_only"}),
        Assign(_post.posts_allowed, argument("on", bool), on={"allow_posts"}),
        Assign(_post.terms_accepted, argument("on", bool), on={"accept_terms"}),
        Assign(_post.ads_enabled, True, on={"enable_ads"}),
        Assign(_post.ads_enabled, False, on={"disable_ads"}),
    ],
    cascades=[
        Cascade("video_code", "revoke", along=Link(_code.post_id, _code.id), on={"disable_ads"}),
    ],
    automatic={"publish", "promote"},
)

# Through the post, not as two conditions on the ad: for those PostgreSQL would read all ads.
_shown = table(Post).alias("shown")
uses_post = and_(
    _ad.post_id == _shown.c.id, or_(_shown.c.id == _code.post_id, _shown.c.original_id == _code.post_id)
)
"""An ad uses a code's video: as its own post, or as the original behind its duet or stitch."""
