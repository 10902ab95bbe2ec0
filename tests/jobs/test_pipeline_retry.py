"""A run that takes over what an earlier one finished: nothing is paid for twice, and nothing is committed that differs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import delete

from db.models import AutomationArtifact, SpecAutomationRun
from db.vocabulary import ErrorCode, Phase, RunStatus, TaskStatus, Verb
from jobs.errors import AppError, UserError
from tests.jobs.fake_tree import FEATURE, added, does_nothing
from tests.jobs.fakes import BASE, fails
from tests.jobs.rig import PULL, Rig

SPECIFY, PLAN, TASKS = Phase.SPECKIT_SPECIFY, Phase.SPECKIT_PLAN, Phase.SPECKIT_TASKS
INIT = added(".specify/init.json", b"installed at NOW\n")


@pytest.fixture
def rig(sqlite_rig: Rig) -> Rig:
    return sqlite_rig


async def fails_at(rig: Rig, step: str, **differences: Any) -> SpecAutomationRun:
    """A run that ends badly just before ``step``."""
    rig.world.at[step].append(fails(AppError(ErrorCode.AGENT_FAILED, "no today")))
    run = await rig.finished(**differences)
    assert run.status is RunStatus.FAILED
    return run


async def retried(rig: Rig, run_id: UUID, **differences: Any) -> SpecAutomationRun:
    return await rig.worked_on(await rig.retry(run_id, **differences))


def asked(rig: Rig) -> list[Phase]:
    return [request.phase for request in rig.world.requests]


def committed(rig: Rig) -> Sequence[bytes]:
    return [named.patch for named in rig.world.commits[-1][1]]


# What was finished


async def test_finished_phases_are_taken_over_from_the_older_run(rig: Rig) -> None:
    first = await fails_at(rig, f"agent:{TASKS}")
    second = await retried(rig, first.run_id)
    assert second.status is RunStatus.SUCCEEDED, second.result_summary
    assert asked(rig) == [SPECIFY, PLAN, TASKS]
    assert [request.text for request in rig.world.requests][2] == "", "the text was meant for the specification"
    assert rig.world.replayed[-1] == [rig.world.taken[SPECIFY], rig.world.taken[PLAN]]
    assert committed(rig) == [rig.world.taken[phase] for phase in (SPECIFY, PLAN, TASKS)]
    states = await rig.states(second.run_id)
    assert (states[SPECIFY], states[PLAN], states[TASKS]) == (
        TaskStatus.SKIPPED,
        TaskStatus.SKIPPED,
        TaskStatus.SUCCEEDED,
    )
    assert second.feature_directory == FEATURE
    assert {request.feature_directory for request in rig.world.requests} == {FEATURE}
    push = await rig.state(second.run_id, Phase.COMMIT_PUSH)
    assert set(push.details["commit_of"]) == {SPECIFY, PLAN, TASKS}
    assert push.details["commits"] == ["Specify: Pay by invoice", "Plan: Pay by invoice", "Tasks: Pay by invoice"]


async def test_the_older_runs_base_is_kept(rig: Rig) -> None:
    first = await fails_at(rig, f"agent:{PLAN}")
    rig.world.branches["main"] = "d" * 40
    second = await retried(rig, first.run_id)
    assert [source.commit for source in rig.world.sources] == [None, BASE]
    assert second.base_sha == BASE


async def test_a_retry_that_takes_over_nothing_begins_at_the_newest_commit(rig: Rig) -> None:
    first = await fails_at(rig, f"agent:{SPECIFY}")
    rig.world.branches["main"] = "d" * 40
    second = await retried(rig, first.run_id)
    assert (second.status, second.base_sha) == (RunStatus.SUCCEEDED, "d" * 40)
    assert second.feature_directory == FEATURE, "nobody took the name meanwhile"


async def test_two_retries_in_a_row(rig: Rig) -> None:
    rig.world.init_patch = INIT
    first = await fails_at(rig, f"agent:{PLAN}")
    second_id = await rig.retry(first.run_id)
    rig.world.at[f"agent:{TASKS}"].append(fails(AppError(ErrorCode.AGENT_FAILED, "no today")))
    second = await rig.worked_on(second_id)
    assert second.status is RunStatus.FAILED
    third = await retried(rig, second_id)
    assert third.status is RunStatus.SUCCEEDED, third.result_summary
    assert asked(rig) == [SPECIFY, PLAN, TASKS]
    assert committed(rig) == [
        INIT.replace(b"NOW", b"001"),
        *(rig.world.taken[phase] for phase in (SPECIFY, PLAN, TASKS)),
    ]
    assert third.feature_directory == FEATURE
    assert rig.world.replayed[-1] == [rig.world.taken[SPECIFY], rig.world.taken[PLAN]]


async def test_a_retry_that_failed_before_it_did_anything_loses_nothing(rig: Rig) -> None:
    first = await fails_at(rig, f"agent:{PLAN}")
    rig.world.at["clone"].append(fails(AppError(ErrorCode.CLONE_FAILED, "no today")))
    second = await retried(rig, first.run_id)
    assert second.status is RunStatus.FAILED
    other = await rig.finished()
    assert other.feature_directory == FEATURE.replace("001", "002"), "the first one's name is not free"
    rig.world.requests.clear()
    third = await retried(rig, second.run_id)
    assert (third.status, third.feature_directory) == (RunStatus.SUCCEEDED, FEATURE)
    assert asked(rig) == [PLAN, TASKS]


async def test_a_retry_of_a_lost_push_pushes_the_same_commits(rig: Rig) -> None:
    rig.world.init_patch = INIT
    first = await fails_at(rig, "push")
    second = await retried(rig, first.run_id)
    assert second.status is RunStatus.SUCCEEDED, second.result_summary
    assert asked(rig) == [SPECIFY, PLAN, TASKS]
    before, after = (commit[1] for commit in rig.world.commits)
    assert before == after
    assert second.branch_name != first.branch_name, "the first one's name may be there with other commits"


async def test_a_retry_of_a_lost_pull_request_only_opens_it(rig: Rig) -> None:
    first = await fails_at(rig, "open_pull_request")
    made = rig.world.containers_made
    second = await retried(rig, first.run_id)
    assert second.status is RunStatus.SUCCEEDED, second.result_summary
    assert (rig.world.containers_made, rig.world.times("push")) == (made, 1)
    assert (second.branch_name, second.head_sha) == (first.branch_name, first.head_sha)
    assert rig.world.branches == {first.branch_name: first.head_sha}
    states = await rig.states(second.run_id)
    assert (states[Phase.COMMIT_PUSH], states[Phase.OPEN_PR]) == (TaskStatus.SKIPPED, TaskStatus.SUCCEEDED)


@pytest.mark.parametrize("step", ["start", f"agent:{TASKS}", "commit", "pushed", "remove"])
async def test_the_next_worker_goes_on_with_a_retry(rig: Rig, step: str) -> None:
    rig.world.init_patch = INIT
    first = await fails_at(rig, f"agent:{PLAN}")
    second_id = await rig.retry(first.run_id)
    await rig.worker_dies(second_id, step)
    second = await rig.worked_on(second_id)
    assert second.status is RunStatus.SUCCEEDED, second.result_summary
    assert asked(rig) == [SPECIFY, PLAN, TASKS]
    assert {commits[0].patch for _, commits, _ in rig.world.commits} == {INIT.replace(b"NOW", b"001")}
    assert rig.world.branches == {second.branch_name: second.head_sha}


async def test_a_retry_that_is_asked_for_another_phase_keeps_what_is_before_it(rig: Rig) -> None:
    first = await fails_at(rig, "push")
    states = {state.phase: state for state in first.task_states}
    origin = {"run_id": str(first.run_id), "attempt": 1}
    taken_over = {SPECIFY: {**states[SPECIFY].details, "taken_over": origin}}
    second = await retried(rig, first.run_id, taken_over=taken_over)
    assert second.status is RunStatus.SUCCEEDED
    assert asked(rig) == [SPECIFY, PLAN, TASKS, PLAN, TASKS]


# What was written by Spec Kit itself


async def test_init_of_another_commit_is_not_committed(rig: Rig) -> None:
    rig.world.init_patch = INIT
    first = await fails_at(rig, f"agent:{SPECIFY}")
    # Somebody set Spec Kit up on the branch meanwhile.
    rig.world.branches["main"], rig.world.init_patch = "d" * 40, b""
    second_id = await rig.retry(first.run_id)
    await rig.worker_dies(second_id, f"agent:{PLAN}")
    second = await rig.worked_on(second_id)
    assert second.status is RunStatus.SUCCEEDED
    assert [named.subject.split(":")[0] for named in rig.world.commits[-1][1]] == ["Specify", "Plan", "Tasks"]


async def test_a_retry_that_begins_anew_commits_its_own_init(rig: Rig) -> None:
    rig.world.init_patch = INIT
    first = await fails_at(rig, f"agent:{PLAN}")
    second_id = await rig.retry(first.run_id, taken_over={}, base_sha=None)
    await rig.worker_dies(second_id, f"agent:{TASKS}")
    rig.world.at["push"].append(fails(UserError(ErrorCode.PUBLISH_REFUSED, "No.")))
    second = await rig.worked_on(second_id)
    assert committed(rig)[0] == INIT.replace(b"NOW", b"002")
    third = await retried(rig, second.run_id)
    assert third.status is RunStatus.SUCCEEDED
    assert committed(rig)[0] == INIT.replace(b"NOW", b"002")


async def test_work_is_put_on_top_of_what_somebody_pushed(rig: Rig) -> None:
    run_id = await rig.open_on_pull_request(Verb.CHECKLIST)
    pushed, tree = "c" * 40, dict(rig.world.trees[str(PULL["head"])])

    async def somebody_pushes() -> None:
        rig.world.branches[str(PULL["branch"])] = pushed
        rig.world.trees[pushed] = {**tree, "README.md": b"Theirs\n"}

    rig.world.at["commit"].append(somebody_pushes)
    first = await rig.worked_on(run_id)
    assert (first.status, first.error_code) == (RunStatus.FAILED, ErrorCode.PUBLISH_BRANCH_MOVED)
    assert rig.world.branches == {PULL["branch"]: pushed}
    second = await retried(rig, run_id, base_sha=None)
    assert second.status is RunStatus.SUCCEEDED, second.result_summary
    assert (second.base_sha, asked(rig)) == (pushed, [Phase.SPECKIT_CHECKLIST])
    assert second.head_sha is not None
    assert {"README.md", f"{FEATURE}/checklists/ux.md"} <= rig.world.trees[second.head_sha].keys()


# What is not kept any more


async def forget(rig: Rig, run_id: UUID, name: str) -> None:
    async with rig.database.transaction() as session:
        await session.execute(
            delete(AutomationArtifact).where(AutomationArtifact.run_id == run_id, AutomationArtifact.name == name)
        )


@pytest.mark.parametrize("how", ["row", "file", "bytes"])
async def test_what_was_taken_over_and_lost_is_told_with_the_way_on(rig: Rig, how: str) -> None:
    first = await fails_at(rig, f"agent:{TASKS}")
    file = rig.root / str(first.run_id) / "artifacts" / f"phase-{PLAN}.patch"
    second_id = await rig.retry(first.run_id)
    if how == "row":
        await forget(rig, first.run_id, file.name)
    elif how == "file":
        file.unlink()
    else:
        file.write_bytes(added("planted.md", b"x\n"))
    second = await rig.worked_on(second_id)
    assert (second.status, second.error_code) == (RunStatus.FAILED, ErrorCode.REQUEST_INVALID)
    assert second.result_summary == (
        "What speckit_plan made in the run before is not kept any more. `retry plan` does it again, and what comes "
        "after it."
    )
    assert asked(rig) == [SPECIFY, PLAN]
    assert (rig.world.branches, rig.world.alive) == ({}, {})


async def test_a_retry_of_the_lost_phase_works_for_it_again(rig: Rig) -> None:
    first = await fails_at(rig, f"agent:{TASKS}")
    (rig.root / str(first.run_id) / "artifacts" / f"phase-{PLAN}.patch").unlink()
    second = await retried(rig, first.run_id)
    specify = next(state for state in second.task_states if state.phase == SPECIFY)
    third = await retried(rig, second.run_id, taken_over={SPECIFY: specify.details})
    assert third.status is RunStatus.SUCCEEDED, third.result_summary
    assert asked(rig) == [SPECIFY, PLAN, PLAN, TASKS]
    assert third.feature_directory == FEATURE


async def test_an_init_that_is_lost_is_made_again(rig: Rig) -> None:
    rig.world.init_patch = INIT
    first = await fails_at(rig, f"agent:{PLAN}")
    await forget(rig, first.run_id, "phase-git_clone.patch")
    second_id = await rig.retry(first.run_id)
    await rig.worker_dies(second_id, "pushed")
    second = await rig.worked_on(second_id)
    assert second.status is RunStatus.SUCCEEDED
    assert {commits[0].patch for _, commits, _ in rig.world.commits} == {INIT.replace(b"NOW", b"002")}


async def test_a_checkpoint_of_this_run_that_is_lost_is_worked_for_again(rig: Rig) -> None:
    run_id = await rig.open()
    await rig.worker_dies(run_id, f"agent:{TASKS}")
    (rig.root / str(run_id) / "artifacts" / f"phase-{SPECIFY}.patch").unlink()
    run = await rig.worked_on(run_id)
    assert run.status is RunStatus.SUCCEEDED
    assert asked(rig) == [SPECIFY, PLAN, SPECIFY, PLAN, TASKS]
    assert run.feature_directory == FEATURE


# Runs that push nothing


async def test_a_dry_run_is_retried_as_one(rig: Rig) -> None:
    first = await fails_at(rig, f"agent:{TASKS}", dry_run=True)
    second = await retried(rig, first.run_id)
    assert second.status is RunStatus.SUCCEEDED
    assert second.result_summary is not None
    assert "Dry run" in second.result_summary
    assert (rig.world.branches, asked(rig)) == ({}, [SPECIFY, PLAN, TASKS])


async def test_a_retry_of_what_is_all_done_is_decided_at_once(rig: Rig) -> None:
    rig.world.deeds[Phase.SPECKIT_ANALYZE] = does_nothing
    first = await rig.finished_on_pull_request(Verb.ANALYZE)
    made = rig.world.containers_made
    second = await retried(rig, first.run_id, publishes=False)
    assert (second.status, second.result_summary) == (RunStatus.SUCCEEDED, "No findings.")
    assert rig.world.containers_made == made
