"""Expiry and revocation: the ads that run on a code stop in the transaction in which it ends."""

from __future__ import annotations

from datetime import timedelta

import pytest

from statewright.errors import EventNotPossible

STANDING = ["authorized", "in_review", "live", "paused", "rejected"]


def batch_of(desk, row):
    return desk.last(row).batch


@pytest.mark.parametrize("state", STANDING)
def test_expiry_stops_the_ads_that_run_on_the_code(desk, state):
    post = desk.post("mia")
    code = desk.code(post, days=7)
    ad = desk.ad_in(state, post)
    desk.pass_time(days=7)
    assert desk.states(code, ad) == ["expired", "expired"]
    assert desk.why(ad) == (
        f'it still needs 1 authorized code: {post.id} "the post {post.item_id} by @mia" (its code is expired)'
    )


@pytest.mark.parametrize("state", STANDING)
def test_revocation_stops_the_ads_that_run_on_the_code(desk, state):
    post = desk.post("mia")
    code = desk.code(post)
    ad = desk.ad_in(state, post)
    desk.spark.codes.revoke(code, actor="mia", reason="the campaign was not as agreed")
    assert desk.states(code, ad) == ["revoked", "expired"]
    assert desk.last(code).reason == "the campaign was not as agreed"
    assert desk.why(ad).endswith("(its code is revoked)")


def test_expiry_and_its_effect_on_an_ad_are_one_transaction_that_history_ties_together(desk):
    post = desk.post()
    code = desk.code(post, days=7)
    ad = desk.live(post)
    ends_at = code.expires_at
    desk.pass_time(days=9)
    cause, effect = desk.last(code), desk.last(ad)
    assert (cause.event, cause.source, cause.target, cause.actor) == ("expire", "live", "expired", "daemon")
    assert (cause.due_at, cause.at) == (ends_at, desk.now)
    assert (effect.event, effect.source, effect.target) == ("lose_authorization", "live", "expired")
    assert (effect.batch, effect.cause, effect.at) == (cause.batch, cause.id, cause.at)


def test_expiry_leaves_pending_deleted_and_already_expired_ads_as_they_are(desk):
    original, post = desk.post(), desk.post()
    duet = desk.duet(original)
    codes = desk.code(post, days=7), desk.code(duet, days=7)
    pending, deleted = desk.ad(duet), desk.ad_in("deleted", post)
    ended = desk.ad_in("expired", post)
    lives = [len(desk.spark.ads.history(ad)) for ad in (pending, deleted, ended)]
    desk.pass_time(days=7)
    assert desk.states(*codes, pending, deleted, ended) == ["expired", "expired", "pending", "deleted", "expired"]
    assert [len(desk.spark.ads.history(ad)) for ad in (pending, deleted, ended)] == lives


def test_expiry_leaves_the_other_code_of_a_two_creator_post_unharmed_and_recomputes_its_use(desk):
    original = desk.post("mia")
    duet = desk.duet(original, "leo")
    theirs, ours = desk.code(original, days=60), desk.code(duet, days=7)
    live, reviewed = desk.live(duet), desk.submitted(original)
    assert desk.states(theirs, ours) == ["live", "live"]
    desk.pass_time(days=7)
    assert desk.states(live, reviewed) == ["expired", "in_review"]
    assert desk.states(theirs, ours) == ["in_review", "expired"]
    desk.spark.ads.delete(reviewed, actor="ana")
    assert desk.state(theirs) == "authorized"


@pytest.mark.parametrize("whose", [0, 1])
def test_revocation_of_either_code_of_a_two_creator_post_stops_the_ad(desk, whose):
    original = desk.post("mia")
    duet = desk.duet(original, "leo")
    codes = desk.code(original), desk.code(duet)
    ad = desk.live(duet)
    desk.spark.codes.revoke(codes[whose], actor="mia")
    assert desk.state(ad) == "expired"
    assert desk.state(codes[1 - whose]) == "authorized"


def test_expiry_of_both_codes_at_once_stops_the_ad_once(desk):
    original = desk.post()
    duet = desk.duet(original)
    codes = desk.code(original, days=7), desk.code(duet, days=7)
    ad = desk.live(duet)
    tick = desk.pass_time(days=7)
    assert tick.moved[("video_code", "expire")] == 2
    assert tick.moved[("spark_ad", "lose_authorization")] == 1
    assert desk.states(*codes, ad) == ["expired", "expired", "expired"]


def test_expiry_stops_no_ad_of_another_code(desk):
    posts = desk.post(), desk.post()
    codes = [desk.code(post, days=days) for post, days in zip(posts, (7, 30), strict=True)]
    ads = [desk.live(post) for post in posts]
    desk.pass_time(days=7)
    assert desk.states(*codes, *ads) == ["expired", "live", "expired", "live"]


def test_expiry_stops_the_ads_of_the_account_alone_whose_code_it_was(desk):
    post = desk.post()
    other = desk.spark.accounts.add("Other", actor="ana")
    desk.code(post, days=7)
    desk.code(post, days=30, account=other)
    ours, theirs = desk.live(post), desk.live(post, group=desk.group(account=other))
    desk.pass_time(days=7)
    assert desk.states(ours, theirs) == ["expired", "live"]


def test_expiry_after_a_long_downtime_says_when_it_was_due_and_when_it_was_done(desk):
    codes = [desk.code(desk.post(), days=days) for days in (7, 30, 60)]
    desk.pass_time(days=400)
    assert desk.states(*codes) == ["expired"] * 3
    for code in codes:
        assert (desk.last(code).due_at, desk.last(code).at) == (code.expires_at, desk.now)


