"""Runs as rows in memory, in whatever state a sentence is needed for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from bot.reporting.run_comment import run_comment
from bot.reporting.run_view import RunView
from db.models import AgentConfiguration, RunReport, SpecAutomationRun, SpecAutomationTaskState
from db.records import Clarification
from db.vocabulary import AGENT_PHASES, AGENT_PHASES_OF, PHASES, ErrorCode, Phase, RunStatus, TaskStatus, Trigger, Verb

RUN_ID = UUID("7f3a9c21-0000-4000-8000-00000000cafe")
START = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
NOW = START + timedelta(seconds=75)
PAGES = "https://bot.example"
REPOSITORY = "https://github.example/acme/shop"
HEAD = "a" * 40
SPEC = "specs/001-pay-by-invoice/spec.md"
PLAN = "specs/001-pay-by-invoice/plan.md"
TASKS = "specs/001-pay-by-invoice/tasks.md"

SPECIFIED: dict[str, Any] = {
    "feature_directory": "specs/001-pay-by-invoice",
    "files": [{"path": SPEC, "added_lines": 88}],
    "heading": "Pay by invoice",
    "user_stories": ["A customer pays by invoice", "@mallory closes #1"],
    "requirements": [
        {"id": "FR-001", "text": "Customers MUST be able to pay by invoice."},
        {"id": "SC-001", "text": "Nine of ten invoices are paid within 30 days | net."},
    ],
    "open_questions": [{"path": SPEC, "line": 12, "text": "Which currencies? Ask @alice."}],
    "input_tokens": None,
    "output_tokens": None,
}

QUESTIONS: list[dict[str, Any]] = [
    {
        "number": 1,
        "text": "Which currencies can an invoice have?",
        "why": "Rounding and tax differ | ask @alice.",
        "options": [{"letter": "A", "text": "EUR only"}, {"letter": "B", "text": "EUR and USD"}],
        "recommended": "A",
        "path": SPEC,
        "line": 12,
    },
    {
        "number": 2,
        "text": "When is an invoice late?",
        "why": "",
        "options": [{"letter": "A", "text": "After 30 days"}, {"letter": "B", "text": "After 60 days"}],
        "recommended": None,
        "path": None,
        "line": None,
    },
    {
        "number": 3,
        "text": "Who is told?",
        "why": "",
        "options": [],
        "recommended": None,
        "path": SPEC,
        "line": 30,
    },
]

FINDINGS: list[dict[str, Any]] = [
    {
        "id": "A2",
        "category": "Coverage",
        "severity": "LOW",
        "path": None,
        "line": None,
        "summary": "No task for FR-001 | see #1",
        "recommendation": "Add one.",
    },
    {
        "id": "A1",
        "category": "Ambiguity",
        "severity": "CRITICAL",
        "path": TASKS,
        "line": 7,
        "summary": "“Fast” is not measurable, @bob",
        "recommendation": "Name a time.",
    },
]


def example_view(**changes: Any) -> RunView:
    """The view of somebody who looks at NOW."""
    return RunView(
        **{"now": NOW, "run_page_base": PAGES, "prefix": "/speckit", "repository_url": REPOSITORY, **changes}
    )


VIEW = example_view()


def example_run(
    status: RunStatus = RunStatus.IN_PROGRESS, *, at: Phase | None = None, verb: Verb = Verb.SPECIFY, **changes: Any
) -> SpecAutomationRun:
    """A run whose phases before ``at`` succeeded, one second each. ``at`` itself has the status that fits the run's."""
    run = SpecAutomationRun(
        run_id=RUN_ID,
        repository="acme/shop",
        status=status,
        requested_spec_input="Let customers pay by invoice.\nNet 30, EU only. See #7, @bob.",
        created_at=START,
        started_at=None if status == RunStatus.QUEUED else START,
        completed_at=NOW if status.is_terminal else None,
        installation_id=1,
        repository_id=2,
        private=False,
        issue_number=7,
        on_pull_request=False,
        issue_title="Invoices",
        comment_id=41,
        requested_by="alice",
        requested_by_id=11,
        verb=verb,
        trigger=Trigger.COMMENT,
        arguments={},
        dry_run=False,
        base_branch="main",
        report=RunReport(run_id=RUN_ID),
    )
    run.agent_configuration = None
    run.task_states = _task_states(status, verb, at)
    if (at is None and status.is_terminal) or (at is not None and PHASES.index(at) > PHASES.index(Phase.GIT_CLONE)):
        run.agent_configuration = AgentConfiguration(
            run_id=RUN_ID, agent_backend="template", agent_version="1.0.0", prompt_pack_version="1.2.3"
        )
    for name, value in changes.items():
        setattr(run, name, value)
    return run


