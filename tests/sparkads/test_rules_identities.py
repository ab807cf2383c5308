"""Identities: type 1 is the account's own linked Business Account, type 2 somebody else's."""

from __future__ import annotations

import pytest

from sparkads.errors import RuleBroken, WrongInput
from statewright.errors import GuardRefused, UnknownRow

STANDING = ["authorized", "in_review", "live", "paused", "rejected"]


def link(desk, handle="brand"):
    return desk.spark.accounts.link(desk.brand, handle, actor="ana")


def grant(desk, handle="mia"):
    return desk.spark.accounts.grant(desk.brand, handle, actor="ana")


@pytest.fixture(params=["linked", "business_center"])
def own(request, desk):
    """An account that may speak in its own name, both ways: the kind, how it is given and how it is lost."""
    accounts = desk.spark.accounts
    if request.param == "linked":
        return request.param, accounts.link, accounts.unlink
    return request.param, accounts.grant, accounts.withdraw


def test_identity_type_1_pulls_a_post_of_its_own_without_a_code(desk):
    identity = link(desk)
    ad = desk.ad(desk.post("brand"), identity="linked")
    assert (ad.state, ad.identity_id) == ("authorized", identity.id)
    assert desk.spark.ads.codes(ad) == []


def test_identity_type_1_pushes_a_video(desk):
    link(desk)
    ad = desk.live(desk.pushed("brand"), identity="linked")
    assert ad.state == "live"


@pytest.mark.parametrize("source", ["uploaded", "library", "creative_tools"])
def test_identity_type_1_pushes_a_video_from_each_source(desk, source):
    link(desk)
    assert desk.ad(desk.pushed("brand", source=source)).state == "authorized"


def test_identity_type_1_without_a_linked_account_is_refused(desk):
    assert desk.refusal(
        RuleBroken, desk.spark.ads.create, "ad", ad_group=desk.group(), post=desk.post(), identity="linked"
    ) == (
        'cannot create a Spark Ad with identity linked: account "Brand" has no linked Business Account; '
        "link one with `accounts link`"
    )


def test_identity_type_1_refuses_a_pull_of_somebody_elses_post(desk):
    link(desk)
    assert desk.refusal(
        GuardRefused,
        desk.spark.ads.create,
        "ad",
        ad_group=desk.group(),
        post=desk.post("mia"),
        identity="linked",
    ) == (
        "cannot create spark ad: the post is @mia's, and its identity would be @brand (linked); "
        "use a video code of @mia"
    )


def test_identity_type_2_refuses_an_account_that_business_center_does_not_authorize(desk):
    grant(desk, "zoe")
    group = desk.group()
    create = desk.spark.ads.create
    refusal = desk.refusal(
        GuardRefused, create, "ad", ad_group=group, post=desk.post("mia"), identity="business_center"
    )
    assert refusal == (
        "cannot create spark ad: the post is @mia's, and its identity would be @zoe (business center); "
        "use a video code of @mia"
    )
    desk.spark.accounts.withdraw(desk.brand, "zoe", actor="zoe")
    refusal = desk.refusal(
        RuleBroken, create, "ad", ad_group=group, post=desk.post("zoe"), identity="business_center"
    )
    assert refusal == (
        'cannot create a Spark Ad with identity business_center: account "Brand" has no account authorized '
        "through Business Center; add it with `accounts grant`"
    )


@pytest.mark.parametrize("kind", [None, "business_center", "code"])
def test_identity_type_2_refuses_a_push(desk, kind):
    grant(desk, "brand")
    desk.code(desk.post("brand"))
    assert desk.refusal(
        GuardRefused,
        desk.spark.ads.create,
        "ad",
        ad_group=desk.group(),
        post=desk.pushed("brand"),
        identity=kind,
    ) == (
        "cannot create spark ad: a video pushed from Ads Manager is published only under the account's own "
        "linked Business Account"
    )


def test_a_push_is_refused_under_another_linked_account_than_its_own(desk):
    link(desk, "brand")
    link(desk, "outlet")
    identities = {one.handle: one for one in desk.spark.accounts.identities(desk.brand)}
    refusal = desk.refusal(
        GuardRefused,
        desk.spark.ads.create,
        "ad",
        ad_group=desk.group(),
        post=desk.pushed("outlet"),
        identity=identities["brand"],
    )
    assert refusal == (
        "cannot create spark ad: the post is @outlet's, and its identity would be @brand (linked); link @outlet"
    )
    assert desk.ad(desk.pushed("outlet")).identity_id == identities["outlet"].id


