"""Pages of what people talk about: lists of issues and pull requests, threads, diffs with reviews, check runs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from aiohttp import web

from localhub import git_history
from localhub.git_history import ChangedFile, Commit
from localhub.model import CheckRun, Comment, Issue, PullRequest, Repository, ReviewComment, TimelineEvent
from localhub.pages.code import text_of
from localhub.pages.diff import Note, file_diffs, notes_of
from localhub.pages.site import Site
from localhub.patch_lines import PatchLine, end_of, text_lines

_QUIET = {"opened", "edited"}
"""Events that the thread shows otherwise or not at all."""


@dataclass(frozen=True, slots=True)
class Thread:
    """A review comment that begins a thread, with the lines it is about."""

    first: ReviewComment
    place: list[PatchLine]


Item = Comment | TimelineEvent | Thread


def _born(item: Item) -> float:
    return item.first.born if isinstance(item, Thread) else item.born


def _items(issue: Issue) -> list[tuple[str, Item]]:
    """Everything in the thread, oldest first, each with the name of what it is."""
    found: list[tuple[str, Item]] = [("comment", comment) for comment in issue.comments]
    found += [("event", event) for event in issue.timeline if event.kind not in _QUIET]
    if issue.pull is not None:
        found += [("thread", Thread(each, end_of(each.diff_hunk))) for each in issue.pull.threads]
    return sorted(found, key=lambda named: _born(named[1]))


async def listing(site: Site, request: web.Request, repository: Repository) -> web.StreamResponse:
    """Issues or pull requests, newest first; ``?state=closed`` for those that are closed."""
    pulls = request.path.endswith("/pulls")
    state = "closed" if request.query.get("state") == "closed" else "open"
    kind = [issue for issue in repository.issues.values() if (issue.pull is not None) == pulls]
    wanted = [issue for issue in kind if issue.state == state and _labelled(issue, request.query.get("label", ""))]
    return site.page(
        "list.html",
        repository=repository,
        issues=sorted(wanted, key=lambda issue: issue.number, reverse=True),
        pulls=pulls,
        state=state,
        counts={each: sum(issue.state == each for issue in kind) for each in ("open", "closed")},
    )


def _labelled(issue: Issue, name: str) -> bool:
    return not name or name in issue.label_names


async def conversation(site: Site, request: web.Request, repository: Repository) -> web.StreamResponse:
    """The thread of an issue or pull request; each under its own address only."""
    issue = repository.issues.get(int(request.match_info["number"]))
    if issue is None:
        return site.missing()
    kind = "issues" if issue.pull is None else "pull"
    if f"/{kind}/" not in request.path:
        raise web.HTTPFound(f"/{repository.full_name}/{kind}/{issue.number}")
    if issue.pull is None:
        return site.page("issue.html", repository=repository, issue=issue, items=_items(issue))
    seen = await asyncio.to_thread(_seen, issue.pull)
    return site.page("pull.html", items=_items(issue), **_common(issue.pull, seen))


@dataclass(frozen=True, slots=True)
class _Seen:
    """What git knows of a pull request."""

    files: list[ChangedFile]
    commits: list[Commit]


def _seen(pull: PullRequest) -> _Seen:
    return _Seen(pull.changed_files, pull.commits)


def _checks(pull: PullRequest) -> list[CheckRun]:
    """The newest check run of each name and App on the head."""
    runs = [run for run in pull.repository.check_runs.values() if run.head_sha == pull.head_sha]
    return list({(run.app.id, run.name): run for run in runs}.values())


def _common(pull: PullRequest, seen: _Seen) -> dict[str, Any]:
    """What all tabs of a pull request show."""
    return {
        "repository": pull.repository,
        "issue": pull.issue,
        "pull": pull,
        "files": seen.files,
        "commits": seen.commits,
        "checks": _checks(pull),
        "additions": sum(file.additions for file in seen.files),
        "deletions": sum(file.deletions for file in seen.files),
    }


async def pull_tab(site: Site, request: web.Request, repository: Repository) -> web.StreamResponse:
    """The tabs Commits, Checks and Files changed of a pull request."""
    issue = repository.issues.get(int(request.match_info["number"]))
    if issue is None or issue.pull is None:
        return site.missing()
    pull, tab = issue.pull, request.match_info["tab"]
    seen = await asyncio.to_thread(_seen, pull)
    values = _common(pull, seen)
    if tab == "files":
        notes = [note for run in _checks(pull) for note in notes_of(run)]
        values["diffs"] = file_diffs(seen.files, pull.threads, notes)
    if tab == "checks":
        values["notes"] = {run.id: await _notes_with_source(run) for run in _checks(pull)}
    return site.page(f"pull_{tab}.html", **values)


async def check_run(site: Site, request: web.Request, repository: Repository) -> web.StreamResponse:
    """One check run with its summary, annotations and buttons."""
    run = repository.check_runs.get(int(request.match_info["run"]))
    if run is None:
        return site.missing()
    pulls = [issue.pull for issue in repository.issues.values() if issue.pull is not None]
    return site.page(
        "check_run.html",
        repository=repository,
        run=run,
        notes={run.id: await _notes_with_source(run)},
        pulls=[pull for pull in pulls if pull.head_sha == run.head_sha],
    )


async def _notes_with_source(run: CheckRun) -> list[Note]:
    return await asyncio.to_thread(_with_source, run.repository, run.head_sha, notes_of(run))


def _with_source(repository: Repository, sha: str, notes: Sequence[Note]) -> list[Note]:
    """The notes with the lines they are about. Blocks."""
    texts: dict[str, list[str]] = {}
    for path in {note.path for note in notes}:
        found = git_history.path_at(repository.git, sha, path)
        text = text_of(repository, found) if found is not None else None
        texts[path] = text_lines(text or "")
    return [replace(note, source=tuple(texts[note.path][note.start_line - 1 : note.end_line])) for note in notes]
