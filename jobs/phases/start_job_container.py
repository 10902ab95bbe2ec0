"""start_job_container: the two containers of the run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from db.allowed_hosts import AllowedHost
from db.runs import record_container
from jobs.ports import Agent, Containers
from jobs.run_context import Attempt, Finished, Workplace

CLEANUP_SECONDS = 120
"""How much longer than the run a container may live: it then ends by itself, whatever became of the worker."""


@dataclass(frozen=True, slots=True)
class StartJobContainer:
    """Repeatable: containers that an earlier epoch or attempt of the run left are removed first."""

    containers: Containers

    async def execute(
        self, attempt: Attempt, agent: Agent, seconds_left: float, allowed: Sequence[AllowedHost] = ()
    ) -> Finished[Workplace]:
        """Raises AppError and TransientError ``engine.*``."""
        git, job = await self.containers.start(attempt.lease, agent, seconds_left + CLEANUP_SECONDS, allowed)

        async def record(session: AsyncSession) -> None:
            await record_container(session, attempt.lease, job.container_id)

        attempt.output.stdout.write(f"job container {job.container_id}\n".encode())
        return Finished(Workplace(git, job), {"container_id": job.container_id}, record)
