"""The gate every request of one installation passes: none while GitHub told us to wait, new content at a bearable pace.

GitHub's rules (https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api): obey ``retry-after``,
else ``x-ratelimit-reset``, else wait a minute and grow; at most 80 content-creating requests a minute, 500 an hour.
Whoever works for an installation beside us counts too, so each process keeps to a share of that.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime

from bot.github.errors import RateLimited

MINUTE, HOUR = 60.0, 3600.0
CREATED_A_MINUTE, CREATED_AN_HOUR = 80, 500
RESERVED_A_MINUTE, RESERVED_AN_HOUR = 10, 50
"""What ordinary requests leave over, so that the final word of a run is never the one that waits."""

FIRST_UNTOLD_WAIT_SECONDS = 60.0


def _some_of_a_second() -> float:
    return random.random()  # noqa: S311 - jitter against herds, no secret


@dataclass(frozen=True, slots=True)
class Timing:
    """Where time comes from: seconds since the epoch, monotonic seconds, a pause, jitter in [0, 1); and how many
    seconds one call may take."""

    wall: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    jitter: Callable[[], float] = _some_of_a_second
    longest_call: float = 30.0


@dataclass(frozen=True, slots=True)
class Pace:
    """``share``: this process's part of the content that an installation may create, above 0 and at most 1.
    ``longest_wait``: for how many seconds a request may wait for the gate."""

    share: float = 1.0
    longest_wait: float = 90.0


def server_seconds(headers: Mapping[str, str]) -> float | None:
    """The ``Date`` header in seconds since the epoch, or None where it is missing or unreadable."""
    try:
        return parsedate_to_datetime(headers["date"]).timestamp()
    except (KeyError, ValueError, TypeError):
        return None


@dataclass(slots=True)
class RateGate:
    """The state of one installation's rate limits. Times are monotonic seconds."""

    timing: Timing
    pace: Pace = field(default_factory=Pace)
    _closed_until: float = 0.0
    _untold_limits: int = 0
    clock_offset: float = 0.0
    """GitHub's clock minus ours in seconds, from the newest ``Date`` header."""
    _created: deque[float] = field(default_factory=deque)

    async def enter(self, *, creates: bool, final: bool = False, optional: bool = False) -> None:
        """Wait until a request may be sent. ``creates``: it makes something new for people to see.

        Raises RateLimited when that is further away than the pace allows, or for an ``optional`` one not now.
        """
        waited = 0.0
        while (pause := self._pause(creates, final)) > 0:
            waited += pause
            if optional or waited > self.pace.longest_wait:
                raise RateLimited(f"waiting for GitHub's rate limit: {pause:.0f} s are left", pause)
            await self.timing.sleep(pause)
        if creates:
            self._created.append(self.timing.monotonic())

    def _pause(self, creates: bool, final: bool) -> float:
        now = self.timing.monotonic()
        pause = self._closed_until - now
        if not creates:
            return pause
        while self._created and self._created[0] <= now - HOUR:
            self._created.popleft()
        spare_minute, spare_hour = (0, 0) if final else (RESERVED_A_MINUTE, RESERVED_AN_HOUR)
        for most, window in ((CREATED_A_MINUTE - spare_minute, MINUTE), (CREATED_AN_HOUR - spare_hour, HOUR)):
            allowed = max(1, int(most * self.pace.share))
            if len(self._created) >= allowed:
                pause = max(pause, self._created[-allowed] + window - now)
        return pause

    def close_for(self, seconds: float) -> None:
        """Let nothing through for so long; an earlier, longer closing stays."""
        self._closed_until = max(self._closed_until, self.timing.monotonic() + seconds)

    def observe(self, status: int, headers: Mapping[str, str]) -> None:
        """Learn from every answer: an emptied budget closes the gate before the next request is refused."""
        if (server := server_seconds(headers)) is not None:
            self.clock_offset = server - self.timing.wall()
        if status < 400:
            self._untold_limits = 0
        if headers.get("x-ratelimit-remaining") == "0" and (wait := self._until_reset(headers)) is not None:
            self.close_for(wait)

    def limited(self, status: int, headers: Mapping[str, str], said: str) -> bool:
        """Judge a refusal: close the gate and return True when it was a rate limit, primary or secondary."""
        if status not in {403, 429}:
            return False
        told = _seconds(headers.get("retry-after"))
        if told is None and headers.get("x-ratelimit-remaining") == "0":
            told = self._until_reset(headers)
        if told is None:
            lowered = said.lower()
            if status != 429 and "rate limit" not in lowered and "abuse" not in lowered:
                return False
            told = FIRST_UNTOLD_WAIT_SECONDS * 2**self._untold_limits
            self._untold_limits = min(self._untold_limits + 1, 6)
        self.close_for(told)
        return True

    def _until_reset(self, headers: Mapping[str, str]) -> float | None:
        reset = _seconds(headers.get("x-ratelimit-reset"))
        if reset is None:
            return None
        # The header has whole seconds: one more, so that no request falls into the window's last moment.
        return max(0.0, reset - self.timing.wall() - self.clock_offset) + 1.0


def _seconds(text: str | None) -> float | None:
    try:
        return max(0.0, float(text)) if text is not None else None
    except ValueError:
        return None
