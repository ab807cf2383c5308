"""What a chart's table says, how it is drawn, and which charts are refused."""

from __future__ import annotations

import enum
import types
from collections.abc import Callable
from typing import Any

import pytest
from statemachine import Event, HistoryState, State, StateChart
from statemachine.exceptions import InvalidDefinition
from statemachine.states import States

from statewright.chart import Chart, Decision, tabulate
from statewright.diagram import markdown, mermaid
from statewright.errors import DefinitionError


class Door(Chart):
    shut = State(initial=True)
    ajar = State()
    gone = State(final=True)

    push = shut.to(ajar, unless="locked") | shut.to(gone, cond="rotten and locked")
    knock = shut.to.itself() | ajar.to.itself()
    pull = ajar.to(shut)
    take_away = gone.from_(shut, ajar)


class TestTable:
    def test_states_and_events_stand_in_the_order_of_their_declaration(self) -> None:
        table = tabulate(Door)

        assert table.name == "Door"
        assert table.states == ("shut", "ajar", "gone")
        assert table.events == ("push", "knock", "pull", "take_away")
        assert table.initial == "shut"
        assert table.finals == {"gone"}

    def test_there_is_a_decision_only_where_the_chart_has_an_arrow(self) -> None:
        assert set(tabulate(Door).decisions) == {
            ("shut", "push"),
            ("shut", "knock"),
            ("ajar", "knock"),
            ("ajar", "pull"),
            ("shut", "take_away"),
            ("ajar", "take_away"),
        }

    def test_a_decision_answers_every_combination_of_its_guards(self) -> None:
        push = tabulate(Door).decisions["shut", "push"]

        assert push.guards == ("locked", "rotten")
        assert push.outcomes == {
            (False, False): "ajar",
            (False, True): "ajar",
            (True, False): None,
            (True, True): "gone",
        }

    def test_an_event_without_guards_has_one_answer(self) -> None:
        assert tabulate(Door).decisions["ajar", "pull"] == Decision(guards=(), outcomes={(): "shut"})

    def test_an_arrow_may_lead_back_to_where_it_begins(self) -> None:
        assert tabulate(Door).decide("ajar", "knock", {}) == "ajar"

    def test_an_event_is_asked_what_it_can_do(self) -> None:
        table = tabulate(Door)

        assert table.sources("knock") == ("shut", "ajar")
        assert table.targets("push") == ("ajar", "gone")
        assert table.possible("ajar") == ("knock", "pull", "take_away")
        assert table.possible("gone") == ()
        assert table.guards == ("locked", "rotten")

    def test_the_facts_decide(self) -> None:
        table = tabulate(Door)

        assert table.decide("shut", "push", {"locked": False, "rotten": True}) == "ajar"
        assert table.decide("shut", "push", {"locked": True, "rotten": True}) == "gone"
        assert table.decide("shut", "push", {"locked": True, "rotten": False}) is None

    def test_more_facts_than_asked_for_do_no_harm(self) -> None:
        facts = {"locked": False, "rotten": False, "raining": True}

        assert tabulate(Door).decide("shut", "push", facts) == "ajar"

    def test_facts_may_be_the_numbers_and_nulls_of_a_database(self) -> None:
        facts: dict[str, Any] = {"locked": 1, "rotten": None}

        assert tabulate(Door).decide("shut", "push", facts) is None

    def test_an_event_without_an_arrow_from_here_is_refused(self) -> None:
        assert tabulate(Door).decide("shut", "pull", {}) is None

    def test_a_misspelt_event_is_not_a_refusal(self) -> None:
        with pytest.raises(ValueError, match=r"expected one of the events of Door, got 'pusch'"):
            tabulate(Door).decide("shut", "pusch", {})

    def test_a_misspelt_state_is_not_a_refusal(self) -> None:
        with pytest.raises(ValueError, match=r"expected one of the states of Door, got 'shutt'"):
            tabulate(Door).possible("shutt")

    def test_the_first_arrow_whose_guards_hold_is_taken(self) -> None:
        class Queue(Chart):
            waiting = State(initial=True)
            first = State(final=True)
            second = State(final=True)
            third = State(final=True)
            call = waiting.to(second, cond="paid") | waiting.to(first, cond="early") | waiting.to(third)

        table = tabulate(Queue)

        assert table.decide("waiting", "call", {"early": True, "paid": True}) == "second"
        assert table.decide("waiting", "call", {"early": True, "paid": False}) == "first"
        assert table.decide("waiting", "call", {"early": False, "paid": False}) == "third"

    def test_of_several_guards_all_must_hold_and_no_exception(self) -> None:
        class Loan(Chart):
            asked = State(initial=True)
            given = State(final=True)
            give = asked.to(given, cond=["adult", "employed or rich"], unless=["banned", "bankrupt"])

        decision = tabulate(Loan).decisions["asked", "give"]

        assert decision.guards == ("adult", "employed", "rich", "banned", "bankrupt")
        assert sorted(values for values, target in decision.outcomes.items() if target) == [
            (True, False, True, False, False),
            (True, True, False, False, False),
            (True, True, True, False, False),
        ]

    def test_the_signs_of_logic_mean_what_the_words_mean(self) -> None:
        class Light(Chart):
            off = State(initial=True)
            on = State()
            switch = off.to(on, cond="!broken ^ (wired v charged)") | on.to(off)

        decision = tabulate(Light).decisions["off", "switch"]

        assert decision.guards == ("broken", "wired", "charged")
        assert [values for values, target in decision.outcomes.items() if target is None] == [
            (False, False, False),
            (True, False, False),
            (True, False, True),
            (True, True, False),
            (True, True, True),
        ]

    def test_from_any_state_means_from_every_state_that_is_not_final(self) -> None:
        class Letter(Chart):
            draft = State(initial=True)
            sent = State()
            burnt = State(final=True)
            send_off = draft.to(sent)
            burn = burnt.from_.any(unless="wet")

        assert tabulate(Letter).sources("burn") == ("draft", "sent")

    def test_one_arrow_may_serve_two_events(self) -> None:
        class Tap(Chart):
            closed = State(initial=True)
            running = State()
            turn = closed.to(running, event="kick", cond="wet") | running.to(closed)

        table = tabulate(Tap)

        assert table.decide("closed", "kick", {"wet": True}) == "running"
        assert table.decide("closed", "turn", {"wet": True}) == "running"

    def test_states_may_come_from_an_enumeration(self) -> None:
        class Phase(enum.StrEnum):
            new = "new"
            old = "old"

        class Moon(Chart):
            phases = States.from_enum(Phase, initial=Phase.new)
            turn = phases.new.to(phases.old) | phases.old.to(phases.new)

        assert tabulate(Moon).states == ("new", "old")
        assert type(tabulate(Moon).decide("new", "turn", {})) is str

    def test_a_chart_is_run_once(self) -> None:
        assert tabulate(Door) is tabulate(Door)

    def test_nobody_can_change_a_table(self) -> None:
        table: Any = tabulate(Door)

        with pytest.raises(AttributeError):
            table.initial = "ajar"
        with pytest.raises(TypeError):
            table.decisions["ajar", "push"] = table.decisions["shut", "push"]
        with pytest.raises(TypeError):
            table.decisions["shut", "push"].outcomes[True, False] = "ajar"

    def test_a_table_can_be_a_key(self) -> None:
        assert {tabulate(Door): 1}[tabulate(Door)] == 1


