"""Which commands make sense next."""

from __future__ import annotations

from typing import Any

import pytest
from inline_snapshot import snapshot

from bot.commands.answers import parse_answers
from bot.reporting.agent_facts import read_questions
from bot.reporting.next_commands import answer_example, next_commands, next_verb
from db.models import SpecAutomationRun
from db.vocabulary import MAIN_PHASES, ErrorCode, Phase, RunStatus, Verb
from tests.bot.example_runs import (
    FINDINGS,
    PLAN,
    QUESTIONS,
    SPEC,
    TASKS,
    VIEW,
    cancelled_run,
    continuing_run,
    example_run,
    example_view,
    failed_run,
    state_of,
    succeeded_run,
)

NOTHING_OFF = example_view(commands_off=frozenset())


def words(run: SpecAutomationRun) -> list[str]:
    return [command.words for command in next_commands(run, NOTHING_OFF)]


def stopped_after(last: Phase) -> SpecAutomationRun:
    """A run that was asked to stop after this phase, with no question open."""
    run = succeeded_run(until_phase=last)
    state_of(run, Phase.SPECKIT_SPECIFY).details = {"open_questions": []}
    later = MAIN_PHASES[MAIN_PHASES.index(last) + 1 :]
    run.task_states = [state for state in run.task_states if state.phase not in later]
    return run


def test_while_it_is_alive() -> None:
    assert words(example_run(at=Phase.SPECKIT_PLAN)) == ["cancel 7f3a9c21", "status"]


def test_after_each_step_the_next_comes_first() -> None:
    assert words(stopped_after(Phase.SPECKIT_SPECIFY)) == snapshot(["plan", "clarify", "checklist", "refine TEXT"])
    assert words(stopped_after(Phase.SPECKIT_PLAN)) == snapshot(["tasks", "clarify", "checklist", "refine TEXT"])
    assert words(stopped_after(Phase.SPECKIT_TASKS)) == snapshot(["analyze", "checklist", "refine TEXT", "implement"])


def test_questions_come_before_everything() -> None:
    assert words(succeeded_run())[0] == "clarify 1: YOUR ANSWER"
    asked = continuing_run(
        Verb.CLARIFY, RunStatus.NO_CHANGES, details={Phase.SPECKIT_CLARIFY: {"questions": QUESTIONS}}
    )
    assert words(asked) == ["clarify 1A 2A 3: YOUR ANSWER", "clarify --accept-recommended"]
    later = continuing_run(
        Verb.PLAN, details={Phase.SPECKIT_PLAN: {"open_questions": [{"path": SPEC, "line": 1, "text": "?"}]}}
    )
    assert words(later)[0] == "clarify", "the numbers are those of the run that raised the questions"


def test_what_no_longer_fits_is_made_anew() -> None:
    for stale, expected in (([PLAN, TASKS], Verb.PLAN), ([TASKS], Verb.TASKS)):
        run = continuing_run(Verb.REFINE, details={Phase.SPECKIT_REFINE: {"stale": stale}})
        assert next_verb(run, frozenset()) is expected
        assert words(run)[0] == expected.value
    checklists = ["specs/001/checklists/ux.md"]
    run = continuing_run(Verb.REFINE, details={Phase.SPECKIT_REFINE: {"stale": checklists}})
    assert next_verb(run, frozenset()) is Verb.CHECKLIST


@pytest.mark.parametrize(
    ("verb", "details", "expected"),
    [
        (Verb.CLARIFY, {}, Verb.PLAN),
        (Verb.REFINE, {"section": {"path": SPEC, "heading": "x", "line": 1}}, Verb.PLAN),
        (Verb.REFINE, {"section": {"path": PLAN, "heading": "x", "line": 1}}, Verb.TASKS),
        (Verb.REFINE, {"section": {"path": TASKS, "heading": "x", "line": 1}}, Verb.ANALYZE),
        (Verb.REFINE, {}, None),
        (Verb.ANALYZE, {"findings": FINDINGS}, None),
        (Verb.ANALYZE, {"findings": []}, Verb.IMPLEMENT),
        (Verb.CHECKLIST, {}, None),
        (Verb.IMPLEMENT, {}, None),
        (Verb.CONSTITUTION, {}, None),
        (Verb.CLARIFY, {"questions": QUESTIONS}, None),
    ],
)
def test_the_next_step(verb: Verb, details: dict[str, Any], expected: Verb | None) -> None:
    run = continuing_run(verb, details={Phase(f"speckit_{verb.value}"): details})
    assert next_verb(run, frozenset()) is expected
    run = continuing_run(verb, RunStatus.NO_CHANGES, details={Phase(f"speckit_{verb.value}"): details})
    needs_no_change = verb in {Verb.CLARIFY, Verb.ANALYZE}
    assert next_verb(run, frozenset()) is (expected if needs_no_change else None)


def test_a_dry_run_leads_nowhere_but_to_the_real_one() -> None:
    run = example_run(RunStatus.SUCCEEDED, dry_run=True)
    assert words(run) == ["specify TEXT"]
    assert next_verb(run, frozenset()) is None


def test_after_a_failure() -> None:
    assert words(failed_run(ErrorCode.AGENT_FAILED, "It ended.")) == ["retry", "specify TEXT"]
    assert words(failed_run(ErrorCode.CLONE_BASE_NOT_FOUND, "No.")) == ["specify TEXT"]
    assert words(cancelled_run()) == ["retry", "specify TEXT"]
    plan = continuing_run(Verb.PLAN, RunStatus.FAILED, error_code=ErrorCode.AGENT_FAILED.value)
    assert words(plan) == ["retry", "plan"]


def test_what_is_switched_off_is_not_proposed() -> None:
    run = stopped_after(Phase.SPECKIT_TASKS)
    assert "implement" in words(run)
    assert "implement" not in [command.words for command in next_commands(run, VIEW)]
    off = example_view(commands_off=frozenset({"analyze", "implement", "refine"}))
    assert [command.words for command in next_commands(run, off)] == ["checklist"]
    assert next_verb(run, frozenset({"analyze"})) is None
    without_retry = example_view(commands_off=frozenset({"retry"}))
    assert [command.words for command in next_commands(cancelled_run(), without_retry)] == ["specify TEXT"]


def test_the_example_is_an_answer() -> None:
    questions = read_questions(QUESTIONS)
    for some in (questions, questions[:1], questions[2:], questions[1:]):
        answers = parse_answers(answer_example(some))
        assert answers is not None
        assert [answer.question for answer in answers] == [question.number for question in some]


def test_one_answer_in_words_shows_them_all() -> None:
    in_words = [{"number": number, "text": "?"} for number in (1, 2, 3)]
    assert answer_example(read_questions(in_words)) == "1: YOUR ANSWER"
