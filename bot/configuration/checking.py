"""The check run on a pull request that touches ``.github/speckit.yml``: what in it would not count, on its lines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from bot.configuration.model import CONFIG_PATH
from bot.configuration.problems import check_annotations
from bot.configuration.source import ConfigurationSource, readable
from bot.events import CheckRerequested, Event, PullRequestChanged, SuiteRerequested
from bot.reporting.configuration_report import configuration_summary, configuration_title

NAME = "speckit configuration"
EXTERNAL_ID = "configuration"


class ChecksFiles(Protocol):
    """The repository. Every call raises GitHubError."""

    repository_id: int

    async def file(self, path: str, ref: str | None = None) -> bytes | None: ...
    async def pull_request_files(self, pull_number: int) -> list[str]: ...
    async def find_check_run(self, sha: str, external_id: str) -> int | None: ...
    async def create_check_run(self, payload: Mapping[str, Any]) -> int: ...
    async def update_check_run(self, check_run_id: int, payload: Mapping[str, Any]) -> None: ...


class ConfigurationCheck:
    """Looks at pull requests. What is in force is read elsewhere, and never from here."""

    def __init__(self, source: ConfigurationSource) -> None:
        self._source = source

    async def heard(self, repo: ChecksFiles, event: Event) -> bool:
        """Tell what is wrong with the file where a pull request touches it, or somebody asks for its check run again;
        False where there is nothing to tell."""
        match event:
            case PullRequestChanged(action="closed"):
                # What was in it may be in force now.
                self._source.forget(event.repository_id)
                return False
            case PullRequestChanged(from_fork=False):
                touched = CONFIG_PATH in await repo.pull_request_files(event.number)
                return touched and await self._tell(repo, event.head_sha, again=False)
            case CheckRerequested(external_id=check) if check == EXTERNAL_ID:
                return await self._tell(repo, event.head_sha, again=True)
            case SuiteRerequested():
                there = await repo.find_check_run(event.head_sha, EXTERNAL_ID)
                return there is not None and await self._tell(repo, event.head_sha, again=True)
            case _:
                return False

    async def _tell(self, repo: ChecksFiles, head_sha: str, *, again: bool) -> bool:
        content = await readable(repo.file(CONFIG_PATH, head_sha))
        if content is None:
            return False
        problems = (await self._source.reading(content)).problems
        payload = {
            "name": NAME,
            "head_sha": head_sha,
            "external_id": EXTERNAL_ID,
            "status": "completed",
            "conclusion": "failure" if problems else "success",
            "output": {
                "title": configuration_title(problems),
                "summary": configuration_summary(problems),
                "annotations": check_annotations(problems),
            },
        }
        # Asked for again, its suite waits for a new one (https://docs.github.com/en/rest/checks/runs).
        existing = None if again else await repo.find_check_run(head_sha, EXTERNAL_ID)
        if existing is None:
            await repo.create_check_run(payload)
        else:
            await repo.update_check_run(existing, payload)
        return True
