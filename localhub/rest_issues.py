"""REST: issues, comments, reactions and labels.

https://docs.github.com/en/rest/issues , https://docs.github.com/en/rest/reactions/reactions
"""

from __future__ import annotations

from datetime import UTC, datetime

from localhub import conversations, representation
from localhub.api import Answer, Call, Route
from localhub.conversations import comment_of, issue_of
from localhub.errors import ApiError, invalid
from localhub.model import Comment, Issue, utc_now

# Pull requests are issues too: the documentation takes either permission; for a plain issue only `issues` helps.
_READ = (("issues", "read"), ("pull_requests", "read"))
_WRITE = (("issues", "write"), ("pull_requests", "write"))
_ISSUES = "/repos/{owner}/{repo}/issues"
_COMMENT = f"{_ISSUES}/comments/{{comment_id}}"


def _issue(call: Call) -> Issue:
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


def _own_or(call: Call, author: object) -> None:
    """Only the author, and people with write access, may change a text. Raises ApiError 403."""
    if author is call.user:
        return
    if call.actor.token is None and call.state.may(call.repository, call.user, "write"):
        return
    raise ApiError(403, "Must have admin rights to Repository.")


def _since(call: Call) -> datetime | None:
    text = call.query("since")
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise invalid("Issue", "since") from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


