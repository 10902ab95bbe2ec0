"""Steps that many scenarios share: a first run that made a pull request, and what is said on it."""

from __future__ import annotations

from localhub.model import Issue
from tests.scenario import INVOICE, Scenario

DIRECTORY = "specs/001-customers-pay-invoice"


async def specified(s: Scenario, flags: str = "") -> Issue:
    """The pull request of a first run, as the conversation that follows happens on it."""
    await s.comment(f"/speckit specify {flags} {INVOICE}")
    run = await s.finish()
    assert run.status == "succeeded", run.result_summary
    return s.pull_request().issue


async def say(s: Scenario, text: str, on: Issue, by: str = "grace") -> str:
    """Give a command and return what the App said to it there, not what it asked besides."""
    await s.comment(text, by=by, issue=on)
    await s.rest()
    return [reply.body for reply in s.replies(on) if "speckit-bot:questions=" not in reply.body][-1]


def written(s: Scenario) -> list[str]:
    """The files of features that the pull request brings."""
    return [path for path in s.pull_request().files if path.startswith("specs/")]
