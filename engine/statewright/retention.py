"""What a daemon archives by itself, when it is set to: finished lives, so long after their end, once a day."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path

from statewright.archive import archive
from statewright.errors import DefinitionError
from statewright.logs import logger
from statewright.store import Store
from statewright.subscriber import counted
from statewright.workflows import Workflows


class Retention:
    """How long a finished life stays in the log, and the folder for the files that it goes to then.

    Of several daemons over one database, let one have it: the folder is on its machine.
    """

    def __init__(self, after: timedelta, into: Path) -> None:
        if after <= timedelta():
            raise DefinitionError("retention", f"expected a time after the end of a life, got {after}")
        self.after = after
        self.into = into
        self._last: date | None = None

    def __repr__(self) -> str:
        return f"Retention({self.after!r}, {self.into!r})"

    def keep(self, store: Store, workflows: Workflows, *, now: datetime, actor: str) -> None:
        """Archive what has been over for so long, unless it was tried today already.

        Raises ArchiveError and StoreError like `archive`; the next try is on the next day.
        """
        if self._last == now.date():
            return
        self._last = now.date()
        done = archive(store, workflows, before=now - self.after, into=self.into, actor=actor)
        if done.file is not None:
            extra = {"action": "archive", "file": str(done.file), "moves": done.found.moves}
            logger.info("archived %s into %s", counted(done.found.moves, "move"), done.file, extra=extra)
