"""The order of the phases, and what each gets from the ones before it."""

from __future__ import annotations

import logging

from db.errors import ArtifactUnavailable
from db.runs import get_run
from db.vocabulary import ErrorCode, Phase, RunStatus, TaskStatus
from jobs.errors import AppError, UserError
from jobs.phase_runner import PhaseRunner
from jobs.phases import commit_push, prepare_job, speckit
from jobs.phases.commit_push import Author, CommitPush
from jobs.phases.git_clone import GitClone
from jobs.phases.open_pr import OpenPr
from jobs.phases.prepare_job import PrepareJob
from jobs.phases.speckit import SpecKit
from jobs.phases.start_job_container import StartJobContainer
from jobs.ports import Agent
from jobs.run_context import (
    DRY_RUN,
    NO_CHANGES,
    Checkpoint,
    Outcome,
    Pinned,
    Prepared,
    Pushed,
    RunRequest,
    Source,
    Workplace,
)
from jobs.run_folder import RunFolder
from jobs.services import Options, Services

logger = logging.getLogger(__name__)

AGENT_SHARE = 0.75
"""The part of a run's time one agent phase may take, so that an agent that hangs is told from a run that is long."""


class RunPhases:
    """Executes what is not finished yet of one run."""

    def __init__(
        self,
        services: Services,
        options: Options,
        request: RunRequest,
        runner: PhaseRunner,
        folder: RunFolder,
        deadline: float,
    ) -> None:
        self._services = services
        self._options = options
        self._request = request
        self._runner = runner
        self._folder = folder
        self._deadline = deadline

    async def execute(self) -> Outcome:
        """Raises UserError and AppError for a phase that could not be finished; its row is then still ``running``."""
        request = self._request
        await self._folder.create()
        prepared, agent = await self._prepare()
        if request.succeeded(Phase.COMMIT_PUSH):
            pushed = commit_push.recall(request.phases[Phase.COMMIT_PUSH].details, request.branch_name)
        else:
            desk = _Desk(self._services, self._runner, self._folder, agent, prepared, request, self._deadline)
            desk.pinned, desk.checkpoints = await self._recall()
            await desk.set_up()
            for phase in request.agent_phases[len(desk.checkpoints) :]:
                await desk.run_agent(phase)
            if request.dry_run:
                return Outcome(RunStatus.SUCCEEDED, DRY_RUN)
            pushed = await desk.commit_push(self._options.author)
        if pushed.head_sha is None:
            return Outcome(RunStatus.NO_CHANGES, NO_CHANGES)
        pull_request = await self._runner.execute(Phase.OPEN_PR, OpenPr(self._services.publisher).execute)
        return Outcome(RunStatus.SUCCEEDED, pull_request.url)

    async def _prepare(self) -> tuple[Prepared, Agent]:
        request, services = self._request, self._services
        if request.succeeded(Phase.PREPARE_JOB):
            prepared = prepare_job.recall(request.phases[Phase.PREPARE_JOB].details)
        else:
            phase = PrepareJob(
                services.database,
                services.publisher,
                services.containers,
                self._folder,
                services.agents,
                self._options.default_agent,
                self._options.version,
            )
            prepared = await self._runner.execute(Phase.PREPARE_JOB, lambda attempt: phase.execute(attempt, request))
        agent = services.agents.get(prepared.agent_name)
        if agent is None:
            raise UserError(
                ErrorCode.AGENT_NOT_ALLOWED,
                f"The agent {prepared.agent_name} was taken away while this run was under way. Choose from: "
                + ", ".join(sorted(services.agents)),
            )
        return prepared, agent

    async def _recall(self) -> tuple[Pinned, list[Checkpoint]]:
        """What earlier workers and their agents finished. A checkpoint that cannot be read is worked for again."""
        request = self._request
        if request.base_sha is None:
            return Pinned(), []
        async with self._services.database.transaction() as session:
            run = await get_run(session, request.run_id)
        kept = {(artifact.name, artifact.attempt): artifact for artifact in run.artifacts}
        inits = sorted(attempt for name, attempt in kept if name == f"phase-{Phase.GIT_CLONE}.patch")
        init_patch = await self._folder.read(kept[f"phase-{Phase.GIT_CLONE}.patch", inits[0]]) if inits else b""
        checkpoints: list[Checkpoint] = []
        for phase in request.agent_phases:
            state = request.phases[phase]
            artifact = kept.get((f"phase-{phase}.patch", state.attempt))
            if state.status is not TaskStatus.SUCCEEDED or artifact is None:
                break
            try:
                patch = await self._folder.read(artifact)
            except (ArtifactUnavailable, AppError) as error:
                logger.warning("checkpoint_lost", extra={"run": str(request.run_id), "detail": str(error)})
                break
            checkpoints.append(speckit.recall(phase, patch, state.details))
        return Pinned(request.base_sha, init_patch), checkpoints


