"""Faults to play: what GitHub does on a bad day. Everything is off until a test asks for it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

_GRACE_SECONDS = 0.1
"""A request on its way when its predecessor was refused did not know yet."""


@dataclass(eq=False)
class Fault:
    """A fault for requests that match; see ``Faults.add``."""

    method: str
    pattern: str
    status: int | None
    times: int | None
    after_write: bool
    delay: float
    headers: Mapping[str, str]
    hits: int = 0

    def matches(self, method: str, route: str, path: str) -> bool:
        """True when the fault applies to this request and is not used up."""
        if self.times is not None and self.hits >= self.times:
            return False
        return self.method in {"*", method} and (
            self.pattern == route
            or fnmatchcase(path, self.pattern)
            or fnmatchcase(path.partition("?")[0], self.pattern)
        )


@dataclass(eq=False)
class RateLimit:
    """A window in which every matching request is refused. ``kind`` is ``primary`` or ``secondary``."""

    kind: str
    pattern: str
    until: float
    status: int
    retry_after: bool
    told: dict[str, float] = field(default_factory=dict)
    """Actor -> when it was first refused (monotonic)."""
    refused: int = 0

    def applies(self, path: str) -> bool:
        """True while the window is open for this path."""
        return time.monotonic() < self.until and fnmatchcase(path.partition("?")[0], self.pattern)

    def ignored_by(self, actor: str, started: float) -> bool:
        """Note a refusal. True when the actor had been told already and asked again all the same."""
        self.refused += 1
        first = self.told.setdefault(actor, started)
        return started > first + _GRACE_SECONDS


@dataclass(eq=False)
class DeliveryFault:
    """Webhooks that get lost (``lost``) or come late (``delay`` seconds)."""

    event: str
    times: int | None
    lost: bool
    delay: float
    hits: int = 0


@dataclass(eq=False)
class Faults:
    """The faults of one hub. ``clear`` ends them all."""

    clock_skew: float = 0.0
    """Seconds GitHub's clock is ahead of ours: moves ``Date`` and how JWTs are judged."""
    lag_seconds: float = 0.0
    _faults: list[Fault] = field(default_factory=list)
    _limits: list[RateLimit] = field(default_factory=list)
    _deliveries: list[DeliveryFault] = field(default_factory=list)

    def add(
        self,
        method: str,
        route_pattern: str,
        *,
        status: int | None = None,
        times: int | None = 1,
        after_write: bool = False,
        delay: float = 0.0,
        headers: Mapping[str, str] | None = None,
    ) -> Fault:
        """Answer matching requests with ``status``, or cut the connection when it is None and there is no ``delay``.

        ``method`` may be ``*``. ``route_pattern`` is a documented route (``/repos/{owner}/{repo}/pulls``) or a glob
        over the path below the API's base (``/repos/*/pulls``, ``/acme/shop.git/git-receive-pack``). ``times`` None:
        until cleared. ``after_write``: do it, then lose the answer (``status`` None cuts the connection, else that
        status is answered). On ``/graphql`` a ``status`` of 200 is GraphQL's own way of breaking: ``errors`` without
        data. ``delay`` (seconds) alone only makes the answer late. The fault returned counts its
        ``hits``.
        """
        fault = Fault(method, route_pattern, status, times, after_write, delay, dict(headers or {}))
        self._faults.append(fault)
        return fault

    def lag(self, seconds: float) -> None:
        """Fresh tokens (401) and fresh comments, issues, pull requests and check runs (404) are unknown this long."""
        self.lag_seconds = seconds

    def rate_limit(
        self,
        kind: str = "secondary",
        seconds: float = 1.0,
        *,
        pattern: str = "*",
        status: int = 403,
        retry_after: bool = True,
    ) -> RateLimit:
        """Refuse matching requests for ``seconds``; asking again inside the window is a violation.

        ``kind``: ``primary`` (remaining 0, ``X-RateLimit-Reset``) or ``secondary`` (``Retry-After`` unless switched
        off). ``status``: 403 or 429.
        """
        limit = RateLimit(kind, pattern, time.monotonic() + seconds, status, retry_after)
        self._limits.append(limit)
        return limit

    def lose_deliveries(self, times: int | None = 1, event: str = "*") -> DeliveryFault:
        """Webhooks that never arrive; the hub notes that it could not connect."""
        return self._add_delivery(DeliveryFault(event, times, True, 0.0))

    def delay_deliveries(self, seconds: float, times: int | None = 1, event: str = "*") -> DeliveryFault:
        """Webhooks that arrive late, so out of order."""
        return self._add_delivery(DeliveryFault(event, times, False, seconds))

    def _add_delivery(self, fault: DeliveryFault) -> DeliveryFault:
        self._deliveries.append(fault)
        return fault

    def clear(self) -> None:
        """End every fault, lag and skew."""
        self._faults.clear()
        self._limits.clear()
        self._deliveries.clear()
        self.lag_seconds = self.clock_skew = 0.0

    # Asked by the hub

    def take(self, method: str, route: str, path: str) -> Fault | None:
        """The fault this request meets, counted."""
        for fault in self._faults:
            if fault.matches(method, route, path):
                fault.hits += 1
                return fault
        return None

    def take_delivery(self, event: str) -> DeliveryFault | None:
        """The fault this delivery meets, counted."""
        for fault in self._deliveries:
            if fault.event in {"*", event} and (fault.times is None or fault.hits < fault.times):
                fault.hits += 1
                return fault
        return None

    def limit(self, path: str) -> RateLimit | None:
        """The open window this path falls into."""
        return next((limit for limit in self._limits if limit.applies(path)), None)

    def too_fresh(self, born: float) -> bool:
        """True while an object made at ``born`` (monotonic) is not to be seen yet."""
        return self.lag_seconds > 0 and time.monotonic() - born < self.lag_seconds
