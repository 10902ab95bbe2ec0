"""What people and Apps say: reactions, issues, comments on issues, and review comments on lines of a pull request.

Part of ``localhub.model``, which everybody imports instead.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from localhub.clock import utc_now

if TYPE_CHECKING:
    from localhub.model import App, Label, Repository, User
    from localhub.model_pulls import PullRequest


@dataclass(frozen=True, slots=True)
class Reaction:
    """One person's reaction. ``content`` as in the API: ``eyes``, ``rocket``, ``+1``, ..."""

    id: int
    content: str
    user: User
    created_at: datetime

    @property
    def author(self) -> str:
        """Who reacted."""
        return self.user.login


@dataclass(frozen=True, slots=True)
class TimelineEvent:
    """What happened to an issue or pull request besides comments, for its page.

    ``kind`` is the webhook's action (``labeled``, ``closed``, ``synchronize``, ...), or ``renamed`` or ``merged``;
    ``detail`` the label, login, commit or old title it is about.
    """

    kind: str
    actor: User
    detail: str
    at: datetime = field(default_factory=utc_now)
    born: float = field(default_factory=time.monotonic)


@dataclass(eq=False)
class Issue:
    """An issue, or the conversation of a pull request (``pull`` is set)."""

    repository: Repository
    id: int
    number: int
    title: str
    body: str | None
    user: User
    via_app: App | None = None
    state: str = "open"
    state_reason: str | None = None
    locked: bool = False
    labels: list[Label] = field(default_factory=list)
    assignees: list[User] = field(default_factory=list)
    reactions: list[Reaction] = field(default_factory=list)
    timeline: list[TimelineEvent] = field(default_factory=list)
    pull: PullRequest | None = None
    created_at: datetime = field(default_factory=utc_now)
    updated_at: datetime = field(default_factory=utc_now)
    closed_at: datetime | None = None
    closed_by: User | None = None
    born: float = field(default_factory=time.monotonic)

    @property
    def author(self) -> str:
        """Who opened it."""
        return self.user.login

    @property
    def label_names(self) -> list[str]:
        """The names of its labels, in the order they were put on."""
        return [label.name for label in self.labels]

    @property
    def comments(self) -> list[Comment]:
        """The thread, oldest first."""
        return [comment for comment in self.repository.comments.values() if comment.issue is self]


@dataclass(eq=False, kw_only=True)
class _Written:
    """What comments of both kinds have. ``edits`` counts how often the text was changed."""

    id: int
    body: str
    user: User
    via_app: App | None = None
    edits: int = 0
    history: list[str] = field(default_factory=list)
    """Earlier texts, oldest first."""
    reactions: list[Reaction] = field(default_factory=list)
    minimized: str | None = None
    """Why it is folded away, as GitHub's ``minimizedReason``: ``outdated``, ``resolved``, ``off-topic``, ..."""
    created_at: datetime = field(default_factory=utc_now)
    updated_at: datetime = field(default_factory=utc_now)
    born: float = field(default_factory=time.monotonic)

    @property
    def author(self) -> str:
        """Who wrote it."""
        return self.user.login


@dataclass(eq=False, kw_only=True)
class Comment(_Written):
    """A comment on an issue or pull request."""

    issue: Issue

    @property
    def repository(self) -> Repository:
        """Where it was written."""
        return self.issue.repository


@dataclass(eq=False, kw_only=True)
class ReviewComment(_Written):
    """A comment on a line of a pull request's diff, or a reply to one (``in_reply_to`` is set).

    ``line`` and ``commit_sha`` follow the head of the pull request as long as the line is still there; then ``line`` is
    None (outdated). The ``original`` ones stay. ``line`` is also None for a comment on a whole file.
    """

    pull: PullRequest
    review_id: int
    path: str
    line: int | None
    side: str
    """``RIGHT``: a line of the head; ``LEFT``: a line of the base."""
    commit_sha: str
    diff_hunk: str
    original_line: int | None = None
    original_commit_sha: str = ""
    start_line: int | None = None
    in_reply_to: ReviewComment | None = None

    @property
    def issue(self) -> Issue:
        """The conversation of its pull request."""
        return self.pull.issue

    @property
    def repository(self) -> Repository:
        """Where it was written."""
        return self.pull.repository

    @property
    def replies(self) -> list[ReviewComment]:
        """The rest of the thread it begins, oldest first."""
        return [each for each in self.pull.review_comments if each.in_reply_to is self]
