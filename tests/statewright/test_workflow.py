"""A wrong definition is refused when it is read, in words that say what to change."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    create_engine,
    exists,
    func,
    literal,
    select,
    text,
)
from statemachine import State
from tests.statewright.halls import THEATRE, Hall, Seat, halls, seats, tickets

from statewright.chart import Chart
from statewright.dialects import Instant, days_after
from statewright.errors import DefinitionError
from statewright.log import FORCE, START
from statewright.workflow import (
    NOW,
    Assign,
    Cascade,
    Deadline,
    Guard,
    Link,
    Workflow,
    argument,
)
from statewright.workflows import Workflows

seat = seats.table.c


class DoorChart(Chart):
    shut = State(initial=True)
    ajar = State()
    gone = State(final=True)

    push = shut.to(ajar, cond="oiled")
    pull = ajar.to(shut)
    knock = shut.to.itself() | ajar.to.itself()
    remove = shut.to(gone) | ajar.to(gone)


class PlainChart(Chart):
    low = State(initial=True)
    high = State()

    rise = low.to(high)
    fall = high.to(low)
    stay = low.to.itself()


def door_table(*columns: Any, name: str = "door", metadata: MetaData | None = None) -> Table:
    return Table(
        name,
        metadata or MetaData(),
        Column("id", Integer, primary_key=True),
        Column("state", Text, nullable=False),
        Column("width", Integer),
        Column("shuts_at", Instant),
        Column("squeaks_at", Instant),
        *columns,
    )


def oiled(table: Table, **more: Any) -> Guard:
    return Guard("oiled", **{"holds": table.c.width > 0, "refusal": "it squeaks", **more})


def problem_of(make: Any) -> str:
    with pytest.raises(DefinitionError) as refused:
        make()
    return str(refused.value)


def problem(table: Table | None = None, **parts: Any) -> str:
    """What is wrong with a door's workflow, its guard in order unless given."""
    made = door_table() if table is None else table
    guards = parts.pop("guards") if "guards" in parts else [oiled(made)]
    return problem_of(lambda: Workflow(made, DoorChart, guards=guards, **parts))


# The table


def test_a_workflow_needs_a_table() -> None:
    assert problem_of(lambda: Workflow(int, PlainChart)) == (
        "workflow of int: expected a table, or a class that is mapped to one"
    )


def test_a_table_without_id_or_state_is_refused() -> None:
    bare = Table("door", MetaData(), Column("state", Text, nullable=False))
    assert problem(bare, guards=[]) == "workflow door: its table door has no column id"
    stateless = Table("door", MetaData(), Column("id", Integer, primary_key=True))
    assert problem(stateless, guards=[]) == "workflow door: its table door has no column state"


def test_the_id_must_be_the_whole_primary_key() -> None:
    two = door_table(Column("part", Integer, primary_key=True))
    assert problem(two) == "workflow door: the primary key of its table door must be the column id alone"


def test_a_state_that_may_be_null_is_refused() -> None:
    loose = Table("door", MetaData(), Column("id", Integer, primary_key=True), Column("state", Text))
    assert "the column state of its table door may be NULL; declare it nullable=False" in problem(loose, guards=[])


@pytest.mark.parametrize("name", ["now", "arg_days", "step_batch", "step_before"])
def test_a_column_called_like_a_parameter_of_the_statements_is_refused(name: str) -> None:
    assert problem(door_table(Column(name, Integer))) == (
        f"workflow door: its table door has a column {name}, a name that the engine's statements use; rename it"
    )


def test_a_table_belongs_to_one_workflow() -> None:
    assert problem(Hall.__table__, guards=[], name="other") == (  # type: ignore[attr-defined]
        "workflow other: its table hall already belongs to the workflow hall"
    )


# Names


def test_a_guard_that_the_chart_names_must_be_defined() -> None:
    assert problem(guards=[]) == (
        "workflow door: DoorChart names a guard oiled, which the workflow does not define; it knows none"
    )