class TestFingerprint:
    def test_it_is_the_same_on_every_machine(self) -> None:
        assert tabulate(Door).fingerprint == "714e31ab38ec"

    def test_it_does_not_count_in_which_order_or_words_a_chart_is_written(self) -> None:
        class Gate(Chart):
            gone = State(final=True)
            ajar = State()
            shut = State(initial=True)

            take_away = gone.from_(ajar, shut)
            pull = ajar.to(shut)
            knock = ajar.to.itself() | shut.to.itself()
            push = shut.to(gone, cond=["rotten", "locked"]) | shut.to(ajar, cond="not locked")

        assert tabulate(Gate).fingerprint == tabulate(Door).fingerprint

    @pytest.mark.parametrize(
        "change",
        [
            {"first": "b"},
            {"target": "c"},
            {"guard": "tired"},
            {"guard": "awake or late"},
            {"event": "jump"},
            {"last": "d"},
        ],
        ids=str,
    )
    def test_it_changes_with_whatever_is_decided(self, change: dict[str, Any]) -> None:
        def walk(
            *, first: str = "a", target: str = "b", guard: str = "awake", event: str = "go", last: str = "c"
        ) -> str:
            a, b, end = (State(initial=name == first, final=name == last) for name in ("a", "b", last))
            to = {"a": a, "b": b, "c": end}[target]
            return tabulate(
                made_up(
                    "Walk",
                    {
                        "a": a,
                        "b": b,
                        last: end,
                        event: a.to(to, cond=guard),
                        "hop": a.to(b) | b.to(a),
                        "end": a.to(end),
                    },
                )
            ).fingerprint

        assert walk(**change) != walk()


