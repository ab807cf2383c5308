"""A rule that stands in the database itself, so that no SQL from anywhere can break it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import DDL, Table, event


@dataclass(frozen=True, slots=True)
class Forbid:
    """A rule kept by a trigger.

    before:  what is forbidden, such as `UPDATE OF state` or `DELETE`
    when:    an SQL condition over OLD and NEW, in words that every database understands
    message: what the writer is told
    rows:    the rows that it is about, if not all: a condition over OLD and NEW alone, without sub-queries
    reading: the rows elsewhere on which the condition depends, as FROM names them: others may write them
    """

    name: str
    before: str
    when: str
    message: str
    rows: str | None = None
    reading: str | None = None

    def attach(self, table: Table) -> None:
        """Have the trigger made together with its table."""
        for name, statements in WORDS.items():
            for statement in statements(self, table):
                made = DDL(statement.replace("%", "%%")).execute_if(dialect=name)
                event.listen(table.metadata, "after_create", made)


WORDS: dict[str, Callable[[Forbid, Table], list[str]]] = {}
"""How each database says it."""
