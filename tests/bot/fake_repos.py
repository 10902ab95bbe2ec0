"""GitHub as intake sees it: roles to ask for, comments and reactions that can be read afterwards, calls that fail."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from bot.github.errors import GitHubError
from db.vocabulary import ErrorCode


@dataclass
class FakeRepos:
    """One repository's memory, whatever its name."""

    roles: dict[str, str] = field(default_factory=lambda: {"mona": "write"})
    comments: list[tuple[int, str]] = field(default_factory=list)
    reactions: list[tuple[int, str]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    failing: dict[str, GitHubError] = field(default_factory=dict)
    """The verbs that fail, until taken out."""
    loses_answer_of_comment: bool = False
    """The next comment is posted, but the answer never arrives."""

    def repo(self, installation_id: int, repository_id: int, slug: str) -> FakeRepo:
        assert (installation_id, repository_id, slug) == (4711, 1296269, "acme/shop")
        return FakeRepo(self)

    def fail(self, verb: str, *, transient: bool) -> None:
        """Let a verb fail from now on."""
        self.failing[verb] = GitHubError(ErrorCode.GITHUB_UNAVAILABLE, f"{verb}: no", transient=transient)


class FakeRepo:
    """The verbs."""

    def __init__(self, memory: FakeRepos) -> None:
        self._memory = memory

    async def permission_of(self, login: str) -> str:
        self._maybe_fail("permission_of")
        self._memory.asked.append(login)
        return self._memory.roles.get(login, "none")

    async def find_comment(self, issue_number: int, marker: str) -> object | None:
        self._maybe_fail("find_comment")
        found = [number for number, body in self._memory.comments if number == issue_number and marker in body]
        return found[0] if found else None

    async def comment(self, issue_number: int, body: str) -> object:
        self._maybe_fail("comment")
        self._memory.comments.append((issue_number, body))
        if self._memory.loses_answer_of_comment:
            self._memory.loses_answer_of_comment = False
            raise GitHubError(ErrorCode.GITHUB_UNAVAILABLE, "comment: no answer", transient=True)
        return object()

    async def react(self, comment_id: int, content: Literal["eyes"]) -> None:
        self._maybe_fail("react")
        self._memory.reactions.append((comment_id, content))

    def _maybe_fail(self, verb: str) -> None:
        if verb in self._memory.failing:
            raise self._memory.failing[verb]
