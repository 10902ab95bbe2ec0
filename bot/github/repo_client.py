"""What we do on GitHub, as verbs about one repository. The only file that knows the REST API's paths and JSON
(https://docs.github.com/en/rest); each verb takes a token of its own purpose.

Creating verbs look for their own earlier effect before they try a second time, by a key that only this run or delivery
has: the marker in a comment, the external id of a check run, the head branch of a pull request.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal
from urllib.parse import urlsplit

import aiohttp

from bot.github.app_auth import AppAuth, Purpose, TokenKey
from bot.github.errors import NotFound, Unavailable
from bot.github.markers import marker_in
from bot.github.rate_gate import Timing
from bot.github.transport import Call, Token, Transport

RepositoryRole = Literal["admin", "maintain", "write", "triage", "read", "none"]
ROLES: tuple[RepositoryRole, ...] = ("admin", "maintain", "write", "triage", "read")
Reaction = Literal["eyes", "rocket", "confused"]

PAGE_SIZE = "100"
MOST_PAGES = 100
ANNOTATIONS_A_REQUEST = 50

_REPO = "/repos/{owner}/{repo}"


@dataclass(frozen=True, slots=True)
class RepositoryInfo:
    """A repository as GitHub has it now; ``clone_url`` holds no credential."""

    slug: str
    default_branch: str
    private: bool
    archived: bool
    clone_url: str


@dataclass(frozen=True, slots=True)
class CommentInfo:
    """A comment of ours; ``url`` is where people read it."""

    id: int
    url: str
    body: str


@dataclass(frozen=True, slots=True)
class PullRequestInfo:
    """A pull request from a branch of the same repository."""

    number: int
    url: str
    state: str
    draft: bool
    body: str


@dataclass(frozen=True, slots=True)
class _Tokens:
    """The token source of one purpose in one repository."""

    auth: AppAuth
    key: TokenKey

    async def current(self) -> Token:
        return await self.auth.entry(self.key)

    def forget(self, token: Token) -> None:
        self.auth.forget(self.key, token)


class GitHub:
    """Hands out clients; the rate limits of an installation are shared by all of its repositories."""

    def __init__(
        self, http: aiohttp.ClientSession, auth: AppAuth, api_url: str, *, timing: Timing | None = None
    ) -> None:
        self.auth = auth
        self._http = http
        self._api_url = api_url
        self._timing = timing or Timing()
        self._transports: dict[int, Transport] = {}

    def repo(self, installation_id: int, repository_id: int, slug: str, *, final: bool = False) -> RepoClient:
        """The verbs for one repository. ``final`` writes may use the part of the budget that is kept for last words."""
        transport = self._transports.get(installation_id)
        if transport is None:
            transport = self._transports[installation_id] = Transport(self._http, self._api_url, self._timing)
        return RepoClient(transport, self.auth, installation_id, repository_id, slug, final=final)


class RepoClient:
    """Every method raises GitHubError and its subclasses, nothing else."""

    def __init__(
        self,
        transport: Transport,
        auth: AppAuth,
        installation_id: int,
        repository_id: int,
        slug: str,
        *,
        final: bool = False,
    ) -> None:
        self.slug = slug
        self.owner, _, self.name = slug.partition("/")
        self.installation_id = installation_id
        self.repository_id = repository_id
        self._transport = transport
        self._auth = auth
        self._final = final

    # Reading

    async def permission_of(self, login: str) -> RepositoryRole:
        """What this person may do here, asked now. A role of the organization's own counts as its base permission."""
        doing = f"reading {login}'s permission on {self.slug}"
        try:
            data = await self._get(doing, "/collaborators/{login}/permission", Purpose.READ, login=login)
        except NotFound:
            return "none"
        for name in (_text(data, "role_name"), _text(data, "permission")):
            for role in ROLES:
                if name == role:
                    return role
        return "none"

    async def repository(self) -> RepositoryInfo:
        """Raises NotFound or AccessLost when the App cannot see it any more."""
        doing = f"reading repository {self.slug}"
        data = await self._get(doing, "", Purpose.READ)
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

    # Comments and reactions

    async def comment(self, issue_number: int, body: str) -> CommentInfo:
        """Comment on an issue or a pull request. A body with one of our markers is never posted twice by a retry."""
        marker = marker_in(body)

        async def found() -> dict[str, Any] | None:
            existing = await self.find_comment(issue_number, marker) if marker else None
            return {"id": existing.id, "html_url": existing.url, "body": existing.body} if existing else None

        call = Call(
            f"commenting on {self.slug}#{issue_number}",
            "POST",
            "/issues/{number}/comments",
            {"number": str(issue_number)},
            {"body": body},
            found=found if marker else None,
        )
        return _comment(await self._write(call, Purpose.REPORT))

    async def edit_comment(self, comment_id: int, body: str) -> None:
        """Replace a comment's text. Raises NotFound when somebody deleted it."""
        doing = f"editing comment {comment_id} of {self.slug}"
        path, variables = "/issues/comments/{comment}", {"comment": str(comment_id)}
        await self._write(Call(doing, "PATCH", path, variables, {"body": body}), Purpose.REPORT)

    async def find_comment(self, issue_number: int, marker: str) -> CommentInfo | None:
        """The oldest comment with this marker that our own App wrote; what others pasted does not count."""
        doing = f"reading the comments of {self.slug}#{issue_number}"
        path = "/issues/{number}/comments{?per_page}"
        async for item in self._pages(doing, path, Purpose.REPORT, number=str(issue_number)):
            if marker_in(str(item.get("body") or "")) == marker and await self._is_ours(item):
                return _comment(item)
        return None

    async def _is_ours(self, item: Mapping[str, Any]) -> bool:
        app = item.get("performed_via_github_app")
        if isinstance(app, Mapping):
            return app.get("id") == self._auth.app_id
        return _text(item.get("user"), "login") == await self._auth.bot_login()

    async def react(self, comment_id: int, content: Reaction) -> None:
        """React to a comment on an issue or a pull request. Doing it again changes nothing."""
        doing = f"reacting to comment {comment_id} of {self.slug}"
        path, variables = "/issues/comments/{comment}/reactions", {"comment": str(comment_id)}
        await self._write(Call(doing, "POST", path, variables, {"content": content}), Purpose.REPORT)

    # Check runs

    async def create_check_run(self, payload: Mapping[str, Any]) -> int:
        """Create a check run (payload: GitHub's fields with ``head_sha`` and ``external_id``) and return its id."""
        sha, external_id = str(payload["head_sha"]), str(payload["external_id"])
        fields, notes = _without_annotations(payload)

        async def found() -> dict[str, Any] | None:
            existing = await self.find_check_run(sha, external_id)
            return None if existing is None else {"id": existing}

        doing = f"creating the check run on {self.slug}@{sha[:7]}"
        call = Call(doing, "POST", "/check-runs", body=_annotated(fields, notes[:ANNOTATIONS_A_REQUEST]), found=found)
        check_run_id = _number(await self._write(call, Purpose.REPORT), "id", doing)
        await self._add_annotations(check_run_id, fields, notes, ANNOTATIONS_A_REQUEST)
        return check_run_id

    async def update_check_run(self, check_run_id: int, payload: Mapping[str, Any]) -> None:
        """Bring a check run up to date; its ``head_sha`` cannot change and is not sent.

        GitHub appends the annotations of an update, so those it has already, in their order, are not sent again.
        """
        fields, notes = _without_annotations({key: value for key, value in payload.items() if key != "head_sha"})
        there = await self._annotations_there(check_run_id) if notes else 0
        batch = notes[there : there + ANNOTATIONS_A_REQUEST]
        await self._patch_check_run(check_run_id, _annotated(fields, batch), there + len(batch) if batch else None)
        await self._add_annotations(check_run_id, fields, notes, there + ANNOTATIONS_A_REQUEST)

    async def find_check_run(self, sha: str, external_id: str) -> int | None:
        """The id of our check run with this external id on this commit, or None."""
        doing = f"reading the check runs of {self.slug}@{sha[:7]}"
        async for item in self._pages(doing, "/commits/{sha}/check-runs{?per_page}", Purpose.REPORT, sha=sha):
            app = item.get("app")
            if (
                item.get("external_id") == external_id
                and isinstance(app, Mapping)
                and app.get("id") == self._auth.app_id
            ):
                return _number(item, "id", doing)
        return None

    async def _patch_check_run(self, check_run_id: int, body: Mapping[str, Any], notes_after: int | None) -> None:
        """``notes_after``: how many annotations there are once this arrived, if it brings any: then it is not repeated
        before it was looked whether they are there."""

        async def found() -> dict[str, Any] | None:
            arrived = notes_after is not None and await self._annotations_there(check_run_id) >= notes_after
            return {} if arrived else None

        doing = f"updating check run {check_run_id} of {self.slug}"
        path, variables = "/check-runs/{check}", {"check": str(check_run_id)}
        call = Call(doing, "PATCH", path, variables, dict(body), found=None if notes_after is None else found)
        await self._write(call, Purpose.REPORT)

    async def _annotations_there(self, check_run_id: int) -> int:
        doing = f"reading check run {check_run_id} of {self.slug}"
        data = await self._get(doing, "/check-runs/{check}", Purpose.REPORT, check=str(check_run_id))
        return _number(data.get("output") if isinstance(data, Mapping) else None, "annotations_count", doing)

    async def _add_annotations(
        self, check_run_id: int, fields: Mapping[str, Any], notes: list[Any], there: int
    ) -> None:
        """Append the annotations after the first ``there``, which GitHub has; it takes 50 a request."""
        for start in range(there, len(notes), ANNOTATIONS_A_REQUEST):
            batch = notes[start : start + ANNOTATIONS_A_REQUEST]
            body = {"output": _annotated(fields, batch)["output"]}
            await self._patch_check_run(check_run_id, body, start + len(batch))

    # Pull requests

    async def create_pull_request(
        self, *, head: str, base: str, title: str, body: str, draft: bool = True
    ) -> PullRequestInfo:
        """Open a pull request. Raises Refused where one exists already or where drafts are not offered."""

        async def found() -> Any:
            return await self._find_pull_request(head)

        doing = f"opening the pull request of {self.slug}:{head}"
        fields = {"title": title, "head": head, "base": base, "body": body, "draft": draft}
        call = Call(doing, "POST", "/pulls", body=fields, found=found)
        return _pull_request(await self._write(call, Purpose.PULL_REQUEST))

    async def find_pull_request(self, head: str) -> PullRequestInfo | None:
        """The newest pull request from this branch of this repository, open or closed, or None."""
        data = await self._find_pull_request(head)
        return None if data is None else _pull_request(data)

    async def _find_pull_request(self, head: str) -> dict[str, Any] | None:
        doing = f"looking for the pull request of {self.slug}:{head}"
        path = "/pulls{?head,state,per_page}"
        async for item in self._pages(doing, path, Purpose.PULL_REQUEST, state="all", head=f"{self.owner}:{head}"):
            origin = item.get("head")
            if not isinstance(origin, Mapping) or origin.get("ref") != head:
                continue
            repo = origin.get("repo")
            if isinstance(repo, Mapping) and repo.get("id") == self.repository_id:
                return item
        return None

    # The way of every call

    async def _get(self, doing: str, path: str, purpose: Purpose, **variables: str) -> Any:
        data, _ = await self._transport.send(
            Call(doing, "GET", _REPO + path, self._variables(variables)), self._tokens(purpose)
        )
        return data

    async def _pages(self, doing: str, path: str, purpose: Purpose, **variables: str) -> AsyncIterator[dict[str, Any]]:
        target: str | None = _REPO + path
        filled = self._variables({**variables, "per_page": PAGE_SIZE})
        for _ in range(MOST_PAGES):
            if target is None:
                return
            data, target = await self._transport.send(Call(doing, "GET", target, filled), self._tokens(purpose))
            for item in _items(data):
                yield item

    async def _write(self, call: Call, purpose: Purpose) -> Any:
        filled = replace(
            call, path=_REPO + call.path, variables=self._variables(call.variables), writes=True, final=self._final
        )
        data, _ = await self._transport.send(filled, self._tokens(purpose))
        return data

    def _variables(self, variables: Mapping[str, str]) -> dict[str, str]:
        return {"owner": self.owner, "repo": self.name, **variables}

    def _tokens(self, purpose: Purpose) -> _Tokens:
        return _Tokens(self._auth, TokenKey(self.installation_id, self.repository_id, purpose))


