"""What localhub remembers about the traffic, for tests to look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One REST or git request that was answered (or cut off: ``status`` 0)."""

    at: datetime
    method: str
    path: str
    route: str
    """The documented route, such as ``/repos/{owner}/{repo}/issues/{number}``; empty when unknown."""
    actor: str
    """A login, ``app/slug`` for a JWT, or ``anonymous``."""
    installation_id: int | None
    token_permissions: Mapping[str, str]
    token_repository_ids: tuple[int, ...]
    status: int
    seconds: float
    started: float
    """Monotonic seconds: for the order of requests and the gaps between them."""
    sent: object = None
    """The JSON body, if there was one."""

    @property
    def is_write(self) -> bool:
        """True when it may have changed something."""
        return self.method not in {"GET", "HEAD"} and not self.route.endswith("git-upload-pack")


@dataclass(frozen=True, slots=True)
class Violation:
    """Something a well-made client does not do. ``kind``: ``permission``, ``scope``, ``unknown_route``,
    ``rate_limit`` (asked again inside a window), ``concurrency``, ``content_rate``; or
    ``hub_broke``: the hub's own fault."""

    kind: str
    detail: str
    at: datetime


@dataclass(eq=False)
class Delivery:
    """One attempt to deliver a webhook. ``status_code`` is 0 when no answer came."""

    id: int
    guid: str
    event: str
    action: str | None
    app_id: int
    installation_id: int | None
    repository_id: int | None
    payload: Mapping[str, object]
    body: bytes
    delivered_at: datetime
    redelivery: bool = False
    status: str = "pending"
    status_code: int = 0
    duration: float = 0.0
    request_headers: dict[str, str] = field(default_factory=dict)
    response_headers: dict[str, str] = field(default_factory=dict)
    response_body: str = ""

    @property
    def succeeded(self) -> bool:
        """True when the receiver answered 2xx in time."""
        return 200 <= self.status_code < 300
