"""Codes are secrets: kept as they came, shown masked, told to nobody who does not ask by name."""

from __future__ import annotations

import json
import logging
import pickle

import pytest
from pydantic import SecretStr
from tests.sparkads.places import BROKEN

from sparkads.errors import RuleBroken, WrongInput
from sparkads.tables import VideoCode, table
from statewright.dialects import Forbid
from statewright.errors import Conflict, StatewrightError, StoreError

SECRET = "#kZ7+q0n+vF/aBcDeFgH1=="
MASKED = "#kZ7…=="


@pytest.fixture
def code(desk):
    return desk.code(desk.post(), code=SECRET)


def shown(text):
    """Whether any telling part of the secret stands in a text."""
    return any(SECRET[i : i + 8] in str(text) for i in range(len(SECRET) - 7))


def test_codes_are_secrets_that_are_kept_as_they_came(desk, code):
    assert desk.spark.codes.reveal(code) == SECRET
    assert desk.sql("SELECT code FROM video_code") == [(SECRET,)]


@pytest.mark.parametrize(
    "given",
    [
        f"  {SECRET}\n",
        f"\u200b{SECRET}\ufeff",
        f"\t\u00a0{SECRET}\u2060\u00ad \r\n",
        f"\u202a{SECRET}\u202c",
    ],
)
def test_codes_are_secrets_trimmed_of_what_cannot_be_seen_around_them(desk, code, given):
    refusal = desk.refusal(
        RuleBroken, desk.spark.codes.receive, given, post=desk.post(), days=7, issued_at=desk.now
    )
    assert refusal == (
        f'cannot receive code {MASKED}: account "Brand" has it already, as video code {code.id} (authorized)'
    )


@pytest.mark.parametrize(
    "other", [SECRET.lower(), SECRET.upper(), SECRET.lstrip("#"), SECRET.rstrip("="), SECRET.replace("+", "")]
)
def test_codes_are_secrets_of_which_no_letter_is_changed(desk, code, other):
    received = desk.pending_code(desk.post(), code=other)
    assert desk.spark.codes.reveal(received) == other
    assert received.fingerprint != code.fingerprint


def test_codes_are_secrets_unique_in_their_account_in_every_state_but_deleted(desk):
    post = desk.post()
    code = desk.pending_code(post, code=SECRET, days=7)
    codes = desk.spark.codes
    for move, state in (
        (lambda: None, "pending"),
        (lambda: codes.authorize(code, actor="tiktok"), "authorized"),
        (lambda: desk.pass_time(days=7), "expired"),
        (lambda: codes.extend(code, days=7, actor="mia"), "authorized"),
        (lambda: codes.revoke(code, actor="mia"), "revoked"),
    ):
        move()
        refusal = desk.refusal(RuleBroken, codes.receive, SECRET, post=post, days=7, issued_at=desk.now)
        assert refusal.endswith(f"as video code {code.id} ({state})")
    codes.delete(code, actor="ana")
    assert desk.pending_code(post, code=SECRET).state == "pending"


def test_codes_are_secrets_unique_in_the_database_too(desk, code):
    with pytest.raises(BROKEN, match=r"(UNIQUE|unique) constraint") as refused:
        desk.sql(
            "INSERT INTO video_code (account_id, post_id, code, fingerprint, hint, days, issued_at, expires_at, "
            "state) SELECT account_id, post_id, code, fingerprint, hint, days, issued_at, expires_at, 'pending' "
            "FROM video_code"
        )
    assert not shown(refused.value)


def test_codes_are_secrets_that_two_accounts_may_share(desk, code):
    other = desk.spark.accounts.add("Other", actor="ana")
    assert desk.pending_code(desk.post(), code=SECRET, account=other).state == "pending"


def test_codes_are_secrets_in_every_way_to_print_a_row(desk, code):
    fresh = desk.spark.codes.get(code)
    for text in (
        repr(fresh),
        str(fresh),
        f"{fresh} {fresh!r} {fresh.code} {fresh.code!r}",
        fresh.model_dump(),
        fresh.model_dump_json(),
        dict(fresh),
        vars(fresh),
        json.dumps(fresh.model_dump(mode="json")),
        [fresh],
    ):
        assert not shown(text)
    assert fresh.hint == MASKED
    assert MASKED in str(fresh)


