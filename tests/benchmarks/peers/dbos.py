"""DBOS: durable workflows; a call or a timer is a workflow whose only step moves the row in a transaction."""

from __future__ import annotations

import time
from collections.abc import Callable

import sqlalchemy as sa
from dbos import DBOS, DBOSClient, DBOSConfig, SQLAlchemyDatasource
from tests.benchmarks.peers.common import SINGLE, Asked, answer, asked, filled

QUEUE = "due"
PATIENCE = 600.0


def measure(it: Asked) -> None:
    config: DBOSConfig = {
        "name": "bench",
        "system_database_url": it.url if it.on_sqlite else it.conninfo,
        "log_level": "ERROR",
        "application_version": "1",
        "run_admin_server": False,
    }
    if it.scenario == SINGLE:
        _calls(it, config)
    else:
        _timers(it, config)
    DBOS.destroy()


def _moving(it: Asked) -> Callable[[int], None]:
    """What moves a row, as a step of a workflow."""
    source = SQLAlchemyDatasource.create(it.url)
    moving = [sa.text(statement) for statement in it.move(":id")]

    def move(row: int) -> None:
        session = source.sql_session()
        for statement in moving:
            session.execute(statement, {"id": row})

    step: Callable[[int], None] = source.transaction()(move)
    return step


def _calls(it: Asked, config: DBOSConfig) -> None:
    DBOS(config=config)
    move, engine = _moving(it), filled(it)

    @DBOS.workflow()
    def authorize(row: int) -> None:
        move(row)

    DBOS.launch()
    began = time.perf_counter()
    for number in range(it.count):
        authorize(number)
    seconds = time.perf_counter() - began
    with engine.connect() as connection:
        done = connection.execute(sa.text("SELECT count(*) FROM history")).scalar_one()
    answer(it, done, seconds)


def _timers(it: Asked, config: DBOSConfig) -> None:
    DBOS(config=config)
    move, engine = _moving(it), filled(it)

    @DBOS.workflow()
    def timer(number: int) -> int:
        move(number)
        return number

    # Where one writes at a time, more of them wait for each other: of 1, 2, 10 and 100 the quickest there.
    workers = 10 if it.on_sqlite else 100

    def launch() -> None:
        DBOS.launch()
        DBOS.register_queue(QUEUE, worker_concurrency=workers, polling_interval_sec=0.05)

    launch()
    DBOS.destroy()
    client = DBOSClient(system_database_url=config["system_database_url"], application_name="bench")
    for number in range(it.count):
        client.enqueue(
            {
                "workflow_name": timer.__qualname__,
                "queue_name": QUEUE,
                "delay_seconds": 0.001,
                "app_version": "1",
            },
            number,
        )
    client.destroy()
    # They come due while nobody watches, as after a downtime.
    time.sleep(1)
    DBOS(config=config)
    began = time.perf_counter()
    launch()
    table = "workflow_status" if it.on_sqlite else "dbos.workflow_status"
    counted = sa.text(f"SELECT count(*) FROM {table} WHERE status = 'SUCCESS'")
    done = 0
    while done < it.count and time.perf_counter() - began < PATIENCE:
        time.sleep(0.05)
        with engine.connect() as connection:
            done = connection.execute(counted).scalar_one()
    answer(it, done, time.perf_counter() - began)


if __name__ == "__main__":
    measure(asked())
