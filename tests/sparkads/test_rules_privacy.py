"""Privacy: a private video becomes public when it is used, and stays as it is while it is promoted."""

from __future__ import annotations

import pytest

from statewright.errors import GuardRefused

HIDING = pytest.mark.parametrize("verb", ["make_private", "show_to_friends"])


@pytest.mark.parametrize("visibility", ["private", "friends"])
def test_privacy_ends_when_a_video_is_used_in_a_campaign(desk, visibility):
    post = desk.post(visibility=visibility)
    desk.code(post)
    ad = desk.ad(post)
    assert desk.state(post) == visibility
    desk.spark.ads.submit(ad, actor="ana")
    assert desk.state(post) == "public"
    assert (desk.last(post).event, desk.last(post).cause) == ("promote", desk.last(ad).id)


def test_privacy_ends_for_a_video_of_a_linked_account_too(desk):
    desk.spark.accounts.link(desk.brand, "brand", actor="ana")
    post = desk.post("brand", visibility="private")
    desk.submitted(post)
    assert desk.state(post) == "public"


@HIDING
@pytest.mark.parametrize("state", ["in_review", "live", "paused"])
def test_privacy_cannot_change_while_the_video_is_promoted(desk, state, verb):
    post = desk.post()
    desk.code(post)
    ad = desk.ad_in(state, post, name="Spring")
    refusal = desk.refusal(GuardRefused, getattr(desk.spark.posts, verb), post)
    assert refusal.endswith(
        f'its privacy cannot change while it is promoted by 1 ad: {ad.id} "Spring" ({state.replace("_", " ")})'
    )


@HIDING
@pytest.mark.parametrize("state", ["authorized", "rejected", "expired", "deleted"])
def test_privacy_may_change_while_the_video_is_not_promoted(desk, state, verb):
    post = desk.post()
    desk.code(post)
    desk.ad_in(state, post)
    hidden = getattr(desk.spark.posts, verb)(post, actor="mia")
    assert hidden.state == ("private" if verb == "make_private" else "friends")


def test_privacy_of_a_pushed_video_cannot_be_widened_to_friends_while_it_is_promoted(desk):
    desk.spark.accounts.link(desk.brand, "brand", actor="ana")
    pushed = desk.pushed("brand")
    desk.live(pushed)
    refusal = desk.refusal(GuardRefused, desk.spark.posts.show_to_friends, pushed)
    assert "its privacy cannot change while it is promoted" in refusal


def test_privacy_ends_again_when_a_hidden_video_is_promoted_again(desk):
    post = desk.post()
    desk.code(post)
    ad = desk.ad_in("rejected", post)
    desk.spark.posts.make_private(post, actor="mia")
    desk.spark.ads.appeal(ad, actor="ana")
    assert desk.state(post) == "public"


@pytest.mark.parametrize("on", [True, False])
@pytest.mark.parametrize("state", ["authorized", "in_review", "live", "paused", "rejected", "expired"])
def test_privacy_by_ads_only_mode_can_be_switched_at_any_time(desk, state, on):
    post = desk.post()
    desk.code(post)
    desk.ad_in(state, post)
    desk.spark.posts.set_ads_only(post, on=not on, actor="mia")
    switched = desk.spark.posts.set_ads_only(post, on=on, actor="mia")
    assert (switched.ads_only, switched.state) == (on, "public")


def test_privacy_by_ads_only_mode_can_be_switched_for_a_draft(desk):
    assert desk.spark.posts.set_ads_only(desk.pushed(), on=True, actor="brand").ads_only is True
