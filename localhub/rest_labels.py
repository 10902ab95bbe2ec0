"""REST: labels, and who issues are assigned to.

https://docs.github.com/en/rest/issues/labels , https://docs.github.com/en/rest/issues/assignees
"""

from __future__ import annotations

from localhub import assignees, labels, representation
from localhub.api import Answer, Call, Route
from localhub.errors import invalid, not_found
from localhub.model import Issue
from localhub.rest_issues import asked_issue

_READ = (("issues", "read"), ("pull_requests", "read"))
_WRITE = (("issues", "write"), ("pull_requests", "write"))
_REPO = "/repos/{owner}/{repo}"
_ISSUE = f"{_REPO}/issues/{{issue_number}}"


def _answer(call: Call, issue: Issue) -> Answer:
    return Answer([representation.label(call.state.urls, call.repository, each) for each in issue.labels])


def _sent_labels(call: Call) -> list[object]:
    """The labels of a request: an array, or an object that holds one. Raises ApiError 422."""
    sent = call.sent.get("labels", [])
    if not isinstance(sent, list):
        raise invalid("Label", "labels")
    return sent


async def list_labels(call: Call) -> Answer:
    urls, repository = call.state.urls, call.repository
    return call.listing([representation.label(urls, repository, each) for each in repository.labels.values()])


async def create_label(call: Call) -> Answer:
    made = labels.create(call.state, call.repository, call.sent)
    shown = representation.label(call.state.urls, call.repository, made)
    return Answer(shown, 201, {"Location": str(shown["url"])})


async def get_label(call: Call) -> Answer:
    found = labels.label_of(call.repository, call.text("name"))
    return Answer(representation.label(call.state.urls, call.repository, found))


async def list_issue_labels(call: Call) -> Answer:
    urls, repository = call.state.urls, call.repository
    return call.listing([representation.label(urls, repository, each) for each in asked_issue(call).labels])


async def add_issue_labels(call: Call) -> Answer:
    issue = asked_issue(call)
    labels.add(call.state, issue, _sent_labels(call), call.user)
    return _answer(call, issue)


async def replace_issue_labels(call: Call) -> Answer:
    issue = asked_issue(call)
    labels.replace(call.state, issue, _sent_labels(call), call.user)
    return _answer(call, issue)


async def remove_issue_label(call: Call) -> Answer:
    issue = asked_issue(call)
    labels.remove(call.state, issue, call.text("name"), call.user)
    return _answer(call, issue)


async def remove_issue_labels(call: Call) -> Answer:
    labels.replace(call.state, asked_issue(call), [], call.user)
    return Answer(status=204)


async def list_assignees(call: Call) -> Answer:
    found = [each for each in call.state.users.values() if assignees.assignable(call.state, call.repository, each)]
    return call.listing([representation.user(call.state.urls, each) for each in found])


async def check_assignee(call: Call) -> Answer:
    account = call.state.user(call.text("login"))
    if not assignees.assignable(call.state, call.repository, account):
        raise not_found()
    return Answer(status=204)


async def add_assignees(call: Call) -> Answer:
    """Logins that cannot be assigned are passed over without a word."""
    issue = asked_issue(call)
    wanted = assignees.checked(call.state, issue, call.sent.get("assignees", []), strict=False)
    assignees.add(call.state, issue, wanted, call.user)
    return Answer(representation.issue(call.state.urls, issue), 201)


async def remove_assignees(call: Call) -> Answer:
    issue = asked_issue(call)
    wanted = assignees.checked(call.state, issue, call.sent.get("assignees", []), strict=False)
    assignees.remove(call.state, issue, wanted, call.user)
    return Answer(representation.issue(call.state.urls, issue))


ROUTES = [
    Route("GET", f"{_REPO}/labels", list_labels, _READ),
    Route("POST", f"{_REPO}/labels", create_label, _WRITE, "write"),
    Route("GET", f"{_REPO}/labels/{{name}}", get_label, _READ),
    Route("GET", f"{_ISSUE}/labels", list_issue_labels, _READ),
    Route("POST", f"{_ISSUE}/labels", add_issue_labels, _WRITE, "triage"),
    Route("PUT", f"{_ISSUE}/labels", replace_issue_labels, _WRITE, "triage"),
    Route("DELETE", f"{_ISSUE}/labels", remove_issue_labels, _WRITE, "triage"),
    Route("DELETE", f"{_ISSUE}/labels/{{name}}", remove_issue_label, _WRITE, "triage"),
    Route("GET", f"{_REPO}/assignees", list_assignees, _READ),
    Route("GET", f"{_REPO}/assignees/{{login}}", check_assignee, _READ),
    Route("POST", f"{_ISSUE}/assignees", add_assignees, _WRITE, "triage"),
    Route("DELETE", f"{_ISSUE}/assignees", remove_assignees, _WRITE, "triage"),
]
