"""What an import takes, what it leaves as it is, and what it rejects with which words."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from sparkads.errors import WrongInput
from sparkads.importing import Imported, ImportRefused, import_file
from sparkads.importing.codes import CodeRows
from sparkads.importing.piece import Piece
from sparkads.portfolio import SparkAds
from sparkads.settings import Settings
from statewright.errors import StatewrightError

MIA = "https://www.tiktok.com/@mia/video/7300000000000000001"
LEO = "https://www.tiktok.com/@leo/video/7300000000000000002"
ISSUED = "2026-02-20T12:00:00Z"


@pytest.fixture
def empty(new_place, clock) -> Iterator[SparkAds]:
    """A portfolio without so much as an account."""
    spark = SparkAds(new_place().url, settings=Settings(synchronous="NORMAL"), clock=clock)
    yield spark
    spark.close()


@pytest.fixture
def take(desk, tmp_path):
    """Imports rows, given as dicts, or a whole text, into the desk's portfolio or another one."""

    def taken(rows: Any, into: SparkAds | None = None, *, name: str = "sheet.csv", **options: Any) -> Imported:
        file = tmp_path / name
        file.write_bytes(rows if isinstance(rows, bytes) else text(rows).encode())
        return import_file(into or desk.spark, file, actor="ana", **options)

    return taken


@pytest.fixture
def problems(take):
    """Imports rows of which some are rejected; what the rejects file says of each line."""

    def told(rows: Any, *others: Any, **options: Any) -> dict[int, str]:
        done = take(rows, *others, **options)
        with rejects_of(done).open(newline="", encoding="utf-8", errors="surrogateescape") as file:
            found = {int(row["line"]): row["problem"] for row in csv.DictReader(file, delimiter=delimiter(rows))}
        assert len(found) == done.rejected
        return found

    return told


def text(rows: Any) -> str:
    if isinstance(rows, str):
        return rows
    rows = rows if isinstance(rows, list) else [rows]
    out = io.StringIO()
    writer = csv.DictWriter(out, list(dict.fromkeys(name for row in rows for name in row)))
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def delimiter(rows: Any) -> str:
    first = (rows if isinstance(rows, bytes) else text(rows).encode()).partition(b"\n")[0]
    return next((d for d in ";\t" if d.encode() in first), ",")


def code(number: int = 1, **facts: Any) -> dict[str, Any]:
    row = {
        "code": f"#kZ7+q{number:06}/aBcDeFg=",
        "post": f"https://www.tiktok.com/@mia/video/73{number:017}",
        "days": 30,
        "issued_at": ISSUED,
        "state": "authorized",
    }
    return {**row, **facts}


def ad(number: int = 1, **facts: Any) -> dict[str, Any]:
    row = {
        "campaign": "Spring",
        "ad_group": "Germany",
        "name": f"ad {number}",
        "post": f"https://www.tiktok.com/@mia/video/73{number:017}",
        "state": "live",
        "objective": "traffic",
        "campaign_budget": 500,
        "location": "DE",
        "ad_group_budget": 50,
        "starts_at": ISSUED,
    }
    return {**row, **facts}


def rejects_of(done: Imported) -> Path:
    assert done.rejects is not None, done
    return done.rejects


def counts(done: Imported) -> tuple[int, int, int]:
    return done.taken, done.unchanged, done.rejected


