"""The parts of the log on a server, as tests look at them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

from sqlalchemy import text

from statewright.store import Store

MONTHS = text("""
    SELECT inhrelid::regclass::text AS name, pg_get_expr(relpartbound, inhrelid) AS bounds
    FROM pg_inherits JOIN pg_class ON oid = inhrelid WHERE inhparent = 'transition'::regclass
    ORDER BY relname <> 'transition_default', relname
""")


@contextmanager
def somebody_who_may_only_add(store: Store) -> Iterator[str]:
    """The name of a role that may read every table and add to it, and nothing else."""
    role = f"usher_{uuid4().hex}"
    with store.transaction() as session:
        session.connection().execute(text(f"CREATE ROLE {role}"))
        session.connection().execute(text(f"GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA public TO {role}"))
        session.connection().execute(text(f"REVOKE ALL ON transition_default FROM {role}"))
    try:
        yield role
    finally:
        with store.transaction() as session:
            session.connection().execute(text("SET ROLE NONE"))
            session.connection().execute(text(f"DROP OWNED BY {role}"))
            session.connection().execute(text(f"DROP ROLE {role}"))