async def list_issues(call: Call) -> Answer:
    state, since = call.query("state", "open"), _since(call)
    wanted = {name.lower() for name in call.query("labels").split(",") if name}
    found = [
        issue
        for issue in call.repository.issues.values()
        if state in {"all", issue.state}
        and (since is None or issue.updated_at >= since)
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
    return Answer(representation.issue(call.state.urls, _issue(call)))


async def create_issue(call: Call) -> Answer:
    call.require(("issues", "write"))
    title, body = call.sent.get("title"), call.sent.get("body")
    issue = conversations.open_issue(call.state, call.repository, title, body, call.user, call.actor.via_app)
    names = call.sent.get("labels")
    if isinstance(names, list) and (call.actor.token or call.state.may(call.repository, call.user, "triage")):
        conversations.add_labels(call.state, issue, names, call.user)
    return Answer(representation.issue(call.state.urls, issue), 201)


async def edit_issue(call: Call) -> Answer:
    issue = _issue(call)
    _own_or(call, issue.user) if call.actor.token is None else None
    if "title" in call.sent:
        issue.title = conversations.checked_title(call.sent["title"])
    if "body" in call.sent:
        issue.body = conversations.checked_body(call.sent["body"], "Issue")
    if "state" in call.sent:
        conversations.set_state(call.state, issue, call.sent["state"], call.user)
    issue.updated_at = utc_now()
    if {"title", "body"} & call.sent.keys() and issue.pull is None:
        conversations.tell_issue(call.state, issue, "edited", call.user)
    return Answer(representation.issue(call.state.urls, issue))


async def lock_issue(call: Call) -> Answer:
    _issue(call).locked = True
    return Answer(status=204)


async def unlock_issue(call: Call) -> Answer:
    _issue(call).locked = False
    return Answer(status=204)


def _comments_answer(call: Call, comments: list[Comment]) -> Answer:
    since = _since(call)
    shown = [
        representation.comment(call.state.urls, each)
        for each in comments
        if (since is None or each.updated_at >= since) and not call.state.faults.too_fresh(each.born)
    ]
    return call.listing(shown)


async def list_comments(call: Call) -> Answer:
    return _comments_answer(call, _issue(call).comments)


async def list_repository_comments(call: Call) -> Answer:
    comments = list(call.repository.comments.values())
    if call.query("direction") == "desc":
        comments.reverse()
    return _comments_answer(call, comments)


async def get_comment(call: Call) -> Answer:
    return Answer(representation.comment(call.state.urls, _comment(call)))


async def create_comment(call: Call) -> Answer:
    issue = _issue(call)
    body = call.sent.get("body")
    comment = conversations.add_comment(call.state, issue, body, call.user, call.actor.via_app)
    shown = representation.comment(call.state.urls, comment)
    return Answer(shown, 201, {"Location": str(shown["url"])})


async def edit_comment(call: Call) -> Answer:
    comment = _comment(call)
    _own_or(call, comment.user)
    conversations.edit_comment(call.state, comment, call.sent.get("body"), call.user)
    return Answer(representation.comment(call.state.urls, comment))


async def delete_comment(call: Call) -> Answer:
    comment = _comment(call)
    _own_or(call, comment.user)
    conversations.delete_comment(call.state, comment, call.user)
    return Answer(status=204)


async def list_issue_reactions(call: Call) -> Answer:
    return call.listing([representation.reaction(call.state.urls, each) for each in _issue(call).reactions])


async def create_issue_reaction(call: Call) -> Answer:
    issue = _issue(call)
    conversations.refuse_locked(call.state, issue, call.user)
    given, new = conversations.react(call.state, issue.reactions, call.sent.get("content"), call.user)
    return Answer(representation.reaction(call.state.urls, given), 201 if new else 200)


async def delete_issue_reaction(call: Call) -> Answer:
    conversations.unreact(_issue(call).reactions, call.number("reaction_id"), call.user)
    return Answer(status=204)


async def list_comment_reactions(call: Call) -> Answer:
    given = _comment(call).reactions
    wanted = call.query("content")
    shown = [representation.reaction(call.state.urls, each) for each in given if wanted in {"", each.content}]
    return call.listing(shown)


async def create_comment_reaction(call: Call) -> Answer:
    comment = _comment(call)
    conversations.refuse_locked(call.state, comment.issue, call.user)
    given, new = conversations.react(call.state, comment.reactions, call.sent.get("content"), call.user)
    return Answer(representation.reaction(call.state.urls, given), 201 if new else 200)


async def delete_comment_reaction(call: Call) -> Answer:
    conversations.unreact(_comment(call).reactions, call.number("reaction_id"), call.user)
    return Answer(status=204)


def _labels_answer(call: Call, issue: Issue) -> Answer:
    return Answer([representation.label(call.state.urls, call.repository, each) for each in issue.labels])


async def list_issue_labels(call: Call) -> Answer:
    return _labels_answer(call, _issue(call))


async def add_issue_labels(call: Call) -> Answer:
    issue = _issue(call)
    names = call.sent.get("labels")
    conversations.add_labels(call.state, issue, names if isinstance(names, list) else [names], call.user)
    return _labels_answer(call, issue)


async def remove_issue_label(call: Call) -> Answer:
    issue = _issue(call)
    wanted = call.text("name").lower()
    if all(label.name.lower() != wanted for label in issue.labels):
        raise ApiError(404, "Label does not exist")
    issue.labels = [label for label in issue.labels if label.name.lower() != wanted]
    return _labels_answer(call, issue)


ROUTES = [
    Route("GET", _ISSUES, list_issues, _READ),
    Route("POST", _ISSUES, create_issue, _WRITE),
    Route("GET", f"{_ISSUES}/comments", list_repository_comments, _READ),
    Route("GET", _COMMENT, get_comment, _READ),
    Route("PATCH", _COMMENT, edit_comment, _WRITE),
    Route("DELETE", _COMMENT, delete_comment, _WRITE),
    Route("GET", f"{_COMMENT}/reactions", list_comment_reactions, _READ),
    Route("POST", f"{_COMMENT}/reactions", create_comment_reaction, _WRITE),
    Route("DELETE", f"{_COMMENT}/reactions/{{reaction_id}}", delete_comment_reaction, _WRITE),
    Route("GET", f"{_ISSUES}/{{issue_number}}", get_issue, _READ),
    Route("PATCH", f"{_ISSUES}/{{issue_number}}", edit_issue, _WRITE),
    Route("GET", f"{_ISSUES}/{{issue_number}}/comments", list_comments, _READ),
    Route("POST", f"{_ISSUES}/{{issue_number}}/comments", create_comment, _WRITE),
    Route("PUT", f"{_ISSUES}/{{issue_number}}/lock", lock_issue, _WRITE, "write"),
    Route("DELETE", f"{_ISSUES}/{{issue_number}}/lock", unlock_issue, _WRITE, "write"),
    Route("GET", f"{_ISSUES}/{{issue_number}}/reactions", list_issue_reactions, _READ),
    Route("POST", f"{_ISSUES}/{{issue_number}}/reactions", create_issue_reaction, _WRITE),
    Route("DELETE", f"{_ISSUES}/{{issue_number}}/reactions/{{reaction_id}}", delete_issue_reaction, _WRITE),
    Route("GET", f"{_ISSUES}/{{issue_number}}/labels", list_issue_labels, _READ),
    Route("POST", f"{_ISSUES}/{{issue_number}}/labels", add_issue_labels, _WRITE, "triage"),
    Route("DELETE", f"{_ISSUES}/{{issue_number}}/labels/{{name}}", remove_issue_label, _WRITE, "triage"),
]
