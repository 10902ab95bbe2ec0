"""Forks: copies of a repository under another account, whose branches may be the head of a pull request."""

from __future__ import annotations

from localhub.model import PullRequest, Repository, User
from localhub.state import State


def fork(state: State, repository: Repository, owner: User) -> Repository:
    """Copy a repository with all its branches. Raises ValueError when the owner has one of that name. Reads git."""
    name = f"{owner.login}/{repository.name}"
    copy = state.create_repository(name, repository.private, repository.default_branch, {})
    copy.parent = repository
    copy.git.fetch(repository.git, "refs/heads/*:refs/heads/*")
    copy.told = copy.git.refs()
    return copy


def root_of(repository: Repository) -> Repository:
    """What a repository, or what it was forked from, comes from."""
    return repository if repository.parent is None else root_of(repository.parent)


def in_network(state: State, repository: Repository, owner: str) -> Repository | None:
    """The repository of an account that shares its history with this one: itself, its parent or a fork."""
    if repository.owner.login.lower() == owner.lower():
        return repository
    for each in list(state.repositories.values()):
        if each.owner.login.lower() == owner.lower() and root_of(each) is root_of(repository):
            return each
    return None


def take_head(pull: PullRequest) -> None:
    """Bring the head's commits into the repository of the base, as ``refs/pull/N/head``. Reads git."""
    git = pull.repository.git
    if pull.head_repository is not None and pull.from_fork:
        git.fetch(pull.head_repository.git, pull.head_sha)
    git.write_ref(f"refs/pull/{pull.number}/head", pull.head_sha)


def delete(state: State, repository: Repository) -> None:
    """Take a repository away; pull requests that come from it keep their commits and lose their ``head.repo``."""
    del state.repositories[repository.full_name.lower()]
    for installation in state.installations.values():
        if repository in installation.repositories:
            installation.repositories.remove(repository)
    for other in state.repositories.values():
        if other.parent is repository:
            other.parent = repository.parent
        for issue in other.issues.values():
            if issue.pull is not None and issue.pull.head_repository is repository:
                issue.pull.head_repository = None
