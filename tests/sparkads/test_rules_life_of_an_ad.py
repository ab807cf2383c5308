"""Life of an ad: every arrow there is, and none besides."""

from __future__ import annotations

import pytest

from statewright.errors import EventNotPossible, WrongArguments

STATES = ["pending", "authorized", "in_review", "live", "paused", "rejected", "expired", "deleted"]

ARROWS = {
    ("authorized", "submit"): "in_review",
    ("in_review", "approve"): "live",
    ("in_review", "reject"): "rejected",
    ("live", "reject"): "rejected",
    ("paused", "reject"): "rejected",
    ("rejected", "resubmit"): "in_review",
    ("rejected", "appeal"): "in_review",
    ("live", "pause"): "paused",
    ("paused", "resume"): "live",
    **{(state, "delete"): "deleted" for state in STATES if state != "deleted"},
}
VERBS = ["submit", "approve", "reject", "resubmit", "appeal", "pause", "resume", "delete"]

USES = {"in_review": "in_review", "live": "live"}
"""What an ad in a state makes of its code; authorized unless said here."""


@pytest.fixture
def post(desk):
    post = desk.post()
    desk.code(post)
    return post


def ad_in(desk, state, post):
    return desk.ad(desk.post()) if state == "pending" else desk.ad_in(state, post)


def send(desk, verb, ad):
    reason = {"reason": "too loud"} if verb == "reject" else {}
    return getattr(desk.spark.ads, verb)(ad, actor="ana", **reason)


@pytest.mark.parametrize(("arrow", "target"), ARROWS.items(), ids=map("-".join, ARROWS))
def test_life_of_an_ad_has_this_arrow(desk, post, arrow, target):
    state, verb = arrow
    ad = ad_in(desk, state, post)
    moved = send(desk, verb, ad)
    assert moved.state == target
    last = desk.last(ad)
    assert (last.event, last.source, last.target, last.actor) == (verb, state, target, "ana")
    codes = desk.spark.ads.codes(ad)
    assert [code.state for code in codes] == [USES.get(target, "authorized")] * len(codes)


@pytest.mark.parametrize(
    ("state", "verb"),
    [
        (state, verb)
        for state in STATES
        for verb in VERBS
        if (state, verb) not in ARROWS and (state, verb) != ("pending", "submit")
    ],
)
def test_life_of_an_ad_has_no_other_arrow(desk, post, state, verb):
    ad = ad_in(desk, state, post)
    reason = {"reason": "too loud"} if verb == "reject" else {}
    refusal = desk.refusal(EventNotPossible, getattr(desk.spark.ads, verb), ad, **reason)
    assert refusal.startswith(f"cannot {verb} spark ad {ad.id}: it is {state.replace('_', ' ')}")


def test_life_of_an_ad_from_beginning_to_end_is_its_history(desk, post):
    ads = desk.spark.ads
    ad = desk.ad(post)
    ads.submit(ad, actor="ana")
    ads.reject(ad, reason="music is not cleared", actor="tiktok")
    ads.resubmit(ad, actor="ana")
    ads.approve(ad, actor="tiktok")
    ads.pause(ad, actor="leo")
    ads.resume(ad, actor="leo")
    ads.reject(ad, reason="reported", actor="tiktok")
    ads.appeal(ad, actor="ana", reason="the report is wrong")
    ads.approve(ad, actor="tiktok")
    ads.delete(ad, actor="ana")
    assert [(entry.event, entry.target, entry.actor, entry.reason) for entry in ads.history(ad)] == [
        ("start", "pending", "ana", None),
        ("authorize", "authorized", "ana", None),
        ("submit", "in_review", "ana", None),
        ("reject", "rejected", "tiktok", "music is not cleared"),
        ("resubmit", "in_review", "ana", None),
        ("approve", "live", "tiktok", None),
        ("pause", "paused", "leo", None),
        ("resume", "live", "leo", None),
        ("reject", "rejected", "tiktok", "reported"),
        ("appeal", "in_review", "ana", "the report is wrong"),
        ("approve", "live", "tiktok", None),
        ("delete", "deleted", "ana", None),
    ]


def test_life_of_an_ad_ended_by_lost_authorization_goes_on_from_authorized(desk, post):
    ad = desk.live(post)
    desk.pass_time(days=30)
    (code,) = desk.spark.ads.codes(ad)
    desk.spark.codes.extend(code, days=30, actor="mia")
    assert desk.state(ad) == "authorized"
    desk.spark.ads.submit(ad, actor="ana")
    assert desk.spark.ads.approve(ad, actor="tiktok").state == "live"


def test_life_of_an_ad_gives_the_use_of_its_code_to_the_liveliest_of_several(desk, post):
    (code,) = desk.spark.codes.list(post=post)
    seen = []
    first, second = desk.ad(post), desk.ad(post)
    for verb, ad in (
        ("submit", first),
        ("submit", second),
        ("approve", first),
        ("pause", first),
        ("resume", first),
        ("approve", second),
        ("reject", first),
        ("appeal", first),
        ("delete", second),
        ("reject", first),
        ("delete", first),
    ):
        send(desk, verb, ad)
        seen.append(desk.state(code))
    assert seen == [
        "in_review",
        "in_review",
        "live",
        "in_review",
        "live",
        "live",
        "live",
        "live",
        "in_review",
        "authorized",
        "authorized",
    ]


