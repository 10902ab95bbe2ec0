"""A run's life in the database."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from db import runs
from db.models import AgentConfiguration, RunReport, SpecAutomationRun
from db.runs import AgentNotAllowed, IllegalTransition, ImmutableRecord, NewRun, RunNotFound
from db.session import Database
from db.vocabulary import (
    AGENT_PHASES,
    AGENT_PHASES_OF,
    MAIN_PHASES,
    RUN_TRANSITIONS,
    ArtifactType,
    Phase,
    RunStatus,
    TaskStatus,
    Verb,
    phases_of,
)
from tests.db.rows import (
    DEADLINE,
    begun_run,
    count,
    execute,
    new_run,
    phase_that_is,
    queued_run,
    read_phase,
    read_run,
    recorded_log,
    run_that_is,
)


async def test_an_accepted_command_becomes_a_queued_run(database: Database) -> None:
    new = new_run(external_ref="ticket-9", base_branch="develop", requested_agent="template")
    async with database.transaction() as session:
        run, created = await runs.open_run(session, new)
    assert created
    for field in NewRun.__dataclass_fields__.keys() - {"publishes", "taken_over"}:
        assert getattr(run, field) == getattr(new, field), field
    assert (run.status, run.lease_epoch, run.crash_count, run.started_at) == (RunStatus.QUEUED, 0, 0, None)
    assert [(state.phase, state.status, state.attempt) for state in run.task_states] == [
        (phase, TaskStatus.PENDING, 0) for phase in phases_of(Verb.SPECIFY)
    ]
    assert (run.artifacts, run.agent_configuration, run.report.comment_id) == ([], None, None)


@pytest.mark.parametrize(
    ("changes", "skipped"),
    [
        ({"until_phase": Phase.SPECKIT_TASKS}, []),
        ({"until_phase": Phase.SPECKIT_PLAN}, [Phase.SPECKIT_TASKS]),
        ({"until_phase": Phase.SPECKIT_SPECIFY}, [Phase.SPECKIT_PLAN, Phase.SPECKIT_TASKS]),
        ({"dry_run": True}, [Phase.COMMIT_PUSH, Phase.OPEN_PR]),
        ({"verb": Verb.PLAN}, [Phase.SPECKIT_SPECIFY]),
        ({"verb": Verb.PLAN, "until_phase": Phase.SPECKIT_PLAN}, [Phase.SPECKIT_SPECIFY, Phase.SPECKIT_TASKS]),
        ({"verb": Verb.TASKS}, [Phase.SPECKIT_SPECIFY, Phase.SPECKIT_PLAN]),
        ({"verb": Verb.ANALYZE, "publishes": False}, [Phase.COMMIT_PUSH, Phase.OPEN_PR]),
        ({"verb": Verb.REFINE}, []),
    ],
)
async def test_what_was_not_asked_for_is_skipped(
    database: Database, changes: dict[str, Any], skipped: list[Phase]
) -> None:
    run = await read_run(database, await queued_run(database, **changes))
    assert [state.phase for state in run.task_states if state.status is TaskStatus.SKIPPED] == skipped


async def test_a_phase_no_agent_works_in_is_no_end(database: Database) -> None:
    with pytest.raises(ValueError, match="specify does not come through open_pr"):
        await queued_run(database, until_phase=Phase.OPEN_PR)


@pytest.mark.parametrize("verb", list(Verb))
async def test_a_run_has_the_phases_of_its_verb_in_their_order(database: Database, verb: Verb) -> None:
    run = await read_run(database, await queued_run(database, verb=verb))
    phases = [Phase(state.phase) for state in run.task_states]
    assert phases == sorted(phases, key=list(Phase).index)
    assert {Phase.PREPARE_JOB, Phase.COMMIT_PUSH, Phase.OPEN_PR, Phase.CLEANUP, *AGENT_PHASES_OF[verb]} <= set(phases)
    worked_for = [phase for phase in phases if phase in AGENT_PHASES]
    assert worked_for == list(MAIN_PHASES if verb in {Verb.SPECIFY, Verb.PLAN, Verb.TASKS} else AGENT_PHASES_OF[verb])


async def test_a_retry_takes_over_what_was_finished(database: Database) -> None:
    details = {"heading": "Pay", "taken_over": {"run_id": str(uuid4()), "attempt": 1}}
    new = new_run(taken_over={Phase.SPECKIT_SPECIFY: details})
    async with database.transaction() as session:
        run, _ = await runs.open_run(session, new)
    states = {state.phase: state for state in run.task_states}
    assert (states[Phase.SPECKIT_SPECIFY].status, states[Phase.SPECKIT_SPECIFY].details) == ("skipped", details)
    assert states[Phase.SPECKIT_PLAN].status is TaskStatus.PENDING


async def test_a_command_opens_one_run_however_often_it_comes(database: Database) -> None:
    new = new_run()

    async def open_it() -> tuple[SpecAutomationRun, bool]:
        async with database.transaction() as session:
            return await runs.open_run(session, new)

    opened = await asyncio.gather(*(open_it() for _ in range(8)))
    assert sorted(created for _, created in opened) == [False] * 7 + [True]
    assert len({run.run_id for run, _ in opened}) == 1
    async with database.transaction() as session:
        assert await count(session, "spec_automation_run") == 1
        assert await count(session, "spec_automation_task_state") == 9
        assert await count(session, "run_report") == 1


async def test_beginning_again_keeps_start_and_deadline(database: Database) -> None:
    held = await begun_run(database)
    first = await read_run(database, held.run_id)
    assert (first.status, first.worker_hostname, first.deadline_at) == (RunStatus.IN_PROGRESS, "host-1", DEADLINE)
    async with database.transaction() as session:
        await runs.begin(session, held.lease, "host-2", DEADLINE + timedelta(days=1))
    again = await read_run(database, held.run_id)
    assert (again.started_at, again.deadline_at) == (first.started_at, DEADLINE)
    assert again.worker_hostname == "host-2"


@pytest.mark.parametrize("current", RunStatus)
async def test_a_run_goes_only_the_ways_of_the_table(database: Database, current: RunStatus) -> None:
    """In the functions, in the model and in the database itself."""
    held = await run_that_is(database, current)
    run = await read_run(database, held.run_id)
    for wanted in set(RunStatus) - RUN_TRANSITIONS[current] - {current}:
        with pytest.raises(IllegalTransition):
            run.status = wanted
        ended = "created_at" if wanted.is_terminal else "NULL"
        with pytest.raises(IntegrityError, match="may not follow"):
            await execute(
                database,
                f"UPDATE spec_automation_run SET status = '{wanted}', result_summary = 'x', completed_at = {ended},"
                f" started_at = {'NULL' if wanted is RunStatus.QUEUED else 'created_at'}",
            )
    for wanted in RunStatus:
        if wanted.is_terminal and wanted not in RUN_TRANSITIONS[current]:
            with pytest.raises(IllegalTransition, match=f"is {current} and cannot become {wanted}"):
                async with database.transaction() as session:
                    await runs.finish_run(session, held.lease, wanted, "No.")
    if current.is_terminal:
        with pytest.raises(IllegalTransition):
            async with database.transaction() as session:
                await runs.begin(session, held.lease, "host", DEADLINE)


@pytest.mark.parametrize("wanted", [status for status in RunStatus if status.is_terminal])
async def test_a_run_ends_in_each_of_the_ways(database: Database, wanted: RunStatus) -> None:
    held = await begun_run(database)
    async with database.transaction() as session:
        await runs.finish_run(session, held.lease, wanted, "It ended.")
    run = await read_run(database, held.run_id)
    assert (run.status, run.result_summary) == (wanted, "It ended.")


async def test_a_failed_run_says_why(database: Database) -> None:
    held = await begun_run(database)
    with pytest.raises(IntegrityError, match="failure_has_a_reason"):
        async with database.transaction() as session:
            await runs.finish_run(session, held.lease, RunStatus.FAILED, "")
    async with database.transaction() as session:
        await runs.finish_run(session, held.lease, RunStatus.FAILED, "Cancelled by bob.", "run.cancelled")
    run = await read_run(database, held.run_id)
    assert (run.status, run.result_summary, run.error_code) == (RunStatus.FAILED, "Cancelled by bob.", "run.cancelled")
    assert run.started_at is not None
    assert run.completed_at is not None
    assert run.completed_at >= run.started_at


async def test_success_has_no_error_code(database: Database) -> None:
    held = await begun_run(database)
    with pytest.raises(IntegrityError, match="error_code_of_a_failure"):
        async with database.transaction() as session:
            await runs.finish_run(session, held.lease, RunStatus.SUCCEEDED, "Done.", "run.internal")


async def test_a_run_that_is_over_has_no_phase_in_the_air(database: Database) -> None:
    held = await begun_run(database, until_phase=Phase.SPECKIT_PLAN)
    await phase_that_is(database, held, Phase.PREPARE_JOB, TaskStatus.SUCCEEDED)
    await phase_that_is(database, held, Phase.START_JOB_CONTAINER, TaskStatus.RETRYING)
    await phase_that_is(database, held, Phase.GIT_CLONE, TaskStatus.RUNNING)
    log = await recorded_log(database, held)
    async with database.transaction() as session:
        await runs.finish_run(session, held.lease, RunStatus.FAILED, "No.")
    run = await read_run(database, held.run_id)
    assert [state.status.value for state in run.task_states] == [
        "succeeded",
        "failed",
        "failed",
        "skipped",
        "skipped",
        "skipped",
        "skipped",
        "skipped",
        "pending",
    ]
    assert run.task_states[2].stdout_path == log.storage_path


async def test_cleanup_may_come_after_the_end(database: Database) -> None:
    held = await run_that_is(database, RunStatus.SUCCEEDED)
    await phase_that_is(database, held, Phase.CLEANUP, TaskStatus.SUCCEEDED)
    await recorded_log(database, held, source_phase=Phase.CLEANUP, name="phase-cleanup.stdout")
    assert (await read_phase(database, held.run_id, Phase.CLEANUP)).stdout_path is not None
    with pytest.raises(IllegalTransition):
        await phase_that_is(database, held, Phase.OPEN_PR, TaskStatus.RUNNING)


async def test_what_the_phases_find_out_is_recorded(database: Database) -> None:
    held = await begun_run(database)
    async with database.transaction() as session:
        await runs.record_source(session, held.lease, "trunk", "a" * 40)
        await runs.record_container(session, held.lease, "c0ffee")
        await runs.record_branch(session, held.lease, "speckit/20261122/7f3a9c")
        await runs.record_head(session, held.lease, "b" * 40)
        await runs.record_feature_directory(session, held.lease, "specs/001-pay-by-invoice")
    run = await read_run(database, held.run_id)
    assert (run.base_branch, run.base_sha, run.head_sha) == ("trunk", "a" * 40, "b" * 40)
    assert (run.job_container_id, run.branch_name) == ("c0ffee", "speckit/20261122/7f3a9c")
    assert run.feature_directory == "specs/001-pay-by-invoice"


@pytest.mark.parametrize("path", ["/etc", "../x", "specs/../../x", "specs//x", "", "specs\\x", "specs/\n", "specs/."])
async def test_the_feature_directory_stays_in_the_repository(sqlite_url: str, path: str) -> None:
    database = Database.open(sqlite_url)
    held = await begun_run(database)
    with pytest.raises(ValueError, match="not a plain relative path"):
        async with database.transaction() as session:
            await runs.record_feature_directory(session, held.lease, path)
    await database.close()


async def test_cleanup_forgets_the_container(database: Database) -> None:
    held = await begun_run(database)
    async with database.transaction() as session:
        await runs.record_container(session, held.lease, "c0ffee")
        await runs.record_cleanup(session, held.lease, False)
    run = await read_run(database, held.run_id)
    assert (run.cleanup_succeeded, run.job_container_id) == (False, "c0ffee")
    async with database.transaction() as session:
        await runs.record_cleanup(session, held.lease, True)
    run = await read_run(database, held.run_id)
    assert (run.cleanup_succeeded, run.job_container_id) == (True, None)


async def _record_agent(database: Database, held: Any, **changes: Any) -> None:
    values = {"agent_backend": "template", "agent_version": "0.1.0", "prompt_pack_version": "1.2.3", "runtime_env": {}}
    async with database.transaction() as session:
        await runs.record_agent(session, held.lease, **{**values, **changes}, allowed=("template", "codex_cli"))


async def test_the_agent_is_a_snapshot(database: Database) -> None:
    held = await begun_run(database)
    await _record_agent(database, held, runtime_env={"RATE": "5"})
    await _record_agent(database, held, runtime_env={"RATE": "5"})
    configuration = (await read_run(database, held.run_id)).agent_configuration
    assert configuration is not None
    assert (configuration.agent_backend, configuration.agent_version) == ("template", "0.1.0")
    assert (configuration.prompt_pack_version, configuration.runtime_env) == ("1.2.3", {"RATE": "5"})
    assert configuration.created_at.tzinfo is not None
    changes: list[dict[str, Any]] = [
        {"agent_backend": "codex_cli"},
        {"agent_version": "0.2.0"},
        {"prompt_pack_version": "2"},
        {"runtime_env": {}},
    ]
    for change in changes:
        with pytest.raises(ImmutableRecord):
            await _record_agent(database, held, **{"runtime_env": {"RATE": "5"}, **change})


async def test_the_snapshot_can_be_changed_nowhere(database: Database) -> None:
    held = await begun_run(database)
    await _record_agent(database, held)

    async def change() -> None:
        async with database.transaction() as session:
            known = (await session.scalars(select(AgentConfiguration))).one()
            known.agent_version = "0.2.0"

    with pytest.raises(ImmutableRecord):
        await change()
    with pytest.raises(IntegrityError, match="is a snapshot and cannot change"):
        await execute(database, "UPDATE agent_configuration SET agent_version = '0.2.0'")
    with pytest.raises(IntegrityError):
        await execute(database, "INSERT INTO agent_configuration SELECT * FROM agent_configuration")


@pytest.mark.parametrize("field", ["agent_version", "prompt_pack_version"])
async def test_the_versions_are_required(database: Database, field: str) -> None:
    held = await begun_run(database)
    with pytest.raises(IntegrityError, match="not_empty"):
        await _record_agent(database, held, **{field: ""})


async def test_an_agent_the_operator_did_not_list_is_refused(database: Database) -> None:
    held = await begun_run(database)
    with pytest.raises(AgentNotAllowed, match="agent backend future is not one of: codex_cli, template"):
        await _record_agent(database, held, agent_backend="future")
    assert (await read_run(database, held.run_id)).agent_configuration is None


async def test_the_first_to_cancel_is_remembered(database: Database) -> None:
    run_id = await queued_run(database)
    async with database.transaction() as session:
        assert await runs.cancel_requested(session, run_id) is None
        assert await runs.request_cancel(session, run_id, "bob")
        assert await runs.request_cancel(session, run_id, "carol")
        assert await runs.cancel_requested(session, run_id) == "bob"
    assert (await read_run(database, run_id)).cancel_requested_at is not None


async def test_what_is_over_cannot_be_cancelled(database: Database) -> None:
    held = await run_that_is(database, RunStatus.SUCCEEDED)
    async with database.transaction() as session:
        assert not await runs.request_cancel(session, held.run_id, "bob")
        assert await runs.cancel_requested(session, held.run_id) is None


async def test_an_unknown_run_is_said(database: Database) -> None:
    async with database.transaction() as session:
        for question in (
            runs.get_run(session, uuid4()),
            runs.request_cancel(session, uuid4(), "bob"),
            runs.cancel_requested(session, uuid4()),
            runs.note_report(session, None, uuid4(), comment_id=1),
        ):
            with pytest.raises(RunNotFound):
                await question


async def test_the_report_remembers_what_was_made(database: Database) -> None:
    held = await begun_run(database)
    async with database.transaction() as session:
        await runs.note_report(session, None, held.run_id, comment_id=2**40, comment_url="https://github.com/c")
        await runs.note_report(session, held.lease, held.run_id, check_run_id=9, last_digest="d" * 64)
        await runs.note_report(session, held.lease, held.run_id, last_digest=None)
    report = (await read_run(database, held.run_id)).report
    assert (report.comment_id, report.check_run_id, report.last_digest) == (2**40, 9, None)


async def test_the_report_takes_only_its_own_columns(database: Database) -> None:
    held, other = await begun_run(database), await begun_run(database)
    async with database.transaction() as session:
        with pytest.raises(ValueError, match="not columns of a report: lease_epoch"):
            await runs.note_report(session, None, held.run_id, lease_epoch=9)  # type: ignore[call-arg]
        with pytest.raises(ValueError, match="the lease is on run"):
            await runs.note_report(session, held.lease, other.run_id, comment_id=1)
        with pytest.raises(ValueError, match="nothing given"):
            await runs.note_report(session, None, held.run_id)


async def test_a_deleted_run_takes_everything_of_its_own_with_it(database: Database) -> None:
    held, other = await begun_run(database), await begun_run(database)
    for run in (held, other):
        await recorded_log(database, run)
        await recorded_log(database, run, name="e", artifact_type=ArtifactType.STDERR_LOG)
        await _record_agent(database, run)
    async with database.transaction() as session:
        await session.delete(await runs.get_run(session, held.run_id))
    async with database.transaction() as session:
        sizes = {
            name: await count(session, name)
            for name in ("spec_automation_task_state", "automation_artifact", "agent_configuration", "run_report")
        }
        assert (await session.scalars(select(RunReport.run_id))).all() == [other.run_id]
    assert sizes == {
        "spec_automation_task_state": 9,
        "automation_artifact": 2,
        "agent_configuration": 1,
        "run_report": 1,
    }
