"""From GitHub's JSON to an event. Only what is read later is parsed, and that strictly
(https://docs.github.com/en/webhooks/webhook-events-and-payloads).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from hashlib import sha256
from typing import TypedDict, get_args

from bot.events.fields import LOGIN, NODE_ID, PATH, SHA, SLUG, Fields, MalformedPayload
from bot.events.model import (
    Assigned,
    ButtonPressed,
    CheckRerequested,
    CommentPosted,
    Event,
    IssueState,
    Labeled,
    PullRequestAction,
    PullRequestChanged,
    ReviewCommentPosted,
    Side,
    SuiteRerequested,
)

LONGEST_BODY = 131_072
"""Characters. GitHub's own limit of a comment is 65,536; an Enterprise server may allow more."""

LONGEST_TOGETHER = 170_000
"""Characters of a comment and its issue's body. JSON may need 12 bytes for one; the delivery row holds 2 MiB."""

LONGEST_TITLE = 256
LONGEST_NAME = 255
LONGEST_PATH = 4096
MOST_PULL_REQUESTS = 100


class _Common(TypedDict):
    """The fields that all events share."""

    installation_id: int
    repository: str
    repository_id: int
    private: bool
    archived: bool
    default_branch: str
    actor: str
    actor_id: int
    actor_is_person: bool
    happened_at: datetime | None


class _Unnumbered(_Common):
    """And those that events without an id of their own have besides."""

    digest: str


class _Issue(TypedDict):
    """What events about an issue or a pull request tell of it."""

    issue_number: int
    on_pull_request: bool
    issue_title: str
    issue_body: str
    issue_state: IssueState


def parse_event(event_name: str, payload: object) -> Event | None:
    """Read one delivery.

    ``event_name`` is the ``X-GitHub-Event`` header, ``payload`` the decoded JSON. Returns None for everything this
    version does not act on: other events and actions, an account that was deleted, a repository webhook (which has no
    installation). Raises MalformedPayload.
    """
    fields = Fields(payload)
    reader = _READERS.get(event_name)
    return None if reader is None else reader(fields)


def _comment(fields: Fields) -> Event | None:
    action = fields.text("action", 64)
    comment, issue = fields.object("comment"), fields.object("issue")
    repository = fields.object("repository")
    if action != "created" or not (fields.has("installation") and fields.has("sender") and comment.has("user")):
        return None
    body = comment.text("body", LONGEST_BODY)
    return CommentPosted(
        **_written(fields, repository, comment),
        **_issue(issue, issue.has("pull_request"), LONGEST_TOGETHER - len(body)),
        comment_id=comment.id("id"),
        comment_node_id=comment.name("node_id", NODE_ID) if comment.has("node_id") else None,
        body=body,
    )


def _review_comment(fields: Fields) -> Event | None:
    action = fields.text("action", 64)
    comment, pull = fields.object("comment"), fields.object("pull_request")
    repository = fields.object("repository")
    if action != "created" or not (fields.has("installation") and fields.has("sender") and comment.has("user")):
        return None
    line = next((key for key in ("line", "original_line") if comment.has(key)), None)
    return ReviewCommentPosted(
        **_written(fields, repository, comment),
        pull_number=pull.number("number"),
        pull_title=pull.text("title", LONGEST_BODY)[:LONGEST_TITLE],
        head_branch=pull.object("head").text("ref", LONGEST_NAME),
        comment_id=comment.id("id"),
        body=comment.text("body", LONGEST_BODY),
        path=_path(comment),
        line=comment.number(line) if line else None,
        side=comment.one_of("side", get_args(Side), "RIGHT"),
        commit_id=comment.name("commit_id", SHA),
        in_reply_to=comment.id("in_reply_to_id") if comment.has("in_reply_to_id") else None,
    )


def _issue_event(fields: Fields) -> Event | None:
    if not _acts(fields, {"labeled", "assigned"}):
        return None
    return _marked(fields, fields.object("issue"), on_pull_request=False)


def _pull_request_event(fields: Fields) -> Event | None:
    changes: tuple[PullRequestAction, ...] = get_args(PullRequestAction)
    if not _acts(fields, {"labeled", "assigned", *changes}):
        return None
    pull = fields.object("pull_request")
    for action in changes:
        if action == fields.get("action"):
            return _changed(fields, pull, action)
    return _marked(fields, pull, on_pull_request=True)


def _marked(fields: Fields, issue: Fields, *, on_pull_request: bool) -> Event | None:
    """A label was put on it, or it was assigned to somebody. The label or the account may be gone since."""
    common = _sent(fields, issue.time("updated_at"))
    about = _issue(issue, on_pull_request, LONGEST_BODY)
    if fields.get("action") == "labeled":
        if not fields.has("label"):
            return None
        return Labeled(**common, **about, label=fields.object("label").text("name", LONGEST_NAME))
    if not fields.has("assignee"):
        return None
    assignee = fields.object("assignee")
    return Assigned(**common, **about, assignee=assignee.name("login", LOGIN), assignee_id=assignee.id("id"))


