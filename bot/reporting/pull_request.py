"""The one way to open the draft pull request of a run. It can be repeated. What it says: pull_request_body.py."""

from __future__ import annotations

import logging

from bot.github.errors import Refused
from bot.github.repo_client import PullRequestInfo, RepoClient
from bot.reporting.pull_request_body import body, title
from db.leases import Lease, database_now, guard
from db.models import SpecAutomationRun
from db.run_queries import get_run
from db.runs import note_report
from db.session import Database

logger = logging.getLogger(__name__)


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
