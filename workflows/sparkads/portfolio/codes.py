"""Video codes: received from creators, authorized by TikTok, watched until their days are over."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from pydantic import SecretStr
from sqlalchemy import ColumnElement, Update, and_, case, exists, or_, select, true, update
from sqlmodel import Session

from sparkads.errors import RuleBroken, WrongInput
from sparkads.portfolio.noun import Noun, aware, id_of, matching
from sparkads.portfolio.posts import posts_of
from sparkads.secret import clean, fingerprint, hint
from sparkads.spark_ad import ads
from sparkads.tables import BY_CODE, AdAccount, AdCode, Post, SparkAd, VideoCode, table
from sparkads.video_code import HELD, OVER, RUNNING, codes
from statewright.dialects import LAST_INSTANT, Identifier, among
from statewright.plan import Finish
from statewright.session import by_index, hold, instant, locking, of_a_store
from statewright.statement import Statement, parameter
from statewright.transition import Moved, fire, fire_all


class Codes(Noun[VideoCode]):
    """Video codes. Every verb raises UnknownRow for an id that is not there."""

    workflow = codes
    row = VideoCode
    begun_by = "receive"

    def receive(
        self,
        code: str,
        *,
        post: Post | int,
        days: int,
        issued_at: datetime,
        actor: str,
        account: AdAccount | int | None = None,
        key: str | None = None,
        session: Session | None = None,
    ) -> VideoCode:
        """Enter a code that a creator handed over; ads that lack one for this post take it.

        code:      as it was copied; outer white space and invisible characters do not matter
        days:      7, 30, 60 or 365 (the setting `durations`), counted from `issued_at` to the second
        issued_at: when the creator made the code, with time zone, not in the future
        account:   the only one, unless given
        Raises WrongInput; RuleBroken for a code that the account has already; GuardRefused while the
        creator's side is not ready.
        """
        secret = clean(code)
        with self.spark.call(session) as writing:
            hold(writing, *_AROUND_POST, post=id_of(post))
            if replayed := self._replayed(writing, key):
                return replayed
            owner = self.spark.accounts.meant(account, session=writing)
            about = self.spark.posts.get(post, session=writing)
            if about.item_id is None:
                raise RuleBroken(
                    f"cannot receive a code for post {about.id}: it was pushed from Ads Manager and needs none"
                )
            known = self.known(id_of(owner), secret, session=writing)
            if known is not None:
                raise RuleBroken(
                    f'cannot receive code {hint(secret)}: account "{owner.name}" has it already, '
                    f"as video code {known.id} ({known.state.replace('_', ' ')})"
                )
            values = self.values(secret, days=days, issued_at=issued_at, now=instant(writing))
            row_id = self._insert(writing, {**values, "account_id": owner.id, "post_id": about.id})
            self._begin(writing, row_id, actor=actor, key=key)
            self.spark.accounts.identity_for(writing, id_of(owner), about.creator, kind=BY_CODE, actor=actor)
            needed = of_a_store(writing).driver.run(_NEEDED, {"served": row_id})
            self._serve_one(writing, row_id, needed, actor=actor)
            return self._fresh(writing, row_id)

    def authorize(
        self, code: VideoCode | int, *, actor: str, key: str | None = None, session: Session | None = None
    ) -> VideoCode:
        """TikTok accepted it: ads that waited for it are authorized with it. Refused once its days are over."""
        return self._fire_and_serve("authorize", code, actor=actor, key=key, session=session)

    def reject(
        self,
        code: VideoCode | int,
        *,
        reason: str,
        actor: str,
        key: str | None = None,
        session: Session | None = None,
    ) -> VideoCode:
        """TikTok did not accept it; the reason is what it said. Ads that waited for it take another, if any."""
        return self._fire_and_serve("reject", code, actor=actor, reason=reason, key=key, session=session)

    def extend(
        self,
        code: VideoCode | int,
        *,
        days: int,
        actor: str,
        key: str | None = None,
        session: Session | None = None,
    ) -> VideoCode:
        """The creator added days: to what is left, or to now if it had expired; then it and its ads come back.

        days: 7, 30, 60 or 365 (the setting `durations`)
        """
        self.check_days(days)
        with self.spark.call(session) as writing:
            self._check_end(writing, code, days)
            return self._fire_and_serve("extend", code, actor=actor, key=key, days=days, session=writing)

    def revoke(
        self,
        code: VideoCode | int,
        *,
        actor: str,
        reason: str | None = None,
        key: str | None = None,
        session: Session | None = None,
    ) -> VideoCode:
        """The creator took it back: the ads on it stop in the same transaction.

        If the account has another code for the post, they are authorized again by that one.
        """
        return self._fire_and_serve("revoke", code, actor=actor, reason=reason, key=key, session=session)

    def delete(
        self, code: VideoCode | int, *, actor: str, key: str | None = None, session: Session | None = None
    ) -> VideoCode:
        """Remove it. Raises GuardRefused, naming the ads, while any that is not deleted uses its video."""
        return self._fire("delete", code, actor=actor, key=key, session=session)

    def authorize_all(
        self, *, actor: str, key: str | None = None, session: Session | None = None, **selection: Any
    ) -> Moved:
        """`authorize` every pending code of a selection."""
        with self.spark.call(session) as writing:
            moved = self._fire_all("authorize", selection, actor=actor, key=key, session=writing)
            self._serve_moved(writing, selection, actor=actor)
            return moved

    def extend_all(
        self,
        *,
        days: int,
        actor: str,
        key: str | None = None,
        session: Session | None = None,
        **selection: Any,
    ) -> Moved:
        """`extend` every code of a selection that runs or has expired."""
        self.check_days(days)
        with self.spark.call(session) as writing:
            moved = self._fire_all("extend", selection, actor=actor, key=key, session=writing, days=days)
            self._serve_moved(writing, selection, actor=actor)
            return moved

    def revoke_all(
        self,
        *,
        actor: str,
        reason: str | None = None,
        key: str | None = None,
        session: Session | None = None,
        **selection: Any,
    ) -> Moved:
        """`revoke` every running code of a selection."""
        with self.spark.call(session) as writing:
            moved = self._fire_all("revoke", selection, actor=actor, reason=reason, key=key, session=writing)
            self._serve_moved(writing, selection, actor=actor)
            return moved

    def delete_all(
        self, *, actor: str, key: str | None = None, session: Session | None = None, **selection: Any
    ) -> Moved:
        """`delete` every code of a selection whose video no ad uses; the others stay."""
        return self._fire_all("delete", selection, actor=actor, key=key, session=session)

    def expiring(self, *, within: timedelta, **selection: Any) -> Sequence[VideoCode]:
        """Running codes that end within this time, the soonest first."""
        with self.spark.reading() as reading:
            found = self.list(limit=None, session=reading, expiring_within=within, **selection)
            return sorted(found, key=lambda code: code.expires_at)

    def reveal(self, code: VideoCode | int) -> str:
        """The secret itself, as the creator handed it over."""
        return self.get(code).code.get_secret_value()

    def known(self, account_id: int, secret: str, *, session: Session) -> VideoCode | None:
        """The account's code with this secret that is not deleted, if there is one."""
        found = (
            session.connection()
            .execute(
                select(codes.id).where(
                    codes.table.c.account_id == account_id,
                    codes.table.c.fingerprint == fingerprint(secret),
                    codes.table.c.deleted_at.is_(None),
                )
            )
            .scalar_one_or_none()
        )
        return None if found is None else self._fresh(session, found)

    def values(self, secret: str, *, days: int, issued_at: datetime, now: datetime) -> dict[str, Any]:
        """A code's own columns. Raises WrongInput for a duration or an instant that cannot be."""
        self.check_issue(days, issued_at, now=now)
        return {
            "code": SecretStr(secret),
            "fingerprint": fingerprint(secret),
            "hint": hint(secret),
            "days": days,
            "issued_at": issued_at,
            "expires_at": issued_at + timedelta(days=days),
        }

    def check_issue(self, days: int, issued_at: datetime, *, now: datetime) -> None:
        """Raises WrongInput unless a code can have been issued then, for so many days."""
        self.check_days(days)
        aware("the instant of issue", issued_at)
        if issued_at > now:
            raise WrongInput(
                f"expected the code to be issued already, got {issued_at.isoformat()}, which is yet to come"
            )

    def check_days(self, days: int) -> None:
        """Raises WrongInput unless this is one of the durations that creators can choose."""
        durations = self.spark.settings.durations
        if type(days) is not int or days not in durations:
            raise WrongInput(f"expected the days to be one of {', '.join(map(str, durations))}; got {days!r}")

    def serve(self, session: Session, chosen: ColumnElement[bool], *, actor: str) -> None:
        """Let ads that lack a code for the posts of these codes take the best one there is.

        An ad changes to another code only when its own is missing or over, or still pending while the other
        authorizes: which of two codes was entered first must not decide whether the ad can run.
        """
        if session.connection().execute(_taking(chosen)).rowcount:
            fire_all(session, ads, "authorize", _standing_on(chosen), actor=actor)

    def serve_new(self, session: Session, first: int, last: int, *, actor: str) -> None:
        """`serve` for codes that were just made, the ids of which follow each other."""
        if of_a_store(session).driver.run(_TAKING_NEW, {"first": first, "last": last}).rowcount:
            fire_all(session, ads, "authorize", _standing_on(_code.id.between(first, last)), actor=actor)

    def _hold(self, session: Session, where: ColumnElement[bool]) -> None:
        hold(session, *around(select(_code.post_id).where(where).correlate(None)))

    def _hold_one(self, session: Session, row_id: int) -> Any:
        # Who holds the post keeps all others from it, but for sweeps, which wait for nobody.
        return hold(session, *_AROUND_ONE, served=row_id)

    def _fire_and_serve(
        self,
        event: str,
        code: VideoCode | int,
        *,
        actor: str,
        reason: str | None = None,
        key: str | None = None,
        session: Session | None,
        **arguments: Any,
    ) -> VideoCode:
        """A whole verb after which ads may change from one code to another."""
        row_id = self._id_of(code)
        with self.spark.call(session) as writing:
            # The ads that were locked are those that need a code for its post.
            needed = self._hold_one(writing, row_id)
            if event not in _GIVING:
                # Asked here, it is answered together with the move.
                needed = of_a_store(writing).driver.ask(_NEEDED_FROM_ANOTHER, {"served": row_id})
            moved = fire(
                writing,
                codes,
                event,
                row_id,
                actor=actor,
                reason=reason,
                key=key,
                arguments=arguments,
                held=True,
                finish=_FINISH if event == "authorize" and session is None else None,
            )
            served = not moved.done and self._serve_one(writing, row_id, needed, actor=actor)
            return self._left(writing, row_id, None if served else moved, alone=session is None)

    def _serve_one(self, session: Session, code_id: int, needed: Any, *, actor: str) -> bool:
        """`serve` for one code; tells whether any ad took another.

        needed: the answer to `_NEEDED`, or `_NEEDED_FROM_ANOTHER`, whether any ad needs a code for its post which
                there may be: most often none does; None where `_NEEDED` was not asked yet
        """
        if needed is None:
            needed = of_a_store(session).driver.run(_NEEDED, {"served": code_id})
        if not needed.fetchone():
            return False
        hold(session, _CODES_BESIDE_ONE, served=code_id)
        if not of_a_store(session).driver.run(_TAKING_ONE, {"served": code_id}).rowcount:
            return False
        fire_all(session, ads, "authorize", _standing_on(_code.id == code_id), actor=actor)
        return True

    def _serve_moved(self, session: Session, selection: dict[str, Any], *, actor: str) -> None:
        """`serve` after a selection was moved, which may by now be in another state or end at another time."""
        asked = {name: value for name, value in selection.items() if name not in ("state", "expiring_within")}
        self.serve(session, self._where(session, **asked), actor=actor)

    def _check_end(self, session: Session, code: VideoCode | int, days: int) -> None:
        found = self._fresh(session, id_of(code))
        aware("the code's end", max(found.expires_at, instant(session)) + timedelta(days=days))

    def _where(self, session: Session, **selection: Any) -> ColumnElement[bool]:
        return _selected(instant(session), **selection)


