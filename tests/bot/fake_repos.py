"""GitHub as intake sees it: roles to ask for, files to read, comments and reactions that can be read afterwards, calls
that fail, and a process that dies in the middle of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from bot.configuration.model import CONFIG_PATH
from bot.github.errors import GitHubError
from db.vocabulary import ErrorCode
from tests.bot.deliveries import APP, REPOSITORY_ID

SHOP = (4711, REPOSITORY_ID, "acme/shop")


class PowerCut(BaseException):
    """The process dies."""


class Fuse:
    """Blows at the nth step out of the process, counted from zero; with None never."""

    def __init__(self, at: int | None = None) -> None:
        self._left = at

    def step(self) -> None:
        if self._left is None:
            return
        if self._left == 0:
            raise PowerCut
        self._left -= 1


@dataclass
class FakeRepos:
    """One repository's memory. It satisfies ``bot.handling.Repos``."""

    roles: dict[str, str] = field(default_factory=lambda: {"mona": "write"})
    files: dict[tuple[str, str | None], bytes] = field(default_factory=dict)
    """By path and ref; None is the default branch."""
    org_files: dict[str, bytes] = field(default_factory=dict)
    pull_files: dict[int, list[str]] = field(default_factory=dict)
    comments: list[tuple[int, str]] = field(default_factory=list)
    replies: list[tuple[int, int, str]] = field(default_factory=list)
    """In the threads of reviews: pull request, first comment of the thread, text."""
    reactions: list[tuple[int, str]] = field(default_factory=list)
    review_reactions: list[tuple[int, str]] = field(default_factory=list)
    labels_removed: list[tuple[int, str]] = field(default_factory=list)
    checks: list[dict[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    """Every call, as ``verb argument``."""
    failing: dict[str, GitHubError] = field(default_factory=dict)
    """The verbs that fail, until taken out."""
    loses_answer_of: str | None = None
    """The next call of this verb is done, but its answer never arrives."""
    fuse: Fuse = field(default_factory=Fuse)

    def repo(self, installation_id: int, repository_id: int, slug: str) -> FakeRepo:
        assert (installation_id, repository_id, slug) == SHOP
        return FakeRepo(self)

    async def app_slug(self) -> str:
        self.before("app_slug")
        return str(APP["slug"])

    async def org_file(self, installation_id: int, owner: str, path: str) -> bytes | None:
        self.before("org_file", owner)
        return self.org_files.get(path)

    def configure(self, text: str) -> None:
        """Write the configuration of the default branch."""
        self.files[CONFIG_PATH, None] = text.encode()

    def fail(self, verb: str, *, transient: bool) -> None:
        """Let a verb fail from now on."""
        self.failing[verb] = GitHubError(ErrorCode.GITHUB_UNAVAILABLE, f"{verb}: no", transient=transient)

    def calls(self, verb: str) -> int:
        """How often it was called."""
        return sum(call.split(" ")[0] == verb for call in self.asked)

    def before(self, verb: str, argument: object = "") -> None:
        """A call goes out."""
        self.fuse.step()
        self.asked.append(f"{verb} {argument}".strip())
        if verb in self.failing:
            raise self.failing[verb]

    def after(self, verb: str) -> None:
        """A write is done, and its answer on the way."""
        if self.loses_answer_of == verb:
            self.loses_answer_of = None
            raise GitHubError(ErrorCode.GITHUB_UNAVAILABLE, f"{verb}: no answer", transient=True)
        self.fuse.step()


class FakeRepo:
    """The verbs. It satisfies ``bot.handling.Repo``."""

    installation_id, repository_id, slug = SHOP

    def __init__(self, memory: FakeRepos) -> None:
        self._memory = memory

    async def permission_of(self, login: str) -> str:
        self._memory.before("permission_of", login)
        return self._memory.roles.get(login, "none")

    async def file(self, path: str, ref: str | None = None) -> bytes | None:
        self._memory.before("file", path)
        return self._memory.files.get((path, ref))

    async def find_comment(self, issue_number: int, marker: str) -> object | None:
        self._memory.before("find_comment", issue_number)
        return next((body for number, body in self._memory.comments if number == issue_number and marker in body), None)

    async def comment(self, issue_number: int, body: str) -> object:
        self._memory.before("comment", issue_number)
        self._memory.comments.append((issue_number, body))
        self._memory.after("comment")
        return object()

    async def find_reply(self, pull_number: int, marker: str) -> object | None:
        self._memory.before("find_reply", pull_number)
        found = (body for number, _, body in self._memory.replies if number == pull_number and marker in body)
        return next(found, None)

    async def reply_to_review_comment(self, pull_number: int, comment_id: int, body: str) -> object:
        self._memory.before("reply_to_review_comment", pull_number)
        self._memory.replies.append((pull_number, comment_id, body))
        self._memory.after("reply_to_review_comment")
        return object()

    async def react(self, comment_id: int, content: Literal["eyes"]) -> None:
        self._memory.before("react", comment_id)
        self._memory.reactions.append((comment_id, content))
        self._memory.after("react")

    async def react_to_review_comment(self, comment_id: int, content: Literal["eyes"]) -> None:
        self._memory.before("react_to_review_comment", comment_id)
        self._memory.review_reactions.append((comment_id, content))
        self._memory.after("react_to_review_comment")

    async def remove_label(self, issue_number: int, label: str) -> None:
        self._memory.before("remove_label", label)
        self._memory.labels_removed.append((issue_number, label))
        self._memory.after("remove_label")

    async def pull_request_files(self, pull_number: int) -> list[str]:
        self._memory.before("pull_request_files", pull_number)
        return self._memory.pull_files.get(pull_number, [])

    async def find_check_run(self, sha: str, external_id: str) -> int | None:
        self._memory.before("find_check_run", external_id)
        wanted = {"head_sha": sha, "external_id": external_id}
        return next(
            (number for number, check in enumerate(self._memory.checks, 1) if wanted.items() <= check.items()), None
        )

    async def create_check_run(self, payload: Mapping[str, Any]) -> int:
        self._memory.before("create_check_run", payload["external_id"])
        self._memory.checks.append(dict(payload))
        self._memory.after("create_check_run")
        return len(self._memory.checks)

    async def update_check_run(self, check_run_id: int, payload: Mapping[str, Any]) -> None:
        self._memory.before("update_check_run", payload["external_id"])
        self._memory.checks[check_run_id - 1] = dict(payload)
        self._memory.after("update_check_run")
