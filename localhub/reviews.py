"""Review comments on the lines of a pull request, and whom a review is asked of.

https://docs.github.com/en/rest/pulls/comments , https://docs.github.com/en/rest/pulls/review-requests
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from localhub import git_history, patch_lines, representation, representation_code
from localhub.announcements import tell_pull, tell_review_comment
from localhub.assignees import assignable
from localhub.conversations import checked_body, refuse_locked
from localhub.errors import ApiError, invalid, missing_field, not_found, unprocessable
from localhub.git_history import ChangedFile
from localhub.git_repository import GitRepository
from localhub.model import App, PullRequest, Repository, ReviewComment, Team, User, utc_now
from localhub.state import State

_RESOURCE = "PullRequestReviewComment"
_THREAD = "pull_request_review_thread"
_SIDES = ("LEFT", "RIGHT")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a review comment hangs. ``line`` None: on the file as a whole."""

    path: str
    line: int | None
    side: str
    commit_sha: str
    diff_hunk: str
    start_line: int | None = None


def comment_of(repository: Repository, number: int) -> ReviewComment:
    """A review comment by id. Raises ApiError 404."""
    found = repository.review_comments.get(number)
    if found is None:
        raise not_found()
    return found


def place_in_diff(pull: PullRequest, wish: Mapping[str, object]) -> Place:
    """Where the API's request wants its comment: a line within a hunk of the diff. Raises ApiError 422. Reads git."""
    path, commit = wish.get("path"), wish.get("commit_id")
    if not isinstance(path, str) or not path:
        raise missing_field(_RESOURCE, "path")
    if not isinstance(commit, str) or not commit:
        raise missing_field(_RESOURCE, "commit_id")
    if commit not in {pull.head_sha, *(made.sha for made in pull.commits)}:
        raise unprocessable(_RESOURCE, "commit_id is not part of the pull request", field="commit_id")
    file = _changed_file(pull, path)
    if wish.get("subject_type") == "file":
        return Place(path, None, "RIGHT", commit, "")
    line, side = wish.get("line"), wish.get("side", "RIGHT")
    if isinstance(line, bool) or not isinstance(line, int):
        raise missing_field(_RESOURCE, "line")
    if side not in _SIDES:
        raise invalid(_RESOURCE, "side")
    hunk = patch_lines.hunk_up_to(file.patch, str(side), line)
    if not hunk:
        field = f"{_THREAD}.line"
        raise unprocessable(_RESOURCE, f"{field} must be part of the diff", field=field)
    return Place(path, line, str(side), commit, hunk, _checked_start(wish, line))


def place_at_head(pull: PullRequest, path: str, line: int) -> Place:
    """Where a person comments: any line the changed file has at the head, as the web page unfolds it.

    Raises ApiError 422. Reads git.
    """
    file = _changed_file(pull, path)
    lines = patch_lines.text_lines(_text(pull.repository.git, pull.head_sha, path) or "")
    if not 1 <= line <= len(lines):
        field = f"{_THREAD}.line"
        raise unprocessable(_RESOURCE, f"{field} must be part of the file", field=field)
    hunk = patch_lines.hunk_up_to(file.patch, "RIGHT", line)
    if not hunk:
        hunk = f"@@ -{line},1 +{line},1 @@\n {lines[line - 1]}"
    return Place(path, line, "RIGHT", pull.head_sha, hunk)


def _changed_file(pull: PullRequest, path: str) -> ChangedFile:
    for file in pull.changed_files:
        if file.path == path:
            return file
    raise invalid(_RESOURCE, "path")


def _checked_start(wish: Mapping[str, object], line: int) -> int | None:
    start = wish.get("start_line")
    if start is None:
        return None
    if isinstance(start, bool) or not isinstance(start, int) or start >= line:
        field = f"{_THREAD}.start_line"
        raise unprocessable(_RESOURCE, f"{field} must precede the end line.", field=field)
    return start


def _text(git: GitRepository, commit: str, path: str) -> str | None:
    found = git_history.path_at(git, commit, path)
    if found is None or found.kind != "blob":
        return None
    return git_history.blob(git, found.sha).decode(errors="replace")


def add(state: State, pull: PullRequest, place: Place, body: object, author: tuple[User, App | None]) -> ReviewComment:
    """Begin a thread. Raises ApiError: 403 when the conversation is locked, 422 for the text."""
    user, via_app = author
    refuse_locked(state, pull.issue, user)
    comment = ReviewComment(
        pull=pull,
        id=state.new_id(),
        review_id=state.new_id(),
        body=checked_body(body, _RESOURCE, required=True) or "",
        user=user,
        path=place.path,
        line=place.line,
        side=place.side,
        commit_sha=place.commit_sha,
        diff_hunk=place.diff_hunk,
        original_line=place.line,
        original_commit_sha=place.commit_sha,
        start_line=place.start_line,
        via_app=via_app,
    )
    return _keep(state, comment)


