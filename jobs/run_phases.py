"""The order of the phases, and what each gets from the ones before it."""

from __future__ import annotations

from collections.abc import Mapping

from db.runs import get_run
from db.vocabulary import ErrorCode, Phase, RunStatus
from jobs.checkpoints import recall_checkpoints
from jobs.desk import Desk, Work
from jobs.errors import UserError
from jobs.phase_runner import PhaseRunner
from jobs.phases import commit_push, prepare_job
from jobs.phases.open_pr import OpenPr
from jobs.phases.prepare_job import PrepareJob
from jobs.ports import Agent
from jobs.run_context import (
    NO_CHANGES,
    Details,
    Outcome,
    Prepared,
    RunRequest,
    outcome_without_publishing,
)
from jobs.run_folder import RunFolder
from jobs.services import Options, Services


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
        prepared = await self._prepare()
        if request.succeeded(Phase.COMMIT_PUSH):
            pushed = commit_push.recall(request.phases[Phase.COMMIT_PUSH].details, request.branch_name)
        else:
            work = Work(request, prepared, self._agents(prepared), self._deadline)
            desk = Desk(self._services, self._runner, self._folder, work)
            desk.pinned, desk.checkpoints = await recall_checkpoints(self._services.database, self._folder, request)
            await desk.set_up()
            for phase in request.agent_phases[len(desk.checkpoints) :]:
                await desk.run_agent(phase)
            if not request.wanted(Phase.COMMIT_PUSH):
                return outcome_without_publishing(request, await self._details())
            pushed = await desk.commit_push(self._options.author)
        if pushed.head_sha is None:
            return Outcome(RunStatus.NO_CHANGES, NO_CHANGES)
        marks = await self._marks()
        opening = OpenPr(self._services.publisher)
        pull_request = await self._runner.execute(
            Phase.OPEN_PR, lambda attempt: opening.execute(attempt, request, marks)
        )
        return Outcome(RunStatus.SUCCEEDED, pull_request.url)

    async def _details(self) -> Mapping[Phase, Details]:
        """What every phase came to, also the one that just ended."""
        async with self._services.database.transaction() as session:
            await self._runner.settle(session)
            run = await get_run(session, self._request.run_id)
        self._runner.settled()
        return {Phase(state.phase): state.details or {} for state in run.task_states}

    async def _marks(self) -> list[dict[str, object]]:
        """The open questions as the last agent phase left them."""
        details = await self._details()
        found = [details[phase].get("open_questions") for phase in self._request.agent_phases]
        lists = [marks for marks in found if isinstance(marks, list)]
        return lists[-1] if lists else []

    async def _prepare(self) -> Prepared:
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
        return prepared

    def _agents(self, prepared: Prepared) -> Mapping[Phase, Agent]:
        agents = self._services.agents
        for name in prepared.agents.values():
            if name not in agents:
                raise UserError(
                    ErrorCode.AGENT_NOT_ALLOWED,
                    f"The agent {name} was taken away while this run was under way. Choose from: "
                    + ", ".join(sorted(agents)),
                )
        return {phase: agents[name] for phase, name in prepared.agents.items()}
