"""A secret alone: how it is cleaned, recognised and masked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkads.errors import WrongInput
from sparkads.secret import LONGEST, clean, fingerprint, hint

CODE = "#+v08a+b/cDe/fGh=="
UNSEEN = st.text(" \t\r\n\v\f\u00a0\u00ad\u200b\u200c\u200d\u2028\u2029\u202a\u202c\u2060\u3000\ufeff\0")
VISIBLE = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cf", "Zs", "Zl", "Zp")), min_size=1, max_size=200
).filter(lambda text: not any(character.isspace() for character in text))


@given(before=UNSEEN, code=VISIBLE, after=UNSEEN)
def test_cleaning_takes_off_what_cannot_be_seen_and_nothing_else(before, code, after):
    assert clean(before + code + after) == code


@given(before=VISIBLE, gap=UNSEEN.filter(bool), after=VISIBLE)
def test_cleaning_refuses_a_gap_and_does_not_repeat_what_was_given(before, gap, after):
    with pytest.raises(WrongInput) as refused:
        clean(before + gap + after)
    assert str(refused.value) == (
        "expected one video code, got text with a gap or an invisible character inside; copy the code alone"
    )


@given(code=UNSEEN)
def test_cleaning_refuses_nothing_at_all(code):
    with pytest.raises(WrongInput, match="got nothing; copy it again from the creator's message"):
        clean(code)


def test_cleaning_refuses_what_is_far_too_long():
    assert clean("x" * LONGEST) == "x" * LONGEST
    with pytest.raises(WrongInput) as refused:
        clean("x" * 10_000_000)
    assert str(refused.value) == (
        "expected a video code of at most 1,000 characters, got 10,000,000; something else was pasted with it"
    )


def test_cleaning_refuses_half_characters():
    with pytest.raises(WrongInput, match="got characters that no code has; copy the code alone"):
        clean(f"{CODE}\udc80")


@given(one=VISIBLE, other=VISIBLE)
def test_a_fingerprint_tells_codes_apart_without_telling_them(one, other):
    assert (fingerprint(one) == fingerprint(other)) == (one == other)
    assert len(fingerprint(one)) == 32
    assert set(fingerprint(one)) <= set("0123456789abcdef")


def test_a_fingerprint_is_the_same_in_every_version():
    assert fingerprint(CODE) == "8a8249b2ede108637e53c24964da8bfb"


@pytest.mark.parametrize(
    ("code", "masked"), [(CODE, "#+v0…=="), ("#kZ7aBcDeFg=", "#kZ7…g="), ("#kZ7aBcDeFg", "#…"), ("#", "#…")]
)
def test_a_hint_is_enough_to_recognise_a_code_and_too_little_to_use_it(code, masked):
    assert hint(code) == masked
