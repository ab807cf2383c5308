"""`sparkads ads`, from the first draft to the last impression."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sparkads.portfolio import listing


@pytest.fixture
def post(desk):
    return desk.post("mia")


def test_an_ad_is_authorized_at_once_when_its_code_is(sparkads, desk, post):
    desk.code(post)
    group = desk.group()
    assert sparkads("ads", "create", "Spring", "--group", group.id, "--post", post.id) == (
        'spark ad 1 "Spring" is authorized\n'
    )


def test_an_ad_without_codes_is_pending_and_says_what_it_waits_for(sparkads, desk, post):
    duet = desk.duet(post)
    desk.pending_code(post)
    group = desk.group()
    said = sparkads("ads", "create", "Duet", "--group", group.id, "--post", duet.id)
    assert said.startswith('spark ad 1 "Duet" is pending: ')
    assert "it still needs 2 authorized codes" in said
    row = sparkads.json("ads", "list")[0]
    assert row["waiting_for"] == "code 1 of @mia, which is pending and a code of @leo"


@pytest.mark.parametrize(
    ("identity", "code", "sentence"),
    [
        (
            "linked",
            1,
            'cannot create a Spark Ad with identity linked: account "Brand" has no linked Business Account',
        ),
        ("family", 2, "expected the identity to be one of linked, business_center, code, or an id; got 'family'"),
        ("99", 1, "there is no identity 99; `accounts show` lists them"),
    ],
)
def test_an_identity_must_be_there(sparkads, desk, identity, code, sentence):
    words = ("--group", desk.group().id, "--post", desk.post("mia").id, "--identity", identity)
    assert sparkads.refusal("ads", "create", "Spring", *words, code=code).startswith(sentence)


def test_an_ad_lives_through_review_pause_and_rejection(sparkads, desk, post):
    desk.code(post)
    desk.ad(post, name="Spring")
    steps = [
        (["submit"], "in review"),
        (["reject", "--reason", "too loud"], "rejected"),
        (["resubmit"], "in review"),
        (["reject", "--reason", "too loud"], "rejected"),
        (["appeal", "--reason", "it is not"], "in review"),
        (["approve"], "live"),
        (["pause"], "paused"),
        (["resume"], "live"),
        (["delete"], "deleted"),
    ]
    for (verb, *more), state in steps:
        assert sparkads("ads", verb, "1", *more).startswith(f'spark ad 1 "Spring" is {state}\n')


def test_everything_that_is_missing_for_review_is_told_at_once(sparkads, desk, post):
    desk.ad(post, group=desk.group(objective=None, budget=None), name="Spring")
    said = sparkads.refusal("ads", "submit", "1")
    assert said.startswith("cannot submit spark ad 1: ")
    for word in ("1 authorized code", "no objective", "no budget"):
        assert word in said


def test_a_list_shows_what_people_need(sparkads, desk, post):
    desk.code(post)
    desk.live(post, name="Spring", group=desk.group(ends_in=timedelta(days=5)))
    desk.ad(desk.post("leo"), name="Leo", group=desk.group(ends_in=timedelta(days=5)))
    desk.submitted(post, name="Long")
    first, spring, leo, long = sparkads.lines("ads", "list")
    assert first.split() == [
        "id",
        "name",
        "campaign",
        "/",
        "group",
        "post",
        "state",
        "covered",
        "until",
        "remarks",
    ]
    assert spring.split()[-3:] == ["2026-03-31", "12:30Z", "-"]
    assert leo.endswith("waits: a code of @leo")
    assert "pending" in leo
    assert long.endswith("uncovered")
    assert "in review" in long


def test_ads_that_outlast_their_codes_can_be_listed(sparkads, desk, post):
    desk.code(post)
    desk.live(post, name="Short", group=desk.group(ends_in=timedelta(days=5)))
    desk.live(post, name="Long")
    assert [row["name"] for row in sparkads.json("ads", "uncovered")] == ["Long"]
    assert sparkads.json("ads", "show", "2")["uncovered"] is True


def test_a_list_can_be_narrowed(sparkads, desk, post):
    desk.code(post)
    ad = desk.live(post)
    desk.ad(desk.post("leo"))

    def ids(*words):
        return [row["id"] for row in sparkads.json("ads", "list", *words)]

    group = desk.spark.ad_groups.get(ad.ad_group_id)
    assert ids("--state", "live") == [1]
    assert ids("--state", "in-review") == []
    assert ids("--creator", "leo") == [2]
    assert ids("--group", group.id) == [1]
    assert ids("--campaign", group.campaign_id) == [1]
    assert ids("--code", "1") == [1]
    assert ids("--post", post.id) == [1]
    assert ids("--account", "1") == [1, 2]


def test_one_ad_is_shown_with_its_codes(sparkads, desk, post):
    duet = desk.duet(post)
    desk.code(duet)
    desk.ad(duet, name="Duet")
    said = sparkads("ads", "show", "1")
    assert "waits for  it still needs 1 authorized code" in said
    assert "none yet for post 1 of @mia" in said
    assert "1 #kZ7…g= of @leo (authorized), until 2026-03-31 12:30Z" in said
    assert [code["code"] for code in sparkads.json("ads", "show", "1")["codes"]] == [None, 1]


def test_many_ads_are_moved_by_one_command(sparkads, desk, post):
    desk.code(post)
    for _ in range(3):
        desk.ad(post)
    desk.ad(desk.post("leo"))
    assert sparkads.lines("ads", "submit", "--all", "--state", "authorized") == ["submit: 3 spark ads"]
    assert sparkads.lines("ads", "approve", "--all") == ["approve: 3 spark ads", "  did not move 1: is pending"]
    assert sparkads.lines("ads", "pause", "--all", "--creator", "mia") == ["pause: 3 spark ads"]
    assert sparkads.lines("ads", "resume", "--all", "--creator", "mia") == ["resume: 3 spark ads"]
    assert sparkads.lines("ads", "delete", "--all", "--preview") == ["would delete 4 spark ads"]
    assert sparkads.json("ads", "delete", "--all")["moved"] == 4


def test_a_preview_tells_why_ads_are_not_ready(sparkads, desk, post):
    desk.ad(post, group=desk.group(objective=None))
    preview = sparkads.json("ads", "submit", "--all", "--preview")
    assert preview["moving"] == {}
    assert sum(preview["refused"].values()) == 1


def test_a_list_of_any_length_is_asked_for_in_portions(sparkads, desk, post, monkeypatch):
    monkeypatch.setattr(listing, "_AT_ONCE", 2)
    desk.code(post)
    group = desk.group(ends_in=timedelta(days=90))
    for _ in range(5):
        desk.ad(post, group=group)
    rows = sparkads.json("ads", "list")
    assert [(row["id"], row["uncovered"], row["campaign"]) for row in rows] == [
        (number, True, "spring 3") for number in range(1, 6)
    ]