def _selected(
    now: datetime,
    *,
    ids: Sequence[int] | None = None,
    state: str | Sequence[str] | None = None,
    account: AdAccount | int | None = None,
    creator: str | None = None,
    post: Post | int | None = None,
    expiring_within: timedelta | None = None,
) -> ColumnElement[bool]:
    code = table(VideoCode).c
    posts = posts_of(creator) if creator is not None else None
    return and_(
        true(),
        *([code.id.in_(ids)] if ids is not None else []),
        *matching(code.state, state),
        *([code.account_id == id_of(account)] if account is not None else []),
        *([code.post_id.in_(posts)] if posts is not None else []),
        *([code.post_id == id_of(post)] if post is not None else []),
        *([code.expire_due_at.between(now, _later(now, expiring_within))] if expiring_within is not None else []),
    )


def _later(now: datetime, within: timedelta) -> datetime:
    try:
        return now + within
    except OverflowError:
        return LAST_INSTANT


_need, _code, _ad = table(AdCode).c, table(VideoCode).c, table(SparkAd).c


def _taking(chosen: ColumnElement[bool]) -> Update:
    """Give the posts of these codes the best code there is, wherever an ad needs one: see `Codes.serve`."""
    posts = select(_code.post_id).where(chosen)
    account = select(_ad.account_id).where(_ad.id == _need.ad_id).correlate(table(AdCode)).scalar_subquery()
    other = table(VideoCode).alias("other")
    choice = select(other.c.id).where(other.c.post_id == _need.post_id, other.c.account_id == account)
    best = (
        choice.where(other.c.state.in_(RUNNING))
        .order_by(case((other.c.state.in_(HELD), 0), else_=1), other.c.expires_at.desc(), other.c.id)
        .limit(1)
        .scalar_subquery()
    )
    authorizing = exists(choice.where(other.c.state.in_(HELD)))
    own = select(_code.id).where(_code.id == _need.code_id).correlate(table(AdCode))
    kept = exists(select(_ad.id).where(_ad.id == _need.ad_id, _ad.state != "deleted").correlate(table(AdCode)))
    return (
        update(table(AdCode))
        .where(
            _need.post_id.in_(posts),
            or_(
                _need.code_id.is_(None),
                exists(own.where(_code.state.in_(OVER))),
                and_(exists(own.where(_code.state == "pending")), authorizing),
            ),
            kept,
            best.is_not(None),
        )
        .values(code_id=best)
    )


