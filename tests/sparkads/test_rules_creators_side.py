"""The creator's side: three switches before a code can be issued; the last one off takes the codes back."""

from __future__ import annotations

import pytest

from statewright.errors import GuardRefused

SWITCHES = {
    "allow_posts": "@mia does not allow authorized posts; "
    "ask them to switch that on in TikTok under Settings and privacy, Privacy",
    "accept_terms": "@mia has not agreed to the advertising content terms",
    "disable_ads": "ad authorization is switched off for the post; ask @mia to switch it on in its ad settings",
}


def switch(desk, post, name, *, on):
    posts = desk.spark.posts
    if name == "disable_ads":
        return (posts.enable_ads if on else posts.disable_ads)(post, actor="mia")
    return getattr(posts, name)(post, on=on, actor="mia")


def receive(desk, post):
    return desk.refusal(
        GuardRefused, desk.spark.codes.receive, desk.secret(), post=post, days=30, issued_at=desk.now
    )


@pytest.mark.parametrize("name", SWITCHES)
def test_creators_side_must_be_ready_before_a_code_can_be_issued(desk, name):
    post = desk.post("mia")
    switch(desk, post, name, on=False)
    assert receive(desk, post) == f"cannot receive video code: {SWITCHES[name]}"
    switch(desk, post, name, on=True)
    assert desk.pending_code(post).state == "pending"


def test_creators_side_is_told_of_everything_that_is_missing_at_once(desk):
    post = desk.post("mia")
    for name in SWITCHES:
        switch(desk, post, name, on=False)
    assert receive(desk, post) == f"cannot receive video code: {'; '.join(SWITCHES.values())}"


def test_creators_side_is_ready_unless_it_is_said_not_to_be(desk):
    post = desk.post()
    assert (post.posts_allowed, post.terms_accepted, post.ads_enabled) == (True, True, True)


def test_creators_side_switched_off_revokes_the_posts_codes_and_stops_their_ads(desk):
    post = desk.post("mia")
    other = desk.spark.accounts.add("Other", actor="ana")
    pending, live, idle = desk.pending_code(post), desk.code(post), desk.code(post, account=other)
    ad = desk.live(post)
    switched = desk.spark.posts.disable_ads(post, actor="mia", reason="no more ads")
    assert switched.ads_enabled is False
    assert desk.states(pending, live, idle, ad) == ["revoked", "revoked", "revoked", "expired"]
    assert desk.last(live).cause == desk.last(post).id
    assert desk.last(post).reason == "no more ads"
    assert desk.last(ad).batch == desk.last(post).batch


def test_creators_side_switched_off_touches_no_other_post(desk):
    original = desk.post("mia")
    duet = desk.duet(original, "leo")
    first, second = desk.code(original), desk.code(duet)
    ad = desk.live(duet)
    desk.spark.posts.disable_ads(original, actor="mia")
    assert desk.states(first, second, ad) == ["revoked", "authorized", "expired"]


def test_creators_side_switched_on_again_does_not_bring_codes_back(desk):
    post = desk.post("mia")
    code = desk.code(post)
    ad = desk.live(post)
    desk.spark.posts.disable_ads(post, actor="mia")
    desk.spark.posts.enable_ads(post, actor="mia")
    assert desk.states(code, ad) == ["revoked", "expired"]
    new = desk.code(post)
    assert desk.states(new, ad) == ["authorized", "authorized"]


@pytest.mark.parametrize("name", ["allow_posts", "accept_terms"])
def test_creators_side_may_change_its_mind_on_new_codes_without_losing_the_old(desk, name):
    post = desk.post("mia")
    code = desk.code(post)
    ad = desk.live(post)
    switch(desk, post, name, on=False)
    assert desk.states(code, ad) == ["live", "live"]
