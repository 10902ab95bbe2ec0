"""How a run ends, from what its phases came to: also for the worker that finds it decided already."""

from __future__ import annotations

from typing import Any

import pytest

from db.vocabulary import AGENT_PHASES_OF, TAKEN_OVER, ErrorCode, Phase, RunStatus, TaskStatus, Verb
from jobs.run_context import (
    DRY_RUN,
    NO_CHANGES,
    Outcome,
    PhaseState,
    RunRequest,
    decided,
    outcome_without_publishing,
)
from tests.jobs.test_assignment import request_for

DONE, OPEN, LEFT_OUT, BAD = TaskStatus.SUCCEEDED, TaskStatus.PENDING, TaskStatus.SKIPPED, TaskStatus.FAILED
URL = "http://127.0.0.1/acme/shop/pull/1"
ORIGIN = {TAKEN_OVER: {"run_id": "0" * 32, "attempt": 1}}
QUESTIONS = {"questions": [{"number": 1}, {"number": 2}]}


def standing(verb: Verb, states: dict[Phase, tuple[TaskStatus, dict[str, Any]]], **changes: Any) -> RunRequest:
    """A run of which some phases are as given and the others did not begin."""
    request = request_for(verb, **changes)
    given = {phase: PhaseState(status, 0 if status is OPEN else 1, kept) for phase, (status, kept) in states.items()}
    return request_for(verb, phases={**request.phases, **given}, **changes)


def worked(verb: Verb, **kept: Any) -> dict[Phase, tuple[TaskStatus, dict[str, Any]]]:
    return dict.fromkeys(AGENT_PHASES_OF[verb], (DONE, kept))


UNPUBLISHED: dict[Phase, tuple[TaskStatus, dict[str, Any]]] = {
    Phase.COMMIT_PUSH: (LEFT_OUT, {}),
    Phase.OPEN_PR: (LEFT_OUT, {}),
}


@pytest.mark.parametrize("verb", Verb)
def test_nothing_is_decided_while_work_is_left(verb: Verb) -> None:
    assert decided(standing(verb, {})) is None
    assert decided(standing(verb, worked(verb))) is None
    assert decided(standing(verb, {**worked(verb), Phase.COMMIT_PUSH: (DONE, {"head_sha": "a" * 40})})) is None
    assert decided(standing(verb, UNPUBLISHED)) is None
    assert decided(standing(verb, {**worked(verb), Phase.COMMIT_PUSH: (TaskStatus.RETRYING, {})})) is None


@pytest.mark.parametrize("verb", Verb)
def test_an_open_pull_request_is_an_end(verb: Verb) -> None:
    request = standing(verb, {**worked(verb), Phase.COMMIT_PUSH: (DONE, {}), Phase.OPEN_PR: (DONE, {"url": URL})})
    assert decided(request) == Outcome(RunStatus.SUCCEEDED, URL)


@pytest.mark.parametrize("verb", Verb)
def test_nothing_to_change_is_an_end(verb: Verb) -> None:
    request = standing(verb, {**worked(verb), Phase.COMMIT_PUSH: (DONE, {"no_changes": True})})
    assert decided(request) == Outcome(RunStatus.NO_CHANGES, NO_CHANGES)


@pytest.mark.parametrize("phase", [phase for phase in request_for(Verb.SPECIFY).phases if phase is not Phase.CLEANUP])
def test_a_failed_phase_is_an_end(phase: Phase) -> None:
    kept = {"error_code": "clone.refused", "message": "for the log", "summary": "Refused."}
    request = standing(Verb.SPECIFY, {phase: (BAD, kept)})
    assert decided(request) == Outcome(RunStatus.FAILED, "Refused.", ErrorCode.CLONE_REFUSED, "for the log")
    assert decided(standing(Verb.SPECIFY, {phase: (BAD, {})})) == Outcome(RunStatus.FAILED, "", ErrorCode.RUN_INTERNAL)


def test_a_cleanup_that_failed_decides_nothing() -> None:
    assert decided(standing(Verb.SPECIFY, {Phase.CLEANUP: (BAD, {"error_code": "engine.unreachable"})})) is None