class TestCodes:
    def test_a_row_becomes_a_code_as_if_it_had_been_received(self, take, desk):
        done = take(code(caption="dance, dance", reason="agreed by mail"))
        assert done == Imported("codes", taken=1, unchanged=0, rejected=0, rejects=None)
        (taken,) = desk.spark.codes.list()
        assert (taken.state, taken.days, taken.hint) == ("authorized", 30, "#kZ7…g=")
        assert taken.expires_at.isoformat() == "2026-03-22T12:00:00+00:00"
        assert taken.expire_due_at == taken.expires_at
        assert taken.remind_due_at == taken.expires_at - timedelta(days=7)
        assert taken.authorized_at == desk.now
        assert desk.spark.codes.reveal(taken) == "#kZ7+q000001/aBcDeFg="
        post = desk.spark.posts.get(taken.post_id)
        assert (post.creator, post.caption, post.state) == ("mia", "dance, dance", "public")
        assert [identity.handle for identity in desk.spark.accounts.identities(desk.brand)] == ["mia"]
        (begun,) = desk.spark.codes.history(taken)
        assert (begun.event, begun.target, begun.actor, begun.reason) == (
            *("start", "authorized"),
            *("ana", "agreed by mail"),
        )

    def test_the_same_file_again_changes_nothing(self, take, desk):
        rows = [code(1), code(2, state="pending"), code(3, issued_at="now-3d")]
        assert counts(take(rows)) == (3, 0, 0)
        before = desk.everything()
        desk.clock.advance(hours=1)
        assert counts(take(rows)) == (0, 3, 0)
        assert desk.everything() == before

    @pytest.mark.parametrize("state", ["pending", "authorized", "expired", "rejected", "revoked", "deleted"])
    def test_a_code_comes_in_the_state_it_has(self, take, desk, state):
        take(code(state=state))
        assert [code.state for code in desk.spark.codes.list()] == [state]

    @pytest.mark.parametrize("state", ["in_review", "Live", "In Review", "active"])
    def test_how_a_code_is_used_its_ads_decide(self, take, desk, state):
        take(code(state=state))
        assert [code.state for code in desk.spark.codes.list()] == ["authorized"]

    def test_a_code_that_was_deleted_since_does_not_come_back(self, take, desk):
        take(code())
        (taken,) = desk.spark.codes.list()
        desk.spark.codes.delete(taken, actor="ana")
        assert counts(take(code())) == (0, 1, 0)
        assert [code.state for code in desk.spark.codes.list()] == ["deleted"]

    def test_a_code_that_was_deleted_twice_had_two_lives(self, take, problems, desk):
        rows = [code(days=7, state="deleted"), code(state="deleted"), code(days=60)]
        assert counts(take(rows)) == (3, 0, 0)
        assert counts(take(rows)) == (0, 3, 0)
        assert [(one.days, one.state) for one in desk.spark.codes.list()] == [
            *((7, "deleted"), (30, "deleted"), (60, "authorized")),
        ]
        (problem,) = problems(code(days=365, state="deleted")).values()
        assert "is known as video code 3 (authorized), but for 60 days, not 365" in problem

    def test_a_code_that_was_deleted_elsewhere_and_received_again_is_both(self, take, desk):
        rows = [code(state="deleted"), code(state="authorized")]
        assert counts(take(rows)) == (2, 0, 0)
        assert [code.state for code in desk.spark.codes.list()] == ["deleted", "authorized"]
        assert counts(take(rows)) == (0, 2, 0)

    def test_a_code_stays_what_it_has_become(self, take, desk):
        take(code())
        (taken,) = desk.spark.codes.list()
        desk.spark.codes.extend(taken, days=60, actor="mia")
        desk.spark.codes.revoke(taken, actor="mia")
        assert counts(take(code())) == (0, 1, 0)

    def test_a_row_that_contradicts_what_is_known_is_told_how(self, take, problems):
        take(code())
        assert problems(code(days=60)) == {
            2: "code #kZ7…g= is known as video code 1 (authorized), but for 30 days, not 60"
        }
        assert problems(code(issued_at="2026-02-21T12:00:00Z", post=LEO)) == {
            2: "code #kZ7…g= is known as video code 1 (authorized), but issued on 2026-02-20T12:00:00+00:00, "
            "not 2026-02-21T12:00:00+00:00 and for post 7300000000000000001, not 7300000000000000002"
        }

    def test_of_two_rows_that_contradict_each_other_the_first_is_taken(self, problems, desk):
        assert problems([code(), code(days=60)]) == {
            3: "code #kZ7…g= is known from an earlier row, but for 30 days, not 60"
        }
        assert [code.days for code in desk.spark.codes.list()] == [30]

    def test_two_rows_that_say_the_same_are_one_code(self, take):
        assert counts(take([code(), code()])) == (1, 1, 0)

    def test_one_code_may_be_known_to_two_accounts(self, take, desk):
        take([code(account="Brand"), code(account="Agency")])
        assert [code.account_id for code in desk.spark.codes.list()] == [1, 2]

    def test_ads_that_wait_for_the_code_take_it(self, take, desk):
        take(ad(state="pending"))
        take(code())
        (waiting,) = desk.spark.ads.list()
        assert waiting.state == "authorized"

    def test_a_duet_brings_its_original_along(self, take, desk):
        take(code(2, post=LEO, kind="duet", original=MIA))
        duet, original = desk.spark.posts.find(LEO), desk.spark.posts.find(MIA)
        assert (duet.kind, duet.original_id, original.kind, original.creator) == (
            *("duet", original.id),
            *("original", "mia"),
        )
        assert counts(take(code(1, post=MIA))) == (1, 0, 0)

    def test_a_duet_of_a_duet_is_refused(self, take, problems):
        take(code(2, post=LEO, kind="duet", original=MIA))
        third = code(3, kind="stitch", original=LEO)
        assert problems(third) == {
            2: "cannot add a stitch of post 7300000000000000002: that is itself a duet, "
            "and TikTok takes no duet or stitch of one; name an original post"
        }

    @pytest.mark.parametrize(
        ("facts", "sentence"),
        [
            ({"code": ""}, "expected a video code, got nothing"),
            ({"code": "two codes"}, "expected one video code, got text with a gap"),
            ({"post": ""}, "expected a post's id or URL, got nothing"),
            ({"post": "7300000000000000001"}, "expected the creator of post 7300000000000000001: name them"),
            ({"post": "7.3E+18"}, 'the post "7.3E+18" looks as if a spreadsheet had rounded it; write its URL'),
            (
                {"post": "7301234567890120000", "creator": "mia"},
                'the post "7301234567890120000" looks as if a spreadsheet had rounded it; write its URL',
            ),
            ({"post": "youtube.com/x"}, "expected a post as its id"),
            ({"creator": "@leo"}, "the URL of the post names @mia, the column creator @leo"),
            ({"creator": "no handle!"}, "expected a TikTok handle like @mia"),
            ({"kind": "remix"}, 'expected the kind of post to be one of original, duet, stitch; got "remix"'),
            ({"kind": "duet"}, "a duet or stitch needs its kind and its original post"),
            ({"original": LEO}, "a duet or stitch needs its kind and its original post"),
            ({"kind": "duet", "original": "7300000000000000002"}, "expected the creator of the original post"),
            ({"kind": "duet", "original": MIA}, "post 7300000000000000001 cannot be a duet of itself"),
            ({"days": ""}, 'expected the days to be a whole number, got ""'),
            ({"days": "31"}, "expected the days to be one of 7, 30, 60, 365; got 31"),
            ({"days": "-30"}, "expected the days to be one of 7, 30, 60, 365; got -30"),
            ({"days": "a month"}, 'expected the days to be a whole number, got "a month"'),
            ({"issued_at": ""}, "expected issued_at to be a date and time like 2026-03-01T12:00:00Z"),
            ({"issued_at": "3/1/2026"}, "expected issued_at to be a date and time like 2026-03-01T12:00:00Z"),
            (
                {"issued_at": "2026-02-20 12:00:00"},
                'expected issued_at to have a time zone, got "2026-02-20 12:00:00"; write 2026-02-20T12:00:00Z',
            ),
            ({"issued_at": "9999-12-31T23:00:00-05:00"}, "expected issued_at to be in the years 1970 to 8999"),
            ({"issued_at": "9999-01-01T00:00:00Z"}, "expected issued_at to be in the years 1970 to 8999"),
            ({"issued_at": "1969-12-31T23:59:59Z"}, "expected issued_at to be in the years 1970 to 8999"),
            ({"issued_at": "now+999999999w"}, "expected issued_at to be in the years 1970 to 8999"),
            ({"issued_at": "2026-03-02T00:00:00Z"}, "expected the code to be issued already"),
            ({"expires_at": "2026-03-01T00:00:00Z"}, "expected expires_at to be the end of its 30 days or"),
            ({"state": "asleep"}, "expected the state of the code to be one of pending, authorized, expired"),
            ({"visibility": "secret"}, "expected who sees the post to be one of public, friends, private"),
            ({"ads_only": "perhaps"}, 'expected ads_only to be yes or no, got "perhaps"'),
        ],
    )
    def test_what_cannot_be_is_told_in_one_sentence(self, problems, desk, facts, sentence):
        (problem,) = problems([code(1, **facts), code(9)]).values()
        assert problem.startswith(sentence)
        assert len(desk.spark.codes.list()) == 1

    def test_a_code_is_not_issued_before_its_creator_is_ready(self, take, problems, desk):
        post = desk.post("mia")
        desk.spark.posts.disable_ads(post, actor="mia")
        assert problems(code(post=post.item_id)) == {
            2: "it cannot be authorized: ad authorization is switched off for the post; "
            "ask @mia to switch it on in its ad settings"
        }
        assert counts(take(code(post=post.item_id, state="revoked"))) == (1, 0, 0)

    def test_a_post_that_is_somebody_elses_is_told(self, take, problems):
        take(code())
        assert problems(code(2, post="7300000000000000001", creator="leo")) == {
            2: "post 7300000000000000001 is by @mia; the row says by @leo"
        }
        assert problems(code(2, post=MIA, kind="duet", original=LEO)) == {
            2: "post 7300000000000000001 is a post of kind original; the row says a post of kind duet"
        }

    def test_an_extended_code_says_when_it_ends(self, take, desk):
        take(code(expires_at="2026-06-01T00:00:00Z"))
        (taken,) = desk.spark.codes.list()
        assert taken.expires_at.isoformat() == "2026-06-01T00:00:00+00:00"

    @pytest.mark.parametrize(
        ("told", "ago"),
        [
            ("now-3d", timedelta(days=3)),
            ("now - 3d", timedelta(days=3)),
            ("NOW-7D+40s", timedelta(days=7, seconds=-40)),
            ("now-1w+12h+30m", timedelta(days=6, hours=11, minutes=30)),
            ("now", timedelta()),
        ],
    )
    def test_an_instant_may_be_told_from_the_moment_of_the_import(self, take, desk, told, ago):
        take(code(issued_at=told))
        (taken,) = desk.spark.codes.list()
        assert taken.issued_at == desk.now - ago

    @pytest.mark.parametrize("told", ["2026-02-20T13:00+01:00", "2026-02-20 12:00:00 UTC", "20260220T120000Z"])
    def test_an_instant_may_be_written_in_any_iso_form_with_a_zone(self, take, desk, told):
        take(code(issued_at=told))
        assert desk.spark.codes.list()[0].issued_at.isoformat() == "2026-02-20T12:00:00+00:00"

    def test_a_masked_code_is_recognised_by_its_fingerprint_but_cannot_be_taken(self, take, problems, desk):
        take(code())
        (known,) = desk.spark.codes.list()
        masked = code(code=known.hint, fingerprint=known.fingerprint)
        assert counts(take(masked)) == (0, 1, 0)
        unknown = {2: "the code is masked; export with --reveal to have codes that can be imported"}
        assert problems({**masked, "fingerprint": "0" * 32}) == unknown
        assert problems(code(code=known.hint)) == unknown

    def test_a_code_deleted_elsewhere_is_refused_while_an_ad_uses_its_video_here(self, take, problems):
        take(ad(state="pending"))
        (problem,) = problems([code(1, state="deleted"), code(2)]).values()
        assert "an ad that is not deleted uses the video of this code" in problem


