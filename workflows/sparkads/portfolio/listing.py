"""What a person needs to see of each row in a list: a few queries for a page, whatever its length."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import case, func, or_, select
from sqlmodel import Session, SQLModel

from sparkads.spark_ad import ads
from sparkads.tables import (
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
from statewright.explain import waiting_for
from statewright.session import instant
from statewright.workflow import Workflow

_ad, _need, _code, _post = table(SparkAd).c, table(AdCode).c, table(VideoCode).c, table(Post).c
_group, _campaign = table(AdGroup).c, table(Campaign).c


Anything = TypeVar("Anything")


@dataclass(frozen=True, slots=True)
class CodeLine:
    """A code as a list shows it.

    left: full days until it ends; None when its days do not run
    ads:  how many ads that are not deleted it serves
    """

    id: int
    hint: str
    post: int
    creator: str
    state: str
    ends: datetime
    left: int | None
    ads: int


@dataclass(frozen=True, slots=True)
class AdLine:
    """An ad as a list shows it.

    covered_until: when the first of its codes ends; None while it needs none or lacks one
    uncovered:     its schedule outlasts its codes
    waiting_for:   what it lacks in its present state, in words; empty when it lacks nothing
    """

    id: int
    name: str
    campaign: str
    ad_group: str
    post: int
    creator: str
    state: str
    covered_until: datetime | None
    uncovered: bool
    waiting_for: str


def code_lines(session: Session, codes: Sequence[VideoCode]) -> list[CodeLine]:
    """What a list shows of these codes, in their order."""
    return [line for some in batched(codes) for line in _code_lines(session, some)]


def ad_lines(session: Session, found: Sequence[SparkAd], uncovered: Iterable[int]) -> list[AdLine]:
    """What a list shows of these ads, in their order; `uncovered` are the ids of those that are."""
    outlasted = frozenset(uncovered)
    return [line for some in batched(found) for line in _ad_lines(session, some, outlasted)]


def labels(session: Session, wanted: Iterable[tuple[str, int]]) -> dict[tuple[str, int], str]:
    """What people call these rows, given as (workflow, id): an ad's name, a code's hint, a post's creator."""
    ids: dict[str, list[int]] = {}
    for workflow, row_id in set(wanted):
        ids.setdefault(workflow, []).append(row_id)
    found: dict[tuple[str, int], str] = {}
    for workflow, row_ids in ids.items():
        row, column, mark = _LABELS[workflow]
        label = table(row).c[column]
        for some in batched(row_ids):
            chosen = select(table(row).c.id, label).where(table(row).c.id.in_(some))
            found.update(
                {(workflow, each): f"{mark}{name}" for each, name in session.connection().execute(chosen)}
            )
    return found


def counts(session: Session, workflow: Workflow) -> dict[str, int]:
    """How many rows there are in each state, in the chart's order; states without a row are left out."""
    rows = session.connection().execute(
        select(workflow.state, func.count().label("rows")).group_by(workflow.state)
    )
    by_state = {row.state: row.rows for row in rows}
    return {state: by_state[state] for state in workflow.decisions.states if state in by_state}


def codes_of(session: Session, ad_id: int) -> Sequence[Mapping[str, Any]]:
    """The posts of an ad that need a code, and the code of each: post, creator, code, hint, state, ends."""
    joined = table(AdCode).join(table(Post), _post.id == _need.post_id)
    joined = joined.outerjoin(table(VideoCode), _code.id == _need.code_id)
    chosen = select(
        _need.post_id.label("post"),
        _post.creator,
        _need.code_id.label("code"),
        _code.hint,
        _code.state,
        _code.expires_at.label("ends"),
    ).select_from(joined)
    rows = session.connection().execute(chosen.where(_need.ad_id == ad_id).order_by(_need.post_id))
    return [dict(row) for row in rows.mappings()]


def _code_lines(session: Session, codes: Sequence[VideoCode]) -> list[CodeLine]:
    now = instant(session)
    execute = session.connection().execute
    ids = [code.id for code in codes]
    creators = select(_post.id, _post.creator).where(_post.id.in_({code.post_id for code in codes}))
    creator_of = {row.id: row.creator for row in execute(creators)}
    serving = table(AdCode).join(table(SparkAd), _ad.id == _need.ad_id)
    counted = (
        select(_need.code_id, func.count().label("ads"))
        .select_from(serving)
        .where(_need.code_id.in_(ids), _ad.state != "deleted")
        .group_by(_need.code_id)
    )
    ads_of = {row.code_id: row.ads for row in execute(counted)}
    return [
        CodeLine(
            id=code.id or 0,
            hint=code.hint,
            post=code.post_id,
            creator=creator_of[code.post_id],
            state=code.state,
            ends=code.expires_at,
            left=max((code.expires_at - now).days, 0) if code.state in RUNNING else None,
            ads=ads_of.get(code.id, 0),
        )
        for code in codes
    ]


