"""REST: accounts, repositories, collaborators, branches, references, commits and contents.

https://docs.github.com/en/rest/repos , https://docs.github.com/en/rest/collaborators/collaborators
"""

from __future__ import annotations

import asyncio
import time

from localhub import git_history, pushes, representation, representation_code
from localhub.api import LIMIT, Answer, Audience, Call, Route
from localhub.errors import ApiError, invalid, not_found, unprocessable
from localhub.git_history import PathAt
from localhub.model import LEVELS

_READ = (("contents", "read"),)
_WRITE = (("contents", "write"),)
_LEGACY = {"maintain": "write", "triage": "read"}
_REPO = "/repos/{owner}/{repo}"


async def get_rate_limit(call: Call) -> Answer:
    core = {"limit": LIMIT, "used": 0, "remaining": LIMIT, "reset": int(time.time()) + 3600}
    return Answer({"resources": {"core": core}, "rate": core})


async def get_me(call: Call) -> Answer:
    if call.actor.token is not None or call.actor.is_jwt:
        raise ApiError(403, "Resource not accessible by integration", violation="permission")
    return Answer(representation.user(call.state.urls, call.user))


async def get_user(call: Call) -> Answer:
    return Answer(representation.user(call.state.urls, call.state.user(call.text("login"))))


async def get_repository(call: Call) -> Answer:
    body = representation.repository(call.state.urls, call.repository)
    level = call.state.grant_of(call.repository, call.actor.user).level
    reached = LEVELS[1 : LEVELS.index(level) + 1]
    names = {"pull": "read", "triage": "triage", "push": "write", "maintain": "maintain", "admin": "admin"}
    body["permissions"] = {name: level in reached for name, level in names.items()}
    return Answer(body)


async def get_permission(call: Call) -> Answer:
    """What a person may do. ``permission`` knows four words only; ``role_name`` tells the others and own roles."""
    if call.actor.token is None:
        call.require_level("write")
    account = call.state.users.get(call.text("login").lower())
    if account is None:
        raise not_found(f"{call.text('login')} is not a user")
    grant = call.state.grant_of(call.repository, account)
    shown = representation.user(call.state.urls, account)
    reached = LEVELS[1 : LEVELS.index(grant.level) + 1]
    names = {"pull": "read", "triage": "triage", "push": "write", "maintain": "maintain", "admin": "admin"}
    shown["permissions"] = {name: level in reached for name, level in names.items()}
    shown["role_name"] = grant.role_name
    body = {"permission": _LEGACY.get(grant.level, grant.level), "role_name": grant.role_name, "user": shown}
    return Answer(body)


async def check_collaborator(call: Call) -> Answer:
    if call.actor.token is None:
        call.require_level("write")
    account = call.state.users.get(call.text("login").lower())
    named = account is not None and account.login.lower() in call.repository.grants
    if account is None or not (named or account is call.repository.owner):
        raise not_found()
    return Answer(status=204)


async def list_branches(call: Call) -> Answer:
    repository = call.repository
    shown = [
        representation_code.branch(call.state.urls, repository, name, sha)
        for name, sha in repository.git.branches().items()
    ]
    return call.listing(shown)


async def get_branch(call: Call) -> Answer:
    name = call.text("branch")
    sha = call.repository.git.branch(name)
    if sha is None:
        raise not_found("Branch not found")
    made = await asyncio.to_thread(git_history.commits, call.repository.git, sha, 1)
    body = representation_code.branch(call.state.urls, call.repository, name, sha)
    return Answer({**body, "commit": representation_code.commit(call.state.urls, call.repository, made[0])})


async def get_reference(call: Call) -> Answer:
    name = f"refs/{call.text('ref')}"
    sha = call.repository.git.ref(name)
    if sha is None:
        raise not_found()
    return Answer(representation_code.reference(call.state.urls, call.repository, name, sha))


async def list_matching_references(call: Call) -> Answer:
    found = call.repository.git.refs(f"refs/{call.text('ref')}")
    return call.listing(
        [representation_code.reference(call.state.urls, call.repository, name, sha) for name, sha in found.items()]
    )