class TestAccounts:
    def test_without_any_account_an_import_makes_one(self, take, empty):
        take(code(), empty)
        assert [account.name for account in empty.accounts.list()] == ["default"]
        assert counts(take(code(), empty)) == (0, 1, 0)

    def test_an_account_that_is_named_is_made(self, take, empty):
        take(code(account="Agency"), empty)
        assert [account.name for account in empty.accounts.list()] == ["Agency"]

    def test_among_several_accounts_a_row_says_which(self, problems, desk):
        desk.spark.accounts.add("Agency", actor="ana")
        assert problems([code(), code(2, account="Agency")]) == {
            2: "there are several accounts; say which, in the column account"
        }

    def test_a_closed_account_takes_nothing(self, problems, desk):
        desk.spark.accounts.close(desk.brand, actor="ana")
        assert problems(code(account="Brand")) == {2: 'account "Brand" is closed; name another'}

    def test_a_closed_account_has_deleted_ads_only(self, problems, empty):
        gone = ad(account="Old", account_state="closed", state="pending")
        assert problems(gone, empty) == {2: 'account "Old" is closed; name another'}

    def test_an_account_that_was_closed_elsewhere_comes_closed(self, take, empty):
        rows = [
            code(account="Old", account_state="closed"),
            ad(account="Old", account_state="closed", state="deleted"),
        ]
        assert counts(take(rows[0], empty)) == (1, 0, 0)
        assert counts(take(rows[1], empty)) == (1, 0, 0)
        assert [account.state for account in empty.accounts.list()] == ["closed"]


