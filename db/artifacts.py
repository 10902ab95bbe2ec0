"""Outputs kept after a run: their rows, and the one way from a row to a file.

Files are written by the worker under ``{artifact root}/{run_id}/artifacts``. Whoever reads one comes with ids, never
with a path, and the path of the row is trusted as little as any other.
"""

from __future__ import annotations

import os
import stat
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypedDict, Unpack
from uuid import UUID

from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from db.base import storage_location
from db.errors import ArtifactUnavailable
from db.leases import Lease, database_now, guard
from db.models import AutomationArtifact, SpecAutomationRun, SpecAutomationTaskState
from db.runs import DEFAULT_RETENTION_DAYS
from db.vocabulary import ArtifactType, Phase, RunStatus, TaskStatus

__all__ = [
    "ArtifactUnavailable",
    "NewArtifact",
    "expired_artifacts",
    "forget_artifact",
    "get_artifact",
    "record_artifact",
    "resolve",
]

_UNFINISHED_RUN = timedelta(days=30)
"""Added to the retention until the run's end, which sets the real time, is known."""


class NewArtifact(TypedDict):
    """What ``record_artifact`` needs to know. ``storage_path`` is ``{run_id}/artifacts/{file name}`` or an https URL;
    ``sha256`` is 64 lower-case hex digits of the content; ``attempt`` is the attempt of ``source_phase``, else 1."""

    name: str
    artifact_type: ArtifactType
    storage_path: str
    content_type: str
    size_bytes: int
    sha256: str
    source_phase: Phase | None
    attempt: int


async def record_artifact(
    session: AsyncSession,
    lease: Lease,
    *,
    retention_days: int = DEFAULT_RETENTION_DAYS,
    **new: Unpack[NewArtifact],
) -> AutomationArtifact:
    """Write down an output of the run. The same name and attempt again takes the place of the first.

    ``retention_days`` counts only for what is recorded after the run's end (the logs of cleanup).
    Raises LeaseLost; ValueError for a path outside the run's own folder.
    """
    await guard(session, lease)
    _check_own_folder(lease.run_id, new["storage_path"])
    now = await database_now(session)
    completed_at = await session.scalar(
        select(SpecAutomationRun.completed_at).where(SpecAutomationRun.run_id == lease.run_id)
    )
    expires_at = max(now, completed_at or now) + timedelta(days=retention_days)
    if completed_at is None:
        expires_at += _UNFINISHED_RUN
    task_state = await session.scalar(
        select(SpecAutomationTaskState)
        .where(SpecAutomationTaskState.run_id == lease.run_id, SpecAutomationTaskState.phase == new["source_phase"])
        .execution_options(populate_existing=True)
    )
    artifact = await session.scalar(
        select(AutomationArtifact)
        .where(
            AutomationArtifact.run_id == lease.run_id,
            AutomationArtifact.name == new["name"],
            AutomationArtifact.attempt == new["attempt"],
        )
        .execution_options(populate_existing=True)
    )
    if artifact is None:
        artifact = AutomationArtifact(run_id=lease.run_id, created_at=now)
        session.add(artifact)
    for column, value in new.items():
        setattr(artifact, column, value)
    artifact.expires_at = expires_at
    artifact.task_state_id = task_state.task_state_id if task_state is not None else None
    await session.flush()
    if task_state is not None:
        await _name_log(session, task_state, artifact)
    return artifact


def _check_own_folder(run_id: UUID, path: str) -> None:
    storage_location(path)
    if path.startswith("https://"):
        return
    folder = f"{run_id}/artifacts/"
    if not path.startswith(folder) or "/" in path.removeprefix(folder):
        raise ValueError(f"artifact path {path!r} is not a file of {folder}")


