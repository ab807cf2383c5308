"""What the tests of the rules start from: a portfolio on a file of its own, and short ways to fill it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from tests.sparkads.places import File, NewPlace, Place, in_files, on_server

from sparkads.portfolio import SparkAds
from sparkads.settings import Settings
from sparkads.tables import AdAccount, AdGroup, Post, SparkAd, VideoCode
from statewright.daemon import Tick
from statewright.log import Entry
from statewright.testing import ManualClock, temporary_database

BEGINNING = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
"""When every test begins; nothing about it is round."""


class Desk:
    """An advertiser's desk: a portfolio, a clock, and everything that a test does not care about filled in."""

    actor = "ana"

    def __init__(self, spark: SparkAds, clock: ManualClock, place: Place) -> None:
        self.spark = spark
        self.clock = clock
        self.place = place
        self._number = count(1)
        self.brand = spark.accounts.add("Brand", actor=self.actor)

    @property
    def file(self) -> Path:
        """Where the portfolio is, if it is in a file."""
        assert isinstance(self.place, File)
        return self.place.file

    def renewed(self) -> Desk:
        """The same program with an empty portfolio, at the beginning of time."""
        self.spark.close()
        self.place.empty()
        self.clock.set(BEGINNING, backwards=True)
        return Desk(self.spark, self.clock, self.place)

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def post(self, creator: str = "mia", *, account: AdAccount | None = None, **facts: Any) -> Post:
        item = f"73{next(self._number):017}"
        return self.spark.posts.add(item, creator=creator, actor=self.actor, **facts)

    def duet(self, original: Post, creator: str = "leo", kind: str = "duet") -> Post:
        return self.post(creator, kind=kind, original=original)

    def pushed(self, creator: str = "brand", **facts: Any) -> Post:
        return self.spark.posts.push(creator, actor=self.actor, **facts)

    def secret(self) -> str:
        """Text like a real code, another one each time."""
        return f"#kZ7+q{next(self._number):06}/aBcDeFg="

    def pending_code(self, post: Post, *, days: int = 30, **facts: Any) -> VideoCode:
        facts = {"code": self.secret(), "account": self.brand, "issued_at": self.now, **facts}
        return self.spark.codes.receive(facts.pop("code"), post=post, days=days, actor=self.actor, **facts)

    def code(self, post: Post, *, days: int = 30, **facts: Any) -> VideoCode:
        """A code that TikTok has accepted."""
        return self.spark.codes.authorize(self.pending_code(post, days=days, **facts), actor="tiktok")

    def group(
        self,
        *,
        account: AdAccount | None = None,
        ends_in: timedelta | None = None,
        objective: str | None = "traffic",
        campaign_budget: int | None = 500,
        location: str | None = "DE",
        budget: int | None = 50,
        started: bool = True,
    ) -> AdGroup:
        """A complete ad group in a complete campaign, unless told otherwise."""
        name = f"spring {next(self._number)}"
        campaign = self.spark.campaigns.create(
            name,
            account=account or self.brand,
            objective=objective,
            budget=campaign_budget,
            actor=self.actor,
        )
        return self.spark.ad_groups.create(
            campaign,
            name,
            location=location,
            budget=budget,
            starts_at=self.now if started else None,
            ends_at=None if ends_in is None else self.now + ends_in,
            actor=self.actor,
        )

    def ad(self, post: Post, *, group: AdGroup | None = None, name: str | None = None, **facts: Any) -> SparkAd:
        return self.spark.ads.create(
            name or f"ad {next(self._number)}",
            ad_group=group or self.group(),
            post=post,
            actor=self.actor,
            **facts,
        )

    def submitted(self, post: Post, **facts: Any) -> SparkAd:
        return self.spark.ads.submit(self.ad(post, **facts), actor=self.actor)

    def live(self, post: Post, **facts: Any) -> SparkAd:
        return self.spark.ads.approve(self.submitted(post, **facts), actor="tiktok")

    def ad_in(self, state: str, post: Post, **facts: Any) -> SparkAd:
        """An ad of a post that is authorized, brought to any state but pending."""
        ads, actor = self.spark.ads, self.actor
        match state:
            case "authorized":
                ad = self.ad(post, **facts)
            case "in_review":
                ad = self.submitted(post, **facts)
            case "live":
                ad = self.live(post, **facts)
            case "paused":
                ad = ads.pause(self.live(post, **facts), actor=actor)
            case "rejected":
                ad = ads.reject(self.submitted(post, **facts), reason="too loud", actor="tiktok")
            case "expired":
                ad = self.live(post, **facts)
                self.reschedule(ad, ends_in=timedelta(seconds=1))
                self.pass_time(seconds=1)
            case "deleted":
                ad = ads.delete(self.live(post, **facts), actor=actor)
            case _:
                raise ValueError(state)
        assert self.state(ad) == state
        return ads.get(ad)

    def reschedule(self, ad: SparkAd, *, ends_in: timedelta | None) -> AdGroup:
        """Another schedule for the ad's group, from now on."""
        ends_at = None if ends_in is None else self.now + ends_in
        return self.spark.ad_groups.reschedule(
            ad.ad_group_id, starts_at=self.now - timedelta(days=1), ends_at=ends_at, actor=self.actor
        )

    def state(self, row: VideoCode | SparkAd | Post) -> str:
        """The row's present state."""
        state: str = self.noun(row).get(row).state
        return state

    def states(self, *rows: VideoCode | SparkAd | Post) -> list[str]:
        return [self.state(row) for row in rows]

    def noun(self, row: VideoCode | SparkAd | Post) -> Any:
        match row:
            case VideoCode():
                return self.spark.codes
            case SparkAd():
                return self.spark.ads
            case Post():
                return self.spark.posts

    def last(self, row: VideoCode | SparkAd | Post) -> Entry:
        """The last thing that happened to the row."""
        entry: Entry = self.noun(row).history(row)[-1]
        return entry

    def why(self, ad: SparkAd) -> str:
        """What the ad waits for, in words."""
        return self.spark.ads.waiting_for(ad)

    def pass_time(self, **duration: float) -> Tick:
        """Let time pass, then let the daemon look."""
        self.clock.advance(**duration)
        return self.spark.tick(pause=0)

    def sql(self, statement: str, *values: Any) -> list[Any]:
        """Speak to the database behind everybody's back, as somebody with another program would."""
        return self.place.sql(statement, *values)

    def refusal(self, kind: type[Exception], verb: Callable[..., Any], /, *what: Any, **facts: Any) -> str:
        """What a call that is refused says, having made sure that it left everything as it was."""
        before = self.everything()
        with pytest.raises(kind) as refused:
            verb(*what, **{"actor": self.actor, **facts})
        assert self.everything() == before
        return str(refused.value)

    def everything(self) -> list[Any]:
        """Every row of every table, to see that nothing has changed."""
        return [(name, sorted(map(repr, self.sql(f'SELECT * FROM "{name}"')))) for name in self.place.tables()]


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database of either kind, without any tables."""
    if request.param == "sqlite":
        (tmp_path / "empty.db").touch()
        yield f"sqlite:///{tmp_path / 'empty.db'}"
    else:
        with temporary_database(request.getfixturevalue("postgres")) as url:
            yield url


@pytest.fixture(scope="session")
def blank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty portfolio, made once; copies of it are quicker than new ones."""
    file = tmp_path_factory.mktemp("blank") / "blank.db"
    SparkAds(f"sqlite:///{file}", settings=Settings()).close()
    return file


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def kept(request: pytest.FixtureRequest, blank: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A portfolio that is kept from test to test, because it remembers the SQL that it has worked out."""
    with (
        on_server(request.getfixturevalue("postgres"))
        if request.param == "postgresql"
        else in_files(tmp_path_factory.mktemp("desk"), blank)
    ) as new_place:
        yield from opened_desk(new_place())


def opened_desk(place: Place) -> Iterator[Desk]:
    clock = ManualClock(BEGINNING)
    spark = SparkAds(place.url, settings=Settings(synchronous="NORMAL"), clock=clock)
    yield Desk(spark, clock, place)
    spark.close()


@pytest.fixture
def new_place(kept: Desk, request: pytest.FixtureRequest, blank: Path, tmp_path: Path) -> Iterator[NewPlace]:
    """Makes empty portfolios beside the one that is kept, in the same kind of database."""
    if isinstance(kept.place, File):
        places = in_files(tmp_path, blank)
    else:
        places = on_server(request.getfixturevalue("postgres"))
    with places as make:
        yield make


@pytest.fixture
def clock(kept: Desk) -> ManualClock:
    kept.clock.set(BEGINNING, backwards=True)
    return kept.clock


OpenDesk = Callable[..., Desk]


@pytest.fixture
def open_desk(new_place: NewPlace) -> Iterator[OpenDesk]:
    """Opens a portfolio in a new place, with the settings and the clock given."""
    opened: list[SparkAds] = []

    def open_one(*, clock: ManualClock | None = None, **settings: Any) -> Desk:
        place = new_place()
        clock = clock or ManualClock(BEGINNING)
        spark = SparkAds(place.url, settings=Settings(synchronous="NORMAL", **settings), clock=clock)
        opened.append(spark)
        return Desk(spark, clock, place)

    yield open_one
    for spark in opened:
        spark.close()


@pytest.fixture
def desk(kept: Desk) -> Desk:
    return kept.renewed()


@pytest.fixture
def spark(desk: Desk) -> SparkAds:
    return desk.spark
