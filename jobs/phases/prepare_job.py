"""prepare_job: may this run happen here and now, and on what?"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncSession

from db.runs import newest_pull_request, record_target, record_visibility
from db.session import Database
from db.vocabulary import ArtifactType, ErrorCode, Phase, Verb
from jobs.errors import AppError, UserError
from jobs.ports import Agent, Containers, Publisher
from jobs.run_context import Attempt, Details, Finished, Prepared, RunRequest
from jobs.run_folder import RunFolder

LEAST_FREE_BYTES = 64 * 1024 * 1024
"""Room for the logs and patches of one run, bounded as they are, with a margin."""


@dataclass(frozen=True, slots=True)
class PrepareJob:
    """Repeatable: it reads GitHub and the disk, and writes one file and what it found out about the run's target."""

    database: Database
    publisher: Publisher
    containers: Containers
    folder: RunFolder
    agents: Mapping[str, Agent]
    default_agent: str
    version: str

    async def execute(self, attempt: Attempt, request: RunRequest) -> Finished[Prepared]:
        """Raises UserError ``agent.not_allowed``, ``repository.archived``, ``request.pull_request_closed``, AppError
        ``storage.full``."""
        agents = {phase: self._agent_for(request, phase) for phase in request.agent_phases}
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
        target = await self._target(attempt, request)
        base_branch = (target.base_branch if target else None) or request.base_branch or repository.default_branch
        prepared = Prepared(
            agents,
            base_branch,
            repository.clone_url,
            target.number if target else None,
            target.branch if target else "",
            (target.feature_directory if target else None) or "",
        )
        names = sorted(set(agents.values()))
        attempt.output.stdout.write(f"repository {repository.slug}, agent {', '.join(names)}\n".encode())
        content = {"speckit_bot": self.version, "agent_backend": ", ".join(names), **environment}
        await self.folder.keep_json(attempt, "environment.json", content, ArtifactType.ENVIRONMENT_INFO)

        async def record(session: AsyncSession) -> None:
            if target is not None:
                await record_target(session, attempt.lease, target.number, target.branch, target.feature_directory)

        return Finished(prepared, _details(prepared), record)

    def _agent_for(self, request: RunRequest, phase: Phase) -> str:
        configured = request.arguments.get("agents")
        name = request.agent or (configured.get(phase.value) if isinstance(configured, dict) else None)
        name = str(name or self.default_agent)
        if name not in self.agents:
            raise UserError(
                ErrorCode.AGENT_NOT_ALLOWED,
                f"The agent {name} is not allowed here. Choose from: " + ", ".join(sorted(self.agents)),
            )
        return name

    async def _target(self, attempt: Attempt, request: RunRequest) -> _Target | None:
        """The pull request that the run goes on with: the one it was asked for on, or the open one that an earlier run
        of the same issue made. None: it opens one of its own."""
        if request.pull_request_number is not None:
            pull = await self.publisher.pull_request(attempt.lease, request.pull_request_number)
            if not pull.open or pull.branch is None:
                raise UserError(
                    ErrorCode.REQUEST_PULL_REQUEST_CLOSED,
                    f"Pull request {pull.number} is closed, or its branch is gone. Reopen it, or start anew.",
                )
            return _Target(pull.number, pull.branch, pull.base_branch, request.feature_directory)
        if request.verb not in {Verb.SPECIFY, Verb.CONSTITUTION} or request.branch_name is not None:
            return None
        async with self.database.transaction() as session:
            earlier = await newest_pull_request(session, attempt.lease, request.writer_key)
        if earlier is None or earlier.report.pull_request_number is None:
            return None
        pull = await self.publisher.pull_request(attempt.lease, earlier.report.pull_request_number)
        same_base = request.base_branch in {None, pull.base_branch}
        if not pull.open or pull.branch is None or not same_base or (earlier.project or "") != request.project:
            return None
        return _Target(pull.number, pull.branch, pull.base_branch, earlier.feature_directory)


@dataclass(frozen=True, slots=True)
class _Target:
    number: int
    branch: str
    base_branch: str
    feature_directory: str | None


def _details(prepared: Prepared) -> Details:
    return {
        "agents": {phase.value: name for phase, name in prepared.agents.items()},
        "base_branch": prepared.base_branch,
        "clone_url": prepared.clone_url,
        "pull_request_number": prepared.pull_request_number,
        "branch": prepared.branch,
        "feature_directory": prepared.feature_directory,
    }


def recall(details: Details) -> Prepared:
    """What an earlier worker prepared, from its task state."""
    agents, number = details["agents"], details.get("pull_request_number")
    return Prepared(
        {Phase(phase): str(name) for phase, name in agents.items()} if isinstance(agents, dict) else {},
        str(details["base_branch"]),
        str(details["clone_url"]),
        number if isinstance(number, int) else None,
        str(details.get("branch", "")),
        str(details.get("feature_directory", "")),
    )


def _free_bytes(folder: Path) -> int:
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free
