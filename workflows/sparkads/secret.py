"""Video codes are secrets: how one is cleaned, recognised and shown without being told."""

import hashlib
import re
import unicodedata
from typing import Any

from pydantic import SecretStr
from sqlalchemy import Dialect, Text, TypeDecorator

from sparkads.errors import WrongInput
from statewright.parameters import storable

LONGEST = 1_000
"""Characters; real codes are a few dozen. TikTok publishes no length."""


class SecretText(TypeDecorator[SecretStr]):
    """Text that Python only holds as a `SecretStr`, so that no repr, log line or JSON shows it."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return value.get_secret_value() if isinstance(value, SecretStr) else value

    def process_result_value(self, value: str | None, dialect: Dialect) -> SecretStr | None:
        return _secret(value)

    # What SQLAlchemy makes of the one above calls two functions for each.
    def result_processor(self, dialect: Dialect, coltype: Any) -> Any:
        return _secret


def _secret(text: str | None) -> SecretStr | None:
    return None if text is None else SecretStr(text)


def clean(code: str) -> str:
    """The code without outer white space and invisible characters; nothing else about it is touched.

    Letters keep their case and `#`, `+`, `=` stay: they belong to the code.
    Raises WrongInput when what is left cannot be a code; the sentence does not repeat it.
    """
    if code.isascii() and code.isprintable() and " " not in code and 0 < len(code) <= LONGEST:
        # What nearly every code is; looking at each character takes longer than all the rest of an import.
        return code
    first, last = 0, len(code)
    while first < last and _invisible(code[first]):
        first += 1
    while last > first and _invisible(code[last - 1]):
        last -= 1
    cleaned = code[first:last]
    if not cleaned:
        raise WrongInput("expected a video code, got nothing; copy it again from the creator's message")
    if len(cleaned) > LONGEST:
        raise WrongInput(
            f"expected a video code of at most {LONGEST:,} characters, got {len(cleaned):,}; "
            "something else was pasted with it"
        )
    if any(_invisible(character) for character in cleaned):
        raise WrongInput(
            "expected one video code, got text with a gap or an invisible character inside; copy the code alone"
        )
    if not storable(cleaned):
        raise WrongInput("expected a video code, got characters that no code has; copy the code alone")
    return cleaned


def fingerprint(code: str) -> str:
    """What tells one clean code from another without telling the code: 32 hexadecimal digits."""
    return hashlib.sha256(code.encode()).hexdigest()[:32]


def hint(code: str) -> str:
    """The code as people see it: enough to recognise it, too little to use it."""
    return f"{code[:4]}…{code[-2:]}" if len(code) >= 12 else f"{code[:1]}…"


def masked(text: str) -> str:
    """A text in which whatever looks like a code is shown as people see codes."""
    return _LIKE_A_CODE.sub(lambda found: hint(found[0]), text)


_LIKE_A_CODE = re.compile(r"#[^\s\"',;…]{7,}")


def _invisible(character: str) -> bool:
    return character.isspace() or unicodedata.category(character) in ("Cc", "Cf", "Zs", "Zl", "Zp")