def test_a_guard_that_no_arrow_names_is_a_slip() -> None:
    table = door_table()
    other = Guard("greased", table.c.width > 0, "it squeaks")
    assert problem(table, guards=[oiled(table), other]) == (
        "workflow door: the guard greased is named by no arrow of DoorChart; it knows oiled"
    )


def test_two_guards_of_one_name_are_refused() -> None:
    table = door_table()
    assert "two guards are called oiled" in problem(table, guards=[oiled(table), oiled(table)])


@pytest.mark.parametrize(
    ("parts", "what"),
    [
        ({"arguments": {"slam": {"force": int}}}, "an argument"),
        ({"automatic": {"slam"}}, "an automatic rule"),
        ({"waits": {"shut": "slam"}}, "a waiting rule"),
    ],
)
def test_an_event_that_the_chart_does_not_have_is_named(parts: dict[str, Any], what: str) -> None:
    assert problem(**parts) == (
        f"workflow door: {what} names the event slam, which DoorChart does not have; "
        "it knows push, pull, knock, remove"
    )


def test_a_deadline_an_assignment_or_a_cascade_on_an_unknown_event_is_refused() -> None:
    table = door_table()
    link = Link(Seat.hall_id, Seat.id)
    for parts, what in (
        ({"deadlines": [Deadline("slam", at=table.c.shuts_at)]}, "a deadline"),
        ({"assigns": [Assign(table.c.width, 1, on={"slam"})]}, "an assignment"),
        ({"cascades": [Cascade("seat", "release", along=link, on={"slam"})]}, "a cascade"),
    ):
        said = problem(table, guards=[oiled(table)], **parts)
        assert f"{what} names the event slam, which DoorChart does not have" in said


def test_a_state_that_the_chart_does_not_have_is_named() -> None:
    table = door_table()
    link = Link(Seat.hall_id, Seat.id)
    for parts, what in (
        ({"entry": {"open": ["oiled"]}}, "an entry rule"),
        ({"waits": {"open": "push"}}, "a waiting rule"),
        ({"assigns": [Assign(table.c.width, 1, entering={"open"})]}, "an assignment"),
        ({"assigns": [Assign(table.c.width, 1, on={"push"}, leaving={"open"})]}, "an assignment"),
        ({"cascades": [Cascade("seat", "release", along=link, entering={"open"})]}, "a cascade"),
        ({"cascades": [Cascade("seat", "release", along=link, leaving={"open"})]}, "a cascade"),
    ):
        said = problem(table, guards=[oiled(table)], **parts)
        assert f"{what} names the state open, which DoorChart does not have; it knows shut, ajar, gone" in said


def test_start_and_force_are_events_of_every_workflow() -> None:
    table = door_table()
    Workflow(table, DoorChart, guards=[oiled(table)], assigns=[Assign(table.c.width, 1, on={START, FORCE})])


def test_a_state_can_only_wait_for_an_event_that_it_accepts() -> None:
    assert problem(waits={"shut": "pull"}) == (
        "workflow door: the state shut waits for pull, which has no arrow from it"
    )


def test_a_text_where_names_are_expected_is_told_apart_from_its_letters() -> None:
    table = door_table()
    assert problem(automatic="push") == (
        "workflow door: expected automatic to hold names, as in ['push'], got a text"
    )
    assert "expected entry['ajar'] to hold names, as in ['oiled']" in problem(entry={"ajar": "oiled"})
    assert problem_of(lambda: Assign(table.c.width, 1, on="push")) == (
        "the assignment of width: expected on to hold names, as in ['push'], got a text"
    )
    assert problem_of(
        lambda: Cascade("seat", "release", along=Link(Seat.hall_id, Seat.id), entering="closed")
    ).startswith("the cascade to seat: expected entering to hold names")


# Guards


def test_the_sentence_of_a_guard_may_only_name_what_is_known() -> None:
    table = door_table()
    said = problem(table, guards=[oiled(table, refusal="it is {weight} kg")])
    assert said.startswith("workflow door: the sentence of guard oiled names {weight}; it knows blockers, id")