def reply(state: State, to: ReviewComment, body: object, author: tuple[User, App | None]) -> ReviewComment:
    """Answer in a thread. Raises ApiError: 403 when locked, 422 for the text or a reply to a reply."""
    user, via_app = author
    if to.in_reply_to is not None:
        raise invalid(_RESOURCE, "in_reply_to")
    refuse_locked(state, to.issue, user)
    comment = ReviewComment(
        pull=to.pull,
        id=state.new_id(),
        review_id=state.new_id(),
        body=checked_body(body, _RESOURCE, required=True) or "",
        user=user,
        path=to.path,
        line=to.line,
        side=to.side,
        commit_sha=to.commit_sha,
        diff_hunk=to.diff_hunk,
        original_line=to.original_line,
        original_commit_sha=to.original_commit_sha,
        start_line=to.start_line,
        in_reply_to=to,
        via_app=via_app,
    )
    return _keep(state, comment)


def _keep(state: State, comment: ReviewComment) -> ReviewComment:
    comment.repository.review_comments[comment.id] = comment
    comment.issue.updated_at = utc_now()
    tell_review_comment(state, comment, "created", comment.user)
    return comment


def edit(state: State, comment: ReviewComment, body: object, sender: User) -> None:
    """Change a review comment's text. Raises ApiError 422."""
    text = checked_body(body, _RESOURCE, required=True)
    before = comment.body
    comment.history.append(before)
    comment.body = text or ""
    comment.edits += 1
    comment.updated_at = utc_now()
    tell_review_comment(state, comment, "edited", sender, {"changes": {"body": {"from": before}}})


def delete(state: State, comment: ReviewComment, sender: User) -> None:
    """Remove a review comment; the oldest of its replies then begins the thread."""
    del comment.repository.review_comments[comment.id]
    heirs = comment.replies
    for heir in heirs:
        heir.in_reply_to = heirs[0] if heir is not heirs[0] else None
    tell_review_comment(state, comment, "deleted", sender)


def move_along(pull: PullRequest) -> None:
    """After a push: comments follow their lines to the new head, or become outdated. Reads git."""
    for comment in pull.review_comments:
        if comment.line is None or comment.side == "LEFT":
            continue
        git = pull.repository.git
        before, after = _text(git, comment.commit_sha, comment.path), _text(git, pull.head_sha, comment.path)
        comment.line = patch_lines.follow(before or "", after or "", comment.line)
        if comment.line is not None:
            comment.commit_sha = pull.head_sha


# Whom a review is asked of


def request(state: State, pull: PullRequest, people: object, teams: object, sender: User) -> None:
    """Ask people (logins) and teams (slugs) for a review, one event each. Raises ApiError 422 and then asks nobody."""
    wanted = _reviewers(state, pull, people), _teams(state, pull, teams)
    for account in wanted[0]:
        if account not in pull.requested_reviewers:
            pull.requested_reviewers.append(account)
            shown = representation.user(state.urls, account)
            tell_pull(state, pull, "review_requested", sender, {"requested_reviewer": shown})
    for team in wanted[1]:
        if team not in pull.requested_teams:
            pull.requested_teams.append(team)
            shown = representation_code.team(state.urls, team)
            tell_pull(state, pull, "review_requested", sender, {"requested_team": shown})
    pull.issue.updated_at = utc_now()


def take_back(state: State, pull: PullRequest, people: object, teams: object, sender: User) -> None:
    """Ask people and teams no more. Raises ApiError 422."""
    for account in _reviewers(state, pull, people):
        if account in pull.requested_reviewers:
            pull.requested_reviewers.remove(account)
            shown = representation.user(state.urls, account)
            tell_pull(state, pull, "review_request_removed", sender, {"requested_reviewer": shown})
    for team in _teams(state, pull, teams):
        if team in pull.requested_teams:
            pull.requested_teams.remove(team)
            shown = representation_code.team(state.urls, team)
            tell_pull(state, pull, "review_request_removed", sender, {"requested_team": shown})
    pull.issue.updated_at = utc_now()


def _names(wished: object) -> list[str]:
    if wished is None:
        return []
    if not isinstance(wished, list) or not all(isinstance(name, str) for name in wished):
        raise ApiError(422, "Invalid request.\n\nFor 'properties/reviewers', the value is not an array of strings.")
    return list(wished)


def _reviewers(state: State, pull: PullRequest, wished: object) -> list[User]:
    found = []
    for login in _names(wished):
        account = state.users.get(login.lower())
        if account is pull.issue.user:
            raise ApiError(422, "Review cannot be requested from pull request author.")
        if account is None or account.type != "User" or not assignable(state, pull.repository, account):
            raise _no_collaborator(pull)
        found.append(account)
    return found


def _teams(state: State, pull: PullRequest, wished: object) -> list[Team]:
    known = {
        team.slug.lower(): team
        for team in state.teams
        if team.organization is pull.repository.owner and pull.repository in team.repositories
    }
    slugs = [slug.lower() for slug in _names(wished)]
    if any(slug not in known for slug in slugs):
        raise _no_collaborator(pull)
    return [known[slug] for slug in slugs]


def _no_collaborator(pull: PullRequest) -> ApiError:
    sentence = (
        "Reviews may only be requested from collaborators. One or more of the users or teams you specified is not a "
        f"collaborator of the {pull.repository.full_name} repository."
    )
    return ApiError(422, sentence)