async def create_reference(call: Call) -> Answer:
    name, sha = call.sent.get("ref"), call.sent.get("sha")
    if not isinstance(name, str) or not name.startswith("refs/") or name.count("/") < 2:
        raise ApiError(422, "Reference name must start with 'refs/' and have at least two slashes.")
    git = call.repository.git
    if not isinstance(sha, str) or await asyncio.to_thread(git.resolve, sha) != sha:
        raise ApiError(422, "Object does not exist")
    before = git.refs()
    if name in before:
        raise ApiError(422, "Reference already exists")
    git.write_ref(name, sha)
    pushes.references_moved(call.state, call.repository, before, git.refs(), call.user)
    return Answer(representation_code.reference(call.state.urls, call.repository, name, sha), 201)


async def update_reference(call: Call) -> Answer:
    name, sha = f"refs/{call.text('ref')}", call.sent.get("sha")
    git = call.repository.git
    before = git.refs()
    old = before.get(name)
    if old is None:
        raise ApiError(422, "Reference does not exist")
    if not isinstance(sha, str) or await asyncio.to_thread(git.resolve, sha) != sha:
        raise ApiError(422, "Object does not exist")
    forward = await asyncio.to_thread(git_history.merge_base, git, old, sha) == old
    if not forward and call.sent.get("force") is not True:
        raise ApiError(422, "Update is not a fast forward")
    git.write_ref(name, sha)
    pushes.references_moved(call.state, call.repository, before, git.refs(), call.user)
    return Answer(representation_code.reference(call.state.urls, call.repository, name, sha))


async def delete_reference(call: Call) -> Answer:
    name = f"refs/{call.text('ref')}"
    git = call.repository.git
    before = git.refs()
    if name not in before:
        raise ApiError(422, "Reference does not exist")
    if name.removeprefix("refs/heads/") == call.repository.default_branch:
        raise unprocessable("Reference", "Cannot delete the default branch")
    await asyncio.to_thread(git.delete_ref, name)
    pushes.references_moved(call.state, call.repository, before, git.refs(), call.user)
    return Answer(status=204)


async def _resolved(call: Call, ref: str) -> str:
    sha = await asyncio.to_thread(call.repository.git.resolve, ref)
    if sha is None:
        raise ApiError(422, f"No commit found for SHA: {ref}")
    return sha


async def list_commits(call: Call) -> Answer:
    git = call.repository.git
    if not git.branches():
        raise ApiError(409, "Git Repository is empty.")
    sha = await asyncio.to_thread(git.resolve, call.query("sha", call.repository.default_branch))
    if sha is None:
        raise not_found()
    found = await asyncio.to_thread(git_history.commits, git, sha)
    return call.listing([representation_code.commit(call.state.urls, call.repository, made) for made in found])


async def get_commit(call: Call) -> Answer:
    git = call.repository.git
    if not git.branches():
        raise ApiError(409, "Git Repository is empty.")
    sha = await _resolved(call, call.text("ref"))
    made = (await asyncio.to_thread(git_history.commits, git, sha, 1))[0]
    # The empty tree stands for the parent a first commit does not have.
    parent = made.parents[0] if made.parents else git.write_tree([])
    files = await asyncio.to_thread(git_history.files_between, git, parent, sha)
    body = representation_code.commit(call.state.urls, call.repository, made)
    body["stats"] = {
        "additions": sum(file.additions for file in files),
        "deletions": sum(file.deletions for file in files),
        "total": sum(file.additions + file.deletions for file in files),
    }
    body["files"] = [representation_code.changed_file(call.state.urls, call.repository, sha, file) for file in files]
    return Answer(body)


