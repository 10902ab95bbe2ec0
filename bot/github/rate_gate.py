"""The gate every request of one installation passes: none while GitHub told us to wait, writes at a bearable pace.

GitHub's rules (https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api): obey ``retry-after``,
else ``x-ratelimit-reset``, else wait a minute and grow; at most 80 content-creating requests a minute, 500 an hour.
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
WRITES_A_MINUTE, WRITES_AN_HOUR = 80, 500
RESERVED_A_MINUTE, RESERVED_AN_HOUR = 10, 50
"""What ordinary writes leave over, so that the final word of a run is never the one that waits."""

LONGEST_WAIT_SECONDS = 90.0
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
    longest_wait: float = LONGEST_WAIT_SECONDS
    _closed_until: float = 0.0
    _untold_limits: int = 0
    clock_offset: float = 0.0
    """GitHub's clock minus ours in seconds, from the newest ``Date`` header."""
    _writes: deque[float] = field(default_factory=deque)

    async def enter(self, *, writes: bool, final: bool = False) -> None:
        """Wait until a request may be sent. Raises RateLimited when that is further away than ``longest_wait``."""
        waited = 0.0
        while (pause := self._pause(writes, final)) > 0:
            waited += pause
            if waited > self.longest_wait:
                raise RateLimited(f"waiting for GitHub's rate limit: {pause:.0f} s are left", pause)
            await self.timing.sleep(pause)
        if writes:
            self._writes.append(self.timing.monotonic())

    def _pause(self, writes: bool, final: bool) -> float:
        now = self.timing.monotonic()
        pause = self._closed_until - now
        if not writes:
            return pause
        while self._writes and self._writes[0] <= now - HOUR:
            self._writes.popleft()
        spare_minute, spare_hour = (0, 0) if final else (RESERVED_A_MINUTE, RESERVED_AN_HOUR)
        for allowed, window in ((WRITES_A_MINUTE - spare_minute, MINUTE), (WRITES_AN_HOUR - spare_hour, HOUR)):
            if len(self._writes) >= allowed:
                pause = max(pause, self._writes[-allowed] + window - now)
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
