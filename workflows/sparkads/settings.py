"""What can be set, with its default, from TOML and the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from statewright.errors import DefinitionError

HERE = Path("sparkads.toml")
"""The file that is read when nobody names one: in the working directory, if it is there."""


def _all_different(days: tuple[int, ...]) -> tuple[int, ...]:
    if len(set(days)) < len(days):
        raise ValueError
    return days


# Each description ends the sentence that a wrong value gets: "expected batch to be a whole number from ...".
ConfigFile = Annotated[Path | None, Field(strict=False, description="the path of a TOML file")]
DatabaseUrl = Annotated[
    str,
    # kept out of the repr, because it may hold a password
    Field(repr=False, pattern=r"^[a-z][a-z0-9_+]*://", description="a URL such as sqlite:///sparkads.db"),
]
Synchronous = Annotated[Literal["FULL", "NORMAL"], Field(description='"FULL" or "NORMAL"')]
LogFormat = Annotated[Literal["text", "json"], Field(description='"text" or "json"')]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Actor = Annotated[Name | None, Field(description="a name that is not empty")]
Count = Annotated[int, Field(ge=1, le=1_000_000, description="a whole number from 1 to 1000000")]
Heartbeat = Annotated[float, Field(ge=0.1, le=3600, description="a number of seconds from 0.1 to 3600")]
Pause = Annotated[float, Field(ge=0, le=60, description="a number of seconds from 0 to 60")]
Days = Annotated[int, Field(ge=1, le=3650)]
Wait = Annotated[int, Field(ge=0, le=36_500, description="a whole number of days from 0 to 36500")]
Folder = Annotated[str, Field(min_length=1, description="the path of a folder")]
Durations = Annotated[
    tuple[Days, ...],
    Field(strict=False, min_length=1, description="a list of different whole numbers of days from 1 to 3650"),
    AfterValidator(_all_different),
]


class Settings(BaseModel):
    """Every setting with its default; `config/default.toml` says what each one means."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)

    config: ConfigFile = None
    """The file that was read; only the environment and a caller can name it."""
    database: DatabaseUrl = "sqlite:///sparkads.db"
    synchronous: Synchronous = "FULL"
    durations: Durations = (7, 30, 60, 365)
    ads_per_account: Count = 10_000
    ads_per_identity: Count = 10_000
    heartbeat: Heartbeat = 10.0
    batch: Count = 1000
    pause: Pause = 0.005
    archive_after: Wait = 0
    archive_into: Folder = "."
    log_format: LogFormat = "text"
    actor: Actor = None

    def __init__(self, **given: Any) -> None:
        # Not by pydantic-settings: it wants JSON in the environment, cannot be told of a file call by call, and
        # takes longer to load than all else here.
        environment = _environment()
        file = _file(given, environment)
        found = {**_read(file), "config": file} if file else {}
        super().__init__(**{**found, **environment, **given})


def load_settings(path: str | Path | None = None, **overrides: Any) -> Settings:
    """The settings in force: overrides (but None), else the environment, else the file, else the defaults.

    The file is `path`, else what SPARKADS_CONFIG names, else ./sparkads.toml if there is one.
    Raises DefinitionError, which names the file or variable, the key and the value that is wrong.
    """
    given = {key: value for key, value in {"config": path, **overrides}.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as wrong:
        raise _sentence(wrong, given) from None


def _environment() -> dict[str, Any]:
    """SPARKADS_BATCH and the like: written as in TOML, but text without quotes and lists without brackets."""
    texts = {name: os.environ.get(_variable(name)) for name in Settings.model_fields}
    return {name: _value(text, Settings.model_fields[name].default) for name, text in texts.items() if text}


def _variable(name: str) -> str:
    """The environment variable of a setting; the database's is that of the option --db."""
    return "SPARKADS_DB" if name == "database" else f"SPARKADS_{name.upper()}"


def _value(text: str, default: object) -> object:
    if default is None or isinstance(default, str):
        return text
    import tomllib

    bare_list = isinstance(default, tuple) and not text.lstrip().startswith("[")
    try:
        return tomllib.loads(f"value = [{text}]" if bare_list else f"value = {text}")["value"]
    except (ValueError, RecursionError):
        return text


def _file(given: Mapping[str, Any], environment: Mapping[str, Any]) -> Path | None:
    named = given.get("config") or environment.get("config")
    return Path(named) if named else HERE if HERE.exists() else None


def _read(file: Path) -> dict[str, Any]:
    import tomllib

    try:
        # Editors on Windows like to begin a file with a byte order mark.
        values = tomllib.loads(file.read_bytes().decode("utf-8-sig"))
    except FileNotFoundError:
        raise DefinitionError(str(file), "there is no such file; create it or name another") from None
    except OSError as error:
        raise DefinitionError(str(file), f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise DefinitionError(str(file), f"expected UTF-8, got other bytes at byte {error.start + 1}") from None
    except (ValueError, RecursionError) as error:
        raise DefinitionError(str(file), f"is not TOML: {error}") from None
    if "config" in values:
        raise DefinitionError(str(file), _unknown("config"))
    return values


def _sentence(wrong: ValidationError, given: Mapping[str, Any]) -> DefinitionError:
    """All that is wrong in the first source that has something wrong."""
    environment = _environment()
    problems: dict[str, list[str]] = {}
    for error in wrong.errors():
        key = str(error["loc"][0])
        if key in given:
            where = "settings"
        elif key in environment:
            where = _variable(key)
        else:
            where = str(_file(given, environment))
        if key in Settings.model_fields:
            problem = (
                f"expected {key} to be {Settings.model_fields[key].description}, got {_shown(error['input'])}"
            )
        else:
            problem = _unknown(key)
        problems.setdefault(where, []).append(problem)
    where, found = next(iter(problems.items()))
    return DefinitionError(where, "; ".join(found))


def _unknown(key: str) -> str:
    settings = [name for name in Settings.model_fields if name != "config"]
    close = get_close_matches(key, settings, n=1)
    way_out = f"did you mean {close[0]}?" if close else f"there are {', '.join(settings)}"
    return f"there is no setting {_shown(key)}; {way_out}"


def _shown(value: object) -> str:
    """Short enough for a sentence, and without what may be the password of a URL."""
    before, at, after = repr(value).rpartition("@")
    text = f"{before.partition(':')[0]}:***@{after}" if at and ":" in before else before + at + after
    return text if len(text) <= 80 else f"{text[:76]} ..."