def phases_of(verb: Verb) -> list[Phase]:
    """The phases of a run of this verb, in their order."""
    return [phase for phase in PHASES if phase not in AGENT_PHASES or phase in AGENT_PHASES_OF[verb]]


def _task_states(status: RunStatus, verb: Verb, at: Phase | None) -> list[SpecAutomationTaskState]:
    phases = phases_of(verb)
    reached = len(phases) if at is None and status.is_terminal else 0 if at is None else phases.index(at)
    found = []
    for place, phase in enumerate(phases):
        began = START + timedelta(seconds=place)
        if place < reached:
            details = dict(SPECIFIED) if phase == Phase.SPECKIT_SPECIFY else {}
            state = _state(phase, TaskStatus.SUCCEEDED, attempt=1, details=details)
            state.started_at, state.completed_at = began, began + timedelta(seconds=1)
        elif place == reached and at is not None:
            failed = status == RunStatus.FAILED
            state = _state(phase, TaskStatus.FAILED if failed else TaskStatus.RUNNING, attempt=1)
            state.started_at = began
        else:
            state = _state(phase, TaskStatus.PENDING)
        found.append(state)
    return found


def _state(
    phase: Phase, status: TaskStatus, *, attempt: int = 0, details: dict[str, Any] | None = None
) -> SpecAutomationTaskState:
    return SpecAutomationTaskState(run_id=RUN_ID, phase=phase, status=status, attempt=attempt, details=details or {})


def state_of(run: SpecAutomationRun, phase: Phase) -> SpecAutomationTaskState:
    """The task state of one phase."""
    return next(state for state in run.task_states if state.phase == phase)


def succeeded_run(**changes: Any) -> SpecAutomationRun:
    """A run with its pull request."""
    run = example_run(RunStatus.SUCCEEDED, **{"branch_name": "speckit/20261122/7f3a9c", "head_sha": HEAD, **changes})
    run.report.pull_request_number, run.report.pull_request_url = 12, f"{REPOSITORY}/pull/12"
    run.report.comment_url = f"{REPOSITORY}/issues/7#issuecomment-90"
    return run


def continuing_run(verb: Verb, status: RunStatus = RunStatus.SUCCEEDED, **changes: Any) -> SpecAutomationRun:
    """A run that was asked for on pull request 12 and works on its branch."""
    details = changes.pop("details", {})
    run = example_run(
        status,
        verb=verb,
        **{
            "branch_name": "speckit/20261122/7f3a9c",
            "head_sha": HEAD if status == RunStatus.SUCCEEDED else None,
            "issue_number": 12,
            "on_pull_request": True,
            "pull_request_number": 12,
            "requested_by": "bob",
            "requested_spec_input": "",
            **changes,
        },
    )
    run.report.check_run_sha = HEAD
    for phase, found in details.items():
        state_of(run, phase).details = found
    return run


def failed_run(code: ErrorCode, summary: str, at: Phase = Phase.SPECKIT_PLAN) -> SpecAutomationRun:
    """A run that ended badly in a phase."""
    return example_run(RunStatus.FAILED, at=at, error_code=code.value, result_summary=summary)


def cancelled_run() -> SpecAutomationRun:
    """A run that bob stopped while it wrote the plan."""
    run = failed_run(ErrorCode.RUN_CANCELLED, "Cancelled by bob.")
    run.cancel_requested_by = "bob"
    return run


def example_questions(**changes: Any) -> Clarification:
    """Three questions, none of them answered."""
    fields: dict[str, Any] = {
        "run_id": RUN_ID,
        "repository_id": 2,
        "pull_request_number": 12,
        "questions": {"questions": QUESTIONS},
        "asked_at": START,
        "answers": {},
        "answered_by": None,
        "closed_at": None,
    }
    return Clarification(**{**fields, **changes})


def parts_of(run: SpecAutomationRun, view: RunView = VIEW) -> list[str]:
    """The parts of the run's comment, without the phase table and the marker."""
    return [part for part in run_comment(run, view).split("\n\n")[:-1] if not part.startswith("| | phase")]
