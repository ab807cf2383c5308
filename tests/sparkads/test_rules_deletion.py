"""Deletion: a code is kept while any ad that is not deleted uses its video, whatever anybody tries."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from tests.sparkads.places import BROKEN, File

from sparkads.tables import VideoCode, table
from statewright.errors import Blocker, Conflict, GuardRefused, UnknownRow

NOT_DELETED = ["authorized", "in_review", "live", "paused", "rejected", "expired"]


@pytest.mark.parametrize("state", NOT_DELETED)
def test_a_code_is_kept_while_an_ad_uses_its_video(desk, state):
    post = desk.post()
    code = desk.code(post)
    ad = desk.ad_in(state, post, name="Spring")
    assert desk.refusal(GuardRefused, desk.spark.codes.delete, code) == (
        f"cannot delete video code {code.id}: its video is still used by 1 ad: "
        f'{ad.id} "Spring" ({state.replace("_", " ")}); delete those first'
    )


def test_deletion_is_refused_for_a_pending_ad_too(desk):
    post = desk.post()
    code = desk.pending_code(post)
    ad = desk.ad(post, name="Spring")
    refusal = desk.refusal(GuardRefused, desk.spark.codes.delete, code)
    assert f'by 1 ad: {ad.id} "Spring" (pending);' in refusal


def test_deletion_names_every_ad_that_is_in_the_way_to_programs_too(desk):
    post = desk.post()
    code = desk.code(post)
    live = desk.live(post, name="Spring")
    paused = desk.ad_in("paused", post, name="Summer")
    desk.ad_in("deleted", post, name="Winter")
    with pytest.raises(GuardRefused) as refused:
        desk.spark.codes.delete(code, actor="ana")
    assert refused.value.blockers == (
        Blocker("ad", live.id, "Spring", "live"),
        Blocker("ad", paused.id, "Summer", "paused"),
    )
    assert (refused.value.event, refused.value.row_id, refused.value.state) == ("delete", code.id, "live")
    assert [refusal.guard for refusal in refused.value.refusals] == ["in_use"]


def test_deletion_counts_the_ads_that_are_too_many_to_name(desk):
    post = desk.post()
    code = desk.code(post)
    group = desk.group()
    for _ in range(12):
        desk.ad(post, group=group)
    refusal = desk.refusal(GuardRefused, desk.spark.codes.delete, code)
    assert "used by 12 ads: " in refusal
    assert refusal.endswith("and 2 more; delete those first")


@pytest.mark.parametrize("state", ["pending", "authorized", "in_review", "live", "expired", "rejected", "revoked"])
def test_deletion_is_possible_from_every_state_once_the_ads_are_deleted(desk, state):
    codes, post = desk.spark.codes, desk.post()
    code = desk.pending_code(post, days=7)
    match state:
        case "expired":
            desk.pass_time(days=7)
        case "rejected":
            codes.reject(code, reason="wrong post", actor="tiktok")
        case "revoked":
            codes.revoke(code, actor="mia")
        case "authorized" | "in_review" | "live":
            codes.authorize(code, actor="tiktok")
            if state != "authorized":
                desk.spark.ads.delete(desk.ad_in(state, post), actor="ana")
                codes.force(code, state, actor="ana", reason="as TikTok shows it")
    assert desk.state(code) == state
    ad = desk.ad(post)
    desk.refusal(GuardRefused, codes.delete, code)
    desk.spark.ads.delete(ad, actor="ana")
    assert codes.delete(code, actor="ana").state == "deleted"


def test_deletion_is_final(desk):
    code = desk.spark.codes.delete(desk.pending_code(desk.post()), actor="ana")
    refusal = desk.refusal(Exception, desk.spark.codes.delete, code)
    assert refusal == f"cannot delete video code {code.id}: it is deleted; that is final"
    assert [p.event for p in desk.spark.codes.can(code) if p.possible] == []


def test_deletion_is_refused_for_an_original_whose_duet_an_ad_uses(desk):
    original = desk.post("mia")
    duet = desk.duet(original)
    theirs, ours = desk.code(original), desk.code(duet)
    ad = desk.ad(duet, name="Duet")
    for code in (theirs, ours):
        refusal = desk.refusal(GuardRefused, desk.spark.codes.delete, code)
        assert f'by 1 ad: {ad.id} "Duet" (authorized);' in refusal


def test_deletion_of_a_duets_code_is_possible_while_only_the_original_is_advertised(desk):
    original = desk.post("mia")
    duet = desk.duet(original)
    desk.code(original)
    ours = desk.code(duet)
    desk.live(original)
    assert desk.spark.codes.delete(ours, actor="ana").state == "deleted"


def test_deletion_is_refused_for_ads_of_this_video_and_of_no_other(desk):
    original = desk.post("mia")
    duet = desk.duet(original)
    desk.code(original)
    desk.code(duet)
    desk.live(duet)
    idle = desk.code(desk.post("mia"))
    assert desk.spark.codes.delete(idle, actor="ana").state == "deleted"


def test_deletion_is_refused_for_an_ad_that_runs_under_a_linked_account(desk):
    desk.spark.accounts.link(desk.brand, "brand", actor="ana")
    post = desk.post("brand")
    code = desk.code(post)
    ad = desk.live(post, name="Own")
    assert desk.spark.ads.codes(ad) == []
    refusal = desk.refusal(GuardRefused, desk.spark.codes.delete, code)
    assert f'by 1 ad: {ad.id} "Own" (live);' in refusal


def test_deletion_is_refused_for_an_ad_that_has_taken_another_code(desk):
    post = desk.post()
    code = desk.code(post, days=7)
    desk.live(post)
    desk.pass_time(days=7)
    desk.code(post)
    refusal = desk.refusal(GuardRefused, desk.spark.codes.delete, code)
    assert "its video is still used by 1 ad" in refusal


def test_deletion_is_refused_for_an_ad_of_another_account(desk):
    other = desk.spark.accounts.add("Other", actor="ana")
    post = desk.post()
    ours = desk.code(post)
    desk.code(post, account=other)
    ad = desk.live(post, group=desk.group(account=other), name="Theirs")
    refusal = desk.refusal(GuardRefused, desk.spark.codes.delete, ours)
    assert f'by 1 ad: {ad.id} "Theirs" (live);' in refusal


def test_deletion_of_many_at_once_leaves_those_in_use(desk):
    posts = [desk.post(), desk.post(), desk.post()]
    codes = [desk.code(post) for post in posts]
    desk.live(posts[1])
    preview = desk.spark.codes.preview("delete", account=desk.brand)
    assert (preview.moving, preview.refused) == ({"deleted": 2}, {"in use": 1})
    assert desk.spark.codes.delete_all(account=desk.brand, actor="ana").rows == 2
    assert desk.states(*codes) == ["deleted", "live", "deleted"]


def test_deletion_of_a_code_that_is_not_there_says_so(desk):
    refusal = desk.refusal(UnknownRow, desk.spark.codes.delete, 404)
    assert refusal == "cannot delete video code 404: there is no such video code"


def test_a_deleted_code_may_be_entered_again(desk):
    post, secret = desk.post(), desk.secret()
    first = desk.pending_code(post, code=secret)
    desk.spark.codes.delete(first, actor="ana")
    again = desk.pending_code(post, code=secret)
    assert again.id != first.id
    assert desk.spark.codes.reveal(again) == secret


def test_a_new_ad_does_not_take_a_deleted_code(desk):
    post = desk.post("mia")
    desk.spark.codes.delete(desk.code(post), actor="ana")
    ad = desk.ad(post)
    assert ad.state == "pending"
    assert desk.why(ad).endswith('by @mia" (no code yet)')


def test_what_is_deleted_tells_since_when(desk):
    post = desk.post()
    desk.code(post)
    ad = desk.ad_in("deleted", post)
    code = desk.code(desk.post())
    assert desk.spark.codes.delete(code, actor="ana").deleted_at == desk.now
    assert desk.spark.ads.get(ad).deleted_at is not None
    assert desk.spark.ads.force(ad, "pending", actor="ana", reason="it was a mistake").deleted_at is None


class TestRogueSQL:
    """Somebody with another program, who knows nothing of our rules."""

    USED = "an ad that is not deleted uses the video of this code"

    def refused(self, desk, statement, *values, message):
        before = desk.everything()
        with pytest.raises(BROKEN, match=message):
            desk.sql(statement, *values)
        assert desk.everything() == before

    @pytest.fixture
    def code(self, desk):
        post = desk.post()
        code = desk.code(post)
        desk.live(post)
        return code

    def test_deletion_stands_against_rogue_sql_that_writes_the_state(self, desk, code):
        self.refused(desk, "UPDATE video_code SET state = 'deleted' WHERE id = ?", code.id, message=self.USED)

    def test_deletion_stands_against_rogue_sql_that_also_points_the_code_elsewhere(self, desk, code):
        elsewhere = desk.post()
        self.refused(
            desk,
            "UPDATE video_code SET state = 'deleted', post_id = ? WHERE id = ?",
            elsewhere.id,
            code.id,
            message=self.USED,
        )

    def test_deletion_stands_against_rogue_sql_that_removes_the_row(self, desk, code):
        # This connection, like every plain one, does not even check foreign keys.
        self.refused(desk, "DELETE FROM video_code WHERE id = ?", code.id, message=self.USED)

    def test_deletion_stands_against_rogue_sql_that_replaces_the_row(self, desk, code):
        columns = [column.name for column in table(VideoCode).columns]
        chosen = ", ".join("'deleted'" if name == "state" else name for name in columns)
        replacing = (
            f"INSERT OR REPLACE INTO video_code SELECT {chosen} FROM video_code WHERE id = ?"
            if isinstance(desk.place, File)
            else f"INSERT INTO video_code SELECT {chosen} FROM video_code WHERE id = ? "
            "ON CONFLICT (id) DO UPDATE SET state = excluded.state"
        )
        self.refused(desk, replacing, code.id, message=self.USED)

    def test_deletion_stands_against_rogue_sql_for_an_original_behind_a_duet(self, desk):
        original = desk.post()
        duet = desk.duet(original)
        codes = desk.code(original), desk.code(duet)
        desk.live(duet)
        for code in codes:
            for statement in ("UPDATE video_code SET state = 'deleted'", "DELETE FROM video_code"):
                self.refused(desk, f"{statement} WHERE id = ?", code.id, message=self.USED)

    def test_deletion_stands_against_rogue_sql_for_an_ad_under_a_linked_account(self, desk):
        desk.spark.accounts.link(desk.brand, "brand", actor="ana")
        post = desk.post("brand")
        code = desk.code(post)
        desk.live(post)
        for statement in ("UPDATE video_code SET state = 'deleted'", "DELETE FROM video_code"):
            self.refused(desk, f"{statement} WHERE id = ?", code.id, message=self.USED)

    def test_rogue_sql_cannot_put_an_ad_on_a_deleted_code(self, desk):
        post = desk.post()
        deleted = desk.spark.codes.delete(desk.code(post), actor="ana")
        ad = desk.ad(post)
        message = "this code is deleted; no ad can use it"
        self.refused(desk, "UPDATE ad_code SET code_id = ? WHERE ad_id = ?", deleted.id, ad.id, message=message)
        self.refused(
            desk,
            "INSERT INTO ad_code (ad_id, post_id, code_id) VALUES (?, ?, ?)",
            ad.id,
            desk.post().id,
            deleted.id,
            message=message,
        )

    def test_rogue_sql_cannot_revive_an_ad_on_a_deleted_code(self, desk):
        post = desk.post()
        code = desk.code(post)
        ad = desk.ad_in("deleted", post)
        desk.spark.codes.delete(code, actor="ana")
        self.refused(
            desk,
            "UPDATE spark_ad SET state = 'live' WHERE id = ?",
            ad.id,
            message="a code of this ad is deleted",
        )

    def test_rogue_sql_cannot_write_a_state_that_no_chart_has(self, desk, code):
        for statement in (
            "UPDATE video_code SET state = 'gone'",
            "UPDATE spark_ad SET state = 'Live'",
            "UPDATE post SET state = ''",
        ):
            self.refused(desk, statement, message=r"(?i)check constraint")

    def test_rogue_sql_cannot_contradict_itself(self, desk):
        desk.code(desk.post())
        for statement in (
            "UPDATE video_code SET state = 'deleted'",
            "UPDATE video_code SET deleted_at = issued_at",
        ):
            self.refused(desk, statement, message="deleted_at_tells_it")

    def test_rogue_sql_inside_our_own_transaction_is_refused_too(self, desk, code):
        with pytest.raises(IntegrityError, match=self.USED), desk.spark.transaction() as session:
            session.connection().execute(text("UPDATE video_code SET state = 'deleted'"))
        with pytest.raises(IntegrityError, match=self.USED), desk.spark.transaction() as session:
            session.connection().execute(text("DELETE FROM video_code"))
        assert desk.state(code) == "live"

    def test_rogue_sql_may_remove_what_no_ad_uses(self, desk):
        code = desk.code(desk.post())
        desk.sql("UPDATE video_code SET state = 'deleted', deleted_at = issued_at WHERE id = ?", code.id)
        desk.sql("DELETE FROM video_code WHERE id = ?", code.id)
        assert desk.sql("SELECT count(*) FROM video_code") == [(0,)]

    def test_deletion_by_force_is_refused_by_the_database(self, desk, code):
        refusal = desk.refusal(Conflict, desk.spark.codes.force, code, "deleted", reason="cleaning up")
        assert refusal == f"cannot force video code {code.id}: the database refused: {self.USED}"

    def test_a_deleted_ad_cannot_be_forced_back_onto_a_deleted_code(self, desk):
        post = desk.post()
        code = desk.code(post)
        ad = desk.ad_in("deleted", post)
        desk.spark.codes.delete(code, actor="ana")
        refusal = desk.refusal(Conflict, desk.spark.ads.force, ad, "live", reason="it was a mistake")
        assert refusal == (f"cannot force spark ad {ad.id}: the database refused: a code of this ad is deleted")

    def test_the_history_cannot_be_rewritten(self, desk, code):
        for statement in ("UPDATE transition SET actor = 'nobody'", "DELETE FROM transition"):
            self.refused(desk, statement, message="append-only")

    def test_foreign_keys_are_checked_on_our_own_connections(self, desk, code):
        elsewhere = text("UPDATE video_code SET post_id = 999")
        with pytest.raises(IntegrityError, match=r"(?i)foreign key"), desk.spark.transaction() as session:
            session.connection().execute(elsewhere)
