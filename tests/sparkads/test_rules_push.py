"""Push: a video from Ads Manager is published under the linked account, in private, once review passes."""

from __future__ import annotations

import pytest

from sparkads.errors import RuleBroken, WrongInput
from statewright.errors import EventNotPossible, GuardRefused


@pytest.fixture
def pushed(desk):
    desk.spark.accounts.link(desk.brand, "brand", actor="ana")
    return desk.pushed("brand")


def test_push_publishes_in_private_once_review_passes(desk, pushed):
    assert pushed.state == "draft"
    ad = desk.submitted(pushed)
    assert desk.state(pushed) == "draft"
    desk.spark.ads.approve(ad, actor="tiktok")
    assert desk.states(ad, pushed) == ["live", "private"]
    assert (desk.last(pushed).event, desk.last(pushed).cause) == ("publish", desk.last(ad).id)


def test_push_publishes_nothing_when_review_fails(desk, pushed):
    desk.ad_in("rejected", pushed)
    assert desk.state(pushed) == "draft"


def test_push_publishes_once_though_several_ads_use_the_video(desk, pushed):
    desk.live(pushed)
    desk.spark.posts.make_public(pushed, actor="brand")
    desk.live(pushed)
    paused = desk.ad_in("paused", pushed)
    desk.spark.ads.resume(paused, actor="ana")
    assert desk.state(pushed) == "public"
    assert [entry.event for entry in desk.spark.posts.history(pushed)].count("publish") == 1


def test_push_is_made_public_by_its_owner_later_also_while_it_is_promoted(desk, pushed):
    ad = desk.live(pushed)
    assert desk.spark.posts.make_public(pushed, actor="brand").state == "public"
    assert desk.state(ad) == "live"


def test_push_is_not_made_public_by_another_submission(desk, pushed):
    desk.live(pushed)
    desk.submitted(pushed)
    assert desk.state(pushed) == "private"


def test_push_cannot_be_made_public_before_it_is_published(desk, pushed):
    refusal = desk.refusal(EventNotPossible, desk.spark.posts.make_public, pushed)
    assert "it is draft; possible now: " in refusal


def test_push_that_only_shows_as_an_ad_stays_off_the_page(desk):
    desk.spark.accounts.link(desk.brand, "brand", actor="ana")
    pushed = desk.pushed("brand", ads_only=True)
    desk.live(pushed)
    published = desk.spark.posts.get(pushed)
    assert (published.state, published.ads_only) == ("private", True)
    desk.spark.posts.make_public(pushed, actor="brand")
    assert desk.spark.posts.get(pushed).ads_only is True


def test_push_needs_no_code_and_takes_none(desk, pushed):
    refusal = desk.refusal(
        RuleBroken, desk.spark.codes.receive, desk.secret(), post=pushed, days=30, issued_at=desk.now
    )
    assert refusal == (
        f"cannot receive a code for post {pushed.id}: it was pushed from Ads Manager and needs none"
    )


def test_push_needs_the_linked_account_and_stops_with_it(desk, pushed):
    ad = desk.live(pushed)
    desk.spark.accounts.unlink(desk.brand, "brand", actor="ana")
    assert desk.state(ad) == "expired"
    refusal = desk.refusal(GuardRefused, desk.spark.ads.create, "ad", ad_group=desk.group(), post=pushed)
    assert refusal == (
        "cannot create spark ad: a video pushed from Ads Manager is published only under the account's own "
        "linked Business Account"
    )


@pytest.mark.parametrize("source", ["", "tiktok", "camera"])
def test_push_comes_from_one_of_three_sources(desk, source):
    refusal = desk.refusal(WrongInput, desk.spark.posts.push, "brand", source=source)
    assert refusal == f"expected the video to be one of uploaded, library, creative_tools; got {source!r}"
