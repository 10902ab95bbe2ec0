"""What GitHub could not hand over while nobody listened: asked for once more, so that no command is lost.

Wanted: a delivery that failed comes again within minutes of our being there again; one that we cannot take (we answer
401, say) is not asked for again and again; several processes may do this at once, since a delivery that comes twice is
one row. What was asked for is remembered by this process only: after a start one may come once more than it must.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

from bot.github.app_deliveries import FailedAttempt
from bot.github.errors import GitHubError

logger = logging.getLogger(__name__)

GITHUB_REMEMBERS = timedelta(days=3)
MOST_ATTEMPTS = 5
"""After so many failures of one delivery, ours and GitHub's, a person has to look."""

MOST_AT_ONCE = 100
BETWEEN_REQUESTS_SECONDS = 1.0


class Deliveries(Protocol):
    """GitHub's memory of what it sent us. Raises GitHubError."""

    async def failed_since(self, moment: datetime) -> Sequence[FailedAttempt]: ...

    async def deliver_again(self, attempt: FailedAttempt) -> None: ...


class Redelivery:
    """Asks GitHub for what did not arrive. One per process."""

    def __init__(self, deliveries: Deliveries, *, pause: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._deliveries = deliveries
        self._pause = pause
        self._asked: dict[str, int] = {}

    async def ask(self) -> None:
        """Ask for everything that failed within GitHub's memory and was not asked for since it failed."""
        try:
            failed = await self._deliveries.failed_since(datetime.now(UTC) - GITHUB_REMEMBERS)
            for attempt in self._due(failed)[:MOST_AT_ONCE]:
                await self._deliveries.deliver_again(attempt)
                self._asked[attempt.guid] = attempt.id
                logger.info("delivery_asked_for_again", extra={"delivery": attempt.guid})
                await self._pause(BETWEEN_REQUESTS_SECONDS)
        except GitHubError as error:
            # The next round asks anew.
            logger.warning("deliveries_not_asked_for", extra={"reason": error.message})

    def _due(self, failed: Sequence[FailedAttempt]) -> list[FailedAttempt]:
        """The newest attempt of each delivery, the oldest delivery first: people's commands keep their order."""
        newest: dict[str, FailedAttempt] = {}
        for attempt in failed:
            if attempt.guid not in newest or attempt.id > newest[attempt.guid].id:
                newest[attempt.guid] = attempt
        times = Counter(attempt.guid for attempt in failed)
        self._asked = {guid: asked for guid, asked in self._asked.items() if guid in newest}
        due = (
            attempt
            for guid, attempt in newest.items()
            if times[guid] < MOST_ATTEMPTS and self._asked.get(guid, 0) < attempt.id
        )
        return sorted(due, key=lambda attempt: attempt.id)
