"""Workers die, freeze, stop and are replaced: the next one goes on, and every effect is there once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import update
from sqlalchemy.exc import OperationalError

from db.models import SpecAutomationRun
from db.runs import request_cancel
from db.session import Database
from db.vocabulary import MAIN_PHASES, ErrorCode, Phase, RunStatus, TaskStatus
from jobs import pipeline
from jobs.errors import TransientError, UserError
from tests.jobs.fake_tree import FEATURE, added
from tests.jobs.fakes import BASE, fails, waits
from tests.jobs.rig import FAST, Rig


@pytest.fixture
def rig(database: Database, tmp_path: Path) -> Rig:
    return Rig(database, tmp_path / "runs")


DEATHS = [
    "repository",
    "environment",
    "start",
    "clone_token",
    "clone",
    "prepare_tree",
    "agent:speckit_specify",
    "patch:speckit_specify",
    "agent:speckit_plan",
    "patch:speckit_plan",
    "agent:speckit_tasks",
    "patch:speckit_tasks",
    "commit",
    "push",
    "pushed",
    "open_pull_request",
    "pull_request_opened",
    "remove",
    "finish_report",
]
"""The last thing a worker comes to: just before an effect, and, for those people see, just after it."""


def assert_one_of_everything(rig: Rig, run: SpecAutomationRun) -> None:
    assert run.status is RunStatus.SUCCEEDED
    assert rig.world.branches == {run.branch_name: run.head_sha}
    assert list(rig.world.pull_requests) == [run.run_id]
    assert rig.world.alive == {}
    assert all(state.status is TaskStatus.SUCCEEDED for state in run.task_states)


@pytest.mark.parametrize("step", DEATHS)
async def test_the_next_worker_goes_on_where_one_died(sqlite_rig: Rig, step: str) -> None:
    run_id = await sqlite_rig.open()
    await sqlite_rig.worker_dies(run_id, step)
    await sqlite_rig.pipeline().run(run_id)
    assert_one_of_everything(sqlite_rig, await sqlite_rig.run(run_id))
    finished_before = {asked.phase for asked in sqlite_rig.world.requests}
    assert finished_before == set(MAIN_PHASES)
    # Only the phase a worker died in is asked of an agent again.
    again = len(sqlite_rig.world.requests) - len(MAIN_PHASES)
    assert again == (1 if step.startswith("patch:") else 0)


@pytest.mark.parametrize("step", DEATHS[:-1])
async def test_a_worker_that_lost_the_run_writes_nothing_more(rig: Rig, step: str) -> None:
    reached, thawed = asyncio.Event(), asyncio.Event()

    async def freeze() -> None:
        reached.set()
        await thawed.wait()

    rig.world.at[step].append(freeze)
    run_id = await rig.open()
    slow = replace(FAST, renew_every=30.0, look_every=30.0)
    zombie = asyncio.create_task(rig.pipeline(pace=slow).run(run_id))
    await asyncio.wait_for(reached.wait(), 30)
    await rig.lapse(run_id)
    await rig.pipeline().run(run_id)
    after = await rig.run(run_id)
    seen = [(state.phase, state.status, state.attempt, state.completed_at) for state in after.task_states]
    thawed.set()
    await asyncio.wait_for(zombie, 30)
    last = await rig.run(run_id)
    if step == "start":
        # It woke up in the middle of making containers; those are for the sweeper.
        assert rig.world.alive.pop(run_id) == "job-2"
    assert_one_of_everything(rig, last)
    assert [(state.phase, state.status, state.attempt, state.completed_at) for state in last.task_states] == seen
    assert (last.lease_epoch, last.result_summary) == (after.lease_epoch, after.result_summary)
    assert rig.world.ends_told == [RunStatus.SUCCEEDED]


@pytest.mark.parametrize("step", ["agent:speckit_plan", "clone", "push", "remove"])
async def test_the_heartbeat_stops_a_worker_that_lost_the_run(rig: Rig, step: str) -> None:
    reached = asyncio.Event()
    rig.world.at[step].append(waits(reached))
    run_id = await rig.open()
    work = asyncio.create_task(rig.pipeline().run(run_id))
    await asyncio.wait_for(reached.wait(), 30)
    rows = await rig.states(run_id)
    await rig.take_away(run_id)
    await asyncio.wait_for(work, 30)
    assert await rig.states(run_id) == rows
    # The new holder's containers have the same labels: they are not the loser's to remove.
    assert run_id in rig.world.alive


@pytest.mark.parametrize("step", DEATHS[:-2])
async def test_a_stopped_worker_hands_the_run_over(sqlite_rig: Rig, step: str) -> None:
    reached = asyncio.Event()
    sqlite_rig.world.at[step].append(waits(reached))
    run_id = await sqlite_rig.open()
    work = asyncio.create_task(sqlite_rig.pipeline().run(run_id))
    await asyncio.wait_for(reached.wait(), 30)
    work.cancel()
    await asyncio.wait({work}, timeout=30)
    assert work.cancelled()
    run = await sqlite_rig.run(run_id)
    assert (run.status, run.lease_owner, run.lease_expires_at) == (RunStatus.IN_PROGRESS, None, None)
    assert TaskStatus.FAILED not in {state.status for state in run.task_states}
    assert sqlite_rig.world.alive == {}
    await sqlite_rig.pipeline().run(run_id)
    run = await sqlite_rig.run(run_id)
    assert_one_of_everything(sqlite_rig, run)
    assert run.crash_count == 0


async def test_six_deploys_in_a_row_cost_no_try(rig: Rig) -> None:
    run_id = await rig.open()
    for _ in range(6):
        reached = asyncio.Event()
        rig.world.at["agent:speckit_tasks"].append(waits(reached))
        work = asyncio.create_task(rig.pipeline().run(run_id))
        await asyncio.wait_for(reached.wait(), 30)
        work.cancel()
        await asyncio.wait({work}, timeout=30)
    await rig.pipeline().run(run_id)
    assert_one_of_everything(rig, await rig.run(run_id))
    assert [asked.phase for asked in rig.world.requests] == list(MAIN_PHASES)


async def test_new_containers_get_the_tree_and_the_work_so_far(rig: Rig) -> None:
    run_id = await rig.open()
    await rig.worker_dies(run_id, "agent:speckit_tasks")
    await rig.pipeline().run(run_id)
    patches = [rig.world.taken[phase] for phase in (Phase.SPECKIT_SPECIFY, Phase.SPECKIT_PLAN)]
    assert rig.world.replayed == [[], patches]
    assert [source.commit for source in rig.world.sources] == [None, BASE]
    assert [asked.feature_directory for asked in rig.world.requests][-1] == FEATURE
    [(_, commits, _)] = rig.world.commits
    assert [commit.patch for commit in commits] == [rig.world.taken[phase] for phase in MAIN_PHASES]


async def test_after_the_push_no_containers_are_needed(rig: Rig) -> None:
    run_id = await rig.open()
    await rig.worker_dies(run_id, "open_pull_request")
    made = rig.world.containers_made
    await rig.pipeline().run(run_id)
    assert rig.world.containers_made == made
    assert_one_of_everything(rig, await rig.run(run_id))


async def test_a_repeated_commit_is_the_same_commit(rig: Rig) -> None:
    run_id = await rig.open()
    await rig.worker_dies(run_id, "pushed")
    await rig.pipeline().run(run_id)
    first, second = rig.world.commits
    assert first == second


@pytest.mark.parametrize("step", ["agent:speckit_plan", "commit", "pushed"])
async def test_what_init_wrote_first_is_what_is_committed(rig: Rig, step: str) -> None:
    rig.world.init_patch = added(".specify/init.json", b"installed at NOW\n")
    run_id = await rig.open()
    await rig.worker_dies(run_id, step)
    await rig.worker_dies(run_id, "commit")
    await rig.pipeline().run(run_id)
    run = await rig.run(run_id)
    assert_one_of_everything(rig, run)
    assert {commits[0].patch for _, commits, _ in rig.world.commits} == {
        added(".specify/init.json", b"installed at NOW\n").replace(b"NOW", b"001")
    }
    assert [one.attempt for one in run.artifacts if one.name == "phase-git_clone.patch"] == [1]


async def test_a_lost_answer_to_the_push_makes_no_second_commit(rig: Rig) -> None:
    rig.world.init_patch = added(".specify/init.json", b"installed at NOW\n")
    rig.world.at["pushed"].append(fails(TransientError(ErrorCode.PUBLISH_REFUSED, "pushing: 502")))
    run = await rig.finished()
    assert_one_of_everything(rig, run)
    assert rig.world.commits[0] == rig.world.commits[1]


async def test_a_checkpoint_that_was_tampered_with_is_not_used(rig: Rig) -> None:
    run_id = await rig.open()
    await rig.worker_dies(run_id, "agent:speckit_tasks")
    (rig.root / str(run_id) / "artifacts" / "phase-speckit_plan.patch").write_bytes(b"something else")
    await rig.pipeline().run(run_id)
    assert_one_of_everything(rig, await rig.run(run_id))
    assert [asked.phase for asked in rig.world.requests] == [
        Phase.SPECKIT_SPECIFY,
        Phase.SPECKIT_PLAN,
        Phase.SPECKIT_PLAN,
        Phase.SPECKIT_TASKS,
    ]


async def test_somebody_elses_branch_of_that_name_is_not_touched(rig: Rig) -> None:
    run_id = await rig.open()
    await rig.worker_dies(run_id, "push")
    branch = rig.world.commits[0][0]
    rig.world.branches[branch] = "f" * 40
    await rig.pipeline().run(run_id)
    assert (await rig.run(run_id)).error_code == ErrorCode.PUBLISH_BRANCH_TAKEN
    assert rig.world.branches == {branch: "f" * 40}


async def test_a_run_that_kills_its_workers_is_given_up(rig: Rig) -> None:
    run_id = await rig.open()
    for _ in range(5):
        await rig.worker_dies(run_id, "agent:speckit_plan")
    await rig.pipeline().run(run_id)
    run = await rig.run(run_id)
    assert (run.status, run.error_code) == (RunStatus.FAILED, ErrorCode.RUN_CRASHED_REPEATEDLY)
    assert rig.world.alive == {}
    assert (await rig.state(run_id, Phase.SPECKIT_PLAN)).status is TaskStatus.FAILED


@pytest.mark.parametrize("step", ["remove", "finish_report"])
async def test_a_failure_once_decided_stays_decided(rig: Rig, step: str) -> None:
    rig.world.at["clone"].append(fails(UserError(ErrorCode.CLONE_REFUSED, "Cloning acme/shop: refused.")))
    run_id = await rig.open()
    await rig.worker_dies(run_id, step)
    await rig.pipeline().run(run_id)
    run = await rig.run(run_id)
    assert (run.status, run.error_code) == (RunStatus.FAILED, ErrorCode.CLONE_REFUSED)
    assert run.result_summary == "Cloning acme/shop: refused."
    assert rig.world.times("clone") == 0
    assert rig.world.alive == {}


async def test_a_cancellation_once_decided_stays_decided(rig: Rig) -> None:
    run_id = await rig.open()
    async with rig.database.transaction() as session:
        await request_cancel(session, run_id, "grace")
    await rig.worker_dies(run_id, "remove")
    async with rig.database.transaction() as session:
        await session.execute(update(SpecAutomationRun).values(cancel_requested_at=None, cancel_requested_by=None))
    await rig.pipeline().run(run_id)
    run = await rig.run(run_id)
    assert (run.status, run.error_code) == (RunStatus.FAILED, ErrorCode.RUN_CANCELLED)
    assert rig.world.containers_made == 0


async def test_a_dry_run_that_was_done_is_not_done_again(rig: Rig) -> None:
    run_id = await rig.open(dry_run=True)
    await rig.worker_dies(run_id, "remove")
    await rig.pipeline().run(run_id)
    assert (await rig.run(run_id)).status is RunStatus.SUCCEEDED
    assert rig.world.containers_made == 1


async def test_the_deadline_counts_from_the_first_start(rig: Rig) -> None:
    run_id = await rig.open()
    await rig.worker_dies(run_id, "agent:speckit_plan")
    first = await rig.run(run_id)
    rig.world.at["agent:speckit_plan"].append(waits())
    work = asyncio.create_task(rig.pipeline().run(run_id))
    while rig.world.containers_made < 2:
        await asyncio.sleep(0.01)
    rig.clock.ahead += 3600
    await asyncio.wait_for(work, 30)
    run = await rig.run(run_id)
    assert run.error_code == ErrorCode.RUN_TIMED_OUT
    assert (run.started_at, run.deadline_at) == (first.started_at, first.deadline_at)


# Handing over while the database is away


def breaks(monkeypatch: pytest.MonkeyPatch, name: str, times: int) -> list[str]:
    """Let the database be away for so many calls of one of the pipeline's own functions."""
    real, calls = getattr(pipeline, name), []

    async def away(*args: object) -> object:
        calls.append(name)
        if len(calls) <= times:
            raise OperationalError("asking", None, Exception("the database is away"))
        return await real(*args)

    monkeypatch.setattr(pipeline, name, away)
    return calls


