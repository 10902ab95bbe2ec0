"""Pull requests. Part of ``localhub.model``, which everybody imports instead."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from localhub import git_history
from localhub.git_history import ChangedFile, Commit

if TYPE_CHECKING:
    from localhub.model import Repository, Team, User
    from localhub.model_conversations import Issue, ReviewComment


@dataclass(eq=False)
class PullRequest:
    """The branch side of a pull request; title, body and thread are its ``issue``'s.

    The commits of its head are in the git repository of ``repository``, also when they came from a fork.
    """

    issue: Issue
    id: int
    head_repository: Repository | None
    """Where the head branch is; None when that fork was deleted."""
    head_owner: User
    head_branch: str
    base_branch: str
    head_sha: str
    base_sha: str
    draft: bool = False
    merged_by: User | None = None
    merged_at: datetime | None = None
    merge_commit_sha: str | None = None
    requested_reviewers: list[User] = field(default_factory=list)
    requested_teams: list[Team] = field(default_factory=list)
    _read: tuple[str, str, list[ChangedFile], list[Commit]] | None = None
    """What git said of a base and a head, until one of them moves."""

    @property
    def repository(self) -> Repository:
        """Where it was opened: the repository of its base."""
        return self.issue.repository

    @property
    def from_fork(self) -> bool:
        """True when its head is, or was, in another repository."""
        return self.head_repository is not self.repository

    @property
    def head_label(self) -> str:
        """``owner:branch``."""
        return f"{self.head_owner.login}:{self.head_branch}"

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
    def merged(self) -> bool:
        """True when it was closed by merging it."""
        return self.merged_at is not None

    @property
    def review_comments(self) -> list[ReviewComment]:
        """The comments on its lines and their replies, oldest first."""
        return [each for each in self.repository.review_comments.values() if each.pull is self]

    @property
    def threads(self) -> list[ReviewComment]:
        """The review comments that begin a thread, oldest first; ``replies`` of each is the rest."""
        return [each for each in self.review_comments if each.in_reply_to is None]

    def _from_git(self) -> tuple[list[ChangedFile], list[Commit]]:
        base, head, git = self.base_sha, self.head_sha, self.repository.git
        if self._read is None or self._read[:2] != (base, head):
            files = git_history.changed_files(git, base, head)
            self._read = (base, head, files, git_history.commits(git, f"{base}..{head}")[::-1])
        return self._read[2], self._read[3]

    @property
    def changed_files(self) -> list[ChangedFile]:
        """What it changes, with patches. Reads git: blocks for some milliseconds."""
        return self._from_git()[0]

    @property
    def files(self) -> list[str]:
        """Paths it changes. Reads git: blocks for some milliseconds."""
        return [file.path for file in self.changed_files]

    @property
    def commits(self) -> list[Commit]:
        """Its commits, oldest first. Reads git: blocks for some milliseconds."""
        return self._from_git()[1]

    def text_of(self, path: str) -> str:
        """A file's text at the head. Raises KeyError when it is not there. Reads git."""
        found = git_history.path_at(self.repository.git, self.head_sha, path)
        if found is None or found.kind != "blob":
            raise KeyError(path)
        return git_history.blob(self.repository.git, found.sha).decode()
