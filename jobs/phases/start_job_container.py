"""start_job_container: the two containers of the run, and the proof that the agent's is closed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from db.allowed_hosts import AllowedHost
from db.runs import record_container
from db.vocabulary import ArtifactType, ErrorCode
from jobs.errors import AppError
from jobs.ports import Agent, BoxCheck, Containers
from jobs.run_context import Attempt, Finished, Workplace
from jobs.run_folder import RunFolder

CLEANUP_SECONDS = 120
"""How much longer than the run a container may live: it then ends by itself, whatever became of the worker."""


@dataclass(frozen=True, slots=True)
class StartJobContainer:
    """Repeatable: containers that an earlier epoch or attempt of the run left are removed first."""

    containers: Containers
    folder: RunFolder

    async def execute(
        self, attempt: Attempt, agent: Agent, seconds_left: float, allowed: Sequence[AllowedHost] = ()
    ) -> Finished[Workplace]:
        """Raises AppError and TransientError ``engine.*``; AppError ``engine.box_open``, before anything untrusted is
        let in, when the job container did not pass its self-test."""
        git, job = await self.containers.start(attempt.lease, agent, seconds_left + CLEANUP_SECONDS, allowed)

        async def record(session: AsyncSession) -> None:
            await record_container(session, attempt.lease, job.container_id)

        attempt.output.stdout.write(f"job container {job.container_id}\n".encode())
        await self._judge(attempt, job.box)
        return Finished(Workplace(git, job), {"container_id": job.container_id}, record)

    async def _judge(self, attempt: Attempt, checks: Sequence[BoxCheck]) -> None:
        """Keep what was proved, whatever it was; go on only when all of it was."""
        found = [{"name": check.name, "passed": check.passed, "seen": check.seen} for check in checks]
        attempt.notes["self_test"] = found
        await self.folder.keep_json(attempt, "self-test.json", {"checks": found}, ArtifactType.ENVIRONMENT_INFO)
        for check in checks:
            result = "proved" if check.passed else "OPEN"
            attempt.output.stdout.write(f"{result}: {check.name}: {check.seen}\n".encode())
        open_places = [f"{check.name} ({check.seen})" for check in checks if not check.passed]
        if open_places or not checks:
            told = "; ".join(open_places) or "no answer"
            raise AppError(ErrorCode.ENGINE_BOX_OPEN, f"the self-test of the job container: {told}")
