"""The pages: plain server-rendered HTML without scripts. What is private is a 404, as for anybody not signed in."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from importlib.resources import files
from typing import Any
from urllib.parse import quote

import jinja2
from aiohttp import web

from localhub import git_history
from localhub.errors import ApiError
from localhub.git_history import ChangedFile, PathAt
from localhub.model import CheckRun, Issue, PullRequest, Repository
from localhub.pages.markdown import render
from localhub.state import State

_SHOWN_LINES = 3000
_SHOWN_BYTES = 512 * 1024
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
REACTION_SIGNS = {
    "+1": "👍",
    "-1": "👎",
    "laugh": "😄",
    "hooray": "🎉",
    "confused": "😕",
    "heart": "❤️",
    "rocket": "🚀",
    "eyes": "👀",
}
CONCLUSION_SIGNS = {"success": "✓", "failure": "✗", "cancelled": "⊘", "timed_out": "⏱", "neutral": "◦", "skipped": "◦"}

View = Callable[[web.Request, Repository], Awaitable[web.StreamResponse]]


def _moment(at: datetime | None) -> str:
    return "" if at is None else at.strftime("%Y-%m-%d %H:%M UTC")


def _reaction_counts(on: Issue) -> list[tuple[str, str]]:
    """Sign and who, per kind of reaction."""
    people: dict[str, list[str]] = {}
    for each in on.reactions:
        people.setdefault(each.content, []).append(each.author)
    return [(REACTION_SIGNS[content], ", ".join(who)) for content, who in people.items()]


def _diff_lines(file: ChangedFile) -> list[tuple[str, str]]:
    """Class and text of each line of a file's patch."""
    kinds = {"+": "added", "-": "removed", "@": "hunk"}
    lines = file.patch.split("\n")[:_SHOWN_LINES]
    return [(kinds.get(line[:1], "same"), line) for line in lines]


