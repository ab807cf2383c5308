"""`sparkads posts`, `accounts`, `campaigns` and `groups`: what codes and ads hang on."""

from __future__ import annotations

import pytest

URL = "https://www.tiktok.com/@mia/video/7301234567890123456"


def test_a_post_is_entered_by_its_url(sparkads, desk):
    assert sparkads("posts", "add", URL, "--caption", "hello") == "post 1 of @mia is public\n"
    post = desk.spark.posts.get(1)
    assert (post.item_id, post.creator, post.caption) == ("7301234567890123456", "mia", "hello")


def test_a_duet_is_entered_with_its_original(sparkads, desk):
    sparkads("posts", "add", URL)
    sparkads("posts", "add", "7301234567890123457", "--creator", "@leo", "--kind", "duet", "--original", URL)
    assert sparkads.lines("posts", "list") == [
        "id  tiktok id            creator  kind       seen by  not ready",
        " 1  7301234567890123456  @mia     original   public   -",
        " 2  7301234567890123457  @leo     duet of 1  public   -",
    ]


def test_a_pushed_video_is_a_draft(sparkads):
    said = sparkads("posts", "push", "@brand", "--source", "library", "--caption", "new", "--ads-only")
    assert said == "post 1 of @brand is draft\n"
    shown = sparkads.json("posts", "show", "1")
    assert (shown["origin"], shown["ads_only"], shown["item_id"]) == ("library", True, None)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["make-private"], "post 1 of @mia is private"),
        (["show-to-friends"], "post 1 of @mia is friends"),
        (["edit-caption", "another"], "post 1 of @mia: edit caption another"),
        (["set-ads-only", "on"], "post 1 of @mia: set ads only on"),
        (["allow-posts", "off"], "post 1 of @mia: allow posts off"),
        (["accept-terms", "OFF"], "post 1 of @mia: accept terms off"),
        (["disable-ads"], "post 1 of @mia: disable ads"),
        (["enable-ads"], "post 1 of @mia: enable ads"),
    ],
)
def test_a_post_is_changed(sparkads, desk, words, sentence):
    desk.post("mia")
    verb, *more = words
    assert sparkads("posts", verb, "1", *more) == f"{sentence}\n"


def test_a_private_post_is_made_public(sparkads, desk):
    desk.post("mia", visibility="private")
    assert sparkads("posts", "make-public", "1") == "post 1 of @mia is public\n"


def test_a_switch_is_on_or_off(sparkads, desk):
    desk.post("mia")
    assert sparkads.refusal("posts", "allow-posts", "1", "maybe", code=2) == "expected on or off, got 'maybe'"


def test_what_a_creator_has_not_switched_on_is_listed(sparkads, desk):
    desk.post("mia")
    sparkads("posts", "allow-posts", "1", "off")
    sparkads("posts", "disable-ads", "1")
    assert sparkads.lines("posts", "list")[1].endswith("authorized posts off, ad authorization off")


def test_the_caption_of_an_authorized_post_is_final(sparkads, desk):
    desk.code(desk.post("mia"))
    said = sparkads.refusal("posts", "edit-caption", "1", "another")
    assert said.startswith("cannot edit caption post 1: its caption is final")
    assert '1 "#kZ7…g=" (authorized)' in said


def test_switching_ads_off_revokes_the_codes_and_stops_the_ads(sparkads, desk):
    post = desk.post("mia")
    desk.code(post)
    desk.live(post, name="Spring")
    assert sparkads.lines("posts", "disable-ads", "1", "--reason", "tired") == [
        "post 1 of @mia: disable ads",
        '  with it, video code 1 "#kZ7…g=": live -> revoked',
        '  with it, spark ad 1 "Spring": live -> expired',
    ]
    assert sparkads.lines("codes", "history", "1")[-1].endswith("because post 1 had ad authorization switched off")


def test_one_post_is_shown_with_its_codes_and_ads(sparkads, desk):
    post = desk.post("mia")
    desk.code(post)
    desk.ad(post, name="Spring")
    said = sparkads("posts", "show", post.item_id)
    assert "codes             1 #kZ7…g= (authorized)" in said
    assert "ads               1 Spring (authorized)" in said
    assert [code["id"] for code in sparkads.json("posts", "show", "1")["codes"]] == [1]


def test_posts_are_listed_by_kind(sparkads, desk):
    post = desk.post("mia")
    desk.duet(post)
    assert [row["id"] for row in sparkads.json("posts", "list", "--kind", "duet")] == [2]
    assert [row["id"] for row in sparkads.json("posts", "list", "--creator", "mia")] == [1]


def test_the_first_account_makes_the_database(terminal, tmp_path):
    assert terminal("accounts", "add", "Brand") == 'ad account 1 "Brand" is open\n'
    assert (tmp_path / "sparkads.db").exists()
    assert terminal.lines("accounts", "list")[1].split() == ["1", "Brand", "open"]


def test_an_account_is_renamed_and_closed(sparkads):
    assert (
        sparkads("accounts", "rename", "Brand", "Brand Europe")
        == 'ad account 1 "Brand Europe": rename Brand Europe\n'
    )
    assert sparkads("accounts", "close", "Brand Europe") == 'ad account 1 "Brand Europe" is closed\n'
    assert [row["id"] for row in sparkads.json("accounts", "list", "--state", "closed")] == [1]


