"""Which run ``retry`` means, where the new one begins, and what it takes over."""

from __future__ import annotations

from dataclasses import fields
from typing import Any
from uuid import UUID

import pytest

from bot.commands.model import RunCommand
from bot.conversation import Conversation
from bot.retrying import again, retry, run_to_retry
from bot.starting import Refusal
from db.models import SpecAutomationRun, SpecAutomationTaskState
from db.opening import NewRun
from db.vocabulary import (
    AGENT_PHASES_OF,
    MAIN_PHASES,
    TAKEN_OVER,
    ErrorCode,
    Phase,
    RunStatus,
    TaskStatus,
    Trigger,
    Verb,
    phases_of,
)
from tests.bot.example_runs import HEAD, RUN_ID, continuing_run, example_run, failed_run, state_of, succeeded_run
from tests.bot.situations import config_of, on_issue, on_pull_request

S, F, K = TaskStatus.SUCCEEDED, TaskStatus.FAILED, TaskStatus.SKIPPED
BASE = "b" * 40


def state_in(status: TaskStatus, phase: Phase, attempt: int = 0) -> SpecAutomationTaskState:
    details = {"x": phase.value} if status is S else {}
    return SpecAutomationTaskState(run_id=RUN_ID, phase=phase, status=status, attempt=attempt, details=details)


def ended_at(at: Phase, verb: Verb = Verb.SPECIFY, **changes: Any) -> SpecAutomationRun:
    """A run that failed in a phase, as the database closes it: what was to come is skipped."""
    run = failed_run(ErrorCode.AGENT_FAILED, "no", Phase.PREPARE_JOB)
    order = list(phases_of(verb))
    reached = order.index(at)
    run.task_states = [
        state_in(S, phase, 1) if place < reached else state_in(F, phase, 1) if place == reached else state_in(K, phase)
        for place, phase in enumerate(order)
    ]
    left_out = [phase for phase in MAIN_PHASES if phase not in AGENT_PHASES_OF[verb]]
    run.task_states = [state_in(K, state.phase) if state.phase in left_out else state for state in run.task_states]
    given: dict[str, Any] = {
        "verb": verb,
        "base_sha": BASE,
        "branch_name": "speckit/20261122/7f3a9c",
        "feature_directory": "specs/001-pay-by-invoice",
        "writer_key": "issue:7",
        "most_in_repository": 4,
        "most_of_person": 2,
        **changes,
    }
    for name, value in given.items():
        setattr(run, name, value)
    return run


def again_of(
    run: SpecAutomationRun, phase: Phase | None = None, talk: Conversation | None = None, config: str = ""
) -> NewRun:
    found = retry(run, phase, talk or on_issue(), config_of(config), 2, "/speckit")
    assert isinstance(found, NewRun), found
    return found


def refused(
    run: SpecAutomationRun, phase: Phase | None = None, talk: Conversation | None = None, config: str = ""
) -> str:
    found = retry(run, phase, talk or on_issue(), config_of(config), 0, "/speckit")
    assert isinstance(found, Refusal), found
    return found.sentence


# Where it goes on


@pytest.mark.parametrize(
    ("at", "named", "taken"),
    [
        (Phase.GIT_CLONE, None, []),
        (Phase.SPECKIT_SPECIFY, None, []),
        (Phase.SPECKIT_PLAN, None, [Phase.SPECKIT_SPECIFY]),
        (Phase.SPECKIT_TASKS, None, [Phase.SPECKIT_SPECIFY, Phase.SPECKIT_PLAN]),
        (Phase.SPECKIT_TASKS, Phase.SPECKIT_PLAN, [Phase.SPECKIT_SPECIFY]),
        (Phase.SPECKIT_TASKS, Phase.SPECKIT_SPECIFY, []),
        (Phase.SPECKIT_PLAN, Phase.SPECKIT_TASKS, [Phase.SPECKIT_SPECIFY]),
        (Phase.COMMIT_PUSH, None, [Phase.SPECKIT_SPECIFY, Phase.SPECKIT_PLAN, Phase.SPECKIT_TASKS]),
        (
            Phase.OPEN_PR,
            None,
            [Phase.SPECKIT_SPECIFY, Phase.SPECKIT_PLAN, Phase.SPECKIT_TASKS, Phase.COMMIT_PUSH],
        ),
        (Phase.OPEN_PR, Phase.COMMIT_PUSH, [Phase.SPECKIT_SPECIFY, Phase.SPECKIT_PLAN, Phase.SPECKIT_TASKS]),
    ],
)
def test_what_was_finished_before_is_taken_over(at: Phase, named: Phase | None, taken: list[Phase]) -> None:
    new = again_of(ended_at(at), named)
    assert list(new.taken_over) == taken
    for phase, details in new.taken_over.items():
        assert details == {"x": phase.value, TAKEN_OVER: {"run_id": str(RUN_ID), "attempt": 1}}


