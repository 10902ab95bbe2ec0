"""The one way to a run's pull request, which can be repeated: opened as a draft, or brought up to date."""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from typing import Any

from bot.github.errors import GitHubError, Refused
from bot.github.repo_client import PullRequestInfo, RepoClient
from bot.reporting.pull_request_body import body, title
from db.leases import Lease, database_now, guard
from db.models import SpecAutomationRun
from db.run_queries import get_run
from db.runs import note_report
from db.session import Database

logger = logging.getLogger(__name__)


async def publish_pull_request(database: Database, client: RepoClient, lease: Lease) -> tuple[int, str]:
    """Find or open the draft pull request of the run's branch, or renew the marked sections of the one that the run
    goes on with; return its number and address.

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
    if run.pull_request_number is not None:
        published = await client.pull_request(run.pull_request_number)
        await _renew(database, client, lease, run, published)
    else:
        published = await _find_or_open(database, client, lease, run, look_first=intended)
        await _ask_people(client, run, published.number)
    async with database.transaction() as session:
        await note_report(
            session, lease, run.run_id, pull_request_number=published.number, pull_request_url=published.url
        )
    return published.number, published.url


async def _renew(
    database: Database, client: RepoClient, lease: Lease, run: SpecAutomationRun, pull: PullRequestInfo
) -> None:
    renewed = body(run, pull.body)
    async with database.transaction() as session:
        await guard(session, lease)
    if renewed != pull.body:
        await client.update_pull_request(pull.number, body=renewed)


async def _find_or_open(
    database: Database, client: RepoClient, lease: Lease, run: SpecAutomationRun, *, look_first: bool
) -> PullRequestInfo:
    if look_first:
        found = await client.find_pull_request(_head(run))
        # The look may have taken a while: whoever lost the run meanwhile opens nothing.
        async with database.transaction() as session:
            await guard(session, lease)
        if found is not None:
            return found
    return await _create(client, run)


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


async def _ask_people(client: RepoClient, run: SpecAutomationRun, number: int) -> None:
    """Labels, reviewers and assignees, as the repository's configuration has it. A name GitHub does not take here costs
    a line in the log, never the run, and nothing for the other names."""
    wanted: Any = run.arguments.get("pull_request")
    if not isinstance(wanted, dict):
        return
    labels, assignees = wanted.get("labels") or [], wanted.get("assignees") or []
    reviewers, teams = wanted.get("reviewers") or [], wanted.get("team_reviewers") or []
    if labels:
        await _asked(run, "labels", client.add_labels(number, labels))
    if assignees:
        await _asked(run, "assignees", client.add_assignees(number, assignees))
    one_by_one = [*(([name], []) for name in reviewers), *(([], [name]) for name in teams)]
    if one_by_one and await _asked(run, "reviewers", client.request_reviewers(number, reviewers, teams)):
        return
    # GitHub takes all of them or none.
    for people, groups in one_by_one if len(one_by_one) > 1 else ():
        await _asked(run, "reviewer", client.request_reviewers(number, people, groups))


async def _asked(run: SpecAutomationRun, what: str, step: Awaitable[None]) -> bool:
    """Do it; False where GitHub says no."""
    try:
        await step
    except GitHubError as error:
        if error.transient:
            raise
        logger.warning("people_not_asked", extra={"run": str(run.run_id), "what": what, "reason": error.message})
        return False
    return True
