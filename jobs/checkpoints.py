"""What agents finished before: by an earlier worker of this run, or in the runs that this one retries."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from db.errors import ArtifactUnavailable, RunNotFound
from db.models import AutomationArtifact, SpecAutomationRun
from db.runs import get_run
from db.session import Database
from db.vocabulary import TAKEN_OVER, ErrorCode, Phase, TaskStatus
from jobs.errors import AppError, UserError
from jobs.phases import speckit
from jobs.run_context import Checkpoint, PhaseState, Pinned, RunRequest
from jobs.run_folder import RunFolder

logger = logging.getLogger(__name__)


async def recall_checkpoints(
    database: Database, folder: RunFolder, request: RunRequest
) -> tuple[Pinned, list[Checkpoint]]:
    """The checkpoints in the order of the phases, and what they were made on. One of this run that cannot be read is
    worked for again, and so is everything after it.

    Raises UserError ``request.invalid`` for one of an earlier run: what was taken over cannot become this run's work.
    """
    if request.base_sha is None and request.retry_of is None:
        return Pinned(), []
    origins = [_origin(request, request.phases[phase]) for phase in request.agent_phases]
    async with database.transaction() as session:
        runs = await _runs(session, {request.run_id, *(origin[0] for origin in origins if origin)})
    checkpoints: list[Checkpoint] = []
    for phase, origin in zip(request.agent_phases, origins, strict=True):
        patch = await _read(folder, runs, origin, phase) if origin else None
        if patch is None:
            if TAKEN_OVER in request.phases[phase].details:
                raise _lost(phase)
            break
        checkpoints.append(speckit.recall(phase, patch, request.phases[phase].details))
    first = origins[0][0] if checkpoints and origins[0] else request.run_id
    return Pinned(request.base_sha, await _init_patch(folder, runs, request, first)), checkpoints


def _origin(request: RunRequest, state: PhaseState) -> tuple[UUID, int] | None:
    """The run and the attempt that a phase was finished in; None for one that was not."""
    taken_over = state.details.get(TAKEN_OVER)
    if isinstance(taken_over, dict):
        return UUID(str(taken_over["run_id"])), int(taken_over["attempt"])
    return (request.run_id, state.attempt) if state.status is TaskStatus.SUCCEEDED else None


async def _runs(session: AsyncSession, run_ids: Iterable[UUID]) -> Mapping[UUID, SpecAutomationRun]:
    found: dict[UUID, SpecAutomationRun] = {}
    for run_id in run_ids:
        try:
            found[run_id] = await get_run(session, run_id)
        except RunNotFound:
            continue
    return found


async def _read(
    folder: RunFolder, runs: Mapping[UUID, SpecAutomationRun], origin: tuple[UUID, int], phase: Phase
) -> bytes | None:
    """The patch that a phase left in one of its attempts; None when it is not what was kept any more."""
    run_id, attempt = origin
    if run_id not in runs:
        return None
    found = [artifact for artifact in _patches(runs[run_id], phase) if artifact.attempt == attempt]
    if not found:
        return None
    try:
        return await folder.read(found[0])
    except (ArtifactUnavailable, AppError, OSError) as error:
        logger.warning("checkpoint_lost", extra={"run": str(run_id), "phase": phase.value, "detail": str(error)})
        return None


async def _init_patch(
    folder: RunFolder, runs: Mapping[UUID, SpecAutomationRun], request: RunRequest, first: UUID
) -> bytes:
    """What ``specify init`` wrote the first time, in this run or in the one its first checkpoint comes from. On another
    commit it means nothing."""
    candidates = [request.run_id, first] if runs[first].base_sha == request.base_sha else [request.run_id]
    for run_id in candidates:
        for artifact in _patches(runs[run_id], Phase.GIT_CLONE):
            patch = await _read(folder, runs, (run_id, artifact.attempt), Phase.GIT_CLONE)
            if patch is not None:
                return patch
    return b""


def _patches(run: SpecAutomationRun, phase: Phase) -> list[AutomationArtifact]:
    """The oldest attempt first."""
    named = [artifact for artifact in run.artifacts if artifact.name == f"phase-{phase}.patch"]
    return sorted(named, key=lambda artifact: artifact.attempt)


def _lost(phase: Phase) -> UserError:
    verb = phase.value.removeprefix("speckit_")
    return UserError(
        ErrorCode.REQUEST_INVALID,
        f"What {phase} made in the run before is not kept any more. `retry {verb}` does it again, and what comes after "
        "it.",
    )