class TestAds:
    def test_a_row_becomes_an_ad_with_all_that_it_names(self, take, desk):
        take(code())
        assert counts(take(ad(ends_at="2026-05-01T00:00:00Z"))) == (1, 0, 0)
        (taken,) = desk.spark.ads.list()
        group = desk.spark.ad_groups.get(taken.ad_group_id)
        campaign = desk.spark.campaigns.get(group.campaign_id)
        assert (taken.state, taken.end_due_at) == ("live", group.ends_at)
        assert (group.name, group.location, group.budget) == ("Germany", "DE", 50)
        assert (campaign.name, campaign.objective, campaign.budget) == ("Spring", "traffic", 500)
        assert [code.state for code in desk.spark.codes.list()] == ["live"]

    def test_the_same_file_again_changes_nothing(self, take, desk):
        take([code(1), code(2)])
        timed = {"ad_group": "France", "starts_at": "now-1d", "ends_at": "now+9d"}
        rows = [ad(1), ad(2, state="deleted"), ad(3, state="pending", **timed)]
        assert counts(take(rows)) == (3, 0, 0)
        before = desk.everything()
        desk.clock.advance(hours=1)
        assert counts(take(rows)) == (0, 3, 0)
        assert desk.everything() == before

    @pytest.mark.parametrize(
        "state", ["authorized", "in_review", "live", "paused", "rejected", "expired", "deleted"]
    )
    def test_an_ad_comes_in_the_state_it_has(self, take, desk, state):
        take(code())
        take(ad(state=state, reason="too loud"))
        (taken,) = desk.spark.ads.list()
        assert taken.state == state
        assert desk.last(taken).reason == "too loud"

    def test_a_pending_ad_whose_code_is_there_is_authorized_at_once(self, take, desk):
        take(code())
        take(ad(state="pending"))
        assert [ad.state for ad in desk.spark.ads.list()] == ["authorized"]

    def test_an_expired_ad_comes_back_with_the_code_that_ended(self, take, desk):
        take(code(state="expired"))
        take(ad(state="expired"))
        assert "its code is expired" in desk.why(desk.spark.ads.get(1))
        desk.spark.codes.extend(1, days=30, actor="mia")
        assert desk.spark.ads.get(1).state == "authorized"

    def test_an_ad_may_name_the_codes_that_serve_it(self, take, desk):
        take([code(1), code(2, post=MIA, days=60)])
        first, longer = desk.spark.codes.list()
        take([ad(1), ad(2, post=MIA, codes=first.fingerprint)])
        assert [desk.spark.ads.codes(ad)[0].id for ad in (1, 2)] == [longer.id, first.id]

    def test_a_live_ad_without_its_code_is_rejected_and_nothing_of_it_stays(self, problems, desk):
        before = desk.everything()
        (problem,) = problems(ad()).values()
        assert problem.startswith("it cannot be live: it has no identity: no code of @mia's post was received")
        assert desk.everything() == before

    def test_a_live_duet_with_one_code_is_told_which_is_missing(self, take, problems):
        take(code(2, post=LEO, kind="duet", original=MIA))
        (problem,) = problems(ad(2, post=LEO)).values()
        assert "still needs 1 authorized code" in problem
        assert "the original post 7300000000000000001 by @mia" in problem

    def test_refused_rows_leave_the_others_of_their_chunk_alone(self, take, problems, desk):
        take([code(n) for n in (1, 3, 5)])
        assert list(problems([ad(n) for n in range(1, 6)])) == [3, 5]
        assert [(ad.name, ad.state) for ad in desk.spark.ads.list()] == [
            *(("ad 1", "live"), ("ad 3", "live"), ("ad 5", "live")),
        ]

    def test_the_cap_of_an_account_is_exact_whatever_is_refused_beside_it(self, open_desk, tmp_path):
        desk = open_desk(ads_per_account=3)
        sheet = tmp_path / "ads.csv"
        # The second is refused by a rule and takes nobody's place.
        rows = [ad(1, state="pending"), ad(2), *(ad(n, state="pending") for n in range(3, 7))]
        sheet.write_text(text([*rows, ad(7, state="deleted")]))
        done = import_file(desk.spark, sheet, actor="ana")
        assert counts(done) == (4, 0, 3)
        assert [ad.name for ad in desk.spark.ads.list()] == ["ad 1", "ad 3", "ad 4", "ad 7"]
        with rejects_of(done).open() as file:
            told = [row["problem"] for row in csv.DictReader(file)]
        assert told[0].startswith("it cannot be live: ")
        cap = 'it is one too many: account "Brand" has 3 that are not deleted, the most that TikTok takes; '
        assert told[1:] == [f"{cap}delete some first"] * 2
        sheet.write_text(text(ad(8, state="pending")))
        assert counts(import_file(desk.spark, sheet, actor="ana")) == (0, 0, 1)

    def test_the_cap_of_an_identity_is_exact(self, open_desk, tmp_path):
        desk = open_desk(ads_per_identity=2)
        sheet = tmp_path / "ads.csv"
        sheet.write_text(text([ad(n, state="pending", identity="linked") for n in range(1, 5)]))
        done = import_file(desk.spark, sheet, actor="ana")
        assert counts(done) == (2, 0, 2)
        assert "it is one too many: identity @mia has 2 that are not deleted" in rejects_of(done).read_text()

    def test_the_name_of_a_deleted_ad_is_free(self, take, desk):
        rows = [ad(1, state="deleted"), ad(2, name="ad 1", state="deleted"), ad(3, name="ad 1", state="pending")]
        assert counts(take(rows)) == (3, 0, 0)
        assert [(ad.name, ad.state) for ad in desk.spark.ads.list()] == [
            *(("ad 1", "deleted"), ("ad 1", "deleted"), ("ad 1", "pending")),
        ]
        assert counts(take(rows)) == (0, 3, 0)

    def test_an_ad_that_was_deleted_since_does_not_come_back(self, take, desk):
        take(ad(state="pending"))
        desk.spark.ads.delete(1, actor="ana")
        assert counts(take(ad(state="pending"))) == (0, 1, 0)
        assert [ad.state for ad in desk.spark.ads.list()] == ["deleted"]

    def test_a_row_that_contradicts_what_is_known_is_told_how(self, take, problems):
        take(ad(state="pending", identity="linked"))
        assert problems(ad(post=LEO, identity="business_center", handle="leo", state="pending")) == {
            2: 'ad "ad 1" is known as spark ad 1 (authorized), but shows 7300000000000000001, '
            "not 7300000000000000002 and appears by identity linked, not business_center "
            "and appears as @mia, not as @leo"
        }

    def test_a_campaign_is_completed_but_not_contradicted(self, take, problems, desk):
        bare = ad(
            1, state="pending", objective="", campaign_budget="", location="", ad_group_budget="", starts_at=""
        )
        take(bare)
        assert counts(take(ad(2, state="pending", ends_at="2026-05-01T00:00:00Z"))) == (1, 0, 0)
        group, campaign = desk.spark.ad_groups.get(1), desk.spark.campaigns.get(1)
        assert (campaign.objective, campaign.budget, group.location, group.budget) == ("traffic", 500, "DE", 50)
        assert group.ends_at.isoformat() == "2026-05-01T00:00:00+00:00"
        assert problems(
            [ad(3, objective="reach"), ad(4, ad_group_budget=60), ad(5, ends_at="2026-06-01T00:00:00Z")]
        ) == {
            2: 'campaign "Spring" has the objective traffic, the row says reach',
            3: 'ad group "Germany" has the budget 50, the row says 60',
            4: 'ad group "Germany" has the end 2026-05-01T00:00:00+00:00, the row says 2026-06-01T00:00:00+00:00',
        }

    def test_an_ad_group_that_runs_on_has_no_end(self, take, problems):
        take(ad(1, state="pending"))
        assert problems(
            [ad(2, ends_at="2026-05-01T00:00:00Z", state="pending"), ad(3, ends_at="now+9d", state="pending")]
        ) == {
            2: 'ad group "Germany" has no end, the row says 2026-05-01T00:00:00+00:00',
            3: 'ad group "Germany" has no end, the row says 2026-03-10T12:30:15.123456+00:00',
        }

    def test_an_ad_group_without_a_start_does_not_get_an_end_alone(self, take, problems, desk):
        take(ad(1, state="pending", starts_at=""))
        assert problems(ad(2, state="pending", starts_at="", ends_at="2026-05-01T00:00:00Z")) == {
            2: 'ad group "Germany" has no start yet; say when it starts, too, in the column starts_at'
        }
        assert counts(take(ad(2, state="pending", ends_at="2026-05-01T00:00:00Z"))) == (1, 0, 0)
        assert desk.spark.ad_groups.get(1).ends_at.isoformat() == "2026-05-01T00:00:00+00:00"

    def test_a_new_ad_group_takes_its_end_from_whichever_row_tells_it(self, take, desk):
        rows = [
            ad(1, state="pending", starts_at=""),
            ad(2, state="pending", starts_at="", ends_at="2026-05-01T00:00:00Z"),
        ]
        for name, told in {"Germany": rows, "France": rows[::-1]}.items():
            assert counts(take([{**row, "ad_group": name} for row in told])) == (2, 0, 0)
        assert [group.ends_at.isoformat() for group in desk.spark.ad_groups.list()] == [
            *("2026-05-01T00:00:00+00:00", "2026-05-01T00:00:00+00:00"),
        ]

    def test_an_ad_group_does_not_end_before_the_start_that_another_row_tells(self, take, problems):
        take(ad(1, state="pending", starts_at="", ends_at="2026-05-01T00:00:00Z"))
        (problem,) = problems(ad(2, state="pending", starts_at="2026-06-01T00:00:00Z")).values()
        assert problem.startswith("expected the schedule to end after it starts, got 2026-06-01")

    def test_a_deleted_campaign_is_not_completed(self, take, desk):
        gone = {"state": "deleted", "campaign_state": "deleted", "ad_group_state": "deleted"}
        bare = {"objective": "", "campaign_budget": "", "location": "", "ad_group_budget": "", "starts_at": ""}
        take(ad(1, **gone, **bare))
        assert counts(take([ad(2, **gone), ad(3, ad_group="France", **gone)])) == (2, 0, 0)
        assert desk.spark.campaigns.get(1).objective is None

    def test_an_ad_that_waited_for_a_code_and_was_given_a_link_is_the_same_ad(self, take, desk):
        row = ad(state="pending", identity="code")
        take(row)
        desk.spark.accounts.link(desk.brand, "@mia", actor="ana")
        assert desk.spark.ads.get(1).identity_id is not None
        assert counts(take(row)) == (0, 1, 0)

    def test_deleted_campaigns_hold_deleted_ads_only(self, take, problems):
        assert counts(take(ad(1, state="deleted", campaign_state="deleted", ad_group_state="deleted"))) == (
            1,
            0,
            0,
        )
        assert problems(ad(2, state="pending")) == {2: 'its ad group "Germany" is deleted'}
        assert problems(ad(2, ad_group="France", state="pending")) == {2: 'its campaign "Spring" is deleted'}

    @pytest.mark.parametrize(
        ("facts", "sentence"),
        [
            ({"name": ""}, "expected a name for the ad, got nothing"),
            ({"campaign": " "}, "expected the campaign's name, got nothing"),
            ({"ad_group": ""}, "expected the ad group's name, got nothing"),
            ({"name": "a\nb"}, "expected a name for the ad to be plain text"),
            ({"campaign_budget": "-5"}, "expected a budget a day of 1 or more, a whole number, got -5"),
            ({"ad_group_budget": "12.50"}, 'expected ad_group_budget to be a whole number, got "12.50"'),
            ({"starts_at": "tomorrow"}, "expected starts_at to be a date and time like 2026-03-01T12:00:00Z"),
            ({"ends_at": "2026-01-01T00:00:00Z"}, "expected the schedule to end after it starts"),
            ({"identity": "cousin"}, "expected the identity to be one of linked, business_center, code"),
            ({"identity": "code", "handle": "leo"}, "an ad by video code appears as its post's creator @mia"),
            ({"identity_state": "lost"}, "expected the state of the identity to be one of usable, pending"),
            ({"origin": "stolen"}, "expected the origin of the post to be one of tiktok, uploaded"),
            ({"origin": "uploaded"}, "expected no post for a video that is pushed from Ads Manager"),
            ({"origin": "uploaded", "post": ""}, "expected the creator of the pushed video"),
            ({"state": "asleep"}, "expected the state of the ad to be one of pending, authorized, in_review"),
            ({"ad_group_state": "gone"}, 'expected ad_group_state to be one of open, deleted; got "gone"'),
        ],
    )
    def test_what_cannot_be_is_told_in_one_sentence(self, problems, desk, facts, sentence):
        (problem,) = problems([ad(1, **facts), ad(9, state="pending")]).values()
        assert problem.startswith(sentence)
        assert len(desk.spark.ads.list()) == 1

    def test_sql_in_a_name_is_a_name(self, take, desk):
        name = "'); DROP TABLE spark_ad; --"
        take(ad(name=name, campaign=name, ad_group=name, state="pending"))
        assert [ad.name for ad in desk.spark.ads.list()] == [name]
        assert counts(take(ad(name=name, campaign=name, ad_group=name, state="pending"))) == (0, 1, 0)