class TestPictures:
    def test_a_picture_has_one_line_from_a_state_to_another(self) -> None:
        assert mermaid(Door) == (
            "stateDiagram-v2\n"
            '    state "shut" as shut\n'
            '    state "ajar" as ajar\n'
            '    state "gone" as gone\n'
            "    [*] --> shut\n"
            "    shut --> ajar: push\n"
            "    shut --> gone: push<br/>take away\n"
            "    ajar --> shut: pull\n"
            "    ajar --> gone: take away\n"
            "    gone --> [*]\n"
        )

    def test_a_picture_leaves_out_what_never_moves_a_row(self) -> None:
        assert "knock" not in mermaid(Door)

    def test_an_event_that_leads_from_everywhere_to_one_state_is_drawn_once(self) -> None:
        class Parcel(Chart):
            packed = State(initial=True)
            sent = State()
            lost = State()
            burnt = State(final=True)
            post = packed.to(sent)
            lose = sent.to(lost)
            burn = packed.to(burnt) | sent.to(burnt) | lost.to(burnt)

        assert mermaid(Parcel).count("burn\n") == 1
        assert "    any_state --> burnt: burn\n" in mermaid(Parcel)

    def test_a_table_has_every_arrow_and_condition(self) -> None:
        assert markdown(Door) == (
            "| state | event     | condition         | target |\n"
            "| ----- | --------- | ----------------- | ------ |\n"
            "| shut  | push      | not locked        | ajar   |\n"
            "| shut  | push      | rotten and locked | gone   |\n"
            "| shut  | knock     |                   | shut   |\n"
            "| shut  | take_away |                   | gone   |\n"
            "| ajar  | knock     |                   | ajar   |\n"
            "| ajar  | pull      |                   | shut   |\n"
            "| ajar  | take_away |                   | gone   |\n"
        )

    def test_several_conditions_are_one_sentence(self) -> None:
        class Review(Chart):
            in_review = State(initial=True)
            default = State(final=True)
            decide = in_review.to(default, cond=["paid", "!late v excused"], unless="blocked or lost")
            give_up = in_review.to(default, unless="late") | in_review.to.itself()

        assert "| decide  | paid and (not late or excused) and not (blocked or lost) | default" in (
            markdown(Review)
        )
        assert "| in_review | give_up | otherwise " in markdown(Review)
        assert "    in_review --> default_: decide<br/>give up\n" in mermaid(Review)
        assert '    state "in review" as in_review\n    state "default" as default_\n' in mermaid(Review)

    def test_a_chart_that_is_refused_has_no_picture(self) -> None:
        class Bell(Chart):
            still = State(initial=True)
            ringing = State(enter="ring", final=True)
            swing = still.to(ringing)

        for draw in (mermaid, markdown):
            with pytest.raises(DefinitionError, match=r"state 'ringing' runs 'ring' on enter"):
                draw(Bell)


NO_CODE = (
    "no code runs inside a transition: declare an assignment or a cascade on the workflow, or subscribe to the log"
)


