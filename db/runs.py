"""The life of a run, from the accepted command to its end. All functions work inside the caller's transaction.

Whatever takes a lease proves it first and raises LeaseLost when somebody else holds the run by now. Statuses change
only in statements that name the statuses they may follow (db/vocabulary.py). Leases, phases and questions live in
files of their own; their names are offered here too, so that callers say ``runs.claim`` and ``runs.start_phase``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any, TypedDict, Unpack
from uuid import UUID

from sqlalchemy import case, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from db.base import relative_path
from db.errors import AgentNotAllowed, IllegalTransition, ImmutableRecord, LeaseLost, RunNotFound
from db.leases import Lease, claim, claim_finished, database_now, guard, release, renew
from db.models import AgentConfiguration, AutomationArtifact, RunReport, SpecAutomationRun, SpecAutomationTaskState
from db.opening import NewRun, hold_issue, open_run
from db.reservations import give_back
from db.run_queries import (
    cancel_requested,
    comments_to_fold,
    find_run,
    get_run,
    list_runs,
    newest_at_commit,
    newest_pull_request,
    run_of_command,
    runs_of_issue,
    runs_of_pull_request,
    runs_to_clean,
    runs_to_report,
    runs_to_tell,
    runs_to_wake,
)
from db.task_states import close_open_phases, finish_phase, retry_phase, start_phase
from db.types import JsonObject, clean_json, clean_text
from db.vocabulary import (
    AGENT_PHASES,
    RUN_TRANSITIONS,
    RunStatus,
    TaskStatus,
)

__all__ = [
    "AgentNotAllowed",
    "IllegalTransition",
    "ImmutableRecord",
    "Lease",
    "LeaseLost",
    "NewRun",
    "ReportFields",
    "RunNotFound",
    "begin",
    "cancel_requested",
    "claim",
    "claim_finished",
    "comments_to_fold",
    "database_now",
    "find_run",
    "finish_phase",
    "finish_run",
    "get_run",
    "guard",
    "hold_issue",
    "list_runs",
    "newest_at_commit",
    "newest_pull_request",
    "note_report",
    "open_run",
    "record_agent",
    "record_branch",
    "record_cleanup",
    "record_container",
    "record_feature_directory",
    "record_head",
    "record_source",
    "record_target",
    "record_visibility",
    "release",
    "renew",
    "request_cancel",
    "retry_phase",
    "run_of_command",
    "runs_of_issue",
    "runs_of_pull_request",
    "runs_to_clean",
    "runs_to_report",
    "runs_to_tell",
    "runs_to_wake",
    "set_visibility",
    "start_phase",
]

MIN_RETENTION_DAYS = 7
DEFAULT_RETENTION_DAYS = 30


class ReportFields(TypedDict, total=False):
    """The columns of RunReport that ``note_report`` may set."""

    comment_id: int | None
    comment_url: str | None
    comment_node_id: str | None
    comment_intended_at: datetime | None
    comment_folded_at: datetime | None
    check_run_id: int | None
    check_run_sha: str | None
    check_intended_at: datetime | None
    pull_request_number: int | None
    pull_request_url: str | None
    pull_request_intended_at: datetime | None
    last_digest: str | None
    final_reported_at: datetime | None


async def begin(session: AsyncSession, lease: Lease, worker_hostname: str, deadline_at: datetime) -> None:
    """``queued`` becomes ``in_progress``. A run that is in progress keeps its start and its deadline; only its worker
    is noted anew. Raises LeaseLost, IllegalTransition."""
    status = await guard(session, lease)
    if status is RunStatus.IN_PROGRESS:
        await _set(session, lease.run_id, worker_hostname=worker_hostname)
        return
    await _change_status(
        session,
        lease.run_id,
        RunStatus.IN_PROGRESS,
        started_at=await database_now(session),
        deadline_at=deadline_at,
        worker_hostname=worker_hostname,
    )


async def record_visibility(session: AsyncSession, lease: Lease, private: bool) -> None:
    """Whether the run's repository is private, as GitHub says now: then its page is not public. Raises LeaseLost."""
    await guard(session, lease)
    await _set(session, lease.run_id, private=private)


async def set_visibility(session: AsyncSession, repository_id: int, private: bool) -> None:
    """The same for every run of a repository, told by GitHub outside any run."""
    other = (
        await session.scalars(
            select(SpecAutomationRun.run_id)
            .where(SpecAutomationRun.repository_id == repository_id, SpecAutomationRun.private.is_(not private))
            .order_by(SpecAutomationRun.run_id)
            .with_for_update()
        )
    ).all()
    if other:
        await session.execute(
            update(SpecAutomationRun)
            .where(SpecAutomationRun.repository_id == repository_id, SpecAutomationRun.private.is_(not private))
            .values(private=private)
            .execution_options(synchronize_session=False)
        )