@pytest.mark.parametrize("verb", Verb)
def test_a_dry_run_ends_with_its_last_agent_phase(verb: Verb) -> None:
    request = standing(verb, {**worked(verb), **UNPUBLISHED}, dry_run=True)
    assert decided(request) == Outcome(RunStatus.SUCCEEDED, DRY_RUN)
    last = AGENT_PHASES_OF[verb][-1]
    assert decided(standing(verb, {**worked(verb), **UNPUBLISHED, last: (OPEN, {})}, dry_run=True)) is None


def test_phases_that_were_left_out_do_not_count() -> None:
    phases = {Phase.SPECKIT_SPECIFY: (DONE, {}), **UNPUBLISHED}
    request = standing(Verb.SPECIFY, phases, dry_run=True, until=Phase.SPECKIT_SPECIFY)
    assert decided(request) == Outcome(RunStatus.SUCCEEDED, DRY_RUN)


def test_what_was_taken_over_counts_as_done() -> None:
    taken = dict.fromkeys(AGENT_PHASES_OF[Verb.SPECIFY], (LEFT_OUT, ORIGIN))
    assert decided(standing(Verb.SPECIFY, taken)) is None
    assert decided(standing(Verb.SPECIFY, {**taken, Phase.COMMIT_PUSH: (LEFT_OUT, ORIGIN)})) is None
    assert decided(standing(Verb.SPECIFY, {**taken, **UNPUBLISHED}, dry_run=True)) == Outcome(
        RunStatus.SUCCEEDED, DRY_RUN
    )


@pytest.mark.parametrize(
    ("verb", "kept", "outcome"),
    [
        (Verb.CLARIFY, QUESTIONS, Outcome(RunStatus.SUCCEEDED, "2 questions asked.")),
        (Verb.CLARIFY, {"questions": [{"number": 1}]}, Outcome(RunStatus.SUCCEEDED, "1 question asked.")),
        (
            Verb.CLARIFY,
            {"questions": []},
            Outcome(RunStatus.NO_CHANGES, "Nothing is unclear: there is no question to ask."),
        ),
        (Verb.CLARIFY, {}, Outcome(RunStatus.NO_CHANGES, "Nothing is unclear: there is no question to ask.")),
        (Verb.ANALYZE, {"findings": [{}, {}, {}]}, Outcome(RunStatus.SUCCEEDED, "3 findings.")),
        (Verb.ANALYZE, {"findings": [{}]}, Outcome(RunStatus.SUCCEEDED, "1 finding.")),
        (Verb.ANALYZE, {"findings": []}, Outcome(RunStatus.SUCCEEDED, "No findings.")),
        (Verb.ANALYZE, {"findings": "many"}, Outcome(RunStatus.SUCCEEDED, "No findings.")),
    ],
)
def test_what_pushes_nothing_ends_with_what_it_found(verb: Verb, kept: dict[str, Any], outcome: Outcome) -> None:
    request = standing(verb, {**worked(verb, **kept), **UNPUBLISHED})
    assert decided(request) == outcome
    assert outcome_without_publishing(request, {AGENT_PHASES_OF[verb][0]: kept}) == outcome


def test_what_is_wanted_and_done() -> None:
    request = standing(
        Verb.SPECIFY,
        {
            Phase.SPECKIT_SPECIFY: (LEFT_OUT, ORIGIN),
            Phase.SPECKIT_PLAN: (DONE, {}),
            Phase.SPECKIT_TASKS: (LEFT_OUT, {}),
        },
    )
    assert request.agent_phases == (Phase.SPECKIT_SPECIFY, Phase.SPECKIT_PLAN)
    assert [request.succeeded(phase) for phase in AGENT_PHASES_OF[Verb.SPECIFY]] == [True, True, False]
    assert not request.wanted(Phase.SPECKIT_ANALYZE), "no phase of this verb"


def test_paths_of_a_project_and_back() -> None:
    request = request_for(Verb.PLAN, project="packages/api")
    assert request.in_project("specs/x") == "packages/api/specs/x"
    assert request.from_project("packages/api/specs/x") == "specs/x"
    assert request.from_project("packages/api2/specs") == "packages/api2/specs"
    assert request_for(Verb.PLAN).in_project("specs/x") == request_for(Verb.PLAN).from_project("specs/x") == "specs/x"
