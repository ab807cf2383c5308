"""Old moves of finished lives go into a file: whole, compared, and only then removed; nothing is ever lost."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Select, func, insert, make_url, select, text
from sqlmodel import Session
from tests.statewright.halls import EVERY, THEATRE, add_halls, add_seats, days, halls, seats
from tests.statewright.months import MONTHS, somebody_who_may_only_add

from statewright import archive as module
from statewright.archive import Archived, Finding, archive, find
from statewright.errors import ArchiveError, StoreError
from statewright.log import Elsewhere, causes, elsewhere, entries, forget, history
from statewright.store import Store
from statewright.subscriber import deliver
from statewright.tables import archive as archives
from statewright.tables import archived, transition, undelivered
from statewright.testing import ManualClock, Recorder
from statewright.transition import fire, fire_all, force

WRITTEN = datetime.fromisoformat("2026-07-20T00:00:00Z")
NAME = "log-before-2026-06-01T000000Z-of-2026-07-20T000000Z.jsonl.gz"
MOVES = 14
"""Of the lives that ended before June."""
CUT = datetime.fromisoformat("2026-06-01T00:00:00Z")


@pytest.fixture
def told(theatre: Store, clock: ManualClock) -> Store:
    """Three halls gone since January, one gone since June, one that runs; three seats, two of them broken."""
    with theatre.transaction() as session:
        add_halls(session, *({"name": name} for name in ("Globe", "Rose", "Swan", "Hope", "Fortune")))
        add_seats(session, 1, "A1", "A2", "A3", state="taken")
        clock.set(days(20))
        fire(session, seats, "smash", 1, actor="ana")
        fire_all(session, halls, "close", halls.id <= 3, actor="ana", key="winter")
        fire_all(session, halls, "remove", halls.id <= 3, actor="ana", reason="sold")
        fire(session, seats, "smash", 2, actor="ana")
        clock.set(days(170))
        fire(session, halls, "remove", 4, actor="bob")
    clock.set(WRITTEN)
    return theatre


@pytest.fixture
def put(told: Store, tmp_path: Path) -> Callable[..., Archived]:
    """Archives what ended before June into a folder."""

    def into_a_folder(**options: Any) -> Archived:
        given: dict[str, Any] = {"before": CUT, "into": tmp_path, "actor": "keeper", **options}
        return archive(told, THEATRE, **given)

    return into_a_folder


def lines_of(file: Path | None) -> list[dict[str, Any]]:
    assert file is not None
    with gzip.open(file, "rt") as lines:
        return [json.loads(line) for line in lines]


def number(session: Session) -> int:
    found: int = session.connection().execute(select(func.count()).select_from(transition)).scalar_one()
    return found


def everything(store: Store, folder: Path) -> set[int]:
    """The ids of all moves, wherever they are."""
    with store.reading() as session:
        logged = {entry.id for entry in entries(session)}
    return logged | {line["id"] for file in folder.glob("*.gz") for line in lines_of(file)[1:]}


# What is archived


def test_the_moves_of_finished_lives_are_in_the_file_and_no_longer_in_the_log(
    told: Store, put: Callable[..., Archived], tmp_path: Path
) -> None:
    with told.reading() as session:
        gone = [entry.as_json() for row in (1, 2, 3) for entry in history(session, "hall", row)]
        gone += [entry.as_json() for row in (1, 2) for entry in history(session, "seat", row)]
        kept = [history(session, "hall", 4), history(session, "hall", 5), history(session, "seat", 3)]
    done = put()
    assert done.file == tmp_path / NAME
    head, *moves = lines_of(done.file)
    assert head == {
        "archive": 1,
        "database": told.name,
        "before": "2026-06-01T00:00:00+00:00",
        "at": "2026-07-20T00:00:00+00:00",
        "actor": "keeper",
    }
    assert moves == gone
    assert done.found == Finding(lives=5, moves=len(gone), waiting=0, behind=())
    with told.reading() as session:
        assert [history(session, "hall", 4), history(session, "hall", 5), history(session, "seat", 3)] == kept
        assert number(session) == sum(map(len, kept))


def test_a_life_is_told_in_one_piece_oldest_move_first(put: Callable[..., Archived]) -> None:
    _, *moves = lines_of(put().file)
    order = [(move["workflow"], move["row_id"], move["at"], move["id"]) for move in moves]
    assert order == sorted(order)


def test_the_history_of_an_archived_life_says_where_it_is(told: Store, put: Callable[..., Archived]) -> None:
    put()
    with told.reading() as session:
        assert history(session, "hall", 1) == []
        assert elsewhere(session, "hall", 1) == [Elsewhere(3, NAME, CUT, WRITTEN, "keeper")]
        assert elsewhere(session, "hall", 5) == elsewhere(session, "seat", 3) == []


def test_the_record_of_the_file_is_enough_to_check_it(told: Store, put: Callable[..., Archived]) -> None:
    done = put()
    assert done.file is not None
    assert done.sha256 == hashlib.sha256(done.file.read_bytes()).hexdigest()
    with told.reading() as session:
        (record,) = session.connection().execute(select(archives)).mappings()
        assert (record["file"], record["sha256"]) == (NAME, done.sha256)
        assert (record["lives"], record["moves"]) == (5, done.found.moves)
        counted = select(func.count(), func.sum(archived.c.moves))
        assert session.connection().execute(counted).one() == (5, done.found.moves)


def test_the_file_is_for_nobody_else_to_read(put: Callable[..., Archived]) -> None:
    done = put()
    assert done.file is not None
    assert done.file.stat().st_mode & 0o777 == 0o600


def test_a_rehearsal_finds_the_same_and_writes_nothing(
    told: Store, put: Callable[..., Archived], tmp_path: Path
) -> None:
    found = find(told, THEATRE, before=CUT)
    assert list(tmp_path.glob("*.gz")) == []
    assert found == put().found


def test_where_nothing_ended_nothing_is_written(put: Callable[..., Archived], tmp_path: Path, told: Store) -> None:
    assert put(before=days(0)) == Archived(Finding(0, 0, 0, ()))
    put()
    assert put().file is None
    assert [file.name for file in tmp_path.glob("log-*")] == [NAME]


def test_a_million_lives_pass_through_a_few_hands(
    told: Store, put: Callable[..., Archived], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 2)
    monkeypatch.setattr(module, "_IDS", 2)
    before, told_of = everything(told, tmp_path), []
    done = put(progress=lambda done, total: told_of.append((done, total)))
    assert everything(told, tmp_path) == before
    assert len(lines_of(done.file)) == done.found.moves + 1
    assert told_of[-1] == (done.found.moves, done.found.moves)
    assert elsewhere_of_all(told) == done.found.moves


def elsewhere_of_all(store: Store) -> int:
    with store.reading() as session:
        lives = [("hall", row) for row in range(1, 6)] + [("seat", row) for row in range(1, 4)]
        return sum(each.moves for life in lives for each in elsewhere(session, *life))


def test_a_key_is_known_when_its_moves_are_archived(told: Store, put: Callable[..., Archived]) -> None:
    put()
    with told.transaction() as session:
        again = fire_all(session, halls, "close", EVERY, actor="ana", key="winter")
        assert (again.rows, again.replayed) == (3, True)


def test_what_an_archived_move_led_to_is_told_without_its_cause(told: Store, put: Callable[..., Archived]) -> None:
    put()
    with told.reading() as session:
        (*_, released) = history(session, "seat", 3)
        assert released.event == "release"
        assert released.cause is not None
        assert causes(session, [released]) == {}


def test_a_life_that_is_brought_back_goes_on_and_is_archived_again(
    told: Store, put: Callable[..., Archived], clock: ManualClock
) -> None:
    put()
    with told.transaction() as session:
        force(session, halls, 1, "running", actor="ana", reason="bought back")
        clock.advance(days=1)
        fire(session, halls, "remove", 1, actor="ana")
        assert [entry.event for entry in history(session, "hall", 1)] == ["force", "remove"]
    clock.advance(days=30)
    put(before=clock.now())
    with told.reading() as session:
        assert [each.moves for each in elsewhere(session, "hall", 1)] == [3, 2]
        assert history(session, "hall", 1) == []


# What waits


def test_what_a_subscriber_has_not_read_stays(told: Store, put: Callable[..., Archived]) -> None:
    recorder = Recorder()
    deliver(told, recorder, stop=iter([False, True]).__next__)
    found = find(told, THEATRE, before=CUT)
    assert (found.lives, found.waiting, found.behind) == (0, 5, ("recorder",))
    assert put().file is None
    deliver(told, recorder)
    assert put().found.lives == 5
    assert len(recorder.entries) == 19


def test_what_a_subscriber_gave_up_on_stays(told: Store, put: Callable[..., Archived]) -> None:
    with told.transaction() as session:
        last = history(session, "hall", 2)[-1].id
        given_up = {"subscriber": "mail", "transition_id": last, "at": WRITTEN, "error": "no such address"}
        session.connection().execute(insert(undelivered).values(given_up))
    assert put().found == Finding(lives=4, moves=MOVES - 3, waiting=1, behind=())
    with told.reading() as session:
        assert history(session, "hall", 2)[-1].id == last


# Trouble


@pytest.mark.parametrize("broken", ["_write", "_compare", "_sync", "_digest", "_lives_in"])
def test_whenever_it_is_cut_short_nothing_is_lost(  # noqa: PLR0917 - fixtures
    told: Store,
    put: Callable[..., Archived],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    clock: ManualClock,
    broken: str,
) -> None:
    before = everything(told, tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(module, broken, cut_short)
        with pytest.raises(CutShort):
            put()
    with told.reading() as session:
        assert {entry.id for entry in entries(session)} == before
        assert session.connection().execute(select(archives)).all() == []
    assert [file.name for file in tmp_path.iterdir() if file.suffix == ".part"] == []
    clock.advance(hours=1)
    assert put().found.lives == 5
    assert everything(told, tmp_path) == before


def test_cut_short_in_the_middle_of_removing_every_move_is_in_the_log_or_in_the_file(
    told: Store,
    put: Callable[..., Archived],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    clock: ManualClock,
) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 2)
    before = everything(told, tmp_path)
    with monkeypatch.context() as patched:
        # To see whether one may, once for two lives, and no more.
        times = iter([True, True])

        def forget_some(session: Session, ids: Select[Any]) -> int:
            if not next(times, False):
                raise CutShort
            return forget(session, ids)

        patched.setattr(module, "forget", forget_some)
        with pytest.raises(CutShort):
            put()
    assert everything(told, tmp_path) == before
    with told.reading() as session:
        logged = {entry.id for entry in entries(session)}
        # A life is in the log or noted as archived, never both, never neither.
        for life in [("hall", row) for row in (1, 2, 3)] + [("seat", row) for row in (1, 2)]:
            assert bool(history(session, *life)) != bool(elsewhere(session, *life))
    assert 0 < len(before - logged) < 14
    clock.advance(hours=1)
    put()
    assert everything(told, tmp_path) == before
    assert elsewhere_of_all(told) == MOVES


class CutShort(Exception):
    """What a power cut is to a test."""


def cut_short(*_: Any, **__: Any) -> Iterator[Any]:
    raise CutShort


def test_a_file_that_does_not_say_what_the_log_says_removes_nothing(
    told: Store, put: Callable[..., Archived], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write = module._write

    def miswrite(part: Path, *more: Any) -> None:
        write(part, *more)
        part.write_bytes(gzip.compress(gzip.decompress(part.read_bytes()).replace(b'"sold"', b'"lent"')))

    monkeypatch.setattr(module, "_write", miswrite)
    with pytest.raises(ArchiveError) as why:
        put()
    assert str(why.value) == f'cannot archive into "{tmp_path}": what is read back is not what was written'
    assert list(tmp_path.glob("*.gz")) == []
    assert elsewhere_of_all(told) == 0


def test_a_file_that_is_there_is_never_overwritten(put: Callable[..., Archived], tmp_path: Path) -> None:
    (tmp_path / NAME).write_text("precious")
    with pytest.raises(ArchiveError) as why:
        put()
    assert str(why.value) == f'cannot archive into "{tmp_path / NAME}": there is such a file already'
    assert (tmp_path / NAME).read_text() == "precious"


def test_a_folder_that_is_not_there_is_told(put: Callable[..., Archived], tmp_path: Path) -> None:
    with pytest.raises(ArchiveError) as why:
        put(into=tmp_path / "attic")
    assert str(why.value) == (
        f'cannot archive into "{tmp_path}/attic": there is no such folder; the log is as it was'
    )


def test_a_disk_that_is_full_is_told(
    put: Callable[..., Archived], tmp_path: Path, told: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ArchiveError) as why:
        put()
    assert str(why.value) == f'cannot archive into "{tmp_path}": no space left on device; the log is as it was'
    assert list(tmp_path.glob(".log*")) == []


def test_of_two_archives_at_once_one_removes_and_the_other_says_so(
    told: Store, put: Callable[..., Archived], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, clock: ManualClock
) -> None:
    digest, before = module._digest, everything(told, tmp_path)

    def another(file: Path) -> str:
        monkeypatch.setattr(module, "_digest", digest)
        clock.advance(hours=1)
        assert put().found.lives == 5
        return digest(file)

    monkeypatch.setattr(module, "_digest", another)
    with pytest.raises(StoreError, match="somebody else removes it too") as why:
        put()
    assert why.value.busy
    assert everything(told, tmp_path) == before
    assert elsewhere_of_all(told) == MOVES


@pytest.mark.parametrize("server", ["postgresql"], indirect=True)
def test_who_may_not_remove_log_rows_is_told_before_a_file_is_written(
    told: Store, put: Callable[..., Archived], tmp_path: Path
) -> None:
    with somebody_who_may_only_add(told) as role:
        database = make_url(told.url).database
        with told.transaction() as session:
            session.connection().execute(text(f"ALTER DATABASE {database} SET role = {role}"))
        told.close()
        with pytest.raises(StoreError, match="this user has no permission: permission denied for table"):
            put()
    assert list(tmp_path.glob("*.gz")) == []


@pytest.mark.parametrize("server", ["postgresql"], indirect=True)
def test_a_month_in_which_all_lives_are_over_is_dropped_from_a_server(
    theatre: Store, clock: ManualClock, tmp_path: Path
) -> None:
    with theatre.transaction() as session:
        add_halls(session, {}, {})
        fire_all(session, halls, "remove", EVERY, actor="ana")
        clock.set(days(40))
        add_halls(session, {})
    clock.set(days(80))
    done = archive(theatre, THEATRE, before=days(70), into=tmp_path, actor="keeper")
    assert done.dropped == ("transition_2026_01",)
    with theatre.reading() as session:
        left = [part.name for part in session.connection().execute(MONTHS)]
        assert left == ["transition_default", "transition_2026_02", "transition_2026_03"]
    assert theatre.drift() == []


def test_the_order_of_moves_that_were_archived_is_kept(put: Callable[..., Archived]) -> None:
    _, *moves = lines_of(put().file)
    assert all(one["id"] < other["id"] for one, other in pairwise(moves) if one["row_id"] == other["row_id"])


def test_a_cut_may_be_given_in_any_time_zone(put: Callable[..., Archived]) -> None:
    done = put(before=CUT.astimezone(datetime.fromisoformat("2026-01-01T00:00:00+02:00").tzinfo))
    assert done.file is not None
    assert done.file.name == NAME
    with pytest.raises(Exception, match="expected an instant with a time zone"):
        put(before=CUT.replace(tzinfo=None) + timedelta(days=1))