class TestIdentities:
    def test_a_linked_account_that_is_named_is_linked(self, take, desk):
        take(ad(identity="linked", handle="@Mia"))
        (identity,) = desk.spark.accounts.identities(desk.brand)
        assert (identity.kind, identity.handle, identity.state) == ("linked", "mia", "usable")

    def test_a_linked_account_takes_nobody_elses_post(self, problems, desk):
        desk.spark.accounts.link(desk.brand, "brand", actor="ana")
        (problem,) = problems(ad(identity="linked", state="pending")).values()
        assert problem.startswith(
            "it cannot be pending: the post is @mia's, and its identity would be @brand (linked)"
        )

    def test_accounts_authorized_through_business_center_are_granted(self, take, desk):
        take([ad(1, identity="Business Center"), ad(2, post=LEO, identity="bc")])
        kinds = {(one.kind, one.handle) for one in desk.spark.accounts.identities(desk.brand)}
        assert kinds == {("business_center", "mia"), ("business_center", "leo")}

    def test_an_ad_whose_account_was_unlinked_elsewhere_comes_expired(self, take, problems, desk):
        lost = ad(identity="linked", identity_state="withdrawn", state="expired")
        assert counts(take(lost)) == (1, 0, 0)
        (identity,) = desk.spark.accounts.identities(desk.brand)
        assert identity.state == "withdrawn"
        (problem,) = problems(ad(2, identity="linked", state="live")).values()
        assert problem.startswith("it cannot be live: its identity @mia (linked) is not usable")

    def test_without_a_word_the_best_identity_is_taken(self, take, desk):
        take(code())
        desk.spark.accounts.link(desk.brand, "mia", actor="ana")
        take(ad())
        (taken,) = desk.spark.ads.list()
        identities = {one.id: one.kind for one in desk.spark.accounts.identities(desk.brand)}
        assert identities[taken.identity_id] == "linked"

    def test_a_pushed_video_is_published_once_its_ad_is_live(self, take, desk):
        push = {"post": "", "creator": "brand", "origin": "uploaded", "identity": "linked"}
        rows = [ad(1, **push), ad(2, **push, state="in_review"), ad(3, **push, ads_only="yes", caption="new")]
        assert counts(take(rows)) == (3, 0, 0)
        assert [(post.state, post.ads_only) for post in desk.spark.posts.list()] == [
            *(("private", False), ("draft", False), ("private", True)),
        ]
        assert counts(take(rows)) == (0, 3, 0)

    def test_a_pushed_video_needs_a_linked_account(self, problems):
        push = {"post": "", "creator": "brand", "origin": "library", "state": "pending"}
        for facts in ({}, {"identity": "business_center"}):
            (problem,) = problems(ad(1, **push, **facts)).values()
            assert problem.endswith("is published only under the account's own linked Business Account")


