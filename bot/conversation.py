"""Where somebody asked for something: the issue or pull request, what it says, and who spoke. Made from an event."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256

from bot.commands.model import Place
from bot.events import (
    Assigned,
    ButtonPressed,
    CheckRerequested,
    CommentPosted,
    Labeled,
    ReviewCommentPosted,
    SuiteRerequested,
)
from db.models import SpecAutomationRun
from db.types import JsonObject
from db.vocabulary import Trigger


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """One occasion to ask, and where the answer goes.

    ``key`` is the same for every delivery of what was said once; a run is known by it and its place among the commands.
    ``comment_id`` is the comment that asked, if one did; on a review comment ``section`` is ``{path, line}`` (line None
    where it stands on no line of the file as it is now) and ``thread_id`` the comment that the thread began with.
    """

    installation_id: int
    repository: str
    repository_id: int
    private: bool
    archived: bool
    default_branch: str
    actor: str
    actor_id: int
    happened_at: datetime | None
    place: Place
    issue_number: int
    issue_title: str
    issue_body: str = ""
    is_open: bool = True
    key: str
    trigger: Trigger
    comment_id: int | None = None
    section: JsonObject | None = None
    thread_id: int | None = None

    @property
    def on_pull_request(self) -> bool:
        """True also for a comment on a line of it."""
        return self.place is not Place.ISSUE


def conversation_of(event: CommentPosted | ReviewCommentPosted | Labeled | Assigned) -> Conversation:
    """The conversation of what people do on issues and pull requests."""
    comment_id: int | None = None
    match event:
        case ReviewCommentPosted():
            return Conversation(
                **_common(event),
                place=Place.REVIEW_COMMENT,
                issue_number=event.pull_number,
                issue_title=event.pull_title,
                key=f"{event.installation_id}:review:{event.comment_id}",
                trigger=Trigger.REVIEW_COMMENT,
                comment_id=event.comment_id,
                section={"path": event.path, "line": event.line if event.side == "RIGHT" else None},
                thread_id=event.thread_id,
            )
        case CommentPosted():
            key, trigger, comment_id = f"{event.installation_id}:{event.comment_id}", Trigger.COMMENT, event.comment_id
        case Labeled():
            key, trigger = _digested(event.said_key), Trigger.LABEL
        case Assigned():
            key, trigger = _digested(event.said_key), Trigger.ASSIGNMENT
    return Conversation(
        **_common(event),
        place=Place.PULL_REQUEST if event.on_pull_request else Place.ISSUE,
        issue_number=event.issue_number,
        issue_title=event.issue_title,
        issue_body=event.issue_body,
        is_open=event.issue_state == "open",
        key=key,
        trigger=trigger,
        comment_id=comment_id,
    )


def conversation_about(
    event: ButtonPressed | CheckRerequested | SuiteRerequested, run: SpecAutomationRun
) -> Conversation:
    """The conversation of a check run's buttons: that of the run it tells about, on its pull request if it has one."""
    asked_for = Conversation(
        **_common(event),
        place=Place.PULL_REQUEST if run.on_pull_request else Place.ISSUE,
        issue_number=run.issue_number,
        issue_title=run.issue_title,
        key=_digested(event.said_key),
        trigger=Trigger.CHECK_RUN,
    )
    return on_pull_request_of(run, asked_for)


def on_pull_request_of(run: SpecAutomationRun, talk: Conversation) -> Conversation:
    """The same occasion as if it were on the pull request of a run of this issue, if the run has one."""
    number = run.report.pull_request_number or run.pull_request_number
    if number is None or (talk.on_pull_request and talk.issue_number == number):
        return talk
    # Whether it is open is asked again before anything is written there.
    return replace(talk, place=Place.PULL_REQUEST, issue_number=number, is_open=True)


def _common(
    event: CommentPosted
    | ReviewCommentPosted
    | Labeled
    | Assigned
    | ButtonPressed
    | CheckRerequested
    | SuiteRerequested,
) -> JsonObject:
    return {
        "installation_id": event.installation_id,
        "repository": event.repository,
        "repository_id": event.repository_id,
        "private": event.private,
        "archived": event.archived,
        "default_branch": event.default_branch,
        "actor": event.actor,
        "actor_id": event.actor_id,
        "happened_at": event.happened_at,
    }


def _digested(said_key: str) -> str:
    installation_id, _, rest = said_key.partition(":")
    return f"{installation_id}:{sha256(rest.encode()).hexdigest()}"
