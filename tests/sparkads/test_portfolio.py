"""SparkAds as programs use it: what it finds, what it moves in bulk, and what a call leaves behind."""

from __future__ import annotations

import pickle
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlmodel import Session

from sparkads import RuleBroken, SparkAds, WrongInput, load_settings
from sparkads.tables import AdAccount, Post, SparkAd, VideoCode
from statewright.errors import (
    Conflict,
    EventNotPossible,
    GuardRefused,
    StatewrightError,
    StoreError,
    UnknownRow,
    WrongArguments,
)

DAY = timedelta(days=1)


def ids(rows):
    return [row.id for row in rows]


class TestFinding:
    @pytest.fixture
    def shelf(self, desk):
        """Codes of two creators in two accounts, in several states, with an ad each."""
        other = desk.spark.accounts.add("Other", actor="ana")
        posts = desk.post("mia"), desk.post("mia"), desk.post("leo"), desk.post("zoe")
        codes = (
            desk.code(posts[0], days=7),
            desk.pending_code(posts[1], days=30),
            desk.code(posts[2], days=60),
            desk.code(posts[3], days=365, account=other),
        )
        ads = (
            desk.live(posts[0]),
            desk.ad(posts[1]),
            desk.submitted(posts[2]),
            desk.ad(posts[3], group=desk.group(account=other)),
        )
        return other, posts, codes, ads

    def test_codes_are_found_by_state_account_creator_post_and_id(self, spark, shelf):
        other, posts, codes, _ = shelf
        found = spark.codes.list
        assert ids(found()) == ids(codes)
        assert ids(found(state="pending")) == [codes[1].id]
        assert ids(found(state=["live", "in_review"])) == [codes[0].id, codes[2].id]
        assert ids(found(account=other)) == ids(found(account=other.id)) == [codes[3].id]
        assert ids(found(creator="@MIA")) == ids(codes[:2])
        assert ids(found(post=posts[2])) == [codes[2].id]
        assert ids(found(ids=[codes[3].id, codes[0].id])) == [codes[0].id, codes[3].id]
        assert found(ids=[]) == []
        assert ids(found(creator="mia", state="pending")) == [codes[1].id]
        assert found(creator="nobody") == []

    def test_ads_are_found_by_state_account_campaign_group_creator_post_and_code(self, spark, shelf):
        other, posts, codes, ads = shelf
        found = spark.ads.list
        group = spark.ad_groups.get(ads[1].ad_group_id)
        assert ids(found()) == ids(ads)
        assert ids(found(state=["pending", "live"])) == [ads[0].id, ads[1].id]
        assert ids(found(account=other)) == [ads[3].id]
        assert ids(found(campaign=group.campaign_id)) == ids(found(ad_group=group)) == [ads[1].id]
        assert ids(found(creator="mia")) == ids(ads[:2])
        assert ids(found(post=posts[2])) == [ads[2].id]
        assert ids(found(code=codes[0])) == [ads[0].id]

    def test_posts_accounts_campaigns_and_groups_are_found_too(self, spark, shelf):
        other, posts, _, ads = shelf
        assert ids(spark.posts.list(creator="mia")) == ids(posts[:2])
        assert ids(spark.posts.list(state="public", kind="original")) == ids(posts)
        assert spark.posts.find(posts[0].item_id).id == posts[0].id
        assert spark.posts.find(f"https://www.tiktok.com/@mia/video/{posts[0].item_id}?x=1").id == posts[0].id
        assert spark.posts.find("7" * 19) is None
        assert [account.name for account in spark.accounts.list()] == ["Brand", "Other"]
        assert spark.accounts.named("Other").id == other.id
        assert len(spark.campaigns.list(account=other)) == 1
        group = spark.ad_groups.get(ads[0].ad_group_id)
        assert ids(spark.ad_groups.list(campaign=group.campaign_id, name=group.name)) == [group.id]

    def test_a_list_is_read_page_by_page(self, spark, shelf):
        _, _, codes, _ = shelf
        first = spark.codes.list(limit=3)
        assert ids(first) == ids(codes[:3])
        assert ids(spark.codes.list(limit=3, after=first[-1].id)) == [codes[3].id]

    def test_a_list_has_100_rows_unless_asked_for_more(self, desk, spark):
        post = desk.post()
        for _ in range(101):
            desk.pending_code(post)
        assert len(spark.codes.list()) == 100
        assert len(spark.codes.list(limit=None)) == 101

    def test_codes_that_end_soon_are_found_the_soonest_first(self, desk, spark):
        post, expiring = desk.post("mia"), spark.codes.expiring
        month, week = desk.code(post, days=30), desk.pending_code(post, days=7)
        theirs = desk.code(desk.post("leo"), days=7)
        revoked = spark.codes.revoke(desk.code(post, days=7), actor="mia")
        assert ids(expiring(within=7 * DAY)) == [week.id, theirs.id]
        assert ids(expiring(within=7 * DAY - timedelta(microseconds=1))) == []
        assert ids(expiring(within=30 * DAY)) == [week.id, theirs.id, month.id]
        assert ids(expiring(within=365 * DAY, creator="mia")) == [week.id, month.id]
        assert ids(expiring(within=timedelta.max)) == [week.id, theirs.id, month.id]
        assert ids(expiring(within=-DAY)) == []
        assert revoked.expires_at == week.expires_at
        desk.pass_time(days=7)
        assert ids(expiring(within=30 * DAY)) == [month.id]

    def test_a_row_that_is_not_there_is_said_not_to_be(self, spark):
        nouns = {
            "video code": spark.codes,
            "spark ad": spark.ads,
            "post": spark.posts,
            "ad account": spark.accounts,
            "campaign": spark.campaigns,
            "ad group": spark.ad_groups,
        }
        for name, noun in nouns.items():
            for missing in (404, 0, -1, 2**63 - 1):
                for look in (noun.get, noun.can, noun.history, noun.waiting_for):
                    with pytest.raises(UnknownRow) as refused:
                        look(missing)
                    assert str(refused.value) == f"there is no {name} {missing}"

    @pytest.mark.parametrize("subject", [None, "7", 7.0, True, 2**63, object])
    def test_what_is_neither_a_row_nor_an_id_is_said_not_to_be(self, spark, subject):
        for call in (spark.codes.get, spark.codes.can, spark.ads.waiting_for):
            with pytest.raises(WrongInput, match="expected a row or its id, got "):
                call(subject)

    def test_a_row_of_another_kind_is_not_mistaken_for_one_with_the_same_id(self, desk, spark):
        post = desk.post()
        code = desk.code(post)
        ad = desk.ad(post)
        assert ad.id == code.id
        refusal = desk.refusal(WrongInput, spark.ads.delete, code)
        assert refusal == "expected a spark ad or its id, got a VideoCode"
        refusal = desk.refusal(WrongInput, spark.codes.extend, ad, days=30)
        assert refusal == "expected a video code or its id, got a SparkAd"


