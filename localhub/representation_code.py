"""How commits, branches, files and pull requests look in JSON. Functions that read git say so: they block."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING
from urllib.parse import quote

from localhub import git_history
from localhub.git_history import ChangedFile, Commit, PathAt
from localhub.model import PullRequest, Repository, Team
from localhub.representation import Json, issue, node_id, repository, time_text, user

if TYPE_CHECKING:
    from localhub.state import Urls

_LARGEST_SHOWN = 1024 * 1024
"""Bytes of a file that the contents API still hands over as base64."""
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


def pushed_commit(urls: Urls, repo: Repository, made: Commit) -> Json:
    """A commit as the ``push`` event carries it. Reads git."""
    # The empty tree stands for the parent a first commit does not have.
    parent = made.parents[0] if made.parents else repo.git.write_tree([])
    files = git_history.files_between(repo.git, parent, made.sha)
    return {
        "id": made.sha,
        "tree_id": made.tree,
        "distinct": True,
        "message": made.message,
        "timestamp": made.committer_date,
        "url": f"{urls.web}/{repo.full_name}/commit/{made.sha}",
        "author": {"name": made.author_name, "email": made.author_email},
        "committer": {"name": made.committer_name, "email": made.committer_email},
        "added": [file.path for file in files if file.status in {"added", "copied"}],
        "removed": [file.path for file in files if file.status == "removed"],
        "modified": [file.path for file in files if file.status not in {"added", "copied", "removed"}],
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
    if not listed and kind == "file" and at.size > _LARGEST_SHOWN:
        body.update(encoding="none", content="")
    elif not listed and kind == "file":
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


def team(urls: Urls, known: Team) -> Json:
    """A team."""
    url = f"{urls.api}/orgs/{known.organization.login}/teams/{known.slug}"
    return {
        "id": known.id,
        "node_id": node_id("T", known.id),
        "url": url,
        "html_url": f"{urls.web}/orgs/{known.organization.login}/teams/{known.slug}",
        "name": known.name,
        "slug": known.slug,
        "description": None,
        "privacy": "closed",
        "permission": "pull",
        "members_url": f"{url}/members{{/member}}",
        "repositories_url": f"{url}/repos",
        "parent": None,
    }


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
        "review_comments_url": f"{api}/comments",
        "review_comment_url": f"{_api(urls, repo)}/pulls/comments{{/number}}",
        "commits_url": f"{api}/commits",
        "statuses_url": f"{_api(urls, repo)}/statuses/{pull.head_sha}",
        "merged_at": time_text(pull.merged_at),
        "merge_commit_sha": pull.merge_commit_sha,
        "requested_reviewers": [user(urls, each) for each in pull.requested_reviewers],
        "requested_teams": [team(urls, each) for each in pull.requested_teams],
        "draft": pull.draft,
        "head": {
            "label": pull.head_label,
            "ref": pull.head_branch,
            "sha": pull.head_sha,
            "user": user(urls, pull.head_owner),
            "repo": repository(urls, pull.head_repository) if pull.head_repository is not None else None,
        },
        "base": {
            "label": f"{repo.owner.login}:{pull.base_branch}",
            "ref": pull.base_branch,
            "sha": pull.base_sha,
            "user": user(urls, repo.owner),
            "repo": repository(urls, repo),
        },
        "auto_merge": None,
        "_links": {"self": {"href": api}, "html": {"href": as_issue["html_url"]}},
    }


def full_pull_request(urls: Urls, pull: PullRequest) -> Json:
    """A pull request by itself, with its counts. Reads git."""
    files = pull.changed_files
    return {
        **pull_request(urls, pull),
        "merged": pull.merged,
        "mergeable": not pull.merged,
        "rebaseable": False,
        "mergeable_state": "draft" if pull.draft else "clean",
        "merged_by": user(urls, pull.merged_by) if pull.merged_by is not None else None,
        "comments": len(pull.issue.comments),
        "review_comments": len(pull.review_comments),
        "maintainer_can_modify": False,
        "commits": len(pull.commits),
        "additions": sum(file.additions for file in files),
        "deletions": sum(file.deletions for file in files),
        "changed_files": len(files),
    }
