"""The check run on a commit that somebody pushed to our pull request after the run. Pure."""

from __future__ import annotations

from typing import Any

from bot.reporting.check_run import check_run
from bot.reporting.run_view import RunView
from db.models import SpecAutomationRun


def later_commit_check_run(run: SpecAutomationRun, view: RunView, *, head_sha: str) -> dict[str, Any]:
    """The payload: completed, so that nobody waits for it, and neutral, since nobody looked at this commit. What the
    run still needs of people stays needed. The buttons go on from the newest commit."""
    payload = check_run(run, view, head_sha=head_sha)
    looked_at = run.head_sha or run.report.check_run_sha or ""
    if payload["conclusion"] != "action_required":
        payload["conclusion"] = "neutral"
    output = payload["output"]
    # Lines may have moved.
    output["annotations"] = []
    output["title"] = f"Pushed after {looked_at[:7]}: {output['title']}"[:255]
    output["summary"] = (
        f"This commit came after the run, which looked at {looked_at}. What follows is about that one.\n\n"
        f"{output['summary']}"
    )[:65_535]
    return payload