def test_identities_are_linked_and_granted_and_lost(sparkads, desk):
    assert sparkads("accounts", "link", "Brand", "@brand") == "identity 1 of @brand is usable\n"
    assert sparkads("accounts", "grant", "1", "partner") == "identity 2 of @partner is usable\n"
    assert sparkads("accounts", "show", "Brand").splitlines()[2:] == [
        "identities  1 @brand, linked (usable)",
        "            2 @partner, business center (usable)",
    ]
    assert "is withdrawn" in sparkads("accounts", "unlink", "Brand", "@brand", "--reason", "moved")
    assert "is withdrawn" in sparkads("accounts", "withdraw", "Brand", "@partner")
    assert [each["state"] for each in sparkads.json("accounts", "show", "1")["identities"]] == ["withdrawn"] * 2
    last = sparkads.lines("accounts", "history", "Brand")[-1].split("  ")
    assert [word.strip() for word in last if word.strip()][1:4] == ["identity 2", "withdraw", "withdrawn"]


def test_ads_of_a_linked_account_stop_when_it_is_unlinked(sparkads, desk):
    sparkads("accounts", "link", "Brand", "@mia")
    desk.live(desk.post("mia"), name="Own")
    assert sparkads.lines("accounts", "unlink", "Brand", "@mia") == [
        "identity 1 of @mia is withdrawn",
        '  with it, spark ad 1 "Own": live -> expired',
    ]


def test_a_campaign_is_made_and_completed(sparkads):
    assert sparkads("campaigns", "create", "Spring", "--budget", "200") == 'campaign 1 "Spring" is open\n'
    assert sparkads("campaigns", "set-objective", "1", "reach") == 'campaign 1 "Spring": set objective reach\n'
    assert sparkads("campaigns", "set-budget", "1", "500") == 'campaign 1 "Spring": set budget 500\n'
    assert sparkads.lines("campaigns", "list", "--account", "Brand")[1].split() == [
        *("1", "Spring", "1", "reach", "500", "open"),
    ]


def test_a_campaign_with_ads_is_kept(sparkads, desk):
    desk.ad(desk.post("mia"), name="Spring")
    for noun, row in (("campaigns", "campaign"), ("groups", "ad group")):
        assert sparkads.refusal(noun, "delete", "1") == (
            f'cannot delete {row} 1: it still has 1 ad: 1 "Spring" (pending); delete those first'
        )
    sparkads("ads", "delete", "1")
    assert "is deleted" in sparkads("groups", "delete", "1")
    assert "is deleted" in sparkads("campaigns", "delete", "1")


def test_a_group_is_made_and_scheduled(sparkads, desk):
    sparkads("campaigns", "create", "Spring", "--account", "Brand", "--objective", "reach")
    words = ("--location", "DE", "--budget", "50", "--starts", "now", "--ends", "now+30d")
    assert sparkads("groups", "create", "1", "Germany", *words) == 'ad group 1 "Germany" is open\n'
    assert sparkads("groups", "set-budget", "1", "80") == 'ad group 1 "Germany": set budget 80\n'
    assert sparkads("groups", "set-location", "1", "AT") == 'ad group 1 "Germany": set location AT\n'
    assert sparkads("groups", "reschedule", "1", "--starts", "now", "--ends", "2026-04-01T00:00Z") == (
        'ad group 1 "Germany": reschedule starts at 2026-03-01 12:30Z, ends at 2026-04-01 00:00Z\n'
    )
    assert sparkads("groups", "reschedule", "1", "--starts", "now-1d") == (
        'ad group 1 "Germany": run on 2026-02-28 12:30Z\n'
    )
    assert "ends          runs on" in sparkads("groups", "show", "1")
    assert sparkads.json("groups", "list", "--campaign", "1")[0]["budget"] == 80
    assert "ad groups     1 Germany (open)" in sparkads("campaigns", "show", "1")


def test_a_schedule_ends_after_it_starts(sparkads):
    sparkads("campaigns", "create", "Spring")
    said = sparkads.refusal("groups", "create", "1", "G", "--starts", "now", "--ends", "now-1d", code=2)
    assert said.startswith("expected the schedule to end after it starts")


@pytest.mark.parametrize("noun", ["posts", "accounts", "campaigns", "groups", "codes", "ads"])
def test_every_noun_tells_what_can_be_done_and_what_was(sparkads, desk, noun):
    post = desk.post("mia")
    desk.code(post)
    desk.live(post)
    assert sparkads.lines(noun, "can", "1")[0].split()[:2] == ["event", "now"]
    assert sparkads.lines(noun, "history", "1")[0].split()[0] == "when"
    assert sparkads.json(noun, "can", "1")[0].keys() >= {"event", "possible", "because"}
    assert sparkads.json(noun, "history", "1")[0]["event"] == "start"
    assert sparkads.json(noun, "show", "1")["id"] == 1
    assert sparkads.json(noun, "list")[0]["id"] == 1