class TestStrict:
    def test_all_rows_are_taken(self, take, desk):
        assert counts(take([code(1), code(2)], strict=True)) == (2, 0, 0)

    def test_one_bad_row_keeps_all_others_out(self, take, desk, tmp_path):
        before = desk.everything()
        with pytest.raises(ImportRefused) as refused:
            take([code(1), code(2, days=31), code(3), code(4, post="")], strict=True)
        assert str(refused.value) == (
            f'cannot import "{tmp_path / "sheet.csv"}": line 3: expected the days to be one of 7, 30, 60, 365; '
            "got 31, and 1 more row cannot be taken; nothing was taken"
        )
        assert (refused.value.line, refused.value.rejected) == (3, 2)
        assert desk.everything() == before
        assert not list(tmp_path.glob("*.rejects*"))


class TestSecrets:
    SECRET = "#kZ7+q000001/aBcDeFg="

    @pytest.mark.parametrize("column", ["post", "days", "issued_at", "creator", "state", "kind", "expires_at"])
    def test_a_code_in_the_wrong_column_is_not_told_on(self, take, column):
        with pytest.raises(ImportRefused) as refused:
            take(code(2, **{column: self.SECRET}), strict=True)
        assert self.SECRET[4:12] not in str(refused.value)

    def test_a_code_in_the_first_line_is_not_told_on(self, take):
        with pytest.raises(WrongInput) as refused:
            take(f"code,{self.SECRET}\n")
        assert self.SECRET[4:12] not in str(refused.value)

    def test_the_history_does_not_know_it(self, take, desk):
        take(code())
        assert self.SECRET[4:12] not in str(desk.sql("SELECT * FROM transition"))


