"""What the phases ask of GitHub, over the bot's client: proved by the lease, and refusals as errors of a phase."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID

import pytest

from bot.github.app_auth import Purpose
from bot.github.errors import AccessLost, NotFound, Unavailable
from bot.github.pull_requests import PullRequestInfo
from bot.github.repo_client import GitHub
from db.errors import LeaseLost
from db.runs import Lease, begin, claim
from db.vocabulary import ErrorCode, Verb
from jobs.errors import PipelineError, TransientError, UserError
from jobs.ports import ExistingPullRequest
from jobs.worker import GitHubAccess
from tests.jobs.rig import Rig

OURS = PullRequestInfo(
    number=4,
    url="http://127.0.0.1/acme/shop/pull/4",
    state="open",
    draft=True,
    merged=False,
    title="Pay by invoice",
    body="",
    head_branch="speckit/x/1",
    head_sha="c" * 40,
    head_repository_id=1,
    base_branch="main",
    author="speckit-bot[bot]",
    is_ours=True,
)


@dataclass
class FakeClient:
    """One repository on GitHub, as far as it is asked here."""

    pull: PullRequestInfo = OURS
    role: str = "write"
    error: Exception | None = None
    asked: list[object] = field(default_factory=list)

    async def pull_request(self, number: int) -> PullRequestInfo:
        await self._told(number)
        return self.pull

    async def permission_of(self, login: str) -> str:
        await self._told(login)
        return self.role

    async def token(self, installation_id: int, repository_id: int, purpose: Purpose) -> str:
        await self._told((installation_id, repository_id, purpose))
        return f"ghs_{purpose}"

    async def _told(self, asked: object) -> None:
        self.asked.append(asked)
        if self.error is not None:
            raise self.error


class FakeGitHubs:
    def __init__(self, client: FakeClient) -> None:
        self.auth = client
        self._client = client

    def repo(self, installation_id: int, repository_id: int, slug: str, **named: Any) -> FakeClient:
        self._client.asked.append((installation_id, repository_id, slug))
        return self._client


@pytest.fixture
def client() -> FakeClient:
    return FakeClient()


@pytest.fixture
def access(sqlite_rig: Rig, client: FakeClient) -> GitHubAccess:
    return GitHubAccess(sqlite_rig.database, cast(GitHub, FakeGitHubs(client)))


async def held(rig: Rig, **differences: Any) -> Lease:
    run_id: UUID = await rig.open(**differences)
    async with rig.database.transaction() as session:
        lease = await claim(session, run_id, "a worker", 45)
        assert lease is not None
        await begin(session, lease, "tests", datetime.now(UTC) + timedelta(hours=1))
    return lease


async def test_a_pull_request_as_it_is_now(sqlite_rig: Rig, access: GitHubAccess, client: FakeClient) -> None:
    found = await access.pull_request(await held(sqlite_rig), 4)
    assert found == ExistingPullRequest(4, OURS.url, True, "speckit/x/1", "main", "c" * 40)
    assert client.asked == [(7, 1, "acme/shop"), 4]


@pytest.mark.parametrize("elsewhere", [2, None])
async def test_a_branch_of_a_fork_is_none_of_ours(
    sqlite_rig: Rig, access: GitHubAccess, client: FakeClient, elsewhere: int | None
) -> None:
    client.pull = replace(OURS, head_repository_id=elsewhere)
    assert (await access.pull_request(await held(sqlite_rig), 4)).branch is None


async def test_a_closed_one_is_told(sqlite_rig: Rig, access: GitHubAccess, client: FakeClient) -> None:
    client.pull = replace(OURS, state="closed", merged=True)
    assert not (await access.pull_request(await held(sqlite_rig), 4)).open


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (NotFound("reading pull request 4: Not Found"), UserError, ErrorCode.REQUEST_PULL_REQUEST_CLOSED),
        (AccessLost("reading pull request 4: suspended"), UserError, ErrorCode.GITHUB_ACCESS_LOST),
        (Unavailable("reading pull request 4: 502"), TransientError, ErrorCode.GITHUB_UNAVAILABLE),
    ],
)
async def test_a_pull_request_that_cannot_be_read(
    sqlite_rig: Rig,
    access: GitHubAccess,
    client: FakeClient,
    error: Exception,
    kind: type[PipelineError],
    code: ErrorCode,
) -> None:
    client.error = error
    with pytest.raises(kind) as refused:
        await access.pull_request(await held(sqlite_rig), 4)
    assert refused.value.code is code


@pytest.mark.parametrize(
    ("verb", "role", "arguments", "allowed"),
    [
        (Verb.SPECIFY, "write", {}, True),
        (Verb.SPECIFY, "triage", {}, False),
        (Verb.SPECIFY, "triage", {"roles": {"specify": "triage"}}, True),
        (Verb.SPECIFY, "write", {"roles": {"specify": "admin"}}, False),
        (Verb.SPECIFY, "write", {"roles": {"specify": "emperor"}}, False),
        (Verb.SPECIFY, "write", {"roles": "everybody"}, True),
        (Verb.PLAN, "write", {"roles": {"specify": "admin"}}, True),
        (Verb.SPECIFY, "read", {"people": ["grace", "ada"]}, True),
        (Verb.SPECIFY, "read", {"people": ["Ada"]}, True),
        (Verb.SPECIFY, "read", {"people": ["grace"]}, False),
        (Verb.SPECIFY, "read", {"people": "ada"}, False),
        (Verb.SPECIFY, "read", {"people": None}, False),
    ],
)
async def test_whether_somebody_may_still_ask_for_such_a_run(
    sqlite_rig: Rig,
    access: GitHubAccess,
    client: FakeClient,
    verb: Verb,
    role: str,
    arguments: dict[str, Any],
    allowed: bool,
) -> None:
    client.role = role
    lease = await held(sqlite_rig, verb=verb, arguments=arguments)
    assert await access.requester_may_write(lease) is allowed
    assert client.asked[-1] == "ada"


async def test_tokens_have_one_purpose(sqlite_rig: Rig, access: GitHubAccess, client: FakeClient) -> None:
    lease = await held(sqlite_rig)
    await access.clone_token(lease)
    await access.push_token(lease)
    assert client.asked == [(7, 1, Purpose.CLONE), (7, 1, Purpose.PUSH)]


async def test_who_lost_the_run_asks_for_nothing(sqlite_rig: Rig, access: GitHubAccess, client: FakeClient) -> None:
    lease = await held(sqlite_rig)
    await sqlite_rig.take_away(lease.run_id)
    calls: list[Callable[[], Any]] = [
        lambda: access.pull_request(lease, 4),
        lambda: access.requester_may_write(lease),
        lambda: access.clone_token(lease),
        lambda: access.push_token(lease),
        lambda: access.open_pull_request(lease),
        lambda: access.repository(lease),
    ]
    for call in calls:
        with pytest.raises(LeaseLost):
            await call()
    assert client.asked == []