def test_a_sentence_with_a_stray_brace_is_refused() -> None:
    table = door_table()
    assert problem(table, guards=[oiled(table, refusal="it is {width")]) == (
        "workflow door: the sentence of guard oiled cannot be read: expected '}' before end of string"
    )


def test_blockers_need_an_id_a_label_and_a_state() -> None:
    table = door_table()
    said = problem(table, guards=[oiled(table, blockers=select(table.c.id, table.c.state))])
    assert "the blockers of guard oiled must have columns id, label and state" in said


def test_blockers_that_are_the_same_for_every_row_are_refused() -> None:
    table = door_table()
    everything = select(seat.id, seat.label, seat.state)
    assert problem(table, guards=[oiled(table, blockers=everything)]) == (
        "workflow door: the blockers of guard oiled are the same for every row; "
        "add a condition that ties them to door"
    )


def test_blockers_may_be_tied_to_the_row_within_a_sub_query() -> None:
    table = door_table()
    inner = select(halls.id).where(halls.table.c.capacity == table.c.width)
    tied = select(seat.id, seat.label, seat.state).where(seat.hall_id.in_(inner))
    Workflow(table, DoorChart, guards=[oiled(table, blockers=tied)])


def test_a_guard_that_looks_at_another_table_outside_a_sub_query_is_refused() -> None:
    table = door_table()
    assert problem(table, guards=[oiled(table, holds=Seat.hall_id == table.c.id)]) == (
        "workflow door: the guard oiled looks at seat outside a sub-query; "
        "use exists() or scalar_subquery(), tied to the row"
    )


def test_so_is_a_fact_that_does() -> None:
    table = door_table()
    assert "the fact hall of guard oiled looks at hall outside a sub-query" in problem(
        table, guards=[oiled(table, facts={"hall": Hall.name})]
    )


def test_a_guard_that_is_no_sql_is_refused() -> None:
    table = door_table()
    assert "the guard oiled is no SQL expression, but True" in problem(table, guards=[oiled(table, holds=True)])


# Arguments


def test_an_argument_has_one_of_four_types() -> None:
    assert problem(arguments={"push": {"by": float}}) == (
        "workflow door: the argument by of push is a float; expected int, str, bool or datetime"
    )
    assert problem(arguments={"push": {"by": "int"}}) == (
        "workflow door: the argument by of push is a 'int'; expected int, str, bool or datetime"
    )
    assert problem_of(lambda: argument("by", float)) == (
        "argument by: it is a float; expected int, str, bool or datetime"
    )


def test_an_argument_that_is_used_must_be_declared() -> None:
    table = door_table()
    by = argument("by", int)
    assert problem(table, guards=[oiled(table)], assigns=[Assign(table.c.width, by, on={"push"})]) == (
        "workflow door: the assignment of width on push uses an undeclared argument by"
    )
    assert problem(table, guards=[oiled(table, holds=table.c.width > by)]) == (
        "workflow door: the guard oiled on push uses an undeclared argument by"
    )


def test_an_argument_deep_in_a_sub_query_is_seen() -> None:
    table = door_table()
    deep = exists().where(seat.hall_id == table.c.id, func.length(seat.label) > argument("by", int))
    assert "the guard oiled on push uses an undeclared argument by" in problem(
        table, guards=[oiled(table, holds=deep)]
    )


def test_a_state_is_entered_by_events_that_take_other_arguments() -> None:
    table = door_table()
    assign = Assign(table.c.width, argument("by", int), on={"push"}, entering={"ajar"})
    said = problem(table, guards=[oiled(table)], assigns=[assign], arguments={"push": {"by": int}})
    assert said == "workflow door: the assignment of width on a state uses an undeclared argument by"