class TestRefusedStates:
    def test_a_compound_state(self) -> None:
        class Trip(Chart):
            class away(State.Compound):  # noqa: N801
                driving = State(initial=True)
                resting = State()
                stop = driving.to(resting) | resting.to(driving)

            home = State(initial=True)
            leave = home.to(away)
            come_back = away.to(home)

        assert refusal(Trip) == (
            "Trip: state 'away' is compound, and a row is in one state at a time; "
            "write its inner states side by side"
        )

    def test_a_parallel_state(self) -> None:
        class Kitchen(Chart):
            class cooking(State.Parallel):  # noqa: N801
                class oven(State.Compound):  # noqa: N801
                    cold = State(initial=True)
                    hot = State()
                    heat = cold.to(hot) | hot.to(cold)

                class stove(State.Compound):  # noqa: N801
                    off = State(initial=True)
                    on = State()
                    light = off.to(on) | on.to(off)

            clean = State(initial=True)
            begin = clean.to(cooking)
            end = cooking.to(clean)

        assert refusal(Kitchen) == (
            "Kitchen: state 'cooking' is parallel, and a row is in one state at a time; "
            "give each region a workflow of its own and join them by cascades"
        )

    def test_a_history_state(self) -> None:
        class Radio(Chart):
            class playing(State.Compound):  # noqa: N801
                news = State(initial=True)
                music = State()
                last = HistoryState()
                turn = news.to(music) | music.to(news)

            off = State(initial=True)
            on = off.to(playing.last)
            mute = playing.to(off)

        assert refusal(Radio) == (
            "Radio: state 'last' is a history state, and what it remembers is lost with the process; "
            "let a guard on the row choose among ordinary states"
        )

    def test_a_state_with_a_value_of_its_own(self) -> None:
        class Lamp(Chart):
            off = State(initial=True, value=0)
            on = State()
            switch = off.to(on) | on.to(off)

        assert refusal(Lamp) == (
            "Lamp: state 'off' has the value 0, and the database holds the name; leave the value out"
        )

    def test_a_state_that_invokes(self) -> None:
        class Oven(Chart):
            cold = State(initial=True)
            hot = State(invoke="heat")
            turn = cold.to(hot) | hot.to(cold)

        assert refusal(Oven) == (
            "Oven: state 'hot' invokes 'heat', which would be lost with the process; "
            "let a subscriber of the log do the work"
        )

    @pytest.mark.parametrize("kind", ["enter", "exit"])
    def test_an_action_of_a_state(self, kind: str) -> None:
        assert refusal(gate(ajar={kind: "ring"})) == f"Gate: state 'ajar' runs 'ring' on {kind}; {NO_CODE}"

    def test_data_of_a_final_state(self) -> None:
        assert "state 'ajar' runs 'result' on enter" in refusal(gate(ajar={"final": True, "donedata": "result"}))

    @pytest.mark.parametrize(
        "name", ["states", "model", "configuration", "send", "name", "id", "add_state", "history_values"]
    )
    def test_a_name_that_the_library_keeps(self, name: str) -> None:
        with pytest.raises(DefinitionError) as refused:
            made_up("Gate", {name: State(initial=True)})

        assert str(refused.value) == (
            f"Gate: state '{name}' has a name that the library keeps for itself; choose another"
        )

    @pytest.mark.parametrize("name", ["in-review", "in review", "_hidden", "class", "2nd", ""])
    def test_a_name_that_is_not_plain(self, name: str) -> None:
        states = States({name: State(initial=True, final=True)})

        assert refusal(made_up("Gate", {"all_of_them": states})) == (
            f"Gate: state '{name}' is not a plain name, and a dot or a star means several to the library; "
            "use letters, digits and underscores, a letter first"
        )