async def record_source(session: AsyncSession, lease: Lease, base_branch: str, base_sha: str) -> None:
    """The branch and the commit (40 or 64 hex digits) the run builds on. Raises LeaseLost."""
    await guard(session, lease)
    await _set(session, lease.run_id, base_branch=base_branch, base_sha=base_sha)


async def record_container(session: AsyncSession, lease: Lease, container_id: str | None) -> None:
    """The job container, or None once it is gone. Raises LeaseLost."""
    await guard(session, lease)
    await _set(session, lease.run_id, job_container_id=container_id)


async def record_branch(session: AsyncSession, lease: Lease, branch_name: str) -> None:
    """The branch of the run. Raises LeaseLost."""
    await guard(session, lease)
    await _set(session, lease.run_id, branch_name=branch_name)


async def record_head(session: AsyncSession, lease: Lease, head_sha: str) -> None:
    """The commit at the head of the run's branch. Raises LeaseLost."""
    await guard(session, lease)
    await _set(session, lease.run_id, head_sha=head_sha)


async def record_target(
    session: AsyncSession, lease: Lease, pull_request_number: int, branch_name: str, feature_directory: str | None
) -> None:
    """The pull request of ours that the run goes on with. Raises LeaseLost, ValueError."""
    await guard(session, lease)
    known = {} if feature_directory is None else {"feature_directory": relative_path(feature_directory)}
    await _set(session, lease.run_id, pull_request_number=pull_request_number, branch_name=branch_name, **known)


async def record_feature_directory(session: AsyncSession, lease: Lease, path: str) -> None:
    """The folder of the specification, relative to the repository. Raises LeaseLost, ValueError."""
    await guard(session, lease)
    await _set(session, lease.run_id, feature_directory=relative_path(path))


async def record_agent(
    session: AsyncSession,
    lease: Lease,
    agent_backend: str,
    agent_version: str,
    prompt_pack_version: str,
    runtime_env: Mapping[str, Any],
    *,
    allowed: Collection[str],
) -> None:
    """The snapshot of the agent that works on the run; the same again is nothing new. ``allowed``: the operator's
    whitelist. Raises LeaseLost; AgentNotAllowed; ImmutableRecord when another snapshot was written before."""
    await guard(session, lease)
    if agent_backend not in allowed:
        raise AgentNotAllowed(f"agent backend {agent_backend} is not one of: {', '.join(sorted(allowed))}")
    environment: JsonObject = clean_json(dict(runtime_env))
    wanted = (agent_backend, clean_text(agent_version), clean_text(prompt_pack_version), environment)
    known = await session.scalar(select(AgentConfiguration).where(AgentConfiguration.run_id == lease.run_id))
    if known is None:
        await session.execute(
            insert(AgentConfiguration).values(
                run_id=lease.run_id,
                agent_backend=agent_backend,
                agent_version=agent_version,
                prompt_pack_version=prompt_pack_version,
                runtime_env=environment,
                created_at=await database_now(session),
            )
        )
    elif (known.agent_backend, known.agent_version, known.prompt_pack_version, known.runtime_env) != wanted:
        raise ImmutableRecord(f"run {lease.run_id} has another agent configuration already")


async def finish_run(
    session: AsyncSession,
    lease: Lease,
    status: RunStatus,
    result_summary: str,
    error_code: str | None = None,
    *,
    retention_days: int = DEFAULT_RETENTION_DAYS,
) -> None:
    """End the run: phases still open are closed, and its artifacts are kept ``retention_days`` (at least 7) from now.

    Raises LeaseLost, IllegalTransition, ValueError.
    """
    if retention_days < MIN_RETENTION_DAYS:
        raise ValueError(f"artifacts are kept for at least {MIN_RETENTION_DAYS} days, not {retention_days}")
    await guard(session, lease)
    now = await database_now(session)
    started_at = await session.scalar(
        select(SpecAutomationRun.started_at).where(SpecAutomationRun.run_id == lease.run_id)
    )
    # The machine's clock may have been set back since the run began.
    now = max(now, started_at or now)
    await close_open_phases(session, lease.run_id, now)
    await session.execute(
        update(AutomationArtifact)
        .where(AutomationArtifact.run_id == lease.run_id)
        .values(expires_at=now + timedelta(days=retention_days))
        .execution_options(synchronize_session=False)
    )
    await _change_status(
        session, lease.run_id, status, completed_at=now, result_summary=result_summary, error_code=error_code
    )
    if not await _may_publish_yet(session, lease.run_id, status):
        await give_back(session, lease)


