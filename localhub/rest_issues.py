"""REST: issues, their comments, and reactions on both.

https://docs.github.com/en/rest/issues , https://docs.github.com/en/rest/reactions/reactions
"""

from __future__ import annotations

from datetime import UTC, datetime

from localhub import assignees, conversations, labels, pulls, representation, rest_reactions
from localhub.api import Answer, Call, Route
from localhub.conversations import comment_of, issue_of
from localhub.errors import ApiError, invalid
from localhub.model import Comment, Issue
from localhub.rest_reactions import Reacted

# Pull requests are issues too: the documentation takes either permission; for a plain issue only `issues` helps.
_READ = (("issues", "read"), ("pull_requests", "read"))
_WRITE = (("issues", "write"), ("pull_requests", "write"))
_ISSUES = "/repos/{owner}/{repo}/issues"
_COMMENT = f"{_ISSUES}/comments/{{comment_id}}"


def asked_issue(call: Call) -> Issue:
    """The issue or pull request of the path, which the token must hold the permission for. Raises ApiError."""
    issue = issue_of(call.repository, call.number("issue_number"))
    call.fresh(issue.born)
    return _asked(call, issue)


def _comment(call: Call) -> Comment:
    comment = comment_of(call.repository, call.number("comment_id"))
    call.fresh(comment.born)
    _asked(call, comment.issue)
    return comment


def _asked(call: Call, issue: Issue) -> Issue:
    level = "read" if call.request.method == "GET" else "write"
    call.require(("issues", level), *([("pull_requests", level)] if issue.pull is not None else []))
    return issue


def own_or(call: Call, author: object) -> None:
    """Only the author, and people with write access, may change a text. Raises ApiError 403."""
    if author is call.user:
        return
    if call.actor.token is None and call.state.may(call.repository, call.user, "write"):
        return
    raise ApiError(403, "Must have admin rights to Repository.")


def since(call: Call) -> datetime | None:
    """The query parameter of that name. Raises ApiError 422."""
    text = call.query("since")
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise invalid("Issue", "since") from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


async def list_issues(call: Call) -> Answer:
    state, after = call.query("state", "open"), since(call)
    wanted = {name.lower() for name in call.query("labels").split(",") if name}
    found = [
        issue
        for issue in call.repository.issues.values()
        if state in {"all", issue.state}
        and (after is None or issue.updated_at >= after)
        and wanted <= {label.name.lower() for label in issue.labels}
        and not call.state.faults.too_fresh(issue.born)
    ]
    order = call.query("sort", "created") == "updated"
    found.sort(
        key=lambda issue: (issue.updated_at if order else issue.created_at, issue.number),
        reverse=call.query("direction", "desc") == "desc",
    )
    return call.listing([representation.issue(call.state.urls, issue) for issue in found])


async def get_issue(call: Call) -> Answer:
    return Answer(representation.issue(call.state.urls, asked_issue(call)))


def _may_triage(call: Call) -> bool:
    """True for Apps (their permission was asked for) and people who may label and assign."""
    return call.actor.token is not None or call.state.may(call.repository, call.user, "triage")


async def create_issue(call: Call) -> Answer:
    """Labels and assignees of people who may not triage are dropped without a word."""
    call.require(("issues", "write"))
    title, body = call.sent.get("title"), call.sent.get("body")
    issue = conversations.open_issue(call.state, call.repository, title, body, call.user, call.actor.via_app)
    names, logins = call.sent.get("labels"), call.sent.get("assignees")
    if isinstance(names, list) and _may_triage(call):
        labels.add(call.state, issue, names, call.user)
    if logins and _may_triage(call):
        assignees.add(call.state, issue, assignees.checked(call.state, issue, logins, strict=True), call.user)
    shown = representation.issue(call.state.urls, issue)
    return Answer(shown, 201, {"Location": str(shown["url"])})


