"""What lives on localhub: accounts, repositories, issues, pull requests, checks, Apps.

Plain mutable objects compared by identity; the rules about changing them are in the modules named after them.
All times are aware UTC. Names follow GitHub's REST API.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from localhub import git_history
from localhub.git_history import ChangedFile, Commit
from localhub.git_repository import GitRepository

Level = Literal["none", "read", "triage", "write", "maintain", "admin"]
LEVELS: tuple[Level, ...] = ("none", "read", "triage", "write", "maintain", "admin")


def utc_now() -> datetime:
    """Now, to the second, as GitHub's objects carry it."""
    return datetime.now(UTC).replace(microsecond=0)


@dataclass(eq=False, slots=True)
class User:
    """An account. ``type`` is ``User``, ``Bot`` or ``Organization``; ``token`` is a personal access token."""

    id: int
    login: str
    type: str
    token: str = ""


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
    grants: dict[str, Grant] = field(default_factory=dict)
    """Lower-case login -> what was granted, besides the owner's own rights."""
    protected: set[str] = field(default_factory=set)
    """Branches nobody may push to."""
    labels: dict[str, Label] = field(default_factory=dict)
    issues: dict[int, Issue] = field(default_factory=dict)
    """Issues and pull requests by number."""
    comments: dict[int, Comment] = field(default_factory=dict)
    check_runs: dict[int, CheckRun] = field(default_factory=dict)
    check_suites: dict[int, CheckSuite] = field(default_factory=dict)
    deleted_issues: set[int] = field(default_factory=set)
    created_at: datetime = field(default_factory=utc_now)

    @property
    def full_name(self) -> str:
        """``owner/name``."""
        return f"{self.owner.login}/{self.name}"


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
    reactions: list[Reaction] = field(default_factory=list)
    pull: PullRequest | None = None
    created_at: datetime = field(default_factory=utc_now)
    updated_at: datetime = field(default_factory=utc_now)
    closed_at: datetime | None = None
    born: float = field(default_factory=time.monotonic)

    @property
    def author(self) -> str:
        """Who opened it."""
        return self.user.login

    @property
    def comments(self) -> list[Comment]:
        """The thread, oldest first."""
        return [comment for comment in self.repository.comments.values() if comment.issue is self]


@dataclass(eq=False)
class Comment:
    """A comment on an issue or pull request. ``edits`` counts how often its text was changed."""

    issue: Issue
    id: int
    body: str
    user: User
    via_app: App | None = None
    edits: int = 0
    history: list[str] = field(default_factory=list)
    """Earlier texts, oldest first."""
    reactions: list[Reaction] = field(default_factory=list)
    created_at: datetime = field(default_factory=utc_now)
    updated_at: datetime = field(default_factory=utc_now)
    born: float = field(default_factory=time.monotonic)

    @property
    def author(self) -> str:
        """Who wrote it."""
        return self.user.login


@dataclass(eq=False)
class PullRequest:
    """The branch side of a pull request; title, body and thread are its ``issue``'s."""

    issue: Issue
    id: int
    head_branch: str
    base_branch: str
    head_sha: str
    base_sha: str
    draft: bool = False
    merged: bool = False

    @property
    def repository(self) -> Repository:
        """Where it was opened; heads from forks do not exist here."""
        return self.issue.repository

    @property
    def number(self) -> int:
        """Shared with the issues."""
        return self.issue.number

    @property
    def title(self) -> str:
        """One line."""
        return self.issue.title

    @property
    def body(self) -> str:
        """Markdown."""
        return self.issue.body or ""

    @property
    def author(self) -> str:
        """Who opened it."""
        return self.issue.author

    @property
    def state(self) -> str:
        """``open`` or ``closed``."""
        return self.issue.state

    @property
    def changed_files(self) -> list[ChangedFile]:
        """What it changes, with patches. Reads git: blocks for some milliseconds."""
        return git_history.changed_files(self.repository.git, self.base_sha, self.head_sha)

    @property
    def files(self) -> list[str]:
        """Paths it changes. Reads git: blocks for some milliseconds."""
        return [file.path for file in self.changed_files]

    @property
    def commits(self) -> list[Commit]:
        """Its commits, oldest first. Reads git: blocks for some milliseconds."""
        return git_history.commits(self.repository.git, f"{self.base_sha}..{self.head_sha}")[::-1]

    def text_of(self, path: str) -> str:
        """A file's text at the head. Raises KeyError when it is not there. Reads git."""
        found = git_history.path_at(self.repository.git, self.head_sha, path)
        if found is None or found.kind != "blob":
            raise KeyError(path)
        return git_history.blob(self.repository.git, found.sha).decode()


@dataclass(eq=False, slots=True)
class CheckSuite:
    """All check runs of one App on one commit."""

    repository: Repository
    id: int
    app: App
    head_sha: str
    created_at: datetime = field(default_factory=utc_now)


@dataclass(eq=False)
class CheckRun:
    """A check run; ``output`` and ``actions`` hold what the App sent."""

    repository: Repository
    id: int
    app: App
    suite: CheckSuite
    name: str
    head_sha: str
    status: str = "queued"
    conclusion: str | None = None
    external_id: str = ""
    details_url: str = ""
    output: dict[str, str | None] = field(default_factory=dict)
    annotations: list[dict[str, object]] = field(default_factory=list)
    actions: list[dict[str, object]] = field(default_factory=list)
    started_at: datetime | None = None
    completed_at: datetime | None = None
    updates: int = 0
    """How many PATCH requests it took."""
    born: float = field(default_factory=time.monotonic)


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
