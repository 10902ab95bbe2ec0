"""Pull requests, from a branch of the repository or of a fork: opened, edited, closed and merged.

https://docs.github.com/en/rest/pulls/pulls#create-a-pull-request
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from localhub import conversations, forks, git_history, pushes
from localhub.announcements import tell_pull
from localhub.errors import ApiError, invalid, missing_field, not_found, unprocessable
from localhub.git_repository import Identity
from localhub.model import App, Issue, PullRequest, Repository, User, utc_now
from localhub.state import State


@dataclass(frozen=True, slots=True)
class Sides:
    """The two branches of a wished pull request, and their commits. ``head_repository`` may be a fork."""

    head_repository: Repository
    head: str
    head_sha: str
    base: str
    base_sha: str

    @property
    def label(self) -> str:
        """``owner:branch`` of the head."""
        return f"{self.head_repository.owner.login}:{self.head}"


def pulls_of(repository: Repository) -> list[PullRequest]:
    """Every pull request, oldest first."""
    return [issue.pull for issue in repository.issues.values() if issue.pull is not None]


def pull_of(repository: Repository, number: int) -> PullRequest:
    """A pull request by number. Raises ApiError 404."""
    issue = repository.issues.get(number)
    if issue is None or issue.pull is None:
        raise not_found()
    return issue.pull


def checked_sides(state: State, repository: Repository, wish: Mapping[str, object]) -> Sides:
    """The branches a request names: ``head`` is ``branch`` or ``owner:branch``. Raises ApiError 422 as GitHub does.

    Reads git: blocks.
    """
    head, base = wish.get("head"), wish.get("base")
    if not isinstance(head, str) or not head:
        raise missing_field("PullRequest", "head")
    if not isinstance(base, str) or not base:
        raise missing_field("PullRequest", "base")
    owner, colon, branch = head.rpartition(":")
    source = forks.in_network(state, repository, owner) if colon else repository
    base_sha = repository.git.branch(base)
    if base_sha is None:
        raise invalid("PullRequest", "base")
    head_sha = source.git.branch(branch) if source is not None else None
    if source is None or head_sha is None:
        raise invalid("PullRequest", "head")
    sides = Sides(source, branch, head_sha, base, base_sha)
    _refuse_nothing_to_merge(repository, sides)
    return sides


def _refuse_nothing_to_merge(repository: Repository, sides: Sides) -> None:
    if sides.head_repository is not repository:
        repository.git.fetch(sides.head_repository.git, sides.head_sha)
    start = git_history.merge_base(repository.git, sides.base_sha, sides.head_sha)
    if start is None:
        raise unprocessable("PullRequest", f"The {sides.head} branch has no history in common with {sides.base}")
    if start == sides.head_sha:
        raise unprocessable("PullRequest", f"No commits between {sides.base} and {sides.head}")


def open_pull(
    state: State, repository: Repository, sides: Sides, wish: Mapping[str, object], author: tuple[User, App | None]
) -> PullRequest:
    """Open a pull request. Raises ApiError 422, also when one is open for these branches already."""
    for pull in pulls_of(repository):
        if (pull.state, pull.head_label, pull.base_branch) == ("open", sides.label, sides.base):
            raise unprocessable("PullRequest", f"A pull request already exists for {sides.label}.")
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
        head_repository=sides.head_repository,
        head_owner=sides.head_repository.owner,
        head_branch=sides.head,
        base_branch=sides.base,
        head_sha=sides.head_sha,
        base_sha=sides.base_sha,
        draft=wish.get("draft") is True,
    )
    issue.pull = pull
    repository.issues[issue.number] = issue
    forks.take_head(pull)
    tell_pull(state, pull, "opened", user)
    return pull


def edit_pull(state: State, pull: PullRequest, wish: Mapping[str, object], sender: User) -> None:
    """Change title, body, base or state. Raises ApiError 422. ``draft`` cannot be changed here, as on GitHub."""
    title = conversations.checked_title(wish["title"], "PullRequest") if "title" in wish else pull.title
    body = conversations.checked_body(wish["body"], "PullRequest") if "body" in wish else pull.issue.body
    base, base_sha = _checked_base(pull, wish.get("base", pull.base_branch))
    to = wish.get("state", pull.state)
    if to != pull.state:
        _refuse_state(pull, to)
    changes = conversations.text_changes(pull.issue, title, body)
    if base != pull.base_branch:
        changes["base"] = {"ref": {"from": pull.base_branch}, "sha": {"from": pull.base_sha}}
        pull.base_branch, pull.base_sha = base, base_sha
    pull.issue.title, pull.issue.body = title, body
    pull.issue.updated_at = utc_now()
    if changes:
        tell_pull(state, pull, "edited", sender, {"changes": changes})
    if to != pull.state:
        conversations.set_state(state, pull.issue, to, sender)
        tell_pull(state, pull, "closed" if to == "closed" else "reopened", sender)


def _checked_base(pull: PullRequest, base: object) -> tuple[str, str]:
    if base == pull.base_branch:
        return pull.base_branch, pull.base_sha
    sha = pull.repository.git.branch(base) if isinstance(base, str) else None
    if sha is None:
        raise invalid("PullRequest", "base")
    return str(base), sha


def _refuse_state(pull: PullRequest, to: object) -> None:
    """Raise ApiError 422 when a pull request cannot get that state."""
    if to not in {"open", "closed"}:
        raise invalid("PullRequest", "state")
    if to == "closed":
        return
    if pull.merged:
        raise unprocessable("PullRequest", "state cannot be changed. The pull request cannot be reopened.")
    source = pull.head_repository
    if source is None:
        raise unprocessable("PullRequest", "state cannot be changed. The repository that submitted this was deleted.")
    if source.git.branch(pull.head_branch) is None:
        raise unprocessable("PullRequest", f"state cannot be changed. The {pull.head_branch} branch was deleted.")


def set_draft(state: State, pull: PullRequest, draft: bool, sender: User) -> None:
    """Make a pull request a draft, or ready for review: people can, on the page; the REST API cannot."""
    if draft != pull.draft:
        pull.draft = draft
        pull.issue.updated_at = utc_now()
        tell_pull(state, pull, "converted_to_draft" if draft else "ready_for_review", sender)


def merge(state: State, pull: PullRequest, sender: User) -> str:
    """Merge with a merge commit and return its id. Raises ApiError 405 when it cannot be merged. Reads git: blocks."""
    if pull.state != "open":
        raise ApiError(405, "Pull Request is not mergeable")
    if pull.draft:
        raise ApiError(405, "Pull Request is still a draft")
    git, base = pull.repository.git, f"refs/heads/{pull.base_branch}"
    said = git.git("merge-tree", "--write-tree", pull.base_sha, pull.head_sha, check=False).decode()
    tree, _, conflicts = said.partition("\n")
    if len(tree) != 40 or conflicts:
        raise ApiError(405, "Pull Request is not mergeable")
    message = f"Merge pull request #{pull.number} from {pull.head_label.replace(':', '/')}\n\n{pull.title}"
    author = Identity(sender.login, f"{sender.login}@users.noreply.invalid")
    commit = git.write_commit(tree, [pull.base_sha, pull.head_sha], message, author)
    before = git.refs()
    git.write_ref(base, commit)
    pull.merged_at, pull.merged_by, pull.merge_commit_sha = utc_now(), sender, commit
    conversations.set_state(state, pull.issue, "closed", sender)
    tell_pull(state, pull, "closed", sender)
    pushes.references_moved(state, pull.repository, before, git.refs(), sender)
    return commit
