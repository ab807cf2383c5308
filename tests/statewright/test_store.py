"""The database is opened, checked and committed to in one place; what is wrong with it is said in a sentence."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Column, Engine, Integer, MetaData, Table, create_engine, insert, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session
from tests.statewright.halls import SCHEMA, Hall, add_halls, halls, insert_rows

from statewright.errors import DefinitionError, SchemaVersionError, StatewrightError, StoreError
from statewright.log import entries, history
from statewright.session import instant
from statewright.store import Schema, Store
from statewright.testing import BEGINNING, ManualClock
from statewright.transition import fire

FileMaker = Callable[..., Path]


def opened(path: Path | str, **options: object) -> Store:
    return Store(f"sqlite:///{path}", **{"schema": SCHEMA, "clock": ManualClock(), **options})  # type: ignore[arg-type]


def refused(path: Path | str, **options: object) -> str:
    with pytest.raises(StoreError) as why:
        opened(path, **options)
    return str(why.value)


@contextmanager
def rogue(path: Path) -> Iterator[sqlite3.Connection]:
    """Somebody else's connection."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "theatre.db"


@pytest.fixture
def kept(path: Path) -> Path:
    """A database with one hall, closed properly."""
    store = opened(path)
    with store.transaction() as session:
        add_halls(session, {})
    store.close()
    return path


# Opened


def test_a_new_file_gets_all_tables(path: Path) -> None:
    with closing(opened(path)) as store:
        assert path.exists()
        assert store.drift() == []
        assert repr(store) == f"Store('{path}')"


def test_a_file_is_opened_again_with_what_it_holds(kept: Path) -> None:
    with closing(opened(kept, create=False)) as store, store.reading() as session:
        assert [entry.event for entry in history(session, "hall", 1)] == ["start"]


def test_an_empty_file_is_a_new_one(path: Path) -> None:
    path.touch()
    assert refused(path, create=False) == f'the database "{path}" holds no tables of theatre'
    with closing(opened(path)) as store:
        assert store.drift() == []


def test_a_file_that_must_be_there_is_not_made(path: Path) -> None:
    with pytest.raises(StoreError) as why:
        opened(path, create=False)
    assert str(why.value) == f'there is no database at "{path}"'
    assert why.value.missing
    assert not path.exists()


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    lost = tmp_path / "no" / "theatre.db"
    assert refused(lost) == f'cannot make the database "{lost}": there is no folder "{lost.parent}"'


def test_a_folder_is_no_database(tmp_path: Path) -> None:
    assert refused(tmp_path) == f'cannot open the database "{tmp_path}": it is a folder, not a file'


@pytest.mark.parametrize("content", [b"code,days\n" * 1000, b"\x00\xff" * 4096, b"id\n"])
def test_a_file_of_another_kind_is_no_database(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert refused(path) == f'cannot use "{path}": the file is not an SQLite database'
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"synchronous": "full"}, 'store: expected synchronous to be "FULL" or "NORMAL", got \'full\''),
        ({"busy_timeout": -1.0}, "store: expected busy_timeout to be 0 or more seconds, got -1.0"),
    ],
)
def test_a_setting_that_cannot_be_is_refused(path: Path, wrong: dict[str, object], said: str) -> None:
    with pytest.raises(DefinitionError) as why:
        opened(path, **wrong)
    assert str(why.value) == said
    assert not path.exists()


def test_a_database_that_was_read_in_from_a_dump_lets_readers_and_a_writer_go_on_at_once(
    kept: Path, tmp_path: Path
) -> None:
    restored = tmp_path / "restored.db"
    with rogue(kept) as before, rogue(restored) as after:
        after.executescript("\n".join(before.iterdump()))
        assert after.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    with closing(opened(restored, busy_timeout=0.1)) as store, store.reading() as reader:
        seen = len(entries(reader))
        with store.transaction() as session:
            add_halls(session, {})
        assert len(entries(reader)) == seen


