"""procrastinate: a queue in PostgreSQL; a call or a timer is a task that moves the row in a transaction."""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import UTC, datetime, timedelta

import procrastinate
from psycopg_pool import AsyncConnectionPool
from tests.benchmarks.peers.common import Asked, answer, asked

CONCURRENCY = 20


async def measure(it: Asked) -> None:
    logging.getLogger("procrastinate").setLevel(logging.ERROR)
    connector = procrastinate.PsycopgConnector(conninfo=it.conninfo, max_size=CONCURRENCY + 5)
    app = procrastinate.App(connector=connector)
    pool = AsyncConnectionPool(it.conninfo, min_size=5, max_size=CONCURRENCY, open=False)
    moving = [statement.encode() for statement in it.move("%s")]
    done = 0

    @app.task(name="move")
    async def move(row: int) -> None:
        nonlocal done
        async with pool.connection() as writing:
            for statement in moving:
                await writing.execute(statement, (row,))
        done += 1

    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        await pool.open()
        async with pool.connection() as making:
            for statement in it.tables():
                await making.execute(statement)
            rows = f"INSERT INTO code SELECT i, '{it.source}' FROM generate_series(1, %s::int) AS i"
            await making.execute(rows.encode(), (it.count,))
        due = move.configure(schedule_at=datetime.now(UTC) + timedelta(milliseconds=1))
        await due.batch_defer_async(*[{"row": i + 1} for i in range(it.count)])
        await asyncio.sleep(0.5)
        began = time.perf_counter()
        await app.run_worker_async(
            wait=False, concurrency=CONCURRENCY, install_signal_handlers=False, listen_notify=False
        )
        seconds = time.perf_counter() - began
        await pool.close()
    answer(it, done, seconds)


if __name__ == "__main__":
    asyncio.run(measure(asked()))