class _Desk:
    """The workplace of this worker: containers, the tree in them, and what the agent has done so far.

    A phase that is tried again gets fresh containers, brought to where the finished phases left them: what a broken
    attempt did is only in the old ones.
    """

    def __init__(
        self,
        services: Services,
        runner: PhaseRunner,
        folder: RunFolder,
        agent: Agent,
        prepared: Prepared,
        request: RunRequest,
        deadline: float,
    ) -> None:
        self._services = services
        self._runner = runner
        self._folder = folder
        self._agent = agent
        self._prepared = prepared
        self._request = request
        self._deadline = deadline
        self._time_given = self._seconds_left()
        self._workplace: Workplace | None = None
        self._source: Source | None = None
        self.pinned = Pinned()
        self.checkpoints: list[Checkpoint] = []

    async def set_up(self) -> None:
        """New containers, the tree, and the checkpoints replayed."""
        await self._start_containers()
        phase = GitClone(
            self._services.database, self._services.credentials, self._folder, tuple(self._services.agents)
        )
        self._source = await self._runner.execute(
            Phase.GIT_CLONE,
            lambda attempt: phase.execute(
                attempt, self._prepared, self._agent, self._place, self.pinned, self.checkpoints
            ),
            before_retry=self._start_containers,
        )
        self.pinned = Pinned(self._source.base_sha, self._source.init_patch)

    async def _start_containers(self) -> None:
        phase = StartJobContainer(self._services.containers)
        self._workplace = await self._runner.execute(
            Phase.START_JOB_CONTAINER, lambda attempt: phase.execute(attempt, self._agent, self._seconds_left())
        )

    async def run_agent(self, name: Phase) -> None:
        """One agent phase; its checkpoint is added."""
        phase = SpecKit(
            self._services.database, self._folder, self._agent, self._services.redactor, self._services.secrets
        )
        checkpoint = await self._runner.execute(
            name,
            lambda attempt: phase.execute(
                attempt, self._request, self._place, self._tree, self._feature_directory, self._agent_seconds()
            ),
            before_retry=self.set_up,
        )
        self.checkpoints.append(checkpoint)

    async def commit_push(self, author: Author) -> Pushed:
        """The checkpoints become a branch."""
        services = self._services
        phase = CommitPush(services.database, services.credentials, services.publisher, self._folder, author)
        return await self._runner.execute(
            Phase.COMMIT_PUSH,
            lambda attempt: phase.execute(attempt, self._request, self._place.git, self._tree, self.checkpoints),
            before_retry=self.set_up,
        )

    @property
    def _place(self) -> Workplace:
        if self._workplace is None:
            raise RuntimeError("the containers are not started")
        return self._workplace

    @property
    def _tree(self) -> Source:
        if self._source is None:
            raise RuntimeError("nothing is cloned")
        return self._source

    @property
    def _feature_directory(self) -> str:
        return self.checkpoints[-1].feature_directory if self.checkpoints else ""

    def _seconds_left(self) -> float:
        return max(1.0, self._deadline - self._services.clock.monotonic())

    def _agent_seconds(self) -> float:
        return max(1.0, min(self._seconds_left(), self._time_given * AGENT_SHARE))