class TestRowsAndIds:
    def test_verbs_take_a_row_or_its_id_and_return_the_fresh_row(self, desk, spark):
        post = spark.posts.add("7" * 19, creator="mia", actor="ana")
        code = spark.codes.receive(desk.secret(), post=post.id, days=30, issued_at=desk.now, actor="ana")
        group = desk.group()
        ad = spark.ads.create("Spring", ad_group=group.id, post=post, actor="ana")
        assert spark.codes.authorize(code.id, actor="tiktok").state == "authorized"
        submitted = spark.ads.submit(ad, actor="ana")
        assert (submitted.id, submitted.state) == (ad.id, "in_review")
        assert spark.ads.approve(ad.id, actor="tiktok").state == "live"
        assert spark.codes.get(code).state == spark.codes.get(code.id).state == "live"

    def test_a_row_shows_what_was_true_when_it_was_read(self, desk, spark):
        post = desk.post()
        code = desk.code(post)
        ad = desk.ad(post)
        spark.ads.submit(ad, actor="ana")
        assert (ad.state, code.state) == ("authorized", "authorized")
        assert (spark.ads.get(ad).state, spark.codes.get(code).state) == ("in_review", "in_review")

    def test_rows_are_plain_models_that_can_be_read_when_the_portfolio_is_closed(self, desk, spark):
        code = desk.code(desk.post())
        spark.close()
        assert isinstance(code, VideoCode)
        assert code.expires_at - code.issued_at == 30 * DAY
        assert code.expires_at.tzinfo is not None

    def test_posts_are_given_by_id_or_by_url_that_names_the_creator(self, spark):
        url = "https://www.tiktok.com/@Mia.Makes/video/7301234567890123456"
        post = spark.posts.add(url, actor="ana")
        assert (post.item_id, post.creator) == ("7301234567890123456", "mia.makes")
        for item, creator in (("m.tiktok.com/@leo/photo/7301234567890123457?x=1", "@Leo"), ("7" * 19, "leo")):
            assert spark.posts.add(item, creator=creator, actor="ana").creator == "leo"

    @pytest.mark.parametrize(
        ("item", "creator", "problem"),
        [
            (
                "7" * 19,
                None,
                "expected the creator of post 7777777777777777777: name them, or give ",
            ),
            (
                "https://www.tiktok.com/@mia/video/7301234567890123456",
                "leo",
                "expected one creator of post 7301234567890123456, got @leo and, in the URL, @mia",
            ),
            ("12345", "mia", "expected a post as its id (about 19 digits) or its URL"),
            (
                "https://vm.tiktok.com/ZM123/",
                "mia",
                "expected a post as its id (about 19 digits) or its URL like ",
            ),
            ("", "mia", "expected a post's id or URL, got nothing"),
            ("7" * 5000, "mia", "expected a post's id or URL to be at most 2,000 characters, got 5,000"),
        ],
    )
    def test_posts_that_cannot_be_are_refused(self, desk, spark, item, creator, problem):
        assert desk.refusal(WrongInput, spark.posts.add, item, creator=creator).startswith(problem)

    def test_a_post_is_added_once(self, desk, spark):
        post = desk.post()
        refusal = desk.refusal(RuleBroken, spark.posts.add, post.item_id, creator="mia")
        assert refusal == f"cannot add post {post.item_id}: it is there already"

    def test_the_only_account_need_not_be_named(self, desk, spark):
        code = spark.codes.receive(desk.secret(), post=desk.post(), days=7, issued_at=desk.now, actor="ana")
        assert code.account_id == desk.brand.id
        other = spark.accounts.add("Other", actor="ana")
        with pytest.raises(WrongInput, match="there are several accounts; say which"):
            spark.codes.receive(desk.secret(), post=desk.post(), days=7, issued_at=desk.now, actor="ana")
        spark.accounts.close(other, actor="ana")
        assert spark.campaigns.create("Spring", actor="ana").account_id == desk.brand.id

    def test_an_account_may_be_renamed(self, desk, spark):
        assert spark.accounts.rename(desk.brand, "Outlet", actor="ana").name == "Outlet"
        other = spark.accounts.add("Other", actor="ana")
        refusal = desk.refusal(StatewrightError, spark.accounts.rename, other, "Outlet")
        assert refusal == 'cannot rename account "Other": there is one named "Outlet" already'


