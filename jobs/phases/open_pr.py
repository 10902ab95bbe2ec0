"""open_pr: the draft pull request people have been waiting for."""

from __future__ import annotations

from dataclasses import dataclass

from jobs.ports import Publisher, PullRequest
from jobs.run_context import Attempt, Finished


@dataclass(frozen=True, slots=True)
class OpenPr:
    """Repeatable: the publisher looks for the pull request of the branch before it opens one."""

    publisher: Publisher

    async def execute(self, attempt: Attempt) -> Finished[PullRequest]:
        """Raises UserError, AppError or TransientError ``github.*``."""
        pull_request = await self.publisher.open_pull_request(attempt.lease)
        attempt.output.stdout.write(f"{pull_request.url}\n".encode())
        return Finished(pull_request, {"number": pull_request.number, "url": pull_request.url})
