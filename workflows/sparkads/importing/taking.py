"""How a file is taken: chunk by chunk, each in a transaction; what is refused is taken out, the rest stays."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

from sparkads.errors import FileTrouble, WrongInput
from sparkads.importing.accounts import usual_account
from sparkads.importing.ads import AdRows
from sparkads.importing.beginning import Done, Occasion, Outcome, Refused
from sparkads.importing.chunks import CHUNK, Chunk, Chunks
from sparkads.importing.codes import CodeRows
from sparkads.importing.garbage import room_for_a_chunk
from sparkads.importing.history import HistoryRows
from sparkads.importing.piece import Piece
from sparkads.importing.reading import CsvSheet, JsonSheet, Record, open_sheet
from sparkads.importing.rejects import Rejects
from sparkads.secret import masked
from sparkads.tables import SCHEMA
from statewright.clash import attempt
from statewright.dialects import refused, violated
from statewright.errors import Conflict
from statewright.many import take_stock
from statewright.session import meanwhile, take_turns, take_your_time

if TYPE_CHECKING:
    from sparkads.portfolio import SparkAds

STOCK_AFTER = 5
"""How many times more rows must have been taken until the database is to learn anew how many there are."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did.

    kind:      what the file held: "codes", "ads" or "history"
    unchanged: rows that the portfolio had already
    rejects:   the file that rejected rows were written to; None if there were none
    """

    kind: str
    taken: int
    unchanged: int
    rejected: int
    rejects: Path | None


class ImportRefused(WrongInput):
    """A strict import had rows that cannot be taken, so none was taken.

    line, problem: of the first such row
    rejected:      how many there were
    """

    line: int
    problem: str
    rejected: int


def import_file(
    spark: SparkAds,
    source: Path | BinaryIO,
    *,
    actor: str,
    name: str | None = None,
    strict: bool = False,
    rejects: Path | None = None,
    progress: Callable[[int, int | None], None] = lambda done, total: None,
) -> Imported:
    """Take codes, ads or history from CSV or JSON lines; which of them, its columns tell.

    A file may be imported again: rows that are known stay as they are. A row that cannot be taken is written
    to the rejects file, and the others are taken. Meanwhile Python looks for garbage more rarely.

    name:     what the source is called in sentences; its path unless given
    strict:   take all rows, in one transaction, or none
    rejects:  where to write what is not taken; a new file beside the source, FILE.rejects.csv, unless given
    progress: told the bytes read and their number for a file, the rows read and None for a stream
    Raises WrongInput for a file that cannot be understood as a whole, ImportRefused in strict mode, FileTrouble
    when the file cannot be read or the rejects cannot be written; what was taken before stays.
    """
    name = name or (str(source) if isinstance(source, Path) else "standard input")
    with room_for_a_chunk(), _opened(source, name) as (stream, size), open_sheet(stream, name) as sheet:
        where = rejects or _beside(source, "csv" if isinstance(sheet, CsvSheet) else "jsonl")
        if isinstance(source, Path) and where.exists() and where.samefile(source):
            raise WrongInput(f'cannot write the rejects over "{name}" while it is read; name another file')
        with spark.reading() as session:
            usual = usual_account(session)
        rows: Rows = _ROWS[sheet.kind.name](Occasion(spark, actor, usual, spark.now()))
        chunks = Chunks(sheet, rows.read, ahead=size is not None)
        course = _Course(sheet, rows, chunks, lambda read: progress(stream.tell() if size else read, size))
        return course.strictly(spark, name) if strict else course.leniently(spark, Rejects(where, sheet))


class Rows(Protocol):
    """One kind of rows: how they are read, and how they are taken."""

    def read(self, piece: Piece) -> Sequence[Any]:
        """What each row says; None for one with a problem, which the piece then tells."""
        ...

    def take(self, session: Session, rows: Sequence[Any]) -> list[Outcome]:
        """Take those that are not known yet; what became of each. Raises Refused."""
        ...


class _Course:
    """One import: the sheet, how its rows are taken, and what has become of them so far."""

    def __init__(
        self, sheet: CsvSheet | JsonSheet, rows: Rows, chunks: Chunks, progress: Callable[[int], None]
    ) -> None:
        self._sheet = sheet
        self._rows = rows
        self._chunks = chunks
        self._progress = progress
        self._counts = dict.fromkeys(Done, 0)
        self._rejected = 0
        self._next_stock = CHUNK

    def leniently(self, spark: SparkAds, rejects: Rejects) -> Imported:
        """Take what can be taken, a transaction a chunk, which is begun again when it clashed with somebody's."""
        try:
            for chunk in self._chunks:
                self._count(chunk, attempt(self._take_chunk, spark, chunk, rejects))
                self._tell()
                # SQLite serves writers in no order: without a pause, the others would wait for the last chunk.
                time.sleep(spark.settings.pause)
        finally:
            rejects.close()
        return self._told(rejects.path if rejects.written else None)

    def strictly(self, spark: SparkAds, name: str) -> Imported:
        """Take all, or raise ImportRefused."""
        first: Record | None = None
        with self._transaction(spark) as session:
            for chunk in self._chunks:
                outcomes = self._take(session, chunk)
                first = first or next(_rejected(chunk, outcomes), None)
                self._count(chunk, outcomes)
                self._tell()
            if first is not None:
                others = self._rejected - 1
                more = (
                    f", and {others:,} more {'row' if others == 1 else 'rows'} cannot be taken" if others else ""
                )
                raise ImportRefused(
                    f'cannot import "{name}": line {first.line}: {first.problem}{more}; nothing was taken',
                    line=first.line,
                    problem=first.problem,
                    rejected=self._rejected,
                )
        return self._told(None)

    @contextmanager
    def _transaction(self, spark: SparkAds) -> Iterator[Session]:
        """Waits its turn, however long that takes; the sheet is read on while the server works."""
        with spark.transaction() as session, meanwhile(session, self._chunks.read_on):
            take_your_time(session)
            take_turns(session)
            yield session

    def _take_chunk(self, spark: SparkAds, chunk: Chunk, rejects: Rejects) -> list[Outcome]:
        with self._transaction(spark) as session:
            outcomes = self._take(session, chunk)
            for record in _rejected(chunk, outcomes):
                rejects.add(record)
            # On disk before the rows beside them are committed: nothing is lost between the two.
            rejects.flush()
            return outcomes

    def _take(self, session: Session, chunk: Chunk) -> list[Outcome]:
        """Take what can be taken of a chunk; what became of each row."""
        outcomes = _settled(session, self._rows, chunk.rows)
        # Now and then, ever more rarely, the database counts: each chunk is looked for among all that is there.
        taken = self._counts[Done.TAKEN] + outcomes.count(Done.TAKEN)
        if taken >= self._next_stock:
            self._next_stock = STOCK_AFTER * taken
            take_stock(session, SCHEMA.tables)
        return outcomes

    def _count(self, chunk: Chunk, outcomes: Sequence[Outcome]) -> None:
        for done in Done:
            self._counts[done] += outcomes.count(done)
        self._rejected += len(chunk.records) - sum(isinstance(outcome, Done) for outcome in outcomes)

    def _tell(self) -> None:
        self._progress(sum(self._counts.values()) + self._rejected)

    def _told(self, rejects: Path | None) -> Imported:
        return Imported(
            kind=self._sheet.kind.name,
            taken=self._counts[Done.TAKEN],
            unchanged=self._counts[Done.UNCHANGED],
            rejected=self._rejected,
            rejects=rejects,
        )


