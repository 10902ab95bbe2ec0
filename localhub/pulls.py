"""Pull requests, within one repository: opened, edited, and moved along when their branch is pushed.

https://docs.github.com/en/rest/pulls/pulls#create-a-pull-request
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from localhub import conversations, git_history, representation_code
from localhub.errors import invalid, missing_field, not_found, unprocessable
from localhub.git_repository import ZERO, GitRepository
from localhub.model import App, Issue, PullRequest, Repository, User, utc_now
from localhub.state import State


@dataclass(frozen=True, slots=True)
class Sides:
    """The two branches of a wished pull request, and their commits."""

    head: str
    head_sha: str
    base: str
    base_sha: str


def pulls_of(repository: Repository) -> list[PullRequest]:
    """Every pull request, oldest first."""
    return [issue.pull for issue in repository.issues.values() if issue.pull is not None]


def pull_of(repository: Repository, number: int) -> PullRequest:
    """A pull request by number. Raises ApiError 404."""
    issue = repository.issues.get(number)
    if issue is None or issue.pull is None:
        raise not_found()
    return issue.pull


def checked_sides(repository: Repository, wish: Mapping[str, object]) -> Sides:
    """The branches a request names. Raises ApiError 422 as GitHub does. Reads git: blocks."""
    git = repository.git
    head, base = wish.get("head"), wish.get("base")
    if not isinstance(head, str) or not head:
        raise missing_field("PullRequest", "head")
    if not isinstance(base, str) or not base:
        raise missing_field("PullRequest", "base")
    owner, colon, branch = head.rpartition(":")
    if colon and owner.lower() != repository.owner.login.lower():
        raise invalid("PullRequest", "head")
    head_sha, base_sha = git.branch(branch), git.branch(base)
    if base_sha is None:
        raise invalid("PullRequest", "base")
    if head_sha is None:
        raise invalid("PullRequest", "head")
    _refuse_nothing_to_merge(git, Sides(branch, head_sha, base, base_sha))
    return Sides(branch, head_sha, base, base_sha)


def _refuse_nothing_to_merge(git: GitRepository, sides: Sides) -> None:
    start = git_history.merge_base(git, sides.base_sha, sides.head_sha)
    if start is None:
        raise unprocessable("PullRequest", f"The {sides.head} branch has no history in common with {sides.base}")
    if start == sides.head_sha:
        raise unprocessable("PullRequest", f"No commits between {sides.base} and {sides.head}")


def open_pull(
    state: State, repository: Repository, sides: Sides, wish: Mapping[str, object], author: tuple[User, App | None]
) -> PullRequest:
    """Open a pull request. Raises ApiError 422, also when one is open for these branches already."""
    for pull in pulls_of(repository):
        if (pull.state, pull.head_branch, pull.base_branch) == ("open", sides.head, sides.base):
            sentence = f"A pull request already exists for {repository.owner.login}:{sides.head}."
            raise unprocessable("PullRequest", sentence)
    user, via_app = author
    issue = Issue(
        repository=repository,
        id=state.new_id(),
        number=conversations.next_number(repository),
        title=conversations.checked_title(wish.get("title"), "PullRequest"),
        body=conversations.checked_body(wish.get("body"), "PullRequest"),
        user=user,
        via_app=via_app,
    )
    pull = PullRequest(
        issue=issue,
        id=state.new_id(),
        head_branch=sides.head,
        base_branch=sides.base,
        head_sha=sides.head_sha,
        base_sha=sides.base_sha,
        draft=wish.get("draft") is True,
    )
    issue.pull = pull
    repository.issues[issue.number] = issue
    tell(state, pull, "opened", user)
    return pull


def edit_pull(state: State, pull: PullRequest, wish: Mapping[str, object], sender: User) -> None:
    """Change title, body, base or state. Raises ApiError 422. ``draft`` cannot be changed here, as on GitHub."""
    title = conversations.checked_title(wish["title"], "PullRequest") if "title" in wish else pull.title
    body = conversations.checked_body(wish["body"], "PullRequest") if "body" in wish else pull.issue.body
    if "base" in wish:
        base = wish["base"]
        base_sha = pull.repository.git.branch(base) if isinstance(base, str) else None
        if base_sha is None:
            raise invalid("PullRequest", "base")
        pull.base_branch, pull.base_sha = str(base), base_sha
    if "state" in wish and wish["state"] != pull.state:
        if wish["state"] == "open" and pull.repository.git.branch(pull.head_branch) is None:
            raise unprocessable("PullRequest", f"state cannot be changed. The {pull.head_branch} branch was deleted.")
        conversations.set_state(state, pull.issue, wish["state"], sender)
        tell(state, pull, "closed" if wish["state"] == "closed" else "reopened", sender)
    pull.issue.title, pull.issue.body = title, body
    pull.issue.updated_at = utc_now()
    if {"title", "body", "base"} & wish.keys():
        tell(state, pull, "edited", sender)


def tell(state: State, pull: PullRequest, action: str, sender: User) -> None:
    """Send the ``pull_request`` webhook."""
    extra = {
        "number": pull.number,
        "pull_request": representation_code.pull_request(state.urls, pull),
    }
    state.webhooks.emit("pull_request", action, pull.repository, sender, extra)


def references_moved(
    state: State, repository: Repository, before: Mapping[str, str], after: Mapping[str, str], pusher: User
) -> None:
    """Tell about the references a push changed, and move the pull requests of their branches along."""
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name, ZERO), after.get(name, ZERO)
        if old == new:
            continue
        extra = {
            "ref": name,
            "before": old,
            "after": new,
            "created": old == ZERO,
            "deleted": new == ZERO,
            "forced": False,
            "pusher": {"name": pusher.login, "email": None},
        }
        state.webhooks.emit("push", None, repository, pusher, extra)
        _move_pulls(state, repository, name.removeprefix("refs/heads/"), new, pusher)


def _move_pulls(state: State, repository: Repository, branch: str, sha: str, pusher: User) -> None:
    for pull in pulls_of(repository):
        if pull.state != "open":
            continue
        if pull.head_branch == branch and sha == ZERO:
            conversations.set_state(state, pull.issue, "closed", pusher)
            tell(state, pull, "closed", pusher)
        elif pull.head_branch == branch:
            pull.head_sha = sha
            tell(state, pull, "synchronize", pusher)
        elif pull.base_branch == branch and sha != ZERO:
            pull.base_sha = sha
