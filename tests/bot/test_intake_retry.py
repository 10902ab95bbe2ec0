"""Retry: from where the newest run ended, or from a phase, here or on the pull request."""

from __future__ import annotations

import pytest

from db.vocabulary import TAKEN_OVER, DeliveryOutcome, Phase, RunStatus, TaskStatus, Trigger, Verb
from tests.bot.intake_door import BRANCH, PULL, Door

WRITTEN = (Phase.PREPARE_JOB, Phase.START_JOB_CONTAINER, Phase.GIT_CLONE, Phase.SPECKIT_SPECIFY)


async def test_retry_goes_on_where_it_ended_and_pushes(door: Door) -> None:
    first = await door.run_of(RunStatus.FAILED, phases=WRITTEN, failed=Phase.SPECKIT_PLAN)
    assert await door.say("/speckit retry", "boss", comment__id=77) is DeliveryOutcome.ACCEPTED
    run = await door.newest()
    assert (run.retry_of, run.requested_by, run.requested_spec_input) == (first, "boss", "Pay by invoice")
    states = {state.phase: state for state in run.task_states}
    assert states[Phase.SPECKIT_SPECIFY].status is TaskStatus.SKIPPED
    assert states[Phase.SPECKIT_SPECIFY].details == {
        "x": "speckit_specify",
        TAKEN_OVER: {"run_id": str(first), "attempt": 1},
    }
    ahead = [Phase.SPECKIT_PLAN, Phase.SPECKIT_TASKS, Phase.COMMIT_PUSH, Phase.OPEN_PR]
    assert [states[phase].status for phase in ahead] == [TaskStatus.PENDING] * 4
    assert await door.jobs() == [f"run:{run.run_id}:1"]
    assert door.github.reactions == [(77, "eyes")]


async def test_retry_from_a_phase(door: Door) -> None:
    first = await door.run_of(RunStatus.FAILED, phases=(*WRITTEN, Phase.SPECKIT_PLAN), failed=Phase.SPECKIT_TASKS)
    await door.say("/speckit retry plan")
    run = await door.newest()
    pending = [state.phase for state in run.task_states if state.status is TaskStatus.PENDING]
    assert run.retry_of == first
    assert Phase.SPECKIT_PLAN in pending
    assert Phase.SPECKIT_SPECIFY not in pending


async def test_retry_of_a_cancelled_run_begins_it(door: Door) -> None:
    await door.say("/speckit specify One", comment__id=1)
    await door.say("/speckit cancel", comment__id=2)
    assert await door.say("/speckit retry", comment__id=3) is DeliveryOutcome.ACCEPTED
    first, second = await door.runs()
    assert (second.retry_of, second.requested_spec_input, second.status) == (first.run_id, "One", RunStatus.QUEUED)


async def test_a_retry_that_is_handled_again_is_the_same_retry(door: Door) -> None:
    await door.run_of(RunStatus.FAILED, failed=Phase.GIT_CLONE)
    delivery = await door.record("/speckit retry", comment__id=77)
    assert await door.intake.handle(delivery) is DeliveryOutcome.ACCEPTED
    assert await door.again(delivery) is DeliveryOutcome.ACCEPTED
    assert len(await door.runs()) == 2
    assert door.replies == []


async def test_retry_of_what_is_under_way_is_refused(door: Door) -> None:
    await door.say("/speckit specify One", comment__id=1)
    assert await door.say("/speckit retry", comment__id=2) is DeliveryOutcome.REFUSED
    assert "is not over yet" in door.replies[0]


async def test_what_was_retried_and_went_well_is_not_done_a_third_time(door: Door) -> None:
    await door.run_of(RunStatus.FAILED, failed=Phase.GIT_CLONE)
    await door.say("/speckit retry", comment__id=77)
    await door.end((await door.newest()).run_id)
    assert await door.say("/speckit retry", comment__id=78) is DeliveryOutcome.REFUSED
    assert len(await door.runs()) == 2


@pytest.mark.parametrize("on_pull", [True, False])
async def test_a_phase_of_a_run_that_went_well_is_done_anew_on_its_pull_request(door: Door, on_pull: bool) -> None:
    await door.our_pull_request()
    assert await door.say("/speckit retry plan", on_pull=on_pull, comment__id=77) is DeliveryOutcome.ACCEPTED
    run = await door.newest()
    assert (run.verb, run.trigger, run.retry_of, run.comment_id) == (Verb.PLAN, Trigger.COMMENT, None, 77)
    assert (run.issue_number, run.pull_request_number, run.branch_name) == (PULL, PULL, BRANCH)


async def test_the_first_phase_anew_is_the_same_request(door: Door) -> None:
    await door.our_pull_request(base_branch="main", until_phase=Phase.SPECKIT_PLAN)
    await door.say("/speckit retry specify")
    run = await door.newest()
    assert (run.verb, run.requested_spec_input, run.until_phase, run.base_branch) == (
        Verb.SPECIFY,
        "Pay by invoice",
        Phase.SPECKIT_PLAN,
        "main",
    )


async def test_a_phase_no_run_here_has_is_told(door: Door) -> None:
    await door.our_pull_request()
    assert await door.say("/speckit retry implement", on_pull=True) is DeliveryOutcome.REFUSED
    assert "has no phase `speckit_implement`" in door.replies[0]


async def test_retry_on_the_pull_request_reaches_the_run_of_its_issue(door: Door) -> None:
    first = await door.run_of(RunStatus.FAILED, phases=WRITTEN, failed=Phase.OPEN_PR, pull=PULL)
    assert await door.say("/speckit retry", on_pull=True) is DeliveryOutcome.ACCEPTED
    run = await door.newest()
    assert (run.retry_of, run.issue_number) == (first, 7)