class Pages:
    """Serves the pages of one hub."""

    def __init__(self, state: State) -> None:
        self._state = state
        loader = jinja2.PackageLoader("localhub.pages", "templates")
        self._templates = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)
        self._templates.filters.update(
            markdown=render, moment=_moment, reaction_counts=_reaction_counts, diff_lines=_diff_lines
        )
        self._templates.globals.update(conclusion_signs=CONCLUSION_SIGNS)
        self._style = files("localhub.pages").joinpath("style.css").read_text(encoding="utf-8")

    def add_to(self, app: web.Application) -> None:
        """Register the routes."""
        app.router.add_get("/", self._home)
        app.router.add_get("/-/style.css", self._stylesheet)
        repository = "/{owner}/{repo}"
        views: list[tuple[str, View]] = [
            ("", self._repository),
            ("/issues", self._repository),
            ("/pulls", self._repository),
            ("/issues/{number:[0-9]+}", self._conversation),
            ("/pull/{number:[0-9]+}", self._conversation),
            ("/commit/{sha}", self._commit),
            ("/runs/{run:[0-9]+}", self._check_run),
            ("/tree/{at:.+}", self._files),
            ("/blob/{at:.+}", self._files),
        ]
        for path, view in views:
            app.router.add_get(repository + path, self._visible(view))

    def _visible(self, view: View) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def serve(request: web.Request) -> web.StreamResponse:
            try:
                repository = self._state.repository(f"{request.match_info['owner']}/{request.match_info['repo']}")
                if repository.private:
                    return self._page("missing.html", 404)
                return await view(request, repository)
            except ApiError as missing:
                return self._page("missing.html", missing.status)

        return serve

    def _page(self, template: str, status: int = 200, **values: object) -> web.Response:
        text = self._templates.get_template(template).render(**values)
        return web.Response(status=status, text=text, content_type="text/html", headers=_HEADERS)

    async def _stylesheet(self, _request: web.Request) -> web.StreamResponse:
        return web.Response(text=self._style, content_type="text/css", headers=_HEADERS)

    async def _home(self, _request: web.Request) -> web.StreamResponse:
        public = [each for each in self._state.repositories.values() if not each.private]
        return self._page("home.html", repositories=public)

    async def _repository(self, _request: web.Request, repository: Repository) -> web.StreamResponse:
        commit = repository.git.branch(repository.default_branch)
        below = await asyncio.to_thread(git_history.folder_at, repository.git, commit, "") if commit else []
        readme = next((each for each in below if each.path.lower() == "readme.md" and each.mode != "120000"), None)
        text = await asyncio.to_thread(_text, repository, readme) if readme is not None else None
        newest = sorted(repository.issues.values(), key=lambda issue: issue.number, reverse=True)
        return self._page(
            "repository.html",
            repository=repository,
            issues=[issue for issue in newest if issue.pull is None],
            pulls=[issue.pull for issue in newest if issue.pull is not None],
            branches=repository.git.branches(),
            ref=repository.default_branch,
            entries=below,
            readme=text,
        )

    async def _conversation(self, request: web.Request, repository: Repository) -> web.StreamResponse:
        issue = repository.issues.get(int(request.match_info["number"]))
        if issue is None:
            return self._page("missing.html", 404)
        kind = "issues" if issue.pull is None else "pull"
        if f"/{kind}/" not in request.path:
            raise web.HTTPFound(f"/{repository.full_name}/{kind}/{issue.number}")
        if issue.pull is None:
            return self._page("issue.html", repository=repository, issue=issue)
        return await self._pull_request(repository, issue, issue.pull)

    async def _pull_request(self, repository: Repository, issue: Issue, pull: PullRequest) -> web.StreamResponse:
        changed = await asyncio.to_thread(lambda: pull.changed_files)
        made = await asyncio.to_thread(lambda: pull.commits)
        runs = [run for run in repository.check_runs.values() if run.head_sha == pull.head_sha]
        latest: dict[str, CheckRun] = {run.name: run for run in runs}
        return self._page(
            "pull.html",
            repository=repository,
            issue=issue,
            pull=pull,
            files=changed,
            commits=made,
            checks=list(latest.values()),
            additions=sum(file.additions for file in changed),
            deletions=sum(file.deletions for file in changed),
        )

    async def _commit(self, request: web.Request, repository: Repository) -> web.StreamResponse:
        git = repository.git
        sha = await asyncio.to_thread(git.resolve, request.match_info["sha"])
        if sha is None:
            return self._page("missing.html", 404)
        made = (await asyncio.to_thread(git_history.commits, git, sha, 1))[0]
        parent = made.parents[0] if made.parents else git.write_tree([])
        changed = await asyncio.to_thread(git_history.files_between, git, parent, sha)
        return self._page("commit.html", repository=repository, commit=made, files=changed)

    async def _check_run(self, request: web.Request, repository: Repository) -> web.StreamResponse:
        run = repository.check_runs.get(int(request.match_info["run"]))
        if run is None:
            return self._page("missing.html", 404)
        return self._page("check_run.html", repository=repository, run=run)

    async def _files(self, request: web.Request, repository: Repository) -> web.StreamResponse:
        """A folder or a file; a branch's name may hold slashes, so the longest branch that fits is meant."""
        at = request.match_info["at"].strip("/")
        fitting = [name for name in repository.git.branches() if at == name or at.startswith(f"{name}/")]
        ref = max(fitting, key=len) if fitting else at.partition("/")[0]
        path = at[len(ref) :].strip("/")
        commit = await asyncio.to_thread(repository.git.resolve, ref)
        found = await asyncio.to_thread(git_history.path_at, repository.git, commit, path) if commit else None
        if commit is None or found is None:
            return self._page("missing.html", 404)
        values: dict[str, Any] = {"repository": repository, "ref": ref, "path": path, "crumbs": _crumbs(ref, path)}
        if found.kind == "tree":
            below = await asyncio.to_thread(git_history.folder_at, repository.git, commit, path)
            return self._page("folder.html", entries=below, **values)
        text = await asyncio.to_thread(_text, repository, found)
        if "raw" in request.query and text is not None:
            return web.Response(text=text, content_type="text/plain", headers=_HEADERS)
        return self._page("file.html", found=found, text=text, markdown_file=path.lower().endswith(".md"), **values)


def _crumbs(ref: str, path: str) -> list[tuple[str, str]]:
    """Name and URL part of each folder on the way."""
    parts = path.split("/") if path else []
    return [(part, quote("/".join([ref, *parts[: index + 1]]))) for index, part in enumerate(parts)]


def _text(repository: Repository, found: PathAt) -> str | None:
    """A file's text, or None when it is not one. Blocks."""
    if found.kind != "blob" or found.size > _SHOWN_BYTES:
        return None
    content = git_history.blob(repository.git, found.sha)
    return None if b"\0" in content else content.decode(errors="replace")