def test_a_damaged_database_is_called_that(kept: Path) -> None:
    data = bytearray(kept.read_bytes())
    data[4096:] = b"\x5a" * (len(data) - 4096)
    kept.write_bytes(data)

    def use() -> None:
        with closing(opened(kept)) as store, store.reading() as session:
            entries(session)

    with pytest.raises(StoreError) as why:
        use()
    assert str(why.value) == f'the database "{kept}" is damaged; restore it from a backup'


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("theatre.db", 'cannot read the database URL "theatre.db"; expected one like sqlite:///file.db'),
        ("", 'cannot read the database URL ""; expected one like sqlite:///file.db'),
        ("postgresql://ana:secret", 'cannot read the database URL "postgresql://***"; expected one like'),
        ("postgresql:/ana:secret@db/theatre", 'cannot read the database URL "***"; expected one like'),
        ("ana:secret@db/theatre", 'cannot read the database URL "***"; expected one like'),
        ("sqlite://", "cannot keep rows in memory: name a file, as in sqlite:///file.db"),
        ("sqlite:///:memory:", "cannot keep rows in memory: name a file, as in sqlite:///file.db"),
        (
            "sqlite://theatre.db",
            "expected three slashes and a path, and nothing after it, as in sqlite:///file.db",
        ),
        ("sqlite:///theatre.db?mode=ro", "expected three slashes and a path, and nothing after it"),
        (
            "sqlite+aiosqlite:///theatre.db",
            'expected a URL that begins with "sqlite:///" or "postgresql://", got "sqlite+aiosqlite"',
        ),
        (
            "oracle://ana:secret@db/theatre",
            'expected a URL that begins with "sqlite:///" or "postgresql://", got "oracle"',
        ),
    ],
)
def test_a_url_that_names_no_file_is_refused(url: str, said: str) -> None:
    with pytest.raises(StoreError) as why:
        Store(url, schema=SCHEMA)
    assert said in str(why.value)
    assert "secret" not in str(why.value)


@pytest.mark.parametrize("name", ["x" * 300 + ".db", "a\0b.db"])
def test_a_name_that_no_file_can_have_is_refused(tmp_path: Path, name: str) -> None:
    assert refused(tmp_path / name).startswith(f'cannot open the database "{tmp_path / name}": ')


# Other versions, other programs


def test_a_newer_schema_is_left_alone(kept: Path) -> None:
    with pytest.raises(SchemaVersionError) as why:
        opened(kept, schema=Schema("theatre", 0, SCHEMA.tables))
    assert str(why.value) == (
        f'cannot use the database "{kept}": its theatre tables are of version 1, this program expects 0; '
        "install the newer program"
    )
    assert (why.value.found, why.value.expected) == (1, 0)


def test_an_older_schema_is_left_alone(kept: Path) -> None:
    with rogue(kept) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'theatre_0' WHERE version_num = 'theatre_1'")
    assert refused(kept) == (
        f'cannot use the database "{kept}": its theatre tables are of version 0, this program expects 1; '
        "run `Store.upgrade`"
    )


def test_the_database_of_another_application_is_not_taken_over(kept: Path) -> None:
    other = Schema("circus", 1, MetaData())
    assert refused(kept, schema=other) == (
        f'cannot use the database "{kept}": it holds no tables of circus; use another one'
    )


@pytest.mark.parametrize("name", ["hall", "transition", "alembic_version"])
def test_a_table_of_somebody_else_is_not_taken_for_ours(path: Path, name: str) -> None:
    with rogue(path) as connection:
        connection.execute(f"CREATE TABLE {name} (version_num TEXT)")
    assert refused(path) == (
        f'cannot use the database "{path}": it has a table "{name}" that this program did not make'
    )
    with rogue(path) as connection:
        assert list(connection.execute("SELECT name FROM sqlite_master")) == [(name,)]


def test_an_applications_own_tables_are_never_touched(path: Path) -> None:
    with rogue(path) as connection:
        connection.execute("CREATE TABLE invoice (id INTEGER PRIMARY KEY, state TEXT)")
        connection.execute("INSERT INTO invoice VALUES (1, 'open')")
        before = list(connection.execute("SELECT * FROM sqlite_master"))
    with closing(opened(path)) as store:
        assert store.drift() == []
    with rogue(path) as connection:
        assert list(connection.execute("SELECT * FROM invoice")) == [(1, "open")]
        assert [row for row in connection.execute("SELECT * FROM sqlite_master") if row[2] == "invoice"] == before


