"""What the nouns of a portfolio share: finding a row, moving one, moving many."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import wraps
from types import FunctionType
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from sqlalchemy import ColumnElement, insert
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, SQLModel, col
from sqlmodel import select as select_rows

from sparkads.errors import WrongInput
from sparkads.portfolio.fresh import fresh, left
from statewright.clash import attempt
from statewright.dialects import refused, violated
from statewright.errors import Conflict, GuardRefused, UnknownRow
from statewright.explain import Possibility, Preview, can, preview, refusal, waiting_for
from statewright.keys import recall
from statewright.log import START, Elsewhere, Entry, elsewhere, history
from statewright.parameters import LARGEST, storable
from statewright.plan import Finish
from statewright.session import instant, of_a_store
from statewright.transition import Moved, fire, fire_all, force, start
from statewright.workflow import Workflow

if TYPE_CHECKING:
    from sparkads.portfolio import SparkAds

R = TypeVar("R", bound=SQLModel)

_NOTHING_COMES = Finish()


class Noun(Generic[R]):
    """One kind of row and its verbs."""

    workflow: ClassVar[Workflow]
    row: type[R]
    begun_by: ClassVar[str] = "create"
    """The verb that begins a row's life, for the sentence that refuses it."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for name, verb in {**vars(Noun), **vars(cls)}.items():
            if isinstance(verb, FunctionType) and not name.startswith("_"):
                opens_its_own = "session" in (verb.__kwdefaults__ or ())
                if opens_its_own and "actor" in verb.__annotations__:
                    setattr(cls, name, _persistent(verb))

    def __init__(self, spark: SparkAds) -> None:
        self.spark = spark

    def get(self, subject: R | int, *, session: Session | None = None) -> R:
        """The row as it is now. Raises UnknownRow."""
        with self.spark.reading(session) as reading:
            return self._fresh(reading, self._id_of(subject))

    def can(self, subject: R | int, *, session: Session | None = None) -> Sequence[Possibility]:
        """Every event, possible now or not, and why not. Raises UnknownRow."""
        with self.spark.reading(session) as reading:
            return can(reading, self.workflow, self._id_of(subject))

    def history(self, subject: R | int, *, session: Session | None = None) -> Sequence[Entry]:
        """Every move of the row's life that the log holds, oldest first. Raises UnknownRow.

        `archived` tells where earlier ones are.
        """
        with self.spark.reading(session) as reading:
            self._fresh(reading, self._id_of(subject))
            return history(reading, self.workflow.name, self._id_of(subject))

    def archived(self, subject: R | int, *, session: Session | None = None) -> Sequence[Elsewhere]:
        """In which files earlier moves of the row are, and how many; none, unless some were archived."""
        with self.spark.reading(session) as reading:
            return elsewhere(reading, self.workflow.name, self._id_of(subject))

    def waiting_for(self, subject: R | int, *, session: Session | None = None) -> str:
        """What the row still lacks in its present state, in words; empty when it lacks nothing."""
        with self.spark.reading(session) as reading:
            return waiting_for(reading, self.workflow, self._id_of(subject))

    def force(self, subject: R | int, state: str, *, actor: str, reason: str, session: Session | None = None) -> R:
        """Put a row into any state by hand, whatever the rules say; the history records it as that.

        Raises UnknownRow, WrongArguments (no reason, no such state), Conflict.
        """
        with self.spark.call(session) as writing:
            self._hold_one(writing, self._id_of(subject))
            force(writing, self.workflow, self._id_of(subject), state, actor=actor, reason=reason)
            return self._fresh(writing, self._id_of(subject))

    def preview(self, event: str, *, arguments: dict[str, Any] | None = None, **selection: Any) -> Preview:
        """How many rows of a selection an event would move or not, and why not; nothing is written."""
        with self.spark.reading() as reading:
            where = self._where(reading, **selection)
            return preview(reading, self.workflow, event, where, arguments=arguments)

    def list(
        self, *, limit: int | None = 100, after: int = 0, session: Session | None = None, **selection: Any
    ) -> Sequence[R]:
        """The rows of a selection, by id; `limit` at the most, those with ids after `after`."""
        with self.spark.reading(session) as reading:
            chosen = select_rows(self.row).where(self._where(reading, **selection), self._id > after)
            return reading.exec(chosen.order_by(self._id).limit(limit)).all()

    @property
    def _id(self) -> ColumnElement[int]:
        return self.workflow.id

    def _id_of(self, subject: R | int) -> int:
        """The id of one of our rows: a row of another kind may have the same id, and would be mistaken for it."""
        # A number first: whether anything is a model takes Python ten times as long to tell.
        if not isinstance(subject, (int, self.row)) and isinstance(subject, SQLModel):
            raise WrongInput(f"expected a {self.workflow.noun} or its id, got a {type(subject).__name__}")
        return id_of(subject)

    def _where(self, session: Session, **selection: Any) -> ColumnElement[bool]:
        """A selection, given by keyword, as a condition."""
        raise NotImplementedError

    def _hold(self, session: Session, where: ColumnElement[bool]) -> None:
        """Lock what a verb looks at beside the rows of its selection, before it moves them."""

    def _hold_one(self, session: Session, row_id: int) -> Any:
        """The same for one row; returns what `hold` returns."""

    def _fresh(self, session: Session, row_id: int) -> R:
        found = fresh(session, self.row, row_id)
        if found is None:
            noun = self.workflow.noun
            raise UnknownRow(f"there is no {noun} {row_id}", workflow=self.workflow.name, event="", row_id=row_id)
        return found

    def _left(self, writing: Session, row_id: int, moved: Moved | None, *, alone: bool) -> R:
        """The row as a verb leaves it.

        moved: what the verb did last to this row, if nothing else was done after it
        alone: the transaction is the verb's own, and ends with it
        """
        mine = of_a_store(writing)
        if alone and mine.untouched:
            return left(mine, self.row, row_id, moved.left if moved else ())
        return self._fresh(writing, row_id)

    def _fire(
        self,
        event: str,
        subject: R | int,
        *,
        actor: str,
        reason: str | None = None,
        key: str | None = None,
        session: Session | None = None,
        **arguments: Any,
    ) -> R:
        """A whole verb: move one row, and return it."""
        row_id = self._id_of(subject)
        with self.spark.call(session) as writing:
            self._hold_one(writing, row_id)
            moved = fire(
                writing,
                self.workflow,
                event,
                row_id,
                actor=actor,
                reason=reason,
                key=key,
                arguments=arguments,
                finish=_NOTHING_COMES if session is None else None,
            )
            return self._left(writing, row_id, moved, alone=session is None)

    def _fire_all(
        self,
        event: str,
        selection: dict[str, Any],
        *,
        actor: str,
        reason: str | None = None,
        key: str | None = None,
        session: Session | None = None,
        **arguments: Any,
    ) -> Moved:
        with self.spark.call(session) as writing:
            where = self._where(writing, **selection)
            self._hold(writing, where)
            return fire_all(
                writing, self.workflow, event, where, actor=actor, reason=reason, key=key, arguments=arguments
            )

    def _insert(self, session: Session, values: dict[str, Any]) -> int:
        try:
            created: int = (
                session.connection()
                .execute(insert(self.workflow.table).values(values).returning(self.workflow.id))
                .scalar_one()
            )
        except DBAPIError as error:
            if not refused(error):
                raise
            # Not the database's own error, which holds the values: a code among them is a secret.
            raise Conflict(
                f"cannot {self.begun_by} {self.workflow.noun}: the database refused: {violated(error)}",
                workflow=self.workflow.name,
                event=START,
                row_id=None,
            ) from None
        return created

    def _begin(
        self,
        session: Session,
        row_id: int,
        *,
        actor: str,
        reason: str | None = None,
        key: str | None = None,
        state: str | None = None,
    ) -> R:
        """Begin the life of a row just inserted. Raises GuardRefused, telling every rule that forbids it."""
        begun = start(session, self.workflow, row_id, actor=actor, reason=reason, key=key, target=state)
        if begun.rows:
            return self._fresh(session, row_id)
        why = refusal(session, self.workflow, START, row_id, now=instant(session), arguments={}, target=state)
        if not isinstance(why, GuardRefused):
            raise why
        because = "; ".join(each.sentence for each in why.refusals)
        raise GuardRefused(
            f"cannot {self.begun_by} {self.workflow.noun}: {because}",
            workflow=why.workflow,
            event=why.event,
            row_id=None,
            state=why.state,
            refusals=why.refusals,
        )

    def _replayed(self, session: Session, key: str | None) -> R | None:
        """The row that an earlier call with this key created. Raises Conflict if the key did something else."""
        if key is None:
            return None
        found = recall(session.connection(), key)
        if found is None:
            return None
        if found.workflow != self.workflow.name or found.event != START:
            raise Conflict(
                f"cannot create {self.workflow.noun}: the key {key!r} was used for something else; choose another",
                workflow=self.workflow.name,
                event=START,
                row_id=None,
            )
        return self._fresh(session, found.row_id)


