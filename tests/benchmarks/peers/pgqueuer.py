"""pgqueuer: a queue in PostgreSQL; a call or a timer is a job that moves the row in a transaction of its own."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import Any

import asyncpg
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver
from pgqueuer.queries import Queries
from tests.benchmarks.peers.common import Asked, answer, asked

BATCH = 200
"""Of 10, which is its default, 50, 200 and 500 the quickest for timers; for calls they are alike."""


async def measure(it: Asked) -> None:
    connection = await asyncpg.connect(it.conninfo)
    queries = Queries(AsyncpgDriver(connection))
    await queries.install()
    pool = await asyncpg.create_pool(it.conninfo, min_size=5, max_size=20)
    for statement in it.tables():
        await pool.execute(statement)
    await pool.execute(f"INSERT INTO code SELECT i, '{it.source}' FROM generate_series(1, $1::int) AS i", it.count)
    work = PgQueuer(AsyncpgDriver(connection))
    moving = it.move("$1")
    done = 0

    @work.entrypoint("move")
    async def move(job: Any) -> None:
        nonlocal done
        if it.moves:
            async with pool.acquire() as writing, writing.transaction():
                for statement in moving:
                    await writing.execute(statement, int(job.payload))
        done += 1

    after = [timedelta(milliseconds=1)] * it.count
    await queries.enqueue(
        ["move"] * it.count, [str(i + 1).encode() for i in range(it.count)], [0] * it.count, after
    )
    # As a server does by itself after a while; ours is as well.
    await pool.execute("VACUUM ANALYZE pgqueuer")
    await asyncio.sleep(0.5)
    began = time.perf_counter()
    running = asyncio.create_task(work.run(batch_size=BATCH, dequeue_timeout=timedelta(seconds=1)))
    # Done is what is no longer in the queue: acknowledged, and durably so. To look there earlier would keep it busy.
    while done < it.count or await pool.fetchval("SELECT EXISTS (SELECT 1 FROM pgqueuer)"):
        await asyncio.sleep(0.01)
    seconds = time.perf_counter() - began
    answer(it, done, seconds)
    work.shutdown.set()
    await asyncio.wait_for(running, 20)
    await pool.close()


if __name__ == "__main__":
    asyncio.run(measure(asked()))
