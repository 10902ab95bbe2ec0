"""Who an issue or pull request is assigned to.

https://docs.github.com/en/rest/issues/assignees . GitHub lets an App's bot be assigned for some Apps only; here any App
that is installed on the repository may be.
"""

from __future__ import annotations

from collections.abc import Sequence

from localhub import representation
from localhub.announcements import tell_either
from localhub.errors import invalid, unprocessable
from localhub.model import Issue, Repository, User, utc_now
from localhub.state import State

_LIMIT = 10


def bots_of(state: State, repository: Repository) -> list[User]:
    """The bots of the Apps that are installed on a repository."""
    return [each.app.bot for each in state.installations.values() if repository in each.repositories]


def assignable(state: State, repository: Repository, account: User) -> bool:
    """True for collaborators of any role, people who may write, and installed Apps' bots."""
    if account.type == "Organization":
        return False
    named = account.login.lower() in repository.grants
    return named or state.may(repository, account, "write") or account in bots_of(state, repository)


def _may_be_assigned(state: State, issue: Issue, account: User) -> bool:
    spoke = account is issue.user or any(comment.user is account for comment in issue.comments)
    return assignable(state, issue.repository, account) or (spoke and account.type == "User")


def checked(state: State, issue: Issue, wished: object, *, strict: bool) -> list[User]:
    """The accounts of a list of logins. Those that cannot be assigned are left out, or refused when ``strict``.

    Raises ApiError 422.
    """
    if not isinstance(wished, list) or not all(isinstance(login, str) for login in wished):
        raise invalid("Issue", "assignees")
    found = [state.users.get(login.lower()) for login in wished]
    good = [each for each in found if each is not None and _may_be_assigned(state, issue, each)]
    if strict and len(good) < len(found):
        raise invalid("Issue", "assignees")
    return list(dict.fromkeys(good))


def add(state: State, issue: Issue, accounts: Sequence[User], sender: User) -> None:
    """Assign accounts, one ``assigned`` event each. Raises ApiError 422 beyond ten."""
    if len({*issue.assignees, *accounts}) > _LIMIT:
        raise unprocessable("Issue", f"An issue can have at most {_LIMIT} assignees.", field="assignees")
    for account in accounts:
        if account not in issue.assignees:
            issue.assignees.append(account)
            _tell(state, issue, account, "assigned", sender)


def remove(state: State, issue: Issue, accounts: Sequence[User], sender: User) -> None:
    """Take assignments back, one ``unassigned`` event each; who was not assigned is passed over."""
    for account in accounts:
        if account in issue.assignees:
            issue.assignees.remove(account)
            _tell(state, issue, account, "unassigned", sender)


def replace(state: State, issue: Issue, accounts: Sequence[User], sender: User) -> None:
    """Leave exactly these accounts assigned."""
    remove(state, issue, [each for each in issue.assignees if each not in accounts], sender)
    add(state, issue, accounts, sender)


def _tell(state: State, issue: Issue, account: User, action: str, sender: User) -> None:
    issue.updated_at = utc_now()
    tell_either(state, issue, action, sender, {"assignee": representation.user(state.urls, account)})
