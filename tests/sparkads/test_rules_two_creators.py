"""Two creators: a duet or stitch needs the code of the derived post and the code of its original."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sparkads.errors import RuleBroken, WrongInput
from statewright.errors import UnknownRow

KINDS = pytest.mark.parametrize("kind", ["duet", "stitch"])


@KINDS
@pytest.mark.parametrize("derived_first", [True, False])
def test_two_creators_must_both_hand_over_a_code(desk, kind, derived_first):
    original = desk.post("mia")
    derived = desk.duet(original, "leo", kind=kind)
    ad = desk.ad(derived)
    assert desk.why(ad).endswith(
        "it still needs 2 authorized codes: "
        f'{original.id} "the original post {original.item_id} by @mia" (no code yet), '
        f'{derived.id} "the post {derived.item_id} by @leo" (no code yet)'
    )

    first, second = (derived, original) if derived_first else (original, derived)
    desk.code(first)
    assert desk.state(ad) == "pending"
    missing = "original post" if second is original else "post"
    assert desk.why(ad).endswith(
        f"it still needs 1 authorized code: {second.id} "
        f'"the {missing} {second.item_id} by @{second.creator}" (no code yet)'
    )

    pending = desk.pending_code(second)
    assert desk.state(ad) == "pending"
    assert desk.why(ad).endswith("(its code is pending)")
    desk.spark.codes.authorize(pending, actor="tiktok")
    assert desk.state(ad) == "authorized"
    assert desk.why(ad) == ""


@KINDS
def test_two_creators_codes_may_be_there_before_the_ad(desk, kind):
    original = desk.post()
    derived = desk.duet(original, kind=kind)
    codes = [desk.code(original), desk.code(derived)]
    ad = desk.live(derived)
    assert desk.states(ad, *codes) == ["live", "live", "live"]
    assert [code.id for code in desk.spark.ads.codes(ad)] == [code.id for code in codes]


def test_two_creators_codes_are_listed_by_id_whichever_was_written_last(desk):
    original = desk.post()
    derived = desk.duet(original)
    codes = [desk.code(derived), desk.code(original)]
    ad = desk.live(derived)
    desk.sql("ANALYZE")  # PostgreSQL reads a small table in the order in which its rows were written
    for written in codes:
        desk.spark.codes.extend(written, days=60, actor="alice")
        assert [code.id for code in desk.spark.ads.codes(ad)] == [code.id for code in codes]


def test_two_creators_are_not_needed_for_the_original_alone(desk):
    original = desk.post()
    desk.duet(original)
    desk.code(original)
    assert desk.ad(original).state == "authorized"


@pytest.mark.parametrize(("original_days", "derived_days"), [(7, 30), (30, 7), (30, 30)])
def test_two_creators_authorize_until_the_earlier_of_the_two_ends(desk, original_days, derived_days):
    original = desk.post()
    duet = desk.duet(original)
    desk.code(original, days=original_days)
    desk.code(duet, days=derived_days)
    ad = desk.live(duet)
    earlier = min(original_days, derived_days)
    assert desk.spark.ads.covered_until(ad) == desk.now + timedelta(days=earlier)
    desk.pass_time(days=earlier, seconds=-1)
    assert desk.state(ad) == "live"
    desk.pass_time(seconds=1)
    assert desk.state(ad) == "expired"


def test_two_creators_with_one_code_missing_authorize_until_no_time_at_all(desk):
    original = desk.post()
    duet = desk.duet(original)
    desk.code(duet)
    ad = desk.ad(duet)
    assert desk.spark.ads.covered_until(ad) is None


@KINDS
@pytest.mark.parametrize("of", ["duet", "stitch"])
def test_two_creators_are_the_most_a_post_may_have(desk, kind, of):
    derived = desk.duet(desk.post(), kind=of)
    refusal = desk.refusal(RuleBroken, desk.spark.posts.add, "7" * 19, creator="zoe", kind=kind, original=derived)
    assert refusal == (
        f"cannot add a {kind} of post {derived.item_id}: that is itself a {of}, and TikTok takes no duet or "
        "stitch of one; name an original post"
    )


def test_two_creators_need_an_original_that_is_known_and_on_tiktok(desk):
    add = desk.spark.posts.add
    rule = "a duet or stitch needs its original post, and only those have one"
    assert desk.refusal(WrongInput, add, "7" * 19, creator="zoe", kind="duet") == rule
    assert desk.refusal(WrongInput, add, "7" * 19, creator="zoe", original=desk.post()) == rule
    missing = desk.refusal(UnknownRow, add, "7" * 19, creator="zoe", kind="duet", original=404)
    assert missing == "there is no post 404"
    pushed = desk.pushed()
    refusal = desk.refusal(RuleBroken, add, "7" * 19, creator="zoe", kind="duet", original=pushed)
    assert refusal == f"cannot add a duet of post {pushed.id}: it was never a post on TikTok"


def test_two_creators_may_be_one_person_who_still_issues_two_codes(desk):
    original = desk.post("mia")
    duet = desk.duet(original, "mia")
    desk.code(duet)
    ad = desk.ad(duet)
    assert ad.state == "pending"
    desk.code(original)
    assert desk.state(ad) == "authorized"


def test_two_creators_codes_do_not_stand_in_for_each_other(desk):
    original = desk.post("mia")
    duet = desk.duet(original, "leo")
    desk.code(duet)
    desk.code(duet)
    ad = desk.ad(duet)
    assert ad.state == "pending"
    assert "the original post" in desk.why(ad)


def test_two_creators_codes_are_needed_by_each_account_for_itself(desk):
    other = desk.spark.accounts.add("Other", actor="ana")
    original = desk.post()
    duet = desk.duet(original)
    desk.code(original)
    desk.code(duet, account=other)
    ours, theirs = desk.ad(duet), desk.ad(duet, group=desk.group(account=other))
    assert desk.states(ours, theirs) == ["pending", "pending"]
    desk.code(duet)
    assert desk.states(ours, theirs) == ["authorized", "pending"]


class TestChoiceOfCode:
    """An ad takes the best code its account has, and another one only when its own does not authorize."""

    def serving(self, desk, ad):
        return [code.id for code in desk.spark.ads.codes(ad)]

    def test_a_new_ad_takes_the_code_that_authorizes_longest(self, desk):
        post = desk.post()
        desk.code(post, days=7)
        longest = desk.code(post, days=60)
        desk.code(post, days=30)
        desk.pending_code(post, days=365)
        assert self.serving(desk, desk.ad(post)) == [longest.id]

    def test_a_new_ad_takes_a_pending_code_when_there_is_no_better(self, desk):
        post = desk.post()
        pending = desk.pending_code(post)
        ad = desk.ad(post)
        assert self.serving(desk, ad) == [pending.id]
        assert desk.state(ad) == "pending"

    def test_an_ad_keeps_its_code_while_it_runs_though_a_longer_one_comes(self, desk):
        post = desk.post()
        own = desk.code(post, days=7)
        ad = desk.live(post)
        spare = desk.code(post, days=365)
        assert self.serving(desk, ad) == [own.id]
        assert desk.states(own, spare) == ["live", "authorized"]

    def test_an_ad_whose_code_is_over_takes_the_next_one_that_comes(self, desk):
        post = desk.post()
        desk.code(post, days=7)
        ad = desk.live(post)
        desk.pass_time(days=7)
        new = desk.pending_code(post)
        assert self.serving(desk, ad) == [new.id]
        assert desk.state(ad) == "expired"
        desk.spark.codes.authorize(new, actor="tiktok")
        assert desk.state(ad) == "authorized"

    def test_an_ad_does_not_wait_for_a_pending_code_when_another_authorizes(self, desk):
        post = desk.post()
        waiting = desk.pending_code(post)
        ad = desk.ad(post)
        assert self.serving(desk, ad) == [waiting.id]
        valid = desk.code(post)
        assert self.serving(desk, ad) == [valid.id]
        assert desk.state(ad) == "authorized"

    def test_an_extended_code_takes_its_ads_back_from_one_that_is_still_pending(self, desk):
        post = desk.post()
        old = desk.code(post, days=7)
        ad = desk.live(post)
        desk.pass_time(days=7)
        desk.pending_code(post)
        desk.spark.codes.extend(old, days=30, actor="mia")
        assert self.serving(desk, ad) == [old.id]
        assert desk.state(ad) == "authorized"

    def test_an_ad_whose_code_is_rejected_takes_another_that_is_there(self, desk):
        post = desk.post()
        wrong = desk.pending_code(post)
        ad = desk.ad(post)
        other = desk.pending_code(post)
        assert self.serving(desk, ad) == [wrong.id]
        desk.spark.codes.reject(wrong, reason="of another video", actor="tiktok")
        assert self.serving(desk, ad) == [other.id]

    def test_an_ad_whose_code_is_revoked_stops_and_is_authorized_by_another_that_is_there(self, desk):
        post = desk.post()
        own = desk.code(post)
        ad = desk.live(post)
        spare = desk.code(post)
        desk.spark.codes.revoke(own, actor="mia")
        assert self.serving(desk, ad) == [spare.id]
        assert [entry.target for entry in desk.spark.ads.history(ad)][-2:] == ["expired", "authorized"]
        assert desk.states(own, spare, ad) == ["revoked", "authorized", "authorized"]

    def test_an_ad_takes_no_code_of_another_account(self, desk):
        other = desk.spark.accounts.add("Other", actor="ana")
        post = desk.post()
        ours, theirs = desk.ad(post), desk.ad(post, group=desk.group(account=other))
        code = desk.code(post, account=other)
        assert self.serving(desk, ours) == []
        assert self.serving(desk, theirs) == [code.id]
        assert desk.states(ours, theirs) == ["pending", "authorized"]
        mine = desk.code(post)
        assert self.serving(desk, ours) == [mine.id]
        assert self.serving(desk, theirs) == [code.id]

    def test_a_deleted_ad_takes_no_code(self, desk):
        post = desk.post()
        ad = desk.spark.ads.delete(desk.ad(post), actor="ana")
        desk.code(post)
        assert self.serving(desk, ad) == []