def test_a_retry_of_a_retry_names_the_run_that_did_the_work() -> None:
    first = {"x": 1, TAKEN_OVER: {"run_id": "another", "attempt": 3}}
    run = ended_at(Phase.SPECKIT_TASKS)
    run.task_states = [state for state in run.task_states if state.phase is not Phase.SPECKIT_SPECIFY]
    run.task_states.append(state_in(K, Phase.SPECKIT_SPECIFY))
    state_of(run, Phase.SPECKIT_SPECIFY).details = first
    taken = again_of(run).taken_over
    assert taken[Phase.SPECKIT_SPECIFY] == first
    assert taken[Phase.SPECKIT_PLAN][TAKEN_OVER]["run_id"] == str(RUN_ID)


@pytest.mark.parametrize("at", [Phase.GIT_CLONE, Phase.SPECKIT_PLAN, Phase.COMMIT_PUSH, Phase.OPEN_PR])
def test_what_a_failed_run_never_came_to_is_done_by_its_retry(at: Phase) -> None:
    assert again_of(ended_at(at)).publishes


@pytest.mark.parametrize(
    ("verb", "arguments", "publishes"),
    [
        (Verb.ANALYZE, {}, False),
        (Verb.CLARIFY, {}, False),
        (Verb.CLARIFY, {"answers": [{"number": 1}]}, True),
        (Verb.CHECKLIST, {}, True),
    ],
)
def test_what_only_looked_only_looks_again(verb: Verb, arguments: dict[str, Any], publishes: bool) -> None:
    run = ended_at(Phase.GIT_CLONE, verb, arguments=arguments)
    assert again_of(run).publishes is publishes


@pytest.mark.parametrize(
    ("at", "number", "branch", "base", "head", "directory"),
    [
        (Phase.GIT_CLONE, None, False, False, False, False),
        (Phase.SPECKIT_PLAN, None, False, True, False, True),
        (Phase.COMMIT_PUSH, None, False, True, False, True),
        (Phase.OPEN_PR, None, True, True, True, True),
        (Phase.GIT_CLONE, 12, True, False, False, True),
    ],
)
def test_the_tree_is_kept_as_far_as_work_on_it_counts(
    at: Phase, number: int | None, branch: bool, base: bool, head: bool, directory: bool
) -> None:
    run = ended_at(at, pull_request_number=number, head_sha=HEAD)
    new = again_of(run)
    assert (new.branch_name is not None, new.base_sha is not None, new.head_sha is not None) == (branch, base, head)
    assert (new.feature_directory is not None, new.pull_request_number) == (directory, number)


def test_it_is_the_same_request_by_whoever_asked_again() -> None:
    run = ended_at(
        Phase.SPECKIT_PLAN,
        until_phase=Phase.SPECKIT_PLAN,
        requested_agent="template",
        requested_model="vendor/one",
        project="lib",
        arguments={"run_timeout": 600},
    )
    talk = on_issue(actor="bob", actor_id=9, trigger=Trigger.CHECK_RUN, comment_id=None, key="k", private=True)
    new = again_of(run, talk=talk)
    told_anew = {"command_key", "requested_by", "requested_by_id", "trigger", "comment_id", "retry_of", "private"}
    told_anew |= {"installation_id", "branch_name", "publishes", "taken_over", "head_sha"}
    for each in fields(NewRun):
        if each.name not in told_anew:
            assert getattr(new, each.name) == getattr(run, each.name), each.name
    assert (new.command_key, new.retry_of, new.requested_by, new.requested_by_id) == ("k:2", RUN_ID, "bob", 9)
    assert (new.trigger, new.comment_id, new.private, new.installation_id) == (Trigger.CHECK_RUN, None, True, 4711)


# What cannot be retried


@pytest.mark.parametrize("status", [RunStatus.QUEUED, RunStatus.IN_PROGRESS])
def test_what_is_not_over_is_cancelled_first(status: RunStatus) -> None:
    assert "/speckit cancel 7f3a9c21" in refused(example_run(status))


def test_a_phase_the_run_does_not_have_is_told_with_those_it_has() -> None:
    told = refused(ended_at(Phase.GIT_CLONE, Verb.CHECKLIST), Phase.SPECKIT_PLAN)
    assert "has no phase `speckit_plan`" in told
    assert "`speckit_checklist`" in told


@pytest.mark.parametrize("status", [RunStatus.SUCCEEDED, RunStatus.NO_CHANGES])
@pytest.mark.parametrize("phase", [None, Phase.COMMIT_PUSH, Phase.OPEN_PR])
def test_what_went_well_has_nothing_to_retry(status: RunStatus, phase: Phase | None) -> None:
    assert "nothing to retry" in refused(example_run(status), phase)


@pytest.mark.parametrize(
    ("talk", "config", "words"),
    [
        (on_pull_request(), "commands: {plan: {off: true}}", "turned off"),
        (on_pull_request(archived=True), "", "archived"),
        (on_pull_request(is_open=False), "", "is closed"),
    ],
)
def test_what_may_not_begin_now_may_not_begin_again(talk: Conversation, config: str, words: str) -> None:
    run = ended_at(Phase.SPECKIT_PLAN, Verb.PLAN, pull_request_number=12, on_pull_request=True, issue_number=12)
    assert words in refused(run, None, talk, config)


