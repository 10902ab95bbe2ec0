"""Issues, comments and reactions: what may be changed by whom is decided before; here it happens and is told.

https://docs.github.com/en/rest/issues/comments , https://docs.github.com/en/rest/reactions/reactions
"""

from __future__ import annotations

from collections.abc import Mapping

from localhub import representation
from localhub.announcements import tell_comment, tell_issue
from localhub.errors import ApiError, invalid, missing_field, not_found, unprocessable
from localhub.model import App, Comment, Issue, Reaction, Repository, ReviewComment, User, utc_now
from localhub.state import State

BODY_LIMIT = 65_536
_TITLE_LIMIT = 256
CLASSIFIERS = ("SPAM", "ABUSE", "OFF_TOPIC", "OUTDATED", "DUPLICATE", "RESOLVED", "LOW_QUALITY")
"""Why a comment may be minimized: GraphQL's ReportedContentClassifiers."""


def next_number(repository: Repository) -> int:
    """The number the next issue or pull request gets; those of deleted ones are not used again."""
    return max(*repository.issues, *repository.deleted_issues, 0, 0) + 1


def checked_title(title: object, resource: str = "Issue") -> str:
    """A title GitHub takes. Raises ApiError 422."""
    if not isinstance(title, str) or not title.strip():
        raise missing_field(resource, "title")
    if len(title) > _TITLE_LIMIT:
        raise unprocessable(
            resource, f"title is too long (maximum is {_TITLE_LIMIT} characters)", field="title", code="custom"
        )
    return title


def checked_body(body: object, resource: str, *, required: bool = False) -> str | None:
    """A text GitHub takes, at most 65,536 characters. Raises ApiError 422."""
    if body is None and not required:
        return None
    if not isinstance(body, str):
        raise missing_field(resource, "body") if body is None else invalid(resource, "body")
    if required and not body.strip():
        raise unprocessable(resource, "Body cannot be blank", field="data", code="unprocessable")
    if len(body) > BODY_LIMIT:
        sentence = f"Body is too long (maximum is {BODY_LIMIT} characters)"
        raise unprocessable(resource, sentence, field="data", code="unprocessable")
    return body


def open_issue(
    state: State, repository: Repository, title: object, body: object, user: User, via_app: App | None = None
) -> Issue:
    """Open an issue. Raises ApiError."""
    issue = Issue(
        repository=repository,
        id=state.new_id(),
        number=next_number(repository),
        title=checked_title(title),
        body=checked_body(body, "Issue"),
        user=user,
        via_app=via_app,
    )
    repository.issues[issue.number] = issue
    tell_issue(state, issue, "opened", user)
    return issue


def edit_issue(state: State, issue: Issue, wish: Mapping[str, object], sender: User) -> None:
    """Change the title or body of an issue that is no pull request. Raises ApiError 422."""
    title = checked_title(wish["title"]) if "title" in wish else issue.title
    body = checked_body(wish["body"], "Issue") if "body" in wish else issue.body
    changes = text_changes(issue, title, body)
    issue.title, issue.body = title, body
    issue.updated_at = utc_now()
    if changes:
        tell_issue(state, issue, "edited", sender, {"changes": changes})


def text_changes(issue: Issue, title: str, body: str | None) -> dict[str, object]:
    """What an ``edited`` event says was before: only what differs."""
    before = {"title": (issue.title, title), "body": (issue.body, body)}
    return {name: {"from": old or ""} for name, (old, new) in before.items() if old != new}


def set_state(state: State, issue: Issue, to: object, sender: User) -> None:
    """Close or reopen an issue. Raises ApiError 422."""
    if to not in {"open", "closed"}:
        raise invalid("Issue", "state")
    if to == issue.state:
        return
    issue.state = str(to)
    issue.closed_at = utc_now() if to == "closed" else None
    issue.closed_by = sender if to == "closed" else None
    issue.state_reason = "completed" if to == "closed" else "reopened"
    issue.updated_at = utc_now()
    if issue.pull is None:
        tell_issue(state, issue, "closed" if to == "closed" else "reopened", sender)


def delete_issue(state: State, issue: Issue, sender: User) -> None:
    """Take an issue away with its comments, as an administrator may."""
    repository = issue.repository
    for comment in issue.comments:
        del repository.comments[comment.id]
    del repository.issues[issue.number]
    repository.deleted_issues.add(issue.number)
    tell_issue(state, issue, "deleted", sender)


def issue_of(repository: Repository, number: int) -> Issue:
    """An issue or pull request by number. Raises ApiError 404, or 410 when it was deleted."""
    if number in repository.deleted_issues:
        raise ApiError(410, "This issue was deleted")
    found = repository.issues.get(number)
    if found is None:
        raise not_found()
    return found


def comment_of(repository: Repository, number: int) -> Comment:
    """A comment by id. Raises ApiError 404."""
    found = repository.comments.get(number)
    if found is None:
        raise not_found()
    return found


def add_comment(state: State, issue: Issue, body: object, user: User, via_app: App | None = None) -> Comment:
    """Write a comment. Raises ApiError: 403 when the conversation is locked, 422 for the text."""
    refuse_locked(state, issue, user)
    text = checked_body(body, "IssueComment", required=True)
    comment = Comment(issue=issue, id=state.new_id(), body=text or "", user=user, via_app=via_app)
    issue.repository.comments[comment.id] = comment
    issue.updated_at = utc_now()
    tell_comment(state, comment, "created", user)
    return comment


def refuse_locked(state: State, issue: Issue, user: User) -> None:
    """Raise ApiError 403 when the conversation is locked and the account may not write there."""
    if issue.locked and (user.type == "Bot" or not state.may(issue.repository, user, "write")):
        raise ApiError(403, "Unable to create comment because issue is locked.")


def edit_comment(state: State, comment: Comment, body: object, sender: User) -> None:
    """Change a comment's text. Raises ApiError 422."""
    text = checked_body(body, "IssueComment", required=True)
    before = comment.body
    comment.history.append(before)
    comment.body = text or ""
    comment.edits += 1
    comment.updated_at = utc_now()
    tell_comment(state, comment, "edited", sender, {"changes": {"body": {"from": before}}})


def delete_comment(state: State, comment: Comment, sender: User) -> None:
    """Remove a comment."""
    del comment.issue.repository.comments[comment.id]
    tell_comment(state, comment, "deleted", sender)


def minimize(comment: Comment | ReviewComment, classifier: str) -> None:
    """Fold a comment away. ``classifier`` is one of CLASSIFIERS. Raises ApiError 422."""
    if classifier not in CLASSIFIERS:
        raise invalid("IssueComment", "classifier")
    comment.minimized = classifier.lower().replace("_", "-")


def unminimize(comment: Comment | ReviewComment) -> None:
    """Show a comment again."""
    comment.minimized = None


def react(state: State, reactions: list[Reaction], content: object, user: User) -> tuple[Reaction, bool]:
    """Add a reaction; return it and whether it is new. Raises ApiError 422 for a content GitHub has not."""
    if content not in representation.REACTIONS:
        raise invalid("Reaction", "content")
    for given in reactions:
        if given.user is user and given.content == content:
            return given, False
    reaction = Reaction(state.new_id(), str(content), user, utc_now())
    reactions.append(reaction)
    return reaction, True


def unreact(reactions: list[Reaction], number: int, user: User) -> None:
    """Take one's own reaction back. Raises ApiError 404."""
    for given in reactions:
        if given.id == number and given.user is user:
            reactions.remove(given)
            return
    raise not_found()