def test_a_beginning_takes_no_arguments() -> None:
    table = door_table()
    guard = oiled(table, holds=table.c.width > argument("by", int))
    said = problem(table, guards=[guard], arguments={"push": {"by": int}}, entry={"ajar": ["oiled"]})
    assert said == "workflow door: the guard oiled on start uses an undeclared argument by"


def test_an_argument_is_used_as_what_it_is_declared() -> None:
    table = door_table()
    assign = Assign(table.c.width, argument("by", int), on={"push"})
    said = problem(table, guards=[oiled(table)], assigns=[assign], arguments={"push": {"by": str}})
    assert said == "workflow door: the assignment of width on push takes by for a int, declared as a str"


# Assignments


@pytest.mark.parametrize("column", ["id", "state"])
def test_only_the_chart_sets_the_state(column: str) -> None:
    table = door_table()
    said = problem(table, guards=[oiled(table)], assigns=[Assign(table.c[column], 1, on={"push"})])
    assert said == f"workflow door: an assignment sets {column}, which only the chart may"


def test_an_assignment_is_made_to_a_column_of_its_own_table() -> None:
    assert problem(assigns=[Assign(Seat.label, "x", on={"push"})]) == (
        "workflow door: an assignment names the column label, which door does not have"
    )
    # The same name elsewhere does not make it ours.
    assert "which door does not have" in problem(assigns=[Assign(door_table().c.width, 1, on={"push"})])


def test_an_assignment_says_when() -> None:
    table = door_table()
    said = problem(table, guards=[oiled(table)], assigns=[Assign(table.c.width, 1)])
    assert said == "workflow door: the assignment of width names neither an event nor a state"


@pytest.mark.parametrize("when", [{"on": {"push"}}, {"entering": {"ajar"}}])
def test_two_assignments_cannot_set_one_column_at_once(when: dict[str, set[str]]) -> None:
    table = door_table()
    two = [Assign(table.c.width, 1, **when), Assign(table.c.width, 2, **when)]
    said = problem(table, guards=[oiled(table)], assigns=two)
    assert said == "workflow door: two assignments set width on the same event or state"


def test_an_assigned_value_looks_at_the_row_alone() -> None:
    table = door_table()
    said = problem(table, guards=[oiled(table)], assigns=[Assign(table.c.width, Hall.capacity + 1, on={"push"})])
    assert "the assignment of width looks at hall outside a sub-query" in said


def test_an_assignment_of_no_column_is_refused() -> None:
    assert problem_of(lambda: Assign("width", 1)) == (
        "an assignment: expected column to be a column of a table, got 'width'"
    )


# Deadlines


def test_a_deadline_is_a_column_of_its_own_table() -> None:
    said = problem(deadlines=[Deadline("remove", at=door_table().c.shuts_at)])
    assert said == "workflow door: the deadline remove names door.shuts_at, which is no column of door"


def test_a_deadline_is_an_instant() -> None:
    table = door_table(Column("once", DateTime(timezone=True)))
    said = problem(table, guards=[oiled(table)], deadlines=[Deadline("remove", at=table.c.once)])
    assert said == "workflow door: the column once of the deadline remove must be of the type Instant"


def test_an_event_has_one_deadline_and_a_column_serves_one() -> None:
    table = door_table()
    at, other = table.c.shuts_at, table.c.squeaks_at
    for two in (
        [Deadline("remove", at=at), Deadline("remove", at=other)],
        [Deadline("remove", at=at), Deadline("pull", at=at)],
    ):
        assert "two deadlines share the event" in problem(table, guards=[oiled(table)], deadlines=two)


def test_a_deadline_gets_its_index_from_the_engine() -> None:
    table = door_table()
    Index("mine", table.c.shuts_at)
    said = problem(table, guards=[oiled(table)], deadlines=[Deadline("remove", at=table.c.shuts_at)])
    assert said == "workflow door: the column shuts_at has an index, and the engine makes its own; remove yours"


