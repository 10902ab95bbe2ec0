"""What came of the demo, as one JSON object."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.github.markers import run_marker
from cli.demo_hub import HubClient
from db.models import SpecAutomationRun, SpecAutomationTaskState
from db.vocabulary import Phase, RunStatus


@dataclass(frozen=True, slots=True)
class DemoResult:
    """``summary`` is what ``--json`` prints; ``files`` are the paths the pull request changes."""

    summary: dict[str, Any]
    files: list[str]

    @property
    def succeeded(self) -> bool:
        """True when the run ended with a pull request."""
        return self.summary["status"] == RunStatus.SUCCEEDED and bool(self.summary["pull_request_url"])


async def collect(hub: HubClient, run: SpecAutomationRun, issue_url: str, commented_at: datetime) -> DemoResult:
    """Read back from localhub what people see of the run. ``commented_at``: just before the comment was sent."""
    comments = await hub.issue_comments(run.issue_number)
    comment = next((body for body in comments if run_marker(run.run_id) in body), "")
    number = run.report.pull_request_number
    check = await hub.check_run(run.head_sha, str(run.run_id)) if run.head_sha else None
    summary = {
        "run_id": str(run.run_id),
        "status": str(run.status),
        "phases": [_phase(state) for state in run.task_states],
        "branch_name": run.branch_name,
        "pull_request_url": run.report.pull_request_url,
        "issue_url": issue_url,
        "comment_markdown": comment,
        "check_run": {"conclusion": check["conclusion"], "output": check["output"]} if check else None,
        "artifacts": [
            {"name": one.name, "artifact_type": str(one.artifact_type), "size_bytes": one.size_bytes}
            for one in run.artifacts
        ],
        "seconds_total": _until_open(run, commented_at),
    }
    return DemoResult(summary, await hub.pull_request_files(number) if number else [])


def _phase(state: SpecAutomationTaskState) -> dict[str, object]:
    took = (state.completed_at - state.started_at).total_seconds() if state.started_at and state.completed_at else None
    return {
        "phase": str(state.phase),
        "status": str(state.status),
        "attempt": state.attempt,
        "seconds": None if took is None else round(took, 3),
    }


def _until_open(run: SpecAutomationRun, commented_at: datetime) -> float | None:
    """Seconds from the comment to the open pull request; None when there is none."""
    opened = next(state.completed_at for state in run.task_states if state.phase is Phase.OPEN_PR)
    if opened is None or run.report.pull_request_url is None:
        return None
    return round((opened - commented_at).total_seconds(), 3)