class TestBulk:
    @pytest.fixture
    def ads(self, desk):
        """Three ads that are ready and one that waits for its code."""
        posts = [desk.post("mia") for _ in range(4)]
        for post in posts[:3]:
            desk.code(post)
        return [desk.ad(post) for post in posts]

    def test_every_bulk_verb_does_what_its_verb_does_and_leaves_the_rest(self, desk, spark, ads):
        everybody = {"account": desk.brand, "actor": "ana"}
        for verb, target in (
            ("submit", "in_review"),
            ("approve", "live"),
            ("pause", "paused"),
            ("resume", "live"),
        ):
            assert getattr(spark.ads, f"{verb}_all")(**everybody).rows == 3
            assert desk.states(*ads) == [target, target, target, "pending"]
        moved = spark.ads.delete_all(**everybody)
        assert (moved.rows, moved.replayed) == (4, False)
        assert moved.cascaded[("video_code", "follow")] == 3
        assert desk.states(*ads) == ["deleted"] * 4
        assert spark.codes.delete_all(**everybody).rows == 3

    def test_codes_are_authorized_in_bulk_with_their_ads(self, desk, spark):
        posts = [desk.post("mia"), desk.post("leo")]
        codes = [desk.pending_code(post) for post in posts]
        ads = [desk.ad(post) for post in posts]
        assert spark.codes.authorize_all(creator="mia", state="pending", actor="tiktok").rows == 1
        assert desk.states(*codes, *ads) == ["authorized", "pending", "authorized", "pending"]

    def test_codes_are_extended_in_bulk_with_their_ads(self, desk, spark):
        posts = [desk.post(), desk.post()]
        codes = [desk.code(post, days=7) for post in posts]
        ads = [desk.live(post) for post in posts]
        desk.pass_time(days=7)
        assert spark.codes.extend_all(state="expired", days=30, actor="mia").rows == 2
        assert desk.states(*codes, *ads) == ["authorized"] * 4

    def test_codes_that_end_soon_are_extended_in_bulk(self, desk, spark):
        soon, late = desk.code(desk.post(), days=7), desk.code(desk.post(), days=60)
        assert spark.codes.extend_all(expiring_within=7 * DAY, days=30, actor="mia").rows == 1
        assert spark.codes.get(soon).expires_at == soon.expires_at + 30 * DAY
        assert spark.codes.get(late).expires_at == late.expires_at

    def test_a_selection_that_holds_nothing_moves_nothing(self, desk, spark, ads):
        assert spark.ads.submit_all(creator="nobody", actor="ana").rows == 0
        assert spark.ads.submit_all(ids=[], actor="ana").rows == 0
        assert desk.states(*ads[:3]) == ["authorized"] * 3

    def test_a_bulk_verb_is_previewed_and_writes_nothing(self, desk, spark, ads):
        desk.spark.ads.submit(ads[0], actor="ana")
        before = desk.everything()
        preview = spark.ads.preview("submit", account=desk.brand)
        assert preview.moving == {"in_review": 2}
        assert preview.refused == {"is in review": 1, "not covered": 1}
        preview = spark.codes.preview("extend", arguments={"days": 30}, creator="mia")
        assert preview.moving == {"in_review": 1, "authorized": 2}
        assert desk.everything() == before

    def test_a_preview_and_the_verb_agree(self, desk, spark, ads):
        for verb in ("submit", "approve", "pause", "resume", "delete"):
            preview = spark.ads.preview(verb)
            moved = getattr(spark.ads, f"{verb}_all")(actor="ana")
            assert sum(preview.moving.values()) == moved.rows

    def test_a_preview_of_what_is_no_event_says_so(self, spark):
        with pytest.raises(StatewrightError, match="cannot fly spark ad: there is no such event"):
            spark.ads.preview("fly")


