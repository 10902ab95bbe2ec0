"""The words of the data model and the transitions it allows.

Everything that asks "may this become that?" asks the two tables here; the database repeats them as check constraints
where it can. The names are those of the data model (SpecAutomationRun, SpecAutomationTaskState, AutomationArtifact).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class RunStatus(StrEnum):
    """Where a run is in its life."""

    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    NO_CHANGES = "no_changes"

    @property
    def is_terminal(self) -> bool:
        """True once nothing will change any more."""
        return not RUN_TRANSITIONS[self]


class Verb(StrEnum):
    """What a run does: the commands that open one."""

    SPECIFY = "specify"
    CLARIFY = "clarify"
    PLAN = "plan"
    TASKS = "tasks"
    CHECKLIST = "checklist"
    ANALYZE = "analyze"
    IMPLEMENT = "implement"
    CONSTITUTION = "constitution"
    REFINE = "refine"


class Trigger(StrEnum):
    """How somebody asked for a run."""

    COMMENT = "comment"
    MENTION = "mention"
    LABEL = "label"
    ASSIGNMENT = "assignment"
    CHECK_RUN = "check_run"
    REVIEW_COMMENT = "review_comment"


class Phase(StrEnum):
    """The steps of runs, in the order they execute. A run has those of its verb."""

    PREPARE_JOB = "prepare_job"
    START_JOB_CONTAINER = "start_job_container"
    GIT_CLONE = "git_clone"
    SPECKIT_CONSTITUTION = "speckit_constitution"
    SPECKIT_SPECIFY = "speckit_specify"
    SPECKIT_CLARIFY = "speckit_clarify"
    SPECKIT_REFINE = "speckit_refine"
    SPECKIT_PLAN = "speckit_plan"
    SPECKIT_TASKS = "speckit_tasks"
    SPECKIT_CHECKLIST = "speckit_checklist"
    SPECKIT_ANALYZE = "speckit_analyze"
    SPECKIT_IMPLEMENT = "speckit_implement"
    COMMIT_PUSH = "commit_push"
    OPEN_PR = "open_pr"
    CLEANUP = "cleanup"


TAKEN_OVER = "taken_over"
"""In the details of a skipped phase: ``{run_id, attempt}`` of the run whose result counts instead."""


RESTORED = "restored"
"""In the details of ``git_clone``: the paths, at most 50, of what tells an agent how to work and is as the base branch
has it, where the pull request's branch has it otherwise. ``restored_in_all`` counts them."""

HIDDEN_TEXT = "hidden_text"
"""In the arguments of a run, and in the details of the phase that got its text: how many things of each kind nobody
could see in what people wrote, so that no agent read them."""


