"""Extension: days are added to what is left, or to now when a code had expired; then it and its ads come back."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sparkads.errors import WrongInput
from statewright.errors import EventNotPossible, GuardRefused

DAY = timedelta(days=1)


def extend(desk, code, days=30):
    return desk.spark.codes.extend(code, days=days, actor="mia")


def test_extension_adds_days_to_what_is_left(desk):
    code = desk.code(desk.post(), days=30)
    desk.pass_time(days=10)
    extended = extend(desk, code, 60)
    assert extended.state == "authorized"
    assert extended.expires_at == code.expires_at + 60 * DAY
    assert desk.last(code).payload == {"days": 60}
    extended = extend(desk, code, 7)
    assert extended.expires_at == code.expires_at + 67 * DAY


def test_extension_of_an_expired_code_counts_from_now(desk):
    code = desk.code(desk.post(), days=7)
    desk.pass_time(days=20)
    extended = extend(desk, code)
    assert extended.state == "authorized"
    assert extended.expires_at == desk.now + 30 * DAY
    desk.pass_time(days=30, seconds=-1)
    assert desk.state(code) == "authorized"
    desk.pass_time(seconds=1)
    assert desk.state(code) == "expired"


def test_extension_of_a_pending_code_leaves_it_pending(desk):
    code = desk.pending_code(desk.post(), days=7)
    desk.pass_time(days=1)
    extended = extend(desk, code)
    assert (extended.state, extended.expires_at) == ("pending", code.expires_at + 30 * DAY)


@pytest.mark.parametrize("kind", ["pending_code", "code"])
def test_extension_of_a_code_that_is_over_but_not_swept_yet_counts_from_now(desk, kind):
    code = getattr(desk, kind)(desk.post(), days=7)
    desk.clock.advance(days=9)
    extended = extend(desk, code)
    assert (extended.state, extended.expires_at) == (code.state, desk.now + 30 * DAY)
    assert desk.spark.tick().moved == {}


def test_extension_keeps_the_ads_of_a_running_code_as_they_are(desk):
    post = desk.post()
    code = desk.code(post)
    live, reviewed = desk.live(post), desk.submitted(post)
    extend(desk, code)
    assert desk.states(code, live, reviewed) == ["live", "live", "in_review"]


def test_an_ad_stops_as_much_later_as_its_code_is_extended_and_its_history_tells_it(desk):
    post = desk.post()
    code = desk.code(post, days=7)
    ad = desk.live(post)
    assert desk.spark.ads.get(ad).stops_at == code.expires_at
    extended = extend(desk, code)
    assert desk.spark.ads.get(ad).stops_at == extended.expires_at
    told = desk.last(ad)
    assert (told.event, told.source, told.target, told.actor) == ("prolong", "live", "live", "mia")


@pytest.mark.parametrize("state", ["authorized", "in_review", "live", "paused", "rejected"])
def test_extension_brings_the_ads_of_an_expired_code_back_to_authorized(desk, state):
    post = desk.post()
    code = desk.code(post, days=7)
    ad = desk.ad_in(state, post)
    desk.pass_time(days=7)
    assert desk.states(code, ad) == ["expired", "expired"]
    extend(desk, code)
    assert desk.states(code, ad) == ["authorized", "authorized"]
    assert desk.why(ad) == ""


def test_extension_does_not_bring_back_deleted_ads_or_ads_whose_schedule_is_over(desk):
    post = desk.post()
    code = desk.code(post, days=7)
    ended = desk.live(post, group=desk.group(ends_in=3 * DAY))
    ends_meanwhile = desk.live(post, group=desk.group(ends_in=8 * DAY))
    deleted = desk.ad_in("deleted", post)
    desk.pass_time(days=9)
    extend(desk, code)
    assert desk.states(code, ended, ends_meanwhile, deleted) == ["authorized", "expired", "expired", "deleted"]
    group = desk.spark.ad_groups.get(ended.ad_group_id)
    assert desk.why(ended) == (
        f'the schedule of its ad group "{group.name}" ended on 2026-03-04 12:30 UTC; reschedule that first'
    )


def test_extension_of_one_of_two_codes_leaves_the_ad_expired_until_the_other_comes_too(desk):
    original = desk.post("mia")
    duet = desk.duet(original, "leo")
    first, second = desk.code(original, days=7), desk.code(duet, days=7)
    ad = desk.live(duet)
    desk.pass_time(days=7)
    extend(desk, first)
    assert desk.states(first, second, ad) == ["authorized", "expired", "expired"]
    assert desk.why(ad) == (
        f'it still needs 1 authorized code: {duet.id} "the post {duet.item_id} by @leo" (its code is expired)'
    )
    extend(desk, second)
    assert desk.states(first, second, ad) == ["authorized", "authorized", "authorized"]


def test_extension_authorizes_ads_made_while_a_used_code_was_over_but_not_swept_yet(desk):
    post = desk.post()
    code = desk.code(post, days=7)
    live = desk.live(post)
    desk.clock.advance(days=8)
    late = desk.ad(post)
    assert desk.state(late) == "pending"
    assert "(its code is over)" in desk.why(late)
    extend(desk, code)
    assert desk.states(code, live, late) == ["live", "live", "authorized"]


@pytest.mark.parametrize(("verb", "state"), [("revoke", "revoked"), ("reject", "rejected"), ("delete", "deleted")])
def test_extension_does_not_bring_back_what_was_taken_back_rejected_or_deleted(desk, verb, state):
    code = desk.pending_code(desk.post())
    getattr(desk.spark.codes, verb)(code, actor="tiktok", **({"reason": "wrong"} if verb == "reject" else {}))
    refusal = desk.refusal(EventNotPossible, desk.spark.codes.extend, code, days=30)
    assert refusal.startswith(f"cannot extend video code {code.id}: it is {state}; ")


def test_extension_of_an_expired_code_needs_ad_authorization_to_be_on(desk):
    post = desk.post("mia")
    code = desk.code(post, days=7)
    desk.pass_time(days=7)
    desk.spark.posts.disable_ads(post, actor="mia")
    assert desk.refusal(GuardRefused, desk.spark.codes.extend, code, days=7) == (
        f"cannot extend video code {code.id}: ad authorization is switched off for the post; "
        "ask @mia to switch it on in its ad settings"
    )
    desk.spark.posts.enable_ads(post, actor="mia")
    assert extend(desk, code).state == "authorized"


@pytest.mark.parametrize("days", [0, -30, 31, True, 30.0, "30"])
def test_extension_is_by_one_of_the_durations(desk, days):
    code = desk.code(desk.post())
    refusal = desk.refusal(WrongInput, desk.spark.codes.extend, code, days=days)
    assert refusal == f"expected the days to be one of 7, 30, 60, 365; got {days!r}"


def test_extension_ends_where_the_calendar_does(desk):
    code = desk.code(desk.post())
    end = code.expires_at.replace(year=8999)
    desk.sql("UPDATE video_code SET expires_at = ?", desk.place.instant(end))
    refusal = desk.refusal(WrongInput, desk.spark.codes.extend, code, days=365)
    assert refusal.startswith("expected the code's end to be in the years 1970 to 8999, got 9000-")


def test_extension_by_many_at_once_is_the_same_as_one_by_one(desk):
    post = desk.post()
    running, expired = desk.code(post), desk.code(desk.post(), days=7)
    ad = desk.ad(desk.spark.posts.get(expired.post_id))
    revoked = desk.spark.codes.revoke(desk.code(desk.post()), actor="mia")
    desk.pass_time(days=10)
    moved = desk.spark.codes.extend_all(account=desk.brand, days=30, actor="mia")
    assert moved.rows == 2
    assert desk.spark.codes.get(running).expires_at == running.expires_at + 30 * DAY
    assert desk.spark.codes.get(expired).expires_at == desk.now + 30 * DAY
    assert desk.states(running, expired, revoked, ad) == ["authorized", "authorized", "revoked", "authorized"]
