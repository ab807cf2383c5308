"""How the engine speaks while it runs: one logger, each line a sentence, with its facts beside it."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any

logger = logging.getLogger("statewright")
"""Facts go into `extra`, the first of them `action`, so that a line can be searched for without its words."""

_USUAL = {*vars(logging.makeLogRecord({})), "message", "asctime"}


class TextLines(logging.Formatter):
    """Each log record on a line of its own: when, and what happened; how bad it is, if it is."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC)
        level = "" if record.levelno <= logging.INFO else f"{record.levelname.lower()}: "
        line = f"{at:%Y-%m-%dT%H:%M:%SZ} {level}{record.getMessage()}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonLines(logging.Formatter):
    """Each log record as one JSON object on a line: at, level, logger, message, and its facts."""

    def format(self, record: logging.LogRecord) -> str:
        said: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        said.update({name: value for name, value in vars(record).items() if name not in _USUAL})
        if record.exc_info:
            said["traceback"] = self.formatException(record.exc_info)
        return json.dumps(said, default=str)
