"""What the phases know and hand on: values only, never a service.

A ``RunRequest`` is the run's row as it stood when this worker took the run. Each phase takes the values of the phases
before it and returns its own, so that what a phase depends on can be read off its signature.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from db.models import SpecAutomationRun
from db.runs import Lease
from db.vocabulary import AGENT_PHASES, TAKEN_OVER, ErrorCode, Phase, RunStatus, TaskStatus, Verb
from jobs.ports import GitContainer, JobContainer, PhaseOutput

T = TypeVar("T")

DRY_RUN = "Dry run: nothing was pushed. The patches are kept with the run."
NO_CHANGES = "There was nothing to change."

Details = Mapping[str, object]
"""The structured payload of a task state (its ``metadata`` column): JSON values only."""

Write = Callable[[AsyncSession], Awaitable[None]]
"""Something to write about the run in somebody else's transaction."""


@dataclass(frozen=True, slots=True)
class PhaseState:
    """How a phase stood when this worker took the run."""

    status: TaskStatus
    attempt: int
    details: Details


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What was asked for, and what earlier workers already recorded. Times are UTC."""

    run_id: UUID
    repository: str
    issue_number: int
    issue_title: str
    text: str
    base_branch: str | None
    base_sha: str | None
    branch_name: str | None
    feature_directory: str | None
    agent: str | None
    dry_run: bool
    requested_by: str
    requested_by_id: int
    cancelled_by: str | None
    started_at: datetime
    phases: Mapping[Phase, PhaseState]
    verb: Verb = Verb.SPECIFY
    model: str | None = None
    project: str = ""
    pull_request_number: int | None = None
    writer_key: str = ""
    retry_of: UUID | None = None
    head_sha: str | None = None
    arguments: Details = field(default_factory=dict)
    """What the verb takes besides text, and what the repository's configuration said when the run was asked for."""

    def succeeded(self, phase: Phase) -> bool:
        """True when an earlier worker finished the phase, or the run that is retried did."""
        state = self.phases.get(phase)
        return state is not None and (state.status is TaskStatus.SUCCEEDED or TAKEN_OVER in state.details)

    def wanted(self, phase: Phase) -> bool:
        """False when the request leaves the phase out (another verb, ``--until``, ``--dry-run``)."""
        state = self.phases.get(phase)
        return state is not None and (state.status is not TaskStatus.SKIPPED or TAKEN_OVER in state.details)

    @property
    def agent_phases(self) -> tuple[Phase, ...]:
        """The agent phases that were asked for, in their order."""
        return tuple(phase for phase in AGENT_PHASES if self.wanted(phase))

    def in_project(self, path: str) -> str:
        """A path of the project as one of the repository."""
        return f"{self.project}/{path}" if self.project else path

    def from_project(self, path: str) -> str:
        """A path of the repository as one of the project."""
        return path.removeprefix(f"{self.project}/") if self.project else path

    @classmethod
    def from_row(cls, run: SpecAutomationRun) -> RunRequest:
        """Read a run that has begun; its task states are loaded."""
        if run.started_at is None:
            raise ValueError(f"run {run.run_id} has not begun")
        return cls(
            run_id=run.run_id,
            repository=run.repository,
            issue_number=run.issue_number,
            issue_title=run.issue_title,
            text=run.requested_spec_input,
            base_branch=run.base_branch,
            base_sha=run.base_sha,
            branch_name=run.branch_name,
            feature_directory=run.feature_directory,
            agent=run.requested_agent,
            dry_run=run.dry_run,
            requested_by=run.requested_by,
            requested_by_id=run.requested_by_id,
            cancelled_by=run.cancel_requested_by,
            started_at=run.started_at,
            verb=Verb(run.verb),
            model=run.requested_model,
            project=run.project or "",
            pull_request_number=run.pull_request_number,
            writer_key=run.writer_key,
            retry_of=run.retry_of,
            head_sha=run.head_sha,
            arguments=run.arguments or {},
            phases={
                Phase(state.phase): PhaseState(TaskStatus(state.status), state.attempt, state.details or {})
                for state in run.task_states
            },
        )


