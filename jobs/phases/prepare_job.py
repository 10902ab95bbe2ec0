"""prepare_job: may this run happen here and now, and on what?"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from db.runs import record_visibility
from db.session import Database
from db.vocabulary import ArtifactType, ErrorCode
from jobs.errors import AppError, UserError
from jobs.ports import Agent, Containers, Publisher
from jobs.run_context import Attempt, Details, Finished, Prepared, RunRequest
from jobs.run_folder import RunFolder

LEAST_FREE_BYTES = 64 * 1024 * 1024
"""Room for the logs and patches of one run, bounded as they are, with a margin."""


@dataclass(frozen=True, slots=True)
class PrepareJob:
    """Repeatable: it reads GitHub and the disk, and writes one file and whether the repository is private."""

    database: Database
    publisher: Publisher
    containers: Containers
    folder: RunFolder
    agents: Mapping[str, Agent]
    default_agent: str
    version: str

    async def execute(self, attempt: Attempt, request: RunRequest) -> Finished[Prepared]:
        """Raises UserError ``agent.not_allowed``, ``repository.archived``, AppError ``storage.full``."""
        agent = self.agents.get(request.agent or self.default_agent)
        if agent is None:
            raise UserError(
                ErrorCode.AGENT_NOT_ALLOWED,
                f"The agent {request.agent or self.default_agent} is not allowed here. Choose from: "
                + ", ".join(sorted(self.agents)),
            )
        free = await asyncio.to_thread(_free_bytes, self.folder.path)
        if free < LEAST_FREE_BYTES:
            raise AppError(ErrorCode.STORAGE_FULL, f"the artifact root has {free // 1024} KiB left")
        repository, environment = await asyncio.gather(
            self.publisher.repository(attempt.lease), self.containers.environment()
        )
        async with self.database.transaction() as session:
            await record_visibility(session, attempt.lease, repository.private)
        if repository.archived:
            raise UserError(
                ErrorCode.REPOSITORY_ARCHIVED,
                f"{repository.slug} is archived, so nothing can be pushed to it.",
            )
        attempt.output.stdout.write(f"repository {repository.slug}, agent {agent.name}\n".encode())
        prepared = Prepared(agent.name, request.base_branch or repository.default_branch, repository.clone_url)
        content = {"speckit_bot": self.version, "agent_backend": agent.name, **environment}
        await self.folder.keep_json(attempt, "environment.json", content, ArtifactType.ENVIRONMENT_INFO)
        return Finished(prepared, _details(prepared))


def _details(prepared: Prepared) -> Details:
    return {
        "agent_backend": prepared.agent_name,
        "base_branch": prepared.base_branch,
        "clone_url": prepared.clone_url,
    }


def recall(details: Details) -> Prepared:
    """What an earlier worker prepared, from its task state."""
    return Prepared(str(details["agent_backend"]), str(details["base_branch"]), str(details["clone_url"]))


def _free_bytes(folder: Path) -> int:
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free
