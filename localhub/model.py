"""What lives on localhub: accounts, repositories, issues, pull requests, checks, Apps.

Plain mutable objects compared by identity; the rules about changing them are in the modules named after them. The
longer ones are written in ``model_conversations``, ``model_pulls`` and ``model_checks``.
All times are aware UTC. Names follow GitHub's REST API.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from localhub.clock import utc_now
from localhub.git_repository import GitRepository
from localhub.model_checks import CheckRun, CheckSuite
from localhub.model_conversations import Comment, Issue, Reaction, ReviewComment, TimelineEvent
from localhub.model_pulls import PullRequest

__all__ = [
    "LEVELS",
    "App",
    "CheckRun",
    "CheckSuite",
    "Comment",
    "Grant",
    "Installation",
    "InstallationToken",
    "Issue",
    "Label",
    "Level",
    "PullRequest",
    "Reaction",
    "Repository",
    "ReviewComment",
    "Team",
    "TimelineEvent",
    "User",
    "utc_now",
]

Level = Literal["none", "read", "triage", "write", "maintain", "admin"]
LEVELS: tuple[Level, ...] = ("none", "read", "triage", "write", "maintain", "admin")


@dataclass(eq=False, slots=True)
class User:
    """An account. ``type`` is ``User``, ``Bot`` or ``Organization``; ``token`` is a personal access token."""

    id: int
    login: str
    type: str
    token: str = ""


@dataclass(eq=False, slots=True)
class Team:
    """A team of an organization. ``repositories``: those it has a role in."""

    id: int
    organization: User
    slug: str
    name: str
    repositories: list[Repository] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Grant:
    """What a collaborator may do: a base level, and the role's name (a custom one may differ from the level)."""

    level: Level
    role_name: str


@dataclass(eq=False, slots=True)
class Label:
    """An issue label."""

    id: int
    name: str
    color: str = "ededed"
    description: str | None = None


@dataclass(eq=False)
class Repository:
    """A repository; ``git`` is its bare repository on disk."""

    id: int
    owner: User
    name: str
    git: GitRepository
    private: bool
    default_branch: str
    archived: bool = False
    parent: Repository | None = None
    """What it was forked from."""
    grants: dict[str, Grant] = field(default_factory=dict)
    """Lower-case login -> what was granted, besides the owner's own rights."""
    protected: set[str] = field(default_factory=set)
    """Branches nobody may push to."""
    labels: dict[str, Label] = field(default_factory=dict)
    issues: dict[int, Issue] = field(default_factory=dict)
    """Issues and pull requests by number."""
    comments: dict[int, Comment] = field(default_factory=dict)
    review_comments: dict[int, ReviewComment] = field(default_factory=dict)
    check_runs: dict[int, CheckRun] = field(default_factory=dict)
    check_suites: dict[int, CheckSuite] = field(default_factory=dict)
    deleted_issues: set[int] = field(default_factory=set)
    told: dict[str, str] = field(default_factory=dict)
    """Reference -> the commit its last push was told with: two pushes at once see each other's references move."""
    created_at: datetime = field(default_factory=utc_now)

    @property
    def full_name(self) -> str:
        """``owner/name``."""
        return f"{self.owner.login}/{self.name}"


@dataclass(eq=False)
class App:
    """A GitHub App, made from its manifest."""

    id: int
    name: str
    slug: str
    client_id: str
    owner: User
    bot: User
    permissions: dict[str, str]
    events: tuple[str, ...]
    public_key_pem: str
    webhook_url: str
    webhook_secret: str
    hook_id: int
    description: str = ""
    external_url: str = ""
    created_at: datetime = field(default_factory=utc_now)


@dataclass(eq=False)
class Installation:
    """An App in an account, for some of its repositories, with the permissions it was granted then."""

    id: int
    app: App
    account: User
    repositories: list[Repository]
    permissions: dict[str, str]
    events: tuple[str, ...]
    suspended_at: datetime | None = None
    created_at: datetime = field(default_factory=utc_now)


@dataclass(frozen=True, slots=True)
class InstallationToken:
    """A minted token. ``expires_at`` and ``born`` are seconds: wall clock and monotonic."""

    value: str
    installation: Installation
    permissions: Mapping[str, str]
    repositories: tuple[Repository, ...]
    selected: bool
    """True when the request named repositories."""
    expires_at: datetime
    born: float = field(default_factory=time.monotonic)
