"""open_pr: the draft pull request people have been waiting for, and the questions it leaves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jobs.phases.asking import about_marks
from jobs.ports import Publisher, PullRequest
from jobs.run_context import Attempt, Finished, RunRequest


@dataclass(frozen=True, slots=True)
class OpenPr:
    """Repeatable: the publisher looks for the pull request of the branch before it opens one."""

    publisher: Publisher

    async def execute(
        self, attempt: Attempt, request: RunRequest, marks: Sequence[Mapping[str, Any]]
    ) -> Finished[PullRequest]:
        """``marks``: the open questions in the specification. Raises UserError, AppError or TransientError
        ``github.*``."""
        pull_request = await self.publisher.open_pull_request(attempt.lease)
        attempt.output.stdout.write(f"{pull_request.url}\n".encode())
        details = {"number": pull_request.number, "url": pull_request.url}
        return Finished(pull_request, details, about_marks(attempt, pull_request.number, request, marks))
