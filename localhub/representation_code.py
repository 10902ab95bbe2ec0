"""How commits, branches, files, pull requests and checks look in JSON. Functions that read git say so: they block."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING
from urllib.parse import quote

from localhub import git_history
from localhub.git_history import ChangedFile, Commit, PathAt
from localhub.model import CheckRun, CheckSuite, PullRequest, Repository
from localhub.representation import Json, app, issue, node_id, repository, time_text, user

if TYPE_CHECKING:
    from localhub.state import Urls

_KINDS = {"blob": "file", "tree": "dir", "commit": "submodule"}


def _api(urls: Urls, repo: Repository) -> str:
    return f"{urls.api}/repos/{repo.full_name}"


def git_commit(urls: Urls, repo: Repository, made: Commit) -> Json:
    """The ``commit`` member: what git itself knows."""
    return {
        "author": {"name": made.author_name, "email": made.author_email, "date": made.author_date},
        "committer": {"name": made.committer_name, "email": made.committer_email, "date": made.committer_date},
        "message": made.message,
        "tree": {"sha": made.tree, "url": f"{_api(urls, repo)}/git/trees/{made.tree}"},
        "url": f"{_api(urls, repo)}/git/commits/{made.sha}",
        "comment_count": 0,
        "verification": {
            "verified": False,
            "reason": "unsigned",
            "signature": None,
            "payload": None,
            "verified_at": None,
        },
    }


def commit(urls: Urls, repo: Repository, made: Commit) -> Json:
    """A commit."""
    url = f"{_api(urls, repo)}/commits/{made.sha}"
    return {
        "sha": made.sha,
        "node_id": node_id("C", repo.id),
        "commit": git_commit(urls, repo, made),
        "url": url,
        "html_url": f"{urls.web}/{repo.full_name}/commit/{made.sha}",
        "comments_url": f"{url}/comments",
        "author": None,
        "committer": None,
        "parents": [{"sha": sha, "url": f"{_api(urls, repo)}/commits/{sha}"} for sha in made.parents],
    }


def branch(urls: Urls, repo: Repository, name: str, sha: str) -> Json:
    """A branch in a list."""
    protected = name in repo.protected
    url = f"{_api(urls, repo)}/branches/{quote(name)}"
    return {
        "name": name,
        "commit": {"sha": sha, "url": f"{_api(urls, repo)}/commits/{sha}"},
        "protected": protected,
        "protection_url": f"{url}/protection",
    }


def reference(urls: Urls, repo: Repository, name: str, sha: str) -> Json:
    """A git reference; ``name`` is the full one."""
    return {
        "ref": name,
        "node_id": node_id("REF", repo.id),
        "url": f"{_api(urls, repo)}/git/{quote(name)}",
        "object": {"sha": sha, "type": "commit", "url": f"{_api(urls, repo)}/git/commits/{sha}"},
    }


def content(urls: Urls, repo: Repository, ref: str, at: PathAt, *, listed: bool) -> Json:
    """A file, link, folder or submodule at a path. ``listed``: as in a folder, without the bytes. Reads git."""
    kind = "symlink" if at.mode == "120000" else _KINDS[at.kind]
    url = f"{_api(urls, repo)}/contents/{quote(at.path)}?ref={quote(ref, safe='')}"
    html = f"{urls.web}/{repo.full_name}/{'tree' if kind == 'dir' else 'blob'}/{quote(ref)}/{quote(at.path)}"
    below = "trees" if kind == "dir" else "blobs"
    body: Json = {
        "type": "file" if kind == "submodule" and listed else kind,
        "size": at.size,
        "name": at.path.rpartition("/")[2],
        "path": at.path,
        "sha": at.sha,
        "url": url,
        "git_url": f"{_api(urls, repo)}/git/{below}/{at.sha}",
        "html_url": html,
        "download_url": None if kind in {"dir", "submodule"} else f"{html}?raw=1",
    }
    body["_links"] = {"self": url, "git": body["git_url"], "html": html}
    if not listed and kind == "file":
        encoded = base64.encodebytes(git_history.blob(repo.git, at.sha)).decode()
        body.update(encoding="base64", content=encoded)
    if not listed and kind == "symlink":
        body["target"] = git_history.blob(repo.git, at.sha).decode(errors="replace")
    return body


def changed_file(urls: Urls, repo: Repository, head: str, file: ChangedFile) -> Json:
    """A file of a comparison."""
    path = quote(file.path)
    body: Json = {
        "sha": file.sha,
        "filename": file.path,
        "status": file.status,
        "additions": file.additions,
        "deletions": file.deletions,
        "changes": file.additions + file.deletions,
        "blob_url": f"{urls.web}/{repo.full_name}/blob/{head}/{path}",
        "raw_url": f"{urls.web}/{repo.full_name}/blob/{head}/{path}?raw=1",
        "contents_url": f"{_api(urls, repo)}/contents/{path}?ref={head}",
    }
    if file.patch:
        body["patch"] = file.patch
    if file.previous_path is not None:
        body["previous_filename"] = file.previous_path
    return body


def pull_request(urls: Urls, pull: PullRequest) -> Json:
    """A pull request, as lists show it."""
    known = pull.issue
    repo = pull.repository
    as_issue = issue(urls, known)
    api = f"{_api(urls, repo)}/pulls/{pull.number}"
    kept = ("number", "state", "locked", "title", "user", "body", "labels", "assignee", "assignees", "milestone")
    times = ("created_at", "updated_at", "closed_at", "html_url", "author_association", "active_lock_reason")
    return {
        **{key: as_issue[key] for key in (*kept, *times)},
        "url": api,
        "id": pull.id,
        "node_id": node_id("PR", pull.id),
        "diff_url": f"{as_issue['html_url']}.diff",
        "patch_url": f"{as_issue['html_url']}.patch",
        "issue_url": f"{_api(urls, repo)}/issues/{pull.number}",
        "comments_url": f"{_api(urls, repo)}/issues/{pull.number}/comments",
        "commits_url": f"{api}/commits",
        "statuses_url": f"{_api(urls, repo)}/statuses/{pull.head_sha}",
        "merged_at": None,
        "merge_commit_sha": None,
        "requested_reviewers": [],
        "requested_teams": [],
        "draft": pull.draft,
        "head": _side(urls, repo, pull.head_branch, pull.head_sha),
        "base": _side(urls, repo, pull.base_branch, pull.base_sha),
        "auto_merge": None,
        "_links": {"self": {"href": api}, "html": {"href": as_issue["html_url"]}},
    }


def full_pull_request(urls: Urls, pull: PullRequest) -> Json:
    """A pull request by itself, with its counts. Reads git."""
    files = pull.changed_files
    return {
        **pull_request(urls, pull),
        "merged": pull.merged,
        "mergeable": True,
        "rebaseable": False,
        "mergeable_state": "draft" if pull.draft else "clean",
        "merged_by": None,
        "comments": len(pull.issue.comments),
        "review_comments": 0,
        "maintainer_can_modify": False,
        "commits": len(pull.commits),
        "additions": sum(file.additions for file in files),
        "deletions": sum(file.deletions for file in files),
        "changed_files": len(files),
    }


def _side(urls: Urls, repo: Repository, name: str, sha: str) -> Json:
    return {
        "label": f"{repo.owner.login}:{name}",
        "ref": name,
        "sha": sha,
        "user": user(urls, repo.owner),
        "repo": repository(urls, repo),
    }


def check_suite(urls: Urls, suite: CheckSuite) -> Json:
    """A check suite."""
    runs = [run for run in suite.repository.check_runs.values() if run.suite is suite]
    done = bool(runs) and all(run.status == "completed" for run in runs)
    return {
        "id": suite.id,
        "node_id": node_id("CS", suite.id),
        "head_branch": None,
        "head_sha": suite.head_sha,
        "status": "completed" if done else ("in_progress" if runs else "queued"),
        "conclusion": runs[-1].conclusion if done else None,
        "url": f"{_api(urls, suite.repository)}/check-suites/{suite.id}",
        "before": None,
        "after": suite.head_sha,
        "pull_requests": [],
        "app": app(urls, suite.app),
        "repository": repository(urls, suite.repository),
        "created_at": time_text(suite.created_at),
        "updated_at": time_text(suite.created_at),
        "latest_check_runs_count": len(runs),
        "check_runs_url": f"{_api(urls, suite.repository)}/check-suites/{suite.id}/check-runs",
    }


def check_run(urls: Urls, run: CheckRun) -> Json:
    """A check run."""
    url = f"{_api(urls, run.repository)}/check-runs/{run.id}"
    html = f"{urls.web}/{run.repository.full_name}/runs/{run.id}"
    pulls = [
        {
            "id": each.pull.id,
            "number": each.number,
            "url": f"{_api(urls, run.repository)}/pulls/{each.number}",
            "head": {"ref": each.pull.head_branch, "sha": each.pull.head_sha},
            "base": {"ref": each.pull.base_branch, "sha": each.pull.base_sha},
        }
        for each in run.repository.issues.values()
        if each.pull is not None and each.pull.head_sha == run.head_sha
    ]
    return {
        "id": run.id,
        "node_id": node_id("CR", run.id),
        "name": run.name,
        "head_sha": run.head_sha,
        "external_id": run.external_id,
        "url": url,
        "html_url": html,
        "details_url": run.details_url or html,
        "status": run.status,
        "conclusion": run.conclusion,
        "started_at": time_text(run.started_at),
        "completed_at": time_text(run.completed_at),
        "output": {
            "title": run.output.get("title"),
            "summary": run.output.get("summary"),
            "text": run.output.get("text"),
            "annotations_count": len(run.annotations),
            "annotations_url": f"{url}/annotations",
        },
        "check_suite": {"id": run.suite.id},
        "app": app(urls, run.app),
        "pull_requests": pulls,
    }