async def edit_issue(call: Call) -> Answer:
    """Title and body, state, labels and assignees: also those of a pull request."""
    issue, sent = asked_issue(call), call.sent
    if call.actor.token is None and {"title", "body"} & sent.keys():
        own_or(call, issue.user)
    if {"labels", "assignees"} & sent.keys() and not _may_triage(call):
        raise ApiError(403, "Must have admin rights to Repository.")
    if "state" in sent and issue.user is not call.user and not _may_triage(call):
        raise ApiError(403, "Must have admin rights to Repository.")
    wanted = assignees.checked(call.state, issue, sent.get("assignees", []), strict=True)
    kept: dict[str, object] = {name: sent[name] for name in ("title", "body", "state") if name in sent}
    if issue.pull is not None:
        pulls.edit_pull(call.state, issue.pull, kept, call.user)
    else:
        conversations.edit_issue(call.state, issue, kept, call.user)
        conversations.set_state(call.state, issue, sent.get("state", issue.state), call.user)
    names = sent.get("labels")
    if isinstance(names, list):
        labels.replace(call.state, issue, names, call.user)
    if "assignees" in sent:
        assignees.replace(call.state, issue, wanted, call.user)
    return Answer(representation.issue(call.state.urls, issue))


async def lock_issue(call: Call) -> Answer:
    asked_issue(call).locked = True
    return Answer(status=204)


async def unlock_issue(call: Call) -> Answer:
    asked_issue(call).locked = False
    return Answer(status=204)


def _comments_answer(call: Call, comments: list[Comment]) -> Answer:
    after = since(call)
    shown = [
        representation.comment(call.state.urls, each)
        for each in comments
        if (after is None or each.updated_at >= after) and not call.state.faults.too_fresh(each.born)
    ]
    return call.listing(shown)


async def list_comments(call: Call) -> Answer:
    return _comments_answer(call, asked_issue(call).comments)


async def list_repository_comments(call: Call) -> Answer:
    comments = list(call.repository.comments.values())
    if call.query("direction") == "desc":
        comments.reverse()
    return _comments_answer(call, comments)


async def get_comment(call: Call) -> Answer:
    return Answer(representation.comment(call.state.urls, _comment(call)))


async def create_comment(call: Call) -> Answer:
    issue = asked_issue(call)
    body = call.sent.get("body")
    comment = conversations.add_comment(call.state, issue, body, call.user, call.actor.via_app)
    shown = representation.comment(call.state.urls, comment)
    return Answer(shown, 201, {"Location": str(shown["url"])})


async def edit_comment(call: Call) -> Answer:
    comment = _comment(call)
    own_or(call, comment.user)
    conversations.edit_comment(call.state, comment, call.sent.get("body"), call.user)
    return Answer(representation.comment(call.state.urls, comment))


async def delete_comment(call: Call) -> Answer:
    comment = _comment(call)
    own_or(call, comment.user)
    conversations.delete_comment(call.state, comment, call.user)
    return Answer(status=204)


def _on_issue(call: Call) -> Reacted:
    issue = asked_issue(call)
    return Reacted(issue, issue.reactions)


def _on_comment(call: Call) -> Reacted:
    comment = _comment(call)
    return Reacted(comment.issue, comment.reactions)


ROUTES = [
    Route("GET", _ISSUES, list_issues, _READ),
    Route("POST", _ISSUES, create_issue, _WRITE),
    Route("GET", f"{_ISSUES}/comments", list_repository_comments, _READ),
    Route("GET", _COMMENT, get_comment, _READ),
    Route("PATCH", _COMMENT, edit_comment, _WRITE),
    Route("DELETE", _COMMENT, delete_comment, _WRITE),
    *rest_reactions.routes(_COMMENT, _on_comment, _READ, _WRITE),
    Route("GET", f"{_ISSUES}/{{issue_number}}", get_issue, _READ),
    Route("PATCH", f"{_ISSUES}/{{issue_number}}", edit_issue, _WRITE),
    Route("GET", f"{_ISSUES}/{{issue_number}}/comments", list_comments, _READ),
    Route("POST", f"{_ISSUES}/{{issue_number}}/comments", create_comment, _WRITE),
    Route("PUT", f"{_ISSUES}/{{issue_number}}/lock", lock_issue, _WRITE, "write"),
    Route("DELETE", f"{_ISSUES}/{{issue_number}}/lock", unlock_issue, _WRITE, "write"),
    *rest_reactions.routes(f"{_ISSUES}/{{issue_number}}", _on_issue, _READ, _WRITE),
]
