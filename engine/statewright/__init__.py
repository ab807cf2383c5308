"""Durable state charts over SQL: the chart decides, the log records, the table follows.

    chart        Chart: states, events and guards by name; tabulated once, by asking python-statemachine
    workflow     Workflow: a table whose rows live by a chart, with guards, assignments, cascades, deadlines
    workflows    Workflows: those that belong together, because they move each other's rows
    store        Store: the database, and every transaction
    migrations   change_states, compare_states, add_deadline: how the tables of an older version become today's
    clash        attempt: work that another program's undid is begun again
    transition   fire, fire_all, fire_due, start, force: how a row moves, one or a million
    explain      can, preview: what a row may do, and why not
    log          history, entries: every move there ever was
    sweep        sweep, rehearse: everything that is due
    subscriber   Subscriber, deliver: who wants to know what happened
    forecast     forecast: what is coming
    archive      archive: old moves of finished lives, into a file
    retention    Retention: what a daemon archives by itself, when it is set to
    status       status: how the daemons are doing
    daemon       tick, run: what keeps the rows moving
    testing      what users' tests need

Names are loaded when they are first used, so that `import statewright` costs nothing. A function that is
called like its module is imported from there: `from statewright.sweep import sweep`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from statewright.archive import Archived, Finding
    from statewright.chart import Chart, tabulate
    from statewright.clash import attempt
    from statewright.clock import Clock, SystemClock
    from statewright.daemon import Daemon, run
    from statewright.declaration import Assign, Cascade, Deadline, Guard, Link
    from statewright.dialects import (
        Forbid,
        Identifier,
        Instant,
        days_after,
        days_between,
        earliest,
        latest,
    )
    from statewright.errors import (
        ArchiveError,
        Blocker,
        Conflict,
        DefinitionError,
        EventNotPossible,
        GuardRefused,
        Refusal,
        SchemaVersionError,
        StatewrightError,
        StoreError,
        TransitionError,
        UnknownEvent,
        UnknownRow,
        WrongArguments,
    )
    from statewright.explain import Possibility, Preview, can, preview, waiting_for
    from statewright.log import FORCE, START, Elsewhere, Entry, causes, elsewhere, entries, forget, history
    from statewright.parameters import NOW, argument
    from statewright.retention import Retention
    from statewright.step import Tick, tick
    from statewright.store import Schema, Store
    from statewright.subscriber import Subscriber, deliver, lines
    from statewright.sweep import Swept, next_due, rehearse
    from statewright.transition import Moved, fire, fire_all, fire_due, force, start
    from statewright.workflow import Workflow
    from statewright.workflows import Workflows

__all__ = [
    "FORCE",
    "NOW",
    "START",
    "ArchiveError",
    "Archived",
    "Assign",
    "Blocker",
    "Cascade",
    "Chart",
    "Clock",
    "Conflict",
    "Daemon",
    "Deadline",
    "DefinitionError",
    "Elsewhere",
    "Entry",
    "EventNotPossible",
    "Finding",
    "Forbid",
    "Guard",
    "GuardRefused",
    "Identifier",
    "Instant",
    "Link",
    "Moved",
    "Possibility",
    "Preview",
    "Refusal",
    "Retention",
    "Schema",
    "SchemaVersionError",
    "StatewrightError",
    "Store",
    "StoreError",
    "Subscriber",
    "Swept",
    "SystemClock",
    "Tick",
    "TransitionError",
    "UnknownEvent",
    "UnknownRow",
    "Workflow",
    "Workflows",
    "WrongArguments",
    "argument",
    "attempt",
    "can",
    "causes",
    "days_after",
    "days_between",
    "deliver",
    "earliest",
    "elsewhere",
    "entries",
    "fire",
    "fire_all",
    "fire_due",
    "force",
    "forget",
    "history",
    "latest",
    "lines",
    "next_due",
    "preview",
    "rehearse",
    "run",
    "start",
    "tabulate",
    "tick",
    "waiting_for",
]

_HOMES = {
    "archive": "Archived Finding",
    "chart": "Chart tabulate",
    "clash": "attempt",
    "clock": "Clock SystemClock",
    "daemon": "Daemon run",
    "declaration": "Assign Cascade Deadline Guard Link",
    "dialects": "Forbid Identifier Instant days_after days_between earliest latest",
    "errors": (
        "ArchiveError Blocker Conflict DefinitionError EventNotPossible GuardRefused Refusal SchemaVersionError "
        "StatewrightError StoreError TransitionError UnknownEvent UnknownRow WrongArguments"
    ),
    "explain": "Possibility Preview can preview waiting_for",
    "log": "FORCE START Elsewhere Entry causes elsewhere entries forget history",
    "parameters": "NOW argument",
    "retention": "Retention",
    "step": "Tick tick",
    "store": "Schema Store",
    "subscriber": "Subscriber deliver lines",
    "sweep": "Swept next_due rehearse",
    "transition": "Moved fire fire_all fire_due force start",
    "workflow": "Workflow",
    "workflows": "Workflows",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found = getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