def _changed(fields: Fields, pull: Fields, action: PullRequestAction) -> Event:
    head = pull.object("head")
    own = head.has("repo") and head.object("repo").id("id") == fields.object("repository").id("id")
    return PullRequestChanged(
        **_sent(fields, pull.time("updated_at")),
        action=action,
        number=pull.number("number"),
        head_branch=head.text("ref", LONGEST_NAME),
        head_sha=head.name("sha", SHA),
        base_branch=pull.object("base").text("ref", LONGEST_NAME),
        merged=pull.has("merged_at"),
        from_fork=not own,
    )


def _check_run_event(fields: Fields) -> Event | None:
    if not _acts(fields, {"requested_action", "rerequested"}):
        return None
    check = fields.object("check_run")
    if not check.has("app"):
        return None
    # The payload has no time of the press: those in it are of the check run, which may be old.
    common = _sent(fields, None)
    app_id, check_run_id, head_sha = check.object("app").id("id"), check.id("id"), check.name("head_sha", SHA)
    external_id, pull_numbers = check.prose("external_id", LONGEST_NAME), _pull_numbers(fields, check)
    if fields.get("action") == "rerequested":
        return CheckRerequested(
            **common,
            app_id=app_id,
            check_run_id=check_run_id,
            external_id=external_id,
            head_sha=head_sha,
            pull_numbers=pull_numbers,
        )
    return ButtonPressed(
        **common,
        app_id=app_id,
        identifier=fields.object("requested_action").text("identifier", LONGEST_NAME),
        check_run_id=check_run_id,
        external_id=external_id,
        head_sha=head_sha,
        pull_numbers=pull_numbers,
    )


def _check_suite_event(fields: Fields) -> Event | None:
    if not _acts(fields, {"rerequested"}):
        return None
    suite = fields.object("check_suite")
    if not suite.has("app"):
        return None
    return SuiteRerequested(
        **_sent(fields, None),
        app_id=suite.object("app").id("id"),
        head_sha=suite.name("head_sha", SHA),
        head_branch=suite.text("head_branch", LONGEST_NAME) if suite.has("head_branch") else None,
        pull_numbers=_pull_numbers(fields, suite),
    )


_READERS: Mapping[str, Callable[[Fields], Event | None]] = {
    "issue_comment": _comment,
    "pull_request_review_comment": _review_comment,
    "issues": _issue_event,
    "pull_request": _pull_request_event,
    "check_run": _check_run_event,
    "check_suite": _check_suite_event,
}


def _acts(fields: Fields, actions: set[str]) -> bool:
    """Tell whether it is one of these actions, by an account that is there, told to an App."""
    return fields.text("action", 64) in actions and fields.has("installation") and fields.has("sender")


def _written(fields: Fields, repository: Fields, comment: Fields) -> _Common:
    author, sender = comment.object("user"), fields.object("sender")
    by_hand = _is_user(author) and _is_user(sender) and author.get("id") == sender.get("id")
    common = _common(fields, repository, author, comment.time("created_at"))
    common["actor_is_person"] = by_hand and not comment.has("performed_via_github_app")
    return common


def _sent(fields: Fields, happened_at: datetime | None) -> _Unnumbered:
    common = _common(fields, fields.object("repository"), fields.object("sender"), happened_at)
    return {**common, "digest": _digest(fields)}


def _common(fields: Fields, repository: Fields, actor: Fields, happened_at: datetime | None) -> _Common:
    return {
        "installation_id": fields.object("installation").id("id"),
        "repository": repository.name("full_name", SLUG),
        "repository_id": repository.id("id"),
        "private": repository.flag("private"),
        "archived": repository.flag("archived"),
        "default_branch": repository.text("default_branch", LONGEST_NAME),
        "actor": actor.name("login", LOGIN),
        "actor_id": actor.id("id"),
        "actor_is_person": _is_user(actor),
        "happened_at": happened_at,
    }


def _is_user(account: Fields) -> bool:
    return account.get("type") == "User" and not str(account.get("login")).endswith("[bot]")


def _issue(issue: Fields, on_pull_request: bool, longest_body: int) -> _Issue:
    return {
        "issue_number": issue.number("number"),
        "on_pull_request": on_pull_request,
        "issue_title": issue.text("title", LONGEST_BODY)[:LONGEST_TITLE],
        "issue_body": issue.prose("body", min(longest_body, LONGEST_BODY)),
        "issue_state": issue.one_of("state", get_args(IssueState), "open"),
    }


def _path(comment: Fields) -> str:
    comment.text("path", LONGEST_PATH)
    return comment.name("path", PATH)


def _pull_numbers(fields: Fields, check: Fields) -> tuple[int, ...]:
    """Of this repository only: a commit that forks share may be the head of pull requests of theirs."""
    repository_id = fields.object("repository").id("id")
    return tuple(
        pull.number("number")
        for pull in check.objects("pull_requests", MOST_PULL_REQUESTS)
        if pull.object("base").object("repo").id("id") == repository_id
    )


def _digest(fields: Fields) -> str:
    """The same for the same bytes: their order is kept when they are read and when they are written again."""
    try:
        return sha256(json.dumps(fields.values, check_circular=False).encode()).hexdigest()
    except (ValueError, TypeError, RecursionError):
        raise MalformedPayload("the payload is not the JSON GitHub sends") from None
