"""The one store of everything on a hub, and how things are found in it.

All changes happen on the event loop's thread, so no lock is needed. GitHub's names are case-insensitive; so are the
look-ups.
"""

from __future__ import annotations

import itertools
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from localhub.errors import not_found
from localhub.faults import Faults
from localhub.git_repository import FileContent, GitRepository, Identity
from localhub.model import (
    LEVELS,
    App,
    Grant,
    Installation,
    InstallationToken,
    Level,
    Repository,
    Team,
    User,
)
from localhub.records import RequestRecord, Violation
from localhub.webhooks import Webhooks


@dataclass(frozen=True, slots=True)
class Urls:
    """Where the hub answers: ``web`` for people and git, ``api`` for REST (as GitHub Enterprise Server has it)."""

    web: str

    @property
    def api(self) -> str:
        """Base of the REST API."""
        return f"{self.web}/api/v3"


@dataclass(eq=False)
class State:
    """Accounts, repositories, Apps and tokens, the traffic so far, and the faults to play."""

    root: Path
    urls: Urls = field(default_factory=lambda: Urls("http://127.0.0.1"))
    users: dict[str, User] = field(default_factory=dict)
    repositories: dict[str, Repository] = field(default_factory=dict)
    apps: dict[int, App] = field(default_factory=dict)
    installations: dict[int, Installation] = field(default_factory=dict)
    tokens: dict[str, InstallationToken] = field(default_factory=dict)
    teams: list[Team] = field(default_factory=list)
    requests: list[RequestRecord] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)
    faults: Faults = field(default_factory=Faults)
    _ids: itertools.count[int] = field(default_factory=lambda: itertools.count(2001, 7))

    def __post_init__(self) -> None:
        self.webhooks = Webhooks(self)

    def new_id(self) -> int:
        """An id no other object has, of whatever kind: mixing two kinds up shows."""
        return next(self._ids)

    def now(self) -> datetime:
        """GitHub's clock: ours, moved by the skew a test asked for."""
        return datetime.now(UTC) + timedelta(seconds=self.faults.clock_skew)

    def record_violation(self, kind: str, detail: str) -> None:
        """Remember something a well-made client does not do."""
        self.violations.append(Violation(kind, detail, self.now()))

    # Accounts

    def create_user(self, login: str, kind: str = "User") -> User:
        """Add an account. Raises ValueError when the login is taken."""
        if login.lower() in self.users:
            raise ValueError(f"{login} is taken")
        token = "" if kind == "Organization" else f"ghp_{secrets.token_hex(18)}"
        user = User(self.new_id(), login, kind, token)
        self.users[login.lower()] = user
        return user

    def user(self, login: str) -> User:
        """The account of that login. Raises ApiError 404."""
        found = self.users.get(login.lower())
        if found is None:
            raise not_found()
        return found

    # Repositories

    def create_repository(
        self, full_name: str, private: bool, default_branch: str, files: dict[str, FileContent]
    ) -> Repository:
        """Add a repository with one commit of ``files``, or none. An unknown owner becomes an organization."""
        owner_login, _, name = full_name.partition("/")
        if not owner_login or not name or "/" in name:
            raise ValueError(f"{full_name!r} is not owner/name")
        if full_name.lower() in self.repositories:
            raise ValueError(f"{full_name} exists")
        owner = self.users.get(owner_login.lower()) or self.create_user(owner_login, "Organization")
        git = GitRepository(self.root / "repositories" / owner.login / f"{name}.git")
        git.create(default_branch)
        if files:
            author = Identity(owner.login, f"{owner.login}@users.noreply.invalid")
            git.commit_files(default_branch, files, "First commit", author)
        repository = Repository(self.new_id(), owner, name, git, private, default_branch)
        self.repositories[full_name.lower()] = repository
        return repository

    def repository(self, full_name: str) -> Repository:
        """The repository of that name. Raises ApiError 404."""
        found = self.repositories.get(full_name.lower())
        if found is None:
            raise not_found()
        return found

    def grant_of(self, repository: Repository, user: User | None) -> Grant:
        """What an account may do in a repository: GitHub's base level and the role's name."""
        if user is not None:
            if repository.owner is user:
                return Grant("admin", "admin")
            granted = repository.grants.get(user.login.lower())
            if granted is not None:
                return granted
        level: Level = "none" if repository.private else "read"
        return Grant(level, level)

    def may(self, repository: Repository, user: User | None, level: Level) -> bool:
        """True when the account's level reaches ``level``."""
        return LEVELS.index(self.grant_of(repository, user).level) >= LEVELS.index(level)

    # Apps

    def installation_of(self, app: App, repository: Repository) -> Installation | None:
        """The installation through which an App reaches a repository."""
        for installation in self.installations.values():
            if installation.app is app and repository in installation.repositories:
                return installation
        return None
