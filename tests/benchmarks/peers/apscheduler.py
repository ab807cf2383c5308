"""APScheduler 3 with an SQL job store: a timer is a job with a date, which moves the row; it has no calls to compare."""

from __future__ import annotations

import logging
import sys
import threading
import time
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from apscheduler.executors.pool import ThreadPoolExecutor  # type: ignore[import-untyped]
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore  # type: ignore[import-untyped]
from apscheduler.schedulers.background import BackgroundScheduler  # type: ignore[import-untyped]
from tests.benchmarks.peers.common import Asked, answer, asked, filled

_it: Asked
_engine: sa.Engine
_finished = threading.Semaphore(0)


def job(row: int) -> None:
    """What a timer does: it moves its row, and tells that it is done."""
    with _engine.begin() as connection:
        for statement in _it.move(":id"):
            connection.execute(sa.text(statement), {"id": row})
    _finished.release()


def measure(it: Asked) -> None:
    # A job is found by its name, and is told nothing but its row.
    global _it, _engine
    logging.getLogger("apscheduler").setLevel(logging.CRITICAL)
    _it, _engine = it, filled(it)
    before = _scheduler(it)
    before.start(paused=True)
    due = datetime.now(UTC) + timedelta(seconds=1)
    for number in range(it.count):
        before.add_job(f"{__spec__.name}:job", "date", run_date=due, id=str(number), args=[number])
    before.shutdown()
    # They come due while nobody watches, as after a downtime.
    time.sleep(max(0.0, (due - datetime.now(UTC)).total_seconds() + 1))
    after = _scheduler(it)
    began = time.perf_counter()
    after.start()
    done = sum(_finished.acquire(timeout=60) for _ in range(it.count))
    seconds = time.perf_counter() - began
    after.shutdown(wait=False)
    answer(it, done, seconds)


def _scheduler(it: Asked) -> BackgroundScheduler:
    """With its default misfire grace of a second it would drop every timer that is overdue."""
    return BackgroundScheduler(
        jobstores={"default": SQLAlchemyJobStore(url=it.url)},
        executors={"default": ThreadPoolExecutor(10)},
        job_defaults={"misfire_grace_time": None, "max_instances": 1},
        timezone="UTC",
    )


if __name__ == "__main__":
    # The jobs are found by the module's name, and must find this one and not another of the same file.
    sys.modules[__spec__.name] = sys.modules["__main__"]
    measure(asked())
