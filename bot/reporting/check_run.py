"""The check run of a run: GitHub's fields, made from the rows. Pure.

https://docs.github.com/en/rest/checks/runs: ``summary`` takes 65,535 characters, an annotation's ``message`` 64 KB, its
``title`` 255. The client sends the annotations 50 at a time.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from bot.reporting import run_facts, sanitize
from bot.reporting.run_comment import headline, summary_parts, within
from db.models import SpecAutomationRun
from db.vocabulary import RunStatus

NAME = "speckit"
MAX_SUMMARY = 65_535
MAX_ANNOTATIONS = 200
LONGEST_TITLE = 120


def check_run(
    run: SpecAutomationRun, now: datetime, *, head_sha: str, run_page_base: str | None, prefix: str
) -> dict[str, Any]:
    """The payload to create or update the check run with; ``external_id`` is the run id."""
    payload: dict[str, Any] = {
        "name": NAME,
        "head_sha": head_sha,
        "external_id": str(run.run_id),
        "status": _status(run),
        "output": {
            "title": _title(run),
            "summary": within(summary_parts(run, now, run_page_base, prefix), "", MAX_SUMMARY).strip(),
            "annotations": _annotations(run),
        },
    }
    if run.started_at is not None:
        payload["started_at"] = _timestamp(run.started_at)
    if (conclusion := _conclusion(run)) is not None:
        payload["conclusion"] = conclusion
        payload["completed_at"] = _timestamp(run.completed_at or now)
    details_url = run_facts.run_page(run, run_page_base) or run.report.comment_url
    if details_url:
        payload["details_url"] = details_url
    return payload


def _status(run: SpecAutomationRun) -> str:
    match RunStatus(run.status):
        case RunStatus.QUEUED:
            return "queued"
        case RunStatus.IN_PROGRESS:
            return "in_progress"
        case RunStatus.SUCCEEDED | RunStatus.FAILED | RunStatus.NO_CHANGES:
            return "completed"


def _conclusion(run: SpecAutomationRun) -> str | None:
    match RunStatus(run.status):
        case RunStatus.QUEUED | RunStatus.IN_PROGRESS:
            return None
        case RunStatus.SUCCEEDED:
            return "success"
        case RunStatus.NO_CHANGES:
            return "neutral"
        case RunStatus.FAILED:
            return "cancelled" if run_facts.was_cancelled(run) else "failure"


def _title(run: SpecAutomationRun) -> str:
    """A plain line: what it is about when it went well, else how it stands."""
    if run.status == RunStatus.SUCCEEDED:
        questions = len(run_facts.open_questions(run))
        asked = {0: "no open questions", 1: "1 open question"}.get(questions, f"{questions} open questions")
        about = sanitize.plain(run_facts.heading(run) or run.issue_title)
        return f"{sanitize.clip(about, LONGEST_TITLE)}: {asked}" if about else asked.capitalize()
    words = headline(run).replace("*", "").replace("`", "")
    return sanitize.clip(words.partition(" ")[2], LONGEST_TITLE)


def _annotations(run: SpecAutomationRun) -> list[dict[str, Any]]:
    """Open questions on their lines, once the files are where the check run is: on the pushed branch."""
    if run.status != RunStatus.SUCCEEDED:
        return []
    return [
        {
            "path": asked.path,
            "start_line": asked.line,
            "end_line": asked.line,
            "annotation_level": "notice",
            "title": "Needs clarification",
            "message": sanitize.clip(sanitize.plain(asked.text), 2000) or "Something is to be clarified here.",
        }
        for asked in run_facts.open_questions(run)[:MAX_ANNOTATIONS]
    ]


def _timestamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