class TestKeys:
    """An idempotency key makes a call that was sent twice happen once."""

    def test_a_row_is_created_once(self, desk, spark):
        post, group = desk.post(), desk.group()
        creations = (
            lambda key: spark.accounts.add("Other", actor="ana", key=key),
            lambda key: spark.posts.add("7" * 19, creator="mia", actor="ana", key=key),
            lambda key: spark.posts.push("brand", actor="ana", key=key),
            lambda key: spark.codes.receive(
                "#kZ7", post=post, days=7, issued_at=desk.now, account=desk.brand, actor="ana", key=key
            ),
            lambda key: spark.campaigns.create("C", account=desk.brand, actor="ana", key=key),
            lambda key: spark.ad_groups.create(group.campaign_id, "G", actor="ana", key=key),
            lambda key: spark.ads.create("A", ad_group=group, post=post, actor="ana", key=key),
        )
        for number, create in enumerate(creations):
            first = create(f"key {number}")
            before = desk.everything()
            again = create(f"key {number}")
            assert (type(again), again.id) == (type(first), first.id)
            assert desk.everything() == before

    def test_a_row_is_moved_once(self, desk, spark):
        code = desk.code(desk.post())
        first = spark.codes.extend(code, days=30, actor="mia", key="mail 17")
        again = spark.codes.extend(code, days=30, actor="mia", key="mail 17")
        assert first.expires_at == again.expires_at == code.expires_at + 30 * DAY
        assert spark.codes.extend(code, days=30, actor="mia", key="mail 18").expires_at > again.expires_at

    def test_a_call_that_was_made_is_no_error_though_it_is_impossible_by_now(self, desk, spark):
        post = desk.post()
        desk.code(post)
        ad = desk.ad(post)
        spark.ads.submit(ad, actor="ana", key="one")
        spark.ads.approve(ad, actor="tiktok")
        assert spark.ads.submit(ad, actor="ana", key="one").state == "live"

    def test_a_call_that_was_refused_may_be_made_again_with_its_key(self, desk, spark):
        code = desk.pending_code(desk.post(), days=7)
        desk.clock.advance(days=8)
        with pytest.raises(GuardRefused):
            spark.codes.authorize(code, actor="tiktok", key="one")
        spark.codes.extend(code, days=7, actor="mia")
        assert spark.codes.authorize(code, actor="tiktok", key="one").state == "authorized"

    def test_a_bulk_call_is_made_once(self, desk, spark):
        first = desk.code(desk.post())
        moved = spark.codes.extend_all(days=30, actor="mia", key="one")
        later = desk.code(desk.post())
        again = spark.codes.extend_all(days=30, actor="mia", key="one")
        assert (moved.rows, moved.replayed, again.rows, again.replayed) == (1, False, 1, True)
        assert spark.codes.get(first).expires_at == first.expires_at + 30 * DAY
        assert spark.codes.get(later).expires_at == later.expires_at

    def test_a_key_is_for_one_call_alone(self, desk, spark):
        code, other = desk.code(desk.post()), desk.code(desk.post())
        spark.codes.extend(code, days=30, actor="mia", key="one")
        used = f"the key 'one' was used to extend video code {code.id}"
        for call, what in (
            (spark.codes.extend, {"code": other, "days": 30}),
            (spark.codes.extend, {"code": code, "days": 60}),
            (spark.codes.revoke, {"code": code}),
            (spark.ads.delete, {"ad": desk.ad(desk.post())}),
        ):
            refusal = desk.refusal(Conflict, call, **what, key="one")
            assert used in refusal
            assert refusal.endswith("; choose another")
        refusal = desk.refusal(Conflict, spark.posts.push, "brand", key="one")
        assert refusal == "cannot create post: the key 'one' was used for something else; choose another"