class TestRefusedEvents:
    @pytest.mark.parametrize(
        "name", ["events", "states", "states_map", "model", "send", "name", "prepare", "configuration", "mro"]
    )
    def test_a_name_that_the_library_keeps(self, name: str) -> None:
        assert refused_event(name) == (
            f"Gate: event '{name}' has a name that the library keeps for itself; choose another"
        )

    @pytest.mark.parametrize("name", ["start", "force"])
    def test_a_name_that_the_engine_keeps(self, name: str) -> None:
        assert refused_event(name) == (
            f"Gate: event '{name}' has a name that the engine keeps for itself; choose another"
        )

    @pytest.mark.parametrize("name", ["error_upload", "done_state_review", "done_invoke_upload"])
    def test_a_beginning_that_means_two_events(self, name: str) -> None:
        assert refused_event(name) == (
            f"Gate: event '{name}' begins with a word for which the library adds a second, dotted event; "
            "choose another beginning"
        )

    @pytest.mark.parametrize("name", ["go.fast", "*", "_hidden", "go-fast"])
    def test_a_name_that_is_not_plain(self, name: str) -> None:
        def named(shut: State, ajar: State) -> dict[str, Any]:
            return {"alias": Event(shut.to(ajar), id=name)}

        assert refusal(gate(named)) == (
            f"Gate: event '{name}' is not a plain name, and a dot or a star means several to the library; "
            "use letters, digits and underscores, a letter first"
        )

    def test_a_name_written_on_the_arrow_alone(self) -> None:
        assert refusal(gate(lambda shut, ajar: {"push": shut.to(ajar, event="send")})) == (
            "Gate: event 'send' has a name that the library keeps for itself; choose another"
        )

    def test_a_delay(self) -> None:
        assert refusal(gate(lambda shut, ajar: {"push": Event(shut.to(ajar), delay=100)})) == (
            "Gate: event 'push' has a delay, which would be lost with the process; "
            "declare a deadline on the workflow"
        )

    def test_no_transition(self) -> None:
        assert refusal(gate(lambda shut, ajar: {"push": Event("push")})) == (
            "Gate: event 'push' has no transition; give it one or remove it"
        )


class TestRefusedTransitions:
    def test_one_without_an_event(self) -> None:
        class Rope(Chart):
            whole = State(initial=True)
            torn = State(final=True)
            whole.to(torn, cond="heavy")

        assert refusal(Rope) == (
            "Rope: a transition from 'whole' has no event, and nothing would ever fire it; "
            "give it one, and a deadline or a cascade that fires it"
        )

    def test_one_without_a_target(self) -> None:
        assert refusal(gate(lambda shut, ajar: {"push": shut.to(None)})) == (
            "Gate: event 'push' from 'shut' does not lead to exactly one state; name the one"
        )

    @pytest.mark.parametrize("kind", ["before", "on", "after"])
    def test_one_with_an_action(self, kind: str) -> None:
        assert refusal(gate(lambda shut, ajar: {"push": shut.to(ajar, **{kind: "ring"})})) == (
            f"Gate: event 'push' from 'shut' runs 'ring' ({kind}); {NO_CODE}"
        )

    def test_one_with_a_function_for_an_action(self) -> None:
        assert refusal(gate(lambda shut, ajar: {"push": shut.to(ajar, on=print)})) == (
            f"Gate: event 'push' from 'shut' runs 'print' (on); {NO_CODE}"
        )

    def test_one_with_a_decorated_action(self) -> None:
        class Bell(Chart):
            still = State(initial=True)
            ringing = State()
            rest = ringing.to(still)

            @still.to(ringing)
            def swing(self) -> None: ...

        assert "event 'swing' from 'still' runs " in refusal(Bell)

    def test_one_with_a_validator(self) -> None:
        assert refusal(gate(lambda shut, ajar: {"push": shut.to(ajar, validators="check")})) == (
            "Gate: event 'push' from 'shut' has the validator 'check'; make it a guard of the workflow"
        )


