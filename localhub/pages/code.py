"""Pages of the code: a repository's files and branches, folders, files, commits."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import quote

from aiohttp import web

from localhub import git_history
from localhub.git_history import PathAt
from localhub.model import Repository
from localhub.pages.diff import file_diffs
from localhub.pages.site import HEADERS, Site

_SHOWN_BYTES = 512 * 1024


async def repository(site: Site, _request: web.Request, repository: Repository) -> web.StreamResponse:
    """The files of the default branch, the branches, the README."""
    commit = repository.git.branch(repository.default_branch)
    below = await asyncio.to_thread(git_history.folder_at, repository.git, commit, "") if commit else []
    readme = next((each for each in below if each.path.lower() == "readme.md" and each.mode != "120000"), None)
    text = await asyncio.to_thread(text_of, repository, readme) if readme is not None else None
    newest = (await asyncio.to_thread(git_history.commits, repository.git, commit, 1))[0] if commit else None
    return site.page(
        "repository.html",
        repository=repository,
        branches=repository.git.branches(),
        ref=repository.default_branch,
        entries=below,
        commit=newest,
        readme=text,
    )


async def commit(site: Site, request: web.Request, repository: Repository) -> web.StreamResponse:
    """One commit with its message and diff."""
    git = repository.git
    sha = await asyncio.to_thread(git.resolve, request.match_info["sha"])
    if sha is None:
        return site.missing()
    made = (await asyncio.to_thread(git_history.commits, git, sha, 1))[0]
    parent = made.parents[0] if made.parents else git.write_tree([])
    changed = await asyncio.to_thread(git_history.files_between, git, parent, sha)
    return site.page("commit.html", repository=repository, commit=made, files=file_diffs(changed))


async def files(site: Site, request: web.Request, repository: Repository) -> web.StreamResponse:
    """A folder or a file; a branch's name may hold slashes, so the longest branch that fits is meant."""
    at = request.match_info["at"].strip("/")
    fitting = [name for name in repository.git.branches() if at == name or at.startswith(f"{name}/")]
    ref = max(fitting, key=len) if fitting else at.partition("/")[0]
    path = at[len(ref) :].strip("/")
    commit = await asyncio.to_thread(repository.git.resolve, ref)
    found = await asyncio.to_thread(git_history.path_at, repository.git, commit, path) if commit else None
    if commit is None or found is None:
        return site.missing()
    values: dict[str, Any] = {"repository": repository, "ref": ref, "path": path, "crumbs": _crumbs(ref, path)}
    if found.kind == "tree":
        below = await asyncio.to_thread(git_history.folder_at, repository.git, commit, path)
        return site.page("folder.html", entries=below, **values)
    text = await asyncio.to_thread(text_of, repository, found)
    if "raw" in request.query and text is not None:
        return web.Response(text=text, content_type="text/plain", headers=HEADERS)
    return site.page("file.html", found=found, text=text, markdown_file=path.lower().endswith(".md"), **values)


def _crumbs(ref: str, path: str) -> list[tuple[str, str]]:
    """Name and URL part of each folder on the way."""
    parts = path.split("/") if path else []
    return [(part, quote("/".join([ref, *parts[: index + 1]]))) for index, part in enumerate(parts)]


def text_of(repository: Repository, found: PathAt) -> str | None:
    """A file's text, or None when it is not one. Blocks."""
    if found.kind != "blob" or found.size > _SHOWN_BYTES:
        return None
    content = git_history.blob(repository.git, found.sha)
    return None if b"\0" in content else content.decode(errors="replace")