def _items(data: Any) -> list[dict[str, Any]]:
    """A page is a list, or an object that holds one beside its ``total_count``."""
    if isinstance(data, Mapping):
        data = next((value for value in data.values() if isinstance(value, list)), [])
    return [item for item in data if isinstance(item, dict)] if isinstance(data, list) else []


def _text(data: Any, key: str) -> str:
    value = data.get(key) if isinstance(data, Mapping) else None
    return value if isinstance(value, str) else ""


def _number(data: Any, key: str, doing: str) -> int:
    value = data.get(key) if isinstance(data, Mapping) else None
    if not isinstance(value, int):
        raise Unavailable(f"{doing}: the answer holds no {key}")
    return value


def _comment(data: Any) -> CommentInfo:
    return CommentInfo(_number(data, "id", "reading a comment"), _text(data, "html_url"), _text(data, "body"))


def _pull_request(data: Any) -> PullRequestInfo:
    return PullRequestInfo(
        number=_number(data, "number", "reading a pull request"),
        url=_text(data, "html_url"),
        state=_text(data, "state"),
        draft=bool(data.get("draft", False)),
        body=_text(data, "body"),
    )


def _clone_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.password:
        raise ValueError("not a plain HTTP address")
    return url if url.endswith(".git") else f"{url}.git"


def _without_annotations(payload: Mapping[str, Any]) -> tuple[dict[str, Any], list[Any]]:
    """The payload of a check run without its annotations, and these."""
    output = payload.get("output")
    if not isinstance(output, Mapping):
        return dict(payload), []
    bare = {key: value for key, value in output.items() if key != "annotations"}
    return {**payload, "output": bare}, list(output.get("annotations", []))


def _annotated(fields: Mapping[str, Any], notes: list[Any]) -> dict[str, Any]:
    return {**fields, "output": {**fields["output"], "annotations": notes}} if notes else dict(fields)
