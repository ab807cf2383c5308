"""An upgrade: every revision that a database lacks, in one transaction, so that all of them happen or none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, column, inspect, select, table

from statewright import dialects
from statewright.errors import DefinitionError, SchemaVersionError, StoreError
from statewright.tables import SCHEMA_VERSION

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory

VERSIONS = "alembic_version"
LONGEST = 32
"""Letters of a revision's name; Alembic's table holds no more."""

_alembic = table(VERSIONS, column("version_num"))
_first = table("schema_version", column("name"), column("version"))


@dataclass(frozen=True, slots=True)
class Line:
    """The versions of one package's tables; that of version 2 of the shop is the revision `shop_2`.

    package: where the revisions are, in a folder `versions`; None when there is no way to upgrade
    """

    name: str
    version: int
    package: str | None = None

    @property
    def head(self) -> str:
        return f"{self.name}_{self.version}"


ENGINE = Line("statewright", SCHEMA_VERSION, "statewright.migrations")


def versions_found(connection: Connection) -> dict[str, int]:
    """The version of each package's tables in this database; empty when it holds none."""
    tables = set(inspect(connection).get_table_names())
    if VERSIONS in tables:
        heads = [str(head) for head in connection.execute(select(_alembic.c.version_num)).scalars()]
        if heads:
            return {name: int(version) for name, _, version in (head.rpartition("_") for head in heads)}
    if _first.name in tables:
        # The first release kept them in a table of its own.
        return {str(name): int(version) for name, version in connection.execute(select(_first))}
    return {}


def upgrade(
    connection: Connection,
    lines: Sequence[Line],
    *,
    name: str,
    tell: Callable[[str], None] = lambda revision: None,
) -> list[str]:
    """Bring the tables of these packages to their versions; returns the revisions that ran, in order.

    The caller begins the transaction, one that writes, and commits it; other upgrades wait for its end.
    name: the database as a person knows it
    tell: is given each revision as soon as it is done
    Raises SchemaVersionError for tables of a newer program, StoreError when there is no way to upgrade.
    """
    dialects.of(connection).take_turns(connection)
    found = versions_found(connection)
    _check(lines, found, name)
    lagging = [line for line in lines if found.get(line.name) != line.version]
    for line in lagging:
        if line.package is None:
            raise StoreError(
                f'cannot upgrade the database "{name}": {line.name} comes with no migrations; '
                f"name their package in its schema"
            )
    from alembic.operations import Operations
    from alembic.runtime.migration import MigrationContext

    script = _script(lines)
    done: list[str] = []

    def told(*, step: Any, **_others: Any) -> None:
        done.append(step.up_revision_id)
        tell(step.up_revision_id)

    def steps(heads: Any, _context: Any) -> Any:
        return [step for line in lagging for step in script._upgrade_revs(line.head, heads)]  # noqa: SLF001

    context = MigrationContext.configure(
        connection, opts={"script": script, "fn": steps, "on_version_apply": (told,)}
    )
    if not context.get_current_heads():
        context._ensure_version_table()  # noqa: SLF001 - only a run of revisions makes it otherwise
        if found:
            rows = [{"version_num": f"{each}_{version}"} for each, version in found.items()]
            connection.execute(_alembic.insert(), rows)
    with Operations.context(context):
        context.run_migrations()
    return done


def _check(lines: Sequence[Line], found: dict[str, int], name: str) -> None:
    for line in lines:
        if len(line.head) > LONGEST:
            raise DefinitionError(f"schema {line.name}", f"expected a name of at most {LONGEST - 5} letters")
        version = found.get(line.name)
        if version is not None and version > line.version:
            raise SchemaVersionError(
                f'cannot upgrade the database "{name}": its {line.name} tables are of version {version}, '
                f"this program expects {line.version}; install the newer program",
                found=version,
                expected=line.version,
            )
    if found and (missing := [line.name for line in lines if line.name not in found]):
        raise SchemaVersionError(
            f'cannot upgrade the database "{name}": it holds no tables of {missing[0]}; use another one',
            found=None,
            expected=next(line.version for line in lines if line.name == missing[0]),
        )


def _script(lines: Sequence[Line]) -> ScriptDirectory:
    from alembic.script import ScriptDirectory

    folders = [_folder(line.package) for line in lines if line.package is not None]
    return ScriptDirectory(folders[0].parent, version_locations=[*map(str, folders)])


def _folder(package: str) -> Path:
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise DefinitionError("schema", f"there is no package {package} with migrations in it")
    return Path(next(iter(spec.submodule_search_locations)), "versions")
