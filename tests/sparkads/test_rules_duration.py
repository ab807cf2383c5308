"""Duration: a code lasts 7, 30, 60 or 365 days, to the second, from the moment its creator issued it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from sparkads.errors import WrongInput
from statewright.errors import GuardRefused

SECOND = timedelta(seconds=1)
MICROSECOND = timedelta(microseconds=1)


@pytest.mark.parametrize("days", [7, 30, 60, 365])
def test_duration_is_counted_from_the_moment_of_issue_to_the_second(desk, days):
    issued_at = desk.now - timedelta(days=3, seconds=17)
    code = desk.code(desk.post(), days=days, issued_at=issued_at)
    assert code.expires_at == issued_at + timedelta(days=days)

    desk.clock.set(code.expires_at - SECOND)
    desk.spark.tick()
    assert desk.state(code) == "authorized"
    desk.clock.set(code.expires_at)
    desk.spark.tick()
    assert desk.state(code) == "expired"


def test_duration_ends_at_its_microsecond_and_not_before(desk):
    code = desk.code(desk.post(), days=7)
    desk.clock.set(code.expires_at - MICROSECOND)
    desk.spark.tick()
    assert desk.state(code) == "authorized"
    desk.clock.set(desk.now + MICROSECOND)
    desk.spark.tick()
    last = desk.last(code)
    assert (last.event, last.target, last.at, last.due_at) == (
        "expire",
        "expired",
        code.expires_at,
        code.expires_at,
    )


def test_duration_is_so_many_times_24_hours_whatever_the_zone_of_issue(desk):
    east = timezone(timedelta(hours=9))
    issued_at = datetime(2026, 2, 28, 23, 59, 59, 999_999, tzinfo=east)
    code = desk.code(desk.post(), days=30, issued_at=issued_at)
    assert code.issued_at == issued_at
    assert code.expires_at == datetime(2026, 3, 30, 14, 59, 59, 999_999, tzinfo=UTC)
    assert code.expires_at.utcoffset() == timedelta(0)


def test_duration_runs_out_for_a_pending_code_too(desk):
    code = desk.pending_code(desk.post(), days=7)
    desk.pass_time(days=7)
    assert desk.state(code) == "expired"
    refusal = desk.refusal(Exception, desk.spark.codes.authorize, code)
    assert refusal == f"cannot authorize video code {code.id}: it is expired; possible now: extend, delete"


def test_duration_may_be_over_when_a_code_is_received_and_then_it_is_of_no_use(desk):
    issued_at = desk.now - timedelta(days=8)
    code = desk.pending_code(desk.post("mia"), days=7, issued_at=issued_at)
    assert code.state == "pending"
    assert desk.refusal(GuardRefused, desk.spark.codes.authorize, code) == (
        f"cannot authorize video code {code.id}: its authorization ended on 2026-02-28 12:30 UTC; "
        "ask @mia to extend it"
    )
    desk.spark.tick()
    assert desk.state(code) == "expired"


@pytest.mark.parametrize("days", [0, -7, 1, 8, 180, 10**20, True, 7.0, "30", None])
def test_duration_is_one_of_those_that_creators_can_choose(desk, days):
    post = desk.post()
    refusal = desk.refusal(
        WrongInput, desk.spark.codes.receive, desk.secret(), post=post, days=days, issued_at=desk.now
    )
    assert refusal == f"expected the days to be one of 7, 30, 60, 365; got {days!r}"


def test_duration_of_180_days_may_be_added_by_a_setting(open_desk):
    desk = open_desk(durations=(7, 30, 60, 180, 365))
    code = desk.code(desk.post(), days=180)
    desk.pass_time(days=180, seconds=-1)
    assert desk.state(code) == "authorized"
    desk.pass_time(seconds=1)
    assert desk.state(code) == "expired"


def test_duration_may_be_left_out_by_a_setting(open_desk):
    desk = open_desk(durations=(30,))
    with pytest.raises(WrongInput, match="one of 30; got 7"):
        desk.pending_code(desk.post(), days=7)


def test_duration_cannot_begin_in_the_future(desk):
    refusal = desk.refusal(
        WrongInput,
        desk.spark.codes.receive,
        desk.secret(),
        post=desk.post(),
        days=7,
        issued_at=desk.now + MICROSECOND,
    )
    assert refusal == (
        "expected the code to be issued already, got 2026-03-01T12:30:15.123457+00:00, which is yet to come"
    )


@pytest.mark.parametrize(
    ("issued_at", "problem"),
    [
        (datetime(2026, 2, 1), "to have a time zone, got 2026-02-01T00:00:00; write Z for UTC"),  # noqa: DTZ001
        (datetime(9999, 12, 31, tzinfo=UTC), "to be in the years 1970 to 8999, got 9999-12-31T00:00:00+00:00"),
        (datetime(1, 1, 1, tzinfo=UTC), "to be in the years 1970 to 8999, got 0001-01-01T00:00:00+00:00"),
        (date(2026, 2, 1), "to be a datetime with a time zone, got datetime.date(2026, 2, 1)"),
        ("2026-02-01", "to be a datetime with a time zone, got '2026-02-01'"),
    ],
)
def test_duration_needs_an_instant_of_issue_that_can_be(desk, issued_at, problem):
    refusal = desk.refusal(
        WrongInput, desk.spark.codes.receive, desk.secret(), post=desk.post(), days=7, issued_at=issued_at
    )
    assert refusal == f"expected the instant of issue {problem}"