class TaskStatus(StrEnum):
    """The state of one phase of one run."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"
    RETRYING = "retrying"


class ArtifactType(StrEnum):
    """What kind of output an artifact keeps."""

    STDOUT_LOG = "stdout_log"
    STDERR_LOG = "stderr_log"
    DIFF_SUMMARY = "diff_summary"
    COMMIT_STATUS = "commit_status"
    METRICS_SNAPSHOT = "metrics_snapshot"
    ENVIRONMENT_INFO = "environment_info"


PHASES: tuple[Phase, ...] = tuple(Phase)
AGENT_PHASES: tuple[Phase, ...] = tuple(phase for phase in Phase if phase.value.startswith("speckit_"))
MAIN_PHASES: tuple[Phase, ...] = (Phase.SPECKIT_SPECIFY, Phase.SPECKIT_PLAN, Phase.SPECKIT_TASKS)
"""The way from a request to tasks, each step building on the one before it."""

AGENT_PHASES_OF: Mapping[Verb, tuple[Phase, ...]] = {
    Verb.SPECIFY: MAIN_PHASES,
    Verb.PLAN: MAIN_PHASES[1:],
    Verb.TASKS: MAIN_PHASES[2:],
    Verb.CLARIFY: (Phase.SPECKIT_CLARIFY,),
    Verb.REFINE: (Phase.SPECKIT_REFINE,),
    Verb.CHECKLIST: (Phase.SPECKIT_CHECKLIST,),
    Verb.ANALYZE: (Phase.SPECKIT_ANALYZE,),
    Verb.IMPLEMENT: (Phase.SPECKIT_IMPLEMENT,),
    Verb.CONSTITUTION: (Phase.SPECKIT_CONSTITUTION,),
}
"""The agent phases a run of each verb goes through."""


def phases_of(verb: Verb) -> tuple[Phase, ...]:
    """The phases a run of this verb has rows for, in order. Runs on the main way have all nine, skipped or not."""
    agent = MAIN_PHASES if verb in {Verb.SPECIFY, Verb.PLAN, Verb.TASKS} else AGENT_PHASES_OF[verb]
    return tuple(phase for phase in PHASES if phase in agent or phase not in AGENT_PHASES)


RUN_TRANSITIONS: Mapping[RunStatus, frozenset[RunStatus]] = {
    RunStatus.QUEUED: frozenset({RunStatus.IN_PROGRESS}),
    RunStatus.IN_PROGRESS: frozenset({RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.NO_CHANGES}),
    RunStatus.SUCCEEDED: frozenset(),
    RunStatus.FAILED: frozenset(),
    RunStatus.NO_CHANGES: frozenset(),
}

# RUNNING -> RUNNING and SUCCEEDED -> RUNNING are a new attempt: a worker died in the phase, or the container whose
# state a finished phase had prepared is gone and a new one must be prepared the same way.
TASK_TRANSITIONS: Mapping[TaskStatus, frozenset[TaskStatus]] = {
    TaskStatus.PENDING: frozenset({TaskStatus.RUNNING, TaskStatus.SKIPPED}),
    TaskStatus.RUNNING: frozenset(
        {TaskStatus.RUNNING, TaskStatus.SUCCEEDED, TaskStatus.FAILED, TaskStatus.RETRYING, TaskStatus.SKIPPED}
    ),
    TaskStatus.RETRYING: frozenset({TaskStatus.RUNNING, TaskStatus.FAILED, TaskStatus.SKIPPED}),
    TaskStatus.SUCCEEDED: frozenset({TaskStatus.RUNNING}),
    TaskStatus.FAILED: frozenset({TaskStatus.RUNNING}),
    TaskStatus.SKIPPED: frozenset(),
}


class ErrorCode(StrEnum):
    """Why a run failed. Stable: people search for them, and each has a row in docs/errors.md."""

    RUN_CANCELLED = "run.cancelled"
    RUN_TIMED_OUT = "run.timed_out"
    RUN_INTERNAL = "run.internal"
    RUN_CRASHED_REPEATEDLY = "run.crashed_repeatedly"
    REQUEST_INVALID = "request.invalid"
    REQUEST_NO_FEATURE = "request.no_feature"
    REQUEST_PULL_REQUEST_CLOSED = "request.pull_request_closed"
    AGENT_NOT_ALLOWED = "agent.not_allowed"
    AGENT_NOT_CONFIGURED = "agent.not_configured"
    AGENT_FAILED = "agent.failed"
    AGENT_RATE_LIMITED = "agent.rate_limited"
    AGENT_MODEL_UNAVAILABLE = "agent.model_unavailable"
    AGENT_DECLINED = "agent.declined"
    AGENT_SANDBOX_BROKEN = "agent.sandbox_broken"
    AGENT_TIMED_OUT = "agent.timed_out"
    AGENT_NO_OUTPUT = "agent.no_output"
    AGENT_TOO_MUCH_OUTPUT = "agent.too_much_output"
    AGENT_OUT_OF_MEMORY = "agent.out_of_memory"
    AGENT_BUDGET_REACHED = "agent.budget_reached"
    ENGINE_UNREACHABLE = "engine.unreachable"
    ENGINE_IMAGE_MISSING = "engine.image_missing"
    ENGINE_CONTAINER_LOST = "engine.container_lost"
    ENGINE_BOX_OPEN = "engine.box_open"
    CLONE_NOT_FOUND = "clone.not_found"
    CLONE_REFUSED = "clone.refused"
    CLONE_EMPTY_REPOSITORY = "clone.empty_repository"
    CLONE_BASE_NOT_FOUND = "clone.base_not_found"
    CLONE_PROJECT_NOT_FOUND = "clone.project_not_found"
    CLONE_UNSAFE_TREE = "clone.unsafe_tree"
    CLONE_TOO_LARGE = "clone.too_large"
    CLONE_FAILED = "clone.failed"
    REPOSITORY_ARCHIVED = "repository.archived"
    SPECKIT_INIT_FAILED = "speckit.init_failed"
    PUBLISH_PROTECTED_PATH = "publish.protected_path"
    PUBLISH_FORBIDDEN_FILE = "publish.forbidden_file"
    PUBLISH_TOO_LARGE = "publish.too_large"
    PUBLISH_SECRET = "publish.secret"  # noqa: S105 - a code, not a secret
    PUBLISH_PATCH_UNREADABLE = "publish.patch_unreadable"
    PUBLISH_CONFLICT = "publish.conflict"
    PUBLISH_REFUSED = "publish.refused"
    PUBLISH_BRANCH_TAKEN = "publish.branch_taken"
    PUBLISH_BRANCH_MOVED = "publish.branch_moved"
    GITHUB_ACCESS_LOST = "github.access_lost"
    GITHUB_UNAVAILABLE = "github.unavailable"
    GITHUB_REFUSED = "github.refused"
    STORAGE_FULL = "storage.full"


class DeliveryOutcome(StrEnum):
    """What became of a delivery that held a command."""

    ACCEPTED = "accepted"
    ANSWERED = "answered"
    REFUSED = "refused"
    IGNORED = "ignored"
    FAILED = "failed"