def test_the_engines_names_are_its_own(path: Path) -> None:
    tables = MetaData()
    Table("subscription", tables, Column("id", Integer, primary_key=True))
    with pytest.raises(DefinitionError, match="schema shop: the table subscription is the engine's; rename yours"):
        opened(path, schema=Schema("shop", 1, tables))
    with pytest.raises(DefinitionError, match="the name statewright is the engine's; choose another"):
        opened(path, schema=Schema("statewright", 1, MetaData()))
    with pytest.raises(DefinitionError, match="expected a name of at most 27 letters"):
        opened(path, schema=Schema("s" * 28, 1, MetaData()))


def test_whatever_drifted_is_named(kept: Path) -> None:
    with rogue(kept) as connection:
        connection.execute("DROP INDEX ix_hall_close_at")
        connection.execute("DROP TRIGGER transition_is_never_changed")
        connection.execute("ALTER TABLE seat ADD COLUMN colour TEXT")
    with closing(opened(kept)) as store:
        assert sorted(store.drift()) == [
            "ix_hall_close_at is missing",
            "seat is not as the code expects it",
            "transition_is_never_changed is missing",
        ]


# Locks


def test_a_database_that_is_locked_is_called_that(kept: Path) -> None:
    with closing(opened(kept, busy_timeout=0.05)) as store, rogue(kept) as other:
        other.execute("BEGIN IMMEDIATE")

        def write() -> None:
            with store.transaction() as session:
                fire(session, halls, "close", 1, actor="ana")

        with pytest.raises(StoreError) as why:
            write()
        assert str(why.value) == (f'the database "{kept}" is locked by another program; try again when it is done')
        with store.reading() as session:
            assert len(entries(session)) == 1
        other.execute("ROLLBACK")
        write()


def test_a_database_is_locked_even_while_it_is_made(path: Path) -> None:
    with rogue(path) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert refused(path, busy_timeout=0.05) == (
            f'the database "{path}" is locked by another program; try again when it is done'
        )


def test_processes_that_make_one_database_at_once_all_succeed(path: Path) -> None:
    script = (
        "import sys; from tests.statewright.halls import SCHEMA; from statewright.store import Store;"
        "sys.stdin.read(); s = Store(sys.argv[1], schema=SCHEMA); assert s.drift() == []; s.close()"
    )
    command = [sys.executable, "-c", script, f"sqlite:///{path}"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    started = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
        for _ in range(4)
    ]
    for process in started:
        assert process.stdin is not None
        process.stdin.close()
        process.stdin = None
    ended = [process.communicate(timeout=60)[1] for process in started]
    assert ended == [""] * 4


