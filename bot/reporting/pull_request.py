"""The draft pull request of a run: its title and body (pure), and the one way to open it, which can be repeated.

The body is made of marked sections. Only what stands between two marks is ever written again: what people added stays,
and a section whose marks they removed stays away.
"""

from __future__ import annotations

import logging
import re

from bot.github.errors import Refused
from bot.github.repo_client import PullRequestInfo, RepoClient
from bot.reporting import run_facts, sanitize
from db.leases import Lease, database_now, guard
from db.models import SpecAutomationRun
from db.run_queries import get_run
from db.runs import note_report
from db.session import Database

logger = logging.getLogger(__name__)

LONGEST_TITLE = 200
LONGEST_REQUEST = 30_000
MOST_STORIES = 30
MOST_QUESTIONS = 50

_END = "<!-- /speckit-bot:section -->"
_SECTION = re.compile(
    r"^<!-- speckit-bot:section=([a-z-]+) -->\n.*?^<!-- /speckit-bot:section -->$", re.DOTALL | re.MULTILINE
)


def title(run: SpecAutomationRun) -> str:
    """A plain line from the specification's heading, else from the issue's title."""
    for text in (run_facts.heading(run), run.issue_title):
        if words := sanitize.plain(text):
            return sanitize.clip(words, LONGEST_TITLE)
    return f"Specification for issue {run.issue_number}"


def body(run: SpecAutomationRun, previous: str | None = None) -> str:
    """The body; with ``previous`` that body with its marked sections brought up to date."""
    sections = _sections(run)
    if previous is None or not _SECTION.search(previous):
        fresh = "\n\n".join(_marked(name, content) for name, content in sections.items())
        return f"{previous.rstrip()}\n\n{fresh}" if previous else fresh

    def renewed(found: re.Match[str]) -> str:
        content = sections.get(found[1])
        return found[0] if content is None else _marked(found[1], content)

    return _SECTION.sub(renewed, previous)


def _marked(name: str, content: str) -> str:
    return (
        f"<!-- speckit-bot:section={name} -->\n{content}\n{_END}"
        if content
        else f"<!-- speckit-bot:section={name} -->\n{_END}"
    )


def _sections(run: SpecAutomationRun) -> dict[str, str]:
    """Every section in its order. An empty one keeps its marks, so that it can be filled later."""
    return {
        "request": _request(run),
        "user-stories": _listing("### User stories", _stories(run)),
        "open-questions": _listing(
            "### Open questions", run_facts.question_lines(run_facts.open_questions(run), MOST_QUESTIONS)
        ),
        "phases": f"### Phases\n\n{run_facts.phase_table(run, without_ending=True)}",
        "versions": run_facts.versions_line(run),
        "references": f"Refs #{run.issue_number}",
    }


def _request(run: SpecAutomationRun) -> str:
    asked = f"### Request\n\n{sanitize.code(run.requested_by)} asked for:"
    return f"{asked}\n\n{sanitize.quoted_block(sanitize.clip(run.requested_spec_input, LONGEST_REQUEST))}"


def _stories(run: SpecAutomationRun) -> list[str]:
    stories = run_facts.user_stories(run)
    lines = [f"- {run_facts.one_line(story)}" for story in stories[:MOST_STORIES] if story.strip()]
    return [*lines, f"- … and {len(stories) - MOST_STORIES} more"] if len(stories) > MOST_STORIES else lines


def _listing(heading: str, lines: list[str]) -> str:
    return "\n".join([heading, "", *lines]) if lines else ""


async def open_pull_request(database: Database, client: RepoClient, lease: Lease) -> tuple[int, str]:
    """Find or open the draft pull request of the run's branch; return its number and address.

    That it is about to be opened is committed before GitHub is asked, so after a crash it is looked for first. Raises
    GitHubError; LeaseLost before anything is written when the run is somebody else's now.
    """
    async with database.transaction() as session:
        await guard(session, lease)
        run = await get_run(session, lease.run_id)
        number, url = run.report.pull_request_number, run.report.pull_request_url
        intended = run.report.pull_request_intended_at is not None
        if not intended:
            now = await database_now(session)
            await note_report(session, lease, run.run_id, pull_request_intended_at=now)
    if number is not None and url:
        return number, url
    found = None
    if intended:
        found = await client.find_pull_request(_head(run))
        # The look may have taken a while: whoever lost the run meanwhile opens nothing.
        async with database.transaction() as session:
            await guard(session, lease)
    opened = found or await _create(client, run)
    async with database.transaction() as session:
        await note_report(session, lease, run.run_id, pull_request_number=opened.number, pull_request_url=opened.url)
    return opened.number, opened.url


def _head(run: SpecAutomationRun) -> str:
    if not run.branch_name:
        raise ValueError(f"run {run.run_id} has no branch yet")
    return run.branch_name


async def _create(client: RepoClient, run: SpecAutomationRun) -> PullRequestInfo:
    if not run.base_branch:
        raise ValueError(f"run {run.run_id} has no base branch yet")
    head, base, named, text = _head(run), run.base_branch, title(run), body(run)
    try:
        return await client.create_pull_request(head=head, base=base, title=named, body=text)
    except Refused as refusal:
        if not refusal.mentions("already exists", "draft"):
            raise
        if (existing := await client.find_pull_request(head)) is not None:
            return existing
        if not refusal.mentions("draft"):
            raise
        # Drafts are not offered everywhere, such as in private repositories of free plans.
        logger.info("pull_request_without_draft", extra={"run": str(run.run_id)})
        return await client.create_pull_request(head=head, base=base, title=named, body=text, draft=False)