async def _may_publish_yet(session: AsyncSession, run_id: UUID, status: RunStatus) -> bool:
    """Whether the run's feature directory is on its branch, or a retry may yet bring it there."""
    if status is RunStatus.SUCCEEDED:
        dry_run = await session.scalar(select(SpecAutomationRun.dry_run).where(SpecAutomationRun.run_id == run_id))
        return not dry_run
    written = select(SpecAutomationTaskState.task_state_id).where(
        SpecAutomationTaskState.run_id == run_id,
        SpecAutomationTaskState.phase.in_(AGENT_PHASES),
        SpecAutomationTaskState.status == TaskStatus.SUCCEEDED,
    )
    return (await session.scalar(written.limit(1))) is not None


async def record_cleanup(session: AsyncSession, lease: Lease, succeeded: bool) -> None:
    """Whether everything of the run is gone from the engine; if so its container id is cleared. Raises LeaseLost."""
    await guard(session, lease)
    container = {"job_container_id": None} if succeeded else {}
    await _set(session, lease.run_id, cleanup_succeeded=succeeded, **container)


async def request_cancel(session: AsyncSession, run_id: UUID, by: str) -> bool:
    """Ask for the run to stop; the first to ask is remembered. False when it is over. Raises RunNotFound."""
    asked = await session.execute(
        update(SpecAutomationRun)
        .where(
            SpecAutomationRun.run_id == run_id,
            SpecAutomationRun.status.in_((RunStatus.QUEUED, RunStatus.IN_PROGRESS)),
        )
        .values(
            cancel_requested_at=_unless_set(SpecAutomationRun.cancel_requested_at, await database_now(session)),
            cancel_requested_by=_unless_set(SpecAutomationRun.cancel_requested_by, by),
        )
        .returning(SpecAutomationRun.run_id)
        .execution_options(synchronize_session=False)
    )
    if asked.scalar_one_or_none() is not None:
        return True
    if await session.scalar(select(SpecAutomationRun.run_id).where(SpecAutomationRun.run_id == run_id)) is None:
        raise RunNotFound(run_id)
    return False


async def note_report(session: AsyncSession, lease: Lease | None, run_id: UUID, **fields: Unpack[ReportFields]) -> None:
    """Remember what was made, or is about to be made, on GitHub. Without a lease only from outside the pipeline
    (the first comment, a report made up for later). Raises LeaseLost, RunNotFound, ValueError."""
    if lease is not None:
        if lease.run_id != run_id:
            raise ValueError(f"the lease is on run {lease.run_id}, not {run_id}")
        await guard(session, lease)
    unknown = fields.keys() - ReportFields.__annotations__.keys()
    if unknown or not fields:
        raise ValueError(f"not columns of a report: {', '.join(sorted(unknown)) or 'nothing given'}")
    noted = await session.execute(
        update(RunReport)
        .where(RunReport.run_id == run_id)
        .values(**fields)
        .returning(RunReport.run_id)
        .execution_options(synchronize_session=False)
    )
    if noted.scalar_one_or_none() is None:
        raise RunNotFound(run_id)


def _unless_set(column: Any, value: Any) -> Any:
    return case((column.is_(None), value), else_=column)


async def _set(session: AsyncSession, run_id: UUID, **values: Any) -> None:
    await session.execute(
        update(SpecAutomationRun)
        .where(SpecAutomationRun.run_id == run_id)
        .values(**values)
        .execution_options(synchronize_session=False)
    )


async def _change_status(session: AsyncSession, run_id: UUID, wanted: RunStatus, **values: Any) -> None:
    may_follow = [current for current, following in RUN_TRANSITIONS.items() if wanted in following]
    changed = await session.execute(
        update(SpecAutomationRun)
        .where(SpecAutomationRun.run_id == run_id, SpecAutomationRun.status.in_(may_follow))
        .values(status=wanted, **values)
        .returning(SpecAutomationRun.run_id)
        .execution_options(synchronize_session=False)
    )
    if changed.scalar_one_or_none() is None:
        current = await session.scalar(select(SpecAutomationRun.status).where(SpecAutomationRun.run_id == run_id))
        raise IllegalTransition(f"run {run_id}", str(current), wanted)