def test_writers_take_turns_and_lose_nothing(kept: Path) -> None:
    with closing(opened(kept)) as store:

        def count() -> None:
            for _ in range(20):
                with store.transaction() as session:
                    row = session.get(Hall, 1)
                    assert row is not None
                    row.capacity += 1

        threads = [threading.Thread(target=count) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with store.reading() as session:
            assert session.connection().execute(select(halls.table.c.capacity)).scalar_one() == 480


# Read-only


@pytest.fixture
def shared_file() -> Iterator[FileMaker]:
    """Files in a folder that everybody may enter; for the rest of the test we are nobody in particular."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, "theatre.db")
        privileged = hasattr(os, "geteuid") and os.geteuid() == 0

        def make(*, file: int, parent: int) -> Path:
            store = opened(made)
            with store.transaction() as session:
                add_halls(session, {})
            store.close()
            made.chmod(file)
            made.parent.chmod(parent)
            if privileged:
                os.seteuid(65534)
            return made

        try:
            yield make
        finally:
            if privileged:
                os.seteuid(0)
            made.parent.chmod(0o755)


@pytest.mark.parametrize(("file", "parent"), [(0o444, 0o755), (0o444, 0o555)])
def test_a_read_only_database_is_read_and_not_written(shared_file: FileMaker, file: int, parent: int) -> None:
    path = shared_file(file=file, parent=parent)
    with closing(opened(path, create=False)) as store:
        with store.reading() as session:
            assert [entry.event for entry in history(session, "hall", 1)] == ["start"]
        assert store.drift() == []

        def write() -> None:
            with store.transaction() as session:
                fire(session, halls, "close", 1, actor="ana")

        with pytest.raises(StoreError) as why:
            write()
        assert str(why.value) == f'cannot write to the database "{path}": it or its folder is read-only'


def test_a_database_that_may_not_be_read_is_called_that(shared_file: FileMaker) -> None:
    path = shared_file(file=0o000, parent=0o755)
    assert refused(path) == f'cannot open the database "{path}": the file or its folder is not accessible'


def test_a_folder_that_may_not_be_entered_is_called_that(shared_file: FileMaker) -> None:
    path = shared_file(file=0o644, parent=0o000)
    assert refused(path) == f'cannot open the database "{path}": permission denied'


# Transactions


def test_what_fails_leaves_nothing(theatre: Store) -> None:
    def fail() -> None:
        with theatre.transaction() as session:
            add_halls(session, {})
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    with theatre.reading() as session:
        assert entries(session) == []
        assert session.connection().execute(select(halls.id)).all() == []


def test_a_rows_value_is_in_no_error(theatre: Store) -> None:
    def insert_twice() -> None:
        with theatre.transaction() as session:
            insert_rows(session, halls, [{"id": 7, "name": "s3cret"}])
            session.connection().execute(insert(halls.table).values(id=7, state="planned", name="s3cret"))

    with pytest.raises(IntegrityError) as why:
        insert_twice()
    assert "unique constraint" in str(why.value).lower()
    assert "s3cret" not in str(why.value)


def test_trouble_in_the_middle_is_one_sentence(theatre: Store) -> None:
    def misspell() -> None:
        with theatre.transaction() as session:
            session.connection().execute(text("SELECT * FROM hal"))

    with pytest.raises(StoreError) as why:
        misspell()
    said = str(why.value)
    assert said.startswith(f'the database "{theatre.name}" reported: ')
    assert said.endswith(("no such table: hal", 'relation "hal" does not exist'))


def test_bad_json_is_no_damage(theatre_in_a_file: Store) -> None:
    with pytest.raises(StoreError) as why, theatre_in_a_file.reading() as session:
        session.connection().execute(text("SELECT json('{')"))
    assert str(why.value) == f'the database "{theatre_in_a_file.name}" reported: malformed JSON'


def test_the_time_is_the_stores(theatre: Store, clock: ManualClock) -> None:
    clock.advance(days=3)
    with theatre.reading() as session:
        assert instant(session) == clock.now() != BEGINNING


def test_a_session_of_another_engine_has_no_clock(kept: Path) -> None:
    engine: Engine = create_engine(f"sqlite:///{kept}")
    with Session(engine) as session, pytest.raises(StoreError) as why:
        instant(session)
    engine.dispose()
    assert str(why.value) == "expected a session that a Store opened, got one of another engine"


def test_foreign_keys_are_kept(theatre: Store) -> None:
    with theatre.transaction() as session:
        hall_id, _ = add_halls(session, {}, {})
        with pytest.raises(IntegrityError, match=r"(?i)foreign key constraint"), session.begin_nested():
            session.connection().execute(update(halls.table).where(halls.id == hall_id).values(house_id=99))


def test_every_trouble_is_of_one_tree() -> None:
    assert issubclass(SchemaVersionError, StoreError)
    assert issubclass(StoreError, StatewrightError)


@pytest.mark.parametrize(("writable", "where"), [(True, "files"), (False, "memory")])
def test_what_a_large_change_may_undo_is_kept_in_files_if_there_is_a_folder_for_them(
    kept: Path, monkeypatch: pytest.MonkeyPatch, writable: bool, where: str
) -> None:
    store = opened(kept)
    monkeypatch.setattr("statewright.dialects.sqlite.os.access", lambda *_, **__: writable)
    with store.transaction() as held, store.reading() as session:
        held.connection()
        found = session.connection().exec_driver_sql("PRAGMA temp_store").scalar_one()
    store.close()
    assert {1: "files", 2: "memory"}[found] == where


def test_a_small_change_is_kept_in_memory_and_the_next_one_in_files_again(kept: Path) -> None:
    store = opened(kept)
    for few, where in ((True, "memory"), (False, "files"), (True, "memory")):
        with store.transaction(few=few) as session:
            found = session.connection().exec_driver_sql("PRAGMA temp_store").scalar_one()
        assert {1: "files", 2: "memory"}[found] == where
    store.close()
