"""What follows from a push: it is told, check suites begin, and pull requests move along."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from localhub import checks, conversations, forks, reviews
from localhub.announcements import tell_pull, tell_push
from localhub.git_repository import ZERO
from localhub.model import PullRequest, Repository, User
from localhub.state import State

_HIDDEN = "refs/pull/"
"""References that the hub moves itself; nobody can push to them."""


def references_moved(
    state: State, repository: Repository, before: Mapping[str, str], after: Mapping[str, str], pusher: User
) -> None:
    """Tell about the references a push changed, and move the pull requests of their branches along. Reads git."""
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name, ZERO), after.get(name, ZERO)
        if old == new or name.startswith(_HIDDEN) or repository.told.get(name) == new:
            continue
        repository.told[name] = new
        tell_push(state, repository, name, (old, new), pusher)
        branch = name.removeprefix("refs/heads/")
        if branch == name:
            continue
        _move_pulls(state, repository, branch, new, pusher)
        if new != ZERO:
            checks.request_suites(state, repository, branch, (old, new), pusher)


def _pulls_touching(state: State, repository: Repository) -> Iterator[PullRequest]:
    """The open pull requests whose head or base is in a repository."""
    for each in state.repositories.values():
        for issue in list(each.issues.values()):
            pull = issue.pull
            if pull is not None and pull.state == "open" and repository in {pull.head_repository, each}:
                yield pull


def _move_pulls(state: State, repository: Repository, branch: str, sha: str, pusher: User) -> None:
    for pull in _pulls_touching(state, repository):
        is_head = pull.head_repository is repository and pull.head_branch == branch
        if is_head and sha == ZERO:
            conversations.set_state(state, pull.issue, "closed", pusher)
            tell_pull(state, pull, "closed", pusher)
        elif is_head:
            before, pull.head_sha = pull.head_sha, sha
            forks.take_head(pull)
            reviews.move_along(pull)
            tell_pull(state, pull, "synchronize", pusher, {"before": before, "after": sha})
        elif pull.repository is repository and pull.base_branch == branch and sha != ZERO:
            pull.base_sha = sha
