"""cleanup: nothing of the run is left on the engine, and its figures are kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from db.models import SpecAutomationRun, SpecAutomationTaskState
from db.runs import get_run, record_cleanup
from db.session import Database
from db.vocabulary import ArtifactType, Phase
from jobs.ports import Clock, Containers
from jobs.run_context import Attempt, Details, Finished, Outcome
from jobs.run_folder import RunFolder


@dataclass(frozen=True, slots=True)
class Cleanup:
    """Repeatable until nothing is left. What goes wrong here never changes how the run ended."""

    database: Database
    containers: Containers
    folder: RunFolder
    clock: Clock

    async def execute(self, attempt: Attempt, run_id: UUID, outcome: Outcome) -> Finished[None]:
        """Raises AppError and TransientError ``engine.*``."""
        await self.containers.remove(run_id)
        async with self.database.transaction() as session:
            run = await get_run(session, run_id)
        content = metrics(run, outcome, self.clock.now())
        await self.folder.keep_json(attempt, "metrics.json", content, ArtifactType.METRICS_SNAPSHOT)

        async def record(session: AsyncSession) -> None:
            await record_cleanup(session, attempt.lease, succeeded=True)

        attempt.output.stdout.write(b"nothing of the run is left on the engine\n")
        return Finished(None, {}, record)


def metrics(run: SpecAutomationRun, outcome: Outcome, now: datetime) -> Details:
    """How long each phase took (seconds) and what the agent used (tokens), as far as it said so."""
    states = [state for state in run.task_states if state.phase != Phase.CLEANUP]
    return {
        "run_id": str(run.run_id),
        "status": outcome.status,
        "error_code": outcome.error_code,
        "waited_seconds": _seconds(run.created_at, run.started_at),
        "worked_seconds": _seconds(run.started_at, now),
        "epochs": run.lease_epoch,
        "input_tokens": _total(states, "input_tokens"),
        "output_tokens": _total(states, "output_tokens"),
        "phases": [
            {
                "phase": state.phase,
                "status": state.status,
                "attempt": state.attempt,
                "seconds": _seconds(state.started_at, state.completed_at),
            }
            for state in states
        ],
    }


def _total(states: list[SpecAutomationTaskState], key: str) -> int | None:
    counts = [count for state in states if isinstance(count := (state.details or {}).get(key), int)]
    return sum(counts) if counts else None


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    return round((end - start).total_seconds(), 3) if start and end else None
