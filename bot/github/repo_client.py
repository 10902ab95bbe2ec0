"""What we do on GitHub, as verbs about one repository; each takes a token of its own purpose. Only the files of this
folder know the paths and JSON of the API (https://docs.github.com/en/rest).

Creating verbs look for their own earlier effect before they try a second time, by a key that only this run or delivery
has: the marker in a comment, the external id of a check run, the head branch of a pull request.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

import aiohttp

from bot.github import check_runs, comments, contents, issues, pull_requests
from bot.github.app_auth import AppAuth, Purpose, TokenKey
from bot.github.calls import RepoCalls, text
from bot.github.comments import CommentInfo, Reaction
from bot.github.errors import Unavailable
from bot.github.issues import IssueInfo
from bot.github.pull_requests import PullRequestInfo
from bot.github.rate_gate import Pace, Timing
from bot.github.transport import Call, Token, Transport

__all__ = [
    "CommentInfo",
    "GitHub",
    "IssueInfo",
    "PullRequestInfo",
    "Reaction",
    "RepoClient",
    "RepositoryInfo",
    "RepositoryRole",
]

RepositoryRole = Literal["admin", "maintain", "write", "triage", "read", "none"]
ROLES: tuple[RepositoryRole, ...] = ("admin", "maintain", "write", "triage", "read")


@dataclass(frozen=True, slots=True)
class RepositoryInfo:
    """A repository as GitHub has it now; ``clone_url`` holds no credential."""

    slug: str
    default_branch: str
    private: bool
    archived: bool
    clone_url: str


@dataclass(frozen=True, slots=True)
class _KeptTokens:
    """The token source of one purpose in one repository."""

    auth: AppAuth
    key: TokenKey

    async def current(self) -> Token:
        return await self.auth.entry(self.key)

    def forget(self, token: Token) -> None:
        self.auth.forget(self.key, token)


@dataclass(frozen=True, slots=True)
class _OneToken:
    """The source of a token that was minted for one errand."""

    token: Token

    async def current(self) -> Token:
        return self.token

    def forget(self, token: Token) -> None:
        """There is no other."""


class GitHub:
    """Hands out clients; the rate limits of an installation are shared by all of its repositories."""

    def __init__(
        self,
        http: aiohttp.ClientSession,
        auth: AppAuth,
        api_url: str,
        *,
        timing: Timing | None = None,
        pace: Pace | None = None,
    ) -> None:
        """``pace``: how much of what an installation may send is this process's, and how long a call may wait."""
        self.auth = auth
        self._http = http
        self._api_url = api_url
        self._timing = timing or Timing()
        self._pace = pace or Pace()
        self._transports: dict[int, Transport] = {}

    def repo(
        self, installation_id: int, repository_id: int, slug: str, *, final: bool = False, optional: bool = False
    ) -> RepoClient:
        """The verbs for one repository. ``final`` writes may use the part of the budget that is kept for last words;
        ``optional`` ones give up where they would have to wait for it."""

        def tokens(purpose: Purpose) -> _KeptTokens:
            return _KeptTokens(self.auth, TokenKey(installation_id, repository_id, purpose))

        calls = RepoCalls(
            self._transport(installation_id),
            self.auth,
            slug,
            tokens,
            repository_id=repository_id,
            final=final,
            optional=optional,
        )
        return RepoClient(calls, installation_id, repository_id)

    async def app_slug(self) -> str:
        """Our App's name in addresses and mentions; asked for once. Raises GitHubError."""
        return await self.auth.app_slug()

    async def org_file(self, installation_id: int, owner: str, path: str) -> bytes | None:
        """A file of the account's ``.github`` repository, as its default branch has it.

        None where there is no such file or repository, or where the App is not installed on it. Nothing is kept, not
        even the token. Raises GitHubError.
        """
        token = await self.auth.token_by_name(installation_id, ".github", Purpose.READ)
        if token is None:
            return None
        calls = RepoCalls(
            self._transport(installation_id), self.auth, f"{owner}/.github", lambda purpose: _OneToken(token)
        )
        return await contents.file(calls, path)

    def _transport(self, installation_id: int) -> Transport:
        transport = self._transports.get(installation_id)
        if transport is None:
            transport = self._transports[installation_id] = Transport(
                self._http, self._api_url, self._timing, self._pace
            )
        return transport


