"""What is told to Apps by webhook, event by event.

https://docs.github.com/en/webhooks/webhook-events-and-payloads . A payload is only made when somebody asked for it,
since some of them read git.
"""

from __future__ import annotations

from collections.abc import Mapping

from localhub import git_history, representation, representation_checks, representation_code, representation_reviews
from localhub.git_repository import ZERO
from localhub.model import (
    CheckRun,
    CheckSuite,
    Comment,
    Issue,
    PullRequest,
    Repository,
    ReviewComment,
    TimelineEvent,
    User,
)
from localhub.representation import Json
from localhub.state import State

_COMMITS_IN_PUSH = 20
_DETAILS = {
    "label": "name",
    "assignee": "login",
    "requested_reviewer": "login",
    "requested_team": "name",
    "after": "",
}


def tell_issue(state: State, issue: Issue, action: str, sender: User, more: Mapping[str, object] | None = None) -> None:
    """``issues``: of an issue that is no pull request."""
    _remember(issue, action, sender, more or {})
    if not state.webhooks.wanted("issues", issue.repository):
        return
    extra = {"issue": representation.issue(state.urls, issue), **(more or {})}
    state.webhooks.emit("issues", action, issue.repository, sender, extra)


def tell_pull(
    state: State, pull: PullRequest, action: str, sender: User, more: Mapping[str, object] | None = None
) -> None:
    """``pull_request``."""
    _remember(pull.issue, action, sender, more or {})
    if not state.webhooks.wanted("pull_request", pull.repository):
        return
    shown = representation_code.full_pull_request(state.urls, pull)
    # GitHub works this out later, and says null until then.
    shown["mergeable"] = shown["rebaseable"] = None
    extra = {"number": pull.number, "pull_request": shown, **(more or {})}
    state.webhooks.emit("pull_request", action, pull.repository, sender, extra)


def tell_either(
    state: State, issue: Issue, action: str, sender: User, more: Mapping[str, object] | None = None
) -> None:
    """``pull_request`` for the conversation of one, else ``issues``."""
    if issue.pull is not None:
        tell_pull(state, issue.pull, action, sender, more)
    else:
        tell_issue(state, issue, action, sender, more)


def _remember(issue: Issue, action: str, sender: User, more: Mapping[str, object]) -> None:
    """Keep what the page of the issue shows between the comments."""
    kind, detail = action, ""
    for name, key in _DETAILS.items():
        match more.get(name):
            case str(commit):
                detail = commit
            case {**members} if key in members:
                detail = str(members[key])
    match more.get("changes"):
        case {"title": {"from": str(before)}}:
            kind, detail = "renamed", before
    if action == "closed" and issue.pull is not None and issue.pull.merged:
        kind, detail = "merged", issue.pull.merge_commit_sha or ""
    issue.timeline.append(TimelineEvent(kind, sender, detail))


def tell_comment(
    state: State, comment: Comment, action: str, sender: User, more: Mapping[str, object] | None = None
) -> None:
    """``issue_comment``: on an issue or a pull request."""
    extra = {
        **(more or {}),
        "issue": representation.issue(state.urls, comment.issue),
        "comment": representation.comment(state.urls, comment),
    }
    state.webhooks.emit("issue_comment", action, comment.repository, sender, extra)


def tell_review_comment(
    state: State, comment: ReviewComment, action: str, sender: User, more: Mapping[str, object] | None = None
) -> None:
    """``pull_request_review_comment``."""
    extra = {
        **(more or {}),
        "pull_request": representation_code.pull_request(state.urls, comment.pull),
        "comment": representation_reviews.review_comment(state.urls, comment),
    }
    state.webhooks.emit("pull_request_review_comment", action, comment.repository, sender, extra)


def tell_check_run(
    state: State, run: CheckRun, action: str, sender: User, more: Mapping[str, object] | None = None
) -> None:
    """``check_run`` ``created`` and ``completed`` go to everybody who asked; the rest only to the App that made it."""
    extra = {"check_run": representation_checks.check_run(state.urls, run, event=True), **(more or {})}
    if action in {"created", "completed"}:
        state.webhooks.emit("check_run", action, run.repository, sender, extra)
    else:
        state.webhooks.emit_to_app(run.app, "check_run", action, sender, extra, run.repository)


def tell_check_suite(state: State, suite: CheckSuite, action: str, sender: User) -> None:
    """``check_suite`` ``completed`` goes to everybody who asked; the rest only to the App that shall work."""
    extra: Json = {"check_suite": representation_checks.check_suite(state.urls, suite, event=True)}
    if action == "completed":
        state.webhooks.emit("check_suite", action, suite.repository, sender, extra)
    else:
        state.webhooks.emit_to_app(suite.app, "check_suite", action, sender, extra, suite.repository)


def tell_push(state: State, repository: Repository, name: str, moved: tuple[str, str], pusher: User) -> None:
    """``push`` of one reference (its full name) from one commit to another. Reads git when somebody asked for it."""
    if not state.webhooks.wanted("push", repository):
        return
    old, new = moved
    git = repository.git
    made = []
    if ZERO not in moved:
        made = git_history.commits(git, f"{old}..{new}", _COMMITS_IN_PUSH)[::-1]
    elif new != ZERO:
        made = git_history.commits(git, new, 1)
    head = made[-1] if made else (git_history.commits(git, new, 1)[0] if new != ZERO else None)
    base = f"{state.urls.web}/{repository.full_name}"
    extra: Json = {
        "ref": name,
        "before": old,
        "after": new,
        "base_ref": None,
        "created": old == ZERO,
        "deleted": new == ZERO,
        "forced": ZERO not in moved and git_history.merge_base(git, old, new) != old,
        "compare": f"{base}/compare/{old[:12]}...{new[:12]}",
        "commits": [representation_code.pushed_commit(state.urls, repository, each) for each in made],
        "head_commit": representation_code.pushed_commit(state.urls, repository, head) if head else None,
        "pusher": {"name": pusher.login, "email": None},
    }
    state.webhooks.emit("push", None, repository, pusher, extra)
