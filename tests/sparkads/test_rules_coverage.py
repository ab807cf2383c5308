"""Coverage: an ad whose schedule outlasts its codes is accepted, but flagged, and can be listed."""

from __future__ import annotations

from datetime import timedelta

import pytest

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


def uncovered(desk, **selection):
    return [ad.id for ad in desk.spark.ads.uncovered(**selection)]


@pytest.mark.parametrize(
    ("ends_in", "flagged"),
    [(29 * DAY, False), (30 * DAY, False), (30 * DAY + SECOND, True), (31 * DAY, True), (None, True)],
)
def test_coverage_is_lacking_when_the_schedule_outlasts_the_code(desk, ends_in, flagged):
    post = desk.post()
    desk.code(post, days=30)
    ad = desk.live(post, group=desk.group(ends_in=ends_in))
    assert ad.state == "live"
    assert desk.spark.ads.is_uncovered(ad) is flagged
    assert uncovered(desk) == ([ad.id] if flagged else [])


@pytest.mark.parametrize("state", ["authorized", "in_review", "live", "paused", "rejected"])
def test_coverage_is_of_interest_in_every_state_that_may_still_run(desk, state):
    post = desk.post()
    desk.code(post)
    ad = desk.ad_in(state, post)
    assert uncovered(desk) == [ad.id]


@pytest.mark.parametrize("state", ["expired", "deleted"])
def test_coverage_is_of_no_interest_once_an_ad_is_over(desk, state):
    post = desk.post()
    desk.code(post)
    desk.ad_in(state, post)
    assert uncovered(desk) == []


@pytest.mark.parametrize(("original_days", "derived_days"), [(7, 30), (30, 7)])
def test_coverage_by_two_codes_is_that_of_the_earlier(desk, original_days, derived_days):
    original = desk.post()
    duet = desk.duet(original)
    desk.code(original, days=original_days)
    desk.code(duet, days=derived_days)
    ad = desk.live(duet, group=desk.group(ends_in=8 * DAY))
    desk.live(duet, group=desk.group(ends_in=7 * DAY))
    assert uncovered(desk) == [ad.id]
    assert desk.spark.ads.covered_until(ad) == desk.now + 7 * DAY


def test_coverage_comes_with_an_extension(desk):
    post = desk.post()
    code = desk.code(post, days=30)
    ad = desk.live(post, group=desk.group(ends_in=60 * DAY))
    assert uncovered(desk) == [ad.id]
    desk.spark.codes.extend(code, days=30, actor="mia")
    assert uncovered(desk) == []


def test_coverage_comes_with_an_earlier_end_of_the_schedule(desk):
    post = desk.post()
    desk.code(post, days=30)
    ad = desk.live(post)
    assert uncovered(desk) == [ad.id]
    desk.reschedule(ad, ends_in=10 * DAY)
    assert uncovered(desk) == []


def test_coverage_of_a_pending_ad_is_flagged_by_the_code_it_waits_for(desk):
    post = desk.post()
    desk.pending_code(post, days=7)
    ad = desk.ad(post)
    assert uncovered(desk) == [ad.id]


@pytest.mark.parametrize("verb", ["link", "grant"])
def test_coverage_is_no_question_for_an_ad_of_an_own_account(desk, verb):
    getattr(desk.spark.accounts, verb)(desk.brand, "brand", actor="ana")
    ad = desk.live(desk.post("brand"))
    assert uncovered(desk) == []
    assert desk.spark.ads.covered_until(ad) is None


def test_coverage_is_listed_for_a_selection(desk):
    mine, theirs = desk.post("mia"), desk.post("leo")
    desk.code(mine)
    desk.code(theirs)
    one, other = desk.live(mine), desk.live(theirs)
    assert uncovered(desk, creator="leo") == [other.id]
    assert uncovered(desk, ad_group=one.ad_group_id) == [one.id]
