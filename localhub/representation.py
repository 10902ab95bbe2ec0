"""How accounts, repositories, Apps and conversations look in JSON, in REST answers and in webhooks alike.

The fields a client reads, under GitHub's names; https://docs.github.com/en/rest shows each as a schema.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

from localhub.model import App, Comment, Installation, Issue, Label, Reaction, Repository, User
from localhub.records import Delivery

if TYPE_CHECKING:
    from localhub.state import Urls

Json = dict[str, object]
REACTIONS = ("+1", "-1", "laugh", "hooray", "confused", "heart", "rocket", "eyes")


def time_text(moment: datetime | None) -> str | None:
    """ISO 8601 in UTC with a Z, as GitHub writes it."""
    return None if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def node_id(kind: str, number: int) -> str:
    """An opaque global id. ``kind`` as GitHub has it: ``I``, ``IC``, ``PR``, ``PRRC``, ..."""
    return f"{kind}_{base64.urlsafe_b64encode(str(number).encode()).decode().rstrip('=')}"


def number_of_node(text: str) -> tuple[str, int] | None:
    """The kind and number of a global id of ours, or None when it is not one."""
    kind, _, coded = text.partition("_")
    try:
        number = base64.urlsafe_b64decode(coded + "=" * (-len(coded) % 4)).decode("ascii")
    except ValueError:
        return None
    return (kind, int(number)) if number.isdigit() and node_id(kind, int(number)) == text else None


def user(urls: Urls, account: User) -> Json:
    """An account, in the short form."""
    api = f"{urls.api}/users/{account.login}"
    return {
        "login": account.login,
        "id": account.id,
        "node_id": node_id("U", account.id),
        "avatar_url": f"{urls.web}/avatars/u/{account.id}",
        "gravatar_id": "",
        "url": api,
        "html_url": f"{urls.web}/{account.login}",
        "repos_url": f"{api}/repos",
        "type": account.type,
        "user_view_type": "public",
        "site_admin": False,
    }


def organization(urls: Urls, account: User) -> Json:
    """An organization, as webhooks carry it."""
    return {
        "login": account.login,
        "id": account.id,
        "node_id": node_id("O", account.id),
        "url": f"{urls.api}/orgs/{account.login}",
        "avatar_url": f"{urls.web}/avatars/u/{account.id}",
        "description": "",
    }


def repository(urls: Urls, repo: Repository) -> Json:
    """A repository."""
    api = f"{urls.api}/repos/{repo.full_name}"
    html = f"{urls.web}/{repo.full_name}"
    return {
        "id": repo.id,
        "node_id": node_id("R", repo.id),
        "name": repo.name,
        "full_name": repo.full_name,
        "private": repo.private,
        "visibility": "private" if repo.private else "public",
        "owner": user(urls, repo.owner),
        "html_url": html,
        "description": None,
        "fork": repo.parent is not None,
        "url": api,
        "branches_url": f"{api}/branches{{/branch}}",
        "collaborators_url": f"{api}/collaborators{{/collaborator}}",
        "comments_url": f"{api}/comments{{/number}}",
        "commits_url": f"{api}/commits{{/sha}}",
        "contents_url": f"{api}/contents/{{+path}}",
        "git_refs_url": f"{api}/git/refs{{/sha}}",
        "issue_comment_url": f"{api}/issues/comments{{/number}}",
        "issues_url": f"{api}/issues{{/number}}",
        "labels_url": f"{api}/labels{{/name}}",
        "pulls_url": f"{api}/pulls{{/number}}",
        "git_url": f"git://{html.partition('://')[2]}.git",
        "clone_url": f"{html}.git",
        "created_at": time_text(repo.created_at),
        "updated_at": time_text(repo.created_at),
        "pushed_at": time_text(repo.created_at),
        "size": 0,
        "stargazers_count": 0,
        "language": None,
        "has_issues": True,
        "archived": repo.archived,
        "disabled": False,
        "open_issues_count": sum(issue.state == "open" for issue in repo.issues.values()),
        "default_branch": repo.default_branch,
        "topics": [],
    }


def app(urls: Urls, known: App) -> Json:
    """An App, as ``GET /app`` and ``performed_via_github_app`` show it."""
    return {
        "id": known.id,
        "slug": known.slug,
        "node_id": node_id("A", known.id),
        "client_id": known.client_id,
        "owner": user(urls, known.owner),
        "name": known.name,
        "description": known.description,
        "external_url": known.external_url,
        "html_url": f"{urls.web}/apps/{known.slug}",
        "created_at": time_text(known.created_at),
        "updated_at": time_text(known.created_at),
        "permissions": dict(known.permissions),
        "events": list(known.events),
    }


def installation_reference(installed: Installation) -> Json:
    """The short form inside webhooks."""
    return {"id": installed.id, "node_id": node_id("I", installed.id)}


def installation(urls: Urls, installed: Installation) -> Json:
    """An installation."""
    return {
        "id": installed.id,
        "node_id": node_id("I", installed.id),
        "account": user(urls, installed.account),
        "repository_selection": "selected",
        "access_tokens_url": f"{urls.api}/app/installations/{installed.id}/access_tokens",
        "repositories_url": f"{urls.api}/installation/repositories",
        "html_url": f"{urls.web}/settings/installations/{installed.id}",
        "app_id": installed.app.id,
        "app_slug": installed.app.slug,
        "client_id": installed.app.client_id,
        "target_id": installed.account.id,
        "target_type": installed.account.type,
        "permissions": dict(installed.permissions),
        "events": list(installed.events),
        "created_at": time_text(installed.created_at),
        "updated_at": time_text(installed.created_at),
        "single_file_name": None,
        "suspended_by": None,
        "suspended_at": time_text(installed.suspended_at),
    }


def label(urls: Urls, repo: Repository, known: Label) -> Json:
    """A label."""
    return {
        "id": known.id,
        "node_id": node_id("LA", known.id),
        "url": f"{urls.api}/repos/{repo.full_name}/labels/{quote(known.name, safe='')}",
        "name": known.name,
        "color": known.color,
        "default": False,
        "description": known.description,
    }


def reaction(urls: Urls, given: Reaction) -> Json:
    """One reaction."""
    return {
        "id": given.id,
        "node_id": node_id("REA", given.id),
        "user": user(urls, given.user),
        "content": given.content,
        "created_at": time_text(given.created_at),
    }


def reaction_counts(url: str, given: Iterable[Reaction]) -> Json:
    """The rollup of reactions."""
    contents = [each.content for each in given]
    counts: Json = {name: contents.count(name) for name in REACTIONS}
    return {"url": f"{url}/reactions", "total_count": len(contents), **counts}


def association(repo: Repository, account: User) -> str:
    """GitHub's ``author_association``: a description, no right."""
    if repo.owner is account:
        return "OWNER"
    return "COLLABORATOR" if account.login.lower() in repo.grants else "NONE"


