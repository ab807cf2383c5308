"""Caption: final once the post has been authorized as an ad."""

from __future__ import annotations

import pytest

from sparkads.errors import WrongInput
from statewright.errors import Blocker, GuardRefused


def edit(desk, post, caption="new words"):
    return desk.spark.posts.edit_caption(post, caption, actor="mia")


def test_caption_may_change_until_a_code_is_accepted(desk):
    post = desk.post(caption="words")
    desk.pending_code(post)
    assert edit(desk, post, "better\nwords").caption == "better\nwords"
    assert desk.last(post).payload == {"caption": "better\nwords"}


def test_caption_is_final_once_the_post_is_authorized_and_the_refusal_names_the_code(desk):
    post = desk.post(caption="words")
    code = desk.code(post, code="#kZ7+q0/aBcDeFg=")
    with pytest.raises(GuardRefused) as refused:
        edit(desk, post)
    assert str(refused.value).endswith(
        "its caption is final since the post was authorized as an ad by "
        f'1 video code: {code.id} "#kZ7…g=" (authorized)'
    )
    assert refused.value.blockers == (Blocker("video code", code.id, "#kZ7…g=", "authorized"),)
    assert desk.spark.posts.get(post).caption == "words"


@pytest.mark.parametrize("ending", ["expired", "revoked", "deleted"])
def test_caption_stays_final_when_the_code_is_over(desk, ending):
    post = desk.post()
    code = desk.code(post, days=7)
    match ending:
        case "expired":
            desk.pass_time(days=7)
        case "revoked":
            desk.spark.codes.revoke(code, actor="mia")
        case "deleted":
            desk.spark.codes.delete(code, actor="ana")
    refusal = desk.refusal(GuardRefused, desk.spark.posts.edit_caption, post, "new words")
    assert refusal.endswith(f"({ending})")


def test_caption_stays_open_when_no_code_was_ever_accepted(desk):
    post = desk.post()
    code = desk.pending_code(post)
    desk.spark.codes.reject(code, reason="wrong post", actor="tiktok")
    desk.pending_code(post, days=7)
    desk.pass_time(days=7)
    assert edit(desk, post).caption == "new words"


@pytest.mark.parametrize("state", ["authorized", "in_review", "live", "paused", "rejected", "expired"])
def test_caption_is_final_while_an_ad_of_a_linked_account_uses_the_post(desk, state):
    desk.spark.accounts.link(desk.brand, "brand", actor="ana")
    post = desk.post("brand")
    ad = desk.ad_in(state, post, name="Own")
    refusal = desk.refusal(GuardRefused, desk.spark.posts.edit_caption, post, "new words")
    assert refusal.endswith(
        f'its caption is final since it is used as an ad by 1 ad: {ad.id} "Own" ({state.replace("_", " ")})'
    )


def test_caption_of_an_original_is_final_by_its_own_code_alone(desk):
    original = desk.post("mia")
    duet = desk.duet(original)
    desk.code(duet)
    desk.ad(duet)
    assert edit(desk, original).caption == "new words"
    desk.code(original)
    with pytest.raises(GuardRefused, match="its caption is final"):
        edit(desk, original)


def test_caption_of_a_pushed_video_may_change_while_it_is_a_draft_without_ads(desk):
    desk.spark.accounts.link(desk.brand, "brand", actor="ana")
    pushed = desk.pushed("brand", caption="words")
    assert edit(desk, pushed).caption == "new words"
    desk.ad(pushed)
    with pytest.raises(GuardRefused, match="its caption is final"):
        edit(desk, pushed)


@pytest.mark.parametrize(
    ("caption", "problem"),
    [
        ("x" * 10_001, "at most 10,000 characters, got 10,001"),
        ("half a \udc80 letter", "text, got characters that no database keeps"),
        ("nothing\0more", "text, got characters that no database keeps"),
    ],
)
def test_caption_is_text_that_can_be_kept(desk, caption, problem):
    posts = desk.spark.posts
    for call, what in (
        (posts.edit_caption, {"post": desk.post(), "caption": caption}),
        (posts.add, {"item": "7" * 19, "creator": "mia", "caption": caption}),
        (posts.push, {"creator": "brand", "caption": caption}),
    ):
        assert desk.refusal(WrongInput, call, **what) == f"expected a caption to be {problem}"