class TestRefusedGuards:
    @pytest.mark.parametrize("keyword", ["cond", "unless"])
    def test_a_function(self, keyword: str) -> None:
        assert refusal(gate(lambda shut, ajar: {"push": shut.to(ajar, **{keyword: lambda: True})})) == (
            "Gate: event 'push' from 'shut' has code for a guard (<lambda>); name the guard in quotes, "
            "and declare on the workflow what the name means"
        )

    def test_a_method_of_the_chart(self) -> None:
        class Safe(Chart):
            shut = State(initial=True)
            ajar = State()
            turn = shut.to(ajar, cond="unlocked") | ajar.to(shut)

            def unlocked(self) -> bool:
                return True

        assert refusal(Safe) == (
            "Safe: guard 'unlocked' is also an attribute of the chart, and the library would ask both; "
            "keep the guard, and let the workflow say what it means"
        )

    @pytest.mark.parametrize("name", ["push", "ajar"])
    def test_a_name_of_an_event_or_a_state(self, name: str) -> None:
        assert f"guard '{name}' is also an attribute of the chart" in refused_guard(name)

    @pytest.mark.parametrize("name", ["configuration", "is_terminated", "model"])
    def test_a_name_that_the_library_keeps(self, name: str) -> None:
        assert refused_guard(name) == (
            f"Gate: guard '{name}' has a name that the library keeps for itself; choose another"
        )

    @pytest.mark.parametrize(
        "name",
        [
            *("event_data", "machine", "event", "transition", "state", "source", "target"),
            *("on_push", "after_transition", "on_enter_ajar", "prepare_event", "on_invoke_state"),
        ],
    )
    def test_a_name_with_a_meaning_to_the_library(self, name: str) -> None:
        assert refused_guard(f"dry and {name}") == (
            f"Gate: guard '{name}' has a name to which the library gives a meaning; choose another"
        )

    @pytest.mark.parametrize("name", ["_dry", "True"])
    def test_a_name_that_is_not_plain(self, name: str) -> None:
        assert f"guard '{name}' is not a plain name" in refused_guard(name)

    @pytest.mark.parametrize("expression", ["age > 17", "colour == shade", "1 < floor < 9"])
    def test_a_comparison(self, expression: str) -> None:
        assert refused_guard(expression) == (
            f"Gate: event 'push' from 'shut' compares in its guard '{expression}', and a guard is either "
            "true or false; give the comparison a name, and declare it on the workflow"
        )

    @pytest.mark.parametrize("expression", ["", "dry and", "row.dry", "dry()", "dry + warm"])
    def test_an_expression_that_cannot_be_read(self, expression: str) -> None:
        assert refused_guard(expression) == (
            f"Gate: event 'push' from 'shut' has a guard that cannot be read: '{expression}'; "
            "write names joined by 'and', 'or', 'not' and brackets"
        )

    def test_two_that_look_alike_to_the_library(self) -> None:
        alike = {"cond": "a and (b or c)", "unless": "(a and b) or c"}

        assert refusal(gate(lambda shut, ajar: {"push": shut.to(ajar, **alike)})) == (
            "Gate: event 'push' from 'shut' has the guards 'a and (b or c)' and '(a and b) or c', which the "
            "library takes for one because it forgets brackets; join them into one expression"
        )

    def test_too_many_combinations(self) -> None:
        many = [f"g{number}" for number in range(12)]

        with pytest.raises(DefinitionError) as refused:
            tabulate(gate(lambda shut, ajar: {"push": shut.to(ajar, cond=many), "pull": ajar.to(shut, cond="g0")}))

        assert str(refused.value) == (
            "Gate: its guards make 4,100 combinations, and 4,096 is the most; "
            "event 'push' alone makes 4,096: join some of its guards into one"
        )


