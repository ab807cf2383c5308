"""The life of a Spark Ad: authorized, reviewed, live, and stopped when its time or its authorization ends."""

from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    ScalarSelect,
    Select,
    and_,
    case,
    exists,
    func,
    literal,
    not_,
    or_,
    select,
)
from statemachine import State

from sparkads.deletion import since_when, tell_since_when
from sparkads.tables import (
    LINKED,
    PULLED,
    AdCode,
    AdGroup,
    Campaign,
    Identity,
    Post,
    SparkAd,
    VideoCode,
    table,
)
from sparkads.video_code import HELD
from statewright.chart import Chart
from statewright.dialects import LAST_INSTANT, Instant, earliest
from statewright.log import START
from statewright.workflow import NOW, Assign, Cascade, Deadline, Guard, Link, Workflow, have_looked_up

_ad = table(SparkAd).c
_need = table(AdCode).c
_code = table(VideoCode).c
_post = table(Post).c
_identity = table(Identity).c
_group = table(AdGroup).c
_campaign = table(Campaign).c

AUTHORIZED = ("authorized", "in_review", "live", "paused", "rejected")
"""The states of an ad that stand on an authorization and are lost with it."""
_ARMED = ("pending", *AUTHORIZED)
_UNAUTHORIZED = ("pending", "expired")
_WITHIN = ("approve", "reject", "resubmit", "appeal", "pause", "resume")
"""Events from one of the authorized states to another."""
_READY = ["identified", "usable", "covered", "scheduled"]
_COMPLETE = [*_READY, "has_objective", "campaign_complete", "ad_group_complete"]


class SparkAdChart(Chart):
    pending = State(initial=True)
    authorized = State()
    in_review = State()
    live = State()
    paused = State()
    rejected = State()
    expired = State()
    deleted = State(final=True)

    authorize = pending.to(authorized, cond=_READY) | expired.to(authorized, cond=_READY)
    # From pending too, so that whoever submits too early is told of everything that is missing, at once.
    submit = authorized.to(in_review, cond=_COMPLETE) | pending.to(in_review, cond=_COMPLETE)
    approve = in_review.to(live, cond="covered")
    reject = in_review.to(rejected) | live.to(rejected) | paused.to(rejected)
    resubmit = rejected.to(in_review, cond=_COMPLETE)
    appeal = rejected.to(in_review, cond=_READY)
    pause = live.to(paused)
    resume = paused.to(live, cond=_READY)
    end = (
        pending.to(expired, cond="ended")
        | authorized.to(expired, cond="ended")
        | in_review.to(expired, cond="ended")
        | live.to(expired, cond="ended")
        | paused.to(expired, cond="ended")
        | rejected.to(expired, cond="ended")
    )
    lose_authorization = (
        authorized.to(expired)
        | in_review.to(expired)
        | live.to(expired)
        | paused.to(expired)
        | rejected.to(expired)
    )
    prolong = (
        authorized.to.itself()
        | in_review.to.itself()
        | live.to.itself()
        | paused.to.itself()
        | rejected.to.itself()
    )
    reschedule = (
        pending.to.itself()
        | authorized.to.itself()
        | in_review.to.itself()
        | live.to.itself()
        | paused.to.itself()
        | rejected.to.itself()
        | expired.to.itself()
    )
    delete = (
        pending.to(deleted)
        | authorized.to(deleted)
        | in_review.to(deleted)
        | live.to(deleted)
        | paused.to(deleted)
        | rejected.to(deleted)
        | expired.to(deleted)
    )