async def stopped_in_the_middle(rig: Rig) -> tuple[UUID, asyncio.Task[None]]:
    reached = asyncio.Event()
    rig.world.at["agent:speckit_plan"].append(waits(reached))
    run_id = await rig.open()
    work = asyncio.create_task(rig.pipeline().run(run_id))
    await asyncio.wait_for(reached.wait(), 30)
    return run_id, work


@pytest.mark.parametrize("name", ["guard", "release"])
async def test_a_hand_over_waits_a_moment_for_the_database(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    run_id, work = await stopped_in_the_middle(rig)
    breaks(monkeypatch, name, times=1)
    work.cancel()
    await asyncio.wait({work}, timeout=30)
    assert work.cancelled()
    assert (await rig.run(run_id)).lease_owner is None
    assert rig.world.alive == {}


@pytest.mark.parametrize("name", ["guard", "release"])
async def test_the_containers_go_even_when_the_database_stays_away(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    run_id, work = await stopped_in_the_middle(rig)
    calls = breaks(monkeypatch, name, times=1000)
    work.cancel()
    await asyncio.wait({work}, timeout=30)
    assert work.cancelled()
    assert len(calls) > 1
    assert rig.world.alive == {}
    assert (await rig.run(run_id)).lease_owner is not None


async def test_a_worker_stopped_while_it_takes_a_run_hands_it_back(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = await rig.open()
    woken: list[tuple[UUID, int]] = []
    taken = asyncio.Event()

    async def wake_next(run: UUID, epoch: int) -> None:
        woken.append((run, epoch))

    worker = rig.pipeline(wake_next=wake_next)
    take = worker.take

    async def slow_take(run: UUID) -> pipeline.Execution | None:
        execution = await take(run)
        taken.set()
        await asyncio.sleep(0.1)
        return execution

    monkeypatch.setattr(worker, "take", slow_take)
    work = asyncio.create_task(worker.run(run_id))
    await asyncio.wait_for(taken.wait(), 30)
    work.cancel()
    await asyncio.wait({work}, timeout=30)
    assert work.cancelled()
    run = await rig.run(run_id)
    assert (run.status, run.lease_owner) == (RunStatus.IN_PROGRESS, None)
    assert woken == [(run_id, 2)]
    await rig.pipeline().run(run_id)
    assert_one_of_everything(rig, await rig.run(run_id))