def issue(urls: Urls, known: Issue) -> Json:
    """An issue, or a pull request seen as one."""
    repo = known.repository
    api = f"{urls.api}/repos/{repo.full_name}/issues/{known.number}"
    kind = "issues" if known.pull is None else "pull"
    html = f"{urls.web}/{repo.full_name}/{kind}/{known.number}"
    body: Json = {
        "url": api,
        "repository_url": f"{urls.api}/repos/{repo.full_name}",
        "labels_url": f"{api}/labels{{/name}}",
        "comments_url": f"{api}/comments",
        "events_url": f"{api}/events",
        "html_url": html,
        "id": known.id,
        "node_id": node_id("I" if known.pull is None else "PR", known.id),
        "number": known.number,
        "title": known.title,
        "user": user(urls, known.user),
        "labels": [label(urls, repo, each) for each in known.labels],
        "state": known.state,
        "state_reason": known.state_reason,
        "locked": known.locked,
        "active_lock_reason": None,
        "assignee": user(urls, known.assignees[0]) if known.assignees else None,
        "assignees": [user(urls, each) for each in known.assignees],
        "milestone": None,
        "comments": len(known.comments),
        "created_at": time_text(known.created_at),
        "updated_at": time_text(known.updated_at),
        "closed_at": time_text(known.closed_at),
        "author_association": association(repo, known.user),
        "body": known.body,
        "closed_by": user(urls, known.closed_by) if known.closed_by is not None else None,
        "reactions": reaction_counts(api, known.reactions),
        "timeline_url": f"{api}/timeline",
        "performed_via_github_app": app(urls, known.via_app) if known.via_app else None,
    }
    if known.pull is not None:
        body["draft"] = known.pull.draft
        body["pull_request"] = {
            "url": f"{urls.api}/repos/{repo.full_name}/pulls/{known.number}",
            "html_url": html,
            "diff_url": f"{html}.diff",
            "patch_url": f"{html}.patch",
            "merged_at": time_text(known.pull.merged_at),
        }
    return body


def comment_page(urls: Urls, known: Comment) -> str:
    """Where people read a comment."""
    kind = "issues" if known.issue.pull is None else "pull"
    return f"{urls.web}/{known.issue.repository.full_name}/{kind}/{known.issue.number}#issuecomment-{known.id}"


def comment(urls: Urls, known: Comment) -> Json:
    """A comment."""
    repo = known.issue.repository
    api = f"{urls.api}/repos/{repo.full_name}/issues/comments/{known.id}"
    return {
        "url": api,
        "html_url": comment_page(urls, known),
        "issue_url": f"{urls.api}/repos/{repo.full_name}/issues/{known.issue.number}",
        "id": known.id,
        "node_id": node_id("IC", known.id),
        "user": user(urls, known.user),
        "created_at": time_text(known.created_at),
        "updated_at": time_text(known.updated_at),
        "author_association": association(repo, known.user),
        "body": known.body,
        "reactions": reaction_counts(api, known.reactions),
        "performed_via_github_app": app(urls, known.via_app) if known.via_app else None,
    }


def delivery(known: Delivery) -> Json:
    """A webhook delivery in a list; its payload is only shown one by one."""
    return {
        "id": known.id,
        "guid": known.guid,
        "delivered_at": time_text(known.delivered_at),
        "redelivery": known.redelivery,
        "duration": known.duration,
        "status": known.status,
        "status_code": known.status_code,
        "event": known.event,
        "action": known.action,
        "installation_id": known.installation_id,
        "repository_id": known.repository_id,
        "throttled_at": None,
    }
