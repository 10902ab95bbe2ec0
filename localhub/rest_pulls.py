"""REST: pull requests. https://docs.github.com/en/rest/pulls/pulls"""

from __future__ import annotations

import asyncio

from localhub import auth, git_history, pulls, representation_code
from localhub.api import Answer, Call, Route
from localhub.errors import invalid
from localhub.model import PullRequest
from localhub.pulls import pull_of

_READ = (("pull_requests", "read"),)
_WRITE = (("pull_requests", "write"),)
_PULLS = "/repos/{owner}/{repo}/pulls"


def asked_pull(call: Call) -> PullRequest:
    """The pull request of the path. Raises ApiError 404."""
    pull = pull_of(call.repository, call.number("pull_number"))
    call.fresh(pull.issue.born)
    return pull


async def list_pulls(call: Call) -> Answer:
    """``head`` is ``owner:branch``; GitHub ignores a ``head`` without the owner, and so lists everything."""
    state, base, head = call.query("state", "open"), call.query("base"), call.query("head")
    owner, colon, branch = head.partition(":")
    found = [
        pull
        for pull in pulls.pulls_of(call.repository)
        if state in {"all", pull.state}
        and base in {"", pull.base_branch}
        and (not colon or (branch == pull.head_branch and owner.lower() == pull.head_owner.login.lower()))
        and not call.state.faults.too_fresh(pull.issue.born)
    ]
    sort = call.query("sort", "created")
    if sort == "updated":
        found.sort(key=lambda pull: pull.issue.updated_at)
    if call.query("direction", "desc" if sort == "created" else "asc") == "desc":
        found.reverse()
    return call.listing([representation_code.pull_request(call.state.urls, pull) for pull in found])


async def _shown(call: Call, pull: PullRequest, status: int = 200) -> Answer:
    body = await asyncio.to_thread(representation_code.full_pull_request, call.state.urls, pull)
    return Answer(body, status, {"Location": str(body["url"])} if status == 201 else {})


async def get_pull(call: Call) -> Answer:
    return await _shown(call, asked_pull(call))


async def create_pull(call: Call) -> Answer:
    """People offer a branch they may push to: of a fork, or of this repository."""
    sides = await asyncio.to_thread(pulls.checked_sides, call.state, call.repository, call.sent)
    source = sides.head_repository
    if call.actor.token is not None and source not in call.actor.token.repositories:
        raise invalid("PullRequest", "head")
    auth.require_level(call.state, call.actor, source, "write")
    author = (call.user, call.actor.via_app)
    return await _shown(call, pulls.open_pull(call.state, call.repository, sides, call.sent, author), 201)


async def edit_pull(call: Call) -> Answer:
    pull = asked_pull(call)
    if call.actor.token is None and pull.issue.user is not call.user:
        call.require_level("write")
    pulls.edit_pull(call.state, pull, call.sent, call.user)
    return await _shown(call, pull)


async def list_files(call: Call) -> Answer:
    pull = asked_pull(call)
    files = await asyncio.to_thread(git_history.changed_files, call.repository.git, pull.base_sha, pull.head_sha)
    urls, repository = call.state.urls, call.repository
    return call.listing([representation_code.changed_file(urls, repository, pull.head_sha, file) for file in files])


async def list_commits(call: Call) -> Answer:
    pull = asked_pull(call)
    revisions = f"{pull.base_sha}..{pull.head_sha}"
    found = await asyncio.to_thread(git_history.commits, call.repository.git, revisions)
    urls, repository = call.state.urls, call.repository
    return call.listing([representation_code.commit(urls, repository, made) for made in reversed(found)])


ROUTES = [
    Route("GET", _PULLS, list_pulls, _READ),
    Route("POST", _PULLS, create_pull, _WRITE),
    Route("GET", f"{_PULLS}/{{pull_number}}", get_pull, _READ),
    Route("PATCH", f"{_PULLS}/{{pull_number}}", edit_pull, _WRITE),
    Route("GET", f"{_PULLS}/{{pull_number}}/files", list_files, _READ),
    Route("GET", f"{_PULLS}/{{pull_number}}/commits", list_commits, _READ),
]
