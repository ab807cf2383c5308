"""The workflows as they are declared: what each guard looks at, and in which order a sweep goes."""

from __future__ import annotations

import re
from itertools import product

import pytest
from sqlalchemy import select
from tests.statewright.oracle import the_library_says

from sparkads.workflows import WORKFLOWS
from statewright.sweep import deadlines

GUARDS = [
    pytest.param(workflow, guard, id=f"{workflow.name}-{guard.name}")
    for workflow in WORKFLOWS.values()
    for guard in workflow.guards.values()
]


@pytest.mark.parametrize(("workflow", "guard"), GUARDS)
def test_a_guard_judges_the_row_in_question_however_deep_it_looks(workflow, guard):
    # Two sub-queries down, SQLAlchemy puts the row's own table into FROM again, and any row would do.
    expressions = [guard.holds, *guard.facts.values()]
    for expression in expressions:
        statement = str(select(workflow.id).where(expression))
        sources = re.findall(r"\bFROM (.*?)(?: \n|$)", statement)
        assert sources[0] == workflow.table.name
        assert not any(re.search(rf"\b{workflow.table.name}\b", source) for source in sources[1:]), statement


@pytest.mark.parametrize("workflow", WORKFLOWS.values(), ids=WORKFLOWS)
def test_the_table_of_every_chart_says_what_the_library_says(workflow):
    table = workflow.decisions
    for state, event in product(table.states, table.events):
        decision = table.decisions.get((state, event))
        named = decision.guards if decision else ()
        for values in product((True, False), repeat=len(named)):
            # The guards that this event does not name are there too, and must not matter.
            facts = {**dict.fromkeys(table.guards, False), **dict(zip(named, values, strict=True))}
            assert table.decide(state, event, facts) == the_library_says(workflow.chart, state, event, facts)


def test_codes_end_before_schedules_do_and_nobody_is_reminded_of_what_is_over():
    assert [(workflow.name, deadline.event) for workflow, deadline in deadlines(WORKFLOWS)] == [
        ("video_code", "expire"),
        ("video_code", "remind"),
        ("spark_ad", "end"),
    ]


def test_both_machines_carry_the_five_states():
    five = {"pending", "authorized", "in_review", "live", "expired"}
    assert set(WORKFLOWS["video_code"].decisions.states) == five | {"rejected", "revoked", "deleted"}
    assert set(WORKFLOWS["spark_ad"].decisions.states) == five | {"rejected", "paused", "deleted"}


def test_people_are_not_offered_what_only_the_program_does():
    assert WORKFLOWS["video_code"].automatic == {"follow", "expire", "remind"}
    assert WORKFLOWS["spark_ad"].automatic == {"authorize", "lose_authorization", "prolong", "reschedule", "end"}
    assert WORKFLOWS["post"].automatic == {"publish", "promote"}
