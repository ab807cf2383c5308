"""An upgrade: every revision that a database lacks, in one transaction, so that all of them happen or none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select

from statewright import dialects
from statewright.errors import DefinitionError, StoreError
from statewright.migrations.line import Line, refuse_others, versions_found
from statewright.tables import alembic_version

if TYPE_CHECKING:
    from alembic.script import Script, ScriptDirectory


@dataclass(frozen=True, slots=True)
class Step:
    """A revision that an upgrade runs, and what is true after it, in the first words of its docstring."""

    revision: str
    purpose: str


def upgrade(
    connection: Connection,
    lines: Sequence[Line],
    *,
    name: str,
    tell: Callable[[Step], None] = lambda step: None,
) -> list[Step]:
    """Bring the tables of these packages to their versions; returns the steps that this took, in order.

    The caller begins the transaction, one that writes, and commits it; other upgrades wait for its end.
    name: the database as a person knows it
    tell: is given each step when it begins
    Raises SchemaVersionError for tables of a newer program, StoreError when there is no way to upgrade,
    DefinitionError when the revisions do not lead there.
    """
    dialects.of(connection).take_turns(connection)
    found = versions_found(connection)
    tried = f'cannot upgrade the database "{name}"'
    if found:
        refuse_others(lines, found, tried=tried)
    lagging = [line for line in lines if found.get(line.name) != line.version]
    for line in lagging:
        if line.package is None:
            raise StoreError(f"{tried}: {line.name} comes with no migrations; name their package in its schema")
    if not lagging:
        return []
    script = _script(lines)
    missing = [revision for line in lagging for revision in _missing(script, line, found.get(line.name))]
    _write_down(connection, found, tried)
    return _take(connection, script, missing, tell)


def _write_down(connection: Connection, found: Mapping[str, int], tried: str) -> None:
    """Have Alembic's table say what was found: a database of the first release says it elsewhere."""
    alembic_version.create(connection, checkfirst=True)
    there = [*connection.execute(select(alembic_version.c.version_num)).scalars()]
    heads = [f"{name}_{version}" for name, version in found.items()]
    if not set(heads).isdisjoint(there):
        return
    if there:
        raise StoreError(
            f"{tried}: its table {alembic_version.name} is another program's; "
            "give that another name, which Alembic calls `version_table`"
        )
    if heads:
        connection.execute(alembic_version.insert(), [{"version_num": head} for head in heads])


def _missing(script: ScriptDirectory, line: Line, version: int | None) -> list[Script]:
    """The revisions that lead from the version found to the one expected, in order."""
    from alembic.script.revision import RevisionError

    lower = "base" if version is None else f"{line.name}_{version}"
    try:
        return [*script.iterate_revisions(line.head, lower)][::-1]
    except RevisionError:
        raise DefinitionError(
            f"schema {line.name}", f"the revisions of {line.package} do not lead from {lower} to {line.head}"
        ) from None


def _take(
    connection: Connection, script: ScriptDirectory, missing: Sequence[Script], tell: Callable[[Step], None]
) -> list[Step]:
    from alembic.operations import Operations
    from alembic.runtime.migration import MigrationContext, MigrationStep

    taken: list[Step] = []

    def steps(_heads: Any, _context: Any) -> Iterator[MigrationStep]:
        for each in missing:
            taken.append(Step(each.revision, " ".join(each.doc.split())))
            tell(taken[-1])
            yield MigrationStep.upgrade_from_script(script.revision_map, each)

    context = MigrationContext.configure(connection, opts={"script": script, "fn": steps})
    with Operations.context(context):
        context.run_migrations()
    return taken


def _script(lines: Sequence[Line]) -> ScriptDirectory:
    from alembic.script import ScriptDirectory

    folders = [_folder(line.package) for line in lines if line.package is not None]
    return ScriptDirectory(folders[0].parent, version_locations=[*map(str, folders)])


def _folder(package: str) -> Path:
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise DefinitionError("schema", f"there is no package {package} with migrations in it")
    return Path(next(iter(spec.submodule_search_locations)), "versions")