def _of_group(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists(select(_group.id).where(_group.id == _ad.ad_group_id, *conditions))


def _of_campaign(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    joined = table(AdGroup).join(table(Campaign), _campaign.id == _group.campaign_id)
    return exists(select(_group.id).select_from(joined).where(_group.id == _ad.ad_group_id, condition))


def _of_identity(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists(select(_identity.id).where(_identity.id == _ad.identity_id, *conditions))


def _of_post(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists(select(_post.id).where(_post.id == _ad.post_id, *conditions))


def _value(column: Column[str], *conditions: ColumnElement[bool]) -> ScalarSelect[str]:
    return select(column).where(*conditions).scalar_subquery()


def _listed(*parts: tuple[Column[Any], str]) -> ColumnElement[str]:
    """The names of those columns that are NULL, in words."""
    lacking: ColumnElement[str] = literal("")
    for column, name in parts:
        lacking = lacking + case((column.is_(None), literal(f", no {name}")), else_=literal(""))
    return func.substr(lacking, len(", no ") + 1)


_needed = table(AdCode).outerjoin(table(VideoCode), _code.id == _need.code_id)
_unserved = or_(_need.code_id.is_(None), _code.state.not_in(HELD))
_lacking = and_(_need.ad_id == _ad.id, or_(_unserved, _code.expires_at <= NOW))
_ends_at = select(_group.ends_at).where(_group.id == _ad.ad_group_id).scalar_subquery()

_codes_end_at = (
    select(func.min(_code.expire_due_at)).select_from(_needed).where(_need.ad_id == _ad.id).scalar_subquery()
)
_never = literal(LAST_INSTANT, Instant())
_stops_at = func.nullif(earliest(func.coalesce(_codes_end_at, _never), func.coalesce(_ends_at, _never)), _never)

_post_in_words = (
    case((_post.id == _ad.post_id, literal("the post ")), else_=literal("the original post "))
    + func.coalesce(_post.item_id, "")
    + literal(" by @")
    + _post.creator
)
_code_in_words = case(
    (_code.id.is_(None), literal("no code yet")),
    (and_(_code.state.in_(HELD), _code.expires_at <= NOW), literal("its code is over")),
    else_=literal("its code is ") + _code.state,
)


def _needs(condition: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    """The posts of an ad whose codes do not serve it, in words."""
    joined = table(SparkAd).join(_needed, _need.ad_id == _ad.id).join(table(Post), _post.id == _need.post_id)
    return (
        select(_post.id, _post_in_words.label("label"), _code_in_words.label("state"))
        .select_from(joined)
        .where(condition)
    )


_creator = _value(_post.creator, _post.id == _ad.post_id)
_facts = {
    "handle": _value(_identity.handle, _identity.id == _ad.identity_id),
    "kind": func.replace(_value(_identity.kind, _identity.id == _ad.identity_id), "_", " "),
    "creator": _creator,
    "way_out": case((_of_post(_post.origin == PULLED), literal("use a video code of @")), else_=literal("link @")),
    "ends_at": _ends_at,
    "group": _value(_group.name, _group.id == _ad.ad_group_id),
    "lacking": select(
        _listed(
            (_group.location, "location"), (_group.budget, "budget"), (_group.starts_at, "start of its schedule")
        )
    )
    .where(_group.id == _ad.ad_group_id)
    .scalar_subquery(),
    "campaign": select(_campaign.name)
    .select_from(table(AdGroup).join(table(Campaign), _campaign.id == _group.campaign_id))
    .where(_group.id == _ad.ad_group_id)
    .scalar_subquery(),
}

_ENTRY = ("own_identity", "own_post", "publishable")

ads = Workflow(
    SparkAd,
    SparkAdChart,
    guards=[
        Guard(
            "identified",
            _ad.identity_id.is_not(None),
            "it has no identity: no code of @{creator}'s post was received, and no account of theirs is linked",
            facts=_facts,
        ),
        Guard(
            "usable",
            or_(_ad.identity_id.is_(None), _of_identity(_identity.state == "usable")),
            "its identity @{handle} ({kind}) is not usable; link it or have it authorized again",
            facts=_facts,
        ),
        Guard(
            "covered",
            not_(exists(select(_need.ad_id).select_from(_needed).where(_lacking))),
            "it still needs {blockers}",
            blockers=_needs(or_(_unserved, _code.expires_at <= NOW)),
            noun="authorized code",
        ),
        Guard(
            "held",
            not_(exists(select(_need.ad_id).select_from(_needed).where(_need.ad_id == _ad.id, _unserved))),
            "it still needs {blockers}",
            blockers=_needs(_unserved),
            noun="authorized code",
        ),
        Guard(
            "scheduled",
            _of_group(or_(_group.ends_at.is_(None), _group.ends_at > NOW)),
            'the schedule of its ad group "{group}" ended on {ends_at:%Y-%m-%d %H:%M} UTC; reschedule that first',
            facts=_facts,
        ),
        Guard("ended", _ad.end_due_at <= NOW, "its schedule has not ended"),
        Guard(
            "has_objective",
            _of_campaign(_campaign.objective.is_not(None)),
            'its campaign "{campaign}" has no objective',
            facts=_facts,
        ),
        Guard(
            "campaign_complete",
            _of_campaign(_campaign.budget.is_not(None)),
            'its campaign "{campaign}" has no budget',
            facts=_facts,
        ),
        Guard(
            "ad_group_complete",
            _of_group(_group.location.is_not(None), _group.budget.is_not(None), _group.starts_at.is_not(None)),
            'its ad group "{group}" is not complete: it has no {lacking}',
            facts=_facts,
        ),
        Guard(
            "own_identity",
            or_(_ad.identity_id.is_(None), _of_identity(_identity.account_id == _ad.account_id)),
            "its identity @{handle} belongs to another ad account",
            facts=_facts,
        ),
        Guard(
            "own_post",
            or_(
                _ad.identity_id.is_(None),
                _of_identity(_identity.handle == _creator.correlate(table(SparkAd))),
            ),
            "the post is @{creator}'s, and its identity would be @{handle} ({kind}); {way_out}{creator}",
            facts=_facts,
        ),
        Guard(
            "publishable",
            or_(_of_post(_post.origin == PULLED), _of_identity(_identity.kind == LINKED)),
            "a video pushed from Ads Manager is published only under the account's own linked Business Account",
        ),
    ],
    entry={
        **dict.fromkeys(("pending", "expired", "deleted"), _ENTRY),
        **dict.fromkeys(AUTHORIZED, (*_ENTRY, "identified", "usable", "held")),
    },
    deadlines=[Deadline("end", at=_ad.end_due_at)],
    assigns=[
        Assign(_ad.end_due_at, _ends_at, entering=_ARMED),
        Assign(_ad.stops_at, _ends_at, entering={"pending"}),
        Assign(_ad.stops_at, _stops_at, entering=AUTHORIZED),
        Assign(_ad.stops_at, None, entering={"expired", "deleted"}),
        # Both were told before, and what an ad goes through changes nothing about its schedule and its codes.
        Assign(_ad.end_due_at, _ad.end_due_at, on={*_WITHIN, "submit"}),
        Assign(_ad.stops_at, _ad.stops_at, on=_WITHIN),
        Assign(_ad.stops_at, _stops_at, on={"submit"}, leaving={"pending"}),
        *since_when(SparkAd, {*_ARMED, "expired"}),
    ],
    cascades=[
        Cascade("spark_ad", "authorize", along=Link(_ad.id, _ad.id), on={START}, entering={"pending"}),
        Cascade("spark_ad", "authorize", along=Link(_ad.id, _ad.id), on={"reschedule"}, entering=_UNAUTHORIZED),
        Cascade("video_code", "follow", along=Link(_need.ad_id, _need.code_id)),
        Cascade("post", "promote", along=Link(_ad.id, _ad.post_id), entering={"in_review", "live"}),
        Cascade("post", "publish", along=Link(_ad.id, _ad.post_id), entering={"live"}),
    ],
    waits={"pending": "authorize", "expired": "authorize"},
    automatic={"authorize", "lose_authorization", "prolong", "reschedule"},
)
have_looked_up(_ad.stops_at)
tell_since_when(SparkAd)