def test_identities_of_creators_who_sent_codes_do_not_stand_in_for_each_other(desk):
    desk.code(desk.post("leo"))
    (leo,) = desk.spark.accounts.identities(desk.brand)
    refusal = desk.refusal(
        GuardRefused,
        desk.spark.ads.create,
        "ad",
        ad_group=desk.group(),
        post=desk.post("mia"),
        identity=leo,
    )
    assert refusal == (
        "cannot create spark ad: the post is @mia's, and its identity would be @leo (code); "
        "use a video code of @mia"
    )


def test_identities_of_another_ad_account_are_refused(desk):
    other = desk.spark.accounts.add("Other", actor="ana")
    identity = desk.spark.accounts.link(other, "brand", actor="ana")
    refusal = desk.refusal(
        GuardRefused,
        desk.spark.ads.create,
        "ad",
        ad_group=desk.group(),
        post=desk.post("brand"),
        identity=identity,
    )
    assert refusal == "cannot create spark ad: its identity @brand belongs to another ad account"


def test_identities_are_judged_by_the_post_of_the_ad_itself_whatever_other_ads_there_are(desk):
    for handle in ("brand", "outlet"):
        link(desk, handle)
    first, second = desk.live(desk.post("brand")), desk.live(desk.post("outlet"))
    assert desk.states(first, second) == ["live", "live"]


def test_ads_of_an_own_account_are_authorized_as_soon_as_it_is_usable(desk, own):
    _, give, _ = own
    post = desk.post("brand")
    ad = desk.ad(post)
    assert ad.state == "pending"
    assert desk.why(ad).startswith(
        "it has no identity: no code of @brand's post was received, and no account of theirs is linked; "
    )
    give(desk.brand, "@Brand", actor="ana")
    assert desk.state(ad) == "authorized"
    assert desk.spark.ads.codes(ad) == []


@pytest.mark.parametrize("state", STANDING)
def test_ads_of_an_own_account_lose_it_as_ads_lose_a_code(desk, own, state):
    kind, give, take = own
    give(desk.brand, "brand", actor="ana")
    ad = desk.ad_in(state, desk.post("brand"))
    identity = take(desk.brand, "brand", actor="leo", reason="left the agency")
    assert identity.state == "withdrawn"
    assert desk.state(ad) == "expired"
    assert desk.why(ad) == (
        f"its identity @brand ({kind.replace('_', ' ')}) is not usable; link it or have it authorized again"
    )
    cause = desk.spark.accounts.history(desk.brand)[-1]
    assert (cause.event, cause.reason, cause.actor) == ("withdraw", "left the agency", "leo")
    assert (desk.last(ad).event, desk.last(ad).cause) == ("lose_authorization", cause.id)


def test_ads_of_an_own_account_come_back_with_it(desk, own):
    _, give, take = own
    give(desk.brand, "brand", actor="ana")
    ad, deleted = desk.live(desk.post("brand")), desk.ad_in("deleted", desk.post("brand"))
    take(desk.brand, "brand", actor="ana")
    give(desk.brand, "brand", actor="ana")
    assert desk.states(ad, deleted) == ["authorized", "deleted"]


def test_ads_of_one_account_do_not_stop_with_the_link_of_another(desk, own):
    _, give, take = own
    other = desk.spark.accounts.add("Other", actor="ana")
    post = desk.post("brand")
    for account in (desk.brand, other):
        give(account, "brand", actor="ana")
    ours, theirs = desk.live(post), desk.live(post, group=desk.group(account=other))
    take(desk.brand, "brand", actor="ana")
    assert desk.states(ours, theirs) == ["expired", "live"]


def test_ads_that_run_on_codes_are_not_touched_when_a_link_of_the_same_handle_goes(desk, own):
    _, give, take = own
    post = desk.post("brand")
    desk.code(post)
    ad = desk.live(post)
    give(desk.brand, "brand", actor="ana")
    take(desk.brand, "brand", actor="ana")
    assert desk.state(ad) == "live"


