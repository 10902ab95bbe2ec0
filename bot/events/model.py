"""The events. Each says what happened in which repository, by whose hand, and has a key for what was said by it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import ClassVar, Literal

IssueState = Literal["open", "closed"]
Side = Literal["LEFT", "RIGHT"]
PullRequestAction = Literal["opened", "synchronize", "reopened", "closed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Happened:
    """What all events tell."""

    installation_id: int
    repository: str
    repository_id: int
    private: bool
    archived: bool
    default_branch: str
    actor: str
    """The login of whoever did it."""
    actor_id: int
    actor_is_person: bool
    """True for a user account that did it with their own hands: no bot, no App in their name."""
    happened_at: datetime | None
    """When GitHub says it was (UTC); None when the payload does not tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _HappenedUnnumbered(_Happened):
    """GitHub gives such an event no id and some not even a time: the same payload is the same event. Whatever was done
    again, such as a label taken off and put on, comes with another one, if only by a time in it."""

    kind: ClassVar[str]
    digest: str
    """SHA-256 of the payload, in hex."""

    @property
    def said_key(self) -> str:
        """The same for every delivery of what happened once."""
        return f"{self.installation_id}:{self.kind}:{self.digest}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentPosted(_Happened):
    """Somebody wrote a new comment on an issue or a pull request (``issue_comment``)."""

    kind: ClassVar[str] = "comment_posted"
    action: ClassVar[str] = "created"
    issue_number: int
    issue_title: str
    issue_body: str
    """As it was when the comment was written, perhaps cut."""
    issue_state: IssueState
    on_pull_request: bool
    comment_id: int
    comment_node_id: str | None
    body: str

    @property
    def said_key(self) -> str:
        """What was said, by whom we were told: the same for every delivery of it. GitHub does not sign the headers,
        so a delivery id alone would not stop a replay."""
        return f"{self.installation_id}:{self.comment_id}:created:{sha256(self.body.encode()).hexdigest()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewCommentPosted(_Happened):
    """Somebody wrote a new comment on a line of a pull request's files (``pull_request_review_comment``)."""

    kind: ClassVar[str] = "review_comment_posted"
    action: ClassVar[str] = "created"
    pull_number: int
    pull_title: str
    head_branch: str
    comment_id: int
    body: str
    path: str
    line: int | None
    """On ``side`` of the file at ``commit_id``; where it was at first if that line is gone; None: the whole file."""
    side: Side
    commit_id: str
    in_reply_to: int | None

    @property
    def thread_id(self) -> int:
        """The first comment of the thread: the only one that GitHub lets us reply to."""
        return self.in_reply_to or self.comment_id

    @property
    def said_key(self) -> str:
        """As of a comment; the ids of these are counted apart."""
        said = sha256(self.body.encode()).hexdigest()
        return f"{self.installation_id}:review:{self.comment_id}:created:{said}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Labeled(_HappenedUnnumbered):
    """Somebody put a label on an issue or a pull request (``issues`` and ``pull_request``)."""

    kind: ClassVar[str] = "labeled"
    action: ClassVar[str] = "labeled"
    issue_number: int
    on_pull_request: bool
    issue_title: str
    issue_body: str
    issue_state: IssueState
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Assigned(_HappenedUnnumbered):
    """Somebody assigned an issue or a pull request to an account (``issues`` and ``pull_request``)."""

    kind: ClassVar[str] = "assigned"
    action: ClassVar[str] = "assigned"
    issue_number: int
    on_pull_request: bool
    issue_title: str
    issue_body: str
    issue_state: IssueState
    assignee: str
    assignee_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ButtonPressed(_HappenedUnnumbered):
    """Somebody pressed a button of a check run (``check_run``). ``app_id``: the App whose check run it is."""

    kind: ClassVar[str] = "button_pressed"
    action: ClassVar[str] = "requested_action"
    app_id: int
    identifier: str
    check_run_id: int
    external_id: str
    head_sha: str
    pull_numbers: tuple[int, ...]
    """The open pull requests of this repository with that head."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRerequested(_HappenedUnnumbered):
    """Somebody asked for a check run again (``check_run``). ``app_id``: the App whose check run it is."""

    kind: ClassVar[str] = "check_rerequested"
    action: ClassVar[str] = "rerequested"
    app_id: int
    check_run_id: int
    external_id: str
    head_sha: str
    pull_numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteRerequested(_HappenedUnnumbered):
    """Somebody asked for all check runs of an App on a commit again (``check_suite``)."""

    kind: ClassVar[str] = "suite_rerequested"
    action: ClassVar[str] = "rerequested"
    app_id: int
    head_sha: str
    head_branch: str | None
    pull_numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRequestChanged(_HappenedUnnumbered):
    """A pull request was opened, got commits (``synchronize``), was closed, or was opened again (``pull_request``)."""

    kind: ClassVar[str] = "pull_request_changed"
    action: PullRequestAction
    number: int
    head_branch: str
    head_sha: str
    base_branch: str
    merged: bool
    from_fork: bool
    """True also when the repository of its branch is gone."""


Event = (
    CommentPosted
    | ReviewCommentPosted
    | Labeled
    | Assigned
    | ButtonPressed
    | CheckRerequested
    | SuiteRerequested
    | PullRequestChanged
)