class TestOwnTransaction:
    """Several calls, and the caller's own rows, last together or not at all."""

    def test_calls_in_one_transaction_last_together(self, desk, spark):
        post, group = desk.post(), desk.group()
        with spark.transaction() as session:
            code = spark.codes.receive(
                desk.secret(), post=post, days=30, issued_at=desk.now, actor="ana", session=session
            )
            spark.codes.authorize(code, actor="tiktok", session=session)
            ad = spark.ads.create("Spring", ad_group=group, post=post, actor="ana", session=session)
            assert spark.ads.get(ad, session=session).state == "authorized"
            with pytest.raises(UnknownRow):
                spark.ads.get(ad)
        assert desk.states(code, ad) == ["authorized", "authorized"]

    def test_calls_in_one_transaction_are_undone_together(self, desk, spark):
        post = desk.post()
        code = desk.code(post)
        before = desk.everything()

        def spoil() -> None:
            with spark.transaction() as session:
                desk_group = spark.ad_groups.list(session=session)
                assert desk_group == []
                spark.codes.extend(code, days=30, actor="mia", session=session)
                spark.posts.disable_ads(post, actor="mia", session=session)
                assert spark.codes.get(code, session=session).state == "revoked"
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            spoil()
        assert desk.everything() == before

    def test_a_refused_call_is_undone_alone_and_the_rest_goes_on(self, desk, spark):
        post = desk.post()
        code = desk.code(post)
        ad = desk.ad(post)
        with spark.transaction() as session:
            spark.codes.extend(code, days=30, actor="mia", session=session)
            with pytest.raises(GuardRefused):
                spark.codes.delete(code, actor="ana", session=session)
            with pytest.raises(RuleBroken):
                spark.posts.add(post.item_id, creator="mia", actor="ana", session=session)
            spark.ads.submit(ad, actor="ana", session=session)
        assert desk.states(code, ad) == ["in_review", "in_review"]
        assert spark.codes.get(code).expires_at == code.expires_at + 30 * DAY

    def test_a_part_of_a_transaction_that_fails_is_undone_alone(self, desk, spark):
        code, other = desk.code(desk.post()), desk.code(desk.post())

        def spoil(session: Session) -> None:
            with spark.transaction(session):
                spark.codes.revoke(code, actor="mia", session=session)
                raise ZeroDivisionError

        with spark.transaction() as session:
            with pytest.raises(ZeroDivisionError):
                spoil(session)
            spark.codes.revoke(other, actor="mia", session=session)
        assert desk.states(code, other) == ["authorized", "revoked"]

    def test_the_callers_own_tables_take_part(self, desk, spark):
        code = desk.code(desk.post())
        desk.sql("CREATE TABLE invoice (code_id INTEGER, euros INTEGER)")

        def bill(euros, *, fail):
            with spark.transaction() as session:
                session.connection().execute(text(f"INSERT INTO invoice VALUES ({code.id}, {euros})"))
                spark.codes.extend(code, days=30, actor="mia", session=session)
                assert not fail

        with pytest.raises(AssertionError):
            bill(100, fail=True)
        assert desk.sql("SELECT * FROM invoice") == []
        assert spark.codes.get(code).expires_at == code.expires_at
        bill(200, fail=False)
        assert desk.sql("SELECT * FROM invoice") == [(code.id, 200)]
        assert spark.codes.get(code).expires_at == code.expires_at + 30 * DAY

    def test_rows_held_in_the_transaction_show_what_became_of_them(self, desk, spark):
        post = desk.post()
        code = desk.code(post)
        ad = desk.ad(post)
        with spark.transaction() as session:
            held_code, held_ad = session.get(VideoCode, code.id), session.get(SparkAd, ad.id)
            assert held_code is not None
            assert held_ad is not None
            spark.ads.submit(ad, actor="ana", session=session)
            assert (held_ad.state, held_code.state) == ("in_review", "in_review")
            spark.codes.revoke(code, actor="mia", session=session)
            assert (held_ad.state, held_code.state) == ("expired", "revoked")

    def test_rows_changed_in_the_transaction_are_written_before_a_verb_looks(self, desk, spark):
        post = desk.post("mia")
        with spark.transaction() as session:
            held = session.get(Post, post.id)
            assert held is not None
            held.ads_enabled = False
            with pytest.raises(GuardRefused, match="ad authorization is switched off"):
                spark.codes.receive(
                    desk.secret(), post=post, days=30, issued_at=desk.now, actor="ana", session=session
                )

    def test_a_session_of_another_engine_or_for_reading_only_is_refused(self, desk, spark, open_desk):
        code = desk.code(desk.post())
        with spark.reading() as reading, pytest.raises(StoreError, match="a session that only reads"):
            spark.codes.extend(code, days=30, actor="mia", session=reading)
        with Session() as unbound, pytest.raises(StoreError, match="that a Store opened"):
            spark.codes.get(code, session=unbound)

    def test_the_present_instant_is_told_within_a_transaction(self, desk, spark):
        with spark.reading() as reading:
            assert spark.now(reading) == desk.now

    def test_reading_in_one_transaction_sees_one_moment(self, desk, spark):
        code = desk.code(desk.post())
        with spark.reading() as reading:
            assert spark.codes.get(code, session=reading).state == "authorized"
            spark.codes.revoke(code, actor="mia")
            assert spark.codes.get(code, session=reading).state == "authorized"
        assert desk.state(code) == "revoked"