def test_an_event_that_takes_arguments_cannot_come_by_itself() -> None:
    table = door_table()
    said = problem(
        table,
        guards=[oiled(table)],
        arguments={"remove": {"why": str}},
        deadlines=[Deadline("remove", at=table.c.shuts_at)],
    )
    assert said == "workflow door: the deadline remove cannot come by itself: the event takes why"


def test_a_deadline_that_would_come_for_ever_is_refused() -> None:
    table = door_table()
    said = problem(table, guards=[oiled(table)], deadlines=[Deadline("knock", at=table.c.squeaks_at)])
    assert said == (
        "workflow door: the deadline knock leads to ajar, where it would come again at once and for ever; "
        "assign squeaks_at on knock"
    )


def test_a_deadline_that_arms_itself_again_is_welcome() -> None:
    table = door_table()
    Workflow(
        table,
        DoorChart,
        guards=[oiled(table)],
        deadlines=[Deadline("knock", at=table.c.squeaks_at)],
        assigns=[Assign(table.c.squeaks_at, days_after(NOW, 1), on={"knock"})],
    )


# Cascades


def test_a_link_is_two_columns_of_one_table() -> None:
    assert problem_of(lambda: Link(Seat.hall_id, Hall.id)) == (
        "a link: seat.hall_id and hall.id are of two tables; expected two columns of one"
    )


def test_a_cascade_that_can_never_happen_is_a_slip() -> None:
    link = Link(Seat.hall_id, Seat.id)
    said = problem(cascades=[Cascade("seat", "release", along=link, on={"pull"}, entering={"gone"})])
    assert said == "workflow door: its cascade to seat can never happen: no event of pull leads there"


def level(name: str, metadata: MetaData, **parts: Any) -> Workflow:
    table = Table(
        name,
        metadata,
        Column("id", Integer, primary_key=True),
        Column("state", Text, nullable=False),
        Column("above", Integer),
        Column("beside", Integer),
    )
    given = {key: value(table) for key, value in parts.items()}
    return Workflow(table, PlainChart, **given)


def cascade(to: str, event: str, **when: Any) -> Any:
    return lambda table: [Cascade(to, event, along=Link(table.c.above, table.c.id), **when)]


def test_two_workflows_of_one_name_are_refused() -> None:
    one, two = (level("level", MetaData()) for _ in range(2))
    assert problem_of(lambda: Workflows(one, two)) == "workflows: two have one name, among level"


def test_a_cascade_names_a_workflow_and_an_event_that_are_there() -> None:
    lost = level("level", MetaData(), cascades=cascade("attic", "rise"))
    assert problem_of(lambda: Workflows(lost)) == (
        "workflow level: a cascade moves attic, which is no workflow; it knows level"
    )
    wrong = level("level", MetaData(), cascades=cascade("level", "jump"))
    assert problem_of(lambda: Workflows(wrong)) == (
        "workflow level: a cascade names the event jump, which level does not have; it knows rise, fall, stay"
    )


def test_a_cascade_brings_no_arguments() -> None:
    needy = level(
        "level",
        MetaData(),
        cascades=cascade("level", "fall", on={"stay"}),
        arguments=lambda table: {"fall": {"by": int}},
    )
    assert problem_of(lambda: Workflows(needy)) == (
        "workflow level: a cascade names level's event fall, which needs arguments"
    )


def test_a_link_whose_columns_are_swapped_is_refused() -> None:
    metadata = MetaData()
    floor = Table(
        "floor", metadata, Column("id", Integer, primary_key=True), Column("state", Text, nullable=False)
    )
    room = Table(
        "room",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("state", Text, nullable=False),
        Column("floor_id", ForeignKey("floor.id")),
    )
    swapped = Cascade("room", "rise", along=Link(room.c.id, room.c.floor_id))
    floors, rooms = Workflow(floor, PlainChart, cascades=[swapped]), Workflow(room, PlainChart)
    assert problem_of(lambda: Workflows(floors, rooms)) == (
        "workflow floor: the link of its cascade to room expects room.id to hold ids of floor, "
        "which it does not; are its two columns swapped?"
    )


