"""Two at once: whoever comes first, the rules hold; real threads, each with connections of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from sparkads.errors import RuleBroken
from sparkads.importing import import_file
from sparkads.portfolio import SparkAds
from sparkads.settings import Settings
from statewright.errors import Conflict, EventNotPossible, GuardRefused, StatewrightError
from statewright.log import entries
from statewright.testing import replay, states

ROUNDS = pytest.mark.parametrize("attempt", range(6))

Act = Callable[[SparkAds], Any]


class Crowd:
    """Several programs that use one database."""

    def __init__(self, desk: Any, number: int) -> None:
        settings = Settings(synchronous="NORMAL", ads_per_account=desk.spark.settings.ads_per_account)
        self.members = [
            SparkAds(desk.place.url, settings=settings, clock=desk.clock, create=False) for _ in range(number)
        ]

    def act(self, *acts: Act) -> list[Any]:
        """What came of these acts, begun at the same moment: a result each, or the error that refused it."""
        barrier = Barrier(len(acts))

        def run(spark: SparkAds, act: Act) -> Any:
            with spark.reading() as session:
                # Nobody loses the race by having to connect first.
                session.connection()
            barrier.wait(timeout=10)
            try:
                return act(spark)
            except StatewrightError as error:
                return error

        with ThreadPoolExecutor(len(acts)) as pool:
            return list(pool.map(run, self.members, acts))


@pytest.fixture
def crowd(desk) -> Iterator[Crowd]:
    crowd = Crowd(desk, 4)
    yield crowd
    for spark in crowd.members:
        spark.close()


@pytest.fixture(autouse=True)
def the_log_replays(desk) -> Iterator[None]:
    """Whatever happened, the history leads to exactly the present states."""
    yield
    with desk.spark.reading() as session:
        assert replay(entries(session)) == states(session, desk.spark.workflows)


def kinds(outcomes):
    return Counter(type(outcome) for outcome in outcomes if isinstance(outcome, Exception))


@ROUNDS
def test_a_code_is_deleted_or_an_ad_is_put_on_it_but_not_both(desk, crowd, attempt):
    post, group = desk.post(), desk.group()
    code = desk.code(post)
    deletion, ad = crowd.act(
        lambda spark: spark.codes.delete(code, actor="leo"),
        lambda spark: spark.ads.create("Spring", ad_group=group, post=post, actor="ana"),
    )
    used = [code.id for code in desk.spark.ads.codes(ad)]
    if isinstance(deletion, GuardRefused):
        assert [blocker.id for blocker in deletion.blockers] == [ad.id]
        assert (desk.state(code), ad.state, used) == ("authorized", "authorized", [code.id])
    else:
        assert (desk.state(code), ad.state, used) == ("deleted", "pending", [])


@ROUNDS
def test_a_code_is_deleted_or_its_last_ad_still_stands(desk, crowd, attempt):
    post = desk.post()
    code = desk.code(post)
    ad = desk.live(post)
    deletion, gone = crowd.act(
        lambda spark: spark.codes.delete(code, actor="leo"), lambda spark: spark.ads.delete(ad, actor="ana")
    )
    assert gone.state == "deleted"
    assert desk.state(code) == ("authorized" if isinstance(deletion, GuardRefused) else "deleted")


@ROUNDS
def test_a_code_that_two_delete_is_deleted_once(desk, crowd, attempt):
    code = desk.code(desk.post())
    outcomes = crowd.act(*[lambda spark: spark.codes.delete(code, actor="ana")] * 4)
    assert kinds(outcomes) == {EventNotPossible: 3}
    assert [entry.event for entry in desk.spark.codes.history(code)].count("delete") == 1


@pytest.mark.parametrize("free", [0, 1, 2])
def test_the_cap_is_exact_when_several_create_ads_at_once(open_desk, free):
    desk = open_desk(ads_per_account=2)
    post, group = desk.post(), desk.group()
    for _ in range(2 - free):
        desk.ad(post, group=group)
    crowd = Crowd(desk, 4)
    outcomes = crowd.act(
        *[
            lambda spark, name=f"late {number}": spark.ads.create(name, ad_group=group, post=post, actor="ana")
            for number in range(4)
        ]
    )
    for spark in crowd.members:
        spark.close()
    assert kinds(outcomes) == {RuleBroken: 4 - free}
    assert len(desk.spark.ads.list()) == 2


@ROUNDS
def test_a_code_that_ends_and_is_extended_at_the_same_instant_goes_on(desk, crowd, attempt):
    post = desk.post()
    code = desk.code(post, days=7)
    ad = desk.live(post)
    desk.clock.set(code.expires_at)
    tick, extended = crowd.act(
        lambda spark: spark.tick(pause=0), lambda spark: spark.codes.extend(code, days=30, actor="mia")
    )
    assert (extended.expires_at - desk.now).days == 30
    expired = tick.moved.get(("video_code", "expire"), 0)
    assert desk.states(code, ad) == (["authorized", "authorized"] if expired else ["live", "live"])
    assert desk.spark.tick(pause=0).moved == {}


@ROUNDS
def test_an_ad_is_not_submitted_past_the_revocation_of_its_code(desk, crowd, attempt):
    post = desk.post()
    code = desk.code(post)
    ad = desk.ad(post)
    revoked, submission = crowd.act(
        lambda spark: spark.codes.revoke(code, actor="mia"), lambda spark: spark.ads.submit(ad, actor="ana")
    )
    assert revoked.state == "revoked"
    assert desk.states(code, ad) == ["revoked", "expired"]
    if isinstance(submission, EventNotPossible):
        assert "it is expired (it still needs 1 authorized code" in str(submission)
    else:
        assert submission.state == "in_review"


@ROUNDS
def test_an_ad_gets_its_code_whichever_of_the_two_comes_first(desk, crowd, attempt):
    post, group, secret = desk.post(), desk.group(), desk.secret()
    pending = desk.pending_code(post)
    ad, received, _ = crowd.act(
        lambda spark: spark.ads.create("Spring", ad_group=group, post=post, actor="ana"),
        lambda spark: spark.codes.receive(secret, post=post, days=7, issued_at=desk.now, actor="ana"),
        lambda spark: spark.codes.authorize(pending, actor="tiktok"),
    )
    assert received.state == "pending"
    assert desk.states(ad, pending) == ["authorized", "authorized"]


@ROUNDS
def test_a_call_sent_twice_with_one_key_happens_once(desk, crowd, attempt):
    code = desk.code(desk.post())
    extensions = crowd.act(*[lambda spark: spark.codes.extend(code, days=30, actor="mia", key="mail 17")] * 4)
    assert kinds(extensions) == {}
    assert {(row.expires_at - code.expires_at).days for row in extensions} == {30}

    post, secret = desk.post(), desk.secret()
    received = crowd.act(
        *[
            lambda spark: spark.codes.receive(
                secret, post=post, days=30, issued_at=desk.now, actor="ana", key="mail 18"
            )
        ]
        * 4
    )
    assert kinds(received) == {}
    assert len({row.id for row in received}) == 1


@ROUNDS
def test_one_key_for_calls_on_different_codes_serves_the_first_and_the_others_are_told(desk, crowd, attempt):
    codes = [desk.code(desk.post()) for _ in range(4)]
    outcomes = crowd.act(
        *[lambda spark, code=code: spark.codes.extend(code, days=30, actor="mia", key="mail 19") for code in codes]
    )
    assert kinds(outcomes) == {Conflict: 3}
    assert {
        str(each).partition(": ")[2].partition(" to ")[0] for each in outcomes if isinstance(each, Conflict)
    } == {"the key 'mail 19' was used"}


@ROUNDS
def test_a_code_entered_by_several_at_once_is_entered_once(desk, crowd, attempt):
    post, secret = desk.post(), desk.secret()
    received = crowd.act(
        *[lambda spark: spark.codes.receive(secret, post=post, days=30, issued_at=desk.now, actor="ana")] * 4
    )
    assert kinds(received) == {RuleBroken: 3}
    assert len(desk.spark.codes.list()) == 1
    assert len(desk.spark.accounts.identities(desk.brand)) == 1


def test_two_daemons_on_one_file_expire_everything_once(desk, crowd):
    posts = [desk.post() for _ in range(40)]
    group = desk.group()
    for post in posts:
        desk.code(post, days=7)
        desk.ad(post, group=group)
    desk.clock.advance(days=7)
    ticks = crowd.act(*[lambda spark: spark.tick(pause=0, batch=5)] * 4)
    moved = sum((Counter(tick.moved) for tick in ticks), Counter())
    assert moved == {("video_code", "expire"): 40, ("spark_ad", "lose_authorization"): 40}


@ROUNDS
def test_the_two_codes_of_one_ad_end_at_once_in_two_daemons(desk, crowd, attempt):
    original = desk.post("mia")
    duets = [desk.duet(original) for _ in range(6)]
    codes = [desk.code(post, days=7) for post in (original, *duets)]
    ads = [desk.live(duet) for duet in duets]
    desk.clock.advance(days=7)
    ticks = crowd.act(*[lambda spark: spark.tick(pause=0, batch=1)] * 2)
    assert kinds(ticks) == {}
    desk.spark.tick(pause=0)
    assert {*desk.states(*codes, *ads)} == {"expired"}
    for code in codes:
        assert [entry.event for entry in desk.spark.codes.history(code)].count("expire") == 1


@ROUNDS
def test_one_file_that_two_import_at_once_is_taken_once(desk, crowd, attempt, tmp_path):
    file = tmp_path / "codes.csv"
    header = "account,code,post,days,issued_at"
    lines = [
        f"Brand,{desk.secret()},https://www.tiktok.com/@mia/video/73{number:017},30,2026-02-20T12:00:00Z"
        for number in range(40)
    ]
    file.write_text("\n".join((header, *lines)))
    done = crowd.act(*[lambda spark: import_file(spark, file, actor="ana")] * 2)
    assert kinds(done) == {}
    assert sorted((each.taken, each.unchanged) for each in done) == [(0, 40), (40, 0)]
    assert len(desk.spark.codes.list()) == 40


def sheet(folder, **facts):
    """A file of one row."""
    file = folder / "sheet.csv"
    file.write_text(f"{','.join(facts)}\n{','.join(map(str, facts.values()))}\n")
    return file


def ad_of(post):
    return {"campaign": "Imported", "ad_group": "All", "name": "Spring", "post": post.item_id, "creator": "mia"}


def pending(desk, folder):
    """A code that TikTok has not accepted yet, and a file with an ad of its post."""
    post = desk.post("mia")
    return desk.pending_code(post), sheet(folder, **ad_of(post))


def expect_both_authorized(desk, crowd, file, code):
    """The ad of this file, which is imported while its code is authorized."""
    done, _ = crowd.act(
        lambda spark: import_file(spark, file, actor="ana"),
        lambda spark: spark.codes.authorize(code, actor="tiktok"),
    )
    (ad,) = desk.spark.ads.list()
    assert (done.taken, ad.state, desk.state(code)) == (1, "authorized", "authorized")


@ROUNDS
def test_an_imported_ad_is_authorized_whenever_its_code_is(desk, crowd, attempt, tmp_path):
    code, file = pending(desk, tmp_path)
    expect_both_authorized(desk, crowd, file, code)


@ROUNDS
def test_an_imported_ad_of_a_new_duet_is_authorized_whenever_its_original_is(desk, crowd, attempt, tmp_path):
    original = desk.post("mia")
    code = desk.pending_code(original)
    # The duet is the account's own, so that it needs no code but that of its original.
    duet = {"post": "7301234567890123456", "creator": "brand", "kind": "duet", "original": original.item_id}
    file = sheet(tmp_path, **{**ad_of(original), **duet, "identity": "linked"})
    desk.spark.accounts.link(desk.brand, "@brand", actor="ana")
    expect_both_authorized(desk, crowd, file, code)


@ROUNDS
def test_an_imported_ad_appears_by_the_code_that_is_received_meanwhile(desk, crowd, attempt, tmp_path):
    post, secret = desk.post("mia"), desk.secret()
    file = sheet(tmp_path, **ad_of(post))
    _, code = crowd.act(
        lambda spark: import_file(spark, file, actor="ana"),
        lambda spark: spark.codes.receive(secret, post=post, days=30, issued_at=desk.now, actor="ana"),
    )
    desk.spark.codes.authorize(code, actor="tiktok")
    assert [ad.state for ad in desk.spark.ads.list()] == ["authorized"]


@ROUNDS
def test_an_imported_code_finds_the_ad_that_is_made_meanwhile(desk, crowd, attempt, tmp_path):
    post, group = desk.post("mia"), desk.group()
    issued = desk.now.isoformat()
    facts = {"code": desk.secret(), "post": post.item_id, "days": 30, "issued_at": issued, "state": "authorized"}
    file = sheet(tmp_path, **facts)
    done, ad = crowd.act(
        lambda spark: import_file(spark, file, actor="ana"),
        lambda spark: spark.ads.create("Spring", ad_group=group, post=post, actor="ana"),
    )
    assert done.taken == 1
    assert desk.spark.ads.get(ad).identity_id is not None
    assert desk.state(ad) == "authorized"


@ROUNDS
def test_no_imported_ad_stands_on_a_code_that_is_deleted_meanwhile(desk, crowd, attempt, tmp_path):
    code, file = pending(desk, tmp_path)
    _, deletion = crowd.act(
        lambda spark: import_file(spark, file, actor="ana"), lambda spark: spark.codes.delete(code, actor="leo")
    )
    (ad,) = desk.spark.ads.list()
    used = [one.id for one in desk.spark.ads.codes(ad)]
    if isinstance(deletion, GuardRefused):
        assert (desk.state(code), used) == ("pending", [code.id])
    else:
        assert (desk.state(code), used) == ("deleted", [])


@ROUNDS
def test_an_ad_group_is_deleted_or_an_import_puts_an_ad_into_it_but_not_both(desk, crowd, attempt, tmp_path):
    post, group = desk.post("mia"), desk.group()
    campaign = desk.spark.campaigns.get(group.campaign_id)
    file = sheet(tmp_path, **{**ad_of(post), "campaign": campaign.name, "ad_group": group.name})
    done, deletion = crowd.act(
        lambda spark: import_file(spark, file, actor="ana"),
        lambda spark: spark.ad_groups.delete(group, actor="leo"),
    )
    assert done.taken == isinstance(deletion, GuardRefused)
    assert len(desk.spark.ads.list()) == done.taken


@ROUNDS
def test_the_cap_is_exact_when_an_import_and_a_call_make_ads_at_once(open_desk, attempt, tmp_path):
    desk = open_desk(ads_per_account=2)
    post, group = desk.post("mia"), desk.group()
    desk.ad(post, group=group)
    crowd = Crowd(desk, 2)
    file = sheet(tmp_path, **ad_of(post))
    crowd.act(
        lambda spark: import_file(spark, file, actor="ana"),
        lambda spark: spark.ads.create("late", ad_group=group, post=post, actor="ana"),
    )
    for spark in crowd.members:
        spark.close()
    assert len(desk.spark.ads.list()) == 2


@ROUNDS
def test_an_ad_group_is_deleted_or_gets_an_ad_but_not_both(desk, crowd, attempt):
    post, group = desk.post(), desk.group()
    deletion, ad = crowd.act(
        lambda spark: spark.ad_groups.delete(group, actor="leo"),
        lambda spark: spark.ads.create("Spring", ad_group=group, post=post, actor="ana"),
    )
    assert isinstance(deletion, GuardRefused) != isinstance(ad, RuleBroken)