@dataclass(frozen=True, slots=True)
class Attempt:
    """One execution of one phase: ``number`` is never reused, ``output`` is kept as its logs.

    ``notes`` are details that the task state keeps however the phase ends; the attempts of one worker share them.
    """

    lease: Lease
    phase: Phase
    number: int
    output: PhaseOutput
    notes: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Finished(Generic[T]):
    """What a phase hands on, and what its task state keeps. ``also`` is written together with the phase's end."""

    value: T
    details: Details
    also: Write | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """From ``prepare_job``: what is worked on, and by which agents. ``clone_url`` holds no credential.

    ``branch`` is the head branch of the pull request that the run goes on with, ``feature_directory`` its folder
    relative to the repository; both are empty for a run that opens a pull request of its own.
    """

    agents: Mapping[Phase, str]
    base_branch: str
    clone_url: str
    pull_request_number: int | None = None
    branch: str = ""
    feature_directory: str = ""


@dataclass(frozen=True, slots=True)
class Workplace:
    """From ``start_job_container``: the two containers, empty."""

    git: GitContainer
    job: JobContainer


@dataclass(frozen=True, slots=True)
class Source:
    """From ``git_clone``: the tree both containers hold now. ``templates``: file name -> Spec Kit's own bytes.

    ``feature_directory`` is where the specification lies or is to lie, relative to the repository; empty where the
    verb has none.
    """

    base_sha: str
    prompt_pack_version: str
    init_patch: bytes
    templates: Mapping[str, bytes]
    feature_directory: str = ""


@dataclass(frozen=True, slots=True)
class Pinned:
    """What a repeat of ``git_clone`` must come to again, as far as it is known. ``specify init`` writes the time into
    its files, so what it wrote the first time is what is committed."""

    base_sha: str | None = None
    init_patch: bytes = b""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """From an agent phase: its accepted work, and the feature directory it lies in."""

    phase: Phase
    patch: bytes
    feature_directory: str
    heading: str


@dataclass(frozen=True, slots=True)
class Pushed:
    """From ``commit_push``. ``head_sha`` is None when there was nothing to commit."""

    branch: str
    head_sha: str | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ends. ``summary`` is for people (the pull request's URL or a sentence), ``detail`` for the operator."""

    status: RunStatus
    summary: str
    error_code: ErrorCode | None = None
    detail: str = ""

    def details(self) -> Details:
        """What the task state of the phase that failed keeps."""
        return {"error_code": self.error_code, "message": self.detail, "summary": self.summary}


def decided(request: RunRequest) -> Outcome | None:
    """How the run ends, when an earlier worker came that far and died before it wrote so; None while work is left."""
    for phase, state in request.phases.items():
        if state.status is TaskStatus.FAILED and phase is not Phase.CLEANUP:
            kept = state.details
            code = ErrorCode(str(kept["error_code"])) if kept.get("error_code") else ErrorCode.RUN_INTERNAL
            return Outcome(RunStatus.FAILED, str(kept.get("summary", "")), code, str(kept.get("message", "")))
    if request.succeeded(Phase.OPEN_PR):
        return Outcome(RunStatus.SUCCEEDED, str(request.phases[Phase.OPEN_PR].details["url"]))
    if request.phases[Phase.COMMIT_PUSH].details.get("no_changes"):
        return Outcome(RunStatus.NO_CHANGES, NO_CHANGES)
    unpublished = request.phases[Phase.COMMIT_PUSH].status is TaskStatus.SKIPPED and not request.succeeded(
        Phase.COMMIT_PUSH
    )
    if unpublished and all(request.succeeded(phase) for phase in request.agent_phases):
        return outcome_without_publishing(request, {phase: request.phases[phase].details for phase in request.phases})
    return None


def outcome_without_publishing(request: RunRequest, details: Mapping[Phase, Details]) -> Outcome:
    """How a run ends that pushes nothing: a dry run, an analysis, questions. ``details`` are those of its phases."""
    if request.dry_run:
        return Outcome(RunStatus.SUCCEEDED, DRY_RUN)
    questions = _length(details.get(Phase.SPECKIT_CLARIFY, {}).get("questions"))
    if request.verb is Verb.CLARIFY:
        if not questions:
            return Outcome(RunStatus.NO_CHANGES, "Nothing is unclear: there is no question to ask.")
        return Outcome(RunStatus.SUCCEEDED, f"{questions} question{'s' * (questions != 1)} asked.")
    findings = _length(details.get(Phase.SPECKIT_ANALYZE, {}).get("findings"))
    return Outcome(RunStatus.SUCCEEDED, f"{findings or 'No'} finding{'s' * (findings != 1)}.")


def _length(value: object) -> int:
    return len(value) if isinstance(value, list) else 0
