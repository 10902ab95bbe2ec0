"""A phase begins and ends."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy.exc import IntegrityError

from db import runs
from db.models import SpecAutomationTaskState
from db.runs import IllegalTransition
from db.session import Database
from db.vocabulary import TASK_TRANSITIONS, ArtifactType, Phase, TaskStatus
from tests.db.rows import (
    Held,
    begun_run,
    claimed_run,
    execute,
    phase_that_is,
    read_phase,
    recorded_log,
)

PHASE = Phase.GIT_CLONE


async def _start(database: Database, held: Held, phase: Phase = PHASE) -> int:
    async with database.transaction() as session:
        return await runs.start_phase(session, held.lease, phase)


async def _finish(database: Database, held: Held, status: TaskStatus, **more: str | None) -> None:
    async with database.transaction() as session:
        await runs.finish_phase(session, held.lease, PHASE, status, **more)  # type: ignore[arg-type]


async def test_a_phase_is_recorded_before_and_after_it_ran(database: Database) -> None:
    held = await begun_run(database)
    assert await _start(database, held) == 1
    running = await read_phase(database, held.run_id, PHASE)
    assert (running.status, running.attempt, running.completed_at) == (TaskStatus.RUNNING, 1, None)
    assert running.started_at is not None
    async with database.transaction() as session:
        await runs.finish_phase(session, held.lease, PHASE, TaskStatus.SUCCEEDED, details={"commit": "a" * 40})
    over = await read_phase(database, held.run_id, PHASE)
    assert (over.status, over.details, over.started_at) == (
        TaskStatus.SUCCEEDED,
        {"commit": "a" * 40},
        running.started_at,
    )
    assert over.completed_at is not None
    assert over.completed_at >= running.started_at


async def test_attempts_are_counted_up_and_begin_clean(database: Database) -> None:
    held = await begun_run(database)
    assert await _start(database, held) == 1
    async with database.transaction() as session:
        await runs.retry_phase(session, held.lease, PHASE, {"error_code": "clone.failed", "message": "No route."})
    waiting = await read_phase(database, held.run_id, PHASE)
    assert (waiting.status, waiting.details["message"]) == (TaskStatus.RETRYING, "No route.")
    assert waiting.completed_at is not None
    assert await _start(database, held) == 2
    running = await read_phase(database, held.run_id, PHASE)
    assert (running.details, running.completed_at) == ({}, None)
    assert await _start(database, held) == 3, "a worker died in the attempt before"
    await _finish(database, held, TaskStatus.SUCCEEDED)
    assert await _start(database, held) == 4, "its container is gone and must be made again"


@pytest.mark.parametrize("current", TaskStatus)
async def test_a_phase_goes_only_the_ways_of_the_table(database: Database, current: TaskStatus) -> None:
    """In the functions, in the model and in the database itself."""
    held = await begun_run(database)
    await phase_that_is(database, held, PHASE, current)
    state = await read_phase(database, held.run_id, PHASE)
    for wanted in set(TaskStatus) - TASK_TRANSITIONS[current]:
        if wanted is TaskStatus.RUNNING:
            with pytest.raises(IllegalTransition):
                await _start(database, held)
        elif wanted is current is TaskStatus.SKIPPED:
            await _finish(database, held, wanted)
        elif wanted is not TaskStatus.PENDING:
            with pytest.raises(IllegalTransition, match=f"phase git_clone is {current} and cannot become {wanted}"):
                await _finish(database, held, wanted)
        if wanted is current:
            continue
        with pytest.raises(IllegalTransition):
            state.status = wanted
        over = "NULL" if wanted in {TaskStatus.PENDING, TaskStatus.RUNNING} else "'2030-01-01'"
        with pytest.raises(IntegrityError, match=r"may not follow|counted up"):
            await execute(
                database,
                f"UPDATE spec_automation_task_state SET status = '{wanted}', started_at = '2029-01-01',"
                f" completed_at = {over} WHERE phase = 'git_clone'",
            )
    for wanted in TASK_TRANSITIONS[current] - {TaskStatus.RUNNING}:
        twin = await begun_run(database)
        await phase_that_is(database, twin, PHASE, current)
        await _finish(database, twin, wanted)
        assert (await read_phase(database, twin.run_id, PHASE)).status is wanted


async def test_no_phase_starts_before_the_run(database: Database) -> None:
    held = await claimed_run(database)
    with pytest.raises(IllegalTransition, match="is queued"):
        await _start(database, held)


async def test_of_two_who_end_a_phase_one_wins(database: Database) -> None:
    held = await begun_run(database)
    await _start(database, held)
    results = await asyncio.gather(
        _finish(database, held, TaskStatus.SUCCEEDED),
        _finish(database, held, TaskStatus.FAILED),
        return_exceptions=True,
    )
    assert [type(result) for result in results].count(IllegalTransition) == 1
    assert results.count(None) == 1


async def test_the_model_counts_attempts_up_too() -> None:
    state = SpecAutomationTaskState(phase=PHASE, attempt=2)
    state.attempt = 3
    with pytest.raises(ValueError, match="attempt 1 after 3"):
        state.attempt = 1
    with pytest.raises(ValueError, match="attempt -1"):
        SpecAutomationTaskState(phase=PHASE, attempt=-1)


@pytest.mark.parametrize("status", [TaskStatus.SUCCEEDED, TaskStatus.FAILED])
async def test_a_phase_that_ended_names_its_logs(database: Database, status: TaskStatus) -> None:
    held = await begun_run(database)
    await _start(database, held)
    stdout = await recorded_log(database, held)
    stderr = await recorded_log(database, held, artifact_type=ArtifactType.STDERR_LOG, name="e")
    await _finish(database, held, status)
    state = await read_phase(database, held.run_id, PHASE)
    assert (state.stdout_path, state.stderr_path) == (stdout.storage_path, stderr.storage_path)
    assert stdout.task_state_id == state.task_state_id
    for column in ("stdout_path", "stderr_path"):
        with pytest.raises(IntegrityError, match="names its logs"):
            await execute(database, f"UPDATE spec_automation_task_state SET {column} = NULL WHERE phase = 'git_clone'")


async def test_a_log_recorded_after_the_end_is_named_too(database: Database) -> None:
    held = await begun_run(database)
    await _start(database, held)
    await _finish(database, held, TaskStatus.FAILED)
    assert (await read_phase(database, held.run_id, PHASE)).stdout_path is None, "no log, no path"
    log = await recorded_log(database, held)
    assert (await read_phase(database, held.run_id, PHASE)).stdout_path == log.storage_path


async def test_a_new_attempt_does_not_name_the_log_of_an_old_one(database: Database) -> None:
    held = await begun_run(database)
    await _start(database, held)
    await recorded_log(database, held)
    await _start(database, held)
    await _finish(database, held, TaskStatus.SUCCEEDED)
    assert (await read_phase(database, held.run_id, PHASE)).stdout_path is None
    await recorded_log(database, held, sha256="1" * 64)
    assert (await read_phase(database, held.run_id, PHASE)).stdout_path is None


async def test_a_path_may_be_given_if_it_is_the_recorded_one(database: Database) -> None:
    held = await begun_run(database)
    await _start(database, held)
    log = await recorded_log(database, held)
    with pytest.raises(ValueError, match="is not the recorded stdout_log"):
        await _finish(database, held, TaskStatus.SUCCEEDED, stdout_path=f"{held.run_id}/artifacts/other")
    for path in ("/etc/passwd", "../x", ""):
        with pytest.raises(ValueError, match="not a plain relative path"):
            await _finish(database, held, TaskStatus.SUCCEEDED, stderr_path=path)
    await _finish(database, held, TaskStatus.SUCCEEDED, stdout_path=log.storage_path)
    assert (await read_phase(database, held.run_id, PHASE)).stdout_path == log.storage_path