def test_a_row_cannot_be_moved_before_its_neighbours_are_known() -> None:
    alone = level("level", MetaData(), cascades=cascade("other", "rise"))
    assert problem_of(lambda: alone.neighbour(alone.cascades[0])) == (
        "workflow level: its cascade moves other; put both into one Workflows(...) before a row is moved"
    )


def test_a_circle_of_cascades_that_never_ends_is_refused_with_its_path() -> None:
    def circle(to: str) -> Any:
        return lambda table: [Cascade(to, "stay", along=Link(table.c.above, table.c.beside))]

    metadata = MetaData()
    one = level("one", metadata, cascades=circle("two"))
    two = level("two", metadata, cascades=circle("one"))
    said = problem_of(lambda: Workflows(one, two))
    assert said.startswith("workflows: a cascade can never end: ")
    path = said.rpartition(": ")[2].split(" -> ")
    assert path[0] == path[-1]
    assert set(path) == {"one.stay", "two.stay"}


def test_a_circle_through_two_events_of_one_workflow_is_seen() -> None:
    swing = level(
        "swing",
        MetaData(),
        cascades=lambda table: [
            *cascade("swing", "fall", entering={"high"})(table),
            *cascade("swing", "rise", entering={"low"})(table),
        ],
    )
    said = problem_of(lambda: Workflows(swing))
    assert "swing.rise -> swing.fall -> swing.rise" in said or "swing.fall -> swing.rise -> swing.fall" in said


def test_a_circle_that_cannot_be_entered_again_is_harmless() -> None:
    # `rise` leads to high only, and nothing is left that leads back to low.
    ladder = level("ladder", MetaData(), cascades=cascade("ladder", "rise", on={"rise"}))
    assert Workflows(ladder)["ladder"] is ladder


def test_a_circle_is_harmless_if_one_workflow_on_it_only_goes_forward() -> None:
    # A ticket that loses a seat gives back the others, which void their tickets: tickets never come back.
    assert [*THEATRE] == ["hall", "seat", "ticket"]
    assert seats.cascades_of("release")
    assert tickets.cascades_of("lose_seat")


def test_a_circle_is_cut_by_where_its_events_lead() -> None:
    # `fall` never enters high, so that it does not set off another `rise`.
    seesaw = level(
        "seesaw",
        MetaData(),
        cascades=lambda table: [*cascade("seesaw", "fall", on={"stay"}, entering={"low"})(table)],
    )
    assert Workflows(seesaw)["seesaw"].cascades_of("fall") == []


# What a workflow makes of its table


def test_the_chart_becomes_a_check_and_the_deadline_a_partial_index() -> None:
    table = halls.table
    checks = {str(c.sqltext) for c in table.constraints if isinstance(c, CheckConstraint)}
    assert any("state IN" in check for check in checks)
    with create_engine("sqlite://").begin() as connection:
        table.metadata.create_all(connection)
        asked = text("SELECT sql FROM sqlite_master WHERE name = 'ix_hall_close_at'")
        assert connection.execute(asked).scalar_one().endswith("WHERE close_at IS NOT NULL")


def test_a_mapped_attribute_is_as_good_as_its_column() -> None:
    (deadline,) = seats.deadlines
    assert deadline.at is seat.held_until


def test_a_deadline_brings_its_event_by_itself() -> None:
    assert halls.automatic == {"remind", "close"}
    assert seats.automatic == {"release", "lapse"}


def test_a_workflow_is_shown_by_its_name() -> None:
    assert repr(halls) == "Workflow('hall')"
    assert halls.noun == "hall"


def test_python_values_can_be_assigned() -> None:
    table = door_table()
    made = Workflow(
        table,
        DoorChart,
        guards=[oiled(table, holds=literal(1) == 1)],
        assigns=[Assign(table.c.shuts_at, datetime(2026, 1, 1, tzinfo=UTC), on={"push"})],
    )
    assert made.moves("push") == {("shut", "ajar")}
