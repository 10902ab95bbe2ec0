"""A phase begins and ends: the rows about it. Every function proves the lease first and writes in one statement that
names the statuses it may follow, so two writers can never both win."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, case, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from db.base import storage_location
from db.errors import IllegalTransition
from db.leases import Lease, database_now, guard
from db.models import AutomationArtifact
from db.models import SpecAutomationTaskState as TaskState
from db.types import JsonObject
from db.vocabulary import TASK_TRANSITIONS, ArtifactType, Phase, RunStatus, TaskStatus


def may_become(wanted: TaskStatus) -> list[TaskStatus]:
    """The statuses a task state may have before ``wanted``."""
    return [current for current, following in TASK_TRANSITIONS.items() if wanted in following]


async def start_phase(session: AsyncSession, lease: Lease, phase: Phase) -> int:
    """Begin the next attempt of a phase and return its number. What the attempt before left in the row is cleared.

    Raises LeaseLost; IllegalTransition when the phase was skipped, or the run is not in progress (only cleanup runs
    after its end).
    """
    status = await guard(session, lease)
    if status is not RunStatus.IN_PROGRESS and not (phase is Phase.CLEANUP and status.is_terminal):
        raise IllegalTransition(f"the run, for phase {phase} to start,", status, RunStatus.IN_PROGRESS)
    started = await session.execute(
        update(TaskState)
        .where(
            TaskState.run_id == lease.run_id,
            TaskState.phase == phase,
            TaskState.status.in_(may_become(TaskStatus.RUNNING)),
        )
        .values(
            status=TaskStatus.RUNNING,
            attempt=TaskState.attempt + 1,
            started_at=await database_now(session),
            completed_at=None,
            stdout_path=None,
            stderr_path=None,
            details={},
        )
        .returning(TaskState.attempt)
        .execution_options(synchronize_session=False)
    )
    attempt = started.scalar_one_or_none()
    if attempt is None:
        raise await _refused(session, lease.run_id, phase, TaskStatus.RUNNING)
    return attempt


async def finish_phase(
    session: AsyncSession,
    lease: Lease,
    phase: Phase,
    status: TaskStatus,
    *,
    details: JsonObject | None = None,
    stdout_path: str | None = None,
    stderr_path: str | None = None,
) -> None:
    """End the attempt of a phase, or skip a phase that never began (skipping twice is one skip).

    An attempt that ended names its logs: a path not given is taken from the artifacts recorded for this
    phase and attempt. Raises LeaseLost; IllegalTransition; ValueError for a path that leads out of the artifact root
    or is not the one its artifact was recorded with.
    """
    await guard(session, lease)
    given = {ArtifactType.STDOUT_LOG: stdout_path, ArtifactType.STDERR_LOG: stderr_path}
    paths = await _log_paths(session, lease.run_id, phase, given)
    now = await database_now(session)
    finished = await session.execute(
        update(TaskState)
        .where(TaskState.run_id == lease.run_id, TaskState.phase == phase, TaskState.status.in_(_endable(status)))
        .values(
            status=status,
            completed_at=_not_before(now),
            details=details or {},
            stdout_path=paths[ArtifactType.STDOUT_LOG],
            stderr_path=paths[ArtifactType.STDERR_LOG],
        )
        .returning(TaskState.attempt)
        .execution_options(synchronize_session=False)
    )
    if finished.scalar_one_or_none() is None:
        raise await _refused(session, lease.run_id, phase, status)


async def retry_phase(session: AsyncSession, lease: Lease, phase: Phase, details: JsonObject) -> None:
    """End the attempt of a phase that will be tried again. ``details``: error_code, message (the operator's),
    summary (everybody's), next_try_at."""
    await finish_phase(session, lease, phase, TaskStatus.RETRYING, details=details)


async def close_open_phases(session: AsyncSession, run_id: UUID, now: datetime) -> None:
    """A run that is over has no phase in the air: what never began was skipped, what was under way failed. Cleanup is
    left alone, since it may still come. Logs that were recorded are named."""
    open_phases = (
        await session.execute(
            select(TaskState.phase, TaskState.status).where(
                TaskState.run_id == run_id,
                TaskState.phase != Phase.CLEANUP,
                TaskState.status.in_((TaskStatus.PENDING, TaskStatus.RUNNING, TaskStatus.RETRYING)),
            )
        )
    ).all()
    for phase, status in open_phases:
        began = status is not TaskStatus.PENDING
        paths: dict[ArtifactType, str | None] = {ArtifactType.STDOUT_LOG: None, ArtifactType.STDERR_LOG: None}
        if began:
            paths = await _log_paths(session, run_id, phase, paths)
        await session.execute(
            update(TaskState)
            .where(TaskState.run_id == run_id, TaskState.phase == phase)
            .values(
                status=TaskStatus.FAILED if began else TaskStatus.SKIPPED,
                completed_at=_not_before(now),
                stdout_path=paths[ArtifactType.STDOUT_LOG],
                stderr_path=paths[ArtifactType.STDERR_LOG],
            )
            .execution_options(synchronize_session=False)
        )


def _endable(status: TaskStatus) -> Sequence[TaskStatus]:
    before = may_become(status)
    return [*before, TaskStatus.SKIPPED] if status is TaskStatus.SKIPPED else before


def _not_before(now: datetime) -> ColumnElement[datetime | None]:
    # The machine's clock may have been set back since the attempt began.

    return case((TaskState.started_at > now, TaskState.started_at), else_=now)


async def _log_paths(
    session: AsyncSession, run_id: UUID, phase: Phase, given: dict[ArtifactType, str | None]
) -> dict[ArtifactType, str | None]:
    current_attempt = (
        select(TaskState.attempt).where(TaskState.run_id == run_id, TaskState.phase == phase).scalar_subquery()
    )
    recorded = await session.execute(
        select(AutomationArtifact.artifact_type, AutomationArtifact.storage_path).where(
            AutomationArtifact.run_id == run_id,
            AutomationArtifact.source_phase == phase,
            AutomationArtifact.attempt == current_attempt,
            AutomationArtifact.artifact_type.in_(tuple(given)),
        )
    )
    logs: dict[ArtifactType, str] = {row.artifact_type: row.storage_path for row in recorded}
    for kind, path in given.items():
        if path is not None and logs.setdefault(kind, storage_location(path)) != path:
            raise ValueError(f"phase {phase}: {path} is not the recorded {kind} {logs[kind]}")
    return {kind: logs.get(kind) for kind in given}


async def _refused(session: AsyncSession, run_id: UUID, phase: Phase, wanted: TaskStatus) -> IllegalTransition:
    current = await session.scalar(
        select(func.max(TaskState.status)).where(TaskState.run_id == run_id, TaskState.phase == phase)
    )
    return IllegalTransition(f"phase {phase}", str(current), wanted)