def test_codes_are_secrets_to_the_history_and_to_every_other_table(desk, code):
    desk.spark.codes.extend(code, days=30, actor="mia")
    desk.spark.codes.revoke(code, actor="mia")
    history = desk.spark.codes.history(code)
    assert not shown(history)
    assert not shown([entry.as_json() for entry in history])
    for name, rows in desk.everything():
        kept = [[value for value in row if value != SECRET] for row in rows] if name == "video_code" else rows
        assert not shown(kept)


def test_codes_are_secrets_to_the_log_however_talkative(open_desk, caplog):
    for name in ("", "sqlalchemy.engine", "sqlalchemy.pool", "sqlalchemy.orm"):
        caplog.set_level(logging.DEBUG, logger=name)
    desk = open_desk()
    code = desk.code(desk.post(), code=SECRET)
    desk.live(desk.spark.posts.get(code.post_id))
    desk.spark.codes.expiring(within=code.expires_at - desk.now)
    assert desk.spark.codes.reveal(code) == SECRET
    desk.pass_time(days=31)
    said = [record.getMessage() for record in caplog.records]
    assert any("INSERT INTO video_code" in line for line in said)
    assert any("SELECT video_code" in line for line in said)
    assert [line for line in said if shown(line)] == []


def test_codes_are_secrets_to_what_refuses_them(desk):
    post, codes = desk.post(), desk.spark.codes
    right = {"post": post, "days": 30, "issued_at": desk.now, "actor": "ana"}
    for wrong in (
        {"days": 8},
        {"issued_at": desk.now.replace(year=2027)},
        {"issued_at": desk.now.replace(tzinfo=None)},
        {"post": 404},
        {"account": 404},
        {"actor": ""},
        {"code": f"{SECRET} {SECRET}"},
        {"code": f"{SECRET}\ud800"},
        {"code": SECRET * 100},
    ):
        given = {"code": SECRET, **right, **wrong}
        with pytest.raises(StatewrightError) as refused:
            codes.receive(given.pop("code"), **given)
        error = refused.value
        assert not shown([error, repr(error), error.args, vars(error), error.__cause__])
        copy = pickle.loads(pickle.dumps(error))  # noqa: S301
        assert (type(copy), str(copy)) == (type(error), str(error))


def test_codes_are_secrets_to_the_database_errors(open_desk):
    desk = open_desk()
    full = Forbid("no_more", "INSERT", "TRUE", "the house is full")
    desk.place.forbid(full, table(VideoCode))
    other = SECRET[::-1]
    with pytest.raises(Conflict) as refused:
        desk.pending_code(desk.post(), code=other)
    assert str(refused.value) == "cannot receive video code: the database refused: the house is full"
    assert other not in f"{refused.value!r} {vars(refused.value)} {refused.value.__cause__}"
    assert other.encode() not in pickle.dumps(refused.value)

    desk.sql("ALTER TABLE video_code RENAME TO elsewhere")
    with pytest.raises(StoreError) as refused_too:
        desk.pending_code(desk.post(), code=other)
    assert other not in f"{refused_too.value!r} {refused_too.value.__cause__!r}"
    assert other.encode() not in pickle.dumps(refused_too.value)


def test_codes_are_secrets_to_a_caption_that_is_refused(desk, code):
    post = desk.spark.posts.get(code.post_id)
    refusal = desk.refusal(Exception, desk.spark.posts.edit_caption, post, "new")
    assert MASKED in refusal
    assert not shown(refusal)


@pytest.mark.parametrize("given", ["", " ", "\u200b\ufeff", "#kZ7 +q0", "#kZ7\u200b+q0", "#kZ7\n+q0", "\ud800"])
def test_codes_are_secrets_that_must_be_there_and_whole(desk, given):
    refusal = desk.refusal(
        WrongInput, desk.spark.codes.receive, given, post=desk.post(), days=7, issued_at=desk.now
    )
    assert refusal.startswith(("expected a video code, got ", "expected one video code, got "))


def test_codes_are_secrets_on_rows_that_were_never_stored(desk):
    row = VideoCode(
        account_id=1,
        post_id=1,
        code=SecretStr(SECRET),
        fingerprint="f" * 32,
        hint=MASKED,
        days=7,
        issued_at=desk.now,
        expires_at=desk.now,
    )
    assert not shown(f"{row} {row!r} {row.model_dump()}")
