"""Which version of each package's tables a database has, and which this program expects."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, column, select, table

from statewright.dialects import of
from statewright.errors import DefinitionError, SchemaVersionError
from statewright.tables import SCHEMA_VERSION, alembic_version, transition


@dataclass(frozen=True, slots=True)
class Line:
    """The versions of one package's tables; that of version 2 of the shop is the revision `shop_2`.

    package: where the revisions are, in a folder `versions`; None when there is no way to upgrade
    Raises DefinitionError for a name that Alembic's table has no room for.
    """

    name: str
    version: int
    package: str | None = None

    def __post_init__(self) -> None:
        if len(self.name) > LONGEST:
            raise DefinitionError(f"schema {self.name}", f"expected a name of at most {LONGEST} letters")

    @property
    def head(self) -> str:
        """The revision that leads to this version."""
        return f"{self.name}_{self.version}"


LONGEST = 27
"""Letters of a name: with a version of four digits it fills the 32 of Alembic's table."""

ENGINE = Line("statewright", SCHEMA_VERSION, "statewright.migrations")


def versions_found(connection: Connection) -> dict[str, int]:
    """The version of each package's tables in this database; empty when it holds none."""
    tables = of(connection).tables_in(connection)
    if transition.name not in tables:
        return {}
    if alembic_version.name in tables:
        heads = map(_HEAD.fullmatch, connection.execute(select(alembic_version.c.version_num)).scalars())
        if found := {head["name"]: int(head["version"]) for head in heads if head}:
            return found
    if _of_the_first_release.name in tables:
        return {str(name): int(version) for name, version in connection.execute(select(_of_the_first_release))}
    return {}


def refuse_others(lines: Sequence[Line], found: Mapping[str, int], *, tried: str) -> None:
    """Raise SchemaVersionError for the tables of a newer program, or of another application.

    tried: begins the sentence, such as `cannot use the database "shop.db"`
    """
    for line in lines:
        version = found.get(line.name)
        if version is not None and version > line.version:
            raise _refusal(line, version, f"{tried}: {_compared(line, version)}; install the newer program")
    for line in lines:
        if line.name not in found:
            raise _refusal(line, None, f"{tried}: it holds no tables of {line.name}; use another one")


def refuse_older(lines: Sequence[Line], found: Mapping[str, int], *, tried: str, command: str) -> None:
    """Raise SchemaVersionError for tables that an upgrade makes those of this program.

    command: what to run for that
    """
    for line in lines:
        if (version := found[line.name]) < line.version:
            raise _refusal(line, version, f"{tried}: {_compared(line, version)}; run `{command}`")


def _compared(line: Line, version: int) -> str:
    return f"its {line.name} tables are of version {version}, this program expects {line.version}"


def _refusal(line: Line, version: int | None, sentence: str) -> SchemaVersionError:
    return SchemaVersionError(sentence, found=version, expected=line.version)


_HEAD = re.compile(r"(?P<name>.+)_(?P<version>\d+)", re.DOTALL)
_of_the_first_release = table("schema_version", column("name"), column("version"))
"""Where the first release kept the versions."""
