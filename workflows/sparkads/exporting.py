"""Spreadsheets out: codes, ads or the history, as CSV or JSON lines that import again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, TextIO

from sqlalchemy import ColumnElement, Select, Text, and_, case, func, or_, select, type_coerce

from sparkads.columns import KINDS
from sparkads.errors import WrongInput
from sparkads.portfolio.ads import outlasted
from sparkads.spark_ad import ads
from sparkads.tables import (
    BY_CODE,
    PULLED,
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
from sparkads.video_code import HELD, codes
from sparkads.writing import FORMS, Sheet
from statewright.session import instant
from statewright.tables import transition
from statewright.workflow import Workflow

if TYPE_CHECKING:
    from sparkads.portfolio import SparkAds

AT_ONCE = 1_000
"""Rows held in memory, whatever the portfolio holds."""

_account, _campaign, _group = table(AdAccount).c, table(Campaign).c, table(AdGroup).c
_ad, _code, _post, _identity = table(SparkAd).c, table(VideoCode).c, table(Post).c, table(Identity).c
_need, _log = table(AdCode).c, transition.c
_original = table(Post).alias("original")


def export(
    spark: SparkAds,
    what: str,
    out: TextIO,
    *,
    form: str = "csv",
    reveal: bool = False,
    progress: Callable[[int, int | None], None] = lambda done, total: None,
) -> int:
    """Write "codes", "ads" or "history" with all their columns, as of one moment; how many rows that were.

    form:     "csv", in which an apostrophe keeps spreadsheets from running a text as a formula, or "jsonl"
    reveal:   write the codes themselves; else they are masked, and only known ones are recognised by an import
    progress: told rows written, and how many there are
    Raises WrongInput for something else to write, or another form.
    """
    kinds = {kind.name: kind for kind in KINDS}
    if what not in kinds:
        raise WrongInput(f"cannot export {what!r}; expected {', '.join(kinds)}")
    if form not in FORMS:
        raise WrongInput(f"cannot export as {form!r}; expected {' or '.join(FORMS)}")
    names = [column.name for column in kinds[what] if column.name not in ("line", "problem")]
    with spark.reading() as session:
        connection = session.connection()
        total = connection.execute(select(func.count()).select_from(_COUNTED[what])).scalar_one()
        chosen = _chosen(what, instant(session), reveal=reveal)
        sheet = Sheet(out, form, names, chosen.selected_columns)
        rows = connection.execution_options(yield_per=AT_ONCE).execute(chosen)
        written = 0
        for some in rows.partitions():
            sheet.write(some)
            written += len(some)
            progress(written, total)
    return written


_COUNTED = {"codes": table(VideoCode), "ads": table(SparkAd), "history": transition}


def _chosen(what: str, now: datetime, *, reveal: bool) -> Select[*tuple[Any, ...]]:
    if what == "codes":
        return _codes(reveal=reveal)
    return _ads(now) if what == "ads" else _history()


def _codes(*, reveal: bool) -> Select[*tuple[Any, ...]]:
    return (
        select(
            _account.name.label("account"),
            (type_coerce(_code.code, Text()) if reveal else _code.hint).label("code"),
            *_POST,
            _code.days,
            _code.issued_at,
            _code.expires_at,
            _code.authorized_at,
            _code.state,
            _reason(codes).label("reason"),
            _account.state.label("account_state"),
            _code.fingerprint,
            _code.id,
        )
        .select_from(table(VideoCode))
        .outerjoin(table(AdAccount), _account.id == _code.account_id)
        .outerjoin(table(Post), _post.id == _code.post_id)
        .outerjoin(_original, _original.c.id == _post.original_id)
        .order_by(_code.id)
    )


def _ads(now: datetime) -> Select[*tuple[Any, ...]]:
    needed = table(AdCode).outerjoin(table(VideoCode), _code.id == _need.code_id)
    serving = and_(_need.ad_id == _ad.id, _code.state != "deleted")
    lacking = and_(
        _need.ad_id == _ad.id,
        _ad.state.in_(ads.waits),
        or_(_code.id.is_(None), _code.state.not_in(HELD), _code.expires_at <= now),
    )
    # For a code of its creator: with no identity named, it would be taken for one of any that there is by then.
    waiting = and_(_ad.identity_id.is_(None), _ad.deleted_at.is_(None), _post.origin == PULLED)
    wanted = table(Post).alias("wanted")
    ends = func.min(_code.expires_at, type_=_code.expires_at.type)
    return (
        select(
            _account.name.label("account"),
            _campaign.name.label("campaign"),
            _group.name.label("ad_group"),
            _ad.name,
            *_POST,
            _post.origin,
            case((waiting, BY_CODE), else_=_identity.kind).label("identity"),
            _identity.handle,
            _identity.state.label("identity_state"),
            _ad.state,
            _reason(ads).label("reason"),
            _group.starts_at,
            _group.ends_at,
            _group.location,
            _group.budget.label("ad_group_budget"),
            _campaign.objective,
            _campaign.budget.label("campaign_budget"),
            _joined(_code.fingerprint).select_from(needed).where(serving).scalar_subquery().label("codes"),
            _account.state.label("account_state"),
            _campaign.state.label("campaign_state"),
            _group.state.label("ad_group_state"),
            _ad.id,
            select(case((func.count() == func.count(_code.id), ends)))
            .select_from(needed)
            .where(_need.ad_id == _ad.id, _ad.state != "deleted")
            .scalar_subquery()
            .label("covered_until"),
            and_(_ad.state.not_in(("deleted", "expired")), outlasted).label("uncovered"),
            _joined(wanted.c.creator)
            .select_from(needed.join(wanted, wanted.c.id == _need.post_id))
            .where(lacking)
            .scalar_subquery()
            .label("missing"),
        )
        .select_from(table(SparkAd))
        .outerjoin(table(AdGroup), _group.id == _ad.ad_group_id)
        .outerjoin(table(Campaign), _campaign.id == _group.campaign_id)
        .outerjoin(table(AdAccount), _account.id == _ad.account_id)
        .outerjoin(table(Post), _post.id == _ad.post_id)
        .outerjoin(_original, _original.c.id == _post.original_id)
        .outerjoin(table(Identity), _identity.id == _ad.identity_id)
        .order_by(_ad.id)
    )


def _history() -> Select[*tuple[Any, ...]]:
    """The log, with the names that a row goes by in any database in place of its id."""

    def of(workflow: str, other: Any = None) -> ColumnElement[Any]:
        return case((_log.workflow == workflow, _log.row_id), else_=other)

    shown = select(_ad.post_id).where(_ad.id == _log.row_id).correlate(transition).scalar_subquery()
    post = case((_log.workflow == "post", _log.row_id), (_log.workflow == "spark_ad", shown))
    # A video that was pushed has no id of TikTok's: it goes by the first ad that it was made for.
    its_ad = table(SparkAd).alias("its_ad")
    first = select(func.min(its_ad.c.id)).where(its_ad.c.post_id == _log.row_id, _post.item_id.is_(None))
    pushed = and_(_log.workflow == "post", _post.item_id.is_(None))
    ad = case(
        (_log.workflow == "spark_ad", _log.row_id),
        (pushed, first.correlate(transition, table(Post)).scalar_subquery()),
    )
    owner = func.coalesce(_campaign.account_id, _code.account_id, _identity.account_id)
    deleted = case((_code.id.is_not(None), _code.state == "deleted"), else_=_ad.state == "deleted")
    return (
        select(
            _log.at,
            _log.workflow,
            _account.name.label("account"),
            _campaign.name.label("campaign"),
            _group.name.label("ad_group"),
            _ad.name,
            _post.item_id,
            _post.creator,
            _code.fingerprint,
            _identity.kind.label("identity"),
            _identity.handle,
            deleted.label("deleted"),
            *(_log[name] for name in ("event", "source", "target", "actor", "reason", "due_at")),
            *(_log[name] for name in ("payload", "key", "chart", "batch", "id", "cause")),
        )
        .select_from(transition)
        .outerjoin(table(VideoCode), _code.id == of("video_code"))
        .outerjoin(table(Identity), _identity.id == of("identity"))
        .outerjoin(table(Post), _post.id == post)
        .outerjoin(table(SparkAd), _ad.id == ad)
        .outerjoin(table(AdGroup), _group.id == of("ad_group", _ad.ad_group_id))
        .outerjoin(table(Campaign), _campaign.id == of("campaign", _group.campaign_id))
        .outerjoin(table(AdAccount), _account.id == of("ad_account", owner))
        .order_by(_log.id)
    )


_POST = (
    _post.item_id,
    _post.creator,
    _post.kind,
    _original.c.item_id.label("original"),
    _original.c.creator.label("original_creator"),
    _post.caption,
    _post.state.label("visibility"),
    _post.ads_only,
)


def _reason(workflow: Workflow) -> ColumnElement[str | None]:
    """Why a row is in its present state, as whoever moved it there said."""
    return (
        select(_log.reason)
        .where(_log.workflow == workflow.name, _log.row_id == workflow.id, _log.target == workflow.state)
        .where(or_(_log.source.is_(None), _log.source != _log.target))
        .order_by(_log.at.desc(), _log.id.desc())
        .limit(1)
        .scalar_subquery()
    )


def _joined(texts: ColumnElement[str]) -> Select[*tuple[Any, ...]]:
    return select(func.aggregate_strings(texts, " "))
