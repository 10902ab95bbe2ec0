"""The App's own webhook deliveries, as GitHub remembers them: for three days, and it never repeats one by itself.

https://docs.github.com/en/rest/apps/webhooks, https://docs.github.com/en/webhooks/using-webhooks/handling-failed-webhook-deliveries
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from bot.github.app_auth import AppAuth
from bot.github.errors import Unavailable
from bot.github.transport import Call

MOST_PAGES = 30
_DOING = "listing the deliveries that did not arrive"


@dataclass(frozen=True, slots=True)
class FailedAttempt:
    """An attempt that got no 2xx. Attempts of one delivery share its ``guid`` (``X-GitHub-Delivery``); ``id`` grows."""

    id: int
    guid: str
    delivered_at: datetime


class AppDeliveries:
    """Asks as the App itself. Every method raises GitHubError."""

    def __init__(self, auth: AppAuth) -> None:
        self._auth = auth

    async def failed_since(self, moment: datetime) -> Sequence[FailedAttempt]:
        """The attempts that failed after ``moment`` (aware), newest first, from 3000 at most."""
        call = Call(_DOING, "GET", "/app/hook/deliveries{?per_page,status}", {"per_page": "100", "status": "failure"})
        found: list[FailedAttempt] = []
        for _ in range(MOST_PAGES):
            listed, target = await self._auth.send_as_app(call)
            attempts = [_attempt(item) for item in _items(listed)]
            # Where the server knows no filter the list holds those that arrived, too.
            found += [attempt for attempt, failed in attempts if failed and attempt.delivered_at > moment]
            if target is None or any(attempt.delivered_at <= moment for attempt, _ in attempts):
                break
            call = replace(call, path=target)
        return found

    async def deliver_again(self, attempt: FailedAttempt) -> None:
        """GitHub sends the same body once more, soon, under the same guid."""
        call = Call(
            f"asking for delivery {attempt.guid} once more",
            "POST",
            "/app/hook/deliveries/{attempt}/attempts",
            {"attempt": str(attempt.id)},
        )
        await self._auth.send_as_app(call)


def _items(listed: Any) -> list[dict[str, Any]]:
    if not isinstance(listed, list):
        raise Unavailable(f"{_DOING}: the answer is no list")
    return [item for item in listed if isinstance(item, dict)]


def _attempt(item: dict[str, Any]) -> tuple[FailedAttempt, bool]:
    try:
        status = int(item.get("status_code") or 0)
        attempt = FailedAttempt(int(item["id"]), str(item["guid"]), datetime.fromisoformat(item["delivered_at"]))
    except (KeyError, TypeError, ValueError) as error:
        raise Unavailable(f"{_DOING}: an entry is no delivery") from error
    return attempt, not 200 <= status < 300