def test_a_duet_under_an_own_account_needs_the_code_of_the_original_alone(desk, own):
    _, give, take = own
    give(desk.brand, "brand", actor="ana")
    original = desk.post("mia")
    duet = desk.duet(original, "brand")
    ad = desk.ad(duet)
    assert desk.why(ad) == (
        f'it still needs 1 authorized code: {original.id} "the original post {original.item_id} by @mia" '
        "(no code yet)"
    )
    code = desk.code(original, days=7)
    assert desk.state(ad) == "authorized"
    take(desk.brand, "brand", actor="ana")
    assert desk.state(ad) == "expired"
    desk.pass_time(days=7)
    assert desk.why(ad).count(";") == 2
    give(desk.brand, "brand", actor="ana")
    assert desk.state(ad) == "expired"
    desk.spark.codes.extend(code, days=7, actor="mia")
    assert desk.state(ad) == "authorized"


def test_a_duet_that_waited_for_two_codes_needs_one_once_its_creator_is_linked(desk):
    original = desk.post("mia")
    duet = desk.duet(original, "brand")
    ad = desk.ad(duet)
    assert "2 authorized codes" in desk.why(ad)
    link(desk)
    assert "1 authorized code: " in desk.why(ad)
    desk.code(original)
    assert desk.state(ad) == "authorized"


def test_the_identity_is_chosen_from_the_best_there_is_unless_one_is_named(desk):
    post = desk.post("brand")
    desk.code(post)
    (by_code,) = desk.spark.accounts.identities(desk.brand)
    assert desk.ad(post).identity_id == by_code.id
    through_center = grant(desk, "brand")
    assert desk.ad(post).identity_id == through_center.id
    linked = link(desk)
    assert desk.ad(post).identity_id == linked.id
    for named in (by_code, by_code.id, "code"):
        assert desk.ad(post, identity=named).identity_id == by_code.id
    desk.spark.accounts.unlink(desk.brand, "brand", actor="ana")
    assert desk.ad(post).identity_id == through_center.id


def test_an_ad_may_be_made_under_an_account_that_is_withdrawn_and_waits_for_it(desk):
    identity = link(desk)
    desk.spark.accounts.unlink(desk.brand, "brand", actor="ana")
    ad = desk.ad(desk.post("brand"), identity=identity)
    assert ad.state == "pending"
    assert desk.why(ad).startswith("its identity @brand (linked) is not usable; ")
    link(desk)
    assert desk.state(ad) == "authorized"


@pytest.mark.parametrize("handle", ["", "@", "two words", "mia!", "m" * 65, "'; DROP TABLE spark_ad; --"])
def test_a_handle_is_checked(desk, handle):
    refusal = desk.refusal(WrongInput, desk.spark.accounts.link, desk.brand, handle)
    assert refusal == f"expected a TikTok handle like @mia, got {handle!r}"


def test_what_is_linked_already_or_not_at_all_is_said(desk, own):
    kind, give, take = own
    verb = "linked" if kind == "linked" else "authorized through Business Center"
    assert desk.refusal(RuleBroken, take, desk.brand, "brand") == f'@brand is not {verb} with account "Brand"'
    give(desk.brand, "brand", actor="ana")
    assert desk.refusal(RuleBroken, give, desk.brand, "BRAND") == f'@brand is {verb} with account "Brand" already'
    take(desk.brand, "brand", actor="ana")
    assert desk.refusal(RuleBroken, take, desk.brand, "brand") == f'@brand is not {verb} with account "Brand"'


def test_identities_that_are_not_there_are_said_not_to_be(desk):
    create, facts = desk.spark.ads.create, {"ad_group": desk.group(), "post": desk.post()}
    assert desk.refusal(UnknownRow, create, "ad", identity=404, **facts) == (
        "there is no identity 404; `accounts show` lists them"
    )
    assert desk.refusal(WrongInput, create, "ad", identity="mine", **facts) == (
        "expected the identity to be one of linked, business_center, code, or an id; got 'mine'"
    )


def test_history_of_an_account_tells_of_its_identities_too(desk):
    link(desk)
    desk.spark.accounts.unlink(desk.brand, "brand", actor="leo")
    history = [(entry.workflow, entry.event, entry.actor) for entry in desk.spark.accounts.history(desk.brand)]
    assert history == [
        ("ad_account", "start", "ana"),
        ("identity", "start", "ana"),
        ("identity", "grant", "ana"),
        ("identity", "withdraw", "leo"),
    ]