class TestWhole:
    def test_a_rehearsal_tells_what_a_tick_would_do_and_does_nothing(self, desk, spark):
        post = desk.post()
        desk.code(post, days=7)
        desk.live(post)
        before = desk.everything()
        at = desk.now + 7 * DAY
        swept = spark.rehearse(at)
        assert swept.moved[("video_code", "expire")] == 1
        assert swept.moved[("spark_ad", "lose_authorization")] == 1
        assert desk.everything() == before
        desk.clock.set(at)
        tick = spark.tick(pause=0)
        assert {what: rows for what, rows in swept.moved.items() if rows} == tick.moved

    def test_a_tick_in_small_batches_does_the_same(self, desk, spark):
        posts = [desk.post() for _ in range(5)]
        codes = [desk.code(post, days=7) for post in posts]
        ads = [desk.live(post) for post in posts]
        desk.clock.advance(days=7)
        tick = spark.tick(pause=0, batch=2)
        assert tick.batches >= 3
        assert tick.moved[("spark_ad", "lose_authorization")] == 5
        assert desk.states(*codes, *ads) == ["expired"] * 10
        assert spark.tick(pause=0).moved == {}

    def test_the_database_is_as_the_code_expects_it(self, spark):
        assert spark.store.drift() == []

    def test_errors_are_one_tree_and_survive_pickling(self, desk, spark):
        post = desk.post()
        code = desk.code(post)
        desk.ad(post)
        calls = (
            (GuardRefused, lambda: spark.codes.delete(code, actor="ana")),
            (EventNotPossible, lambda: spark.codes.authorize(code, actor="ana")),
            (UnknownRow, lambda: spark.codes.delete(404, actor="ana")),
            (WrongArguments, lambda: spark.codes.delete(code, actor="")),
            (WrongInput, lambda: spark.codes.extend(code, days=8, actor="ana")),
            (RuleBroken, lambda: spark.accounts.add("Brand", actor="ana")),
        )
        for kind, call in calls:
            with pytest.raises(StatewrightError) as refused:
                call()
            copy = pickle.loads(pickle.dumps(refused.value))  # noqa: S301
            assert type(refused.value) is type(copy) is kind
            assert (str(copy), vars(copy)) == (str(refused.value), vars(refused.value))

    def test_a_portfolio_is_closed_and_opened_again(self, desk, spark):
        code = desk.code(desk.post())
        spark.close()
        again = SparkAds(desk.place.url, settings=load_settings(), clock=desk.clock, create=False)
        assert again.codes.get(code).state == "authorized"
        assert repr(again) == repr(spark)
        again.close()

    def test_a_portfolio_that_is_not_there_is_not_made_unless_wanted(self, tmp_path):
        with pytest.raises(StoreError, match="there is no database at"):
            SparkAds(f"sqlite:///{tmp_path / 'none.db'}", settings=load_settings(), create=False)
        assert list(tmp_path.iterdir()) == []

    def test_names_are_exported_and_no_others(self):
        import sparkads

        assert sorted(sparkads.__all__) == ["RuleBroken", "Settings", "SparkAds", "WrongInput", "load_settings"]
        assert all(getattr(sparkads, name).__name__ == name for name in sparkads.__all__)
        with pytest.raises(AttributeError, match="no attribute 'AdAccount'"):
            _ = sparkads.AdAccount
        assert AdAccount.__tablename__ == "ad_account"