async def _name_log(session: AsyncSession, task_state: SpecAutomationTaskState, log: AutomationArtifact) -> None:
    # A phase that ended before its log was recorded must name it all the same.
    columns = {ArtifactType.STDOUT_LOG: "stdout_path", ArtifactType.STDERR_LOG: "stderr_path"}
    column = columns.get(log.artifact_type)
    ended = task_state.status in {TaskStatus.SUCCEEDED, TaskStatus.FAILED}
    if column is not None and ended and task_state.attempt == log.attempt:
        await session.execute(
            update(SpecAutomationTaskState)
            .where(SpecAutomationTaskState.task_state_id == task_state.task_state_id)
            .values({column: log.storage_path})
            .execution_options(synchronize_session=False)
        )


async def get_artifact(session: AsyncSession, run_id: UUID, artifact_id: UUID) -> AutomationArtifact | None:
    """The artifact of that run, or None: also for an id that belongs to another run."""
    return await session.scalar(
        select(AutomationArtifact).where(
            AutomationArtifact.artifact_id == artifact_id, AutomationArtifact.run_id == run_id
        )
    )


async def expired_artifacts(session: AsyncSession, *, limit: int = 100) -> list[AutomationArtifact]:
    """Artifacts whose time is over by the database's clock, oldest first; never those of a run that is not over."""
    return list(
        await session.scalars(
            select(AutomationArtifact)
            .join(SpecAutomationRun, SpecAutomationRun.run_id == AutomationArtifact.run_id)
            .where(*_expired(await database_now(session)))
            .order_by(AutomationArtifact.expires_at, AutomationArtifact.artifact_id)
            .limit(limit)
        )
    )


async def forget_artifact(session: AsyncSession, artifact_id: UUID) -> bool:
    """Delete the row of an artifact whose file was removed. False, and nothing happens, when its time is not over."""
    expired = (
        select(AutomationArtifact.artifact_id)
        .join(SpecAutomationRun, SpecAutomationRun.run_id == AutomationArtifact.run_id)
        .where(*_expired(await database_now(session)), AutomationArtifact.artifact_id == artifact_id)
    )
    forgotten = await session.execute(
        delete(AutomationArtifact)
        .where(AutomationArtifact.artifact_id.in_(expired))
        .returning(AutomationArtifact.artifact_id)
        .execution_options(synchronize_session=False)
    )
    return forgotten.scalar_one_or_none() is not None


def _expired(now: datetime) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    alive = (RunStatus.QUEUED, RunStatus.IN_PROGRESS)
    return (AutomationArtifact.expires_at <= now, SpecAutomationRun.status.not_in(alive))


def resolve(root: Path, artifact: AutomationArtifact) -> Path:
    """The artifact's file: a regular file in the run's own folder under ``root``, reached through no link.

    Blocking. Raises ArtifactUnavailable for anything else: gone, elsewhere, a link, a pipe, a folder, or a URL.
    """
    relative = _relative(artifact)
    try:
        top = root.resolve(strict=True)
        path = top / relative
        # The store is written by us and holds no links, so one on the way was planted.
        if path.resolve(strict=True) != path:
            raise ArtifactUnavailable(f"{artifact.name} is not stored where artifacts are")
        status = path.lstat()
    except (OSError, ValueError, RuntimeError) as error:
        raise ArtifactUnavailable(f"{artifact.name} is gone") from error
    _check_regular(artifact, status)
    return path


def _relative(artifact: AutomationArtifact) -> str:
    path = artifact.storage_path
    try:
        _check_own_folder(artifact.run_id, path)
    except ValueError as error:
        raise ArtifactUnavailable(f"{artifact.name} is not stored where artifacts are") from error
    if path.startswith("https://"):
        raise ArtifactUnavailable(f"{artifact.name} is stored elsewhere")
    return path


def _check_regular(artifact: AutomationArtifact, status: os.stat_result) -> None:
    # A second name for the file means that it was linked in from somewhere.
    if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
        raise ArtifactUnavailable(f"{artifact.name} is not a regular file")
