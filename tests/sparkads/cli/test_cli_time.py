"""What time brings: `forecast`, `tick`, `status`, and whole lives through the command line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sparkads.cli import show
from sparkads.tables import VideoCode, table
from statewright.dialects import Forbid

URL = "https://www.tiktok.com/@mia/video/7301234567890123456"


@pytest.mark.parametrize("days", [7, 30, 60, 365])
def test_a_code_ends_on_its_day_and_its_ad_stops_with_it(fresh, days):
    fresh("accounts", "add", "Brand")
    fresh("posts", "add", URL)
    fresh("codes", "receive", "#kZ7+q81/aBcDeFg=", "--post", URL, "--days", days)
    fresh("codes", "authorize", "1")
    fresh("campaigns", "create", "Spring", "--objective", "traffic", "--budget", "200")
    fresh("groups", "create", "1", "DE", "--location", "DE", "--budget", "50", "--starts", "now")
    fresh("ads", "create", "Spring", "--group", "1", "--post", URL)
    fresh("ads", "submit", "1")
    assert "is live" in fresh("ads", "approve", "1")

    forecast = fresh.json("forecast", "--days", days)
    assert [day for day in forecast if day["codes"] or day["ads"]] == [
        {
            "date": (datetime(2026, 3, 1, tzinfo=UTC) + timedelta(days=days)).date().isoformat(),
            "codes": 1,
            "ads": 1,
        }
    ]
    rehearsed = fresh.json("tick", "--dry-run", "--at", f"now+{days}d")
    assert (rehearsed["codes"], rehearsed["ads"]) == (1, 1)

    fresh.travel(days=days, microseconds=-1)
    fresh("tick")
    assert fresh.json("codes", "show", "1")["state"] == "live"
    fresh.travel(microseconds=1)
    assert fresh("tick").startswith("expire 1 video code, lose_authorization 1 spark ad in ")
    assert fresh.json("codes", "show", "1")["state"] == "expired"
    assert fresh.json("ads", "show", "1")["state"] == "expired"
    assert fresh.json("ads", "history", "1")[-1]["because"] == "because video code 1 expired"
    assert fresh.refusal("ads", "submit", "1").startswith("cannot submit spark ad 1: it is expired")

    fresh("codes", "extend", "1", "--days", "7")
    assert fresh.json("ads", "show", "1")["state"] == "authorized"


def test_a_reminder_comes_before_the_end(sparkads, desk):
    desk.code(desk.post("mia"), days=30)
    sparkads.travel(days=23)
    assert sparkads("tick").startswith("remind 1 video code in ")
    assert sparkads.json("codes", "history", "1")[-1]["event"] == "remind"


def test_a_tick_with_nothing_due_says_so(sparkads, desk):
    assert sparkads("tick").startswith("nothing done in ")
    assert sparkads.json("tick")["moved"] == {}


def test_a_tick_tells_programs_what_it_did(sparkads, desk):
    desk.code(desk.post("mia"), days=7)
    sparkads.travel(days=7)
    assert sparkads.json("tick")["moved"] == {"video_code.expire": 1}


def test_a_rehearsal_names_what_would_stop_and_writes_nothing(sparkads, desk):
    post = desk.post("mia")
    desk.code(post, days=7)
    desk.code(desk.post("leo"), days=30)
    for name in ("Spring", "Summer"):
        desk.live(post, name=name)
    before = desk.everything()
    assert sparkads.lines("tick", "--dry-run", "--at", "now+7d") == [
        "a tick at 2026-03-08 12:30Z (in 7 days): 1 video code ends, 2 spark ads stop",
        '  video code 1 "#kZ7…g=", live',
        '  spark ad 1 "Spring", live',
        '  spark ad 2 "Summer", live',
        "nothing was written",
    ]
    assert desk.everything() == before


def test_a_rehearsal_of_now_finds_nothing_yet(sparkads, desk):
    desk.code(desk.post("mia"), days=7)
    assert sparkads.lines("tick", "--dry-run") == [
        "a tick now: 0 video codes end, 0 spark ads stop",
        "nothing was written",
    ]


def test_a_rehearsal_counts_what_it_does_not_name(sparkads, desk):
    post = desk.post("mia")
    desk.code(post, days=7)
    group = desk.group()
    for _ in range(12):
        desk.ad(post, group=group)
    said = sparkads.lines("tick", "--dry-run", "--at", "now+7d")
    assert said[0].endswith("1 video code ends, 12 spark ads stop")
    assert "  and 2 more spark ads" in said


def test_a_rehearsal_tells_of_reminders(sparkads, desk):
    desk.code(desk.post("mia"), days=30)
    assert "  1 reminder that an end is near" in sparkads.lines("tick", "--dry-run", "--at", "now+23d")


def test_an_instant_is_for_rehearsals_only(sparkads):
    assert sparkads.refusal("tick", "--at", "now+7d", code=2) == "--at is for rehearsals; add --dry-run"


def test_a_forecast_is_a_table_and_a_plot(sparkads, desk):
    post = desk.post("mia")
    desk.code(post, days=7)
    desk.live(post)
    desk.code(desk.post("leo"), days=30)
    assert sparkads.lines("forecast", "--days", "30") == [
        "day            codes end  ads stop  █ codes  ░ ads",
        "7 quiet days           0         0  -",
        "2026-03-08             1         1  █░",
        "22 quiet days          0         0  -",
        "2026-03-31             1         0  █",
        "today and the 30 days after it: 2 video codes end, 1 spark ad stops",
    ]


def test_a_forecast_of_today_takes_what_is_overdue(sparkads, desk):
    desk.code(desk.post("mia"), days=7)
    sparkads.travel(days=20)
    assert sparkads.lines("forecast", "--days", "0")[-1] == "today: 1 video code ends, 0 spark ads stop"


def test_a_forecast_counts_an_ad_once_by_what_stops_it_first(sparkads, desk):
    post = desk.post("mia")
    duet = desk.duet(post)
    desk.code(post, days=7)
    desk.code(duet, days=30)
    desk.live(duet, group=desk.group(ends_in=timedelta(days=60)))
    desk.live(post, group=desk.group(ends_in=timedelta(days=3)))
    days = {day["date"]: day["ads"] for day in sparkads.json("forecast", "--days", "90") if day["ads"]}
    assert days == {"2026-03-04": 1, "2026-03-08": 1}


def test_an_ad_of_two_codes_stops_with_the_overdue_one_and_not_with_the_other(sparkads, desk):
    post = desk.post("mia")
    duet = desk.duet(post)
    desk.code(post, days=7)
    desk.code(duet, days=30)
    desk.live(duet)
    desk.live(post)
    sparkads.travel(days=20)
    assert busy_days(sparkads) == {"2026-03-21": (1, 2), "2026-03-31": (1, 0)}


def test_a_code_that_ends_after_the_forecast_stops_nothing_in_it(sparkads, desk):
    post = desk.post("mia")
    duet = desk.duet(post)
    desk.code(post, days=60)
    desk.code(duet, days=7)
    desk.live(duet)
    desk.live(post)
    assert busy_days(sparkads) == {"2026-03-08": (1, 1)}


def test_codes_of_an_ad_that_end_at_one_instant_stop_it_once(sparkads, desk):
    post = desk.post("mia")
    duet = desk.duet(post)
    desk.code(post, days=7)
    desk.code(duet, days=7)
    desk.live(duet, group=desk.group(ends_in=timedelta(days=7)))
    assert busy_days(sparkads) == {"2026-03-08": (2, 1)}


def busy_days(sparkads):
    """The days of the next thirty on which anything ends: how many codes, and how many ads."""
    forecast = sparkads.json("forecast", "--days", "30")
    return {day["date"]: (day["codes"], day["ads"]) for day in forecast if day["codes"] or day["ads"]}


def test_a_forecast_foresees_what_a_tick_does(sparkads, desk):
    creators = ["mia", "leo", "zoe"]
    for number, days in enumerate((7, 30, 60)):
        post = desk.post(creators[number])
        desk.code(post, days=days)
        desk.live(post, group=desk.group(ends_in=timedelta(days=20)))
        desk.pending_code(desk.post("kim"), days=7)
        desk.ad(desk.post("tim"), group=desk.group(ends_in=timedelta(days=5)))
    foreseen = sparkads.json("forecast", "--days", "90")
    rehearsed = sparkads.json("tick", "--dry-run", "--at", "now+90d")
    assert sum(day["codes"] for day in foreseen) == rehearsed["codes"]
    assert sum(day["ads"] for day in foreseen) == rehearsed["ads"]


def test_nothing_to_come_is_no_table(sparkads):
    assert sparkads("forecast") == "today and the 30 days after it: 0 video codes end, 0 spark ads stop\n"


def test_a_long_bar_fits_the_terminal(sparkads, desk):
    post = desk.post("mia")
    desk.code(post, days=7)
    group = desk.group()
    for _ in range(100):
        desk.ad(post, group=group)
    assert max(map(len, sparkads.lines("forecast", "--days", "10"))) <= 80


def test_the_status_of_a_new_portfolio(sparkads):
    assert sparkads.lines("status") == [
        "last tick  never; start `sparkads daemon`",
        "overdue    nothing",
        "next       nothing",
        "codes      none",
        "ads        none",
    ]


def test_the_status_tells_when_the_last_tick_was_and_what_is_overdue(sparkads, desk):
    post = desk.post("mia")
    desk.code(post, days=7)
    desk.live(post)
    sparkads("tick")
    sparkads.travel(days=7, hours=3)
    said = sparkads.lines("status")
    assert said[0].startswith("last tick  2026-03-01 12:30Z (7 days ago)")
    assert "overdue    1 video code to expire, the oldest 3 hours late" in said
    assert said[-2:] == ["codes      1 live", "ads        1 live"]
    facts = sparkads.json("status")
    # a reminder was due three days before the end
    assert facts["late"] == timedelta(days=3, hours=3).total_seconds()
    assert facts["codes"] == {"live": 1}


def test_a_row_that_the_database_refuses_is_told(terminal, own_desk):
    own_desk.code(own_desk.post("mia"), days=7)
    rule = Forbid("no_expiry", "UPDATE OF state", "NEW.state = 'expired'", "not today")
    own_desk.place.forbid(rule, table(VideoCode))
    terminal.travel(days=6)
    terminal("tick")
    terminal.travel(days=1)
    done = terminal.run("tick")
    assert done.exit_code == 3
    assert "1 row set aside" in done.stdout
    assert "set aside  video code 1, expire: " in terminal("status")
    terminal.travel(hours=1)
    assert terminal.run("daemon", "--once").exit_code == 3


def test_lengths_of_time_are_told_in_their_largest_unit():
    assert show.duration(timedelta(days=3, hours=4)) == "3 days"
    assert show.duration(timedelta(minutes=61)) == "1 hour"
    assert show.duration(timedelta(seconds=59)) == "59 seconds"
    assert show.duration(timedelta()) == "0 seconds"
