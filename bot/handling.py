"""One delivery while it is handled: where it speaks, to whom it may listen, and what came of it so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol
from uuid import UUID

from bot.configuration.effective import EffectiveConfig
from bot.conversation import Conversation
from db.models import SpecAutomationRun
from db.vocabulary import DeliveryOutcome


class Repo(Protocol):
    """What intake says to GitHub about one repository. Every call raises GitHubError."""

    slug: str
    installation_id: int
    repository_id: int

    async def permission_of(self, login: str) -> str: ...
    async def file(self, path: str, ref: str | None = None) -> bytes | None: ...
    async def find_comment(self, issue_number: int, marker: str) -> object | None: ...
    async def comment(self, issue_number: int, body: str) -> object: ...
    async def find_reply(self, pull_number: int, marker: str) -> object | None: ...
    async def reply_to_review_comment(self, pull_number: int, comment_id: int, body: str) -> object: ...
    async def react(self, comment_id: int, content: Literal["eyes"]) -> None: ...
    async def react_to_review_comment(self, comment_id: int, content: Literal["eyes"]) -> None: ...
    async def remove_label(self, issue_number: int, label: str) -> None: ...
    async def pull_request_files(self, pull_number: int) -> list[str]: ...
    async def find_check_run(self, sha: str, external_id: str) -> int | None: ...
    async def create_check_run(self, payload: Mapping[str, Any]) -> int: ...
    async def update_check_run(self, check_run_id: int, payload: Mapping[str, Any]) -> None: ...


class Repos(Protocol):
    """Where the repositories come from: ``bot.github.repo_client.GitHub``. The coroutines raise GitHubError."""

    def repo(self, installation_id: int, repository_id: int, slug: str) -> Repo: ...
    async def app_slug(self) -> str: ...
    async def org_file(self, installation_id: int, owner: str, path: str) -> bytes | None: ...


class TellsPlaces(Protocol):
    """Who tells people of runs that no worker has now: ``bot.reporting.reporter.RunReporter``."""

    async def waiting(self, run_id: UUID, owner: str) -> None: ...
    async def later_commit(self, run_id: UUID, head_sha: str, owner: str) -> None: ...


@dataclass(slots=True)
class Handling:
    """One delivery while it is handled. ``role`` is the one GitHub says the actor has in the repository now."""

    delivery_id: str
    talk: Conversation
    repo: Repo
    config: EffectiveConfig
    role: str
    is_repeat: bool = False
    """Somebody may have come some way with it before."""
    pressed_for: SpecAutomationRun | None = None
    """The run whose check run a button belongs to."""
    accepted: bool = False
    refused: bool = False
    parts: list[str] = field(default_factory=list)
    waiting: list[UUID] = field(default_factory=list)
    """Runs that were opened and cannot begin yet."""

    def say(self, sentence: str) -> None:
        """Add to the one reply; saying the same twice adds nothing."""
        if sentence not in self.parts:
            self.parts.append(sentence)

    def refuse(self, sentence: str) -> None:
        """Say why something is not done."""
        self.refused = True
        self.say(sentence)

    @property
    def outcome(self) -> DeliveryOutcome:
        """What the delivery row keeps."""
        if self.accepted:
            return DeliveryOutcome.ACCEPTED
        if self.refused:
            return DeliveryOutcome.REFUSED
        return DeliveryOutcome.ANSWERED if self.parts else DeliveryOutcome.IGNORED
