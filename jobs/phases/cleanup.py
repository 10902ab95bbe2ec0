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
    """How long each phase took (seconds) and what it took of models (tokens, US dollars), as the gateway counted it; a
    phase that the gateway did not count has the agent's own numbers."""
    states = [state for state in run.task_states if state.phase != Phase.CLEANUP]
    return {
        "run_id": str(run.run_id),
        "status": outcome.status,
        "error_code": outcome.error_code,
        "waited_seconds": _seconds(run.created_at, run.started_at),
        "worked_seconds": _seconds(run.started_at, now),
        "epochs": run.lease_epoch,
        **_tokens(run, states),
        "models": _models(run),
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


def _tokens(run: SpecAutomationRun, states: list[SpecAutomationTaskState]) -> Details:
    return {key: _total([*_counted(run, key), *_told(run, states, key)]) for key in ("input_tokens", "output_tokens")}


def _counted(run: SpecAutomationRun, key: str) -> list[int]:
    return [getattr(row, key) for row in run.model_usage]


def _told(run: SpecAutomationRun, states: list[SpecAutomationTaskState], key: str) -> list[int]:
    counted = {row.phase for row in run.model_usage}
    told = [(state.details or {}).get(key) for state in states if state.phase not in counted]
    return [count for count in told if isinstance(count, int)]


def _total(counts: list[int]) -> int | None:
    return sum(counts) if counts else None


def _models(run: SpecAutomationRun) -> list[Details]:
    return [
        {
            "phase": row.phase,
            "attempt": row.attempt,
            "model": row.model,
            "requests": row.requests,
            "refused_requests": row.refused_requests,
            "input_tokens": row.input_tokens,
            "cached_input_tokens": row.cached_input_tokens,
            "output_tokens": row.output_tokens,
            "cost_usd": row.cost_usd,
        }
        for row in run.model_usage
    ]


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    return round((end - start).total_seconds(), 3) if start and end else None