def _ad_lines(session: Session, found: Sequence[SparkAd], outlasted: Collection[int]) -> list[AdLine]:
    execute = session.connection().execute
    ids = [ad.id for ad in found]
    joined = table(SparkAd).join(table(AdGroup), _group.id == _ad.ad_group_id)
    joined = joined.join(table(Campaign), _campaign.id == _group.campaign_id)
    joined = joined.join(table(Post), _post.id == _ad.post_id)
    named = (
        select(_ad.id, _group.name.label("ad_group"), _campaign.name.label("campaign"), _post.creator)
        .select_from(joined)
        .where(_ad.id.in_(ids))
    )
    names = {row.id: row for row in execute(named)}
    needed = table(AdCode).outerjoin(table(VideoCode), _code.id == _need.code_id)
    ends = (
        select(
            _need.ad_id,
            (func.count() - func.count(_code.id)).label("missing"),
            func.min(_code.expires_at, type_=_code.expires_at.type).label("first"),
        )
        .select_from(needed)
        .where(_need.ad_id.in_(ids))
        .group_by(_need.ad_id)
    )
    covered = {row.ad_id: None if row.missing else row.first for row in execute(ends)}
    waiting = [ad.id or 0 for ad in found if ad.state in ads.waits]
    lacking = _lacking_codes(session, waiting)
    return [
        AdLine(
            id=ad.id or 0,
            name=ad.name,
            campaign=names[ad.id].campaign,
            ad_group=names[ad.id].ad_group,
            post=ad.post_id,
            creator=names[ad.id].creator,
            state=ad.state,
            covered_until=covered.get(ad.id),
            uncovered=ad.id in outlasted,
            waiting_for=(
                (lacking.get(ad.id or 0) or waiting_for(session, ads, ad.id or 0)) if ad.state in ads.waits else ""
            ),
        )
        for ad in found
    ]


def _lacking_codes(session: Session, ad_ids: Sequence[int]) -> dict[int, str]:
    """Which codes ads still lack, shortly; ads that lack none are left out."""
    now = instant(session)
    joined = table(AdCode).join(table(Post), _post.id == _need.post_id)
    joined = joined.outerjoin(table(VideoCode), _code.id == _need.code_id)
    unserved = or_(_need.code_id.is_(None), _code.state.not_in(HELD), _code.expires_at <= now)
    state = case((_code.state.in_(HELD), "over"), else_=_code.state).label("state")
    chosen = (
        select(_need.ad_id, _need.code_id, _post.creator, state)
        .select_from(joined)
        .where(_need.ad_id.in_(ad_ids), unserved)
        .order_by(_need.ad_id, _need.post_id)
    )
    words: dict[int, list[str]] = {}
    for row in session.connection().execute(chosen):
        lack = f"a code of @{row.creator}"
        if row.code_id is not None:
            lack = f"code {row.code_id} of @{row.creator}, which is {row.state}"
        words.setdefault(row.ad_id, []).append(lack)
    return {ad_id: " and ".join(lacks) for ad_id, lacks in words.items()}


_LABELS: dict[str, tuple[type[SQLModel], str, str]] = {
    "video_code": (VideoCode, "hint", ""),
    "spark_ad": (SparkAd, "name", ""),
    "post": (Post, "creator", "@"),
    "identity": (Identity, "handle", "@"),
    "ad_account": (AdAccount, "name", ""),
    "campaign": (Campaign, "name", ""),
    "ad_group": (AdGroup, "name", ""),
}
"""Of each workflow: its rows, the column that people call them by, and what stands before it."""

_AT_ONCE = 1000
"""Ids in one statement: databases take so many parameters and no more."""


def batched(rows: Sequence[Anything]) -> Iterator[Sequence[Anything]]:
    """Rows in portions that one statement can ask for."""
    return (rows[first : first + _AT_ONCE] for first in range(0, len(rows), _AT_ONCE))
