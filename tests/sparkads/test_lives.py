"""Random lives of accounts, posts, codes and ads: after every step the portfolio is what the rules say.

`LIVES=1000 make test` lives more and longer lives than the few of an ordinary run.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import count
from typing import Any, ClassVar, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select
from tests.sparkads.conftest import Desk
from tests.sparkads.model import HELD, RUNNING, Model, Post, Refused
from tests.sparkads.stops import worked_out

from sparkads.tables import AdCode, SparkAd, VideoCode, table
from statewright.errors import StatewrightError
from statewright.log import Entry, entries
from statewright.tables import transition
from statewright.testing import replay, states

T = TypeVar("T")
LIVES = int(os.environ.get("LIVES", "0"))
DAY = timedelta(days=1)
MOMENT = timedelta(microseconds=1)

HANDLES = st.sampled_from(["mia", "leo", "brand"])
ACCOUNTS = st.sampled_from([0, 1])
DAYS = st.sampled_from([7, 30])
ENDS = st.one_of(st.none(), st.sampled_from([3 * DAY, 10 * DAY, 40 * DAY]))
OWN = st.sampled_from(["linked", "business_center"])
KINDS = st.sampled_from([None, None, None, "linked", "business_center", "code"])
ANY = st.integers(0, 11)

POST_VERBS = [
    "make_public",
    "make_private",
    "show_to_friends",
    "edit_caption",
    "allow_posts",
    "enable_ads",
    "disable_ads",
]
# First what is likely in a state, so that lives get somewhere; then what may be tried in any.
CODE_VERBS = {
    "pending": ["authorize"] * 4,
    "expired": ["extend"] * 4,
    "any": ["authorize", "reject", "extend", "extend", "revoke", "delete"],
}
AD_VERBS = {
    "authorized": ["submit"] * 6,
    "in_review": ["approve"] * 4 + ["reject"],
    "live": ["pause"] * 2,
    "paused": ["resume"] * 4,
    "rejected": ["resubmit", "appeal"] * 2,
    "any": ["submit", "approve", "pause", "resume", "reject", "resubmit", "appeal", "delete"],
}


class Lives(RuleBasedStateMachine):
    """Every rule does one thing to the model and to the portfolio, and both must agree whether it is allowed."""

    kept: ClassVar[Desk]

    def __init__(self) -> None:
        super().__init__()
        self.desk = self.kept.renewed()
        self.spark, self.clock = self.desk.spark, self.desk.clock
        settings = self.spark.settings
        self.model = Model(self.clock.now(), settings.ads_per_account, settings.ads_per_identity)
        self.names = count(1)
        self.swept = False
        self.log: list[Entry] = []

    def do(self, in_model: Callable[[], Any], in_portfolio: Callable[[], Any]) -> bool:
        """Do the same in both; what the rules refuse is refused with a sentence, and changes nothing."""
        self.swept = False
        try:
            expected = in_model()
        except Refused:
            before = self.everything()
            with pytest.raises(StatewrightError) as refused:
                in_portfolio()
            assert str(refused.value)
            assert self.everything() == before
            self.desk.place.skip_no_number()
            return False
        row = in_portfolio()
        assert expected is None or row.id == expected.id
        return True

    def everything(self) -> list[Any]:
        return self.desk.everything()

    def asked(self, noun: Any, row: Any, event: str, **arguments: Any) -> Any:
        """Send an event to a row, having asked whether it is possible; the answer must have been right."""
        possible = {each.event: each.possible for each in noun.can(row.id)}[event]
        try:
            moved = getattr(noun, event)(row.id, actor="ana", **arguments)
        except StatewrightError:
            assert not possible
            raise
        assert possible
        return moved

    # The world

    @initialize(
        ends=st.lists(ENDS, min_size=2, max_size=2), steps=st.lists(st.integers(0, 3), min_size=5, max_size=5)
    )
    def begin(self, ends: list[timedelta | None], steps: list[int]) -> None:
        """A small portfolio, so that much can happen soon."""
        self.model.add_account()
        assert self.spark.accounts.add("Other", actor="ana").id == self.model.add_account().id
        self.identity(0, "linked", "brand", give=True)
        self.add_post("mia", "private", 0)
        original, *_ = self.model.posts
        self.new_post("leo", "public", original)
        self.new_post("brand", "friends", original)
        self.new_post("brand", "private")
        self.do(lambda: self.model.push("brand"), lambda: self.spark.posts.push("brand", actor="ana"))
        for account, end in ((0, ends[0]), (0, None), (1, ends[1])):
            self.add_group(account, end, complete=True)
        for account, post, days in ((0, 0, 30), (0, 1, 7), (1, 0, 7)):
            self.receive(account, post, days, 0, accepted=True)
        for post, number in enumerate(steps):
            self.create(post % 2, post, None, codes=False, steps=number)
        self.create(2, 0, None, codes=False, steps=3)

    @rule(creator=HANDLES, state=st.sampled_from(["public", "friends", "private"]), original=ANY)
    def add_post(self, creator: str, state: str, original: int) -> None:
        self.new_post(creator, state, None if original % 2 == 0 else some(self.model.posts, original))

    @rule(account=ACCOUNTS, ends=ENDS, complete=st.booleans())
    def add_group(self, account: int, ends: timedelta | None, complete: bool) -> None:
        owner, ends_at = self.model.accounts[account], self.after(ends)

        def create() -> Any:
            name = f"group {next(self.names)}"
            campaign = self.spark.campaigns.create(
                name, account=owner.id, objective="reach", budget=9, actor="ana"
            )
            return self.spark.ad_groups.create(
                campaign,
                name,
                location="DE" if complete else None,
                budget=5,
                starts_at=self.clock.now() - DAY,
                ends_at=ends_at,
                actor="ana",
            )

        self.do(lambda: self.model.add_group(owner, ends_at, complete=complete), create)

    def new_post(self, creator: str, state: str, original: Post | None = None) -> None:
        self.do(
            lambda: self.model.add_post(creator, state, original),
            lambda: self.spark.posts.add(
                f"73{next(self.names):017}",
                creator=creator,
                visibility=state,
                kind="original" if original is None else "duet",
                original=None if original is None else original.id,
                actor="ana",
            ),
        )

    def after(self, duration: timedelta | None) -> datetime | None:
        return None if duration is None else self.clock.now() + duration

    # What people do

    @rule(number=ACCOUNTS, kind=OWN, handle=HANDLES, give=st.booleans())
    def identity(self, number: int, kind: str, handle: str, give: bool) -> None:
        model, accounts = self.model, self.spark.accounts
        account = model.accounts[number]
        if give:
            verb = accounts.link if kind == "linked" else accounts.grant
            self.do(lambda: model.give(account, kind, handle), lambda: verb(account.id, handle, actor="ana"))
        else:
            undo = accounts.unlink if kind == "linked" else accounts.withdraw
            self.do(lambda: model.take(account, kind, handle), lambda: undo(account.id, handle, actor="ana"))

    @rule(which=ANY, verb=st.sampled_from(POST_VERBS), on=st.booleans())
    def post(self, which: int, verb: str, on: bool) -> None:
        model, posts = self.model, self.spark.posts
        post = some(model.posts, which)
        match verb:
            case "make_public" | "show_to_friends" | "make_private":
                state = {"make_public": "public", "show_to_friends": "friends"}.get(verb, "private")
                self.do(lambda: model.show(post, state), lambda: self.asked(posts, post, verb))
            case "edit_caption":
                caption = "words" if on else "others"
                self.do(
                    lambda: model.edit_caption(post, caption),
                    lambda: self.asked(posts, post, verb, caption=caption),
                )
            case "allow_posts":
                self.do(lambda: setattr(post, "allowed", on), lambda: self.asked(posts, post, verb, on=on))
            case "enable_ads":
                self.do(lambda: setattr(post, "enabled", True), lambda: self.asked(posts, post, verb))
            case "disable_ads":
                self.do(lambda: model.disable_ads(post), lambda: self.asked(posts, post, verb))

    @rule(number=ACCOUNTS, which=ANY, days=DAYS, age=st.sampled_from([0, 1, 6, 8]), accepted=st.booleans())
    def receive(self, number: int, which: int, days: int, age: int, accepted: bool) -> None:
        account, post = self.model.accounts[number], some(self.model.posts, which)
        issued_at = self.clock.now() - age * DAY
        secret = f"#kZ7+q{next(self.names):06}/aBcDeFg="
        received = self.do(
            lambda: self.model.receive(account, post, issued_at + days * DAY),
            lambda: self.spark.codes.receive(
                secret, post=post.id, days=days, issued_at=issued_at, account=account.id, actor="ana"
            ),
        )
        if received and accepted:
            self.code(len(self.model.codes) - 1, 0, days)

    @precondition(lambda self: self.model.codes)
    @rule(which=ANY, choice=ANY, days=DAYS)
    def code(self, which: int, choice: int, days: int) -> None:
        code = some(self.model.codes, which)
        verb = some([*CODE_VERBS.get(code.state, []), *CODE_VERBS["any"]], choice)
        facts: dict[str, Any] = {"days": days} if verb == "extend" else {}
        facts |= {"reason": "wrong post"} if verb == "reject" else {}
        model = {
            "authorize": lambda: self.model.authorize(code),
            "reject": lambda: self.model.reject(code),
            "extend": lambda: self.model.extend(code, days),
            "revoke": lambda: self.model.revoke(code),
            "delete": lambda: self.model.delete_code(code),
        }
        self.do(model[verb], lambda: self.asked(self.spark.codes, code, verb, **facts))

    @rule(group=ANY, post=ANY, kind=KINDS, codes=st.booleans(), steps=st.integers(0, 3))
    def create(self, group: int, post: int, kind: str | None, codes: bool, steps: int) -> None:
        ours, about = some(self.model.groups, group), some(self.model.posts, post)
        if codes and not about.pushed:
            for video in about.videos:
                account = self.model.accounts.index(ours.account)
                self.receive(account, self.model.posts.index(video), 30, 0, accepted=True)
        created = self.do(
            lambda: self.model.create(ours, about, kind),
            lambda: self.spark.ads.create(
                f"ad {next(self.names)}", ad_group=ours.id, post=about.id, identity=kind, actor="ana"
            ),
        )
        for _ in range(steps if created else 0):
            self.ad(len(self.model.ads) - 1, 0)

    @precondition(lambda self: self.model.ads)
    @rule(which=ANY, choice=ANY)
    def ad(self, which: int, choice: int) -> None:
        ad = some(self.model.ads, which)
        verb = some([*AD_VERBS.get(ad.state, []), *AD_VERBS["any"]], choice)
        reason = {"reason": "too loud"} if verb == "reject" else {}
        self.do(lambda: self.model.send(ad, verb), lambda: self.asked(self.spark.ads, ad, verb, **reason))

    @rule(which=ANY, ends=ENDS, delete=st.sampled_from([False, False, False, True]))
    def group(self, which: int, ends: timedelta | None, delete: bool) -> None:
        groups, group = self.spark.ad_groups, some(self.model.groups, which)
        if delete:
            self.do(lambda: self.model.delete_group(group), lambda: self.asked(groups, group, "delete"))
            return
        starts_at, ends_at = self.clock.now() - DAY, self.after(ends)
        self.do(
            lambda: self.model.reschedule(group, ends_at),
            lambda: groups.reschedule(group.id, starts_at=starts_at, ends_at=ends_at, actor="ana"),
        )

    # Time

    @rule(days=st.sampled_from([1, 3, 7, 29]), tick=st.booleans())
    def time_passes(self, days: int, tick: bool) -> None:
        self.go_on_to(self.clock.now() + days * DAY, tick=tick)

    @precondition(lambda self: self.next_end() is not None)
    @rule(before=st.booleans(), tick=st.booleans())
    def time_passes_to_the_next_end(self, before: bool, tick: bool) -> None:
        end = self.next_end()
        assert end is not None
        self.go_on_to(end - MOMENT if before else end, tick=tick)

    def next_end(self) -> datetime | None:
        ends = [code.ends for code in self.model.codes if code.state in RUNNING]
        ends += [group.ends for group in self.model.groups if group.ends is not None]
        return min((end for end in ends if end > self.clock.now() + MOMENT), default=None)

    def go_on_to(self, instant: datetime, *, tick: bool) -> None:
        self.clock.set(instant)
        self.model.now = instant
        if tick:
            self.model.tick()
            self.spark.tick(pause=0)
        self.swept = tick

    # What must always be true

    @invariant()
    def the_portfolio_is_what_the_rules_say(self) -> None:
        model, ours = self.model, {}
        for workflow, rows in (
            ("identity", model.identities),
            ("post", model.posts),
            ("video_code", model.codes),
            ("ad_group", model.groups),
            ("spark_ad", model.ads),
        ):
            ours.update({(workflow, row.id): row.state for row in rows})
        with self.spark.reading() as session:
            theirs = states(session, self.spark.workflows)
            code, ad, need = table(VideoCode).c, table(SparkAd).c, table(AdCode).c
            execute = session.connection().execute
            ends = {row_id: end for row_id, end in execute(select(code.id, code.expires_at))}  # noqa: C416
            identities = {row_id: identity for row_id, identity in execute(select(ad.id, ad.identity_id))}  # noqa: C416
            serving = {(ad_id, post_id): code_id for ad_id, post_id, code_id in execute(select(*need))}
        assert {row: state for row, state in theirs.items() if row[0] not in ("ad_account", "campaign")} == ours
        assert ends == {code.id: code.ends for code in model.codes}
        assert identities == {ad.id: ad.identity and ad.identity.id for ad in model.ads}
        assert serving == {
            (ad.id, post.id): code and code.id for ad in model.ads for post, code in ad.needs.items()
        }
        assert model.waiting_in_vain() == []

    @invariant()
    def no_ad_is_on_a_deleted_code(self) -> None:
        assert self.ads_on_codes("spark_ad.state <> 'deleted' AND video_code.state = 'deleted'") == []

    @invariant()
    def no_ad_is_live_without_all_its_codes(self) -> None:
        held = ", ".join(f"'{state}'" for state in sorted(HELD))
        unheld = f"(video_code.id IS NULL OR video_code.state NOT IN ({held}))"
        assert self.ads_on_codes(f"spark_ad.state = 'live' AND {unheld}") == []

    @invariant()
    def no_code_is_past_its_end_after_a_tick(self) -> None:
        if self.swept:
            code = table(VideoCode).c
            with self.spark.reading() as session:
                late = select(code.id).where(code.expires_at <= self.clock.now(), code.state.in_(RUNNING))
                assert session.connection().execute(late).all() == []

    @invariant()
    def a_code_in_use_is_used_as_its_ads_say(self) -> None:
        for state, better in (("in_review", "live"), ("live", "nothing")):
            used = (
                "EXISTS (SELECT 1 FROM ad_code JOIN spark_ad ON spark_ad.id = ad_code.ad_id "
                "WHERE ad_code.code_id = video_code.id AND spark_ad.state = '{}')"
            )
            says = f"{used.format(state)} AND NOT {used.format(better)}"
            held = "state IN ('authorized', 'in_review', 'live')"
            wrong = f"SELECT id FROM video_code WHERE {held} AND (state = '{state}') <> ({says})"
            assert self.sql(wrong) == []

    @invariant()
    def an_ad_stops_when_its_codes_and_its_schedule_say(self) -> None:
        with self.spark.reading() as session:
            assert [ad for ad, (said, found) in worked_out(session).items() if said != found] == []

    @invariant()
    def the_log_leads_to_exactly_the_present_states(self) -> None:
        with self.spark.reading() as session:
            last = self.log[-1].id if self.log else 0
            self.log += entries(session, transition.c.id > last)
            assert replay(self.log) == states(session, self.spark.workflows)

    def ads_on_codes(self, where: str) -> list[Any]:
        return self.sql(
            "SELECT spark_ad.id FROM spark_ad JOIN ad_code ON ad_code.ad_id = spark_ad.id "
            f"LEFT JOIN video_code ON video_code.id = ad_code.code_id WHERE {where}"
        )

    def sql(self, query: str) -> list[Any]:
        with self.spark.reading() as session:
            return list(session.connection().exec_driver_sql(query))


def some(things: Sequence[T], which: int) -> T:
    return things[which % len(things)]


def test_lives_go_by_the_rules(open_desk):
    Lives.kept = open_desk(durations=(7, 30), ads_per_account=6, ads_per_identity=4)
    run_state_machine_as_test(
        Lives,
        settings=settings(
            max_examples=LIVES or 30,
            stateful_step_count=100 if LIVES else 40,
            suppress_health_check=list(HealthCheck),
        ),
    )