def test_more_rows_in_a_chunk_need_no_more_statements(desk, tmp_path):
    statements: list[str] = []
    engine: Engine = desk.spark.store._engine
    event.listen(engine, "before_cursor_execute", lambda *args: statements.append(args[2]))

    def needed(rows: list[dict[str, Any]]) -> int:
        sheet = tmp_path / "sheet.csv"
        sheet.write_text(text(rows))
        statements.clear()
        assert import_file(desk.spark, sheet, actor="ana").taken == len(rows)
        return len(statements)

    # All they name is there already: what is named for the first time is made, in more statements.
    needed([code(1000)])
    needed([ad(1000)])
    few, many = range(1, 4), range(100, 400)
    assert needed([code(n, reason=f"no. {n}") for n in few]) == needed([code(n, reason=f"no. {n}") for n in many])
    assert needed([ad(n) for n in few]) == needed([ad(n) for n in many])


def test_a_reader_is_told_how_far_it_is(take, tmp_path):
    told: list[tuple[int, int | None]] = []
    take([code(n) for n in range(1, 11)], progress=lambda done, total: told.append((done, total)))
    size = (tmp_path / "sheet.csv").stat().st_size
    assert told == [(size, size)]


def test_a_stream_is_read_and_left_open(desk):
    told: list[tuple[int, int | None]] = []
    stream = io.BytesIO(text([code(1), code(2)]).encode())
    done = import_file(desk.spark, stream, actor="ana", progress=lambda *how_far: told.append(how_far))
    assert counts(done) == (2, 0, 0)
    assert told == [(2, None)]
    assert not stream.closed
    with pytest.raises(WrongInput, match=re.escape('cannot import "standard input": it is empty')):
        import_file(desk.spark, io.BytesIO(b""), actor="ana")


