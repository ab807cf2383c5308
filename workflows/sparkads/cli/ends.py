"""How a command ends: an exit code, and one sentence for whoever asked."""

from __future__ import annotations

import json
import os
import re
from typing import Any

import typer

DONE, REFUSED, WRONG_USE, TROUBLE = 0, 1, 2, 3
INTERRUPTED, READER_GONE = 130, 141
"""As shells report a program that Ctrl-C, or the end of its pipe, has stopped."""

UsageError: type[Exception] = typer.BadParameter.__bases__[0]
"""What the library raises for a command line that it cannot read."""


def tell(error: Exception, *, as_json: bool) -> int:
    """Say on stderr what went wrong; returns the exit code."""
    if os.environ.get("SPARKADS_DEBUG"):
        import traceback

        traceback.print_exception(error)
    if isinstance(error, typer.Abort):
        return INTERRUPTED
    code, sentence = _verdict(error)
    if "#" in sentence:
        from sparkads.secret import masked

        # What was given in the wrong place may be a code, and a sentence may be kept by whoever reads it.
        sentence = masked(sentence)
    if as_json:
        blockers = getattr(error, "blockers", ())
        facts = {
            "error": sentence,
            "kind": type(error).__name__,
            "blockers": [{name: getattr(each, name) for name in each.__slots__} for each in blockers],
        }
        typer.echo(json.dumps(facts), err=True)
    else:
        typer.echo(sentence, err=True)
    return code


def check_encoding(arguments: list[str]) -> None:
    """Raise a usage error for text that is not UTF-8: no database keeps it."""
    for number, argument in enumerate(arguments, 1):
        try:
            argument.encode()
        except UnicodeEncodeError:
            raise UsageError(f"expected text in UTF-8, got other bytes in argument {number}") from None


def _verdict(error: Exception) -> tuple[int, str]:
    if isinstance(error, UsageError):
        return WRONG_USE, _usage(error)
    if isinstance(error, OSError):
        return TROUBLE, _of_a_file(error)

    from sparkads.errors import FileTrouble, WrongInput
    from statewright import errors

    if not isinstance(error, errors.StatewrightError):
        first = next(iter(str(error).splitlines()), "")
        return TROUBLE, f"unexpected: {type(error).__name__}: {first}; please report"
    code = REFUSED
    if isinstance(error, errors.StoreError | errors.DefinitionError | errors.ArchiveError | FileTrouble):
        code = TROUBLE
    elif isinstance(error, WrongInput | errors.WrongArguments | errors.UnknownEvent):
        # A strict import names the rows that it rejected: the file itself is in order.
        code = REFUSED if getattr(error, "rejected", 0) else WRONG_USE
    return code, error.sentence


def _usage(error: Any) -> str:
    if type(error).__name__ == "NoArgsIsHelpError":
        return str(error.format_message())
    if re.fullmatch(r"-\d+", getattr(error, "option_name", "")):
        return f"expected no negative number here, got {error.option_name}"
    said = str(error.format_message()).rstrip(".")
    sentence = said[:1].lower() + said[1:]
    return f"{sentence}; see `{error.ctx.command_path} --help`" if error.ctx else sentence


def _of_a_file(error: OSError) -> str:
    words = (error.strerror or str(error) or type(error).__name__).lower()
    return f'cannot use "{error.filename}": {words}' if error.filename else f"cannot read or write: {words}"
