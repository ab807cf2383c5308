"""Whoever subscribed is told everything, in order, whatever happens meanwhile."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Column, ForeignKey, MetaData, Table, Text, func, insert, select, update
from sqlmodel import Session
from statemachine import State

from statewright.chart import Chart
from statewright.dialects import Identifier, Instant
from statewright.errors import Conflict, DefinitionError, StoreError
from statewright.log import Entry
from statewright.store import Schema, Store
from statewright.subscriber import Delivered, Subscriber, counted, deliver, lines
from statewright.tables import subscription, transition, undelivered
from statewright.testing import ManualClock
from statewright.transition import fire, fire_all, fire_due, force, start
from statewright.workflow import Assign, Deadline, Workflow
from statewright.workflows import Workflows

MONDAY = datetime(2026, 3, 2, 10, tzinfo=UTC)

metadata = MetaData()
video = Table(
    "video_code",
    metadata,
    Column("id", Identifier, primary_key=True),
    Column("state", Text, nullable=False, default="live"),
    Column("ends_at", Instant),
)
note = Table(
    "note",
    metadata,
    Column("id", Identifier, primary_key=True),
    Column("video", ForeignKey(video.c.id, deferrable=True, initially="DEFERRED")),
)


class VideoChart(Chart):
    live = State(initial=True)
    expired = State()
    gone = State(final=True)
    expire = live.to(expired)
    renew = expired.to(live)
    remove = expired.to(gone)


videos = Workflow(
    video,
    VideoChart,
    deadlines=[Deadline("expire", at=video.c.ends_at)],
    assigns=[Assign(video.c.ends_at, None, on={"renew"})],
)
Workflows(videos)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(MONDAY)


@pytest.fixture
def store(url: str, clock: ManualClock) -> Iterator[Store]:
    opened = Store(
        url,
        schema=Schema("videos", 1, metadata),
        clock=clock,
        synchronous="NORMAL",
        busy_timeout=0.05,
    )
    yield opened
    opened.close()


def begin(store: Store, number: int, *, ends_at: datetime | None = None) -> None:
    """So many video codes, and with them so many log rows."""
    with store.transaction() as session:
        first = (session.connection().execute(select(func.max(video.c.id))).scalar() or 0) + 1
        rows = [{"id": first + each, "ends_at": ends_at} for each in range(number)]
        session.connection().execute(insert(video), rows)
        start(session, videos, video.c.id >= first, actor="ana")


class Recorder:
    """A handler that remembers the ids it was given, and fails on those it is told to."""

    def __init__(self, *culprits: int, error: Exception | None = None) -> None:
        self.batches: list[list[int]] = []
        self.tried: list[list[int]] = []
        self.culprits = set(culprits)
        self.error = error or ValueError("no route to webhook")

    def __call__(self, batch: Sequence[Entry], session: Session) -> None:
        ids = [entry.id for entry in batch]
        self.tried.append(ids)
        if self.culprits.intersection(ids):
            raise self.error
        self.batches.append(ids)

    @property
    def ids(self) -> list[int]:
        return [each for batch in self.batches for each in batch]


def place(store: Store, name: str = "webhook") -> tuple[int, int, datetime | None, str | None]:
    with store.reading() as session:
        row = session.connection().execute(select(subscription).where(subscription.c.name == name)).one()
    return row.position, row.attempts, row.retry_at, row.error


def rows_of(store: Store, table: Table) -> int:
    with store.reading() as session:
        return session.connection().execute(select(func.count()).select_from(table)).scalar_one()


def test_a_new_subscriber_is_told_the_whole_log_in_order(store: Store) -> None:
    begin(store, 10)
    recorder = Recorder()

    assert deliver(store, Subscriber("webhook", recorder, batch=4)) == Delivered(delivered=10)

    assert recorder.batches == [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10]]


def test_nothing_is_told_twice(store: Store) -> None:
    begin(store, 3)
    recorder = Recorder()
    subscriber = Subscriber("webhook", recorder)
    deliver(store, subscriber)

    assert deliver(store, subscriber) == Delivered()
    begin(store, 1)
    assert deliver(store, subscriber) == Delivered(delivered=1)

    assert recorder.ids == [1, 2, 3, 4]


def test_an_entry_has_the_columns_of_the_log_in_their_order() -> None:
    assert [field.name for field in fields(Entry)] == transition.c.keys()


def test_every_subscriber_has_a_place_of_its_own(store: Store) -> None:
    begin(store, 2)
    early, late = Recorder(), Recorder()
    deliver(store, Subscriber("early", early))
    begin(store, 1)

    deliver(store, Subscriber("early", early))
    deliver(store, Subscriber("late", late))

    assert early.ids == late.ids == [1, 2, 3]


def test_a_subscriber_with_nothing_to_hear_waits_for_no_writer(store: Store) -> None:
    begin(store, 1)
    subscriber = Subscriber("webhook", Recorder())
    deliver(store, subscriber)

    with store.transaction() as session:
        session.connection()  # locks
        assert deliver(store, subscriber) == Delivered()


def test_a_subscriber_of_an_empty_log_is_known_from_then_on(store: Store) -> None:
    assert deliver(store, Subscriber("webhook", Recorder())) == Delivered()

    assert place(store) == (0, 0, None, None)


def test_what_a_handler_writes_happens_once_and_with_its_place(store: Store) -> None:
    begin(store, 5)

    def write(batch: Sequence[Entry], session: Session) -> None:
        session.connection().execute(insert(note), [{"video": entry.row_id} for entry in batch])

    deliver(store, Subscriber("webhook", write, batch=2))
    deliver(store, Subscriber("webhook", write, batch=2))

    assert rows_of(store, note) == 5


def test_what_a_handler_wrote_before_it_failed_is_taken_back(store: Store) -> None:
    begin(store, 2)

    def write_and_fail(batch: Sequence[Entry], session: Session) -> None:
        session.connection().execute(insert(note), [{"video": entry.row_id} for entry in batch])
        raise ValueError("no route to webhook")

    delivered = deliver(store, Subscriber("webhook", write_and_fail))

    assert delivered == Delivered(failed="ValueError: no route to webhook")
    assert rows_of(store, note) == 0
    assert place(store) == (0, 1, MONDAY + timedelta(seconds=1), "ValueError: no route to webhook")


def test_one_that_is_told_outside_holds_no_writer_up(store: Store) -> None:
    begin(store, 1)
    heard: list[int] = []

    def slow(batch: Sequence[Entry], _session: Session) -> None:
        begin(store, 1)  # somebody else writes while the handler is at work
        heard.extend(entry.id for entry in batch)

    assert (
        deliver(store, Subscriber("slow", slow, outside=True, batch=1), stop=lambda: len(heard) == 2).delivered
        == 2
    )
    assert heard == [1, 2]


def test_one_that_fails_outside_is_told_again(store: Store, clock: ManualClock) -> None:
    begin(store, 2)
    recorder = Recorder(2)
    subscriber = Subscriber("outside", recorder, outside=True)
    assert deliver(store, subscriber).failed == "ValueError: no route to webhook"
    recorder.culprits.clear()
    clock.advance(seconds=1)
    assert deliver(store, subscriber).delivered == 2
    assert recorder.ids == [1, 2]


def test_a_failure_of_the_engine_is_kept_as_its_sentence(store: Store) -> None:
    begin(store, 1)
    refused = Conflict("cannot renew video code 1: it was changed", workflow="video_code")

    delivered = deliver(store, Subscriber("webhook", Recorder(1, error=refused)))

    assert delivered.failed == "cannot renew video code 1: it was changed"


def test_an_error_that_no_database_could_keep_is_kept_all_the_same(store: Store) -> None:
    begin(store, 1)
    recorder = Recorder(1, error=OSError("no file \udcff.csv\nsecond line"))

    assert deliver(store, Subscriber("webhook", recorder)).failed == r"OSError: no file \udcff.csv"


def test_a_constraint_that_is_checked_at_the_end_is_the_handlers_failure(store: Store) -> None:
    begin(store, 1)

    def write(batch: Sequence[Entry], session: Session) -> None:
        session.connection().execute(insert(note).values(video=404))

    failed = deliver(store, Subscriber("webhook", write)).failed

    assert failed is not None
    assert "foreign key constraint" in failed.lower()
    assert place(store)[:2] == (0, 1)


def test_a_failed_delivery_is_tried_again_after_a_second_then_two_then_four(
    store: Store, clock: ManualClock
) -> None:
    begin(store, 1)
    recorder = Recorder(1)
    subscriber = Subscriber("webhook", recorder)
    tries = []
    for _ in range(8):
        deliver(store, subscriber)
        tries.append(len(recorder.tried))
        clock.advance(seconds=1)

    # After 0, 1, 3 and 7 seconds.
    assert tries == [1, 2, 2, 3, 3, 3, 3, 4]


def test_no_delivery_waits_longer_than_an_hour(store: Store, clock: ManualClock) -> None:
    begin(store, 1)
    subscriber = Subscriber("webhook", Recorder(1), attempts=100)
    for _ in range(20):
        deliver(store, subscriber)
        clock.advance(hours=1)

    _, attempts, retry_at, _ = place(store)
    assert attempts == 20
    assert retry_at == clock.now()


def test_after_a_failed_batch_the_culprit_is_found_one_by_one(store: Store, clock: ManualClock) -> None:
    begin(store, 6)
    recorder = Recorder(3)
    subscriber = Subscriber("webhook", recorder)
    deliver(store, subscriber)
    clock.advance(seconds=1)

    assert deliver(store, subscriber) == Delivered(delivered=2, failed="ValueError: no route to webhook")

    assert recorder.tried == [[1, 2, 3, 4, 5, 6], [1], [2], [3]]
    assert place(store)[:2] == (2, 1)


def test_a_delivery_that_works_again_goes_back_to_batches(store: Store, clock: ManualClock) -> None:
    begin(store, 6)
    recorder = Recorder(3)
    subscriber = Subscriber("webhook", recorder, batch=3)
    deliver(store, subscriber)
    clock.advance(seconds=1)
    recorder.culprits.clear()

    assert deliver(store, subscriber) == Delivered(delivered=6)

    assert recorder.batches == [[1], [2], [3], [4, 5, 6]]
    assert place(store) == (6, 0, None, None)


def test_a_log_row_that_fails_again_and_again_is_set_aside_and_the_stream_goes_on(
    store: Store, clock: ManualClock
) -> None:
    begin(store, 5)
    recorder = Recorder(3)
    subscriber = Subscriber("webhook", recorder, attempts=3)
    done = []
    for _ in range(4):
        done.append(deliver(store, subscriber))
        clock.advance(minutes=1)

    assert [each.set_aside for each in done] == [0, 0, 0, 1]
    assert recorder.ids == [1, 2, 4, 5]
    assert place(store) == (5, 0, None, None)
    with store.reading() as session:
        left = session.connection().execute(select(undelivered)).one()
    assert tuple(left) == ("webhook", 3, MONDAY + timedelta(minutes=3), "ValueError: no route to webhook")


def test_a_whole_batch_is_never_set_aside(store: Store) -> None:
    begin(store, 5)

    assert deliver(store, Subscriber("webhook", Recorder(3), attempts=1)).set_aside == 0
    assert rows_of(store, undelivered) == 0


def test_a_log_row_set_aside_before_may_be_tried_and_set_aside_again(store: Store, clock: ManualClock) -> None:
    begin(store, 1)
    subscriber = Subscriber("webhook", Recorder(1), attempts=1)
    deliver(store, subscriber)
    clock.advance(days=1)
    with store.transaction() as session:
        session.connection().execute(update(subscription).values(position=0))

    assert deliver(store, subscriber).set_aside == 1
    with store.reading() as session:
        assert session.connection().execute(select(undelivered.c.at)).scalar_one() == clock.now()


def test_trouble_with_the_database_is_not_the_subscribers_fault(store: Store) -> None:
    begin(store, 1)
    subscriber = Subscriber("webhook", Recorder())
    deliver(store, subscriber)
    begin(store, 1)

    with store.transaction() as session:
        session.connection().execute(select(subscription).with_for_update()).all()
        with pytest.raises(StoreError, match="is locked by another program"):
            deliver(store, subscriber)

    assert place(store)[:2] == (1, 0)


def test_a_place_that_somebody_else_moved_is_left_alone(store: Store) -> None:
    begin(store, 3)

    def overtaken(batch: Sequence[Entry], session: Session) -> None:
        session.connection().execute(update(subscription).values(position=2))

    assert deliver(store, Subscriber("webhook", overtaken, batch=1)) == Delivered()
    assert place(store)[0] == 0


def test_two_daemons_tell_each_log_row_once(store: Store) -> None:
    begin(store, 60)
    recorder = Recorder()
    together = threading.Barrier(2)

    def work() -> None:
        together.wait()
        # The other's turn may outlast the little time that this store waits for a lock.
        while True:
            try:
                deliver(store, Subscriber("webhook", recorder, batch=3))
            except StoreError:
                continue
            return

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert recorder.ids == list(range(1, 61))


def test_a_delivery_that_is_told_to_stop_stops_between_two_batches(store: Store) -> None:
    begin(store, 10)
    recorder = Recorder()

    deliver(store, Subscriber("webhook", recorder, batch=2), stop=lambda: len(recorder.batches) == 2)

    assert recorder.ids == [1, 2, 3, 4]
    assert place(store)[0] == 4


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Subscriber(" ", Recorder()), "expected a name, got an empty one"),
        (
            lambda: Subscriber("webhook", Recorder(), batch=0),
            "subscriber webhook: expected batch to be a positive whole number, got 0",
        ),
        (
            lambda: Subscriber("webhook", Recorder(), attempts=-1),
            "subscriber webhook: expected attempts to be a positive whole number, got -1",
        ),
        (
            lambda: lines(io.StringIO(), form="xml"),  # type: ignore[arg-type]
            "lines: expected form to be text or json, got 'xml'",
        ),
    ],
)
def test_a_wrong_subscriber_is_refused_when_it_is_made(make: Callable[[], Subscriber], words: str) -> None:
    with pytest.raises(DefinitionError, match=words):
        make()


def test_the_log_is_told_as_lines(store: Store, clock: ManualClock) -> None:
    begin(store, 1, ends_at=MONDAY - timedelta(seconds=2))
    with store.transaction() as session:
        fire_due(session, videos, videos.deadlines[0], actor="daemon", limit=10)
        clock.advance(seconds=90)
        fire(session, videos, "renew", 1, actor="ana", reason="asked  @mia\nby\x1b[31m mail")
        force(session, videos, 1, "gone", actor="ben", reason="wrong video")
    stream = io.StringIO()

    deliver(store, lines(stream))

    assert stream.getvalue().splitlines() == [
        "2026-03-02T10:00:00Z video_code 1: begins as live, ana",
        "2026-03-02T10:00:00Z video_code 1: live -> expired by expire (due 2026-03-02T09:59:58Z), daemon",
        "2026-03-02T10:01:30Z video_code 1: expired -> live by renew, ana: asked @mia by [31m mail",
        "2026-03-02T10:01:30Z video_code 1: live -> gone by force, ben: wrong video",
    ]


def test_many_moves_alike_are_told_in_one_line(store: Store) -> None:
    begin(store, 1200)
    with store.transaction() as session:
        fire_all(session, videos, "expire", video.c.id > 3, actor="ana", reason="the campaign is over")
        fire_all(session, videos, "expire", video.c.id <= 2, actor="ben")
    stream = io.StringIO()

    deliver(store, lines(stream))

    assert stream.getvalue().splitlines() == [
        # A batch of the stream ends here.
        "2026-03-02T10:00:00Z 1,000 video codes: begins as live, ana",
        "2026-03-02T10:00:00Z 200 video codes: begins as live, ana",
        "2026-03-02T10:00:00Z 800 video codes: live -> expired by expire, ana: the campaign is over",
        "2026-03-02T10:00:00Z 397 video codes: live -> expired by expire, ana: the campaign is over",
        "2026-03-02T10:00:00Z video_code 1: live -> expired by expire, ben",
        "2026-03-02T10:00:00Z video_code 2: live -> expired by expire, ben",
    ]


def test_many_moves_from_different_states_are_told_by_state(store: Store) -> None:
    begin(store, 30)
    with store.transaction() as session:
        fire_all(session, videos, "expire", video.c.id <= 10, actor="ana")
    deliver(store, lines(io.StringIO()))
    with store.transaction() as session:
        session.connection().execute(insert(video), [{"id": each} for each in range(31, 33)])
        start(session, videos, video.c.id > 30, actor="ana")
        fire_all(session, videos, "expire", video.c.id > 10, actor="ana")
    stream = io.StringIO()

    deliver(store, lines(stream))

    assert [line.partition(" ")[2] for line in stream.getvalue().splitlines()] == [
        "video_code 31: begins as live, ana",
        "video_code 32: begins as live, ana",
        "22 video codes: live -> expired by expire, ana",
    ]


def test_the_log_is_told_as_json_one_object_a_line(store: Store) -> None:
    begin(store, 50)
    stream = io.StringIO()

    deliver(store, lines(stream, form="json"))

    told = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert len(told) == 50
    assert told[6]["workflow"] == "video_code"
    assert told[6]["row_id"] == 7
    assert told[6]["at"] == "2026-03-02T10:00:00+00:00"


def test_a_stream_that_lacks_a_letter_shows_its_number(store: Store) -> None:
    begin(store, 1)
    with store.transaction() as session:
        fire(session, videos, "expire", 1, actor="zoë", reason="期限")
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")

    deliver(store, lines(stream))

    stream.seek(0)
    assert stream.readlines()[1].endswith(" by expire, zo\\xeb: \\u671f\\u9650\n")


@pytest.mark.parametrize(
    ("number", "noun", "words"),
    [
        (0, "spark ad", "0 spark ads"),
        (1, "spark ad", "1 spark ad"),
        (12000, "identity", "12,000 identities"),
        (2, "day", "2 days"),
    ],
)
def test_things_are_counted_as_people_say_it(number: int, noun: str, words: str) -> None:
    assert counted(number, noun) == words