def test_a_file_of_many_chunks_is_taken_whole(desk, take, monkeypatch):
    monkeypatch.setattr("sparkads.importing.chunks.CHUNK", 3)
    assert counts(take([code(n) for n in range(1, 11)])) == (10, 0, 0)
    assert counts(take([code(n, days=60 if n == 9 else 30) for n in range(1, 11)])) == (0, 9, 1)


def test_each_row_is_told_its_first_problem_and_the_others_beside_it_are_taken(desk, take):
    """Rows are read a hundred at a time."""
    wrong: dict[int, tuple[dict[str, str], str]] = {
        3: ({"days": "a month"}, "the days to be a whole number"),
        50: ({"post": ""}, "a post's id or URL, got nothing"),
        51: ({"issued_at": "yesterday", "state": "sold"}, "issued_at to be a date and time"),
        99: ({"state": "sold"}, "the state of the code to be one of"),
        100: ({"code": "", "days": "31"}, "a video code, got nothing"),
        149: ({"expires_at": "2026-02-21T12:00:00Z"}, "the end of its 30 days or, if it was extended, later"),
    }
    done = take([code(n, **wrong.get(n, ({}, ""))[0]) for n in range(250)])
    assert counts(done) == (244, 0, 6)
    rejected = csv.DictReader(io.StringIO(done.rejects.read_text()))
    told = {int(row["line"]) - 2: row["problem"] for row in rejected}
    assert told.keys() == wrong.keys()
    assert [n for n, (_, problem) in wrong.items() if problem not in told[n]] == []
    assert len(desk.spark.codes.list(limit=None)) == 244


@pytest.mark.parametrize("trouble", [OSError(5, "Input/output error"), KeyboardInterrupt()])
def test_what_ends_the_reading_midway_keeps_whole_chunks(desk, take, monkeypatch, trouble):
    """Though on a server a chunk is read while the one before it is taken."""
    read = CodeRows.read

    def broken(rows: CodeRows, piece: Piece) -> Any:
        if code(5)["code"] in piece.column("code"):
            raise trouble
        return read(rows, piece)

    monkeypatch.setattr(CodeRows, "read", broken)
    monkeypatch.setattr("sparkads.importing.chunks.CHUNK", 2)
    monkeypatch.setattr("sparkads.importing.chunks.PIECE", 1)
    with pytest.raises(type(trouble)):
        take([code(n) for n in range(1, 7)])
    assert len(desk.spark.codes.list()) == 4


def test_a_stream_is_not_waited_for_while_a_chunk_is_taken(desk, monkeypatch):
    """Whoever writes it may take their time, and others could not write."""
    course: list[str] = []
    read = CodeRows.read

    def watched(rows: CodeRows, piece: Piece) -> Any:
        course.append("read")
        return read(rows, piece)

    monkeypatch.setattr(CodeRows, "read", watched)
    monkeypatch.setattr("sparkads.importing.chunks.CHUNK", 2)
    monkeypatch.setattr("sparkads.importing.chunks.PIECE", 1)
    stream = io.BytesIO(text([code(n) for n in range(1, 5)]).encode())
    import_file(desk.spark, stream, actor="ana", progress=lambda *_: course.append("taken"))
    assert course == ["read", "read", "taken"] * 2


def test_a_database_that_fails_midway_keeps_whole_chunks(desk, take, monkeypatch):
    monkeypatch.setattr("sparkads.importing.chunks.CHUNK", 2)
    monkeypatch.setattr("sparkads.importing.rejects.Rejects._open", _full)
    with pytest.raises(StatewrightError, match=r"cannot write the rejects file .* no space left on device"):
        take([code(1), code(2), code(3), code(4, days=31), code(5)])
    assert len(desk.spark.codes.list()) == 2


def _full(_: object) -> None:
    raise OSError(28, "No space left on device")