def test_expiry_is_seen_by_a_new_ad_even_before_the_sweep(desk):
    post = desk.post()
    desk.code(post, days=7)
    desk.clock.advance(days=7)
    ad = desk.ad(post)
    assert ad.state == "pending"
    assert desk.why(ad).endswith("(its code is over)")


@pytest.mark.parametrize("verb", ["approve", "resume", "submit", "resubmit", "appeal"])
def test_expiry_is_seen_by_every_step_towards_live_even_before_the_sweep(desk, verb):
    post = desk.post()
    desk.code(post, days=7)
    before = {"approve": "in_review", "resume": "paused", "submit": "authorized"}.get(verb, "rejected")
    ad = desk.ad_in(before, post)
    desk.clock.advance(days=7)
    refusal = desk.refusal(Exception, getattr(desk.spark.ads, verb), ad)
    assert refusal.startswith(f"cannot {verb} spark ad {ad.id}: it still needs 1 authorized code: ")
    assert refusal.endswith("(its code is over)")


@pytest.mark.parametrize("state", ["expired", "rejected", "revoked", "deleted"])
def test_revocation_is_possible_while_a_code_runs_and_not_after(desk, state):
    codes = desk.spark.codes
    code = desk.pending_code(desk.post(), days=7)
    match state:
        case "expired":
            desk.pass_time(days=7)
        case "rejected":
            codes.reject(code, reason="wrong post", actor="tiktok")
        case "revoked":
            codes.revoke(code, actor="mia")
        case "deleted":
            codes.delete(code, actor="ana")
    refusal = desk.refusal(EventNotPossible, codes.revoke, code)
    assert refusal.startswith(f"cannot revoke video code {code.id}: it is {state}; ")


def test_revocation_of_a_pending_code_leaves_its_ads_pending_with_the_reason(desk):
    post = desk.post()
    code = desk.pending_code(post)
    ad = desk.ad(post)
    desk.spark.codes.revoke(code, actor="mia")
    assert desk.state(ad) == "pending"
    assert desk.why(ad).endswith("(its code is revoked)")


def test_revocation_of_many_at_once_stops_all_their_ads(desk):
    posts = [desk.post("mia"), desk.post("mia"), desk.post("leo")]
    codes = [desk.code(post) for post in posts]
    ads = [desk.live(post) for post in posts]
    moved = desk.spark.codes.revoke_all(creator="@Mia", actor="mia", reason="moved to another agency")
    assert moved.rows == 2
    assert moved.cascaded[("spark_ad", "lose_authorization")] == 2
    assert desk.states(*codes) == ["revoked", "revoked", "live"]
    assert desk.states(*ads) == ["expired", "expired", "live"]


class TestReminder:
    """The log says 7, 3 and 1 days before the end that it is near."""

    def reminders(self, desk, code):
        entries = desk.spark.codes.history(code)
        return [(code.expires_at - entry.due_at).days for entry in entries if entry.event == "remind"]

    def days_pass(self, desk, days):
        for _ in range(days):
            desk.pass_time(days=1)

    @pytest.mark.parametrize(("days", "told"), [(7, [3, 1]), (30, [7, 3, 1]), (60, [7, 3, 1]), (365, [7, 3, 1])])
    @pytest.mark.parametrize("kind", ["pending_code", "code"])
    def test_a_reminder_comes_7_3_and_1_days_before_the_end(self, desk, kind, days, told):
        code = getattr(desk, kind)(desk.post(), days=days)
        desk.pass_time(days=days - 7)
        self.days_pass(desk, 8)
        assert desk.state(code) == "expired"
        assert self.reminders(desk, code) == told

    def test_a_reminder_moves_nothing(self, desk):
        post = desk.post()
        code = desk.code(post, days=30)
        ad = desk.live(post)
        tick = desk.pass_time(days=23)
        assert tick.moved == {("video_code", "remind"): 1}
        assert desk.states(code, ad) == ["live", "live"]
        assert desk.last(code).due_at == desk.now

    def test_a_reminder_that_was_slept_through_is_given_once_and_late(self, desk):
        code = desk.code(desk.post(), days=30)
        desk.pass_time(days=28)
        assert self.reminders(desk, code) == [7]
        desk.pass_time(days=1)
        assert self.reminders(desk, code) == [7, 1]

    def test_a_reminder_of_what_is_over_is_not_given(self, desk):
        code = desk.code(desk.post(), days=30)
        desk.pass_time(days=31)
        assert desk.state(code) == "expired"
        assert self.reminders(desk, code) == []
        assert desk.spark.codes.get(code).remind_due_at is None

    def test_a_reminder_follows_an_extension(self, desk):
        code = desk.code(desk.post(), days=7)
        self.days_pass(desk, 5)
        assert self.reminders(desk, code) == [3]
        extended = desk.spark.codes.extend(code, days=7, actor="mia")
        assert extended.remind_due_at == extended.expires_at - timedelta(days=7)
        self.days_pass(desk, 9)
        assert self.reminders(desk, extended) == [10, 7, 3, 1]

    def test_a_reminder_does_not_come_for_a_code_that_is_no_longer_held(self, desk):
        codes = [desk.pending_code(desk.post(), days=30) for _ in range(3)]
        desk.spark.codes.reject(codes[0], reason="wrong post", actor="tiktok")
        desk.spark.codes.revoke(codes[1], actor="mia")
        desk.spark.codes.delete(codes[2], actor="ana")
        assert desk.pass_time(days=29).moved == {}