def test_a_closed_issue_keeps_nobody_from_retrying() -> None:
    assert again_of(ended_at(Phase.SPECKIT_PLAN), talk=on_issue(is_open=False))


# A phase of a run that went well


@pytest.mark.parametrize(
    ("phase", "command"),
    [
        (Phase.SPECKIT_SPECIFY, RunCommand(Verb.SPECIFY, "Net 30", base="main", until=Phase.SPECKIT_TASKS)),
        (Phase.SPECKIT_PLAN, RunCommand(Verb.PLAN, until=Phase.SPECKIT_TASKS)),
        (Phase.SPECKIT_TASKS, RunCommand(Verb.TASKS, until=Phase.SPECKIT_TASKS)),
    ],
)
def test_a_phase_of_a_run_that_went_well_is_a_command(phase: Phase, command: RunCommand) -> None:
    run = succeeded_run(requested_spec_input="Net 30", until_phase=Phase.SPECKIT_TASKS)
    assert retry(run, phase, on_issue(), config_of(), 0, "/speckit") == command == again(run, phase)


def test_a_phase_of_another_verb_is_that_verbs_also_when_the_run_failed() -> None:
    run = ended_at(
        Phase.SPECKIT_PLAN, Verb.PLAN, requested_agent="template", requested_model="vendor/one", dry_run=True
    )
    assert retry(run, Phase.SPECKIT_SPECIFY, on_pull_request(), config_of(), 0, "/speckit") == RunCommand(
        Verb.SPECIFY, agent="template", model="vendor/one", dry_run=True
    )


@pytest.mark.parametrize("arguments", [{"answers": []}, {"section": {"path": "specs/x/spec.md", "line": 1}}])
def test_what_was_said_once_is_not_said_again_in_other_words(arguments: dict[str, Any]) -> None:
    verb = Verb.CLARIFY if "answers" in arguments else Verb.REFINE
    run = continuing_run(verb, arguments=arguments)
    phase = Phase.SPECKIT_CLARIFY if verb is Verb.CLARIFY else Phase.SPECKIT_REFINE
    assert "nothing to retry" in refused(run, phase)


# Which run


def named(number: int, status: RunStatus, **changes: Any) -> SpecAutomationRun:
    return example_run(status, run_id=UUID(int=number), **changes)


FAILED, WELL, QUEUED, SAME = RunStatus.FAILED, RunStatus.SUCCEEDED, RunStatus.QUEUED, RunStatus.NO_CHANGES


@pytest.mark.parametrize(
    ("runs", "meant"),
    [
        ([], None),
        ([named(1, WELL)], None),
        ([named(2, FAILED), named(1, FAILED)], 2),
        ([named(2, WELL), named(1, FAILED)], 1),
        ([named(2, SAME), named(1, FAILED)], 2),
        ([named(2, QUEUED), named(1, FAILED)], 2),
        ([named(2, WELL, retry_of=UUID(int=1)), named(1, FAILED)], None),
        ([named(2, FAILED, retry_of=UUID(int=1)), named(1, FAILED)], 2),
        ([named(3, WELL, retry_of=UUID(int=2)), named(2, FAILED), named(1, FAILED)], 1),
    ],
    ids=[
        "there is none",
        "all is well",
        "the newest",
        "what went well is passed over",
        "what changed nothing is not",
        "what is under way is not",
        "what was retried well is done",
        "what was retried and failed goes on from there",
        "each failure once",
    ],
)
def test_retry_means_the_newest_that_did_not_go_well(runs: list[SpecAutomationRun], meant: int | None) -> None:
    found = run_to_retry(runs, None)
    assert (found.run_id if found else None) == (UUID(int=meant) if meant else None)


def test_with_a_phase_it_is_the_newest_that_has_it() -> None:
    checklist, specify = named(2, WELL, verb=Verb.CHECKLIST), named(1, WELL)
    checklist.task_states = [state for state in checklist.task_states if state.phase is not Phase.SPECKIT_PLAN]
    assert run_to_retry([checklist, specify], Phase.SPECKIT_PLAN) is specify
    assert run_to_retry([checklist], Phase.SPECKIT_PLAN) is checklist, "and it is told what it has"
    assert run_to_retry([], Phase.SPECKIT_PLAN) is None


def test_a_button_means_its_own_run_or_what_its_retries_came_to() -> None:
    first, second = named(1, FAILED), named(2, FAILED, retry_of=UUID(int=1))
    third, other = named(3, QUEUED, retry_of=UUID(int=2)), named(4, FAILED)
    assert run_to_retry([other, first], None, first) is first
    assert run_to_retry([other, second, first], None, first) is second
    assert run_to_retry([other, third, second, first], None, first) is second, (
        "it waits for the third, which is the same"
    )
