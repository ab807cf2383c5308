"""Cap: at most 10,000 Spark Ads that are not deleted, per account and per identity."""

from __future__ import annotations

import pytest

from sparkads.errors import RuleBroken


def refusal(desk, post, **facts):
    facts = {"ad_group": desk.group(), **facts}
    return desk.refusal(RuleBroken, desk.spark.ads.create, "one too many", post=post, **facts)


def test_cap_of_an_account_is_exact(open_desk):
    desk = open_desk(ads_per_account=3)
    for _ in range(3):
        desk.ad(desk.post())
    assert refusal(desk, desk.post()) == (
        'cannot create a Spark Ad: account "Brand" has 3 that are not deleted, the most that TikTok takes; '
        "delete some first"
    )


def test_cap_of_an_identity_is_exact(open_desk):
    desk = open_desk(ads_per_identity=2)
    mine, theirs = desk.post("mia"), desk.post("leo")
    desk.code(mine)
    desk.code(theirs)
    for _ in range(2):
        desk.ad(mine)
    assert refusal(desk, mine) == (
        "cannot create a Spark Ad: identity @mia has 2 that are not deleted, the most that TikTok takes; "
        "delete some first"
    )
    assert desk.ad(theirs).state == "authorized"


def test_cap_is_10_000_unless_set(desk):
    post = desk.post()
    desk.code(post)
    ad = desk.ad(post)
    columns = "account_id, ad_group_id, post_id, identity_id, state"
    desk.sql(
        f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9998) "
        f"INSERT INTO spark_ad ({columns}, name) SELECT {columns}, 'copy ' || i FROM spark_ad, n WHERE id = ?",
        ad.id,
    )
    desk.ad(post)
    assert 'account "Brand" has 10,000 that are not deleted' in refusal(desk, post)


@pytest.mark.parametrize("cap", ["ads_per_account", "ads_per_identity"])
@pytest.mark.parametrize("state", ["authorized", "live", "paused", "rejected", "expired"])
def test_cap_counts_ads_in_every_state_but_deleted(open_desk, cap, state):
    desk = open_desk(**{cap: 1})
    post = desk.post()
    desk.code(post)
    ad = desk.ad_in(state, post)
    assert "has 1 that are not deleted" in refusal(desk, post)
    desk.spark.ads.delete(ad, actor="ana")
    assert desk.ad(post).state == "authorized"


def test_cap_counts_pending_ads_too(open_desk):
    desk = open_desk(ads_per_account=1)
    desk.ad(desk.post())
    assert "has 1 that are not deleted" in refusal(desk, desk.post())


def test_cap_is_for_each_account_apart(open_desk):
    desk = open_desk(ads_per_account=1)
    other = desk.spark.accounts.add("Other", actor="ana")
    post = desk.post()
    desk.ad(post)
    assert desk.ad(post, group=desk.group(account=other)).state == "pending"
    assert 'account "Other"' in refusal(desk, post, ad_group=desk.group(account=other))


def test_cap_is_never_exceeded_by_restoring(open_desk):
    desk = open_desk(ads_per_account=2, ads_per_identity=2)
    post = desk.post("mia")
    code = desk.code(post, days=7)
    expired = desk.live(post), desk.live(post)
    desk.pass_time(days=7)
    assert "has 2 that are not deleted" in refusal(desk, post)
    desk.spark.codes.extend(code, days=7, actor="mia")
    assert desk.states(*expired) == ["authorized", "authorized"]
    assert len(desk.spark.ads.list(state=["authorized"])) == 2


@pytest.mark.parametrize("cap", ["ads_per_account", "ads_per_identity"])
def test_cap_is_never_exceeded_by_force(open_desk, cap):
    desk = open_desk(**{cap: 1})
    post = desk.post("mia")
    desk.code(post)
    deleted = desk.ad_in("deleted", post)
    live = desk.live(post)
    name = 'account "Brand"' if cap == "ads_per_account" else "identity @mia"
    assert desk.refusal(RuleBroken, desk.spark.ads.force, deleted, "live", reason="by mistake") == (
        f"cannot force spark ad {deleted.id}: {name} has 1 that are not deleted, the most that TikTok takes; "
        "delete some first"
    )
    desk.spark.ads.force(live, "paused", actor="ana", reason="as TikTok shows it")
    desk.spark.ads.delete(live, actor="ana")
    assert desk.spark.ads.force(deleted, "live", actor="ana", reason="by mistake").state == "live"


def test_cap_of_an_identity_is_not_exceeded_by_the_ads_that_waited_for_it(open_desk):
    desk = open_desk(ads_per_identity=2)
    post = desk.post("mia")
    waiting = [desk.ad(post) for _ in range(3)]
    desk.code(post)
    assert desk.states(*waiting) == ["authorized", "authorized", "pending"]
    assert "it has no identity" in desk.why(waiting[2])
