"""What the phases ask of GitHub, over bot.github: credentials, the repository, its pull requests."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from bot.authorization import may
from bot.commands.table import DEFAULT_ROLES
from bot.github.app_auth import Purpose
from bot.github.errors import AccessLost, GitHubError, NotFound
from bot.github.repo_client import GitHub, RepoClient
from bot.reporting.publishing import publish_pull_request
from db.models import SpecAutomationRun
from db.runs import Lease, guard
from db.session import Database
from db.vocabulary import ErrorCode
from jobs.errors import AppError, PipelineError, TransientError, UserError
from jobs.ports import ExistingPullRequest, PullRequest, Repository

T = TypeVar("T")


class GitHubAccess:
    """Credentials and Publisher over bot.github. Every call proves the lease first: who lost it is mute."""

    def __init__(self, database: Database, github: GitHub) -> None:
        self._database = database
        self._github = github

    async def clone_token(self, lease: Lease) -> str:
        """Reads the contents of the run's repository, nothing else."""
        return await self._token(lease, Purpose.CLONE)

    async def push_token(self, lease: Lease) -> str:
        """Writes the contents of the run's repository, nothing else."""
        return await self._token(lease, Purpose.PUSH)

    async def repository(self, lease: Lease) -> Repository:
        """What GitHub says of the run's repository now."""
        client = self._client(await self._row(lease))
        found = await translated(client.repository)
        return Repository(found.slug, found.default_branch, found.private, found.archived, found.clone_url)

    async def requester_may_write(self, lease: Lease) -> bool:
        """Whether the role of whoever asked for the run is still enough to start one."""
        run = await self._row(lease)
        role = await translated(lambda: self._client(run).permission_of(run.requested_by))
        roles, people = run.arguments.get("roles"), run.arguments.get("people")
        # As ``EffectiveConfig.names`` had it when the run was asked for: capital letters do not matter.
        named = {str(login).lower() for login in people} if isinstance(people, list) else set()
        return run.requested_by.lower() in named or may(
            run.verb, role, roles if isinstance(roles, dict) else DEFAULT_ROLES
        )

    async def pull_request(self, lease: Lease, number: int) -> ExistingPullRequest:
        """What GitHub says of a pull request now."""
        run = await self._row(lease)
        try:
            found = await self._client(run).pull_request(number)
        except NotFound as error:
            message = f"There is no pull request {number} in {run.repository} any more."
            raise UserError(ErrorCode.REQUEST_PULL_REQUEST_CLOSED, message) from error
        except GitHubError as error:
            raise pipeline_error(error) from error
        here = found.head_repository_id == run.repository_id
        branch = found.head_branch if here else None
        return ExistingPullRequest(
            found.number, found.url, found.state == "open", branch, found.base_branch, found.head_sha
        )

    async def open_pull_request(self, lease: Lease) -> PullRequest:
        """Find or open the run's pull request, or bring the one it goes on with up to date."""
        client = self._client(await self._row(lease))
        number, url = await translated(lambda: publish_pull_request(self._database, client, lease))
        return PullRequest(number, url)

    async def _token(self, lease: Lease, purpose: Purpose) -> str:
        run = await self._row(lease)
        return await translated(lambda: self._github.auth.token(run.installation_id, run.repository_id, purpose))

    async def _row(self, lease: Lease) -> SpecAutomationRun:
        async with self._database.transaction() as session:
            await guard(session, lease)
            return await session.get_one(SpecAutomationRun, lease.run_id)

    def _client(self, run: SpecAutomationRun) -> RepoClient:
        return self._github.repo(run.installation_id, run.repository_id, run.repository)


async def translated(call: Callable[[], Awaitable[T]]) -> T:
    """GitHub's refusals as errors of a phase."""
    try:
        return await call()
    except GitHubError as error:
        raise pipeline_error(error) from error


def pipeline_error(error: GitHubError) -> PipelineError:
    """Who can cure it: time, the people of the repository, or the operator."""
    if error.transient:
        return TransientError(error.code, error.message)
    if isinstance(error, NotFound):
        return UserError(ErrorCode.CLONE_NOT_FOUND, f"{_sentence(error)} Was it renamed, moved or deleted?")
    if isinstance(error, AccessLost):
        return UserError(error.code, f"The bot may not do this any more: {error.message}.")
    return AppError(error.code, error.message)


def _sentence(error: GitHubError) -> str:
    return f"GitHub does not find what is needed: {error.message}."
