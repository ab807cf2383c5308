"""Campaign: an objective, a complete campaign and ad group, and the identity, before an ad is submitted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sparkads.errors import RuleBroken, WrongInput
from statewright.errors import GuardRefused


@pytest.fixture
def post(desk):
    post = desk.post("mia")
    desk.code(post)
    return post


LACKING = {
    "objective": 'its campaign "{campaign}" has no objective',
    "campaign_budget": 'its campaign "{campaign}" has no budget',
    "location": 'its ad group "{group}" is not complete: it has no location',
    "budget": 'its ad group "{group}" is not complete: it has no budget',
    "started": 'its ad group "{group}" is not complete: it has no start of its schedule',
}


@pytest.mark.parametrize("what", LACKING)
def test_campaign_and_ad_group_must_be_complete_before_an_ad_is_submitted(desk, post, what):
    group = desk.group(**{what: None})
    ad = desk.ad(post, group=group)
    assert ad.state == "authorized"
    missing = LACKING[what].format(campaign=group.name, group=group.name)
    assert desk.refusal(GuardRefused, desk.spark.ads.submit, ad) == (f"cannot submit spark ad {ad.id}: {missing}")


@pytest.mark.parametrize("authorized", [True, False])
def test_campaign_and_everything_else_that_is_missing_is_listed_at_once(desk, authorized):
    post = desk.post("mia")
    if authorized:
        desk.code(post)
    group = desk.group(objective=None, campaign_budget=None, location=None, budget=None, started=False)
    ad = desk.ad(post, group=group)
    codes = (
        []
        if authorized
        else [
            "it has no identity: no code of @mia's post was received, and no account of theirs is linked",
            f'it still needs 1 authorized code: {post.id} "the post {post.item_id} by @mia" (no code yet)',
        ]
    )
    missing = [
        *codes,
        f'its campaign "{group.name}" has no objective',
        f'its campaign "{group.name}" has no budget',
        f'its ad group "{group.name}" is not complete: it has no location, no budget, no start of its schedule',
    ]
    with pytest.raises(GuardRefused) as refused:
        desk.spark.ads.submit(ad, actor="ana")
    assert str(refused.value) == f"cannot submit spark ad {ad.id}: {'; '.join(missing)}"
    assert [refusal.sentence for refusal in refused.value.refusals] == missing


def test_campaign_completed_step_by_step_lets_the_ad_be_submitted(desk, post):
    group = desk.group(objective=None, campaign_budget=None, location=None, budget=None, started=False)
    ad = desk.ad(post, group=group)
    campaigns, groups = desk.spark.campaigns, desk.spark.ad_groups
    for complete in (
        lambda: campaigns.set_objective(group.campaign_id, "reach", actor="ana"),
        lambda: campaigns.set_budget(group.campaign_id, 100, actor="ana"),
        lambda: groups.set_location(group, "DE, AT", actor="ana"),
        lambda: groups.set_budget(group, 20, actor="ana"),
        lambda: groups.reschedule(group, starts_at=desk.now, ends_at=None, actor="ana"),
    ):
        with pytest.raises(GuardRefused):
            desk.spark.ads.submit(ad, actor="ana")
        complete()
    assert desk.spark.ads.submit(ad, actor="ana").state == "in_review"


def test_campaign_needs_an_identity_that_is_usable(desk):
    identity = desk.spark.accounts.link(desk.brand, "brand", actor="ana")
    desk.spark.accounts.unlink(desk.brand, "brand", actor="ana")
    ad = desk.ad(desk.post("brand"), identity=identity)
    refusal = desk.refusal(GuardRefused, desk.spark.ads.submit, ad)
    assert "its identity @brand (linked) is not usable" in refusal


def test_campaign_must_be_complete_for_a_resubmission_but_not_for_an_appeal(desk, post):
    ad = desk.ad_in("rejected", post)
    desk.sql("UPDATE campaign SET objective = NULL")
    refusal = desk.refusal(GuardRefused, desk.spark.ads.resubmit, ad)
    assert refusal.endswith("has no objective")
    assert desk.spark.ads.appeal(ad, actor="ana").state == "in_review"


@pytest.mark.parametrize("above", ["ad group", "campaign", "account"])
def test_campaign_that_is_deleted_takes_no_new_ad(desk, post, above):
    group = desk.group()
    match above:
        case "ad group":
            desk.spark.ad_groups.delete(group, actor="ana")
        case "campaign":
            desk.spark.campaigns.delete(group.campaign_id, actor="ana")
        case "account":
            desk.spark.accounts.close(desk.brand, actor="ana")
    refusal = desk.refusal(RuleBroken, desk.spark.ads.create, "late", ad_group=group, post=post)
    name, state = ("Brand", "closed") if above == "account" else (group.name, "deleted")
    assert refusal == f'cannot create ad "late": its {above} "{name}" is {state}'


def test_campaign_that_is_deleted_takes_no_new_ad_group(desk):
    campaign = desk.spark.campaigns.create("Spring", actor="ana")
    desk.spark.campaigns.delete(campaign, actor="ana")
    refusal = desk.refusal(RuleBroken, desk.spark.ad_groups.create, campaign, "late")
    assert refusal == 'cannot create ad group "late": its campaign "Spring" is deleted'


def test_campaign_ad_group_and_account_are_kept_while_they_have_ads(desk, post):
    group, empty = desk.group(), desk.group()
    ad = desk.ad(post, group=group, name="Spring")
    deletions = (
        (desk.spark.ad_groups.delete, group, f"cannot delete ad group {group.id}"),
        (desk.spark.campaigns.delete, group.campaign_id, f"cannot delete campaign {group.campaign_id}"),
        (desk.spark.accounts.close, desk.brand, f"cannot close ad account {desk.brand.id}"),
    )
    for delete, row, tried in deletions:
        assert desk.refusal(GuardRefused, delete, row) == (
            f'{tried}: it still has 1 ad: {ad.id} "Spring" (authorized); delete those first'
        )
    assert desk.spark.ad_groups.delete(empty, actor="ana").state == "deleted"
    assert desk.spark.campaigns.delete(empty.campaign_id, actor="ana").state == "deleted"
    desk.spark.ads.delete(ad, actor="ana")
    assert [delete(row, actor="ana").state for delete, row, _ in deletions] == ["deleted", "deleted", "closed"]


def test_campaign_of_a_closed_account_is_not_begun(desk):
    desk.spark.accounts.close(desk.brand, actor="ana")
    closed = 'account "Brand" is closed; name another'
    for call in (
        lambda **who: desk.spark.campaigns.create("Spring", account=desk.brand, **who),
        lambda **who: desk.spark.accounts.link(desk.brand, "brand", **who),
        lambda **who: desk.spark.codes.receive(
            "#abc", post=desk.post(), days=7, issued_at=desk.now, account=desk.brand, **who
        ),
    ):
        with pytest.raises(RuleBroken, match=closed):
            call(actor="ana")
    with pytest.raises(WrongInput, match="there is no account yet; add one first"):
        desk.spark.campaigns.create("Spring", actor="ana")


def test_campaign_and_ad_group_names_are_used_once(desk, post):
    campaigns, groups = desk.spark.campaigns, desk.spark.ad_groups
    campaign = campaigns.create("Spring", actor="ana")
    group = groups.create(campaign, "DE", actor="ana")
    desk.ad(post, group=group, name="video 1")
    assert desk.refusal(RuleBroken, campaigns.create, " Spring ") == (
        'cannot create campaign "Spring": the account has one of this name'
    )
    assert desk.refusal(RuleBroken, groups.create, campaign, "DE") == (
        'cannot create ad group "DE": the campaign has one of this name'
    )
    assert desk.refusal(RuleBroken, desk.spark.ads.create, "video 1", ad_group=group, post=post) == (
        'cannot create ad "video 1": its ad group has one of this name'
    )
    assert desk.refusal(RuleBroken, desk.spark.accounts.add, "Brand") == (
        'cannot add account "Brand": there is one of this name'
    )


def test_the_name_of_a_deleted_ad_may_be_used_again(desk, post):
    group = desk.group()
    desk.spark.ads.delete(desk.ad(post, group=group, name="video 1"), actor="ana")
    assert desk.ad(post, group=group, name="video 1").state == "authorized"


@pytest.mark.parametrize("budget", [0, -5, 2.5, True, "50", 10**12, 10**30])
def test_campaign_budgets_are_whole_and_positive(desk, budget):
    sentence = f"expected a budget a day of 1 or more, a whole number, got {budget!r}"
    group = desk.group()
    campaigns, groups = desk.spark.campaigns, desk.spark.ad_groups
    assert desk.refusal(WrongInput, campaigns.create, "Summer", budget=budget) == sentence
    assert desk.refusal(WrongInput, campaigns.set_budget, group.campaign_id, budget=budget) == sentence
    assert desk.refusal(WrongInput, groups.create, group.campaign_id, "AT", budget=budget) == sentence
    assert desk.refusal(WrongInput, groups.set_budget, group, budget=budget) == sentence


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("", "expected a name for the ad, got nothing"),
        (" \n", "expected a name for the ad, got nothing"),
        ("x" * 501, "expected a name for the ad to be at most 500 characters, got 501"),
        ("two\nlines", "expected a name for the ad to be plain text, got control characters in it"),
        ("half \ud800", "expected a name for the ad to be plain text, got control characters in it"),
    ],
)
def test_names_are_checked(desk, post, name, problem):
    refusal = desk.refusal(WrongInput, desk.spark.ads.create, name, ad_group=desk.group(), post=post)
    assert refusal == problem


def test_names_are_only_names_even_if_they_look_like_sql(desk, post):
    name = "Robert'); DROP TABLE spark_ad; --"
    ad = desk.ad(post, name=name)
    assert desk.spark.ads.named(ad.ad_group_id, name) == desk.spark.ads.get(ad)


class TestSchedule:
    """An ad ends with the schedule of its ad group, and comes back with another one."""

    DAY = timedelta(days=1)

    @pytest.mark.parametrize("state", ["authorized", "in_review", "live", "paused", "rejected"])
    def test_an_ad_ends_with_its_schedule_to_the_second(self, desk, post, state):
        ad = desk.ad_in(state, post, group=desk.group(ends_in=3 * self.DAY))
        desk.pass_time(days=3, seconds=-1)
        assert desk.state(ad) == state
        desk.pass_time(seconds=1)
        assert desk.state(ad) == "expired"
        group = desk.spark.ad_groups.get(ad.ad_group_id)
        assert (desk.last(ad).event, desk.last(ad).due_at) == ("end", group.ends_at)
        assert desk.why(ad) == (
            f'the schedule of its ad group "{group.name}" ended on 2026-03-04 12:30 UTC; reschedule that first'
        )

    def test_a_pending_ad_ends_with_its_schedule_too(self, desk):
        ad = desk.ad(desk.post(), group=desk.group(ends_in=self.DAY))
        desk.pass_time(days=1)
        assert desk.state(ad) == "expired"

    def test_an_ad_whose_schedule_has_no_end_runs_on(self, desk, post):
        desk.spark.codes.extend_all(post=post, days=365, actor="mia")
        ad = desk.live(post)
        desk.pass_time(days=365)
        assert desk.state(ad) == "live"

    def test_the_use_of_a_code_ends_with_the_schedule_of_its_ad(self, desk, post):
        ad = desk.live(post, group=desk.group(ends_in=self.DAY))
        (code,) = desk.spark.ads.codes(ad)
        desk.pass_time(days=1)
        assert desk.states(ad, code) == ["expired", "authorized"]

    @pytest.mark.parametrize("ends_in", [timedelta(days=9), None])
    def test_another_schedule_keeps_running_ads_as_they_are(self, desk, post, ends_in):
        ad = desk.live(post, group=desk.group(ends_in=3 * self.DAY))
        desk.reschedule(ad, ends_in=ends_in)
        desk.pass_time(days=3)
        assert desk.state(ad) == "live"
        desk.pass_time(days=6)
        assert desk.state(ad) == ("live" if ends_in is None else "expired")

    def test_an_earlier_end_comes_earlier(self, desk, post):
        ad = desk.live(post, group=desk.group(ends_in=30 * self.DAY))
        desk.reschedule(ad, ends_in=self.DAY)
        desk.pass_time(days=1)
        assert desk.state(ad) == "expired"

    @pytest.mark.parametrize("ends_in", [timedelta(days=9), None])
    def test_another_schedule_brings_an_ended_ad_back_to_authorized(self, desk, post, ends_in):
        ad = desk.ad_in("expired", post)
        desk.reschedule(ad, ends_in=ends_in)
        assert desk.state(ad) == "authorized"
        desk.pass_time(days=9)
        assert desk.state(ad) == ("authorized" if ends_in is None else "expired")

    def test_another_schedule_does_not_bring_back_what_has_no_code(self, desk):
        post = desk.post()
        code = desk.code(post, days=7)
        ad = desk.live(post, group=desk.group(ends_in=8 * self.DAY))
        desk.pass_time(days=8)
        desk.reschedule(ad, ends_in=None)
        assert desk.state(ad) == "expired"
        desk.spark.codes.extend(code, days=7, actor="mia")
        assert desk.state(ad) == "authorized"

    def test_another_schedule_that_is_over_too_brings_nothing_back(self, desk, post):
        ad = desk.ad_in("expired", post)
        desk.spark.ad_groups.reschedule(
            ad.ad_group_id, starts_at=desk.now - 9 * self.DAY, ends_at=desk.now, actor="ana"
        )
        assert desk.state(ad) == "expired"

    def test_another_schedule_authorizes_a_new_ad_of_a_group_that_was_over(self, desk, post):
        ended = desk.ad_in("expired", post)
        late = desk.ad(post, group=desk.spark.ad_groups.get(ended.ad_group_id))
        assert late.state == "pending"
        assert "ended on" in desk.why(late)
        desk.reschedule(late, ends_in=None)
        assert desk.states(ended, late) == ["authorized", "authorized"]

    def test_an_ad_is_not_submitted_resumed_or_appealed_once_its_schedule_is_over(self, desk, post):
        group = desk.group(ends_in=self.DAY)
        ads = desk.spark.ads
        tries = {
            "submit": desk.ad_in("authorized", post, group=group),
            "resume": desk.ad_in("paused", post, group=group),
            "appeal": desk.ad_in("rejected", post, group=group),
            "resubmit": desk.ad_in("rejected", post, group=group),
        }
        desk.clock.advance(days=1)
        for verb, ad in tries.items():
            refusal = desk.refusal(GuardRefused, getattr(ads, verb), ad)
            assert "ended on 2026-03-02 12:30 UTC; reschedule that first" in refusal

    @pytest.mark.parametrize(
        ("starts_at", "ends_at", "problem"),
        [
            (
                datetime(2026, 5, 2, tzinfo=UTC),
                datetime(2026, 5, 1, tzinfo=UTC),
                (
                    "expected the schedule to end after it starts, got 2026-05-02T00:00:00+00:00 to "
                    "2026-05-01T00:00:00+00:00"
                ),
            ),
            (
                datetime(2026, 5, 2),  # noqa: DTZ001
                None,
                "expected the start of the schedule to have a time zone, got 2026-05-02T00:00:00; write Z for UTC",
            ),
            (
                datetime(2026, 5, 2, tzinfo=UTC),
                datetime(9999, 5, 1, tzinfo=UTC),
                "expected the end of the schedule to be in the years 1970 to 8999, got 9999-05-01T00:00:00+00:00",
            ),
        ],
    )
    def test_a_schedule_is_checked(self, desk, starts_at, ends_at, problem):
        group = desk.group()
        schedule = {"starts_at": starts_at, "ends_at": ends_at}
        groups = desk.spark.ad_groups
        assert desk.refusal(WrongInput, groups.create, group.campaign_id, "AT", **schedule) == problem
        assert desk.refusal(WrongInput, groups.reschedule, group, **schedule) == problem
