"""What PostgreSQL and the way to it can say went wrong, as one sentence each, and without any value of a row."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError

from statewright.errors import StoreError


def trouble(error: DBAPIError, name: str) -> StoreError:
    """What went wrong with the database, as one sentence; `name` is the database as a person knows it."""
    said = " ".join(line for line in str(error.orig).splitlines()[:1]).rpartition("FATAL:")[2].strip()
    state = getattr(error.orig, "sqlstate", None)
    if state is None:
        for words, sentence in _UNREACHABLE.items():
            if words in str(error.orig):
                return StoreError(sentence.format(name=name))
    if state in _TROUBLES:
        facts = {"busy": state in _BUSY, "clashed": state in _CLASHES}
        return StoreError(_TROUBLES[state].format(name=name, said=said), **facts)
    return StoreError(f'the database "{name}" reported: {said}')


_OPENING = 'cannot open the database "{name}": '
_STARTING = "the server is starting up; try again in a moment"
_LOST = 'lost the connection to the database "{name}"'
_UNREACHABLE = {
    "password authentication failed": _OPENING + "the password is wrong",
    "no password supplied": _OPENING + "it wants a password, and none was given",
    "pg_hba.conf": _OPENING + "the server does not let this user in from here",
    "permission denied for database": _OPENING + "this user has no permission to connect",
    "not permitted to log in": _OPENING + "the server does not let this user in",
    "too many connections": _OPENING + "the server has too many connections of this user or to this database",
    "not currently accepting connections": _OPENING + "the server lets nobody into this database",
    'role "': _OPENING + "the server does not know this user",
    'database "': _OPENING + "the server has no database of this name",
    "resolve": _OPENING + "there is no host of this name",
    "translate host name": _OPENING + "there is no host of this name",
    "refused": _OPENING + "no server answers there",
    "No such file or directory": _OPENING + "no server answers there",
    "timeout": _OPENING + "the server does not answer in time",
    "starting up": _OPENING + _STARTING,
    "not yet accepting connections": _OPENING + _STARTING,
    "in recovery mode": _OPENING + _STARTING,
    "shutting down": _OPENING + "the server is shutting down",
    "too many clients": _OPENING + "the server has too many connections",
    "closed the connection": _LOST,
    "connection is closed": _LOST,
    "connection was closed": _LOST,
    "terminating connection": _LOST,
    "no sign of life": _LOST + ": the server does not answer",
}
_CLASHES = ("40001", "40P01")
_BUSY = (*_CLASHES, "55P03")
_TROUBLES = {
    "25006": 'cannot write to the database "{name}": it is read-only',
    "40001": 'the database "{name}" was changed at the same moment; try again',
    "40P01": 'the database "{name}" ended a deadlock with another program; try again',
    "42501": (
        'cannot use the database "{name}": this user has no permission: {said}; '
        "let the owner of the tables do it, or grant it"
    ),
    "53100": 'cannot write to the database "{name}": the disk is full',
    "53300": 'cannot open the database "{name}": the server has too many connections',
    "55P03": 'the database "{name}" is locked by another program; try again when it is done',
    "57014": 'the database "{name}" took too long; try again, or with less at once',
    "57P01": 'lost the connection to the database "{name}": the server is shutting down',
}


def violated(error: DBAPIError) -> str:
    """The constraint that was broken, without any value of a row: the server's own sentence may quote them."""
    about = getattr(error.orig, "diag", None)
    kind = _VIOLATIONS.get(getattr(error.orig, "sqlstate", ""))
    if kind is None or about is None:
        return str(error.orig).splitlines()[0]
    broken = about.constraint_name or f"{about.table_name}.{about.column_name}"
    return f"{kind} constraint failed: {broken}"


_VIOLATIONS = {"23502": "NOT NULL", "23503": "FOREIGN KEY", "23505": "UNIQUE", "23514": "CHECK"}


def keep_values_out(error: BaseException) -> None:
    """Have an error say less: the server's details quote the row, and what must never be logged with it."""
    about = getattr(error, "diag", None)
    if about is not None and about.message_primary:
        error.args = (about.message_primary,)
