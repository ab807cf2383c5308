"""`sparkads codes`, as somebody with three hundred of them uses it."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

SECRET = "#kZ7+q81/aBcDeFgHiJk="


@pytest.fixture
def post(desk):
    return desk.post("mia")


def receive(sparkads, post, code=SECRET, *words):
    return sparkads("codes", "receive", code, "--post", post.id, "--days", "30", *words)


def test_a_code_is_received_and_shown_masked(sparkads, desk, post):
    assert receive(sparkads, post) == (
        'video code 1 "#kZ7…k=" is pending; it ends 2026-03-31 12:30Z (in 30 days)\n'
        '  with it, identity 1 "@mia": usable\n'
    )
    assert SECRET not in sparkads("codes", "list")
    assert SECRET not in sparkads("codes", "list", "--json")
    assert SECRET not in sparkads("codes", "show", "1")
    assert SECRET not in sparkads("codes", "show", "1", "--json")
    assert SECRET not in sparkads("codes", "history", "1", "--json")


def test_a_code_is_shown_when_it_is_asked_for_by_name(sparkads, post):
    receive(sparkads, post)
    assert SECRET in sparkads("codes", "show", "1", "--reveal")
    assert sparkads.json("codes", "show", "1", "--reveal")["code"] == SECRET
    assert "code" not in sparkads.json("codes", "show", "1")


def test_a_code_is_read_from_standard_input(sparkads, desk, post):
    sparkads("codes", "receive", "-", "--post", post.id, "--days", "7", stdin=f"\u200b {SECRET} \n")
    assert desk.spark.codes.reveal(1) == SECRET


def test_without_a_terminal_nobody_is_asked_for_the_code(sparkads, post):
    assert sparkads.refusal("codes", "receive", "--post", post.id, "--days", "7", code=2) == (
        "expected the code as an argument, or - to read it from standard input"
    )


def test_a_code_counts_from_the_instant_of_its_issue(sparkads, desk, post):
    receive(sparkads, post, SECRET, "--issued", "now-3d")
    assert desk.spark.codes.get(1).expires_at == desk.now + timedelta(days=27)
    receive(sparkads, post, SECRET + "2", "--issued", "2026-02-28T13:00+01:00")
    assert desk.spark.codes.get(2).issued_at.isoformat() == "2026-02-28T12:00:00+00:00"


@pytest.mark.parametrize(
    "given", ["1", "7301234567890123456", "https://www.tiktok.com/@zoe/video/7301234567890123456"]
)
def test_a_post_is_named_by_its_id_tiktoks_id_or_its_url(sparkads, given):
    sparkads("posts", "add", "https://www.tiktok.com/@zoe/video/7301234567890123456?is_from_webapp=1")
    assert "pending" in sparkads("codes", "receive", SECRET, "--post", given, "--days", "7")


def test_a_list_shows_what_people_need(sparkads, desk, post):
    desk.code(post)
    desk.live(post, name="Spring")
    desk.pending_code(desk.post("leo"), days=7, issued_at=desk.now - timedelta(days=2))
    assert sparkads.lines("codes", "list") == [
        "id  code     post  creator  state    ends               days left  ads",
        " 1  #kZ7…g=     1  @mia     live     2026-03-31 12:30Z         30    1",
        " 2  #kZ7…g=     2  @leo     pending  2026-03-06 12:30Z          5    0",
    ]


def test_a_list_can_be_narrowed(sparkads, desk, post):
    desk.code(post)
    desk.pending_code(desk.post("leo"), days=7)

    def ids(*words):
        return [row["id"] for row in sparkads.json("codes", "list", *words)]

    assert ids("--state", "pending") == [2]
    assert ids("--state", "pending", "--state", "authorized") == [1, 2]
    assert ids("--creator", "@Mia") == [1]
    assert ids("--post", "2") == [2]
    assert ids("--within", "7") == [2]
    assert ids("--account", "Brand") == [1, 2]
    assert ids("--limit", "1") == [1]
    assert ids("--after", "1") == [2]


def test_a_list_that_is_cut_says_how_to_go_on(sparkads, desk, post):
    for _ in range(3):
        desk.pending_code(post)
    assert sparkads.run("codes", "list", "--limit", "2").stderr == "the first 2 are shown; for more: --after 2\n"


def test_the_codes_that_end_soon_come_soonest_first(sparkads, desk, post):
    desk.code(post, days=7)
    desk.code(desk.post("leo"), days=30)
    desk.code(desk.post("zoe"), days=7, issued_at=desk.now - timedelta(days=3))
    assert [row["id"] for row in sparkads.json("codes", "expiring", "--within", "7")] == [3, 1]
    assert [row["left"] for row in sparkads.json("codes", "expiring")] == [4, 7]


def test_a_move_tells_what_moved_with_it(sparkads, desk, post):
    desk.code(post)
    desk.live(post, name="Spring")
    assert sparkads.lines("codes", "revoke", "1", "--reason", "a quarrel") == [
        'video code 1 "#kZ7…g=" is revoked',
        '  with it, spark ad 1 "Spring": live -> expired',
    ]


def test_a_move_tells_programs_what_moved_with_it(sparkads, desk, post):
    desk.code(post)
    desk.live(post, name="Spring")
    answer = sparkads.json("codes", "revoke", "1")
    assert answer["state"] == "revoked"
    assert answer["followed"] == [
        {
            "workflow": "spark_ad",
            "row_id": 1,
            "source": "live",
            "target": "expired",
            "label": "Spring",
        }
    ]


def test_a_code_is_authorized_rejected_extended(sparkads, desk, post):
    for _ in range(2):
        desk.pending_code(post)
    assert "is authorized" in sparkads("codes", "authorize", "1")
    assert "is rejected" in sparkads("codes", "reject", "2", "--reason", "another post")
    assert "ends 2026-04-30 12:30Z" in sparkads("codes", "extend", "1", "--days", "30")


def test_a_refusal_names_what_blocks_and_the_way_out(sparkads, desk, post):
    desk.code(post)
    desk.live(post, name="Spring")
    assert sparkads.refusal("codes", "delete", "1") == (
        'cannot delete video code 1: its video is still used by 1 ad: 1 "Spring" (live); delete those first'
    )


def test_a_refusal_is_json_for_programs(sparkads, desk, post):
    desk.code(post)
    desk.live(post, name="Spring")
    assert json.loads(sparkads.refusal("codes", "delete", "1", "--json")) == {
        "error": (
            'cannot delete video code 1: its video is still used by 1 ad: 1 "Spring" (live); delete those first'
        ),
        "kind": "GuardRefused",
        "blockers": [{"kind": "ad", "id": 1, "label": "Spring", "state": "live"}],
    }


def test_a_code_is_deleted_once_its_ads_are(sparkads, desk, post):
    desk.code(post)
    desk.live(post)
    sparkads("ads", "delete", "1")
    assert "is deleted" in sparkads("codes", "delete", "1")


def test_many_codes_are_moved_by_one_command(sparkads, desk, post):
    for creator in ("leo", "leo", "zoe"):
        desk.pending_code(desk.post(creator))
    desk.code(desk.post("leo"))
    preview = ("codes", "authorize", "--all", "--creator", "@leo", "--preview")
    assert sparkads.lines(*preview) == ["would authorize 2 video codes", "would not move 1: is authorized"]
    assert sparkads.lines("codes", "authorize", "--all", "--creator", "@leo") == [
        "authorize: 2 video codes",
        "  did not move 1: is authorized",
    ]
    assert [row["state"] for row in sparkads.json("codes", "list")] == [
        "authorized",
        "authorized",
        "pending",
        "authorized",
    ]


def test_a_preview_writes_nothing(sparkads, desk, post):
    desk.pending_code(post)
    before = desk.everything()
    answer = sparkads.json("codes", "revoke", "--all", "--preview")
    assert answer == {"event": "revoke", "moving": {"revoked": 1}, "refused": {}}
    assert desk.everything() == before


def test_many_codes_are_extended_with_their_ads(sparkads, desk, post):
    desk.code(post, days=7)
    desk.live(post)
    desk.pass_time(days=8)
    sparkads.travel(days=8)
    assert sparkads.json("codes", "extend", "--all", "--state", "expired", "--days", "30") == {
        "event": "extend",
        "moved": 1,
        "cascaded": {"spark_ad.authorize": 1},
        "refused": {},
    }


def test_deletion_of_many_leaves_those_in_use(sparkads, desk, post):
    desk.code(post)
    desk.live(post)
    desk.code(desk.post("leo"))
    assert sparkads.lines("codes", "delete", "--all") == [
        "delete: 1 video code",
        "  did not move 1: in use",
    ]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["authorize"], "expected the id of a video code, or --all; see --help"),
        (["authorize", "1", "--all"], "expected one video code or --all, got both"),
        (["authorize", "--creator", "@mia"], "options that select rows, and --preview, go together with --all"),
        (["authorize", "1", "--preview"], "options that select rows, and --preview, go together with --all"),
    ],
)
def test_one_or_all_must_be_meant(sparkads, words, sentence):
    assert sparkads.refusal("codes", *words, code=2) == sentence


def test_can_tells_what_is_possible_why_not_and_when(sparkads, desk, post):
    desk.code(post)
    desk.live(post, name="Spring")
    told = {line.split("  ")[0]: line for line in sparkads.lines("codes", "can", "1")}
    assert "yes  becomes revoked" in told["revoke"]
    assert "no   not from live" in told["authorize"]
    assert 'its video is still used by 1 ad: 1 "Spring" (live); delete those first' in told["delete"]
    assert told["expire"].endswith("2026-03-31 12:30Z (in 30 days)")
    assert sparkads.json("codes", "can", "1")[0]["event"] == "authorize"


def test_history_tells_what_happened_by_whom_and_why(sparkads, desk, post):
    desk.code(post, days=7)
    desk.live(post, name="Spring")
    sparkads("codes", "extend", "1", "--days", "30")
    sparkads("codes", "revoke", "1", "--reason", "a quarrel")
    assert sparkads.lines("codes", "history", "1") == [
        "when               event      to          by      why",
        "2026-03-01 12:30Z  start      pending     ana     -",
        "2026-03-01 12:30Z  authorize  authorized  tiktok  -",
        "2026-03-01 12:30Z  follow     in review   ana     because spark ad 1 was submitted",
        "2026-03-01 12:30Z  follow     live        tiktok  because spark ad 1 was approved",
        "2026-03-01 12:30Z  extend     live        ana     30",
        "2026-03-01 12:30Z  revoke     revoked     ana     a quarrel",
    ]


def test_history_tells_what_made_an_ad_stop(sparkads, desk, post):
    desk.code(post, days=7)
    desk.live(post)
    desk.pass_time(days=7)
    sparkads.travel(days=7)
    assert sparkads.lines("ads", "history", "1")[-1].split("  ")[-1] == "because video code 1 expired"
    assert sparkads.json("ads", "history", "1")[-1]["because"] == "because video code 1 expired"


def test_an_empty_list_says_so(sparkads):
    assert sparkads("codes", "list") == ""
    assert sparkads.json("codes", "list") == []
    assert sparkads.json("codes", "expiring") == []


def test_the_actor_is_the_option_else_the_variable_else_the_login_name(sparkads, desk, post, monkeypatch):
    receive(sparkads, post, SECRET, "--actor", "ben")
    assert desk.spark.codes.history(1)[0].actor == "ben"
    receive(sparkads, post, SECRET + "2")
    assert desk.spark.codes.history(2)[0].actor == "ana"
    del sparkads.environment["SPARKADS_ACTOR"]
    monkeypatch.setenv("LOGNAME", "cleo")
    receive(sparkads, post, SECRET + "3")
    assert desk.spark.codes.history(3)[0].actor == "cleo"


def test_global_options_may_stand_before_the_command(sparkads, desk, post):
    words = ["--actor", "ben", "--json", "codes", "receive", SECRET, "--post", str(post.id), "--days", "7"]
    assert json.loads(sparkads(*words))["state"] == "pending"
    assert desk.spark.codes.history(1)[0].actor == "ben"
