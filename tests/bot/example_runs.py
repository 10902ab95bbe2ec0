"""Runs as rows in memory, in whatever state a sentence is needed for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from db.models import AgentConfiguration, RunReport, SpecAutomationRun, SpecAutomationTaskState
from db.vocabulary import PHASES, ErrorCode, Phase, RunStatus, TaskStatus

RUN_ID = UUID("7f3a9c21-0000-4000-8000-00000000cafe")
START = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
NOW = START + timedelta(seconds=75)
PAGES = "https://bot.example"

SPECIFIED: dict[str, Any] = {
    "feature_directory": "specs/001-pay-by-invoice",
    "files": [{"path": "specs/001-pay-by-invoice/spec.md", "added_lines": 88}],
    "heading": "Pay by invoice",
    "user_stories": ["A customer pays by invoice", "@mallory closes #1"],
    "open_questions": [
        {"path": "specs/001-pay-by-invoice/spec.md", "line": 12, "text": "Which currencies? Ask @alice."}
    ],
    "input_tokens": None,
    "output_tokens": None,
}


def example_run(
    status: RunStatus = RunStatus.IN_PROGRESS, *, at: Phase | None = None, **changes: Any
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
        dry_run=False,
        base_branch="main",
        report=RunReport(run_id=RUN_ID),
    )
    run.agent_configuration = None
    run.task_states = _task_states(status, at)
    if (at is None and status.is_terminal) or (at is not None and PHASES.index(at) > PHASES.index(Phase.GIT_CLONE)):
        run.agent_configuration = AgentConfiguration(
            run_id=RUN_ID, agent_backend="template", agent_version="1.0.0", prompt_pack_version="1.2.3"
        )
    for name, value in changes.items():
        setattr(run, name, value)
    return run


def _task_states(status: RunStatus, at: Phase | None) -> list[SpecAutomationTaskState]:
    reached = len(PHASES) if at is None and status.is_terminal else 0 if at is None else PHASES.index(at)
    found = []
    for place, phase in enumerate(PHASES):
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
    run = example_run(RunStatus.SUCCEEDED, branch_name="speckit/20261122/7f3a9c", head_sha="a" * 40, **changes)
    run.report.pull_request_number, run.report.pull_request_url = 12, "https://github.example/acme/shop/pull/12"
    run.report.comment_url = "https://github.example/acme/shop/issues/7#issuecomment-90"
    return run


def failed_run(code: ErrorCode, summary: str, at: Phase = Phase.SPECKIT_PLAN) -> SpecAutomationRun:
    """A run that ended badly in a phase."""
    return example_run(RunStatus.FAILED, at=at, error_code=code.value, result_summary=summary)
