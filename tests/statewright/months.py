"""The parts of the log on a server, as tests look at them."""

from __future__ import annotations

from sqlalchemy import text

MONTHS = text("""
    SELECT inhrelid::regclass::text AS name, pg_get_expr(relpartbound, inhrelid) AS bounds
    FROM pg_inherits JOIN pg_class ON oid = inhrelid WHERE inhparent = 'transition'::regclass
    ORDER BY relname <> 'transition_default', relname
""")