async def compare(call: Call) -> Answer:
    base, dots, head = call.text("basehead").partition("...")
    if not dots:
        raise not_found()
    git = call.repository.git
    sides = [await asyncio.to_thread(git.resolve, name) for name in (base, head)]
    if sides[0] is None or sides[1] is None:
        raise not_found()
    start = await asyncio.to_thread(git_history.merge_base, git, sides[0], sides[1])
    if start is None:
        raise not_found(f"No common ancestor between {base} and {head}.")
    ahead = await asyncio.to_thread(git_history.commits, git, f"{sides[0]}..{sides[1]}")
    behind = await asyncio.to_thread(git_history.commits, git, f"{sides[1]}..{sides[0]}")
    files = await asyncio.to_thread(git_history.files_between, git, start, sides[1])
    words = {(True, True): "diverged", (True, False): "ahead", (False, True): "behind", (False, False): "identical"}
    urls, repository = call.state.urls, call.repository
    body = {
        "status": words[bool(ahead), bool(behind)],
        "ahead_by": len(ahead),
        "behind_by": len(behind),
        "total_commits": len(ahead),
        "commits": [representation_code.commit(urls, repository, made) for made in reversed(ahead)],
        "files": [representation_code.changed_file(urls, repository, sides[1], file) for file in files],
    }
    return Answer(body)


async def get_contents(call: Call) -> Answer:
    repository = call.repository
    if not repository.git.branches():
        raise not_found("This repository is empty.")
    ref = call.query("ref") or repository.default_branch
    commit = await asyncio.to_thread(repository.git.resolve, ref.removeprefix("refs/heads/"))
    if commit is None:
        raise not_found(f"No commit found for the ref {ref}")
    path = call.request.match_info.get("path", "").strip("/")
    return Answer(await asyncio.to_thread(_contents, call, commit, ref, path))


def _contents(call: Call, commit: str, ref: str, path: str) -> object:
    urls, repository = call.state.urls, call.repository
    at: PathAt | None = git_history.path_at(repository.git, commit, path)
    if at is None:
        raise not_found()
    if at.kind == "tree":
        below = git_history.folder_at(repository.git, commit, path)
        return [representation_code.content(urls, repository, ref, each, listed=True) for each in below]
    return representation_code.content(urls, repository, ref, at, listed=False)


async def edit_repository(call: Call) -> Answer:
    """Archive, change visibility or the default branch."""
    repository = call.repository
    branch = call.sent.get("default_branch", repository.default_branch)
    if not isinstance(branch, str) or (branch != repository.default_branch and repository.git.branch(branch) is None):
        raise invalid("Repository", "default_branch")
    repository.default_branch = branch
    repository.archived = call.sent.get("archived", repository.archived) is True
    repository.private = call.sent.get("private", repository.private) is True
    return await get_repository(call)


ROUTES = [
    Route("GET", "/rate_limit", get_rate_limit, audience=Audience.ANYONE),
    Route("GET", "/user", get_me, audience=Audience.USER),
    Route("GET", "/users/{login}", get_user, audience=Audience.ANYONE),
    Route("GET", _REPO, get_repository, (("metadata", "read"),)),
    Route("PATCH", _REPO, edit_repository, (("administration", "write"),), "admin"),
    Route("GET", f"{_REPO}/collaborators/{{login}}/permission", get_permission, (("metadata", "read"),)),
    Route("GET", f"{_REPO}/collaborators/{{login}}", check_collaborator, (("metadata", "read"),)),
    Route("GET", f"{_REPO}/branches", list_branches, _READ),
    Route("GET", f"{_REPO}/branches/{{branch:.+}}", get_branch, _READ),
    Route("GET", f"{_REPO}/git/ref/{{ref:.+}}", get_reference, _READ),
    Route("GET", f"{_REPO}/git/refs/{{ref:.+}}", get_reference, _READ),
    Route("GET", f"{_REPO}/git/matching-refs/{{ref:.+}}", list_matching_references, _READ),
    Route("POST", f"{_REPO}/git/refs", create_reference, _WRITE, "write"),
    Route("PATCH", f"{_REPO}/git/refs/{{ref:.+}}", update_reference, _WRITE, "write"),
    Route("DELETE", f"{_REPO}/git/refs/{{ref:.+}}", delete_reference, _WRITE, "write"),
    Route("GET", f"{_REPO}/commits", list_commits, _READ),
    Route("GET", f"{_REPO}/commits/{{ref:.+}}", get_commit, _READ),
    Route("GET", f"{_REPO}/compare/{{basehead:.+}}", compare, _READ),
    Route("GET", f"{_REPO}/contents", get_contents, _READ),
    Route("GET", f"{_REPO}/contents/{{path:.*}}", get_contents, _READ),
]