@pytest.mark.parametrize("state", ["authorized", "in_review", "live", "paused", "rejected", "deleted"])
def test_life_of_an_ad_is_the_use_of_both_codes_of_a_two_creator_post(desk, state):
    original = desk.post()
    duet = desk.duet(original)
    codes = desk.code(original), desk.code(duet)
    desk.ad_in(state, duet)
    assert desk.states(*codes) == [USES.get(state, "authorized")] * 2


def test_life_of_an_ad_is_told_event_by_event(desk, post):
    ad = desk.live(post, name="Spring")
    told = {possible.event: possible for possible in desk.spark.ads.can(ad)}
    assert {event for event, possible in told.items() if possible.possible and not possible.automatic} == {
        "reject",
        "pause",
        "delete",
    }
    assert told["pause"].target == "paused"
    assert told["resume"].because == "it is live; possible now: reject, pause, delete"
    desk.reschedule(ad, ends_in=desk.now - desk.now.replace(day=1, month=1))
    told = {possible.event: possible for possible in desk.spark.ads.can(ad)}
    assert told["end"].because == "its schedule has not ended"
    assert told["end"].due_at == desk.spark.ads.get(ad).end_due_at


def test_life_of_an_ad_is_moved_by_somebody_with_a_name(desk, post):
    ad = desk.ad(post)
    refusal = desk.refusal(WrongArguments, desk.spark.ads.submit, ad, actor=" ")
    assert refusal == "cannot submit spark ad: expected an actor, the name that goes into the history"


class TestForce:
    """A move by hand goes anywhere, and what follows from it follows."""

    @pytest.mark.parametrize("target", [state for state in STATES if state != "live"])
    def test_force_puts_an_ad_into_any_state_and_its_code_follows(self, desk, post, target):
        ad = desk.live(post)
        (code,) = desk.spark.ads.codes(ad)
        forced = desk.spark.ads.force(ad, target, actor="ana", reason="as TikTok shows it")
        assert forced.state == target
        last = desk.last(ad)
        assert (last.event, last.reason, last.actor) == ("force", "as TikTok shows it", "ana")
        assert desk.state(code) == USES.get(target, "authorized")

    @pytest.mark.parametrize("target", ["pending", "expired", "rejected", "revoked"])
    def test_force_on_a_code_stops_its_ads(self, desk, post, target):
        ad = desk.live(post)
        (code,) = desk.spark.ads.codes(ad)
        desk.spark.codes.force(code, target, actor="ana", reason="as TikTok shows it")
        assert desk.states(code, ad) == [target, "expired"]

    @pytest.mark.parametrize("target", ["authorized", "in_review", "live"])
    def test_force_on_a_code_brings_its_ads_back(self, desk, post, target):
        ad = desk.live(post)
        (code,) = desk.spark.ads.codes(ad)
        desk.spark.codes.revoke(code, actor="mia")
        desk.spark.codes.force(code, target, actor="ana", reason="revoked by mistake")
        assert desk.state(ad) == "authorized"
        assert desk.spark.codes.get(code).expire_due_at == code.expires_at

    def test_force_back_to_authorized_does_not_lengthen_a_code_that_is_over(self, desk, post):
        ad = desk.live(post)
        (code,) = desk.spark.ads.codes(ad)
        desk.pass_time(days=31)
        desk.spark.codes.force(code, "authorized", actor="ana", reason="by mistake")
        assert desk.state(ad) == "expired"
        desk.spark.tick()
        assert desk.state(code) == "expired"

    def test_force_of_an_ended_schedule_is_undone_by_the_next_tick(self, desk, post):
        ad = desk.ad_in("expired", post)
        desk.spark.ads.force(ad, "live", actor="ana", reason="by mistake")
        desk.spark.tick()
        assert desk.state(ad) == "expired"

    def test_force_to_live_publishes_a_pushed_video(self, desk):
        desk.spark.accounts.link(desk.brand, "brand", actor="ana")
        pushed = desk.pushed("brand")
        ad = desk.ad(pushed)
        desk.spark.ads.force(ad, "live", actor="ana", reason="approved by telephone")
        assert desk.state(pushed) == "private"

    @pytest.mark.parametrize("reason", ["", "  "])
    def test_force_needs_a_reason(self, desk, post, reason):
        ad = desk.ad(post)
        refusal = desk.refusal(WrongArguments, desk.spark.ads.force, ad, "live", reason=reason)
        assert refusal == f"cannot force spark ad {ad.id}: a move by hand needs a reason"

    def test_force_goes_to_states_of_the_chart_alone(self, desk, post):
        ad = desk.ad(post)
        refusal = desk.refusal(WrongArguments, desk.spark.ads.force, ad, "winning", reason="it wins")
        assert refusal == (
            f"cannot force spark ad {ad.id}: expected one of the states {', '.join(STATES)}, got 'winning'"
        )
