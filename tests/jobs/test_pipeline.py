"""A run from its claim to its end: what is recorded, what is published, what people are told."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from db.runs import claim, request_cancel
from db.session import Database
from db.vocabulary import MAIN_PHASES, ErrorCode, Phase, RunStatus, TaskStatus, Verb, phases_of
from jobs.errors import TransientError
from tests.jobs.fake_tree import FEATURE, added, writes
from tests.jobs.fakes import BASE, fails, waits
from tests.jobs.rig import Rig, artifact

PHASES = phases_of(Verb.SPECIFY)


@pytest.fixture
def rig(database: Database, tmp_path: Path) -> Rig:
    return Rig(database, tmp_path / "runs")


# The whole way


async def test_a_run_ends_with_a_pull_request_and_nothing_left(rig: Rig) -> None:
    run = await rig.finished()
    assert run.status is RunStatus.SUCCEEDED
    assert run.result_summary == "http://127.0.0.1/acme/shop/pull/1"
    assert [(state.status, state.attempt) for state in run.task_states] == [(TaskStatus.SUCCEEDED, 1)] * 9
    assert all(state.started_at and state.completed_at for state in run.task_states)
    assert (run.base_branch, run.base_sha, run.feature_directory) == ("main", BASE, FEATURE)
    assert rig.world.branches == {run.branch_name: run.head_sha}
    assert run.branch_name is not None
    assert run.branch_name.startswith("speckit/20")
    assert (run.job_container_id, run.cleanup_succeeded, rig.world.alive) == (None, True, {})
    assert run.lease_owner is None
    assert rig.world.ends_told == [RunStatus.SUCCEEDED]
    assert rig.world.changes_told >= 9
    assert run.agent_configuration is not None
    assert (run.agent_configuration.agent_backend, run.agent_configuration.prompt_pack_version) == (
        "template",
        "1.2.3",
    )
    assert run.agent_configuration.runtime_env == {"PACE": "slow"}


async def test_the_requests_text_goes_to_specify_only(rig: Rig) -> None:
    await rig.finished()
    assert [(asked.phase, asked.text, asked.feature_directory) for asked in rig.world.requests] == [
        (Phase.SPECKIT_SPECIFY, "Let customers pay by invoice.", FEATURE),
        (Phase.SPECKIT_PLAN, "", FEATURE),
        (Phase.SPECKIT_TASKS, "", FEATURE),
    ]


async def test_artifacts_are_whole_and_listed(rig: Rig) -> None:
    run = await rig.finished()
    names = {one.name for one in run.artifacts}
    logs = {f"phase-{phase}.{stream}" for phase in PHASES for stream in ("stdout", "stderr")}
    prompts = {f"phase-{phase}.prompt" for phase in MAIN_PHASES}
    patches = {f"phase-{phase}.patch" for phase in MAIN_PHASES}
    assert names == logs | prompts | patches | {"environment.json", "self-test.json", "commit.json", "metrics.json"}
    assert rig.read(run, "phase-speckit_plan.stdout") == b"worked on speckit_plan\n"
    assert rig.read(run, "phase-speckit_specify.patch") == rig.world.taken[Phase.SPECKIT_SPECIFY]
    metrics = json.loads(rig.read(run, "metrics.json"))
    assert (metrics["status"], metrics["input_tokens"], metrics["output_tokens"]) == ("succeeded", 30, 15)
    assert [one["phase"] for one in metrics["phases"]] == [phase.value for phase in PHASES[:-1]]
    assert json.loads(rig.read(run, "commit.json"))["head_sha"] == run.head_sha
    assert json.loads(rig.read(run, "environment.json"))["image_id"] == "sha256:0"
    plan = next(state for state in run.task_states if state.phase == Phase.SPECKIT_PLAN)
    assert plan.stdout_path == artifact(run, "phase-speckit_plan.stdout").storage_path
    assert run.completed_at is not None
    assert all((one.expires_at - run.completed_at).days >= 29 for one in run.artifacts)


async def test_what_the_specification_says_is_kept_for_the_reports(rig: Rig) -> None:
    run = await rig.finished()
    specify = next(state for state in run.task_states if state.phase == Phase.SPECKIT_SPECIFY)
    assert specify.details == {
        "feature_directory": FEATURE,
        "files": [{"path": f"{FEATURE}/spec.md", "added_lines": 10}],
        "heading": "Pay by invoice",
        "user_stories": ["Choose an invoice at checkout", "Get reminded"],
        "requirements": [
            {"id": "FR-001", "text": "[NEEDS CLARIFICATION: how many days?]"},
            {"id": "FR-002", "text": "Customers see their invoices."},
        ],
        "open_questions": [{"path": f"{FEATURE}/spec.md", "line": 9, "text": "how many days?"}],
        "input_tokens": 10,
        "output_tokens": 5,
        "cost_usd": None,
        "summary": "",
        "agent": "template",
        "model": None,
    }


async def test_commits_are_made_by_the_app_for_the_requester(rig: Rig) -> None:
    rig.world.init_patch = added(".specify/memory/constitution.md", b"# Rules\n")
    run = await rig.finished()
    [(branch, patches, identity)] = rig.world.commits
    assert branch == run.branch_name
    assert [patch.subject for patch in patches] == [
        "Set up Spec Kit 1.2.3",
        "Specify: Pay by invoice",
        "Plan: Pay by invoice",
        "Tasks: Pay by invoice",
    ]
    assert identity.author_name == "speckit-bot[bot]"
    assert identity.date == run.started_at
    assert list(identity.trailers) == [
        "Co-authored-by: ada <42+ada@users.noreply.github.com>",
        f"Speckit-Run: {run.run_id}",
    ]
    assert rig.read(run, "phase-git_clone.patch") == rig.world.init_patch


async def test_nothing_in_a_commit_subject_acts(rig: Rig) -> None:
    heading = b"# Feature Specification: [skip ci] Fixes #12 GH-7 @everyone `rm`\n"
    rig.world.deeds[Phase.SPECKIT_SPECIFY] = writes("spec.md", heading)
    await rig.finished()
    assert rig.world.commits[0][1][0].subject == "Specify: skip ci Fixes 12 everyone rm"


async def test_until_specify_leaves_the_rest_out(rig: Rig) -> None:
    run = await rig.finished(until_phase=Phase.SPECKIT_SPECIFY)
    assert run.status is RunStatus.SUCCEEDED
    states = await rig.states(run.run_id)
    assert states[Phase.SPECKIT_PLAN] is states[Phase.SPECKIT_TASKS] is TaskStatus.SKIPPED
    assert [asked.phase for asked in rig.world.requests] == [Phase.SPECKIT_SPECIFY]
    assert len(rig.world.pull_requests) == 1


async def test_a_dry_run_pushes_nothing(rig: Rig) -> None:
    run = await rig.finished(dry_run=True)
    assert run.status is RunStatus.SUCCEEDED
    assert run.result_summary is not None
    assert "Dry run" in run.result_summary
    assert (rig.world.branches, rig.world.pull_requests, rig.world.tokens) == ({}, {}, ["clone_token"])
    assert rig.read(run, "phase-speckit_tasks.patch")
    assert (await rig.states(run.run_id))[Phase.COMMIT_PUSH] is TaskStatus.SKIPPED


async def test_work_that_changes_nothing_is_no_failure(rig: Rig) -> None:
    # The phases' patches cancel each other out: git makes nothing of them.
    rig.world.head = BASE
    run_id = await rig.open()
    await rig.pipeline().run(run_id)
    run = await rig.run(run_id)
    assert run.status is RunStatus.NO_CHANGES
    assert run.branch_name is None
    assert (rig.world.branches, rig.world.pull_requests) == ({}, {})
    states = await rig.states(run_id)
    assert (states[Phase.COMMIT_PUSH], states[Phase.OPEN_PR]) == (TaskStatus.SUCCEEDED, TaskStatus.SKIPPED)


async def test_a_run_that_is_over_or_held_is_left_alone(rig: Rig) -> None:
    run = await rig.finished()
    await rig.pipeline().run(run.run_id)
    assert rig.world.times("start") == 1
    held = await rig.open()
    async with rig.database.transaction() as session:
        assert await claim(session, held, "somebody else", 45)
    await rig.pipeline().run(held)
    assert (await rig.run(held)).status is RunStatus.QUEUED


async def test_two_workers_at_once_work_once(rig: Rig) -> None:
    run_id = await rig.open()
    await asyncio.gather(*(rig.pipeline().run(run_id) for _ in range(4)))
    assert (await rig.run(run_id)).status is RunStatus.SUCCEEDED
    assert (rig.world.times("start"), rig.world.times("push")) == (1, 1)


# Stopped


CANCELLED_AT = [
    "repository",
    "start",
    "clone",
    "agent:speckit_specify",
    "agent:speckit_plan",
    "agent:speckit_tasks",
    "commit",
    "push",
    "open_pull_request",
]


@pytest.mark.parametrize("step", CANCELLED_AT)
async def test_a_cancelled_run_stops_at_once(sqlite_rig: Rig, step: str) -> None:
    reached = asyncio.Event()
    sqlite_rig.world.at[step].append(waits(reached))
    run_id = await sqlite_rig.open()
    work = asyncio.create_task(sqlite_rig.pipeline().run(run_id))
    await asyncio.wait_for(reached.wait(), 30)
    async with sqlite_rig.database.transaction() as session:
        assert await request_cancel(session, run_id, "grace")
    await asyncio.wait_for(work, 30)
    run = await sqlite_rig.run(run_id)
    assert (run.status, run.error_code) == (RunStatus.FAILED, ErrorCode.RUN_CANCELLED)
    assert run.result_summary == "Cancelled by grace."
    assert (sqlite_rig.world.alive, sqlite_rig.world.pull_requests) == ({}, {})
    assert sqlite_rig.world.ends_told == [RunStatus.FAILED]
    assert (await sqlite_rig.states(run_id))[Phase.CLEANUP] is TaskStatus.SUCCEEDED


async def test_cancelled_before_it_began(rig: Rig) -> None:
    run_id = await rig.open()
    async with rig.database.transaction() as session:
        await request_cancel(session, run_id, "grace")
    await rig.pipeline().run(run_id)
    assert (await rig.run(run_id)).error_code == ErrorCode.RUN_CANCELLED
    assert rig.world.steps == ["remove", "finish_report"]


async def test_a_cancellation_after_the_pull_request_changes_nothing(rig: Rig) -> None:
    reached = asyncio.Event()

    async def ask_to_cancel() -> None:
        async with rig.database.transaction() as session:
            await request_cancel(session, run_id, "grace")
        reached.set()
        await asyncio.sleep(0.1)

    rig.world.at["remove"].append(ask_to_cancel)
    run_id = await rig.open()
    await rig.pipeline().run(run_id)
    assert reached.is_set()
    assert (await rig.run(run_id)).status is RunStatus.SUCCEEDED


async def test_work_that_cannot_be_stopped_is_left_behind(rig: Rig) -> None:
    reached = asyncio.Event()
    let_go = asyncio.Event()

    async def deaf() -> None:
        reached.set()
        while not let_go.is_set():
            try:
                await let_go.wait()
            except asyncio.CancelledError:
                continue

    rig.world.at["agent:speckit_plan"].append(deaf)
    run_id = await rig.open()
    work = asyncio.create_task(rig.pipeline().run(run_id))
    await asyncio.wait_for(reached.wait(), 30)
    async with rig.database.transaction() as session:
        await request_cancel(session, run_id, "grace")
    await asyncio.wait_for(work, 30)
    assert (await rig.run(run_id)).error_code == ErrorCode.RUN_CANCELLED
    assert rig.world.alive == {}
    let_go.set()
    await asyncio.sleep(0.1)
    assert (await rig.states(run_id))[Phase.SPECKIT_PLAN] is TaskStatus.FAILED


async def test_a_run_that_takes_too_long(rig: Rig) -> None:
    reached = asyncio.Event()
    rig.world.at["agent:speckit_plan"].append(waits(reached))
    run_id = await rig.open()
    work = asyncio.create_task(rig.pipeline(run_timeout=600).run(run_id))
    await asyncio.wait_for(reached.wait(), 30)
    rig.clock.ahead += 601
    await asyncio.wait_for(work, 30)
    run = await rig.run(run_id)
    assert (run.status, run.error_code) == (RunStatus.FAILED, ErrorCode.RUN_TIMED_OUT)
    assert rig.world.alive == {}
    assert (await rig.state(run_id, Phase.SPECKIT_PLAN)).status is TaskStatus.FAILED


# Cleanup


async def test_cleanup_that_fails_does_not_change_the_end(rig: Rig) -> None:
    for _ in range(9):
        rig.world.at["remove"].append(fails(TransientError(ErrorCode.ENGINE_UNREACHABLE, "asking the engine: no")))
    run = await rig.finished()
    assert run.status is RunStatus.SUCCEEDED
    assert run.cleanup_succeeded is False
    assert run.job_container_id == "job-1"
    cleanup = await rig.state(run.run_id, Phase.CLEANUP)
    assert (cleanup.status, cleanup.details["error_code"]) == (TaskStatus.FAILED, ErrorCode.ENGINE_UNREACHABLE)


async def test_cleanup_that_hangs_does_not_hold_the_run(rig: Rig) -> None:
    rig.world.at["remove"].extend([waits(), waits()])
    run = await rig.finished()
    assert (run.status, run.cleanup_succeeded) == (RunStatus.SUCCEEDED, False)


async def test_a_full_disk_does_not_keep_containers_alive(rig: Rig) -> None:
    run_id = await rig.open()

    async def fill() -> None:
        # Whatever is written from now on has nowhere to go.
        folder = rig.root / str(run_id) / "artifacts"
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
        folder.write_bytes(b"")

    rig.world.at["agent:speckit_plan"].append(fill)
    await rig.pipeline().run(run_id)
    run = await rig.run(run_id)
    assert run.status is RunStatus.FAILED
    assert rig.world.alive == {}
    assert rig.world.ends_told == [RunStatus.FAILED]
