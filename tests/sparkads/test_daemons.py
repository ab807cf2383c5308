"""Several daemons over one portfolio on a server: they share the work, and what dies among them loses nothing."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from freezegun import freeze_time
from tests.postgres import NoServer, Server, server
from tests.sparkads.places import Database, Place, on_server

from sparkads.portfolio import SparkAds
from sparkads.settings import Settings

ROOT = Path(__file__).parents[2]
PATIENCE = 120.0
AWAY = 3.0
"""Seconds for which the server stays away."""

# Somebody's portfolio, each code with one live ad; all of them ended a day ago.
BACKLOG = """
INSERT INTO ad_account (name, state) VALUES ('Brand', 'open');
INSERT INTO campaign (account_id, name, objective, budget, state) VALUES (1, 'c', 'traffic', 5, 'open');
INSERT INTO ad_group (campaign_id, name, location, budget, starts_at, state)
    VALUES (1, 'g', 'DE', 5, clock_timestamp() - interval '9 days', 'open');
INSERT INTO post (item_id, creator, kind, origin, caption, ads_only, posts_allowed, terms_accepted, ads_enabled,
    state)
    SELECT (7300000000000000000 + i)::text, 'mia', 'original', 'tiktok', '', false, true, true, true, 'public'
    FROM generate_series(1, {number}) i;
INSERT INTO video_code (account_id, post_id, code, fingerprint, hint, days, issued_at, expires_at, expire_due_at,
    state)
    SELECT 1, i, '#c' || i, md5(i::text), '#c', 7, ended - interval '7 days', ended, ended, 'live'
    FROM generate_series(1, {number}) i, LATERAL (SELECT clock_timestamp() - interval '1 day' AS ended) AS ends;
INSERT INTO spark_ad (account_id, ad_group_id, post_id, name, state)
    SELECT 1, 1, i, 'ad ' || i, 'live' FROM generate_series(1, {number}) i;
INSERT INTO ad_code (ad_id, post_id, code_id) SELECT i, i, i FROM generate_series(1, {number}) i;
"""
OVERDUE = "SELECT count(*) FROM video_code WHERE expire_due_at <= clock_timestamp()"
MOVED = "SELECT event, count(*), count(DISTINCT row_id) FROM transition GROUP BY event ORDER BY event"
WRONG = (
    "SELECT (SELECT count(*) FROM video_code WHERE state <> 'expired') "
    "+ (SELECT count(*) FROM spark_ad WHERE state <> 'expired')"
)


class Daemons:
    """Processes of their own; what they say is kept."""

    def __init__(self, place: Database, folder: Path) -> None:
        self._place = place
        self._folder = folder
        self.running: list[subprocess.Popen[bytes]] = []

    def watch(self, number: int, **settings: str) -> None:
        """Start so many, and wait until each has reached the database."""
        paths = os.pathsep.join((str(ROOT / "engine"), str(ROOT / "workflows")))
        for each in range(number):
            with (self._folder / f"{each}.txt").open("wb") as said:
                process = subprocess.Popen(
                    [sys.executable, "-m", "sparkads.cli", "--db", self._place.url, "daemon"],
                    stdout=subprocess.DEVNULL,
                    stderr=said,
                    cwd=self._folder,
                    env={**os.environ, "PYTHONPATH": paths, "SPARKADS_PAUSE": "0", **settings},
                )
            self.running.append(process)
        until(lambda: all("watching" in self.said(each) for each in range(number)))

    def said(self, number: int) -> str:
        return (self._folder / f"{number}.txt").read_text()

    def end(self) -> None:
        """Ask them to end; each finishes its batch and says goodbye."""
        for process in self.running:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.running:
            process.wait(timeout=PATIENCE)


@contextmanager
def daemons_on(place: Database, folder: Path) -> Iterator[Daemons]:
    daemons = Daemons(place, folder)
    try:
        yield daemons
    finally:
        for number, process in enumerate(daemons.running):
            process.kill()
            process.wait()
            # Shown when the test fails.
            print(f"daemon {number} said:\n{daemons.said(number)}")  # noqa: T201


def until(condition: Callable[[], bool]) -> None:
    began = time.perf_counter()
    while not condition():
        assert time.perf_counter() - began < PATIENCE
        time.sleep(0.05)


def fill(place: Place, number: int) -> None:
    place.sql(BACKLOG.format(number=number))


def test_four_daemons_share_a_backlog_and_one_that_is_killed_loses_nothing(postgres: str, tmp_path: Path):
    number = 200_000
    with on_server(postgres) as new_place:
        place = new_place()
        assert isinstance(place, Database)
        with daemons_on(place, tmp_path) as daemons:
            daemons.watch(4)
            fill(place, number)
            until(lambda: place.sql(OVERDUE)[0][0] < number // 2)
            daemons.running[0].kill()
            until(lambda: place.sql(OVERDUE)[0][0] == 0)
            daemons.end()
            for survivor in (1, 2, 3):
                assert "expire " in daemons.said(survivor)
                assert "failed" not in daemons.said(survivor)
        assert place.sql(MOVED) == [("expire", number, number), ("lose_authorization", number, number)]
        assert place.sql(WRONG) == [(0,)]


@pytest.mark.parametrize(("fast", "ends_in", "moved"), [(1, 30, 0), (-1, -30, 1)])
def test_a_daemon_whose_clock_is_wrong_by_an_hour_ends_nothing_early_or_late(
    postgres: str, fast: int, ends_in: int, moved: int
):
    with on_server(postgres) as new_place:
        place = new_place()
        fill(place, 1)
        ends = f"clock_timestamp() + interval '{ends_in} minutes'"
        place.sql(f"UPDATE video_code SET expires_at = {ends}, expire_due_at = {ends}")
        with freeze_time(datetime.now(UTC) + timedelta(hours=fast)):
            spark = SparkAds(place.url, settings=Settings())
            assert spark.tick().moved.get(("video_code", "expire"), 0) == moved
            spark.close()


def test_daemons_outlive_one_of_them_and_their_server_and_say_so_once(postgres: str, tmp_path: Path):
    number = 20_000
    with ExitStack() as opened:
        try:
            own: Server = opened.enter_context(server())
        except NoServer as why:
            pytest.skip(f"no PostgreSQL of our own to kill: {why}")
        place = Database(own.url)
        with daemons_on(place, tmp_path) as daemons:
            daemons.watch(3, SPARKADS_BATCH="100", SPARKADS_HEARTBEAT="0.1")
            fill(place, number)
            until(lambda: place.sql(OVERDUE)[0][0] < number - 1_000)
            daemons.running[0].kill()
            own.stop("immediate")
            survivors = (1, 2)
            until(lambda: all("trying again" in daemons.said(each) for each in survivors))
            # Long enough for each to try again some times.
            time.sleep(AWAY)
            own.start()
            until(lambda: place.sql(OVERDUE)[0][0] == 0)
            daemons.end()
            for each in survivors:
                assert int(re.findall(r"recovered after (\d+) failed ticks", daemons.said(each))[0]) >= 3
                for trouble in re.findall(r"(?:trying again|next heartbeat): .*", daemons.said(each)):
                    assert daemons.said(each).count(trouble) == 1
                assert "Traceback" not in daemons.said(each)
        assert place.sql(MOVED) == [("expire", number, number), ("lose_authorization", number, number)]
        assert place.sql(WRONG) == [(0,)]