def _persistent(verb: Callable[..., Any]) -> Callable[..., Any]:
    """The verb, done again when its own transaction clashed with another; the caller's is the caller's."""

    @wraps(verb)
    def persistent(self: Noun[Any], *subject: Any, session: Session | None = None, **facts: Any) -> Any:
        if session is not None:
            return verb(self, *subject, session=session, **facts)
        return attempt(verb, self, *subject, **facts)

    return persistent


def id_of(subject: SQLModel | int) -> int:
    """The id of a row, or the id itself."""
    found: Any = subject
    if not isinstance(subject, int) and isinstance(subject, SQLModel):
        found = getattr(subject, "id", None)
    if not isinstance(found, int) or isinstance(found, bool) or abs(found) > LARGEST:
        raise WrongInput(f"expected a row or its id, got {reprlib.repr(subject)}")
    return found


def one_of(values: str | Sequence[str]) -> Sequence[str]:
    """A single value or several, as several."""
    return (values,) if isinstance(values, str) else values


def aware(name: str, value: datetime | None) -> datetime | None:
    """An instant with a time zone, between the years 1970 and 9000. Raises WrongInput otherwise."""
    if value is None:
        return None
    if not isinstance(value, datetime):
        raise WrongInput(f"expected {name} to be a datetime with a time zone, got {reprlib.repr(value)}")
    if value.tzinfo is None:
        raise WrongInput(f"expected {name} to have a time zone, got {value.isoformat()}; write Z for UTC")
    if not 1970 <= value.year < 9000:
        raise WrongInput(f"expected {name} to be in the years 1970 to 8999, got {value.isoformat()}")
    return value


def text(name: str, value: str, *, longest: int = 500) -> str:
    """A short text, trimmed. Raises WrongInput when it is empty, too long or has control characters."""
    trimmed = value.strip()
    if not trimmed:
        raise WrongInput(f"expected {name}, got nothing")
    if len(trimmed) > longest:
        raise WrongInput(f"expected {name} to be at most {longest:,} characters, got {len(trimmed):,}")
    if not trimmed.isprintable():
        raise WrongInput(f"expected {name} to be plain text, got control characters in it")
    return trimmed


def lines(name: str, value: str, *, longest: int = 10_000) -> str:
    """A text of any number of lines, as it is. Raises WrongInput for what is too long or cannot be kept."""
    if len(value) > longest:
        raise WrongInput(f"expected {name} to be at most {longest:,} characters, got {len(value):,}")
    if not storable(value):
        raise WrongInput(f"expected {name} to be text, got characters that no database keeps")
    return value


def matching(column: Any, value: str | Sequence[str] | None) -> list[ColumnElement[bool]]:
    """A condition that a column is one of these values; none when nothing is asked for."""
    return [] if value is None else [col(column).in_(one_of(value))]