def _rejected(chunk: Chunk, outcomes: Sequence[Outcome]) -> Iterator[Record]:
    """The records that were not taken, each with its problem."""
    became = iter(outcomes)
    for record in chunk.records:
        outcome = record.problem or next(became)
        if not isinstance(outcome, Done):
            # Not written into the record itself: the chunk may have to be taken once more.
            yield replace(record, problem=masked(outcome))


def _settled(session: Session, kind: Rows, rows: Sequence[Any]) -> list[Outcome]:
    """Take rows; those that are refused are taken out and the others tried again, as if they were alone."""
    if not rows:
        return []
    try:
        with session.begin_nested():
            return kind.take(session, rows)
    except Refused as some:
        left = [number for number in range(len(rows)) if number not in some.problems]
        others = iter(_settled(session, kind, [rows[number] for number in left]))
        return [some.problems[n] if n in some.problems else next(others) for n in range(len(rows))]
    except (Conflict, DBAPIError) as error:
        if isinstance(error, DBAPIError) and not refused(error):
            raise
        if len(rows) == 1:
            return [error.sentence if isinstance(error, Conflict) else f"the database refused: {violated(error)}"]
        middle = len(rows) // 2
        return _settled(session, kind, rows[:middle]) + _settled(session, kind, rows[middle:])


@contextmanager
def _opened(source: Path | BinaryIO, name: str) -> Iterator[tuple[BinaryIO, int | None]]:
    """The bytes to read, and how many there are if that can be told."""
    if not isinstance(source, Path):
        yield source, None
        return
    try:
        file = source.open("rb")
    except OSError as error:
        why = {FileNotFoundError: "there is no such file", IsADirectoryError: "it is a folder"}
        raise FileTrouble(
            f'cannot import "{name}": {why.get(type(error), (error.strerror or "").lower())}'
        ) from None
    with file:
        size = file.seek(0, io.SEEK_END) if file.seekable() else None
        if size is not None:
            file.seek(0)
        yield file, size


def _beside(source: Path | BinaryIO, ending: str) -> Path:
    """A name for the rejects that no file has yet."""
    stem = source.with_suffix("") if isinstance(source, Path) else Path("import")
    path = stem.with_name(f"{stem.name}.rejects.{ending}")
    number = 1
    while path.exists():
        number += 1
        path = stem.with_name(f"{stem.name}.rejects-{number}.{ending}")
    return path


_ROWS: dict[str, Callable[[Occasion], Rows]] = {"codes": CodeRows, "ads": AdRows, "history": HistoryRows}
