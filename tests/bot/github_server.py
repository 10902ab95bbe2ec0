"""A small GitHub behind real HTTP for the client and the reporter: it remembers what was written, counts requests, and
fails as it is told to, before or after it did what was asked."""

from __future__ import annotations

import re
from base64 import encodebytes
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import jwt
from aiohttp import web

APP_ID = 12345
SLUG = "speckit-test"


@dataclass
class Fault:
    """What goes wrong: an answer instead of the real one; ``after_write`` only once the work is done."""

    method: str
    path: str
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    body: dict[str, Any] = field(default_factory=lambda: {"message": "Server Error"})
    times: int = 1
    after_write: bool = False
    cut: bool = False
    """Close the connection instead of answering."""


@dataclass
class Seen:
    """One request as it came in."""

    method: str
    path: str
    query: str
    body: Any
    authorization: str
    at: float


class GitHubServer:
    """One repository, ``acme/shop`` with id 2, and with ``org_files`` the account's ``acme/.github``."""

    def __init__(self, public_key: str, clock: Callable[[], float]) -> None:
        self.public_key = public_key
        self.clock = clock
        self.seen: list[Seen] = []
        self.faults: list[Fault] = []
        self.tokens: dict[str, dict[str, Any]] = {}
        self.comments: list[dict[str, Any]] = []
        self.checks: list[dict[str, Any]] = []
        self.pulls: list[dict[str, Any]] = []
        self.reactions: list[tuple[int, str]] = []
        self.review_comments: list[dict[str, Any]] = []
        self.review_reactions: list[tuple[int, str]] = []
        self.minimized: list[str] = []
        self.issues: dict[int, dict[str, Any]] = {}
        self.labels: dict[int, set[str]] = {}
        self.assignees: dict[int, set[str]] = {}
        self.reviewers: dict[int, list[str]] = {}
        self.files: dict[tuple[str, str], bytes | dict[str, Any] | list[Any]] = {}
        """By ref ("" is the default branch) and path; what is no bytes is answered as it is."""
        self.org_files: dict[str, bytes] | None = None
        self.branches: list[str] = ["main"]
        self.pull_files: dict[int, list[str]] = {}
        self.permissions: dict[str, tuple[str, str]] = {}
        self.clock_ahead = 0.0
        self.page_size = 100
        self.drafts = True
        self.url = ""

    def fail(self, method: str, path: str, **how: Any) -> Fault:
        """Fail the next request whose path matches (and more with ``times``)."""
        fault = Fault(method, path, **how)
        self.faults.append(fault)
        return fault

    def requests(self, method: str, path: str) -> list[Seen]:
        """What came in so far for this method and path (a regular expression)."""
        return [seen for seen in self.seen if seen.method == method and re.search(path, seen.path)]

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.clock() + self.clock_ahead, UTC)

    def application(self) -> web.Application:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._serve)
        return app

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        body = await request.json() if request.can_read_body else None
        authorization = request.headers.get("authorization", "")
        self.seen.append(Seen(request.method, request.path, request.query_string, body, authorization, self.clock()))
        fault = next(
            (f for f in self.faults if f.times and f.method == request.method and re.search(f.path, request.path)), None
        )
        if fault is not None:
            fault.times -= 1
            if fault.after_write:
                await self._answer(request, body)
            if fault.cut:
                assert request.transport is not None
                request.transport.close()
                return web.Response()
            return self._json(fault.body, fault.status, fault.headers)
        return await self._answer(request, body)

    async def _answer(self, request: web.Request, body: Any) -> web.Response:
        for method, pattern, handler in self._routes():
            found = re.fullmatch(pattern, request.path)
            if found and method == request.method:
                return await handler(request, body, *found.groups())
        return self._json({"message": "Not Found"}, 404)

    def _routes(self) -> list[tuple[str, str, Callable[..., Awaitable[web.Response]]]]:
        repo = "/repos/acme/shop"
        return [
            ("GET", "/app", self._app),
            ("POST", r"/app/installations/(\d+)/access_tokens", self._mint),
            ("GET", repo, self._repository),
            ("GET", rf"{repo}/collaborators/([^/]+)/permission", self._permission),
            ("GET", rf"{repo}/issues/(\d+)/comments", self._list_comments),
            ("POST", rf"{repo}/issues/(\d+)/comments", self._comment),
            ("PATCH", rf"{repo}/issues/comments/(\d+)", self._edit_comment),
            ("POST", rf"{repo}/issues/comments/(\d+)/reactions", self._react),
            ("POST", rf"{repo}/check-runs", self._create_check),
            ("PATCH", rf"{repo}/check-runs/(\d+)", self._update_check),
            ("GET", rf"{repo}/check-runs/(\d+)", self._get_check),
            ("GET", rf"{repo}/commits/([^/]+)/check-runs", self._list_checks),
            ("GET", rf"{repo}/pulls", self._list_pulls),
            ("POST", rf"{repo}/pulls", self._create_pull),
            ("GET", rf"{repo}/pulls/(\d+)", self._get_pull),
            ("PATCH", rf"{repo}/pulls/(\d+)", self._edit_pull),
            ("GET", rf"{repo}/pulls/(\d+)/files", self._list_pull_files),
            ("GET", rf"{repo}/pulls/(\d+)/comments", self._list_review_comments),
            ("POST", rf"{repo}/pulls/(\d+)/comments/(\d+)/replies", self._reply),
            ("POST", rf"{repo}/pulls/comments/(\d+)/reactions", self._react_to_review),
            ("POST", rf"{repo}/pulls/(\d+)/requested_reviewers", self._request_reviewers),
            ("GET", rf"{repo}/issues/(\d+)", self._get_issue),
            ("POST", rf"{repo}/issues/(\d+)/labels", self._add_labels),
            ("DELETE", rf"{repo}/issues/(\d+)/labels/(.+)", self._remove_label),
            ("POST", rf"{repo}/issues/(\d+)/assignees", self._add_assignees),
            ("GET", rf"{repo}/contents/(.*)", self._content),
            ("GET", rf"{repo}/git/matching-refs/heads/(.*)", self._matching_refs),
            ("GET", "/repos/acme/.github", self._org_repository),
            ("GET", "/repos/acme/.github/contents/(.*)", self._org_content),
            ("POST", "/graphql", self._graphql),
        ]

    def _json(self, body: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
        date = {"Date": format_datetime(self.now(), usegmt=True)}
        return web.json_response(body, status=status, headers={**date, **(headers or {})})

    async def _app(self, request: web.Request, body: Any) -> web.Response:
        if (refusal := self._jwt_refusal(request)) is not None:
            return refusal
        return self._json({"id": APP_ID, "slug": SLUG, "permissions": {"issues": "write"}, "events": ["issue_comment"]})

    def _jwt_refusal(self, request: web.Request) -> web.Response | None:
        try:
            claims = jwt.decode(
                request.headers["authorization"].partition(" ")[2],
                self.public_key,
                algorithms=["RS256"],
                options={"verify_exp": False, "verify_iat": False},
            )
        except jwt.PyJWTError:
            return self._json({"message": "A JSON web token could not be decoded"}, 401)
        now = self.now().timestamp()
        if claims["iat"] > now or claims["exp"] <= now or claims["exp"] > now + 600 or claims["iss"] != str(APP_ID):
            return self._json({"message": "'Expiration time' claim ('exp') is too far in the future"}, 401)
        return None

    async def _mint(self, request: web.Request, body: Any, installation: str) -> web.Response:
        if (refusal := self._jwt_refusal(request)) is not None:
            return refusal
        if body.get("repositories") == [".github"] and self.org_files is None:
            return self._json({"message": "There is at least one repository that does not exist"}, 422)
        token = f"ghs_{len(self.tokens)}." + "x" * 60
        self.tokens[token] = {"installation": int(installation), **body}
        expires = (self.now() + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        return self._json({"token": token, "expires_at": expires}, 201)

    async def _repository(self, request: web.Request, body: Any) -> web.Response:
        return self._json(
            {
                "id": 2, "full_name": "acme/shop", "default_branch": "main", "private": False, "archived": False,
                "html_url": "https://github.example/acme/shop", "clone_url": "https://github.example/acme/shop.git",
            }
        )  # fmt: skip

    async def _permission(self, request: web.Request, body: Any, login: str) -> web.Response:
        if login not in self.permissions:
            return self._json({"message": f"{login} is not a user"}, 404)
        permission, role_name = self.permissions[login]
        return self._json({"permission": permission, "role_name": role_name})

    async def _list_comments(self, request: web.Request, body: Any, number: str) -> web.Response:
        return self._paged(request, [comment for comment in self.comments if comment["issue"] == int(number)])

    def _paged(self, request: web.Request, found: list[Any]) -> web.Response:
        page = int(request.query.get("page", "1"))
        shown = found[(page - 1) * self.page_size : page * self.page_size]
        headers = {}
        if page * self.page_size < len(found):
            target = request.url.update_query(page=str(page + 1))
            headers["Link"] = f'<{target}>; rel="next"'
        return self._json(shown, headers=headers)

    async def _comment(self, request: web.Request, body: Any, number: str) -> web.Response:
        comment = self.add_comment(int(number), body["body"], app_id=APP_ID, login=f"{SLUG}[bot]")
        return self._json(comment, 201)

    def add_comment(self, issue: int, body: str, *, app_id: int | None, login: str) -> dict[str, Any]:
        number = 900 + len(self.comments)
        comment = {
            "id": number, "node_id": f"IC_{number}", "issue": issue, "body": body, "user": {"login": login},
            "html_url": f"https://github.example/acme/shop/issues/{issue}#issuecomment-{number}",
            "performed_via_github_app": None if app_id is None else {"id": app_id},
        }  # fmt: skip
        self.comments.append(comment)
        return comment

    async def _edit_comment(self, request: web.Request, body: Any, number: str) -> web.Response:
        for comment in self.comments:
            if comment["id"] == int(number):
                comment["body"] = body["body"]
                return self._json(comment)
        return self._json({"message": "Not Found"}, 404)

    async def _react(self, request: web.Request, body: Any, number: str) -> web.Response:
        reaction = (int(number), body["content"])
        known = reaction in self.reactions
        if not known:
            self.reactions.append(reaction)
        return self._json({"id": 1, "content": body["content"]}, 200 if known else 201)

    async def _create_check(self, request: web.Request, body: Any) -> web.Response:
        check = {**body, "id": 700 + len(self.checks), "app": {"id": APP_ID}, "all_annotations": []}
        check["all_annotations"] += body["output"].get("annotations", [])
        self.checks.append(check)
        return self._json(check, 201)

    async def _update_check(self, request: web.Request, body: Any, number: str) -> web.Response:
        check = next(check for check in self.checks if check["id"] == int(number))
        check["all_annotations"] += body.get("output", {}).get("annotations", [])
        check.update(body)
        return self._json(check)

    async def _get_check(self, request: web.Request, body: Any, number: str) -> web.Response:
        check = next(check for check in self.checks if check["id"] == int(number))
        return self._json({**check, "output": {"annotations_count": len(check["all_annotations"])}})

    async def _list_checks(self, request: web.Request, body: Any, sha: str) -> web.Response:
        found = [check for check in self.checks if check["head_sha"] == sha]
        return self._json({"total_count": len(found), "check_runs": found})

    async def _list_pulls(self, request: web.Request, body: Any) -> web.Response:
        state = request.query.get("state", "open")
        found = [pull for pull in self.pulls if state == "all" or pull["state"] == state]
        if "head" in request.query:
            head = request.query["head"].removeprefix("acme:")
            found = [pull for pull in found if pull["head"]["ref"] == head]
        return self._paged(request, found)

    async def _create_pull(self, request: web.Request, body: Any) -> web.Response:
        if body.get("draft") and not self.drafts:
            errors = [{"resource": "PullRequest", "code": "custom", "message": "Draft pull requests are not supported"}]
            return self._json({"message": "Validation Failed", "errors": errors}, 422)
        if any(pull["head"]["ref"] == body["head"] for pull in self.pulls):
            errors = [{"code": "custom", "message": f"A pull request already exists for acme:{body['head']}."}]
            return self._json({"message": "Validation Failed", "errors": errors}, 422)
        number = 12 + len(self.pulls)
        pull = {
            "number": number, "html_url": f"https://github.example/acme/shop/pull/{number}", "state": "open",
            "draft": bool(body.get("draft")), "title": body["title"], "body": body["body"], "merged_at": None,
            "head": {"ref": body["head"], "sha": "a" * 40, "repo": {"id": 2}}, "base": {"ref": body["base"]},
            "user": {"login": f"{SLUG}[bot]"},
        }  # fmt: skip
        self.pulls.append(pull)
        return self._json(pull, 201)

    async def _get_pull(self, request: web.Request, body: Any, number: str) -> web.Response:
        pull = self._pull(number)
        return self._json({"message": "Not Found"}, 404) if pull is None else self._json(pull)

    async def _edit_pull(self, request: web.Request, body: Any, number: str) -> web.Response:
        pull = self._pull(number)
        assert pull is not None
        pull.update(body)
        return self._json(pull)

    def _pull(self, number: str) -> dict[str, Any] | None:
        return next((pull for pull in self.pulls if pull["number"] == int(number)), None)

    async def _list_pull_files(self, request: web.Request, body: Any, number: str) -> web.Response:
        return self._paged(request, [{"filename": path} for path in self.pull_files.get(int(number), [])])

    async def _list_review_comments(self, request: web.Request, body: Any, number: str) -> web.Response:
        return self._paged(request, [each for each in self.review_comments if each["pull"] == int(number)])

    async def _reply(self, request: web.Request, body: Any, number: str, comment: str) -> web.Response:
        made = {
            "id": 300 + len(self.review_comments), "pull": int(number), "in_reply_to_id": int(comment),
            "node_id": f"PRRC_{len(self.review_comments)}", "body": body["body"], "user": {"login": f"{SLUG}[bot]"},
            "html_url": f"https://github.example/acme/shop/pull/{number}#discussion_r300",
        }  # fmt: skip
        self.review_comments.append(made)
        return self._json(made, 201)

    async def _react_to_review(self, request: web.Request, body: Any, number: str) -> web.Response:
        self.review_reactions.append((int(number), body["content"]))
        return self._json({"id": 1, "content": body["content"]}, 201)

    async def _request_reviewers(self, request: web.Request, body: Any, number: str) -> web.Response:
        if "stranger" in body["reviewers"]:
            said = "Reviews may only be requested from collaborators. One or more of the users or teams is not."
            return self._json({"message": said}, 422)
        self.reviewers.setdefault(int(number), []).extend([*body["reviewers"], *body["team_reviewers"]])
        return self._json({}, 201)

    async def _get_issue(self, request: web.Request, body: Any, number: str) -> web.Response:
        issue = self.issues.get(int(number))
        return self._json({"message": "Not Found"}, 404) if issue is None else self._json(issue)

    async def _add_labels(self, request: web.Request, body: Any, number: str) -> web.Response:
        self.labels.setdefault(int(number), set()).update(body["labels"])
        return self._json([])

    async def _remove_label(self, request: web.Request, body: Any, number: str, label: str) -> web.Response:
        there = self.labels.get(int(number), set())
        if label not in there:
            return self._json({"message": "Label does not exist"}, 404)
        there.remove(label)
        return self._json([])

    async def _add_assignees(self, request: web.Request, body: Any, number: str) -> web.Response:
        self.assignees.setdefault(int(number), set()).update(body["assignees"])
        return self._json({}, 201)

    async def _content(self, request: web.Request, body: Any, path: str) -> web.Response:
        return self._file(self.files.get((request.query.get("ref", ""), path)))

    async def _org_repository(self, request: web.Request, body: Any) -> web.Response:
        return self._json({"id": 3, "full_name": "acme/.github"})

    async def _org_content(self, request: web.Request, body: Any, path: str) -> web.Response:
        return self._file((self.org_files or {}).get(path))

    def _file(self, content: bytes | dict[str, Any] | list[Any] | None) -> web.Response:
        if content is None:
            return self._json({"message": "Not Found"}, 404)
        if not isinstance(content, bytes):
            return self._json(content)
        # In lines, as GitHub has it.
        return self._json({"type": "file", "encoding": "base64", "content": encodebytes(content).decode()})

    async def _matching_refs(self, request: web.Request, body: Any, prefix: str) -> web.Response:
        return self._paged(
            request, [{"ref": f"refs/heads/{name}"} for name in self.branches if name.startswith(prefix)]
        )

    async def _graphql(self, request: web.Request, body: Any) -> web.Response:
        assert "minimizeComment" in body["query"]
        assert "OUTDATED" in body["query"]
        subject = body["variables"]["subject"]
        if not any(comment["node_id"] == subject for comment in self.comments):
            said = f"Could not resolve to a node with the global id of '{subject}'."
            error = {"type": "NOT_FOUND", "path": ["minimizeComment"], "message": said}
            return self._json({"data": {"minimizeComment": None}, "errors": [error]})
        self.minimized.append(subject)
        return self._json({"data": {"minimizeComment": {"minimizedComment": {"isMinimized": True}}}})
