"""What an export writes, and that it can be imported again: the same portfolio, with its history."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.sparkads.conftest import BEGINNING, Desk
from tests.sparkads.places import Place

from sparkads.errors import WrongInput
from sparkads.exporting import export
from sparkads.importing import Imported, import_file
from sparkads.portfolio import SparkAds
from sparkads.settings import Settings
from statewright.errors import StatewrightError
from statewright.log import entries
from statewright.testing import ManualClock

KINDS = ("codes", "ads", "history")


def written(spark: SparkAds, what: str, **options: Any) -> str:
    out = io.StringIO()
    export(spark, what, out, **{"reveal": True, **options})
    return out.getvalue()


def rows(spark: SparkAds, what: str, **options: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(written(spark, what, **options), newline="")))


def taken(spark: SparkAds, text: str, folder: Path) -> Imported:
    return import_file(spark, io.BytesIO(text.encode()), actor="mover", rejects=folder / "rejects")


def rejects_of(done: Imported) -> Path:
    assert done.rejects is not None, done
    return done.rejects


@pytest.fixture
def other(new_place, clock) -> Iterator[SparkAds]:
    """An empty portfolio to import into."""
    with opened(new_place(), clock) as spark:
        yield spark


@pytest.fixture
def two_places(new_place) -> tuple[Place, Place]:
    return new_place(), new_place()


@contextmanager
def opened(place: Place, clock: ManualClock) -> Iterator[SparkAds]:
    spark = SparkAds(place.url, settings=Settings(synchronous="NORMAL"), clock=clock)
    yield spark
    spark.close()


def test_a_code_is_written_with_all_that_is_known_of_it(desk):
    original = desk.post("mia", caption="the first")
    post = desk.duet(original)
    code = desk.code(post)
    desk.pass_time(days=1)
    desk.spark.codes.extend(code, days=7, actor="leo")
    (row,) = rows(desk.spark, "codes")
    assert row == {
        "account": "Brand",
        "code": desk.spark.codes.reveal(code),
        "post": f"https://www.tiktok.com/@leo/video/{post.item_id}",
        "creator": "leo",
        "kind": "duet",
        "original": f"https://www.tiktok.com/@mia/video/{original.item_id}",
        "original_creator": "mia",
        "caption": "",
        "visibility": "public",
        "ads_only": "",
        "days": "30",
        "issued_at": "2026-03-01T12:30:15.123456Z",
        "expires_at": "2026-04-07T12:30:15.123456Z",
        "authorized_at": "2026-03-01T12:30:15.123456Z",
        "state": "authorized",
        "reason": "",
        "account_state": "open",
        "fingerprint": code.fingerprint,
        "id": "1",
    }


def test_codes_are_masked_unless_asked_for(desk):
    code = desk.code(desk.post())
    (row,) = rows(desk.spark, "codes", reveal=False)
    assert row["code"] == code.hint
    for what in KINDS:
        assert desk.spark.codes.reveal(code)[4:-2] not in written(desk.spark, what, reveal=False)


def test_an_ad_tells_what_it_waits_for_and_until_when_it_is_covered(desk):
    duet = desk.duet(desk.post("mia"))
    code = desk.code(duet)
    desk.ad(duet)
    desk.live(_coded(desk, "zoe"))
    waiting, live = rows(desk.spark, "ads")
    assert (waiting["state"], waiting["missing"], waiting["covered_until"]) == ("pending", "mia", "")
    assert (waiting["codes"], waiting["identity"], waiting["handle"]) == (code.fingerprint, "code", "leo")
    assert (live["state"], live["missing"], live["uncovered"]) == ("live", "", "yes")
    assert live["covered_until"] == "2026-03-31T12:30:15.123456Z"


def _coded(desk: Desk, creator: str) -> Any:
    post = desk.post(creator)
    desk.code(post)
    return post


def test_a_reason_is_that_of_the_present_state(desk):
    live = desk.live(_coded(desk, "mia"))
    desk.spark.ads.reject(live, reason="too loud", actor="tiktok")
    assert rows(desk.spark, "ads")[0]["reason"] == "too loud"
    desk.spark.ads.resubmit(live, actor="ana")
    assert rows(desk.spark, "ads")[0]["reason"] == ""


def test_history_names_what_moved_as_any_database_knows_it(desk):
    desk.spark.accounts.link(desk.brand, "brand", actor="ana")
    pushed = desk.pushed()
    desk.ad(pushed, group=desk.group(), name="Teaser", identity="linked")
    told = {row["workflow"]: row for row in rows(desk.spark, "history")}
    assert told["ad_account"]["account"] == "Brand"
    assert (told["identity"]["identity"], told["identity"]["handle"]) == ("linked", "brand")
    names = ("account", "campaign", "ad_group", "name")
    assert [told["post"][name] for name in names] == [told["spark_ad"][name] for name in names]
    assert told["spark_ad"]["name"] == "Teaser"


def test_what_a_spreadsheet_would_run_is_written_as_text(desk, other, tmp_path):
    post = desk.post("mia", caption='=HYPERLINK("http://evil")')
    desk.code(post, code="=1+2/aBcDeFgHiJkLm=")
    (row,) = rows(desk.spark, "codes")
    assert row["caption"] == '\'=HYPERLINK("http://evil")'
    assert row["code"] == "'=1+2/aBcDeFgHiJkLm="
    taken(other, written(desk.spark, "codes"), tmp_path)
    assert other.codes.reveal(1) == "=1+2/aBcDeFgHiJkLm="
    assert other.posts.get(1).caption == '=HYPERLINK("http://evil")'


def test_json_lines_hold_the_values_as_they_are(desk):
    desk.code(desk.post("mia", caption="=née"))
    (line,) = written(desk.spark, "codes", form="jsonl").splitlines()
    told = json.loads(line)
    assert (told["days"], told["ads_only"], told["caption"], told["reason"]) == (30, False, "=née", None)


def test_an_empty_portfolio_is_a_sheet_without_rows(other):
    for what in KINDS:
        assert rows(other, what) == []
        assert written(other, what, form="jsonl") == ""


def test_only_what_there_is_can_be_exported(desk):
    with pytest.raises(WrongInput, match="cannot export 'posts'; expected codes, ads, history"):
        export(desk.spark, "posts", io.StringIO())
    with pytest.raises(WrongInput, match="cannot export as 'xml'; expected csv or jsonl"):
        export(desk.spark, "codes", io.StringIO(), form="xml")


def test_a_writer_is_told_how_far_it_is(desk, monkeypatch):
    monkeypatch.setattr("sparkads.exporting.AT_ONCE", 2)
    for _ in range(5):
        desk.post()
    told: list[tuple[int, int | None]] = []
    count = export(desk.spark, "history", io.StringIO(), progress=lambda *how_far: told.append(how_far))
    assert (count, told) == (6, [(2, 6), (4, 6), (6, 6)])


def test_an_export_shows_one_moment_whatever_is_written_meanwhile(desk, monkeypatch):
    monkeypatch.setattr("sparkads.exporting.AT_ONCE", 1)
    desk.code(desk.post())
    desk.code(desk.post())
    out = io.StringIO()
    assert export(desk.spark, "codes", out, progress=lambda *_: desk.code(desk.post()) and None) == 2


def test_an_ad_that_waits_for_its_creators_code_does_so_after_a_move_though_another_identity_is_there(
    desk, other, tmp_path
):
    post = desk.post("brand")
    desk.spark.accounts.link(desk.brand, "brand", actor="ana")
    linked = desk.ad(post, name="linked")
    by_code = desk.ad(post, name="by code", identity="code")
    assert (linked.state, by_code.state) == ("authorized", "pending")
    assert [row["identity"] for row in rows(desk.spark, "ads")] == ["linked", "code"]
    taken(other, written(desk.spark, "ads"), tmp_path)
    assert [ad.state for ad in other.ads.list()] == ["authorized", "pending"]
    assert written(other, "ads") == written(desk.spark, "ads")


class TestHistory:
    @pytest.fixture
    def moved(self, desk, other, tmp_path) -> dict[str, str]:
        """A portfolio that lived for a while, moved into another database."""
        ad = desk.live(_coded(desk, "mia"))
        desk.pass_time(days=31)
        desk.spark.codes.extend(1, days=30, actor="mia")
        desk.spark.ads.submit(ad, actor="ana")
        desk.clock.advance(seconds=1)
        sheets = {what: written(desk.spark, what) for what in KINDS}
        for what in KINDS:
            assert taken(other, sheets[what], tmp_path).rejected == 0
        return sheets

    def test_it_is_there_with_its_instants_actors_and_causes(self, desk, other, moved):
        ours, theirs = desk.spark.ads.history(1), other.ads.history(1)
        facts = ("event", "source", "target", "at", "due_at", "actor", "reason", "payload", "chart")
        assert [[getattr(entry, fact) for fact in facts] for entry in theirs[: len(ours)]] == [
            [getattr(entry, fact) for fact in facts] for entry in ours
        ]
        lost = next(entry for entry in theirs if entry.event == "lose_authorization")
        with other.reading() as session:
            (cause,) = (entry for entry in entries(session) if entry.id == lost.cause)
        assert (cause.workflow, cause.event, cause.actor) == ("video_code", "expire", "daemon")

    def test_the_import_itself_is_in_it_too(self, other, moved):
        last = [entry for entry in other.ads.history(1) if entry.actor == "mover"]
        assert [(entry.event, entry.target) for entry in last] == [("start", "in_review")]

    def test_it_moves_nothing(self, desk, other, moved):
        assert desk.spark.ads.get(1).state == other.ads.get(1).state == "in_review"
        assert written(other, "codes") == moved["codes"]
        assert written(other, "ads") == moved["ads"]

    def test_again_it_changes_nothing(self, desk, other, moved, tmp_path):
        for spark in (other, desk.spark):
            before = written(spark, "history")
            done = taken(spark, moved["history"], tmp_path)
            assert (done.taken, done.rejected) == (0, 0)
            assert written(spark, "history") == before

    def test_moves_of_what_is_not_here_are_rejected(self, other, desk, tmp_path):
        desk.code(desk.post())
        done = taken(other, written(desk.spark, "history"), tmp_path)
        assert (done.taken, done.rejected) == (0, 6)
        assert "there is no such video code here; import that first" in rejects_of(done).read_text()

    @pytest.mark.parametrize(
        ("facts", "problem"),
        [
            ({"workflow": "invoice"}, "expected the workflow to be one of video_code, spark_ad"),
            ({"event": "explode"}, "expected the event to be one of authorize, reject"),
            ({"target": "gone"}, "expected the state after to be one of pending, authorized"),
            ({"source": "gone"}, "expected the state before to be one of pending, authorized"),
            ({"source": ""}, "expected the state before, which only the beginning of a life has not"),
            ({"at": "2027-01-01T00:00:00Z"}, "expected what has happened"),
            ({"at": ""}, "expected at to be a date and time"),
            ({"actor": ""}, "expected the actor, got nothing"),
            ({"payload": "[1]"}, 'expected the payload to be a JSON object, got "[1]"'),
            ({"batch": "-1"}, 'expected batch to be a number as an export writes it, got "-1"'),
            ({"account": ""}, "expected account, to know which video code it is, got nothing"),
            ({"fingerprint": "0"}, "there is no such video code here; import that first"),
        ],
    )
    def test_what_cannot_be_is_told_in_one_sentence(self, desk, tmp_path, facts, problem):
        desk.code(desk.post())
        row = {**rows(desk.spark, "history")[-1], **facts}
        out = io.StringIO()
        writer = csv.DictWriter(out, list(row))
        writer.writeheader()
        writer.writerow(row)
        done = taken(desk.spark, out.getvalue(), tmp_path)
        with rejects_of(done).open(newline="") as file:
            (told,) = csv.DictReader(file)
        assert told["problem"].startswith(problem)

    def test_a_key_belongs_to_one_entry(self, desk, tmp_path):
        code = desk.pending_code(desk.post())
        desk.spark.codes.authorize(code, actor="tiktok", key="k1")
        sheet = written(desk.spark, "history").replace("2026-03-01", "2026-02-01")
        done = taken(desk.spark, sheet, tmp_path)
        assert (done.taken, done.rejected) == (5, 1)
        assert 'its key ""k1"" is another entry\'s already' in rejects_of(done).read_text()

    def test_what_was_archived_is_not_taken_again(self, desk, tmp_path):
        code = desk.pending_code(desk.post())
        desk.spark.codes.delete(code, actor="ana")
        sheet = written(desk.spark, "history")
        desk.pass_time(days=1)
        file = desk.spark.archive(before=desk.now, into=tmp_path, actor="ana").file
        assert sheet != written(desk.spark, "history")
        done = taken(desk.spark, sheet, tmp_path)
        assert (done.taken, done.unchanged, done.rejected) == (0, 4, 2)
        assert f"it was archived with all that was before it, into {file.name}" in rejects_of(done).read_text()
        assert desk.spark.codes.history(code) == []


Op = Callable[[Desk, int], Any]


def _ids(noun: Any, number: int) -> int:
    ids = [row.id for row in noun.list(limit=None)]
    return ids[number % len(ids)] if ids else 0


def _on(noun: str, verb: str, **facts: Any) -> Op:
    return lambda desk, n: getattr(getattr(desk.spark, noun), verb)(_ids(getattr(desk.spark, noun), n), **facts)


def _create(desk: Desk, n: int) -> None:
    posts, groups = desk.spark.posts.list(), desk.spark.ad_groups.list()
    place = n % len(posts)
    # A name may be used again once its ad is deleted, by an ad of another post: of one, both would be the same.
    before = len([ad for ad in desk.spark.ads.list() if ad.post_id == posts[place].id])
    name, identity = f"ad {place % 2 + before * 2}", (None, "linked", "code")[n % 3]
    desk.ad(posts[place], group=groups[n % len(groups)], name=name, identity=identity)


def _receive(desk: Desk, n: int) -> None:
    posts = [post for post in desk.spark.posts.list() if post.item_id]
    desk.pending_code(posts[n % len(posts)], days=(7, 30)[n % 2])


def _reschedule(desk: Desk, n: int) -> None:
    group = _ids(desk.spark.ad_groups, n)
    ends_at = None if n % 3 == 0 else desk.now + timedelta(days=n % 20 + 1)
    desk.spark.ad_groups.reschedule(group, starts_at=desk.now, ends_at=ends_at, actor="ana")


OPS: list[Op] = [
    _create,
    _create,
    _receive,
    _receive,
    _on("codes", "authorize", actor="tiktok"),
    _on("codes", "authorize", actor="tiktok"),
    _on("codes", "reject", reason="wrong video", actor="tiktok"),
    _on("codes", "extend", days=7, actor="mia"),
    _on("codes", "revoke", actor="mia", reason="changed my mind"),
    _on("codes", "delete", actor="ana"),
    _on("ads", "submit", actor="ana"),
    _on("ads", "submit", actor="ana"),
    _on("ads", "approve", actor="tiktok"),
    _on("ads", "reject", reason="too loud", actor="tiktok"),
    _on("ads", "appeal", actor="ana"),
    _on("ads", "pause", actor="ana"),
    _on("ads", "resume", actor="ana"),
    _on("ads", "delete", actor="ana"),
    # Of what others are made of, a sheet tells only what rows of its own say.
    lambda desk, n: desk.spark.posts.make_private(n % 3 + 2, actor="mia"),
    _on("campaigns", "delete", actor="ana"),
    _on("ad_groups", "delete", actor="ana"),
    _reschedule,
    lambda desk, n: desk.group(objective=None if n % 2 else "reach"),
    lambda desk, n: desk.spark.accounts.link(desk.brand, "brand", actor="ana"),
    lambda desk, n: desk.spark.accounts.unlink(desk.brand, "brand", actor="ana"),
    lambda desk, n: desk.pass_time(days=n % 9),
    lambda desk, n: desk.clock.advance(hours=n % 50),
]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(life=st.lists(st.tuples(st.integers(0, len(OPS) - 1), st.integers(0, 50)), min_size=5, max_size=60))
def test_whatever_its_life_a_portfolio_moves_house_with_its_history(life, two_places, tmp_path):
    clock = ManualClock(BEGINNING)
    here, there = two_places
    for place in two_places:
        place.empty()
    with opened(here, clock) as old, opened(there, clock) as new:
        desk = Desk(old, clock, here)
        original = desk.post("mia", caption="hi\r\nthere")
        desk.duet(original)
        desk.post("zoe")
        desk.post("brand")
        desk.pushed("brand")
        desk.group()
        for op, number in life:
            try:
                OPS[op](desk, number)
            except StatewrightError:
                # A server has given out the number of a row that was refused; over there it is the next one's.
                here.skip_no_number()
        clock.advance(seconds=1)
        sheets = {what: written(old, what) for what in KINDS}
        for what in KINDS:
            done = taken(new, sheets[what], tmp_path)
            if what != "history":
                assert done.rejected == 0, rejects_of(done).read_text()
        assert written(new, "codes") == sheets["codes"]
        assert written(new, "ads") == sheets["ads"]
        _same_lives(old, new)
        for what in KINDS:
            assert taken(new, sheets[what], tmp_path).taken == 0


def _same_lives(old: SparkAds, new: SparkAds) -> None:
    for noun in ("codes", "ads", "posts", "accounts", "campaigns", "ad_groups"):
        for row in getattr(new, noun).list(limit=None):
            life = getattr(new, noun).history(row)
            own = [entry for entry in life if entry.workflow == getattr(new, noun).workflow.name]
            assert own[-1].target == row.state
            if noun in ("codes", "ads"):
                before = getattr(old, noun).history(row.id)
                assert [(e.at, e.event, e.source, e.target, e.actor) for e in before] == [
                    (e.at, e.event, e.source, e.target, e.actor) for e in own if e.actor != "mover"
                ]


ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
PLAIN = st.text(st.sampled_from("'=+-@ ab\"é,;"), min_size=1, max_size=12).filter(str.strip)


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.tuples(ANY_TEXT, PLAIN), min_size=1, max_size=20))
def test_any_text_survives_csv_and_json(texts, two_places, tmp_path):
    clock = ManualClock(BEGINNING)
    here, there = two_places
    for place in two_places:
        place.empty()
    with opened(here, clock) as spark, opened(there, clock) as copy:
        desk = Desk(spark, clock, here)
        group = desk.group()
        for number, (caption, name) in enumerate(texts):
            post = desk.post("mia", caption=caption)
            desk.code(post)
            desk.ad(post, group=group, name=f"{name} {number}")
        for what in ("codes", "ads"):
            assert taken(copy, written(spark, what), tmp_path).rejected == 0
            assert written(copy, what) == written(spark, what)
            lines = written(spark, what, form="jsonl")
            assert written(copy, what, form="jsonl") == lines
            assert taken(copy, lines, tmp_path).unchanged == len(texts)
        posts, ads = copy.posts.list(), copy.ads.list()
        assert [post.caption for post in posts] == [caption for caption, _ in texts]
        assert [ad.name for ad in ads] == [f"{name} {n}".strip() for n, (_, name) in enumerate(texts)]
