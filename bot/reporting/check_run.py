"""The check run of a run: GitHub's fields, made from the rows. Pure.

https://docs.github.com/en/rest/checks/runs: ``summary`` takes 65,535 characters, an annotation's ``message`` 64 KB, its
``title`` 255; at most three ``actions``, with 20 characters for label and identifier and 40 for the description. The
client sends the annotations 50 at a time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from bot.reporting import agent_facts, run_facts, sanitize
from bot.reporting.annotations import annotations_of
from bot.reporting.failure_advice import retry_helps
from bot.reporting.headline import place_words, standing
from bot.reporting.next_commands import next_verb
from bot.reporting.run_comment import summary_parts
from bot.reporting.run_view import RunView
from bot.reporting.sections import count, within
from db.models import SpecAutomationRun
from db.vocabulary import RunStatus, Verb

NAME = "speckit"
MAX_SUMMARY = 65_535
LONGEST_TITLE = 120
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")

RETRY = "retry"
NEXT = "next:"
"""Identifiers of the buttons: ``retry``, and ``next:`` with a verb."""

_NEXT_BUTTONS: Mapping[Verb, tuple[str, str]] = {
    Verb.PLAN: ("Next: plan", "Writes the plan on this branch"),
    Verb.TASKS: ("Next: tasks", "Writes the tasks on this branch"),
    Verb.CHECKLIST: ("Next: checklist", "Writes the checklist again"),
    Verb.ANALYZE: ("Next: analyze", "Checks the files against each other"),
    Verb.IMPLEMENT: ("Next: implement", "Carries out the tasks on this branch"),
}


def check_run(run: SpecAutomationRun, view: RunView, *, head_sha: str) -> dict[str, Any]:
    """The payload to create or update the check run on a commit with; ``external_id`` is the run id."""
    payload: dict[str, Any] = {
        "name": NAME,
        "head_sha": head_sha,
        "external_id": str(run.run_id),
        "status": _status(run),
        "output": {
            "title": _title(run, view),
            "summary": within(summary_parts(run, view), "", MAX_SUMMARY).strip(),
            "annotations": annotations_of(run),
        },
    }
    if run.started_at is not None:
        payload["started_at"] = _timestamp(run.started_at)
    if (conclusion := _conclusion(run)) is not None:
        payload["conclusion"] = conclusion
        payload["completed_at"] = _timestamp(run.completed_at or view.now)
        payload["actions"] = _actions(run, view)
    details_url = run_facts.run_page(run, view.run_page_base) or run.report.comment_url
    if details_url:
        payload["details_url"] = details_url
    return payload


def superseded_check_run(run: SpecAutomationRun, head_sha: str, new_sha: str) -> dict[str, Any]:
    """The payload that ends the check run on a commit when the run went on at a newer one."""
    short = new_sha[:7]
    return {
        "name": NAME,
        "head_sha": head_sha,
        "external_id": str(run.run_id),
        "status": "completed",
        "conclusion": "neutral",
        "actions": [],
        "output": {
            "title": f"Went on at {short}",
            "summary": f"The run pushed commit {new_sha}; its check run is there now.",
            "annotations": [],
        },
    }


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
        case RunStatus.SUCCEEDED | RunStatus.NO_CHANGES if run_facts.did_its_work(run):
            return "action_required" if _needs_answers(run) else "success"
        case RunStatus.SUCCEEDED | RunStatus.NO_CHANGES:
            return "neutral"
        case RunStatus.FAILED:
            return "cancelled" if run_facts.was_cancelled(run) else "failure"


def _needs_answers(run: SpecAutomationRun) -> bool:
    return not run.dry_run and bool(agent_facts.asked_questions(run) or agent_facts.open_questions(run))


def _title(run: SpecAutomationRun, view: RunView) -> str:
    """A plain line: what it is about when a specification went well, else how it stands."""
    about = sanitize.plain(agent_facts.heading(run))
    if run.status == RunStatus.SUCCEEDED and about and not run.dry_run and not agent_facts.asked_questions(run):
        questions = len(agent_facts.open_questions(run))
        asked = count(questions, "open question") if questions else "no open questions"
        return f"{sanitize.clip(about, LONGEST_TITLE)}: {asked}"
    if run.status == RunStatus.QUEUED and view.place is not None and run.cancel_requested_at is None:
        return f"Waiting: {place_words(view.place)}"
    stands = standing(run, view)
    words = _LINK.sub(r"\1", f"{stands.claim} {stands.more}")
    return sanitize.clip(sanitize.plain(words.replace("`", "").replace("\\", "")), LONGEST_TITLE)


def _actions(run: SpecAutomationRun, view: RunView) -> list[dict[str, str]]:
    """The buttons. Whoever presses one must be allowed to give the command it stands for."""
    found = []
    if run.status == RunStatus.FAILED and retry_helps(run.error_code) and RETRY not in view.commands_off:
        found.append({"label": "Retry", "description": "Goes on where the run stopped", "identifier": RETRY})
    following = next_verb(run, view.commands_off)
    if following is not None:
        label, description = _NEXT_BUTTONS[following]
        found.append({"label": label, "description": description, "identifier": f"{NEXT}{following.value}"})
    return found


def _timestamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
