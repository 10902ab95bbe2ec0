"""The workplace of one worker for one run: two containers, the tree in them, and what the agents did so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from db.allowed_hosts import HOSTS_ARGUMENT, AllowedHost, narrowed
from db.vocabulary import Phase
from jobs.phase_runner import PhaseRunner
from jobs.phases.commit_push import Author, CommitPush
from jobs.phases.git_clone import Before, GitClone
from jobs.phases.speckit import Room, SpecKit
from jobs.phases.start_job_container import StartJobContainer
from jobs.ports import Agent
from jobs.run_context import Checkpoint, Pinned, Prepared, Pushed, RunRequest, Source, Workplace
from jobs.run_folder import RunFolder
from jobs.services import Services

AGENT_SHARE = 0.75
"""The part of a run's time one agent phase may take, so that an agent that hangs is told from a run that is long."""


@dataclass(frozen=True, slots=True)
class Work:
    """What there is to do: the request, its target, the agent of each phase, and until when (monotonic seconds)."""

    request: RunRequest
    prepared: Prepared
    agents: Mapping[Phase, Agent]
    deadline: float

    @property
    def agent(self) -> Agent:
        """The one that the containers are made for and the run's record names: the first that needs the way to a model,
        which a container has from its start or never; else the first."""
        agents = [self.agents[phase] for phase in self.request.agent_phases]
        return next((agent for agent in agents if agent.model_api), agents[0])


class Desk:
    """The workplace of this worker: containers, the tree in them, and what the agent has done so far.

    A phase that is tried again gets fresh containers, brought to where the finished phases left them: what a broken
    attempt did is only in the old ones.
    """

    def __init__(self, services: Services, runner: PhaseRunner, folder: RunFolder, work: Work) -> None:
        self._services = services
        self._runner = runner
        self._folder = folder
        self._work = work
        self._time_given = self._seconds_left()
        self._workplace: Workplace | None = None
        self._source: Source | None = None
        self.pinned = Pinned()
        self.checkpoints: list[Checkpoint] = []

    async def set_up(self) -> None:
        """New containers, the tree, and the checkpoints replayed."""
        await self._start_containers()
        services, work = self._services, self._work
        phase = GitClone(
            services.database, services.credentials, self._folder, tuple(services.agents), work.prepared, work.agent
        )
        self._source = await self._runner.execute(
            Phase.GIT_CLONE,
            lambda attempt: phase.execute(attempt, work.request, self._place, Before(self.pinned, self.checkpoints)),
            before_retry=self._start_containers,
        )
        self.pinned = Pinned(self._source.base_sha, self._source.init_patch)

    async def _start_containers(self) -> None:
        phase = StartJobContainer(self._services.containers, self._folder)
        self._workplace = await self._runner.execute(
            Phase.START_JOB_CONTAINER,
            lambda attempt: phase.execute(attempt, self._work.agent, self._seconds_left(), self._allowed_hosts()),
        )
        self._services.redactor.learn(self._work.request.run_id, self._workplace.job.secrets)

    async def run_agent(self, name: Phase) -> None:
        """One agent phase; its checkpoint is added."""
        services = self._services
        phase = SpecKit(self._folder, self._work.agents[name], services.redactor)
        checkpoint = await self._runner.execute(
            name,
            lambda attempt: phase.execute(attempt, self._work.request, self._room),
            before_retry=self.set_up,
        )
        self.checkpoints.append(checkpoint)

    async def commit_push(self, author: Author) -> Pushed:
        """The checkpoints become a branch."""
        services = self._services
        prepared = self._work.prepared
        phase = CommitPush(services.database, services.credentials, services.publisher, self._folder, author, prepared)
        return await self._runner.execute(
            Phase.COMMIT_PUSH,
            lambda attempt: phase.execute(attempt, self._work.request, self._place.git, self._tree, self.checkpoints),
            before_retry=self.set_up,
        )

    def _allowed_hosts(self) -> Sequence[AllowedHost]:
        """Of what the operator allows the repository now, what its own configuration left when the run was asked
        for."""
        request = self._work.request
        asked = request.arguments.get(HOSTS_ARGUMENT)
        return narrowed(
            self._services.hosts.given_to(request.repository),
            [str(name) for name in asked] if isinstance(asked, list) else None,
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
    def _room(self) -> Room:
        tree = self._tree
        return Room(self._place.job, tree.templates, tree.feature_directory, self._agent_seconds())

    def _seconds_left(self) -> float:
        return max(1.0, self._work.deadline - self._services.clock.monotonic())

    def _agent_seconds(self) -> float:
        return max(1.0, min(self._seconds_left(), self._time_given * AGENT_SHARE))