class TestRefusedCharts:
    @pytest.mark.parametrize(
        ("setting", "value", "ours"),
        [
            ("allow_event_without_transition", True, False),
            ("catch_errors_as_events", True, False),
            ("atomic_configuration_update", False, True),
            ("enable_self_transition_entries", True, False),
            ("start_configuration_values", ["ajar"], []),
        ],
    )
    def test_one_that_changes_a_setting(self, setting: str, value: Any, ours: Any) -> None:
        assert refusal(gate(lambda shut, ajar: {setting: value})) == (
            f"Gate: it sets {setting} to {value!r}, and the engine relies on {ours!r}; remove that line"
        )

    @pytest.mark.parametrize("name", ["on_push", "after_transition", "on_enter_ajar", "lend_a_hand", "__init__"])
    def test_one_that_holds_a_function(self, name: str) -> None:
        def function(self: object) -> None: ...

        assert refusal(gate(lambda shut, ajar: {name: function})) == f"Gate: it defines '{name}'; {NO_CODE}"

    def test_one_that_holds_a_coroutine(self) -> None:
        async def ring(self: object) -> None: ...

        assert refusal(gate(lambda shut, ajar: {"on_push": ring})) == f"Gate: it defines 'on_push'; {NO_CODE}"

    @pytest.mark.parametrize("kind", [property, staticmethod, classmethod])
    def test_one_that_holds_a_function_in_disguise(self, kind: Callable[[Any], object]) -> None:
        assert "it defines 'on_push'" in refusal(gate(lambda shut, ajar: {"on_push": kind(lambda self: None)}))

    def test_one_that_inherits_a_function(self) -> None:
        class Loud:
            def on_push(self) -> None: ...

        class Gate(Loud, Chart):
            shut = State(initial=True)
            ajar = State(final=True)
            push = shut.to(ajar)

        assert refusal(Gate) == f"Gate: it defines 'on_push'; {NO_CODE}"

    def test_one_with_listeners(self) -> None:
        assert refusal(gate(lambda shut, ajar: {"listeners": [object]})) == (
            "Gate: it has listeners, and no code runs inside a transition; subscribe to the log instead"
        )

    def test_one_that_inherits_the_states_of_another(self) -> None:
        class BackDoor(Door):
            pass

        assert refusal(BackDoor) == (
            "BackDoor: it inherits the states of Door, and a change to one would change the other; "
            "write the states out in each chart"
        )

    def test_one_without_states(self) -> None:
        assert refusal(Chart) == "Chart: it has no states; declare at least an initial one"

    def test_one_that_is_not_ours(self) -> None:
        class Foreign(StateChart[Any]):
            here = State(initial=True, final=True)

        assert refusal(Foreign) == "Foreign: it is not a statewright chart; derive it from Chart"

    def test_what_the_library_refuses_itself_is_left_to_it(self) -> None:
        with pytest.raises(InvalidDefinition, match="There are unreachable states"):

            class Island(Chart):
                here = State(initial=True, final=True)
                there = State(final=True)

    def test_plain_data_and_a_common_base_are_welcome(self) -> None:
        class House(Chart):
            """What charts of one house have in common."""

        class Gate(House):
            """A gate."""

            colour: str = "green"
            shut = State(initial=True)
            ajar = State(final=True)
            push = shut.to(ajar)

        assert tabulate(Gate).events == ("push",)


def made_up(name: str, body: dict[str, Any]) -> type[Chart]:
    """A chart as a class statement makes it, for names that no class statement could spell."""
    made: type[Chart] = types.new_class(name, (Chart,), exec_body=lambda namespace: namespace.update(body))
    return made


def gate(
    more: Callable[[State, State], dict[str, Any]] = lambda shut, ajar: {},
    *,
    ajar: dict[str, Any] | None = None,
) -> type[Chart]:
    """A sound little chart, and what a test adds to it."""
    shut, opened = State(initial=True), State(**(ajar or {}))
    swing = shut.to(opened) if opened.final else shut.to(opened) | opened.to(shut)
    return made_up("Gate", {"shut": shut, "ajar": opened, "swing": swing, **more(shut, opened)})


def refusal(chart: Any) -> str:
    with pytest.raises(DefinitionError) as refused:
        tabulate(chart)
    return str(refused.value)


def refused_guard(expression: str) -> str:
    return refusal(gate(lambda shut, ajar: {"push": shut.to(ajar, cond=expression)}))


def refused_event(name: str) -> str:
    """The library itself would stumble over some of these, so they are refused as the class is read."""
    with pytest.raises(DefinitionError) as refused:
        gate(lambda shut, ajar: {name: shut.to(ajar)})
    return str(refused.value)