def _standing_on(chosen: ColumnElement[bool]) -> ColumnElement[bool]:
    """The ads that need a code for the posts of these codes."""
    posts = select(_code.post_id).where(chosen)
    return ads.id.in_(select(_need.ad_id).where(_need.post_id.in_(posts)))


def around(posts: Any) -> tuple[Statement, ...]:
    """What locks these posts, the ads that need a code for them, and their codes: who serves whom stands still."""
    return (
        locking(table(Post).c.id, table(Post).c.id.in_(posts)),
        locking(_ad.id, _ad.id.in_(select(_need.ad_id).where(_need.post_id.in_(posts)))),
        locking(_code.id, _code.post_id.in_(posts)),
    )


def hold_posts(session: Session, posts: Sequence[int]) -> None:
    """Lock what is `around` many posts, before any of it is looked at."""
    with by_index(session):
        hold(session, *_AROUND_POSTS, posts=posts)


_GIVING = {"authorize", "extend"}
"""Events after which a code can serve ads; after others, only another code can."""

# Built once: they run with every call that moves one code.
_SERVED = parameter("served", Identifier)
*_AROUND_ONE, _CODES_BESIDE_ONE = around(select(_code.post_id).where(_code.id == _SERVED).correlate(None))
_AROUND_POST = around([parameter("post", Identifier)])
_AROUND_POSTS = around(select(table(Post).c.id).where(among(table(Post).c.id, "posts")))
_TAKING_ONE = Statement(_taking(_code.id == _SERVED))
_TAKING_NEW = Statement(_taking(_code.id.between(parameter("first", Identifier), parameter("last", Identifier))))
_needing = select(_need.ad_id).where(
    _need.post_id == select(_code.post_id).where(_code.id == _SERVED).scalar_subquery()
)
_other = table(VideoCode).alias("another").c
_NEEDED = Statement(_needing.limit(1))
_NEEDED_FROM_ANOTHER = Statement(
    _needing.where(
        exists().where(_other.post_id == _need.post_id, _other.state.in_(RUNNING), _other.id != _SERVED)
    ).limit(1)
)
_FINISH = Finish(~exists().where(_need.post_id == _code.post_id))
"""No ad needs the code. So it is with most that are authorized, and with few that other events come to."""