class RepoClient:
    """Every method raises GitHubError and its subclasses, nothing else."""

    def __init__(self, calls: RepoCalls, installation_id: int, repository_id: int) -> None:
        self.slug = calls.slug
        self.installation_id = installation_id
        self.repository_id = repository_id
        self._calls = calls

    # The repository

    async def permission_of(self, login: str) -> RepositoryRole:
        """What this person may do here, asked now. A role of the organization's own counts as its base permission."""
        doing = f"reading {login}'s permission on {self.slug}"
        call = Call(doing, "GET", "/collaborators/{login}/permission", {"login": login})
        data = await self._calls.unless_missing(call, Purpose.READ)
        for name in (text(data, "role_name"), text(data, "permission")):
            for role in ROLES:
                if name == role:
                    return role
        return "none"

    async def repository(self) -> RepositoryInfo:
        """Raises NotFound or AccessLost when the App cannot see it any more."""
        doing = f"reading repository {self.slug}"
        data = await self._calls.get(doing, "", Purpose.READ)
        try:
            return RepositoryInfo(
                slug=str(data["full_name"]),
                default_branch=str(data["default_branch"]),
                private=bool(data["private"]),
                archived=bool(data.get("archived", False)),
                clone_url=_clone_url(str(data.get("clone_url") or data["html_url"])),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise Unavailable(f"{doing}: the answer is not a repository") from error

    async def file(self, path: str, ref: str | None = None) -> bytes | None:
        """A file's content at a branch or commit, else on the default branch; None where there is none.

        Raises Refused for what is no file, and for one of more than 1 MiB.
        """
        return await contents.file(self._calls, path, ref)

    async def branch_names(self, prefix: str = "") -> list[str]:
        """The branches whose names begin with ``prefix``."""
        return await contents.branch_names(self._calls, prefix)

    # Comments and reactions

    async def comment(self, issue_number: int, body: str) -> CommentInfo:
        """Comment on an issue or a pull request. A body with one of our markers is never posted twice by a retry."""
        return await comments.post(self._calls, issue_number, body)

    async def edit_comment(self, comment_id: int, body: str) -> None:
        """Replace a comment's text. Raises NotFound when somebody deleted it."""
        await comments.edit(self._calls, comment_id, body)

    async def find_comment(self, issue_number: int, marker: str) -> CommentInfo | None:
        """The oldest comment with this marker that our own App wrote; what others pasted does not count."""
        return await comments.find(self._calls, "issues", issue_number, marker)

    async def minimize_comment(self, node_id: str) -> None:
        """Fold a comment away as outdated; it can still be read. Raises NotFound when somebody deleted it."""
        await comments.minimize(self._calls, node_id)

    async def react(self, comment_id: int, content: Reaction) -> None:
        """React to a comment on an issue or a pull request. Doing it again changes nothing."""
        await comments.react(self._calls, "issues", comment_id, content)

    async def reply_to_review_comment(self, pull_number: int, comment_id: int, body: str) -> CommentInfo:
        """Reply in the thread that the review comment ``comment_id`` began: GitHub takes no reply to a reply. A body
        with one of our markers is never posted twice by a retry."""
        return await comments.reply(self._calls, pull_number, comment_id, body)

    async def find_reply(self, pull_number: int, marker: str) -> CommentInfo | None:
        """The same as ``find_comment`` in the threads of a review."""
        return await comments.find(self._calls, "pulls", pull_number, marker)

    async def react_to_review_comment(self, comment_id: int, content: Reaction) -> None:
        """React to a comment on a line. Doing it again changes nothing."""
        await comments.react(self._calls, "pulls", comment_id, content)

    # Issues

    async def issue(self, issue_number: int) -> IssueInfo:
        """An issue or a pull request as it is now."""
        return await issues.read(self._calls, issue_number)

    async def add_labels(self, issue_number: int, labels: Sequence[str]) -> None:
        """Put labels on an issue or a pull request; GitHub makes those that the repository does not have."""
        await issues.add_labels(self._calls, issue_number, labels)

    async def remove_label(self, issue_number: int, label: str) -> None:
        """Take a label off, or see that it is off already."""
        await issues.remove_label(self._calls, issue_number, label)

    async def add_assignees(self, issue_number: int, logins: Sequence[str]) -> None:
        """Assign people. GitHub leaves out, without a word, whoever cannot be assigned here."""
        await issues.add_assignees(self._calls, issue_number, logins)

    # Check runs

    async def create_check_run(self, payload: Mapping[str, Any]) -> int:
        """Create a check run (payload: GitHub's fields with ``head_sha`` and ``external_id``) and return its id."""
        return await check_runs.create(self._calls, payload)

    async def update_check_run(self, check_run_id: int, payload: Mapping[str, Any]) -> None:
        """Bring a check run up to date; its ``head_sha`` cannot change and is not sent.

        GitHub appends the annotations of an update, so those it has already, in their order, are not sent again.
        """
        await check_runs.update(self._calls, check_run_id, payload)

    async def find_check_run(self, sha: str, external_id: str) -> int | None:
        """The id of our check run with this external id on this commit, or None."""
        return await check_runs.find(self._calls, sha, external_id)

    # Pull requests

    async def create_pull_request(
        self, *, head: str, base: str, title: str, body: str, draft: bool = True
    ) -> PullRequestInfo:
        """Open a pull request. Raises Refused where one exists already or where drafts are not offered."""
        fields = {"title": title, "head": head, "base": base, "body": body, "draft": draft}
        return await pull_requests.create(self._calls, fields)

    async def find_pull_request(self, head: str) -> PullRequestInfo | None:
        """The newest pull request from this branch of this repository, open or closed, or None."""
        return await pull_requests.find(self._calls, head)

    async def open_pull_requests(self) -> list[PullRequestInfo]:
        """Those that are open, the newest 2,000 of them."""
        return await pull_requests.open_ones(self._calls)

    async def pull_request(self, pull_number: int) -> PullRequestInfo:
        """A pull request as it is now. Raises NotFound also for an issue."""
        return await pull_requests.read(self._calls, pull_number)

    async def pull_request_files(self, pull_number: int) -> list[str]:
        """The paths it adds, changes or removes; GitHub tells 3,000 at most."""
        return await pull_requests.files(self._calls, pull_number)

    async def update_pull_request(self, pull_number: int, *, title: str | None = None, body: str | None = None) -> None:
        """Replace what is given."""
        await pull_requests.update(self._calls, pull_number, {"title": title, "body": body})

    async def request_reviewers(
        self, pull_number: int, reviewers: Sequence[str], team_reviewers: Sequence[str]
    ) -> None:
        """Ask people and teams (by slug) for a review. Raises Refused when one of them cannot be asked here: then
        nobody was."""
        await pull_requests.request_reviewers(self._calls, pull_number, reviewers, team_reviewers)


def _clone_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.password:
        raise ValueError("not a plain HTTP address")
    return url if url.endswith(".git") else f"{url}.git"
